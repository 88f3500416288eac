"""Rows 54 to 61: how connections end, and what must not be lost, kept or waited for.

The peer is a bare socket wherever a library would be too polite.
"""

import gc
import weakref
from functools import partial
from typing import Any

import pytest

import wscore_threading
from support.certificates import Certificates, make_certificates
from support.clock import only
from support.eventually import PATIENCE, background, eventually
from support.measure import MIB
from support.raw import RawPeer, dial_upgraded
from support.stopwatch import within
from support.threaded import client_of_raw_server, echo_server, pair, send_all, url_of
from support.tls_link import make_link
from support.wire import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    frame,
    from_peer,
    opened,
    status,
    the_end,
)
from wscore import (
    Config,
    ConnectionClosed,
    Deflate,
    Limits,
    Role,
    State,
    Timeouts,
    Timer,
    TransportAction,
)
from wscore.testing import drain
from wscore_threading import Session

ROLES = list(Role)


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return make_certificates()


def trickle(peer: RawPeer, data: bytes, size: int) -> None:
    """Send data in pieces of size bytes."""
    for start in range(0, len(data), size):
        peer.send(data[start : start + size])


@pytest.mark.parametrize("notify", [False, True])
def test_row_54_the_end_of_tls_is_not_the_end_of_websocket(certificates: Certificates, notify: bool) -> None:
    """Cause: the end of the stream was reported as 1000, or a truncation hidden. Correct: without a Close
    frame it is 1006, whatever TLS says; half a message is never delivered."""
    link = make_link(certificates)
    core = opened(Role.SERVER)
    message = from_peer(Role.SERVER, TEXT, b"whole") + from_peer(Role.SERVER, TEXT, b"half")[:-1]
    link.client.send(message)
    if notify:
        link.client.close()
    link.settle()
    core.receive_data(bytes(link.server_received), 0.0)
    link.server.receive_eof()
    assert link.server.truncated is not notify
    core.receive_eof(0.0)
    events = drain(core, 0.0).events
    assert events[0] == "whole" and len(events) == 2
    assert (the_end(events).code, the_end(events).clean) == (1006, False)


@pytest.mark.parametrize("role", ROLES)
def test_row_54_a_stream_cut_at_any_byte_is_never_clean(role: Role) -> None:
    """The same for TCP, at every byte of three messages and a Close."""
    pieces = [from_peer(role, TEXT, b"%d" % number) for number in range(3)]
    stream = b"".join(pieces) + from_peer(role, CLOSE, status(1000))
    for cut in range(len(stream)):
        connection = opened(role)
        connection.receive_data(stream[:cut], 0.0)
        connection.receive_eof(0.0)
        events = drain(connection, 0.0).events
        whole = sum(cut >= sum(map(len, pieces[: count + 1])) for count in range(3))
        assert events[:-1] == [str(number) for number in range(whole)]
        assert (the_end(events).code, the_end(events).clean) == (1006, False)


def test_row_55_a_timeout_in_recv_loses_and_repeats_nothing() -> None:
    """Cause: a message that arrived as the wait was given up was lost. Correct: it is there the next time."""
    with pair() as (ours, theirs):
        sending = background(lambda: send_all(theirs, map(str, range(300))))
        received: list[Any] = []
        while len(received) < 300:
            try:
                received.append(ours.recv(timeout=0.0005))
            except TimeoutError:
                pass
        sending.result()
        assert received == [str(number) for number in range(300)]


def test_row_56_a_timeout_while_streaming_loses_and_repeats_nothing() -> None:
    """Cause: giving up in the middle of a message lost its first half, or jammed the connection. Correct:
    the fragments go on where they stopped."""
    with client_of_raw_server(Config(stream=True)) as (session, peer):
        data = b"".join(b"%05d" % number for number in range(2000))
        stream = frame(BINARY, data, masked=False)
        sending = background(lambda: trickle(peer, stream, 97))
        received, final = b"", False
        while not final:
            try:
                part = session.recv_fragment(timeout=0.0005)
            except TimeoutError:
                continue
            assert isinstance(part.data, bytes)
            received, final = received + part.data, part.final
        sending.result()
        assert received == data


@pytest.mark.parametrize("state", ["idle", "full", "unread"])
def test_row_57_close_ends_in_time_in_every_state(state: str) -> None:
    """Cause: close() waited for a network that was gone, or for buffers that nobody emptied. Correct: the
    close timeout, whatever the peer does: here it never answers."""
    timeout = 0.4
    with client_of_raw_server(Config(timeouts=Timeouts(close=timeout))) as (session, peer):
        stuck = None
        if state == "full":
            stuck = background(lambda: session.send(bytes(16 * MIB)))
            eventually(lambda: session.buffered_amount > MIB)
        elif state == "unread":
            peer.send(frame(TEXT, b"x" * 1000, masked=False) * 200)
            eventually(lambda: session.stats.messages_received)
        with within(timeout + 0.5):
            session.close()
        assert session.state is State.CLOSED
        if stuck is not None:
            assert isinstance(stuck.error(), ConnectionClosed | None)


