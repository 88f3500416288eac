"""Sessions: what leaves when, slow peers, hooks that misbehave, the ends of TCP."""

import logging
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from support.certificates import Certificates
from support.eventually import background
from support.raw import RawPeer, dial
from support.recorder import Recorder
from support.wire import CLOSE, CONTINUATION, PING, PONG, REQUEST, TEXT, frame, read_frames, status
from wscore import (
    BatchMode,
    CloseError,
    Config,
    ConnectionClosed,
    Endpoint,
    Limits,
    LocalProtocolError,
    TimedOut,
    Timeouts,
    Timer,
)
from wscore._typing import override
from wscore.policy import SlowConsumer
from wscore_selectors import Session, broadcast

from .conftest import Stage

_SMALL = 4096  # bytes that the kernel may hold for a peer that reads slowly


def _frames(peer: RawPeer) -> list[tuple[int, bytes]]:
    """Read once; return the frames that came together."""
    return read_frames(peer.receive())


# What leaves when.


class _Twice(Endpoint):
    """Answers each message with two."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(message)
        session.send(message)


def test_what_answers_one_batch_of_input_leaves_in_one_write(stage: Stage) -> None:
    server = stage.reactor.serve(_Twice(), "127.0.0.1")
    with dial(server.port) as peer:
        peer.send(REQUEST)
        stage.drive(lambda: server.sessions)
        peer.read_head()
        peer.send(b"".join(frame(TEXT, text, masked=True) for text in (b"a", b"b")))
        (session,) = server.sessions
        stage.drive(lambda: session.stats.messages_sent == 4 and not session.buffered_amount)
        assert _frames(peer) == [(0x80 | TEXT, text) for text in (b"a", b"a", b"b", b"b")]


def test_with_batch_mode_on_messages_wait_for_flush_or_for_something_that_must_leave(stage: Stage) -> None:
    peer, session = stage.peer_of(Recorder())
    session.batch_mode = BatchMode.ON
    session.send("first")
    stage.turns(2)
    session.send("second")
    stage.turns(2)
    assert session.buffered_amount > 0
    session.flush()
    assert _frames(peer) == [(0x81, b"first"), (0x81, b"second")]
    session.send("third")
    peer.send_frame(PING, b"?")
    stage.drive(lambda: not session.buffered_amount)
    assert sorted(_frames(peer)) == [(0x81, b"third"), (0x80 | PONG, b"?")]
    session.send("fourth")
    session.close()
    assert _frames(peer) == [(0x81, b"fourth"), (0x80 | CLOSE, status(1000))]


class _Holding(Endpoint):
    """Holds back what it says in answer to a message.

    Args:
        answer: says it.
    """

    def __init__(self, answer: Callable[[Any, str], object]) -> None:
        self._answer = answer

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.batch_mode = BatchMode.ON
        self._answer(session, str(message))


def _released_by_auto(session: Any, message: str) -> None:
    session.send("held")
    session.batch_mode = BatchMode.AUTO
    session.send(message)


def _released_by_broadcast(session: Any, message: str) -> None:
    session.send("held")
    broadcast([session], message)


def _asked(stage: Stage, answer: Callable[[Any, str], object], question: bytes) -> RawPeer:
    """Let a peer ask an endpoint that holds its answers; return the peer."""
    server = stage.reactor.serve(_Holding(answer), "127.0.0.1")
    peer = stage.dial(server.port)
    peer.send(REQUEST)
    stage.drive(lambda: server.sessions)
    peer.read_head()
    peer.send(question)
    stage.drive(lambda: server.sessions[0].stats.messages_sent)
    stage.turns(2)
    return peer


@pytest.mark.parametrize("answer", [_released_by_auto, _released_by_broadcast])
def test_what_is_held_leaves_in_a_hook_with_what_is_not(
    stage: Stage, answer: Callable[[Any, str], object]
) -> None:
    peer = _asked(stage, answer, frame(TEXT, b"all", masked=True))
    assert _frames(peer) == [(0x81, b"held"), (0x81, b"all")]


@pytest.mark.parametrize(
    "answer",
    [
        lambda session, message: session.send(message),
        lambda session, message: session.send_fragment(message, True),
        lambda session, message: session.send_fragments([message]),
    ],
    ids=["message", "fragment", "fragments"],
)
def test_a_pong_that_was_on_its_way_before_is_not_held(
    stage: Stage, answer: Callable[[Any, str], object]
) -> None:
    both = frame(TEXT, b"held", masked=True) + frame(PING, b"?", masked=True)
    peer = _asked(stage, answer, both)
    assert (0x80 | PONG, b"?") in _frames(peer)


@pytest.mark.parametrize(
    "answer",
    [
        lambda session, message: session.send(message),
        lambda session, message: session.send_fragment(message, True),
        lambda session, message: session.send_fragments([message, message]),
    ],
    ids=["message", "fragment", "fragments"],
)
def test_where_nothing_was_on_its_way_everything_is_held(
    stage: Stage, answer: Callable[[Any, str], object]
) -> None:
    peer = _asked(stage, answer, frame(TEXT, b"held", masked=True))
    assert stage.reactor._servers[0].sessions[0].buffered_amount > 0
    peer.close()


def test_with_batch_mode_off_a_message_leaves_while_the_hook_that_sent_it_still_runs(stage: Stage) -> None:
    seen: list[bytes] = []

    class Impatient(Endpoint):
        """Looks at what has left."""

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            session.batch_mode = BatchMode.OFF
            session.send("at once")
            seen.append(peer.read_frame()[1])

    server = stage.reactor.serve(Impatient(), "127.0.0.1")
    with dial(server.port) as peer:
        peer.send(REQUEST)
        stage.drive(lambda: server.sessions)
        peer.read_head()
        peer.send_frame(TEXT, b"go")
        stage.drive(lambda: seen)
    assert seen == [b"at once"]


def test_a_hook_may_send_to_other_sessions_and_what_it_sent_leaves_in_the_same_turn(stage: Stage) -> None:
    sessions: list[Any] = []

    class Room(Endpoint):
        """Everybody hears everything."""

        @override
        def on_connect(self, session: Any) -> None:
            sessions.append(session)

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            broadcast(sessions, message)

    first, client = stage.pair(Room())
    second, other = stage.pair(Room())
    first.send("to all")
    stage.drive(lambda: "message" in client.names and "message" in other.names)
    assert second.stats.messages_received == 1


def test_a_broadcast_leaves_out_whom_its_policy_says(stage: Stage) -> None:
    config = Config(limits=Limits(outbox_high=1000, outbox_low=500))
    sessions: dict[SlowConsumer, Session] = {}
    for policy in SlowConsumer:
        _, session = stage.peer_of(Recorder(), config, receive_buffer=_SMALL)
        session.slow_consumer = policy
        while session.buffered_amount < 1000:
            session.send(bytes(50_000))
        sessions[policy] = session
    before = {policy: session.buffered_amount for policy, session in sessions.items()}
    broadcast(sessions.values(), "news")
    grown = {policy for policy, session in sessions.items() if session.buffered_amount > before[policy]}
    assert grown == {SlowConsumer.WAIT, SlowConsumer.CLOSE}
    assert sessions[SlowConsumer.DROP].broadcasts_dropped == 1
    with pytest.raises(LocalProtocolError):
        sessions[SlowConsumer.CLOSE].send("too late")


def test_a_message_in_parts_is_one_message_and_broken_parts_close_the_connection(stage: Stage) -> None:
    peer, session = stage.peer_of(Recorder())
    session.send_fragments(["a", "b"])
    assert _frames(peer) == [(TEXT, b"a"), (CONTINUATION, b"b"), (0x80 | CONTINUATION, b"")]
    with pytest.raises(LocalProtocolError, match="at least one"):
        session.send_fragments([])
    with pytest.raises(TypeError, match="iterable"):
        session.send_fragments("abc")

    def parts() -> Any:
        yield "begun"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.send_fragments(parts())
    assert _frames(peer) == [(TEXT, b"begun"), (0x80 | CLOSE, status(1011))]


def test_a_ping_returns_at_once_and_knows_its_latency_later(stage: Stage) -> None:
    peer, session = stage.peer_of(Recorder())
    ping = session.ping(b"marco")
    assert ping.latency is None
    assert peer.read_frame() == (0x80 | PING, b"marco")
    peer.send_frame(PONG, b"marco")
    stage.drive(lambda: ping.latency is not None)
    assert session.latency == ping.latency


# Slow peers, slow applications.


class _Flooded(Endpoint):
    """Answers every message with a big one; notes when there is room again."""

    def __init__(self) -> None:
        self.session: Any = None
        self.messages = 0
        self.rooms = 0

    @override
    def on_connect(self, session: Any) -> None:
        self.session = session

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self.messages += 1
        session.send(bytes(100_000))

    def on_writable(self, session: Any) -> None:
        """There is room."""
        assert session.buffered_amount <= 65536
        self.rooms += 1


def test_who_does_not_read_gets_nothing_answered_until_they_do(stage: Stage) -> None:
    """100 requests, 10 MB of replies: they do not pile up here, and not one is missing in the end."""
    endpoint = _Flooded()
    server = stage.reactor.serve(endpoint, "127.0.0.1")
    with dial(server.port, receive_buffer=_SMALL) as peer:
        peer.send(REQUEST)
        stage.drive(lambda: server.sessions)
        peer.read_head()
        peer.send(frame(TEXT, b"more", masked=True) * 100)
        stage.drive(lambda: endpoint.messages and endpoint.session.buffered_amount)
        stage.turns(50)
        assert endpoint.messages < 100 and endpoint.session.buffered_amount < 300_000
        reading = background(lambda: peer.read_exactly(100 * (100_000 + 10)))
        stage.drive(lambda: reading.done)
        reading.result()
    assert endpoint.messages == 100
    assert endpoint.rooms > 0


def test_while_a_session_is_suspended_nothing_is_delivered_and_pings_are_answered(stage: Stage) -> None:
    recorder = Recorder()
    peer, session = stage.peer_of(recorder)
    session.suspend()
    peer.send_frame(TEXT, b"waits")
    peer.send_frame(PING, b"?")
    stage.drive(lambda: session.stats.pings_received)
    stage.turns(2)
    assert peer.read_frame() == (0x80 | PONG, b"?")
    assert recorder.names == ["connect"]
    session.resume()
    stage.drive(lambda: recorder.calls[-1] == ("message", "waits"))


def test_a_suspended_session_stops_reading_when_much_has_arrived(stage: Stage) -> None:
    config = Config(limits=Limits(inbox_high=10_000, inbox_low=5_000))
    recorder = Recorder()
    peer, session = stage.peer_of(recorder, config)
    session.suspend()
    peer.socket.setblocking(False)
    sent = 0
    block = frame(TEXT, b"x" * 50_000, masked=True)
    try:
        for _ in range(1000):
            sent += peer.socket.send(block)
            stage.turns(1)
    except BlockingIOError:
        pass
    assert session.stats.wire_received < 200_000 < sent
    session.resume()
    stage.drive(lambda: session.stats.messages_received >= sent // len(block))


# Hooks that misbehave.


class _Broken(Endpoint):
    """Raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "code"), [(ZeroDivisionError(), 1011), (CloseError(4001, "no"), 4001)], ids=["1011", "4001"]
)
def test_a_hook_that_raises_closes_its_own_session_alone(
    stage: Stage, error: Exception, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    bystander, _ = stage.pair(Recorder())
    session, client = stage.pair(_Broken(error))
    with caplog.at_level(logging.CRITICAL, "wscore_selectors"):
        session.send("go")
        stage.drive(lambda: client.names[-1] == "close")
    assert client.calls[-1][1] == code
    assert bystander.closed is None


def test_an_interrupt_in_a_hook_ends_the_turn_and_the_session_goes_on(stage: Stage) -> None:
    session, client = stage.pair(_Broken(KeyboardInterrupt()))
    session.send("go")
    with pytest.raises(KeyboardInterrupt):
        stage.drive(lambda: False)
    session.close()
    stage.drive(lambda: client.names[-1] == "close")
    assert client.calls[-1] == ("close", 1000, "")


# Ends.


def test_a_hook_may_close_or_abort_its_session_and_gets_what_came_before_the_end(stage: Stage) -> None:
    class Brief(Recorder):
        """Has enough after one message."""

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            super().on_message(session, message)
            session.abort() if message == "abort" else session.close()

    for word in ("close", "abort"):
        recorder = Brief()
        peer, _ = stage.peer_of(recorder)
        peer.send(frame(TEXT, word.encode(), masked=True) * 2)
        if word == "close":
            peer.send_close()
        stage.drive(lambda: recorder.names[-1] == "close")  # noqa: B023
        assert recorder.names.count("message") == 2
        assert recorder.names[-1] == "close"


def test_an_abort_resets_the_connection(stage: Stage) -> None:
    peer, session = stage.peer_of(Recorder())
    session.abort()
    with pytest.raises(ConnectionResetError):
        peer.receive()
    with pytest.raises(ConnectionClosed):
        session.send("too late")


def test_what_a_peer_sent_before_it_left_is_delivered_although_writing_fails(stage: Stage) -> None:
    recorder = Recorder()
    peer, session = stage.peer_of(recorder)
    peer.send_frame(TEXT, b"last words")
    peer.close()
    for _ in range(3):
        session.send("nobody hears this")  # the first is answered by RST, then writing fails
    stage.drive(lambda: recorder.names[-1] == "close")
    assert recorder.names == ["connect", "message", "error", "close"]


def test_after_the_close_handshake_the_server_ends_tcp_and_nothing_is_reset(stage: Stage) -> None:
    recorder = Recorder()
    peer, _ = stage.peer_of(recorder)
    peer.send_close(1001)
    peer.send(bytes(100))  # more than a reader of frames would take: it must not become a RST
    stage.drive(lambda: recorder.names[-1] == "close")
    stage.turns(2)
    assert peer.read_close() == 1001
    assert peer.receive() == b""


def test_a_peer_that_is_silent_is_found_out(stage: Stage) -> None:
    recorder = Recorder()
    stage.peer_of(recorder, Config(timeouts=Timeouts(keepalive=0.03, pong=0.03)))
    stage.drive(lambda: recorder.names[-1] == "close")
    name, error = recorder.calls[1]
    assert name == "error" and isinstance(error, TimedOut) and error.timer is Timer.PONG


def test_a_close_that_nobody_answers_ends_after_its_timeout(stage: Stage) -> None:
    recorder = Recorder()
    _, session = stage.peer_of(recorder, Config(timeouts=Timeouts(close=0.05)))
    session.close()
    stage.drive(lambda: recorder.names[-1] == "close")
    assert session.closed is not None and session.closed.timer is Timer.CLOSE


# TLS.


def test_over_tls_big_messages_go_both_ways_and_the_end_is_clean(
    stage: Stage, certificates: Certificates
) -> None:
    session, client = stage.pair(
        Recorder(replies=True),
        server_ssl=certificates.server_context(),
        ssl=certificates.client_context(),
    )
    assert session.is_secure
    for message in ("small", bytes(1_000_000)):
        session.send(message)
        stage.drive(lambda: client.calls[-1] == ("message", message))  # noqa: B023
    session.close()
    stage.drive(lambda: client.names[-1] == "close")
    assert session.closed is not None and session.closed.clean


def test_a_certificate_that_is_not_trusted_is_told_to_on_failure(
    stage: Stage, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1", ssl=certificates.server_context())
    failures: list[Exception] = []
    with caplog.at_level(logging.CRITICAL, "wscore_selectors"):
        stage.reactor.connect(
            f"wss://127.0.0.1:{server.port}",
            Recorder(),
            ssl=ssl.create_default_context(),
            on_failure=failures.append,
        )
        stage.drive(lambda: failures)
    assert isinstance(failures[0], ssl.SSLCertVerificationError)
