"""How a session ends: by us, by the peer, by both, by nobody; and what can still be received afterwards."""

import threading
from time import monotonic
from typing import Any

import pytest

from support.eventually import background, eventually, stays
from support.raw import RawListener, dial_upgraded
from support.threaded import client_of_raw_server, echo, echo_server, pair, url_of
from support.wire import CLOSE, TEXT, frame, status
from wscore import (
    CloseCode,
    CloseStatus,
    Config,
    ConnectionClosed,
    LocalProtocolError,
    Side,
    State,
    Timeouts,
)
from wscore_threading import Session, connect, serve

KIB = 1024


def _closed(session: Session) -> tuple[int, bool]:
    """Return the code and whether the end was clean."""
    assert session.closed is not None
    return session.closed.code, session.closed.clean


# Our Close.


def test_close_returns_when_both_have_closed() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        session.close(4000, "done")
        assert session.state is State.CLOSED
        closed = session.closed
        assert closed is not None and closed.clean and closed.initiator is Side.LOCAL
        assert closed.sent == CloseStatus(4000, "done") and closed.received == CloseStatus(4000, "done")


def test_the_peer_sees_the_code_and_the_reason() -> None:
    with pair() as (ours, theirs):
        ours.close(3999, "Grüße 😀", wait=False)
        assert list(theirs) == []
        closed = theirs.closed
        assert closed is not None and (closed.code, closed.reason) == (3999, "Grüße 😀")
        assert closed.initiator is Side.REMOTE


@pytest.mark.parametrize(
    ("code", "reason"), [(1005, ""), (1006, ""), (999, ""), (5000, ""), (1000, "x" * 124), (1000, "é" * 62)]
)
def test_a_close_that_may_not_be_sent_is_refused_and_changes_nothing(code: int, reason: str) -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        with pytest.raises(LocalProtocolError):
            session.close(code, reason)
        session.send("still open")
        assert session.recv(timeout=10) == "still open"


def test_leaving_the_with_block_closes_with_1000_and_an_error_with_1011() -> None:
    codes: list[int] = []

    def note(session: Session) -> None:
        assert list(session) == []
        assert session.closed is not None
        codes.append(session.closed.code)

    with serve(note, "127.0.0.1") as server:
        with connect(url_of(server)):
            pass
        with pytest.raises(ZeroDivisionError), connect(url_of(server)) as session:
            session.user_data = 1 // 0
    assert codes == [CloseCode.NORMAL_CLOSURE, CloseCode.INTERNAL_ERROR]


def test_closing_again_is_harmless_and_changes_nothing() -> None:
    with pair() as (ours, theirs):
        iterating = background(lambda: list(theirs))
        tasks = [background(lambda: ours.close(4001)) for _ in range(8)]
        for task in tasks:
            task.result()
        iterating.result()
        ours.close(4002)
        ours.abort()
        assert _closed(ours) == _closed(theirs) == (4001, True)


def test_nothing_can_be_sent_after_our_close() -> None:
    with client_of_raw_server() as (session, peer):
        session.close(wait=False)
        for attempt in (lambda: session.send("x"), session.ping):
            with pytest.raises(LocalProtocolError):
                attempt()
        assert peer.read_close() == 1000
        peer.send_close()
        eventually(lambda: session.closed is not None)
        with pytest.raises(ConnectionClosed):
            session.send("x")


def test_close_in_one_thread_ends_the_wait_of_the_others() -> None:
    with echo_server() as server:
        session = connect(url_of(server))
        receiving = background(session.recv)
        stays(lambda: not receiving.done, 0.05)
        session.close()
        assert isinstance(receiving.error(), ConnectionClosed)


def test_half_closed_the_peer_may_go_on_until_its_close() -> None:
    with client_of_raw_server() as (session, peer):
        session.close(wait=False)
        assert peer.read_close() == 1000
        for number in range(500):
            peer.send_frame(TEXT, b"%d" % number + b"x" * 1000)
        assert session.state is State.LOCAL_CLOSING
        assert session.recv(timeout=10) == "0" + "x" * 1000
        peer_closing = background(lambda: peer.send_close(1000))
        assert [int(str(message).rstrip("x")) for message in session] == list(range(1, 500))
        peer_closing.result()
        assert _closed(session) == (1000, True)


