"""The asyncio backend as a `Driver`: a loop in a thread of its own, on which every call is awaited.

The loop runs for all tests. What nobody waits for, such as an exception in a callback, is kept by the loop's
exception handler and fails the test that caused it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar, final

import wscore_asyncio
from support.eventually import PATIENCE
from wscore import Fragment, Handler, PreparedMessage, Request
from wscore._typing import override

from .facade import LOOK_EVERY, Driver, Facade, Kept, Part, ProcessRequest, Served, Serving, url_of

T = TypeVar("T")

_SCRIPTS_AT_ONCE: Final = 64  # more than any test has
_LONG: Final = 3 * PATIENCE  # more than any call that has its own timeout takes


@final
class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._factory = factory
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="conformance-loop")
        self._complaints: list[str] = []
        self.loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Start it, and wait until it runs."""
        self._thread.start()
        assert self._started.wait(PATIENCE)

    def stop(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._factory) as runner:
            runner.run(self._stay())

    async def _stay(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_default_executor(ThreadPoolExecutor(_SCRIPTS_AT_ONCE))
        self.loop.set_exception_handler(lambda _, context: self._complaints.append(str(context)))
        self._stop = asyncio.Event()
        self._started.set()
        await self._stop.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run coroutine in the loop, from any other thread, and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_LONG)

    def call(self, function: Callable[[], T]) -> T:
        """Call a plain function in the loop."""

        async def called() -> T:
            return function()

        return self.run(called())

    def tasks(self) -> list[str]:
        """Return the tasks that are not this class's own."""
        mine = {"_stay", "called"}
        tasks = self.call(lambda: asyncio.all_tasks(self.loop))
        coroutines = (task.get_coro() for task in tasks if not task.done())
        names = [getattr(coroutine, "__name__", repr(coroutine)) for coroutine in coroutines]
        return [name for name in names if name not in mine]

    def complaints(self) -> list[str]:
        """Return and forget what the loop's exception handler was told."""
        found, self._complaints = self._complaints, []
        return found


@final
class AsyncioFacade(Facade):
    """A session of the asyncio backend."""

    def __init__(self, native: wscore_asyncio.Session, loop: LoopThread) -> None:
        super().__init__(native)
        self._loop = loop

    @override
    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        async def send() -> None:
            await self.native.send(message, compress=compress)

        self._loop.run(send())

    @override
    def send_fragments(self, parts: Iterable[Part]) -> None:
        # Parts of a test may block; one that is no iterable of parts goes to the backend as it is.
        given = parts if isinstance(parts, str | bytes) else _each(iter(parts))
        self._loop.run(self.native.send_fragments(given))

    @override
    def recv(self, timeout: float = PATIENCE) -> str | bytes:
        message: str | bytes = self._loop.run(_within(timeout, self.native.recv))
        return message

    @override
    def recv_fragment(self, timeout: float = PATIENCE) -> Fragment:
        fragment: Fragment = self._loop.run(_within(timeout, self.native.recv_fragment))
        return fragment

    @override
    def rest(self) -> list[str | bytes]:
        async def iterate() -> list[str | bytes]:
            return [message async for message in self.native]

        return self._loop.run(iterate())

    @override
    def ping(self, payload: bytes | None = None, timeout: float = PATIENCE) -> float:
        seconds: float = self._loop.run(self.native.ping(payload, timeout))
        return seconds

    @override
    def flush(self) -> None:
        self._loop.call(self.native.flush)

    @override
    def close(self, code: int = 1000, reason: str = "", *, wait: bool = True) -> None:
        self._loop.run(self.native.close(code, reason, wait=wait))

    @override
    def abort(self) -> None:
        self._loop.call(self.native.abort)


async def _within(timeout: float, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async with asyncio.timeout(timeout):
        return await call()


async def _each(parts: Iterator[Part]) -> AsyncIterator[Part]:
    """Take parts one by one, each in a thread."""
    loop = asyncio.get_running_loop()
    while (part := await loop.run_in_executor(None, next, parts, None)) is not None:
        yield part


@final
class AsyncioServed(Served):
    """A running server of the asyncio backend."""

    def __init__(self, native: wscore_asyncio.Server, serving: Serving, kept: Kept, loop: LoopThread) -> None:
        self._native = native
        self._kept = kept
        self._loop = loop
        self.port = native.port
        self.url = url_of(native.port, serving.ssl)

    @override
    def accept(self, client: Any = None) -> Facade:
        return self._kept.take(client)

    @property
    @override
    def sessions(self) -> list[Any]:
        return self._loop.call(lambda: list(self._native.sessions))

    @override
    def shutdown(self, code: int = 1001, reason: str = "", *, timeout: float = 10.0) -> None:
        self._loop.run(self._native.shutdown(code, reason, timeout=timeout))


@final
class AsyncioDriver(Driver):
    """wscore_asyncio, on any loop that asyncio can be made to run."""

    def __init__(self, name: str, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.name = name
        self._loop = LoopThread(factory)

    @override
    def start(self) -> None:
        self._loop.start()

    @override
    def stop(self) -> None:
        self._loop.stop()

    @override
    @contextmanager
    def serve(self, serving: Serving) -> Iterator[Served]:
        kept = Kept()
        done = self._loop.call(asyncio.Event)
        native = self._loop.run(self._start(serving, kept, done))
        try:
            yield AsyncioServed(native, serving, kept, self._loop)
        finally:
            kept.abort_all()
            self._loop.call(done.set)
            self._loop.run(native.shutdown())

    async def _start(self, serving: Serving, kept: Kept, done: asyncio.Event) -> wscore_asyncio.Server:
        async def keep(session: wscore_asyncio.Session) -> None:
            kept.put(AsyncioFacade(session, self._loop))
            while session.closed is None and not done.is_set():
                await asyncio.sleep(LOOK_EVERY)

        async def play(session: wscore_asyncio.Session) -> None:
            assert serving.script is not None
            facade = AsyncioFacade(session, self._loop)
            await asyncio.get_running_loop().run_in_executor(None, serving.script, facade)

        handler: Handler = serving.endpoint or (keep if serving.script is None else play)
        return await wscore_asyncio.serve(handler, "127.0.0.1", **serving.keywords)

    @override
    def connect(self, url: str, endpoint: Handler | None = None, **keywords: Any) -> Facade:
        async def dial() -> wscore_asyncio.Session:
            return await wscore_asyncio.connect(url, endpoint, **keywords)

        return AsyncioFacade(self._loop.run(dial()), self._loop)

    @override
    def in_a_thread(self, decide: ProcessRequest) -> ProcessRequest:
        async def ask(request: Request) -> Any:
            return await asyncio.get_running_loop().run_in_executor(None, decide, request)

        return ask

    @override
    def left_behind(self) -> list[str]:
        return self._loop.tasks()

    @override
    def complaints(self) -> list[str]:
        return self._loop.complaints()
