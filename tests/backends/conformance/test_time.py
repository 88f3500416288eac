"""What time does to a connection: keepalive, idleness, age, and output that does not move."""

import pytest

from support.conformance.facade import Facade, wait_closed
from support.conformance.frames import frames_from
from support.conformance.setting import Setting
from support.eventually import background, eventually, stays
from support.wire import PING, PONG, TEXT
from wscore import Config, ConnectionClosed, Timeouts

MIB = 1024 * 1024


def ended_by(session: Facade) -> str:
    """Wait for the end of a session that nobody reads; return which timer ended it."""
    closed = wait_closed(session)
    assert closed.timer is not None and (closed.code, closed.clean) == (1006, False)
    return closed.timer.name


def test_keepalive_finds_a_silent_peer(crossed: Setting) -> None:
    with crossed.open(Config(timeouts=Timeouts(keepalive=0.1, pong=0.1))) as (session, peer):
        receiving = background(session.recv)
        assert peer.read_frame()[0] == 0x80 | PING
        assert isinstance(receiving.error(5), ConnectionClosed)
        assert ended_by(session) == "PONG"
        assert peer.is_lost()


def test_keepalive_leaves_a_peer_alone_that_answers_although_nobody_receives(crossed: Setting) -> None:
    with crossed.open(Config(timeouts=Timeouts(keepalive=0.1, pong=2.0))) as (session, peer):
        for _ in range(2):
            first, payload = peer.read_frame()
            assert first == 0x80 | PING and len(payload) in range(4, 9)
            peer.send_frame(PONG, payload)
        eventually(lambda: session.native.latency)
        assert session.closed is None


def test_keepalive_does_not_cut_a_connection_whose_reader_pauses(backend: Setting) -> None:
    wire = frames_from(backend, TEXT, *[b"%d" % number + b"x" * 30_000 for number in range(300)])
    with backend.open(Config(timeouts=Timeouts(keepalive=0.15, pong=0.15))) as (session, peer):
        sending = background(lambda: peer.send(wire))
        eventually(lambda: session.stats.messages_received > 0)
        stays(lambda: session.closed is None and not sending.done, 0.4)
        for number in range(300):
            assert str(session.recv()).rstrip("x") == str(number)
        sending.result()


@pytest.mark.parametrize("timeouts", [Timeouts(idle=0.2), Timeouts(lifetime=0.2)], ids=["idle", "lifetime"])
def test_idle_and_old_connections_are_closed_with_1001(backend: Setting, timeouts: Timeouts) -> None:
    with backend.open(Config(timeouts=timeouts)) as (session, peer):
        iterating = background(session.rest)
        assert peer.read_close() == 1001
        peer.send_close(1001)
        assert iterating.result() == []
        assert (session.end.code, session.end.clean) == (1001, True)


def test_a_peer_that_never_reads_is_cut_off_when_nothing_moves(crossed: Setting) -> None:
    with crossed.open(Config(timeouts=Timeouts(write_stall=0.2)), receive_buffer=4096) as (session, _):
        sending = background(lambda: session.send(b"x" * 16 * MIB))
        with pytest.raises(ConnectionClosed):
            session.recv()
        assert ended_by(session) == "WRITE_STALL"
        error = sending.error()
        assert error is None or isinstance(error, ConnectionClosed)


def test_output_that_moves_slowly_is_not_cut_off(backend: Setting) -> None:
    with backend.open(Config(timeouts=Timeouts(write_stall=0.6)), receive_buffer=4096) as (session, peer):
        sending = background(lambda: session.send(b"x" * 24 * MIB))
        eventually(lambda: session.buffered_amount > 16 * MIB)
        for _ in range(8):  # 0.8 s, longer than the timeout
            stays(lambda: session.closed is None, 0.1)
            peer.read_exactly(MIB)  # the kernel gives room back in big pieces only
        assert not sending.done
