"""What the servers of `support.server_program` do with their connections, the same for every backend.

All are endpoints with plain hooks that never wait by themselves, so that one class serves threads, asyncio
and a reactor alike; only `late` and `Busy` need a way of waiting that is the backend's own. A process has one
service; what it saw is in `TALLY`.
"""

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, final

from wscore import CloseError, Endpoint, Handler
from wscore._typing import override

from .measure import KIB, MIB

BLOCK: Final = b"x" * 64 * KIB
LAST: Final = b"y" * 8 * MIB


@final
class Tally:
    """What the services of this process saw.

    Attributes:
        closes: how often ``on_close`` came with each code.
        finished: handlers that did all their work.
        released: set when `late` is to begin taking messages.
        sessions: gives the sessions of the server.
        broadcast: the backend's.
    """

    def __init__(self) -> None:
        self.closes: Counter[int] = Counter()
        self.finished = 0
        self.released = threading.Event()
        self.sessions: Callable[[], list[Any]] = list
        self.broadcast: Callable[..., object] = print
        self._lock = threading.Lock()

    def close(self, code: int) -> None:
        with self._lock:
            self.closes[code] += 1

    def finish(self) -> None:
        with self._lock:
            self.finished += 1

    def summary(self) -> dict[str, Any]:
        """Return the counters, for JSON."""
        return {
            "closes": {str(code): number for code, number in self.closes.items()},
            "finished": self.finished,
        }


TALLY: Final = Tally()


class Service(Endpoint):
    """Counts how its connections end."""

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        TALLY.close(int(code))


@final
class Echo(Service):
    """Sends everything back."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(message)


@final
class Pour(Service):
    """Sends without end, as long as there is room."""

    @override
    def on_connect(self, session: Any) -> None:
        self.on_writable(session)

    def on_writable(self, session: Any) -> None:
        while session.buffered_amount <= len(BLOCK):
            session.send(BLOCK)


@final
class Last(Service):
    """Sends a big message on request, and closes right behind it."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(LAST)
        raise CloseError(1000)


@final
class Room(Service):
    """Sends each message to everybody."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        TALLY.broadcast(TALLY.sessions(), message)


@final
class Digest:
    """Answers "sum" with the digest of all messages before."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def answer(self, message: str | bytes) -> str | None:
        if message == "sum":
            return self._digest.hexdigest()
        assert isinstance(message, bytes)
        self._digest.update(message)
        return None


@final
class Hoard(Service):
    """Takes nothing before it is released: its sessions are suspended."""

    def __init__(self) -> None:
        self._digest = Digest()

    @override
    def on_connect(self, session: Any) -> None:
        session.suspend()

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        answer = self._digest.answer(message)
        if answer is not None:
            session.send(answer)


def late(session: Any) -> None:
    """Receive nothing before it is released."""
    digest = Digest()
    TALLY.released.wait()
    for message in session:
        if answer := digest.answer(message):
            session.send(answer)


async def late_awaiting(session: Any) -> None:
    """Receive nothing before it is released."""
    digest = Digest()
    while not TALLY.released.is_set():
        await asyncio.sleep(0.01)
    async for message in session:
        if answer := digest.answer(message):
            await session.send(answer)


@final
class Busy(Service):
    """Works for as many seconds as it is told; for a thread of its own."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send("at work")
        session.flush()
        threading.Event().wait(float(message))
        TALLY.finish()


@final
class BusyAwaiting(Service):
    """The same for a task of its own."""

    @override
    async def on_message(self, session: Any, message: str | bytes) -> None:
        await session.send("at work")
        await asyncio.sleep(float(message))
        TALLY.finish()


_SERVICES: Final[dict[str, Handler]] = {
    "echo": Echo,
    "pour": Pour,
    "last": Last,
    "room": Room,
    "hoard": Hoard,
}


def service(name: str, backend: str) -> Handler:
    """Return the handler of that name."""
    blocks = backend == "threading"
    if name == "late":
        return late if blocks else late_awaiting
    if name == "busy":
        return Busy if blocks else BusyAwaiting
    return _SERVICES[name]
