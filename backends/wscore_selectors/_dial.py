"""Connecting to one of several addresses, in the loop: Happy Eyeballs as `wscore.policy.DialPlan` decides.

The first attempt begins in the next turn at the earliest, so that whoever dials has its result later in any
case.
"""

import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, final

from wscore.policy import DialPlan
from wscore_sockets import begin_connecting, finish_connecting

from ._loop import WRITE, Loop
from ._timers import TimerHandle

Found = tuple[int, int, int, str, Any]


@final
class Dial:
    """Attempts to connect.

    Args:
        loop: what it waits with.
        places: in the order in which they are tried.
        local_address: host and port to connect from; None: the system chooses.
        done: gets the connected socket, or the error; called once unless it is cancelled.
    """

    def __init__(
        self,
        loop: Loop,
        places: Sequence[Found],
        local_address: tuple[str, int] | None,
        done: Callable[[socket.socket | None, Exception | None], object],
    ) -> None:
        self._loop = loop
        self._places = places
        self._local_address = local_address
        self._done = done
        self._plan = DialPlan(len(places), now=monotonic())
        self._attempts: dict[int, _Attempt] = {}
        self._timer: TimerHandle = loop.call_at(monotonic(), self._go_on)

    def cancel(self) -> None:
        """Give up what is under way; harmless at any time."""
        self._timer.cancel()
        for attempt in self._attempts.values():
            attempt.close()
        self._attempts.clear()

    def end(self, index: int, sock: socket.socket) -> None:
        """An attempt has ended: look how."""
        del self._attempts[index]
        try:
            finish_connecting(sock)
        except OSError as error:
            sock.close()
            self._plan.failed(index, error, monotonic())
            self._go_on()
        else:
            self._plan.connected(index, monotonic())
            self.cancel()
            self._done(sock, None)

    def _go_on(self) -> None:
        """Begin every attempt that is due."""
        plan = self._plan
        while (index := plan.next_attempt(monotonic())) is not None:
            try:
                sock = begin_connecting(self._places[index], self._local_address)
            except OSError as error:
                plan.failed(index, error, monotonic())
            else:
                self._attempts[index] = _Attempt(self, self._loop, index, sock)
        self._timer.cancel()
        deadline = plan.next_deadline()
        if plan.over:
            self._done(None, plan.failure([_name(place[4]) for place in self._places]))
        elif deadline is not None:
            self._timer = self._loop.call_at(deadline, self._go_on)


@final
class _Attempt:
    """A socket that is connecting."""

    def __init__(self, dial: Dial, loop: Loop, index: int, sock: socket.socket) -> None:
        self._dial = dial
        self._loop = loop
        self._index = index
        self._socket = sock
        loop.watch(sock, WRITE, self)

    def ready(self, events: int) -> None:
        """It is connected, or has failed."""
        if self._socket.fileno() >= 0:  # it was not given up in this very turn
            self._loop.watch(self._socket, 0, self, before=WRITE)
            self._dial.end(self._index, self._socket)

    def fail(self) -> None:
        """Nobody else depends on it."""

    def close(self) -> None:
        self._loop.watch(self._socket, 0, self, before=WRITE)
        self._socket.close()


def _name(place: Any) -> str:
    return f"{place[0]} port {place[1]}" if isinstance(place, tuple) else str(place)
