"""Sending on asyncio: queued at once, awaited only above the high mark, and written once for each turn."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from support.looped import client_of_raw_server, eventually, pair, soon, turns
from support.wire import BINARY, TEXT
from wscore import (
    BatchMode,
    CloseCode,
    Config,
    ConnectionClosed,
    Endpoint,
    Limits,
    LocalProtocolError,
    PreparedMessage,
    WriteBufferFull,
)
from wscore._typing import override
from wscore_asyncio import Session
from wscore_asyncio._link import Link

KIB = 1024
MIB = 1024 * KIB


class _Counting:
    """A transport that counts what is written."""

    def __init__(self, transport: Any, writes: list[bytes]) -> None:
        self._transport = transport
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._writes.append(bytes(data))
        self._transport.write(data)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What all connections of the test write, one entry for each call."""
    written: list[bytes] = []
    original = Link.connection_made
    monkeypatch.setattr(
        Link,
        "connection_made",
        lambda link, transport: original(link, cast(Any, _Counting(transport, written))),
    )
    return written


# What send returns.


async def test_gather_and_wait_for_take_what_send_returns() -> None:
    async with pair() as (ours, theirs):
        await asyncio.gather(*(ours.send(str(number)) for number in range(5)))
        await asyncio.wait_for(ours.send(b"5"), 10)
        await asyncio.wait([asyncio.ensure_future(ours.send("6"))])
        assert [await soon(theirs.recv()) for _ in range(7)] == ["0", "1", "2", "3", "4", b"5", "6"]


async def test_what_send_returns_is_no_coroutine_and_need_not_be_awaited() -> None:
    async with pair() as (ours, theirs):
        result = ours.send("hello")
        assert not asyncio.iscoroutine(result)
        del result  # filterwarnings is "error": a coroutine that was never awaited would show here
        assert await soon(theirs.recv()) == "hello"


async def test_awaiting_takes_no_turn_of_the_loop_while_there_is_room() -> None:
    async with pair() as (ours, theirs):
        assert list(ours.send("hello").__await__()) == []
        assert await soon(theirs.recv()) == "hello"


async def test_every_kind_of_message_can_be_sent_and_json_comes_back_as_what_it_was() -> None:
    async with pair() as (ours, theirs):
        for message in ("text", b"bytes", bytearray(b"array"), memoryview(b"view"), PreparedMessage("made")):
            await ours.send(message)
        expected = ["text", b"bytes", b"array", b"view", "made"]
        assert [await soon(theirs.recv()) for _ in range(5)] == expected
        await ours.send_json({"a": [1, None, "ä"]})
        assert await soon(theirs.recv_json()) == {"a": [1, None, "ä"]}
        with pytest.raises(LocalProtocolError):
            ours.send_json(float("nan"))
        await ours.send("no json")
        with pytest.raises(ValueError, match="Expecting value"):
            await soon(theirs.recv_json())
        await ours.send(b"[1]")
        assert await soon(theirs.recv_json()) == [1]


async def test_errors_are_raised_by_the_call_itself() -> None:
    async with pair(client=Config(limits=Limits(outbox_limit=MIB))) as (ours, _):
        with pytest.raises(TypeError):
            ours.send(1)  # type: ignore[arg-type]
        ours.send(bytes(900 * KIB))
        with pytest.raises(WriteBufferFull):
            _send_on(ours)
        ours.start_closing(1000, "")
        with pytest.raises(LocalProtocolError):
            ours.send("after our Close")
        ours.abort()
        with pytest.raises(ConnectionClosed):
            ours.send("after the end")


def _send_on(session: Session) -> None:
    while True:
        session.send(bytes(900 * KIB))


# Waiting for room.


async def test_awaiting_waits_above_the_high_mark_until_the_peer_reads() -> None:
    chunk, number = b"x" * 64 * KIB, 150
    async with client_of_raw_server(receive_buffer=64 * KIB) as (session, peer):

        async def send_all() -> None:
            for _ in range(number):
                await session.send(chunk)

        sending = asyncio.ensure_future(send_all())
        await eventually(lambda: session.buffered_amount > 64 * KIB)
        await asyncio.sleep(0.1)
        assert not sending.done() and session.buffered_amount < 3 * 64 * KIB

        def read_all() -> None:
            for _ in range(number):
                assert peer.read_frame() == (0x80 | BINARY, chunk)

        await asyncio.to_thread(read_all)
        await soon(sending)


