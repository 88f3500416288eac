"""Short ways to start what most tests of the asyncio backend need, and the loops that they run on.

An ``async def`` test in tests/backends/asyncio is run by `run`, in debug mode, on each kind of loop. Nothing
may be left behind: no task, no descriptor, no exception that nobody has retrieved.
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final, TypeVar

import wscore_asyncio
from wscore import Config
from wscore_asyncio import Server, Session

from .eventually import PATIENCE
from .raw import RawListener, RawPeer

LOOPS: Final = ("asyncio", "uvloop")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

T = TypeVar("T")


def loop_factory(kind: str) -> LoopFactory:
    """Return what makes loops of a kind; ImportError: this kind is not installed."""
    if kind == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    uvloop.new_event_loop().close()  # the first one opens a pipe for good
    return uvloop.new_event_loop


def run(main: Callable[[], Coroutine[Any, Any, T]], factory: LoopFactory, *, debug: bool = True) -> T:
    """Run main in a loop of its own, and check that it leaves nothing behind."""
    before = descriptors()
    complaints: list[str] = []
    with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
        loop = runner.get_loop()
        loop.slow_callback_duration = PATIENCE
        loop.set_exception_handler(lambda _, context: complaints.append(repr(context)))
        result = runner.run(_and_nothing_else(main))
        gc.collect()
    assert not complaints, complaints
    assert descriptors() <= before
    return result


async def _and_nothing_else(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    result = await main()
    await eventually(lambda: len(asyncio.all_tasks()) == 1)
    return result


def descriptors() -> int:
    """Return how many descriptors this process has open; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


async def eventually(predicate: Callable[[], T], timeout: float = PATIENCE) -> T:
    """Return what predicate gives as soon as that is true; fail when it never is."""
    deadline = monotonic() + timeout
    while not (found := predicate()):
        assert monotonic() < deadline, f"still {found!r} after {timeout} s"
        await asyncio.sleep(0.002)
    return found


async def soon(awaitable: Awaitable[T]) -> T:
    """Await what must not take long."""
    async with asyncio.timeout(PATIENCE):
        return await awaitable


async def turns(number: int = 10) -> None:
    """Let the loop turn."""
    for _ in range(number):
        await asyncio.sleep(0)


def url_of(server: Server) -> str:
    """Return the address of a server on 127.0.0.1."""
    return f"ws://127.0.0.1:{server.port}/"


async def echo(session: Session) -> None:
    """Send everything back."""
    async for message in session:
        await session.send(message)


async def idle(session: Session) -> None:
    """Take everything until the end."""
    async for _ in session:
        pass


@asynccontextmanager
async def pair(
    *, client: Config | None = None, server: Config | None = None
) -> AsyncIterator[tuple[Session, Session]]:
    """Connect two sessions and hand out both: the client's and the server's, each for the test to drive.

    Afterwards both are aborted if they are still open.
    """
    accepted: asyncio.Queue[Session] = asyncio.Queue()
    done = asyncio.Event()

    async def keep(session: Session) -> None:
        accepted.put_nowait(session)
        await done.wait()

    async with wscore_asyncio.serve(keep, "127.0.0.1", config=server) as running:
        ours = await soon(wscore_asyncio.connect(url_of(running), config=client))
        theirs = await soon(accepted.get())
        try:
            yield ours, theirs
        finally:
            ours.abort()
            theirs.abort()
            done.set()


@asynccontextmanager
async def client_of_raw_server(
    endpoint: Any = None, config: Config | None = None, *, receive_buffer: int | None = None
) -> AsyncIterator[tuple[Session, RawPeer]]:
    """Connect a session to a server made of a bare socket; afterwards it is aborted if still open."""
    with RawListener(receive_buffer=receive_buffer) as listener:
        opening = asyncio.ensure_future(soon(wscore_asyncio.connect(listener.url, endpoint, config=config)))
        peer = await asyncio.to_thread(listener.accept_upgrade)
        session = await opening
        try:
            yield session, peer
        finally:
            session.abort()
            await soon(session.close())
