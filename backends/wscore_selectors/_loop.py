"""The loop: waits for sockets and for time, in one thread, and tells those who asked.

A *turn* goes: wait; tell those whose sockets are ready; make the calls of the timers that are due; make those
that other threads asked for; pump the links that somebody has touched. So whatever one turn has queued for a
connection leaves in one write. What is queued between turns, by a foreign loop, leaves at once, and a byte in
the loop's own pair of sockets makes sure that another turn comes soon: a foreign loop needs to watch nothing
but `fileno` and `next_deadline`.
"""

import logging
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic
from typing import Any, Final, Protocol

from ._signals import heed
from ._timers import TimerHandle, Timers

try:
    from select import EPOLLIN, EPOLLOUT, epoll
except ImportError:  # not Linux
    epoll = None  # type: ignore[assignment,misc]

log = logging.getLogger("wscore_selectors")

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

_READY_AT_ONCE: Final = 256
_LONGEST: Final = 86_400.0  # seconds to wait at a time: kernels count milliseconds in 32 bits


class Failing(Protocol):
    """Whoever the loop calls."""

    def fail(self) -> None:
        """Give up: it has raised what it should not."""


class Watcher(Failing, Protocol):
    """Whoever waits for a socket."""

    def ready(self, events: int) -> None:
        """Act: the socket can be read from or written to."""


class Pumped(Failing, Protocol):
    """Whoever wants to do the rest of its work when the others had their turn.

    Attributes:
        queued: it is in the queue; the loop's to set.
    """

    queued: bool

    def pump(self) -> None:
        """Do it."""