async def test_above_the_high_mark_the_loop_turns_even_if_the_kernel_takes_everything() -> None:
    async with pair() as (ours, theirs):
        turned = False

        def note() -> None:
            nonlocal turned
            turned = True

        asyncio.get_running_loop().call_soon(note)
        await ours.send(b"x" * 65 * KIB)
        assert turned
        assert len(await soon(theirs.recv())) == 65 * KIB


async def test_a_cancelled_wait_for_room_takes_nothing_back() -> None:
    async with client_of_raw_server(receive_buffer=64 * KIB) as (session, peer):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.send(b"x" * 16 * MIB), 0.02)
        with pytest.raises(WriteBufferFull):
            session.send("more")
        assert await asyncio.to_thread(peer.read_frame) == (0x80 | BINARY, b"x" * 16 * MIB)
        await eventually(lambda: session.buffered_amount == 0)
        await session.send("more")
        assert await asyncio.to_thread(peer.read_frame) == (0x80 | TEXT, b"more")


async def test_whoever_waits_for_room_is_released_when_the_connection_ends() -> None:
    async with client_of_raw_server(receive_buffer=64 * KIB) as (session, _):
        waiting = asyncio.ensure_future(session.send(b"x" * 16 * MIB))
        await turns()
        assert not waiting.done()
        session.abort()
        await soon(waiting)


# When it leaves.


async def test_what_one_turn_of_the_loop_sends_leaves_in_one_write(writes: list[bytes]) -> None:
    async with pair() as (ours, theirs):
        writes.clear()
        for number in range(20):
            await ours.send(str(number))
        assert writes == []
        await turns(2)
        assert len(writes) == 1
        assert [await soon(theirs.recv()) for _ in range(20)] == [str(number) for number in range(20)]


async def test_what_was_sent_leaves_before_a_reader_waits(writes: list[bytes]) -> None:
    async with pair() as (ours, theirs):
        writes.clear()
        await ours.send("question")
        assert writes == []
        receiving = ours.recv()
        receiving.send(None)  # to where it waits; the loop has not turned
        assert len(writes) == 1
        receiving.close()
        assert await soon(theirs.recv()) == "question"
        await theirs.send("answer")
        assert await soon(ours.recv()) == "answer"


async def test_replies_of_plain_hooks_to_one_batch_of_input_leave_in_one_write(writes: list[bytes]) -> None:
    async with client_of_raw_server(_Replies()) as (session, peer):
        writes.clear()
        with_all = b"".join(bytes([0x81, 1]) + str(number).encode() for number in range(9))
        peer.send(with_all)
        assert [(await asyncio.to_thread(peer.read_frame))[1] for _ in range(9)] == [
            str(number).encode() for number in range(9)
        ]
        assert len(writes) <= session.stats.messages_received  # at most one for each segment that came
        assert sum(map(len, writes)) == 9 * 7


class _Replies(Endpoint):
    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        session.send(message)


async def test_batch_mode_off_writes_each_message_at_once_also_from_hooks(writes: list[bytes]) -> None:
    class ThreeTimes(Endpoint):
        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            session.batch_mode = BatchMode.OFF
            before = len(writes)
            for _ in range(3):
                session.send(message)
            assert len(writes) == before + 3

    async with client_of_raw_server(ThreeTimes()) as (session, peer):
        peer.send_frame(TEXT, b"x")
        for _ in range(3):
            assert await asyncio.to_thread(peer.read_frame) == (0x81, b"x")
        before = len(writes)
        session.send("y")
        session.send("z")
        assert len(writes) == before + 2


