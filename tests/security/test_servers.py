"""Rows 11, 15 to 17, 19, 29 and 62 to 64, over sockets: one bad peer, and everybody else."""

import errno
import logging
import queue
import socket
import threading
from functools import partial
from time import monotonic
from typing import Any

import pytest

import wscore_threading
from support.certificates import Certificates, make_certificates
from support.eventually import PATIENCE, background, eventually
from support.measure import KIB
from support.raw import dial, dial_upgraded
from support.recorder import Recorder
from support.stopwatch import within
from support.threaded import echo, echo_server, pair, send_all, url_of
from support.wire import (
    CLOSE,
    PING,
    TEXT,
    frame,
    read_frames,
    status,
)
from wscore import (
    Closed,
    Config,
    ConnectionClosed,
    Deflate,
    Limits,
    LocalProtocolError,
    Timeouts,
    Timer,
    Violation,
)
from wscore_threading import Session


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return make_certificates()


def threads() -> list[str]:
    """Return the names of the connections' threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("wscore (")]


def test_row_15_a_client_that_says_nothing_is_gone_in_time(certificates: Certificates) -> None:
    """Cause: no timer before the first byte, or one for each read. Correct: one deadline from the accept on,
    TLS included, and others are served meanwhile."""
    config = Config(timeouts=Timeouts(open=0.4))
    for context in (None, certificates.server_context()):
        with wscore_threading.serve(echo, "127.0.0.1", config=config, ssl=context) as server:
            begun = monotonic()
            with within(0.4 + 1.5), dial(server.port) as mute, dial(server.port) as slow:
                slow.send(b"\x16\x03\x01\x02" if context else b"GET / HT")
                assert mute.is_lost() and slow.is_lost()
            assert monotonic() - begun > 0.3


def test_row_16_a_frozen_client_costs_little_and_not_for_long() -> None:
    """Cause: what a client does not read piled up. Correct: the sender waits, the buffer stays small, and
    when nothing moves the connection ends."""
    ends: queue.SimpleQueue[tuple[int, Closed | None]] = queue.SimpleQueue()

    def stream(session: Session) -> None:
        most = 0
        try:
            while True:
                session.send(bytes(10_000))
                most = max(most, session.buffered_amount)
        except ConnectionClosed:
            ends.put((most, session.closed))

    config = Config(timeouts=Timeouts(write_stall=0.5))
    with (
        wscore_threading.serve(stream, "127.0.0.1", config=config) as server,
        dial_upgraded(server.port, receive_buffer=4096),
    ):
        most, closed = ends.get(timeout=PATIENCE)
    assert most <= 64 * KIB + 20_000
    assert closed is not None and closed.timer is Timer.WRITE_STALL


def test_row_19_a_connection_has_one_thread_however_much_it_says() -> None:
    """Cause: a thread for each message. Correct: one for the connection, and no more of them than the cap."""
    recorder = Recorder(replies=True)
    with wscore_threading.serve(recorder, "127.0.0.1", max_connections=3) as server:
        with dial_upgraded(server.port) as peer:
            peer.send(frame(TEXT, b"x", masked=True) * 300)
            for _ in range(300):
                peer.read_frame()
            assert len(threads()) == 1
            peer.send_close()
            peer.read_to_end()
        assert len(recorder.threads) == 1
        eventually(lambda: not threads())
        peers = [dial(server.port) for _ in range(20)]
        eventually(lambda: len(threads()) == 3)
        for peer in peers:
            assert len(threads()) <= 3
            peer.close()
        eventually(lambda: not threads())


def test_row_62_running_out_of_descriptors_is_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Cause: accept() failed again and again at full speed, or the listener was dropped. Correct: a pause,
    one line in the log, and it goes on."""
    failures = [errno.EMFILE, errno.ENFILE, errno.EMFILE, errno.ENOBUFS, errno.ENOMEM]
    accept = socket.socket.accept

    def scarce(self: socket.socket) -> tuple[socket.socket, Any]:
        if failures:
            raise OSError(failures.pop(), "none left")
        return accept(self)

    monkeypatch.setattr("wscore_threading._server.PAUSE", 0.02)
    monkeypatch.setattr(socket.socket, "accept", scarce)
    begun = monotonic()
    with caplog.at_level(logging.ERROR), echo_server() as server:
        with wscore_threading.connect(url_of(server)) as session:
            session.send("still here")
            assert session.recv(timeout=PATIENCE) == "still here"
        assert not failures
        assert monotonic() - begun >= 5 * 0.02
    assert len([record for record in caplog.records if "accepting pauses" in record.getMessage()]) == 1


