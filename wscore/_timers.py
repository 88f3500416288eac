"""Everything that time can do to a connection, and one table of deadlines.

A deadline is a moment on the caller's clock; a timeout is a length. Traffic never moves a deadline: it
leaves a mark, and a timer that fires looks at its mark and acts, or is armed again from it. So a busy
connection costs nothing here, and a backend re-arms its own timer about once per timeout.
"""

from enum import Enum
from typing import Final, final

_NEVER: Final = float("inf")


class Timer(Enum):
    """Why a deadline exists; the value is its place in the table and the order of simultaneous firing."""

    OPEN = 0  # from construction until the opening handshake is over
    PONG = 1  # a keepalive ping went out and nothing has come back
    KEEPALIVE = 2  # nothing was received for a while: time to ping
    IDLE = 3  # no message either way
    LIFETIME = 4  # the connection has grown too old
    CLOSE = 5  # the close handshake, and the end of TCP behind it
    WRITE_STALL = 6  # bytes were given out and do not move


TIMERS: Final = tuple(Timer)


@final
class TimerTable:
    """The armed deadlines of one connection."""

    __slots__ = ("_deadlines", "_next")

    def __init__(self) -> None:
        self._deadlines: list[float] = [_NEVER] * len(TIMERS)
        self._next: float = _NEVER

    def arm(self, timer: Timer, deadline: float) -> None:
        """Let timer fire at deadline, whatever was set before."""
        self._deadlines[timer.value] = deadline
        self._next = min(self._deadlines)

    def disarm(self, timer: Timer) -> None:
        """Forget timer; harmless when it is not armed."""
        self._deadlines[timer.value] = _NEVER
        self._next = min(self._deadlines)

    def disarm_all(self) -> None:
        """Forget every timer."""
        self._deadlines = [_NEVER] * len(TIMERS)
        self._next = _NEVER

    def is_armed(self, timer: Timer) -> bool:
        """Tell whether timer will fire."""
        return self._deadlines[timer.value] != _NEVER

    def next_deadline(self) -> float | None:
        """Return the earliest deadline, or None when nothing is armed."""
        return None if self._next == _NEVER else self._next

    def pop_expired(self, now: float) -> Timer | None:
        """Disarm and return one timer whose deadline is not after now; None when there is none."""
        if self._next > now or self._next == _NEVER:
            return None
        timer = TIMERS[self._deadlines.index(self._next)]
        self.disarm(timer)
        return timer
