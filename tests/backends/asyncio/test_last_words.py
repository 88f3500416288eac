"""What is still heard when a connection ends early: what has arrived, and on_close in any case."""

import asyncio
import socket
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from support.certificates import Certificates
from support.looped import client_of_raw_server, descriptors, echo, eventually, soon, turns, url_of
from support.raw import RawListener, dial, dial_upgraded
from support.recorder import Recorder
from support.wire import CLOSE, REQUEST, TEXT, frame, status
from wscore import ConnectionClosed, Endpoint
from wscore._typing import override
from wscore_asyncio import Session, connect, serve


async def test_a_failed_write_does_not_end_reading() -> None:
    """The peer has said everything and is gone; the loop learns that from a write, before it has read."""
    async with client_of_raw_server() as (session, peer):
        words = [frame(TEXT, word, masked=False) for word in (b"one", b"two")]
        peer.send(b"".join(words) + frame(CLOSE, status(1000), masked=False))  # the loop does not turn
        peer.reset()
        session.send("into the void")
        session.flush()
        assert [await soon(session.recv()) for _ in range(2)] == ["one", "two"]
        with pytest.raises(ConnectionClosed) as end:
            await soon(session.recv())
        assert end.value.closed.code == 1000


async def test_what_is_read_in_the_end_is_not_waited_for(default_timeout: float) -> None:
    """Some errors of a write leave a socket that may be read: nothing comes there, and nothing blocks."""
    async with client_of_raw_server() as (session, _):
        link = session._link
        begun = monotonic()
        link.connection_lost(OSError("no route"))
        assert monotonic() - begun < default_timeout / 2
        transport: Any = link._transport
        transport.abort()
        await turns()


@pytest.fixture
def default_timeout() -> Iterator[float]:
    """Seconds, for all new sockets."""
    socket.setdefaulttimeout(4.0)
    yield 4.0
    socket.setdefaulttimeout(None)


async def test_who_is_cancelled_in_on_error_hears_of_the_close() -> None:
    closes: list[int] = []
    waiting = asyncio.Event()

    class Stubborn(Endpoint):
        """Never gets over an error."""

        @override
        async def on_error(self, session: Any, error: Exception) -> None:
            waiting.set()
            await asyncio.sleep(3600)

        @override
        def on_close(self, session: Any, code: int, reason: str) -> None:
            closes.append(code)

    async with serve(Stubborn, "127.0.0.1") as server:
        (await asyncio.to_thread(dial_upgraded, server.port)).close()
        await soon(waiting.wait())
        await soon(server.shutdown(timeout=0.0))
    assert closes == [1006]


async def test_who_is_cancelled_twice_hears_of_the_close_once() -> None:
    calls: list[str] = []

    class Slow(Endpoint):
        """Waits in every hook for what never comes."""

        async def _wait(self, name: str) -> None:
            calls.append(name)
            await asyncio.sleep(3600)

        @override
        async def on_message(self, session: Any, message: str | bytes) -> None:
            await self._wait("message")

        @override
        async def on_error(self, session: Any, error: Exception) -> None:
            await self._wait("error")

        @override
        async def on_close(self, session: Any, code: int, reason: str) -> None:
            await self._wait("close")

    async with client_of_raw_server(Slow()) as (session, peer):
        task = session.task
        assert task is not None
        peer.send_frame(TEXT, b"x")
        for name in ("message", "error", "close"):
            await eventually(lambda: calls[-1:] == [name])  # noqa: B023 - awaited within the turn
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)
    assert calls == ["message", "error", "close"]


async def test_what_cannot_be_welcomed_costs_nobody_else_anything(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = certificates.client_context()  # which cannot speak for a server
    async with serve(echo, "127.0.0.1", ssl=wrong, max_pending=2) as server:
        before = descriptors()
        for _ in range(5):
            with dial(server.port) as peer:
                peer.send(REQUEST)
                assert await asyncio.to_thread(peer.is_lost)
        await eventually(lambda: descriptors() <= before)
    assert caplog.text.count("a connection is dropped") == 5


async def test_leaving_brings_everything_to_an_endpoint_that_is_suspended() -> None:
    recorder = Recorder()
    await _leave_suspended(recorder)
    assert recorder.names == ["connect", "message", "close"]


async def test_leaving_that_is_cancelled_brings_the_end_to_an_endpoint_that_is_suspended() -> None:
    recorder = Recorder()

    async def enter_and_leave(url: str) -> None:
        async with connect(url, recorder) as session:
            session.suspend()

    with RawListener() as listener:
        leaving = asyncio.ensure_future(enter_and_leave(listener.url))
        with await asyncio.to_thread(listener.accept_upgrade) as peer:
            assert await asyncio.to_thread(peer.read_close) == 1000  # and waits for an answer
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await soon(leaving)
            peer.send(frame(CLOSE, status(1000), masked=False))
            await eventually(lambda: "close" in recorder.names)
    assert recorder.names == ["connect", "close"]


async def test_leaving_brings_everything_to_hooks_that_are_awaited_and_suspended() -> None:
    awaited = _Awaited()
    await _leave_suspended(awaited)
    assert awaited.recorder.names == ["message", "close"]


async def _leave_suspended(endpoint: Endpoint) -> None:
    async with serve(_greet, "127.0.0.1") as server, connect(url_of(server), endpoint) as session:
        session.suspend()
        await eventually(lambda: session.stats.messages_received == 1)


async def _greet(session: Session) -> None:
    await asyncio.sleep(0.05)
    await session.send("hello")
    await session.recv()


class _Awaited(Endpoint):
    def __init__(self) -> None:
        self.recorder = Recorder()

    @override
    async def on_message(self, session: Any, message: str | bytes) -> None:
        self.recorder.on_message(session, message)

    @override
    async def on_close(self, session: Any, code: int, reason: str) -> None:
        self.recorder.on_close(session, code, reason)
