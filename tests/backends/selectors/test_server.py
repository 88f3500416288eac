"""The server: accepting under pressure, shutdown, and many connections in one thread."""

import errno
import logging
import socket
import threading
from typing import Any, final

import pytest

from support.raw import dial
from support.recorder import Recorder
from support.stopwatch import within
from support.wire import REQUEST
from wscore import Config, Endpoint, Timeouts
from wscore._typing import override
from wscore_selectors import broadcast

from .conftest import Stage


@final
class _Scarce(socket.socket):
    """A listening socket of a process that has no descriptor to spare.

    Attributes:
        refusals: how often accepting will fail; then it works.
        asked: how often it was tried.
    """

    refusals = 0
    asked = 0

    @override
    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


def test_without_descriptors_accepting_pauses_says_so_once_and_goes_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    listener = _Scarce()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.refusals = 2
    recorder = Recorder(replies=True)
    server = stage.reactor.serve(recorder, sockets=[listener])
    with dial(server.port) as peer:
        peer.send(REQUEST)
        stage.turns(20)
        assert listener.asked == 1, "it must not spin"
        stage.drive(lambda: recorder.session is not None)
        peer.read_head()
    assert listener.asked >= 3
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1


def test_a_connection_that_was_gone_before_it_was_accepted_is_no_matter(stage: Stage) -> None:
    recorder = Recorder()
    server = stage.reactor.serve(recorder, "127.0.0.1")
    dial(server.port).reset()
    with dial(server.port) as peer:
        peer.send(REQUEST)
        stage.drive(lambda: recorder.session is not None)


def test_more_handshakes_than_may_be_under_way_wait_until_there_is_a_place(stage: Stage) -> None:
    recorder = Recorder()
    server = stage.reactor.serve(recorder, "127.0.0.1", max_pending=2)
    silent = [dial(server.port) for _ in range(2)]
    late = [dial(server.port) for _ in range(3)]
    for peer in late:
        peer.send(REQUEST)
    stage.turns(20)
    assert recorder.calls == []
    silent[0].close()
    stage.drive(lambda: recorder.names == ["connect"] * 3)
    for peer in silent + late:
        peer.close()


def test_one_address_gets_no_more_connections_than_it_may_have(stage: Stage) -> None:
    recorder = Recorder()
    server = stage.reactor.serve(recorder, "127.0.0.1", max_per_address=2)
    peers = [dial(server.port) for _ in range(3)]
    for peer in peers:
        peer.send(REQUEST)
    stage.drive(lambda: len(server.sessions) == 2)
    stage.turns(3)
    assert peers[2].is_lost()
    for peer in peers:
        peer.close()


def test_a_full_server_answers_503(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1", max_connections=1)
    peers = [dial(server.port) for _ in range(2)]
    for peer in peers:
        peer.send(REQUEST)
        stage.turns(5)
    assert peers[0].read_head().startswith(b"HTTP/1.1 101 ")
    assert peers[1].read_head().startswith(b"HTTP/1.1 503 ")
    for peer in peers:
        peer.close()


def test_an_endpoint_that_cannot_be_made_closes_with_1011(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Endpoint:
        raise ZeroDivisionError

    with caplog.at_level(logging.CRITICAL, "wscore_selectors"):
        _, client = stage.pair(Endpoint.factory(fail))
        stage.drive(lambda: client.names[-1] == "close")
    assert client.calls[-1][1] == 1011


# Shutdown.


def test_shutdown_closes_what_is_open_drops_what_has_said_nothing_and_frees_the_port(stage: Stage) -> None:
    recorder = Recorder()
    session, client = stage.pair(recorder)
    server = stage.reactor._servers[0]
    with dial(server.port) as silent:
        stage.turns(5)
        server.shutdown(1012, "back soon")
        assert not server.closed
        with pytest.raises(ConnectionRefusedError):
            dial(server.port)
        stage.drive(lambda: server.closed)
        assert silent.is_lost()
    stage.drive(lambda: client.names[-1] == "close")
    assert recorder.calls[-1] == client.calls[-1] == ("close", 1012, "back soon")
    assert session.closed is not None and session.closed.clean
    server.shutdown()  # harmless
    assert server.closed and server.sessions == []


def test_shutdown_of_an_idle_server_is_over_at_once(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    server.shutdown()
    assert server.closed


def test_shutdown_aborts_what_does_not_end_in_time(stage: Stage) -> None:
    recorder = Recorder()
    peer, _ = stage.peer_of(recorder, Config(timeouts=Timeouts(close=60)))
    server = stage.reactor._servers[0]
    with within(5):
        server.shutdown(timeout=0.1)
        stage.drive(lambda: server.closed)
    assert peer.read_close() == 1001
    assert recorder.calls[-1][:2] == ("close", 1006)


def test_shutdown_does_not_wait_long_for_a_peer_that_has_everything_and_does_not_go(stage: Stage) -> None:
    recorder = Recorder()
    peer, _ = stage.peer_of(recorder, Config(timeouts=Timeouts(close=60)))
    server = stage.reactor._servers[0]
    with within(10):
        server.shutdown(timeout=60)
        stage.drive(lambda: server.sessions[0].buffered_amount == 0)
        peer.send_close(1001)
        stage.drive(lambda: server.closed)
    assert recorder.calls[-1] == ("close", 1001, "")


def test_a_code_that_may_not_be_sent_stops_nothing(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    with pytest.raises(ValueError, match="may be sent"):
        server.shutdown(1005)
    dial(server.port).close()


# Many.


class _Counting(Endpoint):
    """Sends everything back and counts those that are there."""

    def __init__(self) -> None:
        self.sessions: set[Any] = set()
        self.ends: list[int] = []

    @override
    def on_connect(self, session: Any) -> None:
        self.sessions.add(session)

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(message)

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self.sessions.remove(session)
        self.ends.append(code)


_MANY = 500


def test_hundreds_of_connections_live_in_one_thread(stage: Stage) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * _MANY + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * _MANY + 200, hard), hard))
    threads = threading.active_count()
    served = _Counting()
    server = stage.reactor.serve(served, "127.0.0.1")
    clients = [Recorder() for _ in range(_MANY)]
    for client in clients:
        stage.reactor.connect(f"ws://127.0.0.1:{server.port}", client)
    stage.drive(lambda: len(served.sessions) == _MANY and all(client.session for client in clients))
    assert threading.active_count() <= threads  # an earlier test's last one may have ended meanwhile
    for number, client in enumerate(clients):
        client.session.send(f"number {number}")
    stage.drive(lambda: all(len(client.calls) == 2 for client in clients))
    assert [client.calls[1] for client in clients] == [("message", f"number {n}") for n in range(_MANY)]
    broadcast(served.sessions, "to all")
    stage.drive(lambda: all(client.calls[-1] == ("message", "to all") for client in clients))
    server.shutdown()
    stage.drive(lambda: server.closed and all(client.names[-1] == "close" for client in clients))
    assert served.ends == [1001] * _MANY
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_one_busy_peer_does_not_starve_the_others(stage: Stage) -> None:
    """Its thousands of messages are answered in portions, and the others have their turn in between."""
    session, client = stage.pair(_Counting(), config=Config(timeouts=Timeouts(keepalive=None)))
    quiet, other = stage.pair(_Counting())
    for _ in range(5000):
        session.send("x")
    quiet.send("y")
    stage.drive(lambda: "message" in other.names)
    assert client.names.count("message") < 5000
    stage.drive(lambda: client.names.count("message") == 5000)
