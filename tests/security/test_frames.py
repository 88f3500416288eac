"""Rows 22 to 30: frames that others have read wrongly."""

from typing import Any

import pytest

from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    frame,
    from_peer,
    header,
    mask,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    CloseReceived,
    Config,
    LocalProtocolError,
    Role,
    State,
    Violation,
)
from wscore.testing import drain

ROLES = list(Role)


TOO_LATE = [(TEXT, b"late"), (PING, b"late"), (CLOSE, status(1001)), (BINARY, b"")]


def outcome(role: Role, data: bytes, config: Config | None = None) -> tuple[Violation | None, int]:
    """Feed data and the end; return the rule that was broken and the code of our Close, 0 for none."""
    connection = opened(role, config)
    connection.receive_data(data, 0.0)
    output = drain(connection, 0.0)
    connection.receive_eof(0.0)
    closed = the_end([*output.events, *drain(connection, 0.0).events])
    codes = [
        int.from_bytes(payload[:2], "big") for first, payload in read_frames(output.sent) if first == 0x88
    ]
    assert len(codes) <= 1
    return closed.violation, codes[0] if codes else 0


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [0, 125, 126, 127, 65_535, 65_536])
def test_row_22_a_header_may_be_cut_anywhere(role: Role, size: int) -> None:
    """Cause: a cut inside a long length made the check run again on half a frame. Correct: no difference."""
    payload = bytes(size)
    data = from_peer(role, BINARY, payload)
    head = len(data) - size
    for cut in range(head + 2):
        connection = opened(role)
        for piece in (data[:cut], data[cut : cut + 1], data[cut + 1 :]):
            connection.receive_data(piece, 0.0)
        assert drain(connection, 0.0).events == [payload]


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
def test_row_23_masks_are_demanded_and_refused(opcode: int) -> None:
    """Cause: the mask bit was obeyed, whoever set it. Correct: 1002 for the wrong one, by its byte."""
    assert outcome(Role.SERVER, frame(opcode, b"", masked=False)) == (Violation.UNMASKED_FRAME, 1002)
    assert outcome(Role.CLIENT, frame(opcode, b"", masked=True)) == (Violation.MASKED_FRAME, 1002)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("length", "form"), [(0, 2), (1, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65_535, 8)]
)
def test_row_24_a_length_in_a_longer_form_than_it_needs_is_refused(
    role: Role, length: int, form: int
) -> None:
    """Cause: any form was read. Correct: 1002 (RFC 6455 section 5.2: the minimal number of bytes)."""
    data = header(0x82, length, masked=role is Role.SERVER, form=form)
    assert outcome(role, data) == (Violation.LONG_LENGTH_FORM, 1002)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("first", [b"", b"x"])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_row_25_a_message_may_not_begin_in_a_message(role: Role, first: bytes, opcode: int) -> None:
    """Cause: "in a message" was read off the bytes so far, of which an empty fragment has none."""
    data = from_peer(role, TEXT, first, final=False)
    assert outcome(role, data + from_peer(role, opcode, b"y")) == (Violation.MESSAGE_INTERRUPTED, 1002)
    assert outcome(role, data + from_peer(role, opcode, b"y", final=False))[1] == 1002
    whole = from_peer(role, TEXT, b"", final=False) + from_peer(role, CONTINUATION, b"")
    assert outcome(role, whole + from_peer(role, opcode, b"y")) == (None, 0)


BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 32_768, 65_535]


GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]


@pytest.mark.parametrize("role", ROLES)
def test_row_26_a_malformed_close_is_refused_and_not_repeated(role: Role) -> None:
    """Cause: whatever a Close held was taken and sent back. Correct: 1002, or 1007 for its text."""
    assert outcome(role, from_peer(role, CLOSE, b"\x03")) == (Violation.CLOSE_PAYLOAD, 1002)
    for code in BAD_CODES:
        assert outcome(role, from_peer(role, CLOSE, status(code, b"why"))) == (Violation.CLOSE_CODE, 1002)
    for reason in (b"\xff", b"\xc3", b"ok\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"):
        assert outcome(role, from_peer(role, CLOSE, status(1000, reason))) == (
            Violation.CLOSE_REASON_UTF8,
            1007,
        )
    for code in GOOD_CODES:
        assert outcome(role, from_peer(role, CLOSE, status(code, b"why"))) == (None, code)


def _with_bad_codes() -> list[Any]:
    return [*BAD_CODES, -1, 1000.0, "1000", None, True, 2**31]