class Loop:
    """Sockets, timers and calls; everything but `call_soon_threadsafe` and `stop` belongs to one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._pumps: deque[Pumped] = deque()
        self._waker = _Waker()
        self._stopping = False
        self._closed = False
        self.in_turn = False
        self._epoll = _epoll_of(self._selector)
        self._watchers: dict[int, Watcher] = {}
        self.watch(self._waker.receiver, READ, self._waker)

    # Turns.

    def run(self) -> None:
        """Take turns until `stop` is called; then the loop can run again.

        Raises:
            RuntimeError: it is running, or closed.
        """
        try:
            while not self._stopping:
                self.run_once()
        finally:
            self._stopping = False

    def run_once(self, timeout: float | None = None) -> None:
        """Take one turn.

        Args:
            timeout: seconds to wait for something to do; 0: none at all; None: as long as it takes.

        Raises:
            RuntimeError: it is running, or closed.
        """
        if self.in_turn or self._closed:
            raise RuntimeError("the reactor is closed" if self._closed else "the reactor runs already")
        heed()  # what a handler asks for is asked for before the wait
        self.in_turn = True
        try:
            for fd, events in self._wait(self._patience(timeout)):
                watcher = self._watchers.get(fd)
                if watcher is None:
                    continue  # it was closed in this very turn
                try:
                    watcher.ready(events if events == READ else self._meaning(fd, events))
                except Exception:
                    self._give_up(watcher)
            if self._timers.earliest <= monotonic():
                self._make_timed_calls()
            if self._calls:
                self._make_calls()
            if self._pumps:
                self._pump_all()
        finally:
            self.in_turn = False

    def stop(self) -> None:
        """Let `run` return after this turn; any thread may call it."""
        self._stopping = True
        self._waker.wake()

    def _patience(self, timeout: float | None) -> float | None:
        """Return how long to wait."""
        if self._calls or self._pumps:
            return 0.0
        earliest = self._timers.earliest
        if earliest == inf:
            return timeout if timeout is None else min(timeout, _LONGEST)
        left = min(max(earliest - monotonic(), 0.0), _LONGEST)
        return left if timeout is None else min(left, timeout)

    def _wait(self, timeout: float | None) -> Iterable[tuple[int, int]]:
        """Wait until sockets are ready: which, and for what; see `_meaning`."""
        if self._epoll is not None:
            return self._epoll.poll(timeout, _READY_AT_ONCE)
        return [(key.fd, events) for key, events in self._selector.select(timeout)]

    def _meaning(self, fd: int, events: int) -> int:
        """Return what events mean: epoll has bits of its own, and tells of errors nobody asked for."""
        if self._epoll is None:
            return events
        meant = (READ if events & ~EPOLLOUT else 0) | (WRITE if events & ~EPOLLIN else 0)
        return meant & self._selector.get_key(fd).events

    def _make_timed_calls(self) -> None:
        """Make the calls whose moment has come; those that they set come in the next turn."""
        now = monotonic()
        for _ in range(len(self._timers)):
            handle = self._timers.due(now)
            if handle is None:
                return
            self._guarded(handle.make)
        self._timers.next_deadline()  # lets go of the last one

    def _make_calls(self) -> None:
        """Make the calls that were asked for up to now."""
        for _ in range(len(self._calls)):
            self._guarded(self._make_call)

    def _make_call(self) -> None:
        """Make one call."""
        function, arguments = self._calls[0]
        del self._calls[0]  # popleft() is a call: an interrupt as it returns would lose what it takes
        function(*arguments)

    def _pump_all(self) -> None:
        """Pump those that wait; those that ask for it meanwhile come in the next turn."""
        for _ in range(len(self._pumps)):
            each = self._pumps[0]
            each.queued = False
            del self._pumps[0]  # as in `_make_call`
            try:
                each.pump()
            except Exception:
                self._give_up(each)
            except BaseException:
                self.pump_soon(each)  # a program that goes on finds the rest done
                raise

    def _give_up(self, whom: Failing) -> None:
        """A fault of this library, here in an exception's hands: it must not take the others along."""
        log.exception("a connection is aborted")
        whom.fail()

    def _guarded(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception:
            log.exception("a call raised")

    # Asking for turns.

    def call_soon_threadsafe(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call function in the next turn; any thread may ask for that, and a signal handler.

        Raises:
            RuntimeError: the loop is closed.
        """
        if self._closed:
            raise RuntimeError("the loop is closed")
        self._calls.append((function, arguments))
        self._waker.wake()

    def call_later(self, delay: float, function: Callable[..., object], *arguments: Any) -> TimerHandle:
        """Call function after so many seconds."""
        return self.call_at(monotonic() + delay, function, *arguments)

    def call_at(self, when: float, function: Callable[..., object], *arguments: Any) -> TimerHandle:
        """Call function at a moment, as `time.monotonic` counts."""
        if not self.in_turn:
            self._waker.wake()  # a foreign loop should ask for the deadline again
        return self._timers.add(when, function, arguments)

    def pump_soon(self, pumped: Pumped) -> None:
        """Pump when all others had their turn; once, however often it is asked for."""
        if not pumped.queued:
            self._pumps.append(pumped)
            pumped.queued = True  # after that: twice in the queue is harmless, and never would not be
            if not self.in_turn:
                self._waker.wake()

    def watch(self, sock: socket.socket, events: int, watcher: Watcher, *, before: int = 0) -> None:
        """Tell watcher when a socket is ready.

        Args:
            sock: which.
            events: for what; 0: do not watch any more.
            watcher: whom to tell.
            before: what was asked for until now; 0: it was not watched.
        """
        if not before:
            self._watchers[self._selector.register(sock, events).fd] = watcher
        elif not events:
            del self._watchers[self._selector.unregister(sock).fd]
        else:
            self._selector.modify(sock, events)

    # Inside a foreign loop.

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to do: then call ``run_once(0)``.

        Raises:
            OSError: this system has none; see `wants`.
        """
        fileno = getattr(self._selector, "fileno", None)
        if fileno is None:
            raise OSError("the selector of this system has no descriptor: watch what wants() gives")
        number: int = fileno()
        return number

    def wants(self) -> dict[int, int]:
        """Return which descriptors to watch, for what (``selectors.EVENT_READ``, ``EVENT_WRITE``).

        For foreign loops that cannot watch `fileno`. Ask anew before each wait; when one is ready, call
        ``run_once(0)``.
        """
        return {key.fd: key.events for key in self._selector.get_map().values()}

    def next_deadline(self) -> float | None:
        """Return when to call ``run_once(0)`` at the latest, as `time.monotonic` counts; None: never."""
        return monotonic() if self._calls or self._pumps else self._timers.next_deadline()

    def release(self) -> None:
        """Give the loop's own descriptors back; nothing works after that."""
        self._closed = True
        if self._epoll is not None:
            self._epoll.close()
        self._selector.close()
        self._watchers.clear()
        self._waker.close()
        self._calls.clear()
        self._pumps.clear()


def _epoll_of(selector: selectors.BaseSelector) -> "epoll | None":
    """Return what waits for the same sockets without a selector's cost for each that is ready."""
    if epoll is None or not isinstance(selector, selectors.EpollSelector):
        return None
    return epoll.fromfd(os.dup(selector.fileno()))  # it closes its descriptor on its own


class _Waker:
    """A pair of sockets that ends a wait."""

    def __init__(self) -> None:
        self.receiver, self.sender = socket.socketpair()
        self.receiver.setblocking(False)
        self.sender.setblocking(False)
        self._awake = False  # a byte is on its way: no more are needed

    def wake(self) -> None:
        if not self._awake:
            self._awake = True
            try:
                self.sender.send(b"\0")
            except OSError:
                pass  # full: it wakes anyway; closed: nobody waits
            except BaseException:
                self._awake = False  # an interrupt: perhaps no byte is on its way
                raise

    def ready(self, events: int) -> None:
        try:
            self.receiver.recv(4096)
        except OSError:
            pass  # there was nothing
        finally:
            self._awake = False  # before anybody looks at what there is to do

    def fail(self) -> None:
        """Nothing depends on it."""

    def close(self) -> None:
        self.receiver.close()
        self.sender.close()
