"""Time on asyncio: the core's deadlines fire, and not while output still moves."""

import asyncio
import socket
import time
from time import monotonic

import pytest

from support.looped import client_of_raw_server, eventually, idle, pair, soon
from support.raw import RawListener, dial
from support.wire import BINARY, PING, PONG, TEXT, frame
from wscore import Config, ConnectionClosed, Limits, TimedOut, Timeouts, Timer
from wscore_asyncio import connect, serve

KIB = 1024
MIB = 1024 * KIB


def timeouts(**seconds: float) -> Config:
    """Return a Config with these timeouts, all others off."""
    off = {"open": None, "close": None, "keepalive": None, "pong": None, "write_stall": None}
    return Config(timeouts=Timeouts(**{**off, **seconds}), limits=Limits(outbox_limit=64 * MIB))


async def test_a_silent_peer_is_pinged_and_given_up_when_it_does_not_answer() -> None:
    async with client_of_raw_server(config=timeouts(keepalive=0.05, pong=0.1)) as (session, peer):
        first, payload = await asyncio.to_thread(peer.read_frame)
        assert first == 0x80 | PING
        peer.send_frame(PONG, payload)
        await eventually(lambda: session.latency is not None)
        assert (await asyncio.to_thread(peer.read_frame))[0] == 0x80 | PING
        with pytest.raises(ConnectionClosed) as end:
            await soon(session.recv())
        assert end.value.closed.timer is Timer.PONG and end.value.closed.code == 1006


async def test_two_sides_that_have_nothing_to_say_keep_each_other_alive() -> None:
    config = timeouts(keepalive=0.02, pong=1.0)
    async with pair(client=config, server=config) as (ours, theirs):
        await asyncio.sleep(0.3)
        assert ours.closed is None and theirs.closed is None
        assert ours.stats.pings_received + theirs.stats.pings_received > 3


async def test_keepalive_does_not_end_a_connection_whose_reader_is_paused() -> None:
    config = timeouts(keepalive=0.02, pong=0.02)
    async with client_of_raw_server(config=config) as (session, peer):
        sending = asyncio.ensure_future(
            asyncio.to_thread(peer.send, frame(BINARY, bytes(16 * KIB), masked=False) * 50)
        )
        await eventually(lambda: session.stats.messages_received >= 4)
        await asyncio.sleep(0.15)
        assert session.closed is None
        for _ in range(50):
            await soon(session.recv())
        await sending


async def test_a_peer_that_never_reads_is_given_up_after_one_write_stall() -> None:
    """Not after two: that the kernel takes what fits is no sign of life later on."""
    stall = 0.5
    async with client_of_raw_server(config=timeouts(write_stall=stall), receive_buffer=4 * KIB) as (
        session,
        _,
    ):
        begun = monotonic()
        await soon(session.send(bytes(16 * MIB)))
        took = monotonic() - begun
        assert session.closed is not None and session.closed.timer is Timer.WRITE_STALL
        assert stall <= took < 1.9 * stall


async def test_a_peer_that_reads_slowly_is_not_given_up() -> None:
    size = 2 * MIB
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * KIB)  # the kernel's buffer hides what moves
    with RawListener(receive_buffer=32 * KIB) as listener:
        sock.connect(("127.0.0.1", listener.port))
        opening = asyncio.ensure_future(
            connect(listener.url, sock=sock, config=timeouts(write_stall=0.4))._open()
        )
        peer = await asyncio.to_thread(listener.accept_upgrade)
        session = await opening
        sending = asyncio.ensure_future(session.send(bytes(size)))
        begun, received = monotonic(), 0
        while received < size:
            received += len(await asyncio.to_thread(peer.receive, 16 * KIB))
            if monotonic() - begun < 1.0:
                await asyncio.sleep(0.02)
        await soon(sending)
        assert session.closed is None
        session.abort()


async def test_idle_and_lifetime_close_with_1001() -> None:
    for config, timer in ((timeouts(idle=0.05), Timer.IDLE), (timeouts(lifetime=0.05), Timer.LIFETIME)):
        async with client_of_raw_server(config=config) as (session, peer):
            assert await asyncio.to_thread(peer.read_close) == 1001
            peer.send_close(1001)
            peer.end_writing()
            with pytest.raises(ConnectionClosed) as end:
                await soon(session.recv())
            assert end.value.closed.code == 1001 and end.value.closed.timer is timer


async def test_close_ends_in_time_when_the_peer_does_not_answer() -> None:
    async with client_of_raw_server(config=timeouts(close=0.1)) as (session, _):
        begun = monotonic()
        await soon(session.close())
        assert 0.1 <= monotonic() - begun < 2
        assert session.closed is not None and session.closed.timer is Timer.CLOSE


async def test_an_opening_handshake_ends_in_time_on_either_side() -> None:
    with RawListener() as listener:
        begun = monotonic()
        with pytest.raises(TimedOut) as error:
            await connect(listener.url, config=timeouts(open=0.1))
        assert error.value.timer is Timer.OPEN and 0.1 <= monotonic() - begun < 2
    async with serve(idle, "127.0.0.1", config=timeouts(open=0.1)) as server:
        with dial(server.port) as peer:
            peer.send(b"GET / HTTP/1.1\r\n")
            assert await asyncio.to_thread(peer.is_lost)


async def test_a_timer_looks_at_what_has_arrived_before_it_gives_up() -> None:
    """The loop stood still for longer than the timeout; the pong is in the kernel all the time."""
    async with client_of_raw_server(config=timeouts(keepalive=0.05, pong=0.2)) as (session, peer):
        first, payload = await asyncio.to_thread(peer.read_frame)
        assert first == 0x80 | PING
        peer.send_frame(PONG, payload)
        time.sleep(0.4)  # this is the point
        peer.send_frame(TEXT, b"still there")
        assert await soon(session.recv()) == "still there"


async def test_a_ping_measures_the_round_trip_and_times_out_without_an_end() -> None:
    async with pair() as (ours, theirs):
        latency = await soon(ours.ping(b"?"))
        assert 0 < latency < 20 and ours.latency == latency
        assert len(await asyncio.gather(*(theirs.ping() for _ in range(10)))) == 10
    async with client_of_raw_server(config=timeouts()) as (session, peer):
        with pytest.raises(TimeoutError):
            await session.ping(b"!", timeout=0.02)
        assert session.closed is None
        waiting = asyncio.ensure_future(session.ping())
        await asyncio.to_thread(peer.read_frame)
        peer.close()
        with pytest.raises(ConnectionClosed):
            await soon(waiting)
