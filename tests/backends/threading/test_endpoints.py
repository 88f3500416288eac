"""Handlers in all four shapes, on both sides: which hook is called when, and what becomes of its errors."""

import queue
import threading
from typing import Any

import pytest

from support.eventually import PATIENCE, background, eventually
from support.handshakes import minus
from support.raw import dial, dial_upgraded
from support.recorder import Recorder
from support.threaded import url_of
from support.wire import PING, PONG, TEXT, frame
from wscore import (
    Config,
    ConnectionLost,
    Endpoint,
    RemoteProtocolError,
    TimedOut,
    Timeouts,
    Timer,
    Violation,
)
from wscore._typing import override
from wscore_threading import Session, connect, serve

# The shapes of a handler.


def test_of_a_class_each_connection_gets_its_own_instance() -> None:
    class Numbered(Endpoint):
        """Keeps its session, and answers with who it is."""

        made: queue.SimpleQueue["Numbered"] = queue.SimpleQueue()

        @override
        def on_connect(self, session: Session) -> None:
            self.session = session
            self.made.put(self)

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            assert session is self.session
            session.send(str(id(self)))

    answers = []
    with (
        serve(Numbered, "127.0.0.1") as server,
        connect(url_of(server)) as one,
        connect(url_of(server)) as two,
    ):
        for session in (one, two, one):
            session.send("who?")
            answers.append(session.recv(timeout=10))
    made = [Numbered.made.get(timeout=PATIENCE) for _ in range(2)]
    assert answers[0] == answers[2] != answers[1]
    assert {str(id(endpoint)) for endpoint in made} == {str(answer) for answer in answers}


def test_an_instance_serves_every_connection_and_gets_the_session_each_time() -> None:
    class Stateless(Endpoint):
        """Remembers in the session, not in itself."""

        @override
        def on_connect(self, session: Session) -> None:
            session.user_data = []

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            session.user_data.append(message)
            session.send("".join(session.user_data))

    with (
        serve(Stateless(), "127.0.0.1") as server,
        connect(url_of(server)) as one,
        connect(url_of(server)) as two,
    ):
        for session, word, answer in [(one, "a", "a"), (two, "x", "x"), (one, "b", "ab"), (two, "y", "xy")]:
            session.send(word)
            assert session.recv(timeout=10) == answer


def test_a_factory_makes_the_endpoint_of_each_connection() -> None:
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder(replies=True))
        return made[-1]

    with serve(Endpoint.factory(make), "127.0.0.1") as server:
        for number in range(3):
            with connect(url_of(server)) as session:
                session.send(str(number))
                assert session.recv(timeout=10) == str(number)
            made[-1].wait_for("close")
    assert [endpoint.calls[1] for endpoint in made] == [("message", "0"), ("message", "1"), ("message", "2")]


def test_a_function_runs_once_per_connection_and_its_return_closes_with_1000() -> None:
    def once(session: Session) -> None:
        session.send(session.recv())

    with serve(once, "127.0.0.1") as server:
        for _ in range(2):
            with connect(url_of(server)) as session:
                session.send("hello")
                assert list(session) == ["hello"]
                assert session.closed is not None and session.closed.code == 1000


@pytest.mark.parametrize("handler", [None, 1, "echo", int])
def test_anything_else_is_no_handler(handler: Any) -> None:
    with pytest.raises(TypeError), serve(handler, "127.0.0.1"):
        pass


# The order of hooks.


def test_connect_comes_first_then_messages_in_order_then_close_once() -> None:
    recorder = Recorder()
    with serve(recorder, "127.0.0.1") as server, connect(url_of(server)) as session:
        for number in range(100):
            session.send(str(number))
        session.close(4001, "enough")
        recorder.wait_for("close")
    messages = [("message", str(number)) for number in range(100)]
    assert recorder.calls == [("connect",), *messages, ("close", 4001, "enough")]
    assert len(recorder.threads) == 1


