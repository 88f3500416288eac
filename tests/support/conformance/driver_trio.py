"""The trio example as a `Driver`: a trio run in a thread of its own, and a task there for each connection."""

import importlib.util
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar, final

import trio

from support.eventually import PATIENCE
from wscore import Fragment, Handler, PreparedMessage, Request
from wscore._typing import override

from .facade import LOOK_EVERY, Driver, Facade, Kept, Part, ProcessRequest, Served, Serving, url_of

T = TypeVar("T")

_PATH: Final = Path(__file__).parents[3] / "docs" / "examples" / "trio_driver.py"
_SCRIPTS_AT_ONCE: Final = 64  # more than any test has


def load_example() -> ModuleType:
    """Import the example from where the documentation has it."""
    spec = importlib.util.spec_from_file_location("trio_driver", _PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@final
class TrioThread:
    """A trio run in a thread of its own.

    Attributes:
        nursery: for tasks that live as long as they like.
        complaints: what tasks raised that nobody waits for.
    """

    def __init__(self) -> None:
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: trio.run(self._stay), name="conformance-trio")
        self.nursery: trio.Nursery
        self.complaints: list[str] = []

    def start(self) -> None:
        """Start it, and wait until it runs."""
        self._thread.start()
        assert self._started.wait(PATIENCE)

    def stop(self) -> None:
        """End it."""
        self.call(self.nursery.cancel_scope.cancel)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _stay(self) -> None:
        async with trio.open_nursery() as self.nursery:
            self._token = trio.lowlevel.current_trio_token()
            self._started.set()
            await trio.sleep_forever()

    def run(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Await function in trio's thread, from any other one, and return its result."""
        return trio.from_thread.run(function, *arguments, trio_token=self._token)

    def call(self, function: Callable[[], T]) -> T:
        """Call a plain function in trio's thread."""
        return trio.from_thread.run_sync(function, trio_token=self._token)

    async def within(self, timeout: float, call: Callable[[], Awaitable[T]]) -> T:
        """Await call for so many seconds at most."""
        try:
            with trio.fail_after(timeout):
                return await call()
        except trio.TooSlowError:
            raise TimeoutError from None


@final
class TrioFacade(Facade):
    """A session of the trio example.

    Args:
        leave: lets the task go that holds the connection.
    """

    def __init__(self, native: Any, thread: TrioThread, leave: Callable[[], object] = lambda: None) -> None:
        super().__init__(native)
        self._thread = thread
        self._leave = leave

    @override
    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        async def send() -> None:
            await self.native.send(message, compress=compress)

        self._thread.run(send)

    @override
    def send_fragments(self, parts: Iterable[Part]) -> None:
        raise NotImplementedError

    @override
    def recv(self, timeout: float = PATIENCE) -> str | bytes:
        message: str | bytes = self._thread.run(self._thread.within, timeout, self.native.recv)
        return message

    @override
    def recv_fragment(self, timeout: float = PATIENCE) -> Fragment:
        raise NotImplementedError

    @override
    def rest(self) -> list[str | bytes]:
        async def iterate() -> list[str | bytes]:
            return [message async for message in self.native]

        return self._thread.run(iterate)

    @override
    def ping(self, payload: bytes | None = None, timeout: float = PATIENCE) -> float:
        seconds: float = self._thread.run(self.native.ping, payload, timeout)
        return seconds

    @override
    def flush(self) -> None:
        raise NotImplementedError

    @override
    def close(self, code: int = 1000, reason: str = "", *, wait: bool = True) -> None:
        async def close() -> None:
            await self.native.close(code, reason, wait=wait)

        self._thread.run(close)

    @override
    def abort(self) -> None:
        self._thread.call(self.native.abort)
        self._thread.call(self._leave)


@final
class TrioServed(Served):
    """A running server of the trio example."""

    def __init__(self, native: Any, serving: Serving, kept: Kept, thread: TrioThread) -> None:
        self._native = native
        self._kept = kept
        self._thread = thread
        self.port = native.port
        self.url = url_of(native.port, serving.ssl)

    @override
    def accept(self, client: Any = None) -> Facade:
        return self._kept.take(client)

    @property
    @override
    def sessions(self) -> list[Any]:
        return self._thread.call(lambda: list(self._native.sessions))

    @override
    def shutdown(self, code: int = 1001, reason: str = "", *, timeout: float = 10.0) -> None:
        self._kept.leaving = True

        async def shutdown() -> None:
            await self._native.shutdown(code, reason, timeout=timeout)

        self._thread.run(shutdown)


@final
class _Noting:
    """A task status that remembers whether it was told."""

    def __init__(self, status: "trio.TaskStatus[Any]") -> None:
        self._status = status
        self.started_already = False

    def started(self, value: Any) -> None:
        """Pass it on."""
        self.started_already = True
        self._status.started(value)


@final
class TrioDriver(Driver):
    """docs/examples/trio_driver.py."""

    name = "trio"
    logger = "trio_driver"
    complete = False

    def __init__(self) -> None:
        self._example = load_example()
        self._thread = TrioThread()

    @override
    def start(self) -> None:
        self._thread.start()

    @override
    def stop(self) -> None:
        self._thread.stop()

    @override
    @contextmanager
    def serve(self, serving: Serving) -> Iterator[Served]:
        kept = Kept()
        done = trio.Event()
        scripts = trio.CapacityLimiter(_SCRIPTS_AT_ONCE)

        async def keep(session: Any) -> None:
            kept.put(TrioFacade(session, self._thread))
            # Not before it must: what a handler leaves behind is thrown away.
            while not done.is_set() and not (kept.leaving and session.closed is not None):
                await trio.sleep(LOOK_EVERY)

        async def play(session: Any) -> None:
            assert serving.script is not None
            await trio.to_thread.run_sync(
                serving.script, TrioFacade(session, self._thread), limiter=scripts, abandon_on_cancel=True
            )

        handler: Handler = serving.endpoint or (keep if serving.script is None else play)

        async def start(*, task_status: "trio.TaskStatus[Any]") -> None:
            status = _Noting(task_status)
            try:
                await self._example.serve(handler, "127.0.0.1", task_status=status, **serving.keywords)
            except Exception as error:
                if not status.started_already:
                    raise  # to whoever waits for the start
                self._thread.complaints.append(repr(error))

        served = TrioServed(self._thread.run(self._thread.nursery.start, start), serving, kept, self._thread)
        try:
            yield served
        finally:
            kept.abort_all()
            self._thread.call(done.set)
            served.shutdown()

    @override
    def connect(self, url: str, endpoint: Handler | None = None, **keywords: Any) -> Facade:
        leave = trio.Event()

        async def hold(*, task_status: "trio.TaskStatus[Any]") -> None:
            async with self._example.connect(url, endpoint, **keywords) as session:
                task_status.started(session)
                await leave.wait()

        return TrioFacade(self._thread.run(self._thread.nursery.start, hold), self._thread, leave.set)

    @override
    def in_a_thread(self, decide: ProcessRequest) -> ProcessRequest:
        async def ask(request: Request) -> Any:
            return await trio.to_thread.run_sync(decide, request)

        return ask

    @override
    def left_behind(self) -> list[str]:
        return self._thread.call(lambda: [task.name for task in self._thread.nursery.child_tasks])

    @override
    def complaints(self) -> list[str]:
        found, self._thread.complaints = self._thread.complaints, []
        return found
