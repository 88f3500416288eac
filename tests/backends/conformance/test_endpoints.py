"""The contract of `Endpoint`: which hook is called when, for either side of a connection."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from support.conformance.frames import frame_from, frames_from
from support.conformance.setting import Setting
from support.eventually import PATIENCE, background, eventually
from support.handshakes import minus
from support.raw import RawPeer
from support.recorder import Recorder
from support.wire import CLOSE, CONTINUATION, PING, PONG, TEXT, frame, status
from wscore import (
    Config,
    ConnectionLost,
    Deflate,
    Endpoint,
    RemoteProtocolError,
    TimedOut,
    Timeouts,
    Timer,
    Violation,
)
from wscore._typing import override

# The shapes of a handler.


def test_of_a_class_each_connection_gets_its_own_instance(backend: Setting) -> None:
    class Numbered(Endpoint):
        """Keeps its session, and answers with who it is."""

        @override
        def on_connect(self, session: Any) -> None:
            self.session = session

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            session.send(str(id(self)) if session is self.session else "another session")

    with (
        backend.serve(endpoint=Numbered) as served,
        backend.dial(served.port) as one,
        backend.dial(served.port) as two,
    ):
        answers = []
        for peer in (one, two, one):
            peer.send_frame(TEXT, b"who?")
            answers.append(peer.read_frame()[1])
    assert answers[0] == answers[2] != answers[1]
    assert all(answer.isdigit() for answer in answers)


def test_an_instance_serves_every_connection_and_gets_the_session_each_time(backend: Setting) -> None:
    class Stateless(Endpoint):
        """Remembers in the session, not in itself."""

        @override
        def on_connect(self, session: Any) -> None:
            session.user_data = []

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            session.user_data.append(message)
            session.send("".join(session.user_data))

    with (
        backend.serve(endpoint=Stateless()) as served,
        backend.dial(served.port) as one,
        backend.dial(served.port) as two,
    ):
        for peer, word, answer in [
            (one, b"a", b"a"),
            (two, b"x", b"x"),
            (one, b"b", b"ab"),
            (two, b"y", b"xy"),
        ]:
            peer.send_frame(TEXT, word)
            assert peer.read_frame() == (0x80 | TEXT, answer)


def test_a_factory_makes_the_endpoint_of_each_connection(plain: Setting) -> None:
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder(replies=True))
        return made[-1]

    for number in range(2):
        with plain.run(Endpoint.factory(make)) as peer:
            peer.send_frame(TEXT, b"%d" % number)
            assert peer.read_frame() == (0x80 | TEXT, b"%d" % number)
        made[-1].wait_for("close")
    assert [endpoint.calls[1] for endpoint in made] == [("message", "0"), ("message", "1")]


@pytest.mark.parametrize("handler", [1, "echo", int])
def test_anything_else_is_no_handler(backend: Setting, handler: Any) -> None:
    with pytest.raises(TypeError), backend.serve(endpoint=handler):
        pass


# The order of hooks.


def test_connect_comes_first_then_messages_in_order_then_close_once(setting: Setting) -> None:
    recorder = Recorder()
    with setting.run(recorder) as peer:
        texts = [b"%d" % number for number in range(100)]
        peer.send(frames_from(peer, TEXT, *texts) + frame_from(peer, CLOSE, status(4001, b"enough")))
        assert peer.read_close() == 4001
        recorder.wait_for("close")
        peer.end_writing()
        assert peer.read_to_end() == b""
    messages = [("message", text.decode()) for text in texts]
    assert recorder.calls == [("connect",), *messages, ("close", 4001, "enough")]


def test_messages_glued_to_the_handshake_come_after_connect(setting: Setting) -> None:
    recorder = Recorder()
    early = frame_from(setting, TEXT, b"early") + frame_from(setting, CLOSE, status(1000))
    with setting.run(recorder, early=early) as peer:
        assert peer.read_close() == 1000
        recorder.wait_for("close")
    assert recorder.calls == [("connect",), ("message", "early"), ("close", 1000, "")]


def test_one_hook_at_a_time_and_no_message_before_connect_has_returned(plain: Setting) -> None:
    inside: list[str] = []
    overlaps: list[str] = []
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()
    pause = threading.Event()  # never set: a hook that takes its time

    class Careful(Endpoint):
        """Notes when a hook begins before another has returned."""

        def _enter(self, name: str, session: Any) -> None:
            if inside:
                overlaps.append(name)
            inside.append(name)
            if name != "close":
                session.send(name)  # commands inside a hook bring no other hook about
            pause.wait(0.01)
            inside.clear()
            seen.put(name)

        @override
        def on_connect(self, session: Any) -> None:
            self._enter("connect", session)

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            self._enter("message", session)

        @override
        def on_close(self, session: Any, code: int, reason: str) -> None:
            self._enter("close", session)

    early = frame_from(plain, TEXT, b"x")
    with plain.run(Careful(), early=early) as peer:
        peer.send(frames_from(peer, TEXT, *[b"x"] * 5) + frame_from(peer, CLOSE, status(1000)))
        names = [seen.get(timeout=PATIENCE) for _ in range(8)]
    assert names == ["connect", *["message"] * 6, "close"]
    assert overlaps == []


@pytest.mark.parametrize("leave", [RawPeer.close, RawPeer.reset], ids=["fin", "rst"])
def test_a_lost_connection_brings_an_error_and_then_close_with_1006(
    setting: Setting, leave: Callable[[RawPeer], None]
) -> None:
    recorder = Recorder()
    with setting.run(recorder) as peer:
        peer.send(frames_from(peer, TEXT, b"whole") + frame_from(peer, TEXT, b"never whole")[:-1])
        recorder.wait_for("message")
        leave(peer)
        recorder.wait_for("close")
    assert recorder.names == ["connect", "message", "error", "close"]
    assert isinstance(recorder.calls[2][1], ConnectionLost)
    assert recorder.calls[3] == ("close", 1006, "")


def test_a_broken_rule_brings_an_error_that_names_it_and_then_close(plain: Setting) -> None:
    recorder = Recorder()
    with plain.run(recorder) as peer:
        peer.send(frame(TEXT, b"x", masked=not peer.masks))
        assert peer.read_close() == 1002
        peer.close()
        recorder.wait_for("close")
    violation = Violation.UNMASKED_FRAME if plain.masks else Violation.MASKED_FRAME
    error = recorder.calls[1][1]
    assert isinstance(error, RemoteProtocolError) and error.violation is violation
    assert recorder.calls[2] == ("close", 1006, "")


def test_a_timeout_brings_an_error_that_names_it_and_then_close(backend: Setting) -> None:
    recorder = Recorder()
    with backend.run(recorder, Config(timeouts=Timeouts(keepalive=0.1, pong=0.1))):
        recorder.wait_for("close")
    error = recorder.calls[1][1]
    assert isinstance(error, TimedOut) and error.timer is Timer.PONG
    assert recorder.names == ["connect", "error", "close"]
    assert recorder.calls[2] == ("close", 1006, "")


def test_shutdown_closes_endpoints_with_1001_and_each_hears_of_it_once(serving: Setting) -> None:
    recorder = Recorder()
    with serving.serve(endpoint=recorder) as served, serving.dial(served.port) as peer:
        recorder.wait_for("connect")

        stopping = background(served.shutdown)
        assert peer.read_close() == 1001
        peer.send_close(1001)
        peer.end_writing()
        stopping.result()
    assert recorder.calls == [("connect",), ("close", 1001, "")]


def test_a_refused_handshake_calls_no_hook(backend: Setting) -> None:
    recorder = Recorder()
    with backend.serve(endpoint=recorder) as served:
        with backend.dial_bare(served.port) as peer:
            peer.send(minus(b"host"))
            assert b" 400 " in peer.read_head()
        with backend.dial(served.port) as peer:
            peer.send_close()
            recorder.wait_for("close")
    assert recorder.names == ["connect", "close"]


# Optional hooks.


def test_pings_and_pongs_reach_an_endpoint_that_asks_for_them(plain: Setting) -> None:
    heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

    class Listening(Endpoint):
        """Has the two optional hooks."""

        def on_ping(self, session: Any, payload: bytes) -> None:
            heard.put(("ping", payload))

        def on_pong(self, session: Any, payload: bytes) -> None:
            heard.put(("pong", payload))

    with plain.run(Listening) as peer:
        peer.send_frame(PING, b"there?")
        assert peer.read_frame() == (0x80 | PONG, b"there?")
        peer.send_frame(PONG, b"unasked")
        assert [heard.get(timeout=10) for _ in range(2)] == [("ping", b"there?"), ("pong", b"unasked")]


def test_an_endpoint_with_on_fragment_gets_parts_as_they_arrive(setting: Setting) -> None:
    parts: queue.SimpleQueue[tuple[str | bytes, bool]] = queue.SimpleQueue()

    class Parts(Endpoint):
        """Takes messages in parts."""

        def on_fragment(self, session: Any, data: str | bytes, final: bool) -> None:
            parts.put((data, final))

    with setting.run(Parts) as peer:
        peer.send(frame_from(peer, TEXT, b"first ", final=False))
        assert parts.get(timeout=PATIENCE) == ("first ", False)
        peer.send(frame_from(peer, CONTINUATION, b"second"))
        rest = [parts.get(timeout=PATIENCE)]
        while not rest[-1][1]:
            rest.append(parts.get(timeout=PATIENCE))
        assert "".join(str(data) for data, _ in rest) == "second"


def test_an_endpoint_replies_through_a_compressed_connection(plain: Setting) -> None:
    recorder = Recorder(replies=True)
    config = Config(compression=Deflate())
    with (
        plain.serve(endpoint=recorder, config=config) as served,
        plain.connect(served.url, config=config) as session,
    ):
        for message in ("ä" * 50_000, b"\x00" * 100_000):
            session.send(message)
            assert session.recv() == message
        assert session.stats.wire_received < 10_000


def test_a_peer_that_pipelines_without_reading_is_slowed_and_not_cut_off(crossed: Setting) -> None:
    """Messages are delivered while there is room for replies, so that TCP slows the sender."""

    recorder = Recorder(replies=True)
    texts = [b"%d" % number + b"x" * 10_000 for number in range(400)]
    with crossed.run(recorder, receive_buffer=4096) as peer:
        sending = background(lambda: peer.send(frames_from(peer, TEXT, *texts)))
        eventually(lambda: recorder.session is not None and len(recorder.calls) > 5)
        for text in texts:
            assert peer.read_frame() == (0x80 | TEXT, text)
        sending.result()
        peer.send_close()
        assert peer.read_close() == 1000
        recorder.wait_for("close")
