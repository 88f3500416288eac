"""Close frames in both directions, and the one outcome."""

from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._codes import CloseCode, Side, may_travel
from wscore._ending import Ending, read_close, write_close
from wscore._errors import LocalProtocolError
from wscore._events import Closed, CloseStatus
from wscore._timers import Timer
from wscore._violations import Violation


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", CloseStatus(1005, "")),  # RFC 6455 section 7.1.5
        (b"\x03", Violation.CLOSE_PAYLOAD),
        (b"\x03\xe8", CloseStatus(1000, "")),
        (b"\x03\xe8bye", CloseStatus(1000, "bye")),
        (b"\x03\xe9" + "Grüße".encode(), CloseStatus(1001, "Grüße")),
        (b"\x13\x87" + b"x" * 123, CloseStatus(4999, "x" * 123)),
        (b"\x03\xe8\x00\n", CloseStatus(1000, "\x00\n")),
        (b"\x00\x00", Violation.CLOSE_CODE),
        (b"\x03\xed", Violation.CLOSE_CODE),  # 1005
        (b"\x03\xee", Violation.CLOSE_CODE),  # 1006
        (b"\x03\xf7", Violation.CLOSE_CODE),  # 1015
        (b"\x13\x88", Violation.CLOSE_CODE),  # 5000
        (b"\xff\xff", Violation.CLOSE_CODE),
        (b"\x03\xe8\xff", Violation.CLOSE_REASON_UTF8),
        (b"\x03\xe8\xc3", Violation.CLOSE_REASON_UTF8),
        (b"\x03\xe8\xed\xa0\x80", Violation.CLOSE_REASON_UTF8),
        (b"\x03\xed\xff", Violation.CLOSE_CODE),  # the code comes first
    ],
)
def test_a_close_payload_is_a_code_and_a_reason(payload: bytes, expected: CloseStatus | Violation) -> None:
    assert read_close(payload) == expected


def test_every_code_is_judged_alike_in_both_directions() -> None:
    for code in range(65_536):
        read = read_close(code.to_bytes(2, "big"))
        if may_travel(code):
            assert read == CloseStatus(code, "")
            assert write_close(code, "") == code.to_bytes(2, "big")
        else:
            assert read is Violation.CLOSE_CODE
            with pytest.raises(LocalProtocolError):
                write_close(code, "")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([1000, 1001, 1007, 1014, 3000, 4999]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
def test_what_is_written_can_be_read(code: int, reason: str) -> None:
    payload = write_close(code, reason)
    assert len(payload) <= 125
    assert read_close(payload) == CloseStatus(code, reason)


def test_a_code_may_be_a_member_of_the_enum() -> None:
    assert write_close(CloseCode.GOING_AWAY, "") == b"\x03\xe9"


@pytest.mark.parametrize("reason", ["x" * 123, "ü" * 61 + "x", "\U0001f600" * 30 + "xxx"])
def test_a_reason_has_at_most_123_bytes(reason: str) -> None:
    assert len(write_close(1000, reason)) == 125  # 5.5: the limit of a control frame
    with pytest.raises(LocalProtocolError, match="at most 123 bytes, not 124"):
        write_close(1000, reason + "x")


@pytest.mark.parametrize("code", [True, False, -1, 0, 999, 1005, 1006, 1015, 65_536 + 1000, 2**16, 2**70])
def test_a_code_that_must_not_be_sent_is_the_callers_mistake(code: int) -> None:
    with pytest.raises(LocalProtocolError, match="not a close code"):
        write_close(code, "")


@pytest.mark.parametrize("code", [1000.0, "1000", None, b"\x03\xe8"], ids=repr)
def test_a_code_is_a_number(code: Any) -> None:
    with pytest.raises(TypeError):
        write_close(code, "")


def test_a_reason_is_text() -> None:
    with pytest.raises(TypeError):
        write_close(1000, b"bye")  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="lone surrogates"):
        write_close(1000, "\ud800")


