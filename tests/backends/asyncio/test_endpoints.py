"""What serves a session: plain hooks without a task, awaited hooks with one, coroutine functions."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import pytest

import wscore_asyncio
from support.looped import client_of_raw_server, echo, eventually, soon, turns, url_of
from support.recorder import Recorder
from support.wire import BINARY, TEXT
from wscore import CloseError, Config, ConnectionClosed, ConnectionLost, Endpoint, Limits
from wscore._typing import override
from wscore_asyncio import Session, connect, serve

KIB = 1024
MIB = 1024 * KIB


class Awaiting(Endpoint):
    """Awaits in each hook, and writes down what is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.session: Session | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def _note(self, *call: object) -> None:
        self.calls.append(call)
        await asyncio.sleep(0)

    @override
    async def on_connect(self, session: Session) -> None:
        self.session = session
        await self._note("connect")

    @override
    async def on_message(self, session: Session, message: str | bytes) -> None:
        await self._note("message", message)
        await self.gate.wait()
        await session.send(message)

    @override
    async def on_error(self, session: Session, error: Exception) -> None:
        await self._note("error", type(error))

    @override
    async def on_close(self, session: Session, code: int, reason: str) -> None:
        await self._note("close", code, reason)


def _tasks() -> int:
    return len(asyncio.all_tasks())


async def test_plain_hooks_cost_no_task_on_either_side() -> None:
    recorder = Recorder(replies=True)
    before = _tasks() + 1  # each listening socket has one
    async with serve(recorder, "127.0.0.1") as server:
        ends = [Recorder() for _ in range(20)]
        sessions = [await soon(connect(url_of(server), end)) for end in ends]
        assert _tasks() == before
        for session in sessions:
            session.send("hello")
        await eventually(lambda: all(("message", "hello") in end.calls for end in ends))
        assert _tasks() == before and all(session.task is None for session in [*sessions, *server.sessions])
        await asyncio.gather(*(session.close() for session in sessions))
        await eventually(lambda: recorder.names.count("close") == 20)
    assert all(end.calls == [("connect",), ("message", "hello"), ("close", 1000, "")] for end in ends)


async def test_hooks_that_are_awaited_cost_one_task_for_each_session() -> None:
    made: list[Awaiting] = []

    def make() -> Endpoint:
        made.append(Awaiting())
        return made[-1]

    before = _tasks() + 1  # each listening socket has one
    async with serve(Endpoint.factory(make), "127.0.0.1") as server:
        sessions = [await soon(connect(url_of(server))) for _ in range(10)]
        for session in sessions:
            for number in range(20):
                await session.send(str(number))
        for session in sessions:
            assert [await soon(session.recv()) for _ in range(20)] == [str(number) for number in range(20)]
        assert _tasks() == before + 10
        await asyncio.gather(*(session.close(1001, "bye") for session in sessions))
        await eventually(lambda: _tasks() == before)
    expected = [("connect",), *(("message", str(number)) for number in range(20)), ("close", 1001, "bye")]
    assert [end.calls for end in made] == [expected] * 10


async def test_a_cancelled_task_still_delivers_on_close() -> None:
    endpoint = Awaiting()
    async with client_of_raw_server(endpoint) as (session, peer):
        task = session.task
        assert task is not None
        await eventually(lambda: endpoint.calls)
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)
        assert endpoint.calls == [("connect",), ("error", ConnectionLost), ("close", 1006, "")]
        assert await asyncio.to_thread(peer.is_lost)
        assert session.task is None


async def test_a_task_cancelled_within_a_hook_still_delivers_on_close() -> None:
    endpoint = Awaiting()
    endpoint.gate.clear()
    async with client_of_raw_server(endpoint) as (session, peer):
        peer.send_frame(TEXT, b"x")
        await eventually(lambda: ("message", "x") in endpoint.calls)
        assert session.task is not None
        session.task.cancel()
        await eventually(lambda: session.task is None)
        assert endpoint.calls[2:] == [("error", ConnectionLost), ("close", 1006, "")]


@pytest.mark.parametrize("handler", [Awaiting, echo])
async def test_a_task_cancelled_before_it_begins_ends_its_connection(handler: Any) -> None:
    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        if coroutine.__name__.startswith("_run_"):
            task.cancel()
        return task

    async with serve(Recorder, "127.0.0.1") as server:
        asyncio.get_running_loop().set_task_factory(make)
        session = await soon(connect(url_of(server), handler))
        asyncio.get_running_loop().set_task_factory(None)
        await eventually(lambda: session.task is None)
        assert session.closed is not None and session.closed.code == 1006


