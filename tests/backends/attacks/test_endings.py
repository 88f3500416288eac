"""How connections and servers end: nothing is lost, nobody is kept waiting, and nothing is left behind."""

import signal
import socket
import struct
from time import monotonic
from typing import Final

import pytest

from support.crowd import Crowd
from support.eventually import eventually
from support.measure import KIB
from support.raw import dial_upgraded
from support.servers import Running, running
from support.services import LAST
from support.stopwatch import within
from support.wire import BINARY, CLOSE, DEFLATING, TEXT, frame, read_frames, status

_WORD: Final = frame(TEXT, b"go", masked=True)
_BYE: Final = frame(CLOSE, status(1000), masked=True)
_GOING: Final = frame(CLOSE, status(1001), masked=True)
_NEVER_WHOLE: Final = {
    "no frame": b"",
    "half a header": frame(BINARY, b"x" * 300, masked=True)[:3],
    "half a frame": frame(BINARY, b"x" * 300, masked=True)[:-1],
    "half a message": frame(BINARY, b"x" * 300, masked=True, final=False),
    "half a character": frame(TEXT, "ä".encode()[:1], masked=True, final=False),
    "half a stream": frame(BINARY, b"\xcb\x48\xcd\xc9\xc9", masked=True, final=False, rsv=0x40),
}
_RESET: Final = struct.pack("ii", 1, 0)


# T-L2: the last message.


@pytest.mark.parametrize("number", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_what_is_sent_right_before_the_end_arrives_however_slow_the_peer(backend: str, number: int) -> None:
    wire = frame(BINARY, LAST, masked=False) + frame(CLOSE, status(1000), masked=False)
    with running(backend, "last") as server, Crowd(server.port, number, receive_buffer=4096) as crowd:
        for member in crowd.members:
            member.write(_WORD)
        crowd.drive(lambda: all(len(member.received) >= len(wire) for member in crowd.members), 300)
        assert not any(member.ended for member in crowd.members)  # its end is the peer's to answer
        for member in crowd.members:
            assert member.received == wire
            member.write(_BYE)
        crowd.drive(lambda: all(member.ended for member in crowd.members))
        assert {member.ended for member in crowd.members} == {"eof"}


# T-L5: a server that is told to end.


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("idle", "busy"), [(20, 5), pytest.param(800, 200, marks=pytest.mark.slow)])
def test_a_server_that_is_told_to_end_lets_handlers_finish_and_turns_others_away(
    awaiting: str, word: signal.Signals, idle: int, busy: int
) -> None:
    grace = 7.0
    with (
        running(awaiting, "busy", drain=grace) as server,
        Crowd(server.port, idle) as waiting,
        Crowd(server.port, busy) as working,
    ):
        for member in working.members:
            member.write(frame(TEXT, b"0.7", masked=True))
        working.drive(lambda: all(member.received for member in working.members))
        begun = monotonic()
        server.signal(word)
        waiting.drive(lambda: all(member.received for member in waiting.members))
        assert {bytes(member.received) for member in waiting.members} == {
            frame(CLOSE, status(1001), masked=False)
        }
        assert _is_turned_away(server)
        for member in [*waiting.members, *working.members]:
            member.write(_GOING)
        waiting.drive(lambda: all(member.ended for member in waiting.members))
        working.drive(lambda: all(member.ended for member in working.members))
        words = server.end()
        assert words == {"closes": {"1001": idle + busy}, "finished": busy}
        assert monotonic() - begun < grace + 1


def test_handlers_that_take_too_long_are_given_up_when_the_grace_is_over(awaiting: str) -> None:
    """Threads cannot be ended: they are left to themselves, and the process does not wait for them."""
    with running(awaiting, "busy", drain=0.1) as server, dial_upgraded(server.port) as peer:
        peer.send_frame(TEXT, b"60")
        assert peer.read_frame() == (0x80 | TEXT, b"at work")
        with within(0.1 + 1.0 + 1.0):
            server.signal(signal.SIGTERM)
            assert server.end()["finished"] == 0


