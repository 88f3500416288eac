"""The close handshake (RFC 6455 section 7), whoever begins; and what can be received after it."""

from time import monotonic

import pytest

from support.conformance.facade import wait_closed
from support.conformance.frames import frame_from, frames_from
from support.conformance.setting import Setting
from support.eventually import background, eventually
from support.stopwatch import within
from support.wire import CLOSE, TEXT, status
from wscore import CloseStatus, Config, ConnectionClosed, LocalProtocolError, Side, State, Timeouts

# Who closes.


def test_we_close_and_the_peer_replies(setting: Setting) -> None:
    with setting.open() as (session, peer):
        closing = background(lambda: session.close(3999, "Grüße 😀"))
        assert peer.read_frame() == (0x80 | CLOSE, status(3999, "Grüße 😀".encode()))
        peer.send_close(3999, b"bye")
        if peer.masks:  # RFC 6455 section 7.1.1: the server ends TCP first
            assert peer.read_to_end() == b""
        peer.end_writing()
        closing.result()
        assert session.state is State.CLOSED
        closed = session.end
        assert closed.clean and closed.code == 3999 and closed.initiator is Side.LOCAL
        assert closed.sent == CloseStatus(3999, "Grüße 😀") and closed.received == CloseStatus(3999, "bye")


@pytest.mark.parametrize("code", [1001, 4999])
def test_the_peer_closes_and_iteration_ends_whatever_its_code(setting: Setting, code: int) -> None:
    with setting.open() as (session, peer):
        peer.send_close(code, b"enough")
        assert session.rest() == []
        assert peer.read_frame() == (0x80 | CLOSE, status(code, b"enough"))
        peer.end_writing()
        session.close()  # waits for the end of TCP
        assert peer.read_to_end() == b""
        closed = session.end
        assert (closed.code, closed.reason, closed.clean) == (code, "enough", True)
        assert closed.initiator is Side.REMOTE


def test_a_close_without_a_code_is_1005(plain: Setting) -> None:
    with plain.open() as (session, peer):
        peer.send_frame(CLOSE)
        assert session.rest() == []
        assert (session.end.code, session.end.clean) == (1005, True)
        assert peer.read_frame() == (0x80 | CLOSE, b"")


def test_both_may_close_at_once(serving: Setting) -> None:
    for _ in range(5):
        with serving.pair() as (ours, theirs):
            there = background(lambda: theirs.close(4002))
            ours.close(4001)
            there.result()
            assert ours.end.clean and theirs.end.clean
            assert ours.end.code in (4001, 4002) and theirs.end.code in (4001, 4002)


def test_closes_that_cross_are_each_others_answer(setting: Setting) -> None:
    with setting.open() as (session, peer):
        session.close(4001, wait=False)
        peer.send_close(4002)
        assert peer.read_close() == 4001
        peer.end_writing()
        assert peer.read_to_end() == b""
        closed = wait_closed(session)
        assert (closed.code, closed.clean) == (4002, True)
        assert closed.sent == CloseStatus(4001, "") and closed.received == CloseStatus(4002, "")


def test_closing_again_is_harmless_and_changes_nothing(serving: Setting) -> None:
    with serving.pair() as (ours, theirs):
        iterating = background(theirs.rest)
        tasks = [background(lambda: ours.close(4001)) for _ in range(8)]
        for task in tasks:
            task.result()
        iterating.result()
        ours.close(4002)
        ours.abort()
        assert (ours.end.code, ours.end.clean) == (theirs.end.code, theirs.end.clean) == (4001, True)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1005, ""), (1006, ""), (1015, ""), (999, ""), (5000, ""), (1000, "x" * 124), (1000, "é" * 62)],
    ids=["1005", "1006", "1015", "999", "5000", "long", "long-in-bytes"],
)
def test_a_close_that_may_not_be_sent_is_refused_and_changes_nothing(
    backend: Setting, code: int, reason: str
) -> None:
    with backend.pair() as (ours, theirs):
        with pytest.raises(LocalProtocolError):
            ours.close(code, reason)
        ours.send("still open")
        assert theirs.recv() == "still open"


def test_nothing_can_be_sent_after_our_close(plain: Setting) -> None:
    with plain.open() as (session, peer):
        session.close(wait=False)
        for attempt in (lambda: session.send("x"), session.ping):
            with pytest.raises(LocalProtocolError):
                attempt()
        assert peer.read_close() == 1000
        peer.send_close()
        wait_closed(session)
        with pytest.raises(ConnectionClosed):
            session.send("x")


