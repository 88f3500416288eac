"""What the servers of `support.server_program` do with their connections, the same for every backend.

All are endpoints with plain hooks that never wait by themselves, so that one class serves threads, asyncio and
a reactor alike; only `late` and `Busy` need a way of waiting that is the backend's own. A service counts what
it saw in `Tally`, from any thread.
"""

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, final

from wscore import CloseError, Endpoint, Handler
from wscore._typing import override

from .measure import KIB, MIB

BLOCK: Final = b"x" * 64 * KIB
LAST: Final = b"y" * 8 * MIB
WORK: Final = 0.7  # seconds that "work" takes

Broadcast = Callable[[str | bytes], object]


@final
class Tally:
    """What the services of this process saw.

    Attributes:
        closes: how often ``on_close`` came with each code.
        finished: handlers that did all their work.
        released: set when `Hoard` and `late` are to begin taking messages.
    """

    def __init__(self) -> None:
        self.closes: Counter[int] = Counter()
        self.finished = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    def close(self, code: int) -> None:
        with self._lock:
            self.closes[code] += 1

    def finish(self) -> None:
        with self._lock:
            self.finished += 1


class Service(Endpoint):
    """Counts how its connections end."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self.tally.close(int(code))


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

    def __init__(self, tally: Tally, broadcast: Broadcast) -> None:
        super().__init__(tally)
        self._broadcast = broadcast

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self._broadcast(message)


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

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._digest = Digest()

    @override
    def on_connect(self, session: Any) -> None:
        session.suspend()

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        answer = self._digest.answer(message)
        if answer is not None:
            session.send(answer)


def late_function(backend: str, tally: Tally) -> Handler:
    """Return a function of the session which receives nothing before it is released."""

    def late(session: Any) -> None:
        digest = Digest()
        tally.released.wait()
        for message in session:
            if answer := digest.answer(message):
                session.send(answer)

    async def late_awaiting(session: Any) -> None:
        digest = Digest()
        while not tally.released.is_set():
            await asyncio.sleep(0.01)
        async for message in session:
            if answer := digest.answer(message):
                await session.send(answer)

    return late if backend == "threading" else late_awaiting


@final
class Busy(Service):
    """Works for a while when it is told to; for a thread of its own."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send("at work")
        threading.Event().wait(WORK)
        self.tally.finish()


@final
class BusyAwaiting(Service):
    """The same for a task of its own."""

    @override
    async def on_message(self, session: Any, message: str | bytes) -> None:
        await session.send("at work")
        await asyncio.sleep(WORK)
        self.tally.finish()


def make_service(name: str, backend: str, tally: Tally, sessions: Callable[[], list[Any]]) -> Handler:
    """Return the handler of that name; sessions: gives those of the server."""
    module = import_module(module_of(backend))
    makers: dict[str, Callable[[], Endpoint]] = {
        "echo": lambda: Echo(tally),
        "pour": lambda: Pour(tally),
        "last": lambda: Last(tally),
        "room": lambda: Room(tally, lambda message: module.broadcast(sessions(), message)),
        "hoard": lambda: Hoard(tally),
        "busy": lambda: Busy(tally) if backend == "threading" else BusyAwaiting(tally),
    }
    return late_function(backend, tally) if name == "late" else _of_each(makers[name])


def _of_each(make: Callable[[], Endpoint]) -> Handler:
    """Let every connection have an endpoint of its own, of a class: factories hear of more events."""
    sample = make()

    def new(cls: type[Endpoint]) -> Endpoint:
        return make()

    # A class whose instances make() makes; wscore looks at the hooks of the class.
    return type(type(sample).__name__, (type(sample),), {"__new__": new, "__init__": _nothing})


def _nothing(*_: object) -> None:
    """The instance is complete already."""


def module_of(backend: str) -> str:
    """Return the name of a backend's module."""
    return "wscore_asyncio" if backend in ("asyncio", "uvloop") else f"wscore_{backend}"
