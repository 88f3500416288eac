"""Timers: a heap, from which what was cancelled disappears when it comes up, or when it is half of the heap.

Connections set their timers once in a while and not for every message (see `_link`), so the heap stays small
and what it costs does not show.
"""

import heapq
from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any, Final, final

_SMALL: Final = 64  # a heap that is not worth tidying up


@final
class TimerHandle:
    """A call that waits for its moment; from `call_later` and `call_at`.

    Attributes:
        when: as `time.monotonic` counts.
    """

    __slots__ = ("_arguments", "_function", "_timers", "when")

    def __init__(
        self, timers: "Timers", when: float, function: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        self._timers = timers
        self.when = when
        self._function: Callable[..., object] | None = function
        self._arguments = arguments

    @property
    def cancelled(self) -> bool:
        """True when it was cancelled, or has been made."""
        return self._function is None

    def cancel(self) -> None:
        """Do not make the call; harmless when it has been made."""
        if self._function is not None:
            self._function, self._arguments = None, ()  # the handle itself may lie in the heap for long
            self._timers.note_cancelled()

    def make(self) -> None:
        """Make the call. Until then it is not forgotten: an interrupt before it does not lose it."""
        function, arguments = self._function, self._arguments
        assert function is not None
        self._timers.note_made()
        self._function, self._arguments = None, ()
        function(*arguments)


@final
class Timers:
    """All timers of one loop.

    Attributes:
        earliest: no timer is due before this; a cancelled one may make it too early, which does no harm.
    """

    __slots__ = ("_cancelled", "_heap", "_numbers", "earliest")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._numbers = count()  # of two that are due together, the first that was set comes first
        self._cancelled = 0
        self.earliest: float = inf

    def add(
        self, when: float, function: Callable[..., object], arguments: tuple[Any, ...] = ()
    ) -> TimerHandle:
        """Let function be called at a moment."""
        handle = TimerHandle(self, when, function, arguments)
        heapq.heappush(self._heap, (when, next(self._numbers), handle))
        self.earliest = self._heap[0][0]
        return handle

    def next_deadline(self) -> float | None:
        """Return the moment of the earliest; None: there is none."""
        heap = self._heap
        while heap and heap[0][2].cancelled:
            heapq.heappop(heap)
            self._cancelled -= 1
        self.earliest = heap[0][0] if heap else inf
        return self.earliest if heap else None

    def due(self, now: float) -> TimerHandle | None:
        """Return the earliest whose moment has come; None: there is none. It goes when it was made."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        return self._heap[0][2]

    def __len__(self) -> int:
        return len(self._heap)

    def note_made(self) -> None:
        """One of the heap is being made: it will lie there like one that was cancelled."""
        self._cancelled += 1

    def note_cancelled(self) -> None:
        """One of the heap was cancelled: tidy up if there are many of these."""
        self._cancelled += 1
        if self._cancelled > _SMALL and self._cancelled > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if not entry[2].cancelled]
            heapq.heapify(self._heap)
            self._cancelled = 0
