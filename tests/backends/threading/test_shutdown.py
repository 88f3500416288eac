"""How a server stops: nobody is forgotten, nobody can hold it up, and nothing stays behind."""

import queue
import socket
import threading
from contextlib import ExitStack
from time import monotonic

import pytest

from support.eventually import PATIENCE, background, eventually, stays
from support.handshakes import request
from support.raw import dial, dial_upgraded
from support.recorder import Recorder
from support.threaded import echo, echo_server, url_of
from wscore import ConnectionClosed, Handler, Request, Response
from wscore_threading import Session, connect, serve

PLAIN = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"


def test_shutdown_closes_sessions_with_1001_and_stops_listening() -> None:
    with echo_server() as server:
        session = connect(url_of(server))
        iterating = background(lambda: list(session))
        session.ping()
        server.shutdown()
        assert iterating.result() == []
        assert session.closed is not None and session.closed.code == 1001 and session.closed.clean
        assert server.sessions == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 5).close()


def test_a_server_can_be_stopped_the_moment_it_has_started() -> None:
    for _ in range(100):
        serve(echo, "127.0.0.1").shutdown()


def test_shutdown_takes_a_code_and_a_reason() -> None:
    with echo_server() as server:
        session = connect(url_of(server))
        iterating = background(lambda: list(session))
        eventually(lambda: server.sessions)
        server.shutdown(1012, "back soon")
        iterating.result()
    assert session.closed is not None
    assert (session.closed.code, session.closed.reason) == (1012, "back soon")


def test_shutdown_twice_is_harmless() -> None:
    with echo_server() as server:
        server.shutdown()
        server.shutdown()


def test_shutdown_waits_for_handlers_that_finish_in_time() -> None:
    finished = threading.Event()

    def tidy(session: Session) -> None:
        assert list(session) == []
        stays(lambda: True, 0.3)
        finished.set()

    with serve(tidy, "127.0.0.1") as server:
        session = connect(url_of(server))
        closing = background(lambda: list(session))
        session.ping()
        server.shutdown()
        assert finished.is_set()
        closing.result()


def test_shutdown_aborts_handlers_that_ignore_it_and_ends_within_the_deadline() -> None:
    errors: queue.SimpleQueue[Exception] = queue.SimpleQueue()
    released = threading.Event()

    def stubborn(session: Session) -> None:
        released.wait(PATIENCE)
        try:
            session.send("still there?")
        except Exception as error:
            errors.put(error)

    with serve(stubborn, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        eventually(lambda: server.sessions)
        begun = monotonic()
        server.shutdown(timeout=0.5)
        assert monotonic() - begun < 0.5 + 1.0 + 0.5
        assert peer.read_close() == 1001
        assert peer.is_lost()
        released.set()
        assert isinstance(errors.get(timeout=PATIENCE), ConnectionClosed)


def test_shutdown_aborts_peers_that_never_answer_the_close() -> None:
    with echo_server() as server:
        peers = [dial_upgraded(server.port) for _ in range(5)]
        try:
            eventually(lambda: len(server.sessions) == 5)
            begun = monotonic()
            server.shutdown(timeout=0.5)
            assert monotonic() - begun < 0.5 + 1.0
            for peer in peers:
                assert peer.read_close() == 1001
                assert peer.is_lost()
        finally:
            for peer in peers:
                peer.close()


def test_shutdown_does_not_wait_for_stalled_handshakes() -> None:
    with echo_server() as server:
        peers = [dial(server.port) for _ in range(30)]
        try:
            for peer in peers[::2]:
                peer.send(b"GET / HTTP/1.1\r\n")
            with connect(url_of(server)) as session:  # accepted after all of them
                session.ping()
            begun = monotonic()
            server.shutdown()
            assert monotonic() - begun < 1.0
            assert all(peer.is_lost() for peer in peers)
        finally:
            for peer in peers:
                peer.close()


def test_shutdown_at_any_moment_of_a_connection_is_quick() -> None:
    for number in range(40):
        with ExitStack() as stack:
            server = stack.enter_context(serve(echo, "127.0.0.1"))
            for _ in range(1 + number % 4):
                stack.enter_context(dial(server.port))
            begun = monotonic()
            server.shutdown()
            assert monotonic() - begun < 1.0


@pytest.mark.parametrize("handler", [Recorder, echo])
def test_shutdown_ends_connections_whose_peer_has_answered_but_stays(handler: Handler) -> None:
    with serve(handler, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        eventually(lambda: server.sessions)
        stopping = background(lambda: server.shutdown(timeout=0.5))
        assert peer.read_close() == 1001
        peer.send_close(1001)
        begun = monotonic()
        stopping.result()
        assert peer.is_lost()
        eventually(lambda: not _connection_threads())
        assert monotonic() - begun < 0.5 + 1.0


def test_shutdown_ends_plain_http_connections_whose_peer_stays() -> None:
    with echo_server() as server, dial(server.port) as peer:
        peer.send(PLAIN)
        assert peer.read_head().startswith(b"HTTP/1.1 426 ")
        begun = monotonic()
        server.shutdown(timeout=0.5)
        eventually(lambda: not _connection_threads())
        assert monotonic() - begun < 0.5 + 1.0


def _connection_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("wscore (")]


def test_a_request_that_waits_during_shutdown_is_not_left_without_an_answer() -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(received: Request) -> Response | None:
        asked.set()
        answer.wait(PATIENCE)
        return None

    with serve(echo, "127.0.0.1", process_request=slow) as server, dial(server.port) as peer:
        peer.send(request())
        assert asked.wait(PATIENCE)
        stopping = background(server.shutdown)
        stays(lambda: not stopping.done, 0.2)
        answer.set()
        status = peer.read_head()
        if status.startswith(b"HTTP/1.1 101"):
            assert peer.read_close() == 1001
            peer.send_close(1001)
        else:
            assert status.startswith(b"HTTP/1.1 503")
        peer.read_to_end()
        peer.close()
        stopping.result()


def test_serve_forever_returns_after_shutdown() -> None:
    with echo_server() as server:
        serving = background(server.serve_forever)
        stays(lambda: not serving.done, 0.05)
        server.shutdown()
        serving.result()


def test_a_handler_may_shut_its_server_down() -> None:
    def last(session: Session) -> None:
        session.recv()
        server.shutdown()

    with serve(last, "127.0.0.1") as server:
        session = connect(url_of(server))
        session.send("stop")
        assert list(session) == []
        assert session.closed is not None and session.closed.code == 1001