async def test_a_coroutine_function_serves_and_the_connection_is_closed_when_it_returns() -> None:
    async def twice(session: Session) -> None:
        for _ in range(2):
            await session.send(await session.recv())

    async with serve(twice, "127.0.0.1") as server, connect(url_of(server)) as session:
        await session.send("a")
        await session.send("b")
        assert [message async for message in session] == ["a", "b"]
        assert session.closed is not None and session.closed.code == 1000


@pytest.mark.parametrize(
    ("raised", "code", "logged"),
    [(KeyError("x"), 1011, True), (CloseError(4000, "so"), 4000, False), (None, 1000, False)],
)
async def test_what_a_coroutine_function_raises_becomes_the_close_code(
    caplog: pytest.LogCaptureFixture, raised: Exception | None, code: int, logged: bool
) -> None:
    async def handler(session: Session) -> None:
        await session.recv()
        if raised is not None:
            raise raised

    async with serve(handler, "127.0.0.1") as server, connect(url_of(server)) as session:
        await session.send("go")
        with suppress(ConnectionClosed):
            await soon(session.recv())
        assert session.closed is not None and session.closed.code == code
    assert bool([record for record in caplog.records if record.levelno >= logging.ERROR]) is logged


async def test_a_function_that_returns_nothing_to_await_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(lambda session: None, "127.0.0.1") as server, connect(url_of(server)) as session:
        with pytest.raises(ConnectionClosed) as end:
            await soon(session.recv())
        assert end.value.closed.code == 1011
    assert "a handler raised" in caplog.text


async def test_a_hook_may_end_its_own_connection() -> None:
    class Ends(Awaiting):
        @override
        async def on_message(self, session: Session, message: str | bytes) -> None:
            await session.close(4001)

    endpoint = Ends()
    async with serve(endpoint, "127.0.0.1") as server, connect(url_of(server)) as session:
        await session.send("x")
        with pytest.raises(ConnectionClosed) as end:
            await soon(session.recv())
        assert end.value.closed.code == 4001
    assert endpoint.calls[-1] == ("close", 4001, "")


async def test_the_server_knows_a_session_when_on_connect_is_called() -> None:
    class Greets(Endpoint):
        @override
        def on_connect(self, session: Session) -> None:
            wscore_asyncio.broadcast(server.sessions, "somebody came")

    async with serve(Greets, "127.0.0.1") as server, connect(url_of(server)) as session:
        assert await soon(session.recv()) == "somebody came"


# on_writable.


class Pours(Endpoint):
    """Sends one message more whenever it hears of room."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.calls: list[str] = []

    def on_writable(self, session: Session) -> None:
        self.calls.append("writable")
        self._send(session)

    def _send(self, session: Session) -> None:
        if self.left:
            self.left -= 1
            session.send(bytes(100 * KIB))

    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        self._send(session)

    @override
    def on_close(self, session: Session, code: int, reason: str) -> None:
        self.calls.append("close")


class PoursAwaited(Pours):
    async def on_pong(self, session: Session, payload: bytes) -> None:
        """One hook that must be awaited is enough."""


@pytest.mark.parametrize("kind", [Pours, PoursAwaited])
async def test_on_writable_follows_whenever_there_was_no_room_however_quick_the_kernel(
    kind: type[Pours],
) -> None:
    endpoint = kind(50)
    async with serve(endpoint, "127.0.0.1") as server, connect(url_of(server)) as session:
        await session.send("go")
        for _ in range(50):
            assert len(await soon(session.recv())) == 100 * KIB
    assert endpoint.left == 0 and endpoint.calls.count("writable") == 50


@pytest.mark.parametrize("kind", [Pours, PoursAwaited])
async def test_nothing_follows_on_close(kind: type[Pours]) -> None:
    endpoint = kind(1000)
    async with client_of_raw_server(endpoint, receive_buffer=64 * KIB) as (session, peer):
        peer.send_frame(TEXT, b"go")
        await eventually(lambda: session.buffered_amount > 64 * KIB)
        session.abort()
        await eventually(lambda: "close" in endpoint.calls)
        await turns()
        assert endpoint.calls[-1] == "close" and endpoint.calls.count("close") == 1


async def test_a_thousand_big_replies_of_a_hook_do_not_pile_up_as_calls() -> None:
    """Each send above the high mark writes at once; that must not nest."""

    class Burst(Endpoint):
        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            for _ in range(1000):
                session.send(bytes(2 * KIB))

        def on_writable(self, session: Session) -> None:
            if session.stats.messages_sent < 2000:
                self.on_message(session, "")

    config = Config(limits=Limits(outbox_high=KIB, outbox_low=0, outbox_limit=4 * MIB))
    async with client_of_raw_server(Burst(), config) as (_, peer):
        peer.send_frame(TEXT, b"go")

        def read_all() -> None:
            for _ in range(2000):
                assert peer.read_frame() == (0x80 | BINARY, bytes(2 * KIB))

        await asyncio.to_thread(read_all)
