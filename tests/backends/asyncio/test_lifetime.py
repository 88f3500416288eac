"""What is over is gone: no cycle keeps a closed connection until the collector comes (it is switched off)."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from support.certificates import Certificates
from support.looped import LoopFactory, descriptors, echo, eventually, run, soon, turns, url_of
from support.raw import RawListener, dial
from support.wire import REQUEST
from wscore import Config, Deflate, Endpoint, HandshakeRefused, Response, Timeouts
from wscore._typing import override
from wscore_asyncio import Session, connect, serve
from wscore_asyncio._link import Link


class Plain(Endpoint):
    @override
    def on_connect(self, session: Session) -> None:
        self.session = session

    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        session.send(message)

    def on_writable(self, session: Session) -> None:
        """Something that the link has to know."""


class Awaited(Endpoint):
    @override
    def on_connect(self, session: Session) -> None:
        self.session = session

    @override
    async def on_message(self, session: Session, message: str | bytes) -> None:
        await session.send(message)


_earlier: list[Link] = []  # those that other tests have left: an exception that was raised knows frames


@asynccontextmanager
async def _no_collector() -> AsyncIterator[None]:
    gc.collect()
    gc.disable()
    _earlier[:] = [found for found in gc.get_objects() if type(found) is Link]
    try:
        yield
    finally:
        gc.enable()


def _alive() -> list[Link]:
    """Return the links that nobody has freed: a compiled class takes no weak references."""
    return [found for found in gc.get_objects() if type(found) is Link and found not in _earlier]


async def _visit(url: str, handler: Any, **options: Any) -> None:
    async with connect(url, handler, **options) as session:
        assert _alive()
        session.send("hello")
        if handler is None:
            assert await soon(session.recv()) == "hello"
        else:
            await eventually(lambda: session.stats.messages_received)


@pytest.mark.parametrize("handler", [Plain, Awaited, echo])
@pytest.mark.parametrize("client", [None, Plain, Awaited])
def test_a_connection_is_freed_when_it_is_over(new_loop: LoopFactory, handler: Any, client: Any) -> None:
    config = Config(compression=Deflate())

    async def main() -> None:
        async with serve(handler, "127.0.0.1", config=config) as server, _no_collector():
            for _ in range(20):
                await _visit(url_of(server), client, config=config)
            await eventually(lambda: not _alive())

    run(main, new_loop, debug=False)


def test_a_connection_with_tls_is_freed_when_it_is_over(
    new_loop: LoopFactory, certificates: Certificates
) -> None:
    async def main() -> None:
        ours, theirs = certificates.client_context(), certificates.server_context()
        distrust = ssl.create_default_context()
        async with serve(echo, "127.0.0.1", ssl=theirs) as server, _no_collector():
            url = f"wss://localhost:{server.port}/"
            for _ in range(5):
                await _visit(url, None, ssl=ours)
                with pytest.raises(ssl.SSLCertVerificationError):
                    await soon(connect(url, ssl=distrust))
            await eventually(lambda: not _alive())

    run(main, new_loop, debug=False)


def test_what_ended_otherwise_is_freed_as_well(new_loop: LoopFactory) -> None:
    """Aborted, refused, cancelled, timed out, reset, without a good request, left by a cancelled task."""

    async def main() -> None:
        def refuse(request: Any) -> Response | None:
            return Response(403) if request.path == "/no" else None

        async with serve(echo, "127.0.0.1", process_request=refuse) as server, _no_collector():
            for _ in range(5):
                (await soon(connect(url_of(server)))).abort()
                session = await soon(connect(url_of(server), Awaited))
                assert session.task is not None
                session.task.cancel()
                del session
                with pytest.raises(HandshakeRefused):
                    await soon(connect(url_of(server) + "no"))
                dial(server.port).reset()
                with dial(server.port) as peer:
                    peer.send(b"nonsense\r\n\r\n")
                    await asyncio.to_thread(peer.read_to_end)
                with dial(server.port) as peer:
                    peer.send(REQUEST)
                    peer.reset()
                await _fail_to_connect()
            await eventually(lambda: not _alive())

    run(main, new_loop, debug=False)


def test_what_was_cancelled_while_it_opened_is_freed_whenever_that_was(new_loop: LoopFactory) -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1") as server, _no_collector():
            for number in range(60):
                opening = asyncio.ensure_future(connect(url_of(server))._open())
                await turns(number)
                opening.cancel()
                with suppress(asyncio.CancelledError):
                    (await opening).abort()
                del opening
            await eventually(lambda: not _alive())

    run(main, new_loop, debug=False)


async def _fail_to_connect() -> None:
    with RawListener() as listener:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connect(listener.url), 0.01)
        with suppress(Exception):
            await connect(listener.url, config=Config(timeouts=Timeouts(open=0.01)))
        opening = asyncio.ensure_future(connect(listener.url)._open())
        peers = [await asyncio.to_thread(listener.accept) for _ in range(3)]
        peers[-1].reset()
        with suppress(Exception):
            await soon(opening)


@pytest.mark.slow
def test_twenty_thousand_connections_leave_nothing_behind(new_loop: LoopFactory) -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1") as server, _no_collector():
            await _visit(url_of(server), None)
            await eventually(lambda: not server.sessions)
            before, tasks = descriptors(), len(asyncio.all_tasks())
            for _ in range(20_000):
                await _visit(url_of(server), None)
            await eventually(lambda: not _alive())
            await turns()
            assert descriptors() <= before and len(asyncio.all_tasks()) == tasks

    run(main, new_loop, debug=False)
