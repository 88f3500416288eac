"""How a handler's end becomes a close: which code, and is it worth a line in the log."""

from dataclasses import dataclass
from typing import Final

from wscore._codes import CloseCode
from wscore._errors import CloseError, ConnectionClosed, LocalProtocolError
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
