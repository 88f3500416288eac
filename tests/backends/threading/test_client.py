"""`connect`: endpoints on the side of a client, and the threads that serve them."""

import socket
import threading
from typing import ClassVar

import pytest

from support.eventually import PATIENCE, background, eventually, stays
from support.raw import RawListener
from support.recorder import Recorder
from support.stopwatch import within
from support.threaded import echo_server, url_of
from wscore import (
    Config,
    Endpoint,
    Handler,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    Timeouts,
)
from wscore._typing import override
from wscore_threading import Session, connect, serve
from wscore_threading._housekeeper import housekeeper


def test_a_server_that_dribbles_does_not_prolong_the_open_timeout() -> None:
    def dribble() -> None:
        peer = listener.accept()
        try:
            while True:
                peer.send(b"H")
                stays(lambda: True, 0.02)
        except OSError:
            pass

    with RawListener() as listener:
        dribbling = background(dribble)
        with within(0.3 + 0.5), pytest.raises((TimedOut, RemoteProtocolError)):
            connect(listener.url, config=Config(timeouts=Timeouts(open=0.3)))
        dribbling.result()


def test_an_endpoint_hears_of_everything_in_a_thread_of_its_own() -> None:
    recorder = Recorder()
    with echo_server() as server:
        with connect(url_of(server), recorder) as session:
            recorder.wait_for("connect")
            assert recorder.session is session
            for word in ("one", "two"):
                session.send(word)
                recorder.wait_for("message")
        # Leaving the block waits for on_close.
        assert recorder.calls == [("connect",), ("message", "one"), ("message", "two"), ("close", 1000, "")]
    assert len(recorder.threads) == 1 and threading.current_thread() not in recorder.threads


def test_a_hook_may_close_and_wait_for_the_end() -> None:
    class Closing(Endpoint):
        """Closes from inside a hook."""

        states: ClassVar[list[str]] = []

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            session.close(4000)
            self.states.append(session.state.name)

    with echo_server() as server, connect(url_of(server), Closing) as session:
        session.send("go")
        eventually(lambda: Closing.states)
        assert Closing.states == ["CLOSED"]
        assert session.closed is not None and session.closed.code == 4000


def test_a_function_of_the_session_runs_in_a_thread_too_and_closes_at_its_end() -> None:
    received: list[str | bytes] = []

    def talk(session: Session) -> None:
        session.send("hello")
        received.append(session.recv())

    with echo_server() as server, connect(url_of(server), talk) as session:
        eventually(lambda: session.closed is not None)
    assert received == ["hello"] and session.closed is not None and session.closed.clean


def test_two_endpoints_can_talk_without_any_other_thread() -> None:
    class Counting(Endpoint):
        """Counts up in turns with its peer."""

        over = threading.Event()

        @override
        def on_connect(self, session: Session) -> None:
            session.send("0")

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            if message == "1001":
                session.close(wait=False)
                self.over.set()
            else:
                session.send(str(int(message) + 1))

    def answer(session: Session) -> None:
        for message in session:
            session.send(str(int(message) + 1))

    with serve(answer, "127.0.0.1") as server, connect(url_of(server), Counting()) as session:
        assert Counting.over.wait(PATIENCE)
        assert session.stats.messages_received == 501


def test_a_socket_that_was_handed_over_is_closed_when_connecting_fails_however_early() -> None:
    def fail() -> Endpoint:
        raise ZeroDivisionError

    async def awaited(session: Session) -> None: ...

    early: list[tuple[type[Exception], str, Handler | None, str]] = [
        (InvalidURL, "no address", None, "chat"),
        (LocalProtocolError, "ws://elsewhere.example/", None, "bad name"),
        (TypeError, "ws://elsewhere.example/", awaited, "chat"),
        (ZeroDivisionError, "ws://elsewhere.example/", Endpoint.factory(fail), "chat"),
    ]
    with RawListener() as listener:
        for error, url, endpoint, subprotocol in early:
            sock = socket.create_connection(("127.0.0.1", listener.port))
            with pytest.raises(error):
                connect(url, endpoint, sock=sock, subprotocols=[subprotocol])
            assert sock.fileno() == -1


def test_a_socket_is_closed_when_nobody_can_keep_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(link: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(housekeeper, "add", refuse)
    with RawListener() as listener:
        sock = socket.create_connection(("127.0.0.1", listener.port))
        with pytest.raises(RuntimeError, match="new thread"):
            connect(listener.url, sock=sock)
        assert sock.fileno() == -1


def test_a_session_whose_endpoint_gets_no_thread_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("wscore-client"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url, Endpoint))
        peer = listener.accept_upgrade()
        assert isinstance(opening.error(), RuntimeError)
        peer.socket.settimeout(2.0)
        assert peer.is_lost()