OURS, THEIRS = CloseStatus(1001, "away"), CloseStatus(4000, "own")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], Closed(1006, "", False)),
        ([("sent", OURS)], Closed(1006, "", False, None, OURS, Side.LOCAL)),
        ([("received", THEIRS)], Closed(4000, "own", False, THEIRS, None, Side.REMOTE)),
        ([("sent", OURS), ("received", THEIRS)], Closed(4000, "own", True, THEIRS, OURS, Side.LOCAL)),
        ([("received", THEIRS), ("sent", OURS)], Closed(4000, "own", True, THEIRS, OURS, Side.REMOTE)),
        (
            [("received", CloseStatus(1005, "")), ("sent", CloseStatus(1005, ""))],
            Closed(1005, "", True, CloseStatus(1005, ""), CloseStatus(1005, ""), Side.REMOTE),
        ),
    ],
)
def test_the_outcome_follows_the_peers_close(steps: list[tuple[str, CloseStatus]], expected: Closed) -> None:
    ending = Ending()
    assert ending.closed is None
    for step, status in steps:
        note = ending.note_sent if step == "sent" else ending.note_received
        note(status)
    assert ending.clean is expected.clean
    assert ending.settle(None, None, 0) == expected
    assert ending.closed == expected


def test_the_outcome_is_settled_once_whatever_comes_later() -> None:
    ending = Ending()
    settled = ending.settle(Violation.INVALID_UTF8, None, 0)
    ending.note_received(THEIRS)
    assert ending.settle(None, Timer.CLOSE, 3) is None
    assert ending.closed is settled
    assert settled == Closed(1006, "", False, violation=Violation.INVALID_UTF8)


def test_the_outcome_names_the_timer_that_ended_it_or_made_us_close() -> None:
    ending = Ending()
    assert ending.settle(None, Timer.PONG, 2) == Closed(1006, "", False, timer=Timer.PONG, dropped=2)

    ending = Ending()
    ending.cause = Timer.IDLE
    ending.note_sent(OURS)
    ending.note_received(CloseStatus(1001, ""))
    closed = ending.settle(None, None, 0)
    assert closed is not None
    assert (closed.timer, closed.clean) == (Timer.IDLE, True)

    ending = Ending()
    ending.cause = Timer.IDLE
    closed = ending.settle(None, Timer.CLOSE, 0)
    assert closed is not None
    assert closed.timer is Timer.CLOSE  # what ended it comes before what began it


def test_a_close_is_answered_in_its_own_words() -> None:
    # RFC 6455 section 5.5.1: the answer typically echoes the status code that was received.
    ending = Ending()
    ending.note_received(THEIRS)
    assert ending.answer() == THEIRS
    ending.note_received(CloseStatus(1005, ""))
    assert ending.answer() == CloseStatus(1005, "")


class Private(IntEnum):
    """Close codes of an application."""

    OUT_OF_TEA = 4018


def test_a_code_that_has_a_name_is_read_as_its_member() -> None:
    named = read_close(b"\x0f\xb2bye", Private)
    assert isinstance(named, CloseStatus)
    assert (named.code, named.reason) == (4018, "bye")
    assert named.code is Private.OUT_OF_TEA
    plain = read_close(b"\x0f\xb1", Private)
    assert isinstance(plain, CloseStatus) and type(plain.code) is int
    assert read_close(b"\x03\xed", Private) is Violation.CLOSE_CODE
    nothing = read_close(b"", Private)
    assert isinstance(nothing, CloseStatus) and (nothing.code, type(nothing.code)) == (1005, int)


def test_a_named_code_stays_a_member_in_the_outcome() -> None:
    ending = Ending()
    ending.note_received(CloseStatus(Private.OUT_OF_TEA, "bye"))
    ending.note_sent(ending.answer())
    closed = ending.settle(None, None, 0)
    assert closed is not None and closed.received is not None and closed.sent is not None
    assert closed.code is closed.received.code is closed.sent.code is Private.OUT_OF_TEA
    assert write_close(closed.code, "") == b"\x0f\xb2"
