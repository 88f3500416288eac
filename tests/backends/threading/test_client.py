"""`connect`: what it sends, what it raises, and endpoints on the client's side."""

import socket
import threading
from time import monotonic
from typing import Any, ClassVar

import pytest

from support.eventually import PATIENCE, background, eventually, stays
from support.handshakes import head, response
from support.raw import RawListener
from support.recorder import Recorder
from support.threaded import echo_server, url_of
from support.wire import TEXT, frame
from wscore import (
    Config,
    ConnectionLost,
    Endpoint,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    Timeouts,
    Timer,
    Violation,
)
from wscore._typing import override
from wscore_threading import Session, connect, serve


def test_the_request_carries_target_headers_and_subprotocols() -> None:
    with RawListener() as listener:
        opening = background(
            lambda: connect(
                f"ws://127.0.0.1:{listener.port}/a/b?c=d",
                headers=[("Origin", "https://example.com"), ("X-Twice", "1"), ("X-Twice", "2")],
                subprotocols=["one", "two"],
            )
        )
        peer = listener.accept()
        lines = peer.read_head().split(b"\r\n")
        peer.close()
        assert isinstance(opening.error(), ConnectionLost | OSError)
    assert lines[0] == b"GET /a/b?c=d HTTP/1.1"
    for line in (
        b"Host: 127.0.0.1:%d" % listener.port,
        b"Origin: https://example.com",
        b"X-Twice: 1",
        b"X-Twice: 2",
        b"Sec-WebSocket-Protocol: one, two",
        b"Sec-WebSocket-Version: 13",
    ):
        assert line in lines


def test_a_refusal_is_raised_with_its_status_and_body() -> None:
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url))
        peer = listener.accept()
        peer.read_head()
        peer.send(head(b"HTTP/1.1 403 Forbidden", [b"Content-Length: 7", b"X-Why: because"]) + b"not you")
        error = opening.error()
        assert peer.is_lost()
    assert isinstance(error, HandshakeRefused)
    assert error.response.status == 403 and error.response.body == b"not you"
    assert error.response.headers.get("x-why") == "because"


def test_a_bad_response_is_raised_with_the_rule_that_it_broke() -> None:
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url))
        peer = listener.accept()
        peer.read_head()
        peer.send(response())  # its token answers another key
        error = opening.error()
        assert peer.is_lost()
    assert isinstance(error, RemoteProtocolError) and error.violation is Violation.WEBSOCKET_ACCEPT


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_server_that_leaves_during_the_handshake_is_an_error(leave: str) -> None:
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url))
        peer = listener.accept()
        peer.read_head()
        getattr(peer, leave)()
        assert isinstance(opening.error(), ConnectionLost | OSError)


def test_a_server_that_says_nothing_is_given_up_after_the_open_timeout() -> None:
    with RawListener() as listener:
        begun = monotonic()
        with pytest.raises(TimedOut) as caught:
            connect(listener.url, config=Config(timeouts=Timeouts(open=0.3)))
        assert caught.value.timer is Timer.OPEN and 0.2 < monotonic() - begun < 0.3 + 0.5
        peer = listener.accept()
        assert b"Upgrade" in peer.read_head() and peer.is_lost()


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
        begun = monotonic()
        with pytest.raises((TimedOut, RemoteProtocolError)):
            connect(listener.url, config=Config(timeouts=Timeouts(open=0.3)))
        assert monotonic() - begun < 0.3 + 0.5
        dribbling.result()


def test_nobody_there_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        connect(f"ws://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "ws://", "127.0.0.1", "ws://h/#fragment", "ws://h:99999/"]
)
def test_what_is_no_address_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(InvalidURL):
        connect(url)


@pytest.mark.parametrize(
    "arguments", [{"headers": [("X", "a\r\nY: b")]}, {"headers": [("Host", "x")]}, {"subprotocols": ["a b"]}]
)
def test_what_may_not_be_sent_is_refused_before_any_connection(arguments: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        connect("ws://127.0.0.1:9/", **arguments)


# Endpoints of a client.


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


def test_an_endpoint_learns_that_the_connection_was_lost() -> None:
    recorder = Recorder()
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url, recorder))
        peer = listener.accept_upgrade()
        session = opening.result()
        peer.send(frame(TEXT, b"last words", masked=False))
        peer.close()
        recorder.wait_for("close")
        with session:
            pass
    assert recorder.names == ["connect", "message", "error", "close"]
    assert isinstance(recorder.calls[2][1], ConnectionLost)
    assert recorder.calls[3] == ("close", 1006, "")


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
