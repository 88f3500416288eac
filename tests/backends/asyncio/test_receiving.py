"""Receiving on asyncio: one task at a time, nothing lost, and others have their turn."""

import asyncio
from collections import deque
from time import monotonic

import pytest

from support.looped import client_of_raw_server, eventually, pair, run, soon, turns
from support.wire import BINARY, CLOSE, PING, PONG, TEXT, frame, status
from wscore import BatchMode, Closed, Config, ConnectionClosed, Endpoint, Limits, LocalProtocolError, Timeouts
from wscore._typing import override
from wscore_asyncio import Session

KIB = 1024


async def test_a_second_task_that_receives_is_told_so_and_the_first_one_goes_on() -> None:
    async with pair() as (ours, theirs):
        first = asyncio.ensure_future(ours.recv())
        await turns()
        with pytest.raises(LocalProtocolError):
            await ours.recv()
        await theirs.send("for the first")
        assert await soon(first) == "for the first"
        await theirs.send("for the next")
        assert await soon(ours.recv()) == "for the next"


async def test_who_is_cancelled_while_waiting_leaves_its_place_and_takes_nothing() -> None:
    async with pair() as (ours, theirs):
        for number in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ours.recv(), 0.001)
            await theirs.send(str(number))
            assert await soon(ours.recv()) == str(number)


class _Plain(Endpoint):
    pass


class _Awaiting(Endpoint):
    @override
    async def on_message(self, session: Session, message: str | bytes) -> None:
        pass


@pytest.mark.parametrize("endpoint", [_Plain, _Awaiting])
async def test_nobody_can_receive_beside_an_endpoint_not_even_after_the_end(endpoint: type[Endpoint]) -> None:
    async with client_of_raw_server(endpoint) as (session, peer):
        with pytest.raises(LocalProtocolError):
            await session.recv()
        peer.close()
        await eventually(lambda: session.closed)
        with pytest.raises(LocalProtocolError):
            await session.recv()


async def test_iteration_ends_after_a_clean_close_and_raises_after_any_other() -> None:
    async with client_of_raw_server() as (session, peer):
        peer.send(frame(TEXT, b"a", masked=False) + frame(CLOSE, status(1001), masked=False))
        assert [message async for message in session] == ["a"]
        assert session.closed is not None and session.closed.code == 1001
        with pytest.raises(ConnectionClosed):
            await session.recv()
        assert isinstance(await session.next_event(), Closed)
    async with client_of_raw_server() as (session, peer):
        peer.send(frame(TEXT, b"a", masked=False))
        peer.end_writing()
        assert await soon(anext(session)) == "a"
        with pytest.raises(ConnectionClosed) as end:
            await soon(anext(session))
        assert end.value.closed.code == 1006


async def test_fragments_are_received_as_such_with_stream_and_only_then() -> None:
    streaming = Config(stream=True)
    async with pair(server=streaming) as (ours, theirs):
        await ours.send("whole")
        assert (await soon(theirs.recv_fragment())).data == "whole"
        await ours.send("whole")
        with pytest.raises(LocalProtocolError):
            await soon(theirs.recv())
        await theirs.send("whole")
        with pytest.raises(LocalProtocolError):
            await soon(ours.recv_fragment())


# Others have their turn.


@pytest.mark.parametrize("kind", ["function", "plain", "awaiting"])
async def test_a_flood_of_messages_does_not_keep_the_loop_from_turning(kind: str) -> None:
    number = 10_000
    seen, gaps, running = 0, deque([0.0]), True

    async def watch() -> None:
        before = monotonic()
        while running:
            await asyncio.sleep(0)
            gaps.append(monotonic() - before)
            before = monotonic()

    class Counting(Endpoint):
        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            nonlocal seen
            seen += 1

    class CountingLater(Endpoint):
        @override
        async def on_message(self, session: Session, message: str | bytes) -> None:
            nonlocal seen
            seen += 1

    async def count(session: Session) -> None:
        nonlocal seen
        async for _ in session:
            seen += 1

    handler = {"function": count, "plain": Counting, "awaiting": CountingLater}[kind]
    async with client_of_raw_server(handler) as (_, peer):
        watching = asyncio.ensure_future(watch())
        sending = asyncio.ensure_future(
            asyncio.to_thread(peer.send, frame(BINARY, b"", masked=False) * number)
        )
        await eventually(lambda: seen == number)
        running = False
        await watching
        await sending
        # At least one turn for each thousand messages.
        assert len(gaps) > number // 1000


