"""The load generator: it keeps messages in flight on many connections, and counts what comes back.

It must never be the bottleneck. So it is one loop over epoll on bare sockets, which sends ready-made blocks
and reads into one buffer: a block costs it about two system calls, however many messages are in it. Its own
processor time is measured as well: `Tally.load` near 1 says that a rate was limited here and not by the
contestant. What the contestant's processor time says stays true even then.
"""

import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, final

from benchmarks.lanes import Lane

_STALLED: Final = 20.0  # seconds without any event
_BUFFER: Final = 256 * 1024


class Stalled(Exception):
    """A contestant has stopped answering."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has moved.

    Attributes:
        blocks: that have come back completely.
        elapsed: seconds.
        cpu: seconds of the contestant's processor time.
        load: the generator's processor time over the elapsed time.
    """

    blocks: int
    elapsed: float
    cpu: float
    load: float


@final
class Watch:
    """Measures from now on.

    Args:
        cpu: returns the contestant's processor time so far, in seconds.
    """

    def __init__(self, cpu: Callable[[], float]) -> None:
        self._cpu = cpu
        self._used, self._own, self._begun = cpu(), time.process_time(), perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since then."""
        return perf_counter() - self._begun

    def tally(self, blocks: int) -> Tally:
        """Return what was measured while so many blocks went and came."""
        elapsed = self.elapsed
        return Tally(blocks, elapsed, self._cpu() - self._used, (time.process_time() - self._own) / elapsed)


@final
class Load:
    """Runs blocks over lanes.

    Args:
        lanes: the connections.
        cpu: returns the contestant's processor time so far, in seconds.
    """

    def __init__(self, lanes: Iterable[Lane], cpu: Callable[[], float]) -> None:
        self._lanes = {lane.sock.fileno(): lane for lane in lanes}
        self._cpu = cpu
        self._epoll = select.epoll()
        self._buffer = bytearray(_BUFFER)
        for fd, lane in self._lanes.items():
            lane.sock.setblocking(False)
            self._epoll.register(fd, select.EPOLLIN)

    def close(self) -> None:
        """Close all connections."""
        for lane in self._lanes.values():
            lane.sock.close()
        self._epoll.close()

    def run(self, seconds: float, at_least: int = 1) -> Tally:
        """Keep every lane busy for a while; then let what is in flight come back.

        Args:
            seconds: how long.
            at_least: blocks to wait for on each lane on average, however long that takes.
        """
        least = at_least * len(self._lanes)
        watch = Watch(self._cpu)
        for fd, lane in self._lanes.items():
            self._begin(fd, lane)
        blocks = 0
        while watch.elapsed < seconds or blocks < least:
            for fd in self._ready():
                blocks += 1
                self._begin(fd, self._lanes[fd])
        tally = watch.tally(blocks)
        self.settle()
        return tally

    def settle(self) -> None:
        """Wait until nothing is in flight."""
        flying = sum(1 for lane in self._lanes.values() if lane.missing)
        while flying:
            flying -= len(self._ready())

    def kick(self) -> None:
        """Send one block on the first lane, and expect one on every lane."""
        lanes = iter(self._lanes.items())
        fd, first = next(lanes)
        for _, lane in lanes:
            lane.await_one()
        self._begin(fd, first)

    def _begin(self, fd: int, lane: Lane) -> None:
        if not lane.begin():
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT)

    def _ready(self) -> list[int]:
        """Let one turn of events happen; return the lanes on which nothing is missing any more."""
        ready: list[int] = []
        lanes, buffer = self._lanes, self._buffer
        turn = self._epoll.poll(_STALLED)
        if not turn:
            raise Stalled(f"nothing happened for {_STALLED:.0f} s")
        for fd, what in turn:
            lane = lanes[fd]
            if what & select.EPOLLOUT and lane.go_on():
                self._epoll.modify(fd, select.EPOLLIN)
            if what & ~select.EPOLLOUT:
                size = lane.sock.recv_into(buffer)
                if not size:
                    raise ConnectionError("the contestant has closed a connection")
                if lane.take(buffer, size):
                    ready.append(fd)
        return ready
