"""CancelledError where nobody has cancelled: it is the application's error, and told as such."""

import asyncio
from typing import Any

import pytest

from support.looped import client_of_raw_server, echo, eventually, soon, url_of
from support.wire import TEXT
from wscore import Endpoint, HandshakeRefused, Request
from wscore._typing import override
from wscore_asyncio import Session, connect, serve


async def await_cancelled(*_: object) -> Any:
    """Await what somebody else has cancelled."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


def raise_cancelled(*_: object) -> Any:
    raise asyncio.CancelledError


class Mistaken(Endpoint):
    """Awaits, in one hook, what was cancelled; writes down what it hears of that."""

    def __init__(self, wrong: str) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._wrong = wrong

    async def _note(self, *call: object) -> None:
        self.calls.append(call)
        if call[0] == self._wrong:
            await await_cancelled()

    @override
    async def on_connect(self, session: Session) -> None:
        await self._note("connect")

    @override
    async def on_message(self, session: Session, message: str | bytes) -> None:
        await self._note("message")

    @override
    async def on_error(self, session: Session, error: Exception) -> None:
        await self._note("error", type(error), type(error.__cause__))

    @override
    async def on_close(self, session: Session, code: int, reason: str) -> None:
        await self._note("close", code)


@pytest.mark.parametrize("process_request", [await_cancelled, raise_cancelled])
async def test_a_request_is_answered_with_500(process_request: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(echo, "127.0.0.1", process_request=process_request) as server:
        with pytest.raises(HandshakeRefused) as refused:
            await soon(connect(url_of(server)))
    assert refused.value.response.status == 500
    assert "process_request raised" in caplog.text


async def test_a_decision_that_is_cancelled_by_shutdown_is_no_mistake(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = asyncio.Event()

    async def think(request: Request) -> None:
        asked.set()
        await asyncio.sleep(3600)

    async with serve(echo, "127.0.0.1", process_request=think) as server:
        opening = asyncio.ensure_future(connect(url_of(server)))
        await soon(asked.wait())
        await soon(server.shutdown(timeout=0.0))
        with pytest.raises(Exception):  # noqa: B017, PT011 - lost, in whichever way
            await soon(opening)
    assert "raised" not in caplog.text


@pytest.mark.parametrize("wrong", ["connect", "message"])
async def test_on_error_hears_of_a_hook_and_the_peer_gets_1011(wrong: str) -> None:
    endpoint = Mistaken(wrong)
    async with client_of_raw_server(endpoint) as (session, peer):
        peer.send_frame(TEXT, b"x")
        peer.send_frame(TEXT, b"y")
        assert await asyncio.to_thread(peer.read_close) == 1011
        peer.send_close(1011)
        peer.close()
        await eventually(lambda: session.task is None)
    before = [("connect",)] if wrong == "connect" else [("connect",), ("message",)]
    assert endpoint.calls == [*before, ("error", RuntimeError, asyncio.CancelledError), ("close", 1011)]


async def test_who_has_no_on_error_has_it_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Short(Endpoint):
        """Has one hook."""

        @override
        async def on_message(self, session: Session, message: str | bytes) -> None:
            await await_cancelled()

    async with client_of_raw_server(Short()) as (_, peer):
        peer.send_frame(TEXT, b"x")
        assert await asyncio.to_thread(peer.read_close) == 1011
    assert "on_message raised" in caplog.text


async def test_on_error_itself_may_be_mistaken(caplog: pytest.LogCaptureFixture) -> None:
    class Worse(Mistaken):
        """Raises in on_message, too."""

        @override
        async def on_message(self, session: Session, message: str | bytes) -> None:
            await await_cancelled()

    endpoint = Worse("error")
    async with client_of_raw_server(endpoint) as (session, peer):
        peer.send_frame(TEXT, b"x")
        assert await asyncio.to_thread(peer.read_close) == 1011
        peer.send_close(1011)
        peer.close()
        await eventually(lambda: session.task is None)
    assert [call[0] for call in endpoint.calls] == ["connect", "error", "close"]
    assert "on_error raised" in caplog.text


async def test_on_close_may_be_mistaken_and_the_task_ends_in_good_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = Mistaken("close")
    async with client_of_raw_server(endpoint) as (session, peer):
        task = session.task
        assert task is not None
        peer.send_close(1000)
        peer.close()
        await soon(task)
    assert endpoint.calls == [("connect",), ("close", 1000)]
    assert "on_close raised" in caplog.text


async def test_who_is_cancelled_while_on_error_hears_of_a_mistake_gets_on_close() -> None:
    waiting = asyncio.Event()

    class Slow(Mistaken):
        """Is at on_error for long, the first time."""

        @override
        async def on_error(self, session: Session, error: Exception) -> None:
            if not waiting.is_set():
                waiting.set()
                await asyncio.sleep(3600)

    endpoint = Slow("message")
    async with client_of_raw_server(endpoint) as (session, peer):
        task = session.task
        assert task is not None
        peer.send_frame(TEXT, b"x")
        await soon(waiting.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)
    assert endpoint.calls == [("connect",), ("message",), ("close", 1006)]


@pytest.mark.parametrize("mistaken", [await_cancelled, raise_cancelled])
async def test_a_function_of_the_session_has_failed(mistaken: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with client_of_raw_server(mistaken) as (_, peer):
        assert await asyncio.to_thread(peer.read_close) == 1011
    assert "a handler raised" in caplog.text


async def test_a_plain_hook_may_be_mistaken_too() -> None:
    calls: list[tuple[object, ...]] = []

    class Plain(Endpoint):
        """Has no hook that must be awaited, so that no task is there to be cancelled."""

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            calls.append(("message",))
            raise asyncio.CancelledError

        @override
        def on_error(self, session: Session, error: Exception) -> None:
            calls.append(("error", type(error), type(error.__cause__)))

        @override
        def on_close(self, session: Session, code: int, reason: str) -> None:
            calls.append(("close", code))

    async with client_of_raw_server(Plain()) as (session, peer):
        peer.send_frame(TEXT, b"x")
        peer.send_frame(TEXT, b"y")
        assert await asyncio.to_thread(peer.read_close) == 1011
        peer.send_close(1011)
        peer.close()
        await eventually(lambda: session.closed is not None)
    assert calls == [("message",), ("error", RuntimeError, asyncio.CancelledError), ("close", 1011)]
