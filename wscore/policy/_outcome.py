"""What to say of an end: how a handler's end becomes a close, and what kept a connection from opening."""

from dataclasses import dataclass
from typing import Final

from wscore._codes import CloseCode
from wscore._errors import (
    CloseError,
    ConnectionClosed,
    HandshakeRefused,
    LocalProtocolError,
    TimedOut,
    WSCoreError,
    error_from,
)
from wscore._events import Closed, Event, Refused
from wscore._lifecycle import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do when a function of the session has ended.

    Attributes:
        code, reason: what to close with; harmless if the connection is closing already.
        report: it raised what it should have handled.
    """

    code: int
    reason: str = ""
    report: bool = False


_DONE: Final = Outcome(CloseCode.NORMAL_CLOSURE.value)
_FAILED: Final = Outcome(CloseCode.INTERNAL_ERROR.value, report=True)


def may_send(state: State) -> bool:
    """Tell whether messages may be sent: if not, who tries to may not have known that somebody has closed."""
    return state is State.OPEN or state is State.REMOTE_CLOSING


def outcome_of(error: BaseException | None, state: State) -> Outcome:
    """Judge the end of a handler.

    Args:
        error: what it raised; None: it returned.
        state: of the session now.
    """
    if error is None or isinstance(error, ConnectionClosed):
        return _DONE  # the connection may have ended under its hands: nothing to report
    if isinstance(error, CloseError):
        return Outcome(error.code, error.reason)
    if isinstance(error, LocalProtocolError) and not may_send(state):
        return _DONE  # somebody else has begun to close under its hands: nothing to report either
    return _FAILED


def opening_failure(closed: Closed, lost: Exception | None) -> Exception:
    """Return what kept a connection from opening: what TLS or the socket said before what the core says.

    A broken rule or a timeout is more telling than the socket's error that followed from it.

    Args:
        closed: how the core saw it.
        lost: what TLS or the socket raised; None: nothing.
    """
    error = error_from(closed)
    if lost is not None and closed.violation is None and not isinstance(error, TimedOut):
        return lost
    return error or WSCoreError("the connection ended before it was open")


def opening_error(event: Event, lost: Exception | None) -> Exception:
    """Return what a client raises when this event came in place of `Opened`.

    Args:
        event: `Refused` or `Closed`.
        lost: as for `opening_failure`.
    """
    if isinstance(event, Refused):
        return HandshakeRefused(event.response)
    assert isinstance(event, Closed)  # nothing else comes before the connection is open
    return opening_failure(event, lost)