@pytest.mark.parametrize("role", ROLES)
def test_row_27_a_close_that_may_not_travel_is_the_callers_error(role: Role) -> None:
    """Cause: 1006 and the like were sent, and reasons cut within a code point. Correct: an error before a
    byte is written; a reason of exactly 123 bytes is sent whole."""
    connection = opened(role)
    for code in _with_bad_codes():
        with pytest.raises(LocalProtocolError if isinstance(code, int) else TypeError):
            connection.close(code, now=0.0)
    for reason in ("x" * 124, "\u2603" * 42, "\ud800"):
        with pytest.raises(LocalProtocolError):
            connection.close(1000, reason, now=0.0)
    assert (connection.state, connection.buffered_amount) == (State.OPEN, 0)
    connection.close(1000, "\u2603" * 41, now=0.0)
    assert read_frames(drain(connection, 0.0).sent) == [(0x88, status(1000, "\u2603".encode() * 41))]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("payload", "code"), [(status(1000, b"bye"), 1000), (status(4321), 4321), (b"", 0)])
def test_row_28_a_close_inside_a_message_is_a_good_close(role: Role, payload: bytes, code: int) -> None:
    """Cause: it was answered with 1002 because a message was open. Correct: the peer's code comes back."""
    data = from_peer(role, TEXT, b"half a mess", final=False) + from_peer(role, CLOSE, payload)
    connection = opened(role)
    connection.receive_data(data, 0.0)
    output = drain(connection, 0.0)
    assert read_frames(output.sent) == [(0x88, payload)]
    closed = the_end(output.events)
    assert (closed.clean, closed.violation, closed.code) == (True, None, code or 1005)
    assert not any(isinstance(event, str) for event in output.events)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("late", TOO_LATE)
def test_row_29_nothing_behind_a_close_is_looked_at(role: Role, late: tuple[int, bytes]) -> None:
    """Cause: frames behind the Close were delivered, a ping behind it answered. Correct: discarded, also
    when they come later, also nonsense."""
    close, behind = from_peer(role, CLOSE, status(1000)), from_peer(role, *late)
    for segments in ([close + behind], [close, behind], [close, b"\xff" * 20, behind]):
        connection = opened(role)
        events, sent = [], b""
        for segment in segments:
            connection.receive_data(segment, 0.0)
            output = drain(connection, 0.0)
            events += output.events
            sent += output.sent
        assert read_frames(sent) == [(0x88, status(1000))]
        assert [type(event) for event in events] == [CloseReceived, type(the_end(events))]
        assert the_end(events).violation is None


@pytest.mark.parametrize("role", ROLES)
def test_row_29_a_ping_after_our_close_is_not_answered(role: Role) -> None:
    """Correct: after our Close nothing leaves; data that still comes is delivered."""
    connection = opened(role)
    connection.close(now=0.0)
    drain(connection, 0.0)
    connection.receive_data(from_peer(role, PING, b"?") + from_peer(role, TEXT, b"late"), 0.0)
    output = drain(connection, 0.0)
    assert (output.sent, output.events) == (b"", ["late"])


BAD_TEXT = [
    (b"\xce\xba\xf4\x90", b"\x80\x80 and more"),
    (b"ok\xff", b"more"),
    (b"\xed\xa0", b"\x80"),
    (b"\xc0", b"\xaf"),
    (b"ab\xe2\x28", b"\xa1"),
    (b"\xf8", b"\x88\x80\x80\x80"),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("bad", "rest"), BAD_TEXT)
@pytest.mark.parametrize("fragmented", [False, True])
def test_row_30_text_fails_at_its_first_bad_byte(
    role: Role, bad: bytes, rest: bytes, fragmented: bool
) -> None:
    """Cause: text was checked when the message was complete. Correct: 1007 before the rest has come."""
    masked = role is Role.SERVER
    if fragmented:
        data = from_peer(role, TEXT, b"", final=False) + from_peer(role, CONTINUATION, bad, final=False)
    else:
        data = header(0x81, len(bad + rest), masked=masked) + (KEY + mask(bad) if masked else bad)
    connection = opened(role)
    for octet in data[:-1]:
        connection.receive_data(bytes([octet]), 0.0)
    assert connection.state is State.OPEN
    connection.receive_data(data[-1:], 0.0)
    assert connection.state is not State.OPEN
    [(first, payload)] = read_frames(drain(connection, 0.0).sent)
    assert (first, payload[:2]) == (0x88, (1007).to_bytes(2, "big"))
