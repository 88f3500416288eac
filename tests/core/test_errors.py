"""The tree of errors, and the words they say."""

import copy
import pickle
from enum import IntEnum
from typing import Any

import pytest

from wscore import _errors
from wscore._codes import CloseCode, Side
from wscore._errors import (
    CloseError,
    ConnectionClosed,
    ConnectionLost,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    WriteBufferFull,
    WSCoreError,
    error_from,
)
from wscore._events import Closed, CloseStatus
from wscore._http import Response
from wscore._timers import Timer
from wscore._violations import Violation

LOST = Closed(1006, "", False)


class Private(IntEnum):
    """Close codes of an application."""

    OUT_OF_TEA = 4018


TREE: dict[type[Exception], tuple[type[Exception], ...]] = {
    WSCoreError: (Exception,),
    LocalProtocolError: (WSCoreError,),
    WriteBufferFull: (LocalProtocolError,),
    InvalidURL: (WSCoreError, ValueError),
    ConnectionClosed: (WSCoreError,),
    HandshakeRefused: (WSCoreError,),
    RemoteProtocolError: (WSCoreError,),
    TimedOut: (WSCoreError,),
    ConnectionLost: (WSCoreError,),
    CloseError: (WSCoreError,),
}


def test_the_tree_of_errors_is_closed() -> None:
    defined = {value for value in vars(_errors).values() if isinstance(value, type)}
    assert {kind for kind in defined if issubclass(kind, Exception)} == set(TREE)
    assert {kind: kind.__bases__ for kind in TREE} == TREE


EXAMPLES: list[tuple[WSCoreError, str]] = [
    (ConnectionClosed(Closed(1000, "bye", True)), "the connection is closed: 1000 (NORMAL_CLOSURE) 'bye'"),
    (ConnectionClosed(LOST), "the connection is closed: 1006 (ABNORMAL_CLOSURE)"),
    (ConnectionClosed(Closed(3000, "", True)), "the connection is closed: 3000"),
    (ConnectionClosed(Closed(Private.OUT_OF_TEA, "", True)), "the connection is closed: 4018 (OUT_OF_TEA)"),
    (
        ConnectionClosed(Closed(Private.OUT_OF_TEA, "sorry", True)),
        "the connection is closed: 4018 (OUT_OF_TEA) 'sorry'",
    ),
    (
        HandshakeRefused(Response(403, body=b"no")),
        "the server refused the upgrade with HTTP status 403",
    ),
    (
        RemoteProtocolError(Violation.RESERVED_BITS),
        "the peer broke the protocol: reserved bit set without an extension (RFC 6455 5.2)",
    ),
    (TimedOut(Timer.WRITE_STALL), "the connection timed out: write stall"),
    (TimedOut(Timer.OPEN), "the connection timed out: open"),
    (ConnectionLost(), "the connection was lost without a close handshake"),
    (ConnectionLost("reset by peer"), "reset by peer"),
    (WriteBufferFull("too slow"), "too slow"),
    (InvalidURL("not one"), "not one"),
]


@pytest.mark.parametrize(("error", "words"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_says_one_sentence(error: WSCoreError, words: str) -> None:
    assert str(error) == words


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES] + [CloseError(4000, "own")])
def test_an_error_can_be_copied_and_carried_to_another_process(error: WSCoreError) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_words_of_the_peer_are_shown_escaped() -> None:
    assert "\x1b" not in str(ConnectionClosed(Closed(1000, "\x1b[2J\n", True)))


def test_errors_carry_what_they_are_about() -> None:
    response = Response(503)
    assert ConnectionClosed(LOST).closed is LOST
    assert HandshakeRefused(response).response is response
    assert RemoteProtocolError(Violation.ORIGIN).violation is Violation.ORIGIN
    assert TimedOut(Timer.PONG).timer is Timer.PONG


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
@pytest.mark.parametrize("reason", ["", "own", "x" * 123, "ü" * 61])
def test_a_hook_may_close_with_any_code_that_may_travel(code: int, reason: str) -> None:
    error = CloseError(code, reason)
    assert (error.code, error.reason) == (code, reason)
    assert CloseError(code).reason == ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [(code, "") for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1)]
    + [(1000, "x" * 124), (1000, "ü" * 62), (4000, "\ud800")],
)
def test_a_hook_cannot_close_with_what_must_not_be_sent(code: int, reason: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - a lone surrogate is told in Python's own words
        CloseError(code, reason)


@pytest.mark.parametrize("code", [True, False, 1000.0, "1000", None, b"\x03\xe8", float("nan"), [1000]])
def test_a_close_code_is_a_whole_number(code: Any) -> None:
    with pytest.raises(ValueError, match="not a code and a reason that may be sent"):
        CloseError(code)


def test_a_close_code_may_be_a_member_of_the_enum() -> None:
    assert CloseError(CloseCode.TRY_AGAIN_LATER).code == 1013


def test_a_long_thing_instead_of_a_code_is_shown_in_part() -> None:
    code: Any = "x" * 10_000
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the length is what matters here
        CloseError(code)
    assert len(str(caught.value)) < 100


PEERS_CLOSE = CloseStatus(1000, "")


@pytest.mark.parametrize(
    ("closed", "kind", "detail"),
    [
        (Closed(1000, "", True, PEERS_CLOSE, PEERS_CLOSE, Side.REMOTE), None, None),
        (Closed(4000, "own", True, CloseStatus(4000, "own"), PEERS_CLOSE, Side.REMOTE), None, None),
        # A timer may end a connection in good order: then nothing went wrong.
        (Closed(1001, "", True, PEERS_CLOSE, PEERS_CLOSE, Side.LOCAL, timer=Timer.IDLE), None, None),
        (LOST, ConnectionLost, None),
        (Closed(1000, "", False, received=PEERS_CLOSE), ConnectionLost, None),
        (Closed(1006, "", False, timer=Timer.PONG), TimedOut, Timer.PONG),
        (
            Closed(1006, "", False, violation=Violation.INVALID_UTF8),
            RemoteProtocolError,
            Violation.INVALID_UTF8,
        ),
        # The rule that was broken says more than the timeout behind it.
        (
            Closed(1006, "", False, violation=Violation.ORIGIN, timer=Timer.CLOSE),
            RemoteProtocolError,
            Violation.ORIGIN,
        ),
    ],
)
def test_the_outcome_becomes_one_error(
    closed: Closed, kind: type[WSCoreError] | None, detail: Violation | Timer | None
) -> None:
    error = error_from(closed)
    if kind is None:
        assert error is None
        return
    assert type(error) is kind
    assert getattr(error, "violation", getattr(error, "timer", None)) is detail