# What came before the end.


def test_messages_before_the_end_are_delivered_after_close() -> None:
    with pair() as (ours, theirs):
        for number in range(5):
            theirs.send(str(number))
        theirs_closing = background(lambda: list(theirs))
        ours.ping()  # its pong comes behind the messages
        ours.close()
        theirs_closing.result()
        assert [ours.recv() for _ in range(5)] == ["0", "1", "2", "3", "4"]
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                ours.recv()
        assert _closed(ours) == (1000, True)


def test_messages_before_the_peers_close_are_delivered_and_can_be_answered() -> None:
    with echo_server() as server, dial_upgraded(server.port) as peer:
        peer.send(
            frame(TEXT, b"a", masked=True)
            + frame(TEXT, b"b", masked=True)
            + frame(CLOSE, status(4004, b"bye"), masked=True)
        )
        frames = [peer.read_frame() for _ in range(3)]
        assert frames == [(0x80 | TEXT, b"a"), (0x80 | TEXT, b"b"), (0x80 | CLOSE, status(4004, b"bye"))]
        assert peer.read_to_end() == b""


def test_close_with_two_hundred_unread_messages_takes_one_round_trip_and_keeps_them() -> None:
    """200 messages wait, nobody has called recv."""
    with echo_server() as server, connect(url_of(server)) as session:
        for number in range(200):
            session.send(f"{number:100}")
        session.ping()
        begun = monotonic()
        session.close()
        assert monotonic() - begun < 1
        assert _closed(session) == (1000, True)
        assert [int(str(session.recv())) for _ in range(200)] == list(range(200))
        assert session.closed is not None and session.closed.dropped == 0


def test_close_drops_and_counts_what_does_not_fit() -> None:
    with client_of_raw_server() as (session, peer):
        whole = frame(TEXT, b"x" * KIB, masked=False)
        flood = background(lambda: peer.send(whole * 2000))
        eventually(lambda: session.stats.messages_received > 10)

        def answer() -> None:
            assert peer.read_close() == 1000
            flood.result()
            peer.send_close()
            peer.end_writing()

        answering = background(answer)
        session.close()
        answering.result()
        kept = list(session)
        assert session.closed is not None and session.closed.clean
        assert 0 < len(kept) < 2000 and len(kept) + session.closed.dropped == 2000


def test_the_peers_close_is_answered_although_nobody_receives() -> None:
    with pair() as (ours, theirs):
        theirs.send("unread")
        begun = monotonic()
        theirs.close(1000)
        assert monotonic() - begun < 3
        assert theirs.closed is not None and theirs.closed.clean
        assert list(ours) == ["unread"]


# Ends without a close handshake.


def test_iteration_raises_after_an_unclean_end_but_delivers_what_came() -> None:
    with client_of_raw_server() as (session, peer):
        peer.send_frame(TEXT, b"last words")
        peer.close()
        messages = iter(session)
        assert next(messages) == "last words"
        with pytest.raises(ConnectionClosed, match="1006") as caught:
            next(messages)
        assert caught.value.closed is session.closed and _closed(session) == (1006, False)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_iteration_ends_after_a_clean_close_whatever_its_code(code: int) -> None:
    with client_of_raw_server() as (session, peer):
        peer.send_close(code)
        assert list(session) == []
        assert _closed(session) == (code, True)


def test_a_close_without_a_code_is_1005() -> None:
    with client_of_raw_server() as (session, peer):
        peer.send_frame(CLOSE)
        assert list(session) == []
        assert _closed(session) == (1005, True)
        assert peer.read_frame() == (0x80 | CLOSE, b"")


