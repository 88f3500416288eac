"""A budget for control frames: a token bucket on the caller's clock.

A control frame costs its sender two bytes and us an answer, and byte limits do not see it. The budget
allows a sustained rate and a burst of five seconds' worth; no honest peer comes near.
"""

from typing import Final, final

_BURST_SECONDS: Final = 5


@final
class ControlBudget:
    """How many more control frames the peer may send."""

    __slots__ = ("_level", "_rate", "_refilled_at")

    def __init__(self, rate: int | None, now: float) -> None:
        self._rate: int | None = rate
        self._level: float = float((rate or 0) * _BURST_SECONDS)
        self._refilled_at: float = now

    def spend(self, now: float) -> bool:
        """Take one frame out of the budget; False when it is used up."""
        if self._rate is None:
            return True
        if now > self._refilled_at:
            refilled = self._level + (now - self._refilled_at) * self._rate
            self._level = min(refilled, float(self._rate * _BURST_SECONDS))
            self._refilled_at = now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True