def _is_turned_away(server: Running) -> bool:
    try:
        with dial_upgraded(server.port):
            return False
    except OSError:
        return True


# T-L6: peers that are killed.


@pytest.mark.parametrize("how", ["eof", "reset"])
@pytest.mark.parametrize(("number", "rounds"), [(10, 1), pytest.param(80, 100, marks=pytest.mark.slow)])
def test_peers_that_are_killed_leave_nothing_behind(backend: str, how: str, number: int, rounds: int) -> None:
    pieces = [piece for piece in _NEVER_WHOLE.values() for _ in range(number)]
    with running(backend, compressed=True) as server:
        _kill(server, pieces, how)  # what the first ones bring along is not theirs
        before = server.measure()
        for _ in range(rounds):
            _kill(server, pieces, how)
        after = server.measure()
        assert after["closes"] == {"1006": len(pieces) * (1 + rounds)}
        assert after["files"] == before["files"] and after["threads"] <= before["threads"]
        assert after["resident"] <= 1.01 * before["resident"] + 2048


def _kill(server: Running, pieces: list[bytes], how: str) -> None:
    """Let that many peers send their pieces, and be gone."""
    with Crowd(server.port, len(pieces), request=DEFLATING) as crowd:
        for member, piece in zip(crowd.members, pieces, strict=True):
            member.write(piece)
        crowd.drive(lambda: not any(member.unsent for member in crowd.members))
        if how == "reset":
            for member in crowd.members:
                member.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    server.wait_for_sessions(0, 1.0)


# T-L9: time that a process does not see.


def test_a_server_that_was_stopped_asks_before_it_gives_anybody_up(backend: str) -> None:
    """What came while it stood still counts, and so does an answer to the ping that it sends then."""
    timeouts = {"keepalive": 0.3, "pong": 1.0}
    with running(backend, timeouts=timeouts) as server, Crowd(server.port, 5) as crowd:
        for member in crowd.members:
            member.answers = True
        crowd.drive(lambda: all(member.pings for member in crowd.members))
        server.signal(signal.SIGSTOP)
        try:
            _pass(crowd, 2.0)
        finally:
            server.signal(signal.SIGCONT)
        before = [member.pings for member in crowd.members]
        _pass(crowd, 1.0)
        assert not any(member.ended for member in crowd.members)
        assert all(member.pings > was for member, was in zip(crowd.members, before, strict=True))


def _pass(crowd: Crowd, seconds: float) -> None:
    end = monotonic() + seconds
    crowd.drive(lambda: monotonic() > end)


# T-M1, T-T5: many that come and go.


@pytest.mark.parametrize("number", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_connections_that_have_ended_leave_no_memory_no_thread_and_no_descriptor(
    backend: str, number: int, compressed: bool
) -> None:
    """Without the cyclic garbage collector: nothing waits for it."""
    with running(backend, compressed=compressed) as server:
        _come_and_go(server, 100)
        before = server.measure()
        server.ask("begin_tracing")
        for _ in range(number // 100):
            _come_and_go(server, 100)
        assert server.ask("garbage") == []
        eventually(lambda: server.ask("traced") <= 64 * KIB)
        after = server.measure()
        assert after["files"] == before["files"] and after["threads"] <= before["threads"]


def _come_and_go(server: Running, number: int) -> None:
    """Open that many, have something echoed, and close them in good order."""
    hello = frame(TEXT, b"hello", masked=True)
    with Crowd(server.port, number, request=DEFLATING) as crowd:
        for member in crowd.members:
            member.write(hello + _BYE)
        crowd.drive(lambda: all(member.ended for member in crowd.members))
        for member in crowd.members:
            assert read_frames(bytes(member.received))[-1] == (0x80 | CLOSE, status(1000))
    server.wait_for_sessions(0)