def test_abort_ends_at_once_wakes_everyone_and_looks_lost_to_the_peer() -> None:
    with client_of_raw_server() as (session, peer):
        waiting: list[Any] = [
            background(session.recv),
            background(lambda: session.ping(timeout=None)),
            background(lambda: session.send(b"x" * (32 * KIB * KIB))),
        ]
        eventually(lambda: session.buffered_amount > KIB * KIB)
        begun = monotonic()
        session.abort()
        assert isinstance(waiting[0].error(), ConnectionClosed)
        assert isinstance(waiting[1].error(), ConnectionClosed)
        assert waiting[2].error() is None or isinstance(waiting[2].error(), ConnectionClosed)
        assert monotonic() - begun < 1
        assert _closed(session) == (1006, False)
        try:
            assert len(peer.read_to_end()) < 32 * KIB * KIB  # the end comes inside a frame
        except ConnectionResetError:
            pass


# Time.


def test_close_gives_up_on_a_peer_that_never_answers() -> None:
    with client_of_raw_server(Config(timeouts=Timeouts(close=0.5))) as (session, _):
        begun = monotonic()
        session.close()
        assert 0.4 < monotonic() - begun < 0.5 + 0.5
        assert session.closed is not None and session.closed.timer is not None
        assert session.closed.timer.name == "CLOSE" and _closed(session) == (1006, False)


def test_close_gives_up_on_a_peer_that_answers_but_never_leaves() -> None:
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url, config=Config(timeouts=Timeouts(close=0.5))))
        peer = listener.accept_upgrade()
        session = opening.result()
        peer.send_close()
        begun = monotonic()
        session.close()
        assert monotonic() - begun < 0.5 + 0.5
        assert _closed(session) == (1000, True)


def test_a_server_that_waits_for_nobody_in_vain_ends_its_handler_too() -> None:
    ended = threading.Event()

    def handler(session: Session) -> None:
        session.close()
        ended.set()

    config = Config(timeouts=Timeouts(close=0.5))
    with serve(handler, "127.0.0.1", config=config) as server, dial_upgraded(server.port) as peer:
        assert ended.wait(0.5 + 0.5)
        assert peer.read_close() == 1000
        assert peer.is_lost()


def test_idle_and_old_sessions_are_closed_with_1001() -> None:
    for timeouts in (Timeouts(idle=0.3), Timeouts(lifetime=0.3)):
        with serve(echo, "127.0.0.1", config=Config(timeouts=timeouts)) as server:
            session = connect(url_of(server))
            begun = monotonic()
            assert list(session) == []
            assert monotonic() - begun < 1.5
            assert _closed(session) == (1001, True)


def test_keepalive_finds_a_silent_peer() -> None:
    with client_of_raw_server(Config(timeouts=Timeouts(keepalive=0.2, pong=0.2))) as (session, _):
        with pytest.raises(ConnectionClosed):
            session.recv(timeout=5)
        assert session.closed is not None and session.closed.timer is not None
        assert session.closed.timer.name == "PONG" and _closed(session) == (1006, False)


def test_keepalive_leaves_a_peer_alone_that_answers_although_both_applications_sleep() -> None:
    config = Config(timeouts=Timeouts(keepalive=0.2, pong=1.0))
    with pair(client=config, server=config) as (ours, theirs):
        eventually(lambda: ours.latency is not None and theirs.latency is not None)
        stays(lambda: ours.closed is None and theirs.closed is None, 1.2)


def test_keepalive_does_not_cut_a_reader_that_pauses() -> None:
    config = Config(timeouts=Timeouts(keepalive=0.2, pong=0.2))
    with client_of_raw_server(config) as (session, peer):
        frames = [frame(TEXT, b"%d" % number + b"x" * 30 * KIB, masked=False) for number in range(200)]
        sending = background(lambda: peer.send(b"".join(frames)))
        stays(lambda: session.closed is None and not sending.done, 1.5)
        for number in range(200):
            assert str(session.recv(timeout=10)).rstrip("x") == str(number)
        sending.result()
