"""Peers and applications that take their time: what waits for them is bounded, and nobody else waits."""

import hashlib
import ssl
import threading
from contextlib import ExitStack
from typing import Any, Final

import pytest

from support.crowd import Crowd
from support.eventually import PATIENCE, background, eventually, stays
from support.measure import KIB, MIB
from support.raw import RawPeer, dial, dial_upgraded
from support.servers import Running, running
from support.stopwatch import within
from support.wire import BINARY, TEXT, frame

_MESSAGE: Final = 64 * KIB
_NEWS: Final = b"z" * 16 * KIB
_HELLO: Final = b"\x16\x03\x01\x02\x00\x01"  # how a TLS handshake begins


# T-R4: peers that read slowly, or not at all.


@pytest.mark.parametrize("seconds", [0.5, pytest.param(20.0, marks=pytest.mark.slow)])
def test_little_waits_for_a_peer_that_reads_a_kilobyte_a_second(backend: str, seconds: float) -> None:
    """What the kernel has is the kernel's; of ours only what is above the high mark by a message."""
    with running(backend, "pour") as server, ExitStack() as stack:
        peers = [stack.enter_context(dial_upgraded(server.port, receive_buffer=4096)) for _ in range(3)]
        eventually(lambda: min(server.ask("buffered"), default=0) > 0)
        reading = threading.Event()
        dripping = background(lambda: _drip(peers, reading))
        stays(lambda: max(server.ask("buffered")) <= _MESSAGE + 2 * _MESSAGE + KIB, seconds)
        reading.set()
        dripping.result()
        assert server.measure()["sessions"] == 3


def _drip(peers: list[RawPeer], over: threading.Event) -> None:
    while not over.wait(0.1):
        for peer in peers:
            peer.receive(100)


def test_a_frozen_peer_is_closed_when_nothing_has_moved_for_a_while(backend: str) -> None:
    with (
        running(backend, "pour", timeouts={"write_stall": 0.5}) as server,
        dial_upgraded(server.port, receive_buffer=4096),
    ):
        eventually(lambda: min(server.ask("buffered"), default=0) > 0)
        with within(0.5 + 1.0):
            eventually(lambda: server.measure()["closes"] == {"1006": 1})
        assert server.measure()["sessions"] == 0


@pytest.mark.parametrize(("readers", "frozen"), [(20, 3), pytest.param(990, 10, marks=pytest.mark.slow)])
def test_those_who_read_get_every_broadcast_whoever_does_not(backend: str, readers: int, frozen: int) -> None:
    """The next message is sent when the first reader has its last."""
    wire, number = frame(BINARY, _NEWS, masked=False), 400
    with (
        running(backend, "room", timeouts={"write_stall": 0.5}, max_connections=2000) as server,
        Crowd(server.port, readers) as crowd,
        Crowd(server.port, frozen, receive_buffer=4096),
        dial_upgraded(server.port) as first,
    ):
        telling = background(lambda: _tell(first, number))
        crowd.drive(lambda: all(len(member.received) == number * len(wire) for member in crowd.members), 120)
        telling.result()
        assert all(bytes(member.received) == wire * number for member in crowd.members)
        eventually(lambda: server.measure()["closes"] == {"1006": frozen})


def _tell(first: RawPeer, number: int) -> None:
    for _ in range(number):
        first.send(frame(BINARY, _NEWS, masked=True))
        assert len(first.read_frame()[1]) == len(_NEWS)


# T-R5: applications that take nothing.


@pytest.mark.parametrize("size", [16 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.slow)])
def test_what_nobody_takes_stays_with_the_peer_and_comes_in_order_later(
    backend_and_service: tuple[str, str], size: int
) -> None:
    messages = [bytes([number]) * _MESSAGE for number in range(256)]
    wire = [frame(BINARY, message, masked=True) for message in messages]
    rounds = size // (256 * _MESSAGE)
    digest = hashlib.sha256(b"".join(messages) * rounds).hexdigest()
    with running(*backend_and_service) as server, dial_upgraded(server.port) as peer:
        server.wait_for_sessions(1)
        server.ask("begin_tracing")
        before = server.ask("traced")
        sending = background(lambda: _send_all(peer, wire, rounds))
        stays(lambda: not sending.done, 0.3)
        # The inbox's high mark, one message, and what is read at once.
        assert server.ask("traced") - before <= (64 + 64 + 256 + 64) * KIB
        server.ask("release")
        sending.result(120)
        peer.send_frame(TEXT, b"sum")
        assert peer.read_frame() == (0x80 | TEXT, digest.encode())


def _send_all(peer: RawPeer, wire: list[bytes], rounds: int) -> None:
    for _ in range(rounds):
        for data in wire:
            peer.send(data)


# T-R6: handshakes that take for ever.


@pytest.mark.parametrize(
    ("number", "open_timeout"), [(200, 1.0), pytest.param(5000, 10.0, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_half_handshakes_are_gone_in_time_and_disturb_nobody(
    backend: str, secure: bool, number: int, open_timeout: float
) -> None:
    """A third says nothing, a third begins, a third goes on byte by byte."""
    room: dict[str, Any] = {"max_pending": number + 10, "max_connections": number + 10}
    with (
        running(backend, secure=secure, timeouts={"open": open_timeout}, **room) as server,
        Crowd(server.port, number, request=b"") as crowd,
        within(open_timeout + 2.0 + number / 1000),
    ):
        for index, member in enumerate(crowd.members):
            member.write(b"" if index % 3 == 0 else _HELLO if secure else b"GET / HTTP/1.1\r\nHost: x\r\n")
        crowd.drive(lambda: not any(member.unsent for member in crowd.members))
        with within(1.0):
            _visit(server, secure=secure)
        _dribble(crowd, open_timeout + 1.5 + number / 1000)


def _dribble(crowd: Crowd, timeout: float) -> None:
    """Let some send a byte now and then, until all are gone."""
    some = crowd.members[2::3]

    def all_are_gone() -> bool:
        for member in some:
            if not member.ended and not member.unsent:
                member.write(b"x")
        return all(member.ended for member in crowd.members)

    crowd.drive(all_are_gone, timeout + PATIENCE)


def _visit(server: Running, *, secure: bool) -> None:
    """Connect as everybody does, and be served."""
    with dial(server.port) as peer:
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            peer = RawPeer(context.wrap_socket(peer.socket), masks=True)
        peer.upgrade()
        peer.send_frame(TEXT, b"hello")
        assert peer.read_frame() == (0x80 | TEXT, b"hello")
        peer.close()