# What waits, and what was held back.


async def test_nothing_is_delivered_while_suspended_and_everything_after_it() -> None:
    messages: list[str | bytes] = []

    class Keeps(Endpoint):
        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            messages.append(message)

    async with client_of_raw_server(Keeps()) as (session, peer):
        session.suspend()
        peer.send(frame(TEXT, b"a", masked=False) + frame(PING, b"?", masked=False))
        first, payload = await asyncio.to_thread(peer.read_frame)
        assert (first & 0xF, payload) == (PONG, b"?") and messages == []
        session.resume()
        await eventually(lambda: messages == ["a"])
        session.suspend()
        peer.send_frame(TEXT, b"b")
        peer.close()
        await eventually(lambda: session.stats.messages_received == 2)
        session.resume()
        await eventually(lambda: messages == ["a", "b"] and session.closed)


async def test_a_receiver_waits_while_its_session_is_suspended() -> None:
    async with pair() as (ours, theirs):
        ours.suspend()
        receiving = asyncio.ensure_future(ours.recv())
        await theirs.send("hello")
        await eventually(lambda: ours.stats.messages_received == 1)
        await turns()
        assert not receiving.done()
        ours.resume()
        assert await soon(receiving) == "hello"


async def test_who_does_not_receive_stops_the_peer_and_gets_everything_later() -> None:
    chunk, number = bytes(32 * KIB), 400
    async with pair() as (ours, theirs):

        async def send_all() -> None:
            for _ in range(number):
                await ours.send(chunk)

        sending = asyncio.ensure_future(send_all())
        await eventually(lambda: ours.buffered_amount > 64 * KIB)
        await asyncio.sleep(0.1)
        assert not sending.done()
        assert theirs.stats.wire_received < 64 * KIB + 512 * KIB
        for _ in range(number):
            assert await soon(theirs.recv()) == chunk
        await soon(sending)


async def test_a_ping_behind_messages_is_answered_as_soon_as_those_are_taken_whoever_waits() -> None:
    small = Config(limits=Limits(inbox_high=1000, inbox_low=100))
    async with client_of_raw_server(config=small) as (session, peer):
        session.batch_mode = BatchMode.ON
        await session.send("held")
        messages = frame(BINARY, bytes(600), masked=False) * 3
        peer.send(messages + frame(PING, b"?", masked=False))
        await eventually(lambda: session.stats.messages_received >= 2)
        await turns()
        for _ in range(3):
            await soon(session.recv())
        await turns()  # nobody waits in recv
        # RFC 6455 section 5.5.2: "as soon as is practical"
        replies = [await asyncio.to_thread(peer.read_frame) for _ in range(2)]
        assert {(first & 0xF, payload) for first, payload in replies} == {(PONG, b"?"), (TEXT, b"held")}


async def test_an_endpoint_goes_on_when_the_peer_reads_again() -> None:
    """Nothing is delivered while replies find no room; that room came back is reason enough to go on."""
    chunk, number = b"x" * 16 * KIB, 1000

    class Replies(Endpoint):
        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            session.send(message)

    no_timers = Timeouts(keepalive=None, pong=None, write_stall=None)
    async with client_of_raw_server(
        Replies(), Config(timeouts=no_timers, limits=Limits(outbox_high=32 * KIB)), receive_buffer=64 * KIB
    ) as (session, peer):
        message = frame(BINARY, chunk, masked=False)
        sending = asyncio.ensure_future(asyncio.to_thread(peer.send, message * number))
        await eventually(lambda: session.buffered_amount > 32 * KIB)
        await asyncio.sleep(0.05)

        def read_all() -> None:
            for _ in range(number):
                assert peer.read_frame() == (0x80 | BINARY, chunk)

        await asyncio.to_thread(read_all)
        await sending


def test_a_loop_stays_quiet_in_debug_mode_and_out_of_it() -> None:
    """The checks of `run` work: who leaves a task that failed behind is found out."""

    async def leave_behind() -> None:
        async def fail() -> None:
            raise ValueError

        failing = asyncio.ensure_future(fail())
        await turns()
        del failing

    with pytest.raises(AssertionError, match="never retrieved"):
        run(leave_behind, asyncio.new_event_loop)
