"""Peers that send as much as they can of what costs most: memory stays bounded, and others are served."""

import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Final

import pytest

from support.crowd import Crowd
from support.eventually import background
from support.measure import KIB, MIB
from support.raw import RawPeer, dial_upgraded
from support.servers import Running, running
from support.stopwatch import Stopwatch
from support.wire import BINARY, CONTINUATION, DEFLATING, PING, TEXT, frame, status

_START: Final = frame(BINARY, b"x", masked=True, final=False)
_ONE_BYTE: Final = frame(CONTINUATION, b"x", masked=True, final=False)
_EMPTY: Final = frame(CONTINUATION, b"", masked=True, final=False)
_FRAGMENTS: Final = _START + _ONE_BYTE * 20_000
_HALF: Final = frame(BINARY, b"x" * 600 * KIB, masked=True, final=False)

FLOODS: Final = {
    "pings": frame(PING, b"", masked=True) * 10_000,
    "big pings": frame(PING, b"x" * 125, masked=True) * 500,
    "empty messages": frame(TEXT, b"", masked=True) * 10_000,
    "empty fragments": _START + _EMPTY * 10_000,
    "fragments of a byte": _FRAGMENTS,
    "a message in many fragments": (_START + _ONE_BYTE * 15_000 + frame(CONTINUATION, b"", masked=True)),
}


def _bomb() -> bytes:
    """Compress zeros, more of them than a message may have."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(bytes(8 * MIB)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return frame(BINARY, packed[:-4], masked=True, rsv=0x40)


@contextmanager
def flooded(server: Running, number: int, flood: bytes) -> Iterator[None]:
    """Let so many clients send flood again and again, and read nothing."""
    over = threading.Event()
    with Crowd(server.port, number) as crowd:
        for member in crowd.members:
            member.reads = False
            member.repeats = flood
        driving = background(lambda: crowd.drive(over.is_set, timeout=120))
        try:
            yield
        finally:
            over.set()
            driving.result()


def echo_times(peer: RawPeer, number: int) -> list[float]:
    """Send that many messages, one after the other; tell how long each echo took, the longest last."""
    watch = Stopwatch()
    moments = [watch.seconds]
    for _ in range(number):
        _echo(peer)
        moments.append(watch.seconds)
    watch.stop()
    return sorted(after - before for before, after in pairwise(moments))


def _echo(peer: RawPeer) -> None:
    peer.send_frame(TEXT, b"still there?")
    assert peer.read_frame() == (0x80 | TEXT, b"still there?")


def _drain(crowd: Crowd) -> None:
    """Let everybody send what it has, or learn that nobody wants it."""
    crowd.drive(lambda: all(member.ended or not member.unsent for member in crowd.members), timeout=120)


def test_every_flood_fits_into_little_memory_and_others_are_served(backend: str) -> None:
    """T-R1: with 64 MiB of address space beyond an idle server nobody ever misses memory."""
    attackers, bomb = 5, _bomb()
    with running(backend, room=64 * MIB, compressed=True) as server, dial_upgraded(server.port) as good:
        _echo(good)
        for flood in FLOODS.values():
            with Crowd(server.port, attackers) as crowd:
                for member in crowd.members:
                    member.reads = False
                    member.write(flood)
                _drain(crowd)
                _echo(good)
        with Crowd(server.port, attackers, request=DEFLATING) as crowd:
            for member in crowd.members:
                member.write(bomb)
            crowd.drive(lambda: all(member.ended for member in crowd.members))
            assert {bytes(member.received[2:4]) for member in crowd.members} == {status(1009)}
        with Crowd(server.port, attackers) as crowd:
            for member in crowd.members:
                member.write(_HALF)
            _drain(crowd)
            _echo(good)
        assert server.log == ""


@pytest.mark.parametrize(
    ("size", "attackers"), [(16_000, 2), pytest.param(16_000, 100, marks=pytest.mark.slow)]
)
def test_fragments_without_end_take_little_more_memory_than_they_have_bytes(
    backend: str, size: int, attackers: int
) -> None:
    """T-R2: what is kept of them, and what ends them."""
    wire = _START + _ONE_BYTE * (size - 1)
    with running(backend) as server, Crowd(server.port, attackers) as crowd:
        server.ask("begin_tracing")
        before = server.ask("traced")
        for member in crowd.members:
            member.write(wire)
        _drain(crowd)
        with dial_upgraded(server.port) as later:  # when this is served, all of that has been read
            echo_times(later, 10)
            assert server.ask("traced") - before <= attackers * (1.5 * len(wire) + 16 * KIB) + 128 * KIB
        for member in crowd.members:
            member.write(_ONE_BYTE * 1000)
        crowd.drive(lambda: all(member.ended for member in crowd.members))
        assert {bytes(member.received[2:4]) for member in crowd.members} == {status(1008)}


@pytest.mark.parametrize("attackers", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_pings_whose_pongs_nobody_reads_pile_up_nowhere(backend: str, attackers: int) -> None:
    """T-R3: with the limit of their rate off, so that they go on; a pong waits in one place alone."""
    pings = FLOODS["big pings"] * 20
    with (
        running(backend, limits={"max_control_rate": None}) as server,
        Crowd(server.port, attackers) as crowd,
    ):
        for member in crowd.members:
            member.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            member.reads = False
            member.write(pings)
        _drain(crowd)
        with dial_upgraded(server.port) as good:
            _echo(good)
        assert max(server.ask("buffered")) <= 64 * KIB


@pytest.mark.parametrize("attackers", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_flood_of_pings_is_over_soon_and_others_hardly_notice(backend: str, attackers: int) -> None:
    """T-R3: with the limit that every server has, unless it says otherwise."""
    with running(backend) as server, dial_upgraded(server.port) as good:
        with flooded(server, attackers, FLOODS["pings"]):
            times = echo_times(good, 600)
        assert times[-1 - len(times) // 100] <= 0.1, times[-10:]


@pytest.mark.parametrize("flood", ["pings", "empty messages", "empty fragments"])
def test_one_flood_never_keeps_the_loop_for_long(looping: str, flood: str) -> None:
    """T-R7: what else runs in the loop has its turn, however small the frames are."""
    with (
        running(looping) as server,
        flooded(server, 1, FLOODS[flood] * 5),
        dial_upgraded(server.port) as good,
    ):
        server.ask("begin_beating")
        echo_times(good, 20)
        assert server.ask("longest_gap") <= 0.05
