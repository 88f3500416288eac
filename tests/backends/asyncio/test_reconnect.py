"""Connecting again and again: pauses that grow, pauses that were asked for, errors that none mends."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from support.looped import echo, eventually, soon, url_of
from support.raw import RawListener
from wscore import ConnectionClosed, HandshakeRefused, InvalidURL, Request, Response
from wscore.policy import Backoff
from wscore_asyncio import _reconnect, connect, reconnect, serve
from wscore_asyncio._session import Session


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was to be waited; nobody does."""
    made: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        made.append(seconds)
        await sleep(0)

    monkeypatch.setattr(_reconnect, "asyncio", SimpleNamespace(sleep=pause))
    return made


def _backoff(**settings: float) -> Backoff:
    """Return one that always draws the longest pause."""
    return Backoff(**{"initial": 1.0, "factor": 2.0, "maximum": 5.0, **settings}, chance=lambda: 0.0)


async def test_each_turn_has_a_session_that_works_and_the_last_one_is_closed(pauses: list[float]) -> None:
    sessions: list[Session] = []
    async with serve(echo, "127.0.0.1") as server:
        async for session in reconnect(url_of(server), backoff=_backoff()):
            assert all(earlier.closed is not None for earlier in sessions)
            sessions.append(session)
            await session.send("hello")
            assert await soon(session.recv()) == "hello"
            if len(sessions) == 5:
                await session.close()
                break
    assert [session.closed.code for session in sessions if session.closed] == [1000] * 5
    assert pauses == [1, 2, 4, 5]  # none of them lasted: the pauses grow, up to the maximum


async def test_a_connection_that_has_lasted_makes_the_pauses_short_again(pauses: list[float]) -> None:
    turns = 0
    async with serve(echo, "127.0.0.1") as server:
        async for session in reconnect(url_of(server), backoff=_backoff(stable_after=0.2)):
            turns += 1
            if turns == 3:
                await asyncio.sleep(0.25)
            if turns == 5:
                await session.close()
                break
    assert pauses == [1, 2, 1, 2]


async def test_a_lost_connection_is_the_turns_to_handle_and_the_next_turn_has_another(
    pauses: list[float],
) -> None:
    lost = 0

    async def drops(session: Session) -> None:
        session.abort()

    async with serve(drops, "127.0.0.1") as server:
        async for session in reconnect(url_of(server), backoff=_backoff()):
            with pytest.raises(ConnectionClosed):
                await soon(session.recv())
            lost += 1
            if lost == 3:
                break
    assert pauses == [1, 2]


async def test_a_busy_server_is_asked_again_when_it_wants_to_be(pauses: list[float]) -> None:
    answers = iter(
        [Response(503, [("Retry-After", "7")]), Response(429), Response(502, [("Retry-After", "x")])]
    )

    def busy(request: Request) -> Response | None:
        return next(answers, None)

    async with serve(echo, "127.0.0.1", process_request=busy) as server:
        async for session in reconnect(url_of(server), backoff=_backoff()):
            await session.close()
            break
    assert pauses == [7 + 1, 2, 4]


async def test_a_server_that_is_away_is_waited_for(pauses: list[float]) -> None:
    async with serve(echo, "127.0.0.1") as server:
        url = url_of(server)
    iterating = asyncio.ensure_future(anext(reconnect(url, backoff=_backoff())))
    await eventually(lambda: len(pauses) > 4)
    async with serve(echo, "127.0.0.1", server.port):
        await (await soon(iterating)).close()
    assert pauses[:5] == [1, 2, 4, 5, 5]


async def test_what_no_pause_mends_is_raised_at_once(pauses: list[float]) -> None:
    with pytest.raises(InvalidURL):
        await anext(reconnect("http://localhost/"))
    async with serve(echo, "127.0.0.1", process_request=lambda request: Response(404)) as server:
        with pytest.raises(HandshakeRefused):
            await anext(reconnect(url_of(server)))
    assert pauses == []


async def test_the_policy_decides_what_is_worth_another_attempt(pauses: list[float]) -> None:
    seen: list[BaseException] = []

    def until_the_third(error: BaseException) -> bool:
        seen.append(error)
        return len(seen) < 3

    async with serve(echo, "127.0.0.1", process_request=lambda request: Response(404)) as server:
        with pytest.raises(HandshakeRefused):
            await anext(reconnect(url_of(server), backoff=_backoff(), retry=until_the_third))
    assert len(seen) == 3 and pauses == [1, 2]


async def test_options_are_those_of_connect() -> None:
    async with serve(echo, "127.0.0.1", subprotocols=["chat"]) as server:
        options: dict[str, Any] = {"subprotocols": ["chat"], "headers": {"X-A": "b"}}
        session = await anext(reconnect(url_of(server), **options))
        assert session.subprotocol == "chat" and session.request.headers.get("x-a") == "b"
        await session.close()


async def test_it_can_be_cancelled_while_it_connects_and_while_it_pauses() -> None:
    with RawListener() as listener, pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(reconnect(listener.url)), 0.05)
    async with serve(echo, "127.0.0.1") as server:
        sessions = reconnect(url_of(server), backoff=_backoff(initial=5.0))
        first = await anext(sessions)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(sessions), 0.05)
        assert first.closed is not None and first.closed.code == 1000
        async with connect(url_of(server)):  # the server has not noticed anything
            pass