def test_row_57_unread_messages_do_not_make_close_wait() -> None:
    """Cause: the peer's Close stood behind messages that nobody took. Correct: one round trip."""
    with client_of_raw_server(Config(timeouts=Timeouts(close=15.0))) as (session, peer):
        peer.send(frame(TEXT, b"x" * 1000, masked=False) * 500)

        def answer() -> None:
            peer.read_close()
            peer.send_close()
            peer.close()

        answering = background(answer)
        with within(5.0):
            session.close()
        answering.result()
        assert session.closed is not None and session.closed.clean
        assert session.recv(timeout=0) == "x" * 1000


def test_row_58_both_sides_may_fill_the_network_at_once() -> None:
    """Cause: a lock held during sendall() kept the reader out, so neither side read. Correct: who waits to
    send reads meanwhile."""
    big = bytes(8 * MIB)
    config = Config(limits=Limits(max_message_size=16 * MIB))
    with pair(client=config, server=config) as (ours, theirs):
        sending = [background(partial(session.send, big)) for session in (ours, theirs)]
        for session in (ours, theirs):
            assert session.recv(timeout=PATIENCE) == big
        for each in sending:
            each.result()


def test_row_59_the_last_message_survives_input_that_nobody_reads() -> None:
    """Cause: closing TCP with unread input sends a reset, which destroys what is on its way. Correct: the
    sending direction ends first, input is read away until the peer has ended, too."""

    def say_goodbye(session: Session) -> None:
        session.send(bytes(MIB))
        session.close(4000, "goodbye")

    with wscore_threading.serve(say_goodbye, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        flood = background(lambda: peer.send(frame(BINARY, bytes(1000), masked=True) * 2000))
        assert len(peer.read_frame()[1]) == MIB
        assert peer.read_close() == 4000
        flood.result()
        peer.send_close(4000)
        assert peer.read_to_end() == b""


def test_row_60_a_closed_session_is_gone_without_the_cycle_collector() -> None:
    """Cause: connection, timers and callbacks held each other. Correct: no cycle; the last user frees it."""
    kept: list[weakref.ref[Session]] = []

    def visit(url: str) -> None:
        with wscore_threading.connect(url, config=Config(compression=Deflate(threshold=0))) as session:
            kept.append(weakref.ref(session))
            session.send("hello")
            assert session.recv(timeout=PATIENCE) == "hello"
            session.ping()

    gc.collect()
    gc.disable()
    try:
        with echo_server(Config(compression=Deflate(threshold=0))) as server:
            for _ in range(5):
                visit(url_of(server))
            eventually(lambda: not any(reference() is not None for reference in kept))
    finally:
        gc.enable()


@pytest.mark.parametrize("way", ["close", "lost", "violation"])
def test_row_60_a_core_leaves_nothing_for_the_cycle_collector(way: str) -> None:
    """The same for the core alone, however it ended."""

    def live() -> None:
        for role in ROLES:
            connection = opened(role)
            connection.send_text("x" * 1000)
            connection.receive_data(from_peer(role, PING, b"") + from_peer(role, TEXT, b"x"), 0.0)
            drain(connection, 0.0)
            if way == "close":
                connection.close(now=0.0)
                connection.receive_data(from_peer(role, CLOSE, status(1000)), 0.0)
            elif way == "violation":
                connection.receive_data(b"\xff\xff", 0.0)
            drain(connection, 0.0)
            connection.receive_eof(0.0)
            drain(connection, 0.0)
            assert connection.state is State.CLOSED

    def left_by_ten_lives() -> int:
        gc.collect()
        for _ in range(10):
            live()
        return gc.collect()

    live()
    gc.disable()
    try:
        # a thread that an earlier test left may drop a cycle of its own meanwhile; ours would come each time
        assert any(left_by_ten_lives() == 0 for _ in range(5))
    finally:
        gc.enable()


@pytest.mark.parametrize("role", ROLES)
def test_row_61_a_dead_peer_is_found_and_a_slow_application_is_not_blamed(role: Role) -> None:
    """Cause: a half-open connection lived for ever; or a pong that waited behind unread messages counted
    as missing. Correct: silence is what counts, and only while we read."""
    silent = opened(role, only(keepalive=20, pong=20))
    for now in (20.0, 40.0):
        silent.handle_deadline(now)
        drain(silent, now)
    assert silent.closed is not None and silent.closed.timer is Timer.PONG
    assert silent.transport_action() is TransportAction.ABORT

    busy = opened(role, Config(limits=Limits(inbox_high=100, inbox_low=0), timeouts=Timeouts(idle=None)))
    busy.receive_data(from_peer(role, TEXT, b"x" * 200) * 3, 0.0)
    assert not busy.wants_read
    for now in range(1, 200):
        busy.handle_deadline(float(now))
        busy.data_to_send(float(now))
    assert busy.state is State.OPEN

    trickling = opened(role, only(keepalive=20, pong=20))
    data = from_peer(role, TEXT, b"x" * 100)
    for second in range(100):  # one byte a second is a sign of life, a pong or not
        trickling.receive_data(data[second : second + 1], float(second))
        trickling.handle_deadline(float(second))
        drain(trickling, float(second))
        assert trickling.state is State.OPEN
