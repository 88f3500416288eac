"""One thread per process that keeps time for every session, whoever is busy.

Four times a second it looks at every link: timers that are due fire, output that found no room is tried
again, and a session that nobody has read for a whole tick is read once without waiting, so that pings are
answered while a handler computes. While some session holds back replies to share a write, it wakes every
2 ms for those alone; sessions notify it for the first of them only.

The thread starts with the first link and ends when there has been none for a while. After a fork a child
starts without it and with no links: they belong to the parent.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import final

from ._link import Link

_TICK = 0.25
_READ_SHARE = 0.05  # seconds of a tick for reading where nobody does
_HOLD = 0.002  # how long a reply may wait for others to share its write
_FAST_TICKS_KEPT = 25  # how long to stay awake after the last held reply
_IDLE_TICKS = 20  # how long to stay without any link

_log = logging.getLogger("wscore_threading")


@final
class Housekeeper:
    """The clock of all links of this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, as after a fork: the thread and the links stayed in the parent."""
        self._changed = threading.Condition()
        self._links: set[Link] = set()
        self._held: deque[Link] = deque()  # in the order of their deadlines
        self._running = False
        self._fast = 0  # fast ticks left
        self._idle = 0
        self._turn = 0  # which of the links that nobody reads is next

    def add(self, link: Link) -> None:
        """Keep time for link until it is released."""
        with self._changed:
            self._links.add(link)
            self._idle = 0
            if self._running:
                return
            try:
                threading.Thread(target=self._run, name="wscore-housekeeper", daemon=True).start()
            except BaseException:  # the system has no more threads
                self._links.discard(link)
                raise
            self._running = True

    def flush_soon(self, link: Link) -> None:
        """Link holds output back: flush it within 2 ms, unless it does that itself before."""
        if link.flush_at is not None:
            return
        link.flush_at = monotonic() + _HOLD
        self._held.append(link)
        asleep = self._fast == 0
        self._fast = _FAST_TICKS_KEPT
        if asleep:  # otherwise it wakes that often anyway
            with self._changed:
                self._changed.notify()

    def _run(self) -> None:
        next_tick = monotonic() + _TICK
        while self._stay():
            with self._changed:
                wait = next_tick - monotonic()
                if self._fast or wait > 0:
                    self._changed.wait(min(wait, _HOLD) if self._fast else wait)
            now = monotonic()
            self._flush_held(now)
            if now >= next_tick:
                next_tick = now + _TICK
                self._tick_all(now)

    def _flush_held(self, now: float) -> None:
        """Flush what has been held for long enough."""
        self._fast = max(self._fast - 1, 0)
        while self._held:
            link = self._held[0]
            if link.flush_at is not None and link.flush_at > now:
                self._fast = max(self._fast, 1)
                return
            self._held.popleft()
            if link.flush_at is not None:
                self._guarded(link, link.flush)

    def _tick_all(self, now: float) -> None:
        """Keep the time of every link, read where nobody does, and forget what is over."""
        with self._changed:
            links = list(self._links)
        unread: list[Link] = []
        for link in links:
            self._guarded(link, partial(link.keep_time, now))
            if link.count_tick():
                unread.append(link)
            if link.released:
                with self._changed:
                    self._links.discard(link)
        with self._changed:
            self._idle = 0 if self._links else self._idle + 1
        self._read_unread(unread, now)

    def _read_unread(self, links: list[Link], now: float) -> None:
        """Read links in turn, for a share of the tick: what many peers send must not delay the timers."""
        self._turn = self._turn % len(links) if links else 0
        for link in links[self._turn :] + links[: self._turn]:
            if monotonic() - now > _READ_SHARE:
                return
            self._turn += 1
            self._guarded(link, link.read_if_nobody_does)

    def _guarded(self, link: Link, act: Callable[[], None]) -> None:
        """Do something for link; one that is broken must not stop the clock of the others."""
        try:
            act()
        except Exception:
            _log.exception("a session could not be kept: it is aborted")
            link.abort()

    def _stay(self) -> bool:
        """Tell whether to go on: yes while there are links, and for a while after."""
        with self._changed:
            self._running = self._idle <= _IDLE_TICKS
            return self._running


housekeeper = Housekeeper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=housekeeper.forget)
