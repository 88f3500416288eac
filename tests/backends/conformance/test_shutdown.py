"""How a server stops: nobody is forgotten, nobody can hold it up, and nothing stays behind."""

import socket
import threading
from contextlib import ExitStack

import pytest

from support.conformance.facade import Facade
from support.conformance.setting import Setting
from support.eventually import PATIENCE, background, eventually, stays
from support.handshakes import request
from support.stopwatch import within
from support.wire import TEXT
from wscore import ConnectionClosed, Request

PLAIN = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"


def test_shutdown_closes_sessions_with_a_code_and_a_reason_and_stops_listening(serving: Setting) -> None:
    with serving.serve() as served, serving.connect(served.url) as session:
        handling = background(served.accept(session).rest)
        iterating = background(session.rest)
        eventually(lambda: served.sessions)
        stopping = background(lambda: served.shutdown(1012, "back soon"))
        assert iterating.result() == handling.result() == []
        assert (session.end.code, session.end.reason, session.end.clean) == (1012, "back soon", True)
        stopping.result()
        assert served.sessions == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port), 5).close()


def test_shutdown_says_going_away_and_may_be_called_twice(backend: Setting) -> None:
    with backend.serve() as served, backend.dial(served.port) as peer:
        eventually(lambda: served.sessions)
        stopping = [background(served.shutdown) for _ in range(2)]
        assert peer.read_close() == 1001
        peer.send_close(1001)
        peer.end_writing()
        assert peer.read_to_end() == b""
        for each in stopping:
            each.result()


def test_shutdown_with_a_code_that_may_not_be_sent_stops_nothing(backend: Setting) -> None:
    with backend.serve() as served:
        with pytest.raises(ValueError, match="may be sent"):
            served.shutdown(1005)
        with backend.connect(served.url) as session:
            assert session.ping() > 0


def test_a_server_can_be_stopped_the_moment_it_has_started(backend: Setting) -> None:
    for _ in range(20):
        with backend.serve() as served:
            served.shutdown()


def test_shutdown_waits_for_handlers_that_finish_in_time(running: Setting) -> None:
    finished = threading.Event()

    def tidy(session: Facade) -> None:
        assert session.rest() == []
        stays(lambda: True, 0.2)
        finished.set()

    with running.serve(script=tidy) as served, running.connect(served.url) as session:
        eventually(lambda: served.sessions)
        closing = background(session.rest)
        served.shutdown()
        assert finished.is_set()
        closing.result()


def test_shutdown_aborts_handlers_that_ignore_it_and_ends_in_time(running: Setting) -> None:
    errors: list[BaseException] = []
    released = threading.Event()

    def stubborn(session: Facade) -> None:
        released.wait(PATIENCE)
        try:
            session.send("still there?")
        except Exception as error:
            errors.append(error)

    with running.serve(script=stubborn) as served, running.dial(served.port) as peer:
        eventually(lambda: served.sessions)
        releasing = background(lambda: peer.read_close() == 1001 and peer.is_lost())
        with within(0.3 + 1.0 + 0.5):
            served.shutdown(timeout=0.3)
        assert releasing.result()
        released.set()
        eventually(lambda: errors)
        assert isinstance(errors[0], ConnectionClosed)


def test_shutdown_aborts_peers_that_never_answer_and_peers_that_answer_but_stay(serving: Setting) -> None:
    with ExitStack() as stack:
        served = stack.enter_context(serving.serve())
        peers = [stack.enter_context(serving.dial(served.port)) for _ in range(4)]
        eventually(lambda: len(served.sessions) == 4)
        with within(0.15 + 1.0 + 0.5):
            stopping = background(lambda: served.shutdown(timeout=0.15))
            for number, peer in enumerate(peers):
                assert peer.read_close() == 1001
                if number % 2:
                    peer.send_close(1001)
            stopping.result()
        assert all(peer.is_lost() for peer in peers)


def test_shutdown_does_not_wait_for_handshakes_that_stall(serving: Setting) -> None:
    plain = Setting(serving.driver, serving.role, None)
    with ExitStack() as stack:
        served = stack.enter_context(serving.serve())
        peers = [stack.enter_context(plain.dial_bare(served.port)) for _ in range(10)]
        for peer in peers[::2]:
            peer.send(b"GET / HTTP/1.1\r\n" if serving.contexts is None else b"\x16\x03\x01\x02\x00\x01")
        session = stack.enter_context(serving.connect(served.url))  # accepted after all of them
        session.ping()
        handling = background(served.accept(session).rest)
        iterating = background(session.rest)
        with within(1.5):
            served.shutdown()
        assert all(peer.is_lost() for peer in peers)
        assert iterating.result() == handling.result() == []


def test_shutdown_ends_plain_http_connections_whose_peer_stays(backend: Setting) -> None:
    with backend.serve() as served, backend.dial_bare(served.port) as peer:
        peer.send(PLAIN)
        assert peer.read_head().startswith(b"HTTP/1.1 426 ")
        with within(0.15 + 1.0 + 0.5):
            served.shutdown(timeout=0.15)
        peer.is_lost()


def test_a_request_that_is_being_decided_during_shutdown_gets_503(running: Setting) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(received: Request) -> None:
        asked.set()
        answer.wait(PATIENCE)

    process_request = running.driver.in_a_thread(slow)
    with running.serve(process_request=process_request) as served, running.dial_bare(served.port) as peer:
        peer.send(request())
        assert asked.wait(PATIENCE)
        stopping = background(served.shutdown)
        stays(lambda: not stopping.done, 0.1)
        answer.set()
        head = peer.read_head()
        assert head.startswith(b"HTTP/1.1 503 ") and b"retry-after" in head.lower()
        peer.read_to_end()
        peer.close()
        stopping.result()


def test_messages_sent_before_shutdown_arrive_before_the_close(serving: Setting) -> None:
    with serving.serve() as served, serving.dial(served.port) as peer:
        session = served.accept()
        for number in range(50):
            session.send(f"{number}")
        stopping = background(served.shutdown)
        for number in range(50):
            assert peer.read_frame() == (0x80 | TEXT, b"%d" % number)
        assert peer.read_close() == 1001
        peer.send_close(1001)
        peer.end_writing()
        assert peer.read_to_end() == b""
        stopping.result()
