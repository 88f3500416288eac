"""Time that passes when somebody says so.

A `Clock` is shared by everything that lives in the same time: pairs, scripted peers, a test. Time jumps from
one moment at which something is due to the next, and at each of them everything that lives on the clock is
run until nothing is due any more; so an hour takes no longer than what happens in it, and nothing is ever
handled late. The order is fixed: calls first, in the order of their moments, then the things in the order in
which they came.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Final, Protocol, final

_ROUNDS: Final = 10_000  # more than any moment takes; a loop beyond it is a bug


class Timed(Protocol):
    """What can live on a `Clock`: a `Pair`, a `ScriptedPeer`, or a driver of your own."""

    def next_due(self) -> float | None:
        """Return the moment at which `run` will have something to do; None: no time changes anything."""
        ...

    def run(self) -> None:
        """Do what is due now."""
        ...


@final
class Clock:
    """A monotonic clock in seconds; call it as you would call `time.monotonic`.

    Args:
        now: where it starts.

    ::

        >>> clock = Clock()
        >>> clock.call_later(2.5, lambda: print("half past two"))
        >>> clock.advance(3)
        half past two
        >>> clock()
        3.0
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = float(now)
        self._things: list[Timed] = []
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._called = 0

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self._now

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now

    def attach(self, thing: Timed) -> None:
        """Let thing live on this clock from now on."""
        self._things.append(thing)

    def call_later(self, seconds: float, action: Callable[[], object]) -> None:
        """Call action when so many seconds have passed: let a fault begin, a message leave.

        Raises:
            ValueError: seconds is not a number of at least 0.
        """
        self._called += 1
        heappush(self._calls, (self._now + _checked(seconds), self._called, action))

    def next_due(self) -> float | None:
        """Return the next moment at which something happens; None: no time changes anything."""
        moments = [due for thing in self._things if (due := thing.next_due()) is not None]
        if self._calls:
            moments.append(self._calls[0][0])
        return min(moments, default=None)

    def advance(self, seconds: float) -> None:
        """Let time pass; everything that is due on the way happens at its moment.

        Raises:
            ValueError: seconds is not a number of at least 0.
            AssertionError: something is due again and again while no time passes.
        """
        end = self._now + _checked(seconds)
        self.run()
        while self.step(end):
            pass
        self._now = end
        self.run()

    def step(self, until: float = inf) -> bool:
        """Let time pass to the next moment at which something is due, unless that is after until.

        Returns:
            Whether there was one.
        """
        due = self.next_due()
        if due is None or due > until:
            return False
        self._now = max(self._now, due)
        self.run()
        return True

    def run(self) -> None:
        """Let everything happen that is due now; no time passes."""
        for _ in range(_ROUNDS):
            while self._calls and self._calls[0][0] <= self._now:
                heappop(self._calls)[2]()
            for thing in self._things:
                thing.run()
            due = self.next_due()
            if due is None or due > self._now:
                return
        raise AssertionError(f"at {self._now} s something is due again and again")


def _checked(seconds: float) -> float:
    """Return seconds if that much time can pass."""
    if not 0 <= seconds < inf:
        raise ValueError(f"expected a number of seconds of at least 0, not {seconds!r}")
    return seconds