def test_row_63_senders_in_many_threads_share_one_compressor_in_order() -> None:
    """Cause: a zlib object used by two threads at once. Correct: whoever sends, the stream stays whole."""
    config = Config(compression=Deflate(threshold=0))
    with pair(client=config, server=config) as (ours, theirs):
        assert ours.extensions
        words = {name: [f"{name} {number} " * 20 for number in range(100)] for name in "abcd"}
        sending = [background(partial(send_all, ours, own)) for own in words.values()]
        received = [theirs.recv(timeout=PATIENCE) for _ in range(400)]
        for each in sending:
            each.result()
        for name, own in words.items():
            assert [word for word in received if str(word).startswith(name)] == own


def test_row_64_a_server_leaves_no_handler_behind() -> None:
    """Cause: handlers, tasks and sockets outlived their server. Correct: shutdown ends them all: those that
    wait, those that ignore it, those that have not begun."""
    entered = threading.Semaphore(0)
    ended: queue.SimpleQueue[object] = queue.SimpleQueue()

    def wait(session: Session) -> None:
        entered.release()
        try:
            session.recv()
        finally:
            ended.put(session.closed)

    server = wscore_threading.serve(wait, "127.0.0.1")
    peers = [dial_upgraded(server.port) for _ in range(3)] + [dial(server.port)]
    for _ in range(3):
        assert entered.acquire(timeout=PATIENCE)
    with within(0.3 + 1.0 + 1.0):
        server.shutdown(timeout=0.3)
    eventually(lambda: not threads())
    assert server.sessions == []
    assert len([ended.get(timeout=PATIENCE) for _ in range(3)]) == 3
    with pytest.raises(ConnectionRefusedError):
        dial(server.port)
    for peer in peers:
        peer.close()


def test_row_64_a_second_reader_is_told_so() -> None:
    """Cause: calls from the wrong thread corrupted the state in silence. Correct: a clear error, and the
    first reader goes on."""
    with pair() as (ours, theirs):
        first = background(lambda: ours.recv(timeout=PATIENCE))
        eventually(lambda: ours._receiving)
        with pytest.raises(LocalProtocolError, match="receiving"):
            ours.recv(timeout=1)
        theirs.send("for the first")
        assert first.result() == "for the first"


def test_row_17_a_flood_of_pings_does_not_reach_the_others() -> None:
    """Over a socket whose peer never reads its pongs: little waits, and another client is served."""
    config = Config(limits=Limits(max_control_rate=None))
    with echo_server(config) as server, dial_upgraded(server.port, receive_buffer=4096) as peer:
        flood = background(lambda: peer.send(frame(PING, b"p" * 125, masked=True) * 20_000))
        with wscore_threading.connect(url_of(server)) as session:
            session.send("meanwhile")
            assert session.recv(timeout=PATIENCE) == "meanwhile"
        eventually(lambda: any(each.stats.pings_received for each in server.sessions))
        [attacked] = [each for each in server.sessions if each.stats.pings_received]
        assert attacked.buffered_amount <= 64 * KIB
        peer.close()
        flood.error()


def test_row_11_a_frame_of_an_unknown_kind_is_not_gathered() -> None:
    """Over a socket: the answer comes while the declared payload never does."""
    with echo_server() as server, dial_upgraded(server.port) as peer:
        peer.send(b"\x83\xff")
        first, payload = peer.read_frame()
        assert (first, payload) == (0x88, status(1002, Violation.RESERVED_OPCODE.sentence.encode()))


def test_row_29_the_answer_to_a_close_is_the_last_thing_that_leaves() -> None:
    """Over a socket: a ping and a message behind a Close bring nothing back."""
    with echo_server() as server, dial_upgraded(server.port) as peer:
        behind = frame(PING, b"?", masked=True) + frame(TEXT, b"late", masked=True)
        peer.send(frame(CLOSE, status(1000), masked=True) + behind)
        assert read_frames(peer.read_to_end()) == [(0x88, status(1000))]
