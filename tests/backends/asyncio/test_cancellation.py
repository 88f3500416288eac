"""Whatever waits can be cancelled, at each of its awaits: nothing is lost, doubled or left behind."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Generic, TypeVar

import pytest

from support.certificates import Certificates
from support.looped import LoopFactory, descriptors, echo, eventually, pair, run, soon, turns, url_of
from wscore import Closed, Config, ConnectionClosed, Limits, LocalProtocolError
from wscore_asyncio import Server, Session, broadcast, connect, serve

KIB = 1024

T = TypeVar("T")


class Interrupted(Generic[T]):
    """Awaits something, and has the task cancelled at one of the points where that waits.

    Args:
        awaitable: what is awaited.
        at: the number of the point, from 1.
        late: cancel only when what is waited for there has come, but before the task sees it.

    Attributes:
        happened: the point was reached.
    """

    def __init__(self, awaitable: Awaitable[T], at: int, *, late: bool) -> None:
        self._awaitable = awaitable
        self._at = at
        self._late = late
        self.happened = False

    def __await__(self) -> Generator[Any, None, T]:
        inner = self._awaitable.__await__()
        task = asyncio.current_task()
        assert task is not None
        error: BaseException | None = None
        for point in range(1, 1000):
            try:
                waited_for = next(inner) if error is None else inner.throw(error)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            if point == self._at:
                self.happened = True
                if self._late and waited_for is not None:
                    waited_for.add_done_callback(lambda _: task.cancel())
                else:
                    task.cancel()
            error = None
            try:
                yield waited_for
            except BaseException as thrown:
                error = thrown
        raise AssertionError("it waits without end")


_CUT: Final = object()


async def _interrupt(awaitable: Awaitable[T], at: int, *, late: bool) -> tuple[object, bool]:
    """Await something in a task that is cancelled at a point; return the result and whether it got there."""
    interrupted = Interrupted(awaitable, at, late=late)

    async def wait() -> T:
        return await interrupted

    task = asyncio.ensure_future(wait())
    await soon(asyncio.wait([task]))
    result = _CUT if task.cancelled() else task.result()
    return result, interrupted.happened


async def at_each_await(operation: Callable[[int, bool], Awaitable[bool]]) -> int:
    """Call operation for each point, until it says that there is no such point; return how many there are."""
    for at in range(1, 100):
        reached = [await operation(at, late) for late in (False, True)]
        if not any(reached):
            return at - 1
    raise AssertionError("it waits without end")


# Each await.


async def test_recv_loses_nothing_wherever_it_is_cancelled() -> None:
    async with pair() as (ours, theirs):
        numbers = iter(range(1000))

        async def receive(at: int, late: bool) -> bool:
            number = str(next(numbers))
            asyncio.get_running_loop().call_later(0.002, theirs.send, number)
            result, reached = await _interrupt(ours.recv(), at, late=late)
            assert (await soon(ours.recv()) if result is _CUT else result) == number
            return reached

        assert await at_each_await(receive) >= 1


async def test_ping_and_json_and_events_can_be_cancelled_anywhere() -> None:
    async with pair() as (ours, theirs):
        for operation in (ours.ping, theirs.ping):

            async def ping(at: int, late: bool, operation: Any = operation) -> bool:
                result, reached = await _interrupt(operation(), at, late=late)
                assert result is _CUT or isinstance(result, float)
                return reached

            assert await at_each_await(ping) >= 1
        assert await soon(ours.ping()) > 0


async def test_send_takes_nothing_back_wherever_it_is_cancelled() -> None:
    chunk = bytes(900 * KIB)
    limits = Limits(outbox_high=KIB, outbox_low=0, outbox_limit=64 * KIB * KIB)

    async def send(at: int, late: bool) -> bool:
        async with pair(client=Config(limits=limits)) as (ours, theirs):
            while ours.buffered_amount < 4 * len(chunk):
                ours.send(chunk)
            asyncio.get_running_loop().call_later(0.002, reading.set)
            sending = asyncio.ensure_future(_interrupt(ours.send("last"), at, late=late))
            await soon(reading.wait())
            messages: list[str | bytes] = []
            while not messages or messages[-1] != "last":
                messages.append(await soon(theirs.recv()))
            assert len(messages) == ours.stats.messages_sent
            assert all(message == chunk for message in messages[:-1])
            return (await sending)[1]

    reading = asyncio.Event()
    assert await at_each_await(send) >= 2


async def test_close_closes_wherever_it_is_cancelled() -> None:
    async with serve(echo, "127.0.0.1") as server:

        async def close(at: int, late: bool) -> bool:
            session = await soon(connect(url_of(server)))
            await session.send("hello")
            _, reached = await _interrupt(session.close(4000, "bye"), at, late=late)
            await eventually(lambda: session.closed)
            assert session.closed is not None and session.closed.code == 4000 and session.closed.clean
            assert await soon(session.recv()) == "hello"
            return reached

        assert await at_each_await(close) >= 1
        await eventually(lambda: not server.sessions)


@pytest.mark.parametrize("secure", [False, True])
async def test_connect_leaves_nothing_behind_wherever_it_is_cancelled(
    certificates: Certificates, secure: bool
) -> None:
    tls = certificates.server_context() if secure else None
    async with serve(echo, "127.0.0.1", ssl=tls) as server:
        url = f"wss://localhost:{server.port}/" if secure else f"ws://localhost:{server.port}/"
        ssl = certificates.client_context() if secure else None
        await (await connect(url, ssl=ssl)).close()  # the resolver's thread stays
        await eventually(lambda: not server.sessions)
        await turns()
        before = descriptors()

        async def open_one(at: int, late: bool) -> bool:
            result, reached = await _interrupt(connect(url, ssl=ssl), at, late=late)
            if isinstance(result, Session):
                await soon(result.close())
            await eventually(lambda: not server.sessions and descriptors() <= before)
            return reached

        assert await at_each_await(open_one) >= 3


async def test_starting_a_server_leaves_nothing_behind_wherever_it_is_cancelled() -> None:
    await (await serve(echo, "127.0.0.1")).shutdown()  # uvloop opens something for good, once
    await turns()
    before = descriptors()

    async def start(at: int, late: bool) -> bool:
        result, reached = await _interrupt(serve(echo, ["127.0.0.1", "127.0.0.2"]), at, late=late)
        if isinstance(result, Server):
            await result.shutdown()
        await eventually(lambda: descriptors() <= before)
        return reached

    await at_each_await(start)


async def test_shutdown_can_be_cancelled_anywhere_and_called_again() -> None:
    async def shut_down(at: int, late: bool) -> bool:
        server = await serve(echo, "127.0.0.1")
        sessions = [await soon(connect(url_of(server))) for _ in range(2)]
        _, reached = await _interrupt(server.shutdown(), at, late=late)
        await soon(server.shutdown())
        for session in sessions:
            await eventually(lambda session=session: session.closed)  # type: ignore[misc]
            assert session.closed is not None and session.closed.code == 1001
        return reached

    assert await at_each_await(shut_down) >= 1


async def test_a_message_in_parts_is_complete_or_closes_wherever_it_is_cancelled() -> None:
    parts = [bytes(70 * KIB)] * 3

    async def send(at: int, late: bool) -> bool:
        async with pair() as (ours, theirs):
            result, reached = await _interrupt(ours.send_fragments(parts), at, late=late)
            if result is None:
                assert await soon(theirs.recv()) == b"".join(parts)
                return reached
            with pytest.raises(ConnectionClosed) as end:
                await soon(theirs.recv())
            assert end.value.closed.code == 1011
            return reached

    assert await at_each_await(send) >= 3


async def test_a_broadcast_reaches_everybody_wherever_it_is_cancelled() -> None:
    high = Config(limits=Limits(outbox_high=KIB, outbox_low=0))

    async def send(at: int, late: bool) -> bool:
        async with pair(client=high) as (ours, theirs), pair(client=high) as (others, fourth):
            message = bytes(500 * KIB)
            _, reached = await _interrupt(broadcast([ours, others], message), at, late=late)
            assert await soon(theirs.recv()) == await soon(fourth.recv()) == message
            return reached

    await at_each_await(send)


# At random.


async def _cut(awaitable: Awaitable[T], chance: random.Random) -> T | object:
    """Await something for a few turns of the loop, or to its end; it may be complete all the same."""
    task = asyncio.ensure_future(awaitable)
    if chance.random() < 0.8:
        for _ in range(chance.choice((0, 1, 1, 2, 3, 4, 6))):
            await asyncio.sleep(0)
        task.cancel()
    await soon(asyncio.wait([task]))
    return _CUT if task.cancelled() else task.result()


class _Client:
    """Uses one connection after the other, each call with a good chance to be cut short."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self._url = url
        self._chance = chance
        self._sent: list[str | bytes] = []
        self._received = 0

    async def use(self, operations: int) -> None:
        session: Session | None = None
        for _ in range(operations):
            if session is None:
                opened = await _cut(connect(self._url), self._chance)
                session = opened if isinstance(opened, Session) else None
                self._sent, self._received = [], 0
            elif await self._do_something(session):
                await self._check_the_end(session)
                session = None
        if session is not None:
            session.start_closing(1000, "", discard=True)
            await self._check_the_end(session)

    async def _do_something(self, session: Session) -> bool:
        """Do one thing; tell whether it was the last one with this connection."""
        chance, what = self._chance, self._chance.random()
        if what < 0.45:
            number = len(self._sent)
            message: str | bytes = chance.choice(("ä", b"\x00")) * chance.choice((0, 1, 200, 3000))
            self._sent.append(
                f"{number} {message}" if isinstance(message, str) else b"%d " % number + message
            )
            await _cut(session.send(self._sent[-1]), chance)
        elif what < 0.9 and self._received < len(self._sent):
            message_or_cut = await _cut(session.recv(), chance)
            if message_or_cut is not _CUT:
                assert message_or_cut == self._sent[self._received]
                self._received += 1
        elif what < 0.98:
            while len(self._sent) - self._received > 9:  # a pong is not seen behind a full inbox
                assert await soon(session.recv()) == self._sent[self._received]
                self._received += 1
            await _cut(session.ping(), chance)
        else:
            await _cut(session.close(), chance)
            session.start_closing(1000, "", discard=True)  # it may not even have begun
            return True
        return False

    async def _check_the_end(self, session: Session) -> None:
        """Nothing that was sent is missing, apart from what `close` dropped and counted."""
        while not isinstance(event := await soon(session.next_event()), Closed):
            if isinstance(event, (str, bytes)):
                assert event == self._sent[self._received]
                self._received += 1
        assert event.clean and event.code == 1000
        assert self._received + event.dropped == len(self._sent)


async def _soak(operations: int, seed: int) -> None:
    async with serve(echo, "127.0.0.1") as server:
        await asyncio.gather(
            *(_Client(url_of(server), random.Random(seed + index)).use(operations // 8) for index in range(8))
        )
        await eventually(lambda: not server.sessions)


@pytest.mark.parametrize(("operations", "debug"), [(200, True), (3000, False)])
def test_some_thousand_calls_cut_short_at_random_lose_and_double_nothing(
    new_loop: LoopFactory, operations: int, debug: bool
) -> None:
    run(lambda: _soak(operations, seed=operations), new_loop, debug=debug)


@pytest.mark.slow
def test_many_calls_cut_short_at_random_lose_and_double_nothing(new_loop: LoopFactory) -> None:
    run(lambda: _soak(100_000, seed=100), new_loop, debug=False)


async def test_after_our_close_was_cut_short_nothing_more_can_be_sent() -> None:
    async with pair() as (ours, _):
        await _interrupt(ours.close(), 1, late=False)
        with pytest.raises((LocalProtocolError, ConnectionClosed)):
            ours.send("too late")