async def test_batch_mode_on_holds_messages_until_flush_or_the_high_mark(writes: list[bytes]) -> None:
    async with pair() as (ours, theirs):
        writes.clear()
        ours.batch_mode = BatchMode.ON
        await ours.send("a")
        await ours.send("b")
        await turns()
        assert writes == []
        ours.flush()
        assert len(writes) == 1
        for _ in range(70):
            await ours.send(bytes(KIB))
        assert len(writes) == 2  # it had to pass the high mark
        assert [await soon(theirs.recv()) for _ in range(2)] == ["a", "b"]


async def test_what_was_held_back_leaves_with_the_next_message_in_another_mode() -> None:
    async with pair() as (ours, theirs):
        ours.batch_mode = BatchMode.ON
        await ours.send("held")
        ours.batch_mode = BatchMode.AUTO
        await ours.send("sent")
        assert [await soon(theirs.recv()) for _ in range(2)] == ["held", "sent"]


async def test_a_pong_takes_along_what_was_held_back() -> None:
    async with pair() as (ours, theirs):
        ours.batch_mode = BatchMode.ON
        await ours.send("held")
        await soon(theirs.ping())
        assert await soon(theirs.recv()) == "held"


async def test_what_is_on_its_way_is_not_held_by_a_message_in_parts() -> None:
    async with pair() as (ours, theirs):
        ours.send("on its way")
        ours.batch_mode = BatchMode.ON
        await ours.send_fragments(["in ", "parts"])
        assert [await soon(theirs.recv()) for _ in range(2)] == ["on its way", "in parts"]


async def test_what_is_on_its_way_is_not_held_by_a_message() -> None:
    async with pair() as (ours, theirs):
        ours.send("on its way")
        ours.batch_mode = BatchMode.ON
        await ours.send("along")
        await ours.send("held")
        assert await soon(theirs.recv()) == "on its way"


# Several tasks, and messages in parts.


async def test_several_tasks_send_whole_messages_and_messages_in_parts_without_mixing_them() -> None:
    async def send_whole(session: Session, name: int) -> None:
        for number in range(30):
            await session.send(bytes([name, number]) + bytes(5000))

    async def send_in_parts(session: Session, name: int) -> None:
        async def parts(number: int) -> AsyncIterator[bytes]:
            for part in (bytes([name, number]), bytes(20 * KIB), b"end"):
                await asyncio.sleep(0)
                yield part

        for number in range(30):
            await session.send_fragments(parts(number))

    async with pair() as (ours, theirs), asyncio.TaskGroup() as group:
        for name in range(3):
            group.create_task(send_whole(ours, name))
            group.create_task(send_in_parts(ours, 3 + name))
        numbers: dict[int, list[int]] = {name: [] for name in range(6)}
        for _ in range(180):
            message = await soon(theirs.recv())
            assert isinstance(message, bytes)
            assert message[2:] == (bytes(5000) if message[0] < 3 else bytes(20 * KIB) + b"end")
            numbers[message[0]].append(message[1])
        assert all(seen == list(range(30)) for seen in numbers.values())


@pytest.mark.parametrize("bad", [[], [1], ["text", b"bytes"], "one part"])
async def test_parts_that_cannot_be_sent_are_an_error_and_harmless_if_nothing_had_left(bad: Any) -> None:
    async with pair() as (ours, theirs):
        with pytest.raises(TypeError if bad in ([1], "one part") else LocalProtocolError):
            await ours.send_fragments(bad)
        if len(bad) == 2:  # the message had begun
            with pytest.raises(ConnectionClosed) as end:
                await soon(theirs.recv())
            assert end.value.closed.code == CloseCode.INTERNAL_ERROR
        else:
            await ours.send("still open")
            assert await soon(theirs.recv()) == "still open"


async def test_a_message_in_parts_that_is_cancelled_closes_with_1011() -> None:
    async with pair() as (ours, theirs):
        parts = ["x" * 70 * KIB] * 1000
        sending = asyncio.create_task(ours.send_fragments(parts))
        await turns(3)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        with pytest.raises(ConnectionClosed) as end:
            await soon(theirs.recv())
        assert end.value.closed.code == CloseCode.INTERNAL_ERROR
