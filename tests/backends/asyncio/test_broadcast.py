"""Broadcasts over real sockets, and what becomes of the peers that read too slowly."""

import asyncio
from typing import Any

import pytest

from support.looped import eventually, idle, soon, url_of
from support.raw import RawPeer, dial_upgraded
from support.wire import CLOSE
from wscore import Config, Deflate, Endpoint, Limits, PreparedMessage
from wscore._typing import override
from wscore.policy import SlowConsumer
from wscore_asyncio import Server, Session, broadcast, connect, serve

KIB = 1024
LIMITS = Limits(outbox_high=64 * KIB, outbox_low=16 * KIB, outbox_limit=2048 * KIB)


async def _server(policy: SlowConsumer, handler: Any = idle) -> Server:
    return await serve(handler, "127.0.0.1", config=Config(limits=LIMITS), slow_consumer=policy)


async def _slow_peer(server: Server) -> tuple[Session, RawPeer]:
    """Connect a peer that does not read, and fill all there is between it and its session."""
    before = set(server.sessions)
    peer = await asyncio.to_thread(lambda: dial_upgraded(server.port, receive_buffer=4 * KIB))
    (session,) = await eventually(lambda: set(server.sessions) - before)
    while session.buffered_amount < 64 * KIB:
        session.send(bytes(16 * KIB))
        await asyncio.sleep(0)
    return session, peer


def _payloads(peer: RawPeer, last: bytes) -> list[bytes]:
    """Read until a message comes; return it and what came before."""
    payloads = [b""]
    while payloads[-1] != last:
        first, payload = peer.read_frame()
        payloads.append(payload)
        if first & 0xF == CLOSE:
            break
    return payloads[1:]


def _numbered(number: int) -> bytes:
    return b"%d" % number


async def test_a_broadcast_reaches_all_and_is_framed_once_for_those_that_agreed_on_the_same() -> None:
    config = Config(compression=Deflate())
    async with serve(idle, "127.0.0.1", config=config) as server:
        sessions = [
            await soon(connect(url_of(server), config=config if plain else None)) for plain in (0, 1, 0)
        ]
        await eventually(lambda: len(server.sessions) == 3)
        text = "to all of you " * 50
        for message in (text, b"bytes", PreparedMessage("made")):
            result = broadcast(server.sessions, message)
            assert list(result.__await__()) == []  # there was room everywhere
        for session in sessions:
            assert [await soon(session.recv()) for _ in range(3)] == [text, b"bytes", "made"]
        with pytest.raises(TypeError):
            broadcast(server.sessions, 5)  # type: ignore[arg-type]
        sessions[0].abort()
        await eventually(lambda: len(server.sessions) == 2)
        broadcast([*sessions, *server.sessions], "once more")  # one of them has ended: it is left out
        assert await soon(sessions[1].recv()) == "once more"
        await asyncio.gather(*(session.close() for session in sessions))


async def test_with_wait_the_sender_waits_and_everybody_gets_everything() -> None:
    server = await _server(SlowConsumer.WAIT)
    async with server, connect(url_of(server)) as quick:
        _, peer = await _slow_peer(server)
        waiting = []
        for number in range(20):
            waiting.append(asyncio.ensure_future(broadcast(server.sessions, _numbered(number))))
            assert await soon(quick.recv()) == _numbered(number)
        assert not any(sender.done() for sender in waiting)
        payloads = await asyncio.to_thread(_payloads, peer, _numbered(19))
        assert payloads[-20:] == [_numbered(number) for number in range(20)]
        await soon(asyncio.wait(waiting))
        peer.close()


async def test_with_wait_a_peer_beyond_the_hard_limit_is_closed() -> None:
    server = await _server(SlowConsumer.WAIT)
    async with server:
        session, peer = await _slow_peer(server)
        chunk = bytes(256 * KIB)
        while session.state.name == "OPEN":
            broadcast(server.sessions, chunk)  # not awaited
        await asyncio.to_thread(_payloads, peer, b"\x03\xf0the peer reads too slowly")  # 1008
        peer.close()


async def test_with_drop_the_slow_one_misses_what_had_no_room() -> None:
    server = await _server(SlowConsumer.DROP)
    async with server, connect(url_of(server)) as quick:
        session, peer = await _slow_peer(server)
        for number in range(20):
            await broadcast(server.sessions, _numbered(number))
            assert await soon(quick.recv()) == _numbered(number)
        assert session.broadcasts_dropped == 20

        async def read() -> list[bytes]:
            return await asyncio.to_thread(_payloads, peer, b"later")

        reading = asyncio.ensure_future(read())
        await eventually(lambda: session.buffered_amount == 0)
        await broadcast(server.sessions, b"later")
        payloads = await soon(reading)
        assert not {_numbered(number) for number in range(20)} & set(payloads)
        peer.close()


async def test_with_drop_oldest_the_slow_one_gets_the_newest_when_it_reads_again() -> None:
    server = await _server(SlowConsumer.DROP_OLDEST)
    async with server, connect(url_of(server)) as quick:
        session, peer = await _slow_peer(server)
        for number in range(50):
            await broadcast(server.sessions, _numbered(number))
            assert await soon(quick.recv()) == _numbered(number)
        payloads = await asyncio.to_thread(_payloads, peer, _numbered(49))
        kept = 50 - session.broadcasts_dropped
        assert 0 < kept < 50
        assert payloads[-kept:] == [_numbered(number) for number in range(50 - kept, 50)]
        assert _numbered(0) not in payloads
        await broadcast(server.sessions, b"later")
        assert (await asyncio.to_thread(_payloads, peer, b"later"))[-1] == b"later"
        peer.close()


async def test_with_close_the_slow_one_is_closed_with_1008() -> None:
    server = await _server(SlowConsumer.CLOSE)
    async with server, connect(url_of(server)) as quick:
        _, peer = await _slow_peer(server)
        await broadcast(server.sessions, b"hello")
        assert await soon(quick.recv()) == b"hello"
        payloads = await asyncio.to_thread(_payloads, peer, b"\x03\xf0the peer reads too slowly")
        assert b"hello" not in payloads and payloads[-1][:2] == b"\x03\xf0"
        peer.close()


async def test_a_room_of_plain_hooks_that_tell_each_other_everything_keeps_the_order() -> None:
    class Room(Endpoint):
        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            broadcast(server.sessions, message)

    server = await _server(SlowConsumer.WAIT, Room())
    async with server:
        sessions = [await soon(connect(url_of(server))) for _ in range(5)]
        await eventually(lambda: len(server.sessions) == 5)
        for number in range(20):
            for index, session in enumerate(sessions):
                await session.send(f"{index} {number}")
        heard = [[await soon(session.recv()) for _ in range(100)] for session in sessions]
        assert all(each == heard[0] for each in heard)
        for index in range(5):
            said = [message for message in heard[0] if str(message).startswith(f"{index} ")]
            assert said == [f"{index} {number}" for number in range(20)]
        await asyncio.gather(*(session.close() for session in sessions))