def test_one_hook_at_a_time_and_no_message_before_connect_has_returned() -> None:
    may_return = threading.Event()
    inside: list[str] = []
    overlaps: list[str] = []
    done = threading.Event()

    class Careful(Endpoint):
        """Notes when a hook begins before another has returned."""

        def _enter(self, name: str) -> None:
            if inside:
                overlaps.append(name)
            inside.append(name)

        @override
        def on_connect(self, session: Session) -> None:
            self._enter("connect")
            may_return.wait(PATIENCE)
            inside.clear()

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            self._enter("message")
            session.ping()  # waits, and drives the connection
            inside.clear()

        @override
        def on_close(self, session: Session, code: int, reason: str) -> None:
            self._enter("close")
            done.set()

    with serve(Careful(), "127.0.0.1") as server, connect(url_of(server)) as session:
        for _ in range(10):
            session.send("x")
        may_return.set()
        with pytest.raises(TimeoutError):
            session.recv(timeout=0.1)  # answers the pings meanwhile
        iterating = background(lambda: list(session))
        eventually(lambda: session.stats.pings_received == 10)
        session.close()
        assert iterating.result() == [] and done.wait(PATIENCE)
    assert overlaps == []


def test_a_lost_connection_brings_an_error_and_then_close_with_1006() -> None:
    for leave in ("close", "reset"):
        recorder = Recorder()
        with serve(recorder, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
            peer.send(frame(TEXT, b"whole", masked=True) + frame(TEXT, b"never whole", masked=True)[:-1])
            recorder.wait_for("message")
            getattr(peer, leave)()
            recorder.wait_for("close")
        assert recorder.names == ["connect", "message", "error", "close"]
        assert isinstance(recorder.calls[2][1], ConnectionLost)
        assert recorder.calls[3] == ("close", 1006, "")


def test_a_broken_rule_brings_an_error_that_names_it_and_then_close() -> None:
    recorder = Recorder()
    with serve(recorder, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send(frame(TEXT, b"unmasked", masked=False))
        assert peer.read_close() == 1002
        peer.close()
        recorder.wait_for("close")
    error = recorder.calls[1][1]
    assert isinstance(error, RemoteProtocolError) and error.violation is Violation.UNMASKED_FRAME
    assert recorder.calls[2] == ("close", 1006, "")


def test_a_timeout_brings_an_error_that_names_it_and_then_close() -> None:
    recorder = Recorder()
    config = Config(timeouts=Timeouts(keepalive=0.1, pong=0.1))
    with serve(recorder, "127.0.0.1", config=config) as server, dial_upgraded(server.port):
        recorder.wait_for("close")
    error = recorder.calls[1][1]
    assert isinstance(error, TimedOut) and error.timer is Timer.PONG
    assert recorder.names == ["connect", "error", "close"]


def test_a_refused_handshake_calls_no_hook() -> None:
    recorder = Recorder()
    with serve(recorder, "127.0.0.1") as server:
        with dial(server.port) as peer:
            peer.send(minus(b"host"))
            assert b" 400 " in peer.read_head()
        with connect(url_of(server)):
            pass
        recorder.wait_for("close")
    assert recorder.names == ["connect", "close"]


def test_pings_and_pongs_reach_an_endpoint_that_asks_for_them() -> None:
    heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

    class Listening(Endpoint):
        """Has the two optional hooks."""

        def on_ping(self, session: Session, payload: bytes) -> None:
            heard.put(("ping", payload))

        def on_pong(self, session: Session, payload: bytes) -> None:
            heard.put(("pong", payload))

    with serve(Listening, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send_frame(PING, b"there?")
        assert peer.read_frame() == (0x80 | PONG, b"there?")
        peer.send_frame(PONG, b"unasked")
        assert [heard.get(timeout=10) for _ in range(2)] == [("ping", b"there?"), ("pong", b"unasked")]
