"""One way to use every backend from a test: a `Driver` with `serve` and `connect` that block.

Endpoints serve both sides, for they are what every backend takes. What a backend does in a loop happens in a
thread that belongs to the driver; a test reaches it through `Driver.run`. Nothing is said here about how a
session waits: that is tested elsewhere. Arguments go to the backend as they are::

    with driver.serve(Echo, hosts=["here.example"]) as server, driver.connect(url) as client:
        client.send("hello")
        assert client.recv() == "hello"
"""

import asyncio
import functools
import queue
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

import wscore_asyncio
import wscore_selectors
import wscore_threading
from wscore import Endpoint
from wscore._typing import override

from .eventually import PATIENCE, eventually

T = TypeVar("T")

Message = str | bytes


class Echo(Endpoint):
    """Sends everything back."""

    @override
    def on_message(self, session: Any, message: Message) -> None:
        session.send(message)


@final
class _Talker(Endpoint):
    """The client's end: keeps what comes until the test asks for it."""

    def __init__(self) -> None:
        self.opened: Future[Any] = Future()
        self.messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()  # None: there are no more
        self.over = threading.Event()

    @override
    def on_connect(self, session: Any) -> None:
        self.opened.set_result(session)

    @override
    def on_message(self, session: Any, message: Message) -> None:
        self.messages.put(message)

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self.messages.put(None)
        self.over.set()


@final
class Client:
    """An open session of a client; leave it to close it.

    Attributes:
        session: the backend's own; what only reads may be used as it is.
    """

    def __init__(self, driver: "Driver", talker: _Talker) -> None:
        self._driver = driver
        self._talker = talker
        self.session: Any = talker.opened.result(PATIENCE)

    def send(self, message: Message) -> None:
        """Send a message."""
        self._driver.run(lambda: self.session.send(message))

    def recv(self) -> Message | None:
        """Wait for the next message; None: the connection has ended."""
        return self._talker.messages.get(timeout=PATIENCE)

    def wait_a_moment(self, seconds: float) -> bool:
        """Let time pass; True if the connection has ended by then."""
        return self._talker.over.wait(seconds)

    def ask(self, message: Message) -> Message | None:
        """Send a message and wait for the next one."""
        self.send(message)
        return self.recv()

    def wait_until_over(self) -> int:
        """Wait until the connection has ended, and return the code."""
        assert self._talker.over.wait(PATIENCE)
        code: int = self.session.closed.code
        return code

    def close(self) -> None:
        """Close, and wait until it is over."""
        self._driver.close_session(self.session)
        self.wait_until_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Driver(ABC):
    """A backend, and the thread that it needs.

    Attributes:
        waits_for_room: connections over the limit wait in the backlog; otherwise they get 503.
    """

    waits_for_room = False

    @abstractmethod
    def run(self, call: Callable[[], T]) -> T:
        """Call something where sessions may be used."""

    @abstractmethod
    def start_server(self, handler: Any, /, *arguments: Any, **options: Any) -> Any:
        """Call the backend's serve."""

    @abstractmethod
    def stop_server(self, server: Any) -> None:
        """Shut a server down, and wait until it is."""

    @abstractmethod
    def open_session(self, talker: _Talker, url: str, /, **options: Any) -> None:
        """Call the backend's connect, and wait until the session is open."""

    @abstractmethod
    def close_session(self, session: Any) -> None:
        """Begin to close a session."""

    @abstractmethod
    def close(self) -> None:
        """End the thread, which must have nothing left to do."""

    def look_up_like_the_others(self) -> None:  # noqa: B027
        """Look up names with `socket.getaddrinfo`, so that a test can replace that."""

    def forget_the_systems_trust(self) -> None:  # noqa: B027
        """Read anew whom the system trusts, when the next client wants to know."""

    @contextmanager
    def serve(
        self, handler: Any = Echo, host: Any = "127.0.0.1", port: int = 0, **options: Any
    ) -> Iterator[Any]:
        """Run a server; options as the backend takes them."""
        server = self.start_server(handler, host, port, **options)
        try:
            yield server
        finally:
            self.stop_server(server)

    def connect(self, url: str, **options: Any) -> Client:
        """Open a session; options as the backend takes them."""
        talker = _Talker()
        self.open_session(talker, url, **options)
        return Client(self, talker)