def test_close_ends_the_wait_of_whoever_receives(serving: Setting) -> None:
    with serving.pair() as (ours, theirs):
        receiving = background(ours.recv)
        iterating = background(theirs.rest)
        ours.ping()
        assert not receiving.done
        ours.close()
        assert isinstance(receiving.error(), ConnectionClosed)
        assert iterating.result() == []


# What was sent before the end.


def test_half_closed_the_peer_may_go_on_until_its_close(setting: Setting) -> None:
    with setting.open() as (session, peer):
        session.close(wait=False)
        assert peer.read_close() == 1000
        peer.send(frames_from(peer, TEXT, *[b"%d" % n + b"x" * 1000 for n in range(300)][:1]))
        assert session.state is State.LOCAL_CLOSING
        assert session.recv() == "0" + "x" * 1000
        rest = frames_from(peer, TEXT, *[b"%d" % n + b"x" * 1000 for n in range(1, 300)])
        sending = background(lambda: peer.send(rest + frame_from(peer, CLOSE, status(1000))))
        assert [int(str(message).rstrip("x")) for message in session.rest()] == list(range(1, 300))
        sending.result()
        assert (session.end.code, session.end.clean) == (1000, True)


def test_messages_in_one_segment_with_the_peers_close_are_delivered_and_can_be_answered(
    setting: Setting,
) -> None:
    with setting.open() as (session, peer):
        peer.send(frames_from(peer, TEXT, b"a", b"b") + frame_from(peer, CLOSE, status(4004, b"bye")))
        for expected in ("a", "b"):
            message = session.recv()
            assert message == expected
            session.send(message)
        assert session.rest() == []
        frames = [peer.read_frame() for _ in range(3)]
        assert frames == [(0x80 | TEXT, b"a"), (0x80 | TEXT, b"b"), (0x80 | CLOSE, status(4004, b"bye"))]
        peer.end_writing()
        assert peer.read_to_end() == b""


def test_messages_before_the_end_are_delivered_after_close(serving: Setting) -> None:
    with serving.pair() as (ours, theirs):
        for number in range(5):
            theirs.send(str(number))
        closing = background(theirs.rest)
        ours.ping()  # its pong comes behind the messages
        ours.close()
        closing.result()
        assert [ours.recv() for _ in range(5)] == ["0", "1", "2", "3", "4"]
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                ours.recv()
        assert (ours.end.code, ours.end.clean) == (1000, True)


def test_close_with_two_hundred_unread_messages_takes_one_round_trip_and_keeps_them(
    setting: Setting,
) -> None:
    with setting.open() as (session, peer):
        peer.send(frames_from(peer, TEXT, *[b"%100d" % number for number in range(200)]))
        eventually(lambda: session.stats.messages_received == 200)
        with within(1):  # and not the ten seconds of a close that waits for its reader
            closing = background(session.close)
            assert peer.read_close() == 1000
            peer.send_close()
            peer.end_writing()
            closing.result()
        assert (session.end.code, session.end.clean, session.end.dropped) == (1000, True, 0)
        assert [int(message) for message in session.rest()] == list(range(200))


def test_close_drops_and_counts_what_does_not_fit(crossed: Setting) -> None:
    with crossed.open() as (session, peer):
        flood = background(lambda: peer.send(frames_from(peer, TEXT, *[b"x" * 1024] * 1000)))
        eventually(lambda: session.stats.messages_received > 10)
        closing = background(session.close)
        assert peer.read_close() == 1000
        flood.result()
        peer.send_close()
        peer.end_writing()
        closing.result()
        kept = session.rest()
        assert session.end.clean
        assert 0 < len(kept) < 1000 and len(kept) + session.end.dropped == 1000


def test_the_peers_close_is_answered_although_nobody_receives(backend: Setting) -> None:
    with backend.open() as (session, peer):
        peer.send(frames_from(peer, TEXT, b"unread") + frame_from(peer, CLOSE, status(1000)))
        with within(1 + 0.5):
            assert peer.read_close() == 1000
        assert session.rest() == ["unread"]
        assert session.end.clean


# Time.


def test_close_gives_up_on_a_peer_that_never_answers(crossed: Setting) -> None:
    with crossed.open(Config(timeouts=Timeouts(close=0.2))) as (session, _):
        begun = monotonic()
        with within(0.2 + 0.5):
            session.close()
        assert monotonic() - begun > 0.15
        assert session.end.timer is not None and session.end.timer.name == "CLOSE"
        assert (session.end.code, session.end.clean) == (1006, False)


def test_close_gives_up_on_a_peer_that_answers_but_never_leaves(backend: Setting) -> None:
    with backend.open(Config(timeouts=Timeouts(close=0.2))) as (session, peer):
        peer.send_close()
        with within(0.2 + 0.5):
            session.close()
        assert (session.end.code, session.end.clean) == (1000, True)