@final
class ThreadingDriver(Driver):
    """wscore_threading, which needs no thread of the driver's."""

    waits_for_room = True

    @override
    def run(self, call: Callable[[], T]) -> T:
        return call()

    @override
    def start_server(self, handler: Any, /, *arguments: Any, **options: Any) -> Any:
        return wscore_threading.serve(handler, *arguments, **options)

    @override
    def stop_server(self, server: Any) -> None:
        server.shutdown()

    @override
    def open_session(self, talker: _Talker, url: str, /, **options: Any) -> None:
        wscore_threading.connect(url, talker, **options)

    @override
    def close_session(self, session: Any) -> None:
        session.close()

    @override
    def close(self) -> None:
        pass


@final
class AsyncioDriver(Driver):
    """wscore_asyncio on an event loop.

    Args:
        make_loop: makes it.
    """

    def __init__(self, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.loop = make_loop()
        self._thread = threading.Thread(target=self._turn, name="test-loop", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    @override
    def run(self, call: Callable[[], T]) -> T:
        async def run() -> T:
            return call()

        return self._await(run())

    @override
    def start_server(self, handler: Any, /, *arguments: Any, **options: Any) -> Any:
        async def start() -> Any:
            return await wscore_asyncio.serve(handler, *arguments, **options)

        return self._await(start())

    @override
    def stop_server(self, server: Any) -> None:
        self._await(server.shutdown())

    @override
    def open_session(self, talker: _Talker, url: str, /, **options: Any) -> None:
        async def open_session() -> None:
            await wscore_asyncio.connect(url, talker, **options)

        self._await(open_session())

    @override
    def close_session(self, session: Any) -> None:
        self._await(session.close())

    @override
    def look_up_like_the_others(self) -> None:  # uvloop has a way of its own
        async def look_up(host: Any, port: Any, **options: Any) -> Any:
            return await self.loop.run_in_executor(
                None, functools.partial(socket.getaddrinfo, host, port, **options)
            )

        self.loop.getaddrinfo = look_up  # type: ignore[method-assign]

    @override
    def close(self) -> None:
        async def finish() -> None:
            await self.loop.shutdown_default_executor()

        eventually(lambda: self.run(lambda: len(asyncio.all_tasks(self.loop))) == 1)
        self._await(finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


@final
class SelectorsDriver(Driver):
    """wscore_selectors in a reactor."""

    @override
    def forget_the_systems_trust(self) -> None:
        from wscore_selectors import _client

        _client._trusting_the_system.cache_clear()

    def __init__(self) -> None:
        self._reactor = wscore_selectors.Reactor()
        self._thread = threading.Thread(target=self._reactor.run, name="test-reactor", daemon=True)
        self._thread.start()

    @override
    def run(self, call: Callable[[], T]) -> T:
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(call())
            except BaseException as error:
                outcome.set_exception(error)

        self._reactor.call_soon_threadsafe(run)
        return outcome.result(PATIENCE)

    @override
    def start_server(self, handler: Any, /, *arguments: Any, **options: Any) -> Any:
        return self.run(lambda: self._reactor.serve(handler, *arguments, **options))

    @override
    def stop_server(self, server: Any) -> None:
        self.run(server.shutdown)
        eventually(lambda: server.closed)

    @override
    def open_session(self, talker: _Talker, url: str, /, **options: Any) -> None:
        failed = talker.opened.set_exception
        self.run(lambda: self._reactor.connect(url, talker, on_failure=failed, **options))
        talker.opened.result(PATIENCE)

    @override
    def close_session(self, session: Any) -> None:
        self.run(session.close)

    @override
    def close(self) -> None:
        eventually(lambda: self.run(lambda: self._reactor.idle))
        self._reactor.call_soon_threadsafe(self._reactor.stop)
        self._thread.join(PATIENCE)
        self._reactor.close()


def _make_uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


DRIVERS: Final[dict[str, Callable[[], Driver]]] = {
    "threading": ThreadingDriver,
    "asyncio": lambda: AsyncioDriver(asyncio.new_event_loop),
    "uvloop": lambda: AsyncioDriver(_make_uvloop),
    "selectors": SelectorsDriver,
}
