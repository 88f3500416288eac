"""Pings and pongs (RFC 6455 sections 5.5.2 and 5.5.3), whoever asks and whatever the application does."""

from typing import Any

import pytest

from support.conformance.frames import frames_from
from support.conformance.setting import Setting
from support.eventually import background, eventually
from support.wire import CLOSE, PING, PONG, TEXT, status
from wscore import ConnectionClosed, LocalProtocolError


def test_a_ping_is_answered_although_nobody_receives(setting: Setting) -> None:
    with setting.open() as (session, peer):
        peer.send(frames_from(peer, TEXT, b"unread"))
        peer.send_frame(PING, b"alive?")
        assert peer.read_frame() == (0x80 | PONG, b"alive?")
        assert session.recv() == "unread"


def test_ping_returns_the_seconds_of_the_round_trip(setting: Setting) -> None:
    with setting.open() as (session, peer):
        assert session.native.latency is None
        pinging = background(lambda: session.ping(b"?"))
        assert peer.read_frame() == (0x80 | PING, b"?")
        peer.send_frame(PONG, b"?")
        assert pinging.result() == session.native.latency
        assert 0 < pinging.result() < 10


def test_every_ping_sees_its_own_pong_while_somebody_receives(serving: Setting) -> None:
    with serving.pair() as (ours, theirs):
        receiving = background(ours.recv), background(theirs.recv)
        pings = [background(ours.ping) for _ in range(10)] + [background(theirs.ping) for _ in range(10)]
        assert all(ping.result() > 0 for ping in pings)
        ours.send("done")
        theirs.send("done")
        assert [task.result() for task in receiving] == ["done", "done"]


def test_a_ping_that_is_not_answered_times_out_and_the_session_goes_on(plain: Setting) -> None:
    with plain.open() as (session, peer):
        peer.send_frame(PONG, b"nobody asked")
        with pytest.raises(TimeoutError):
            session.ping(b"lost?", timeout=0.05)
        assert peer.read_frame() == (0x80 | PING, b"lost?")
        peer.send_frame(PONG, b"another")
        peer.send_frame(TEXT, b"go on")
        assert session.recv() == "go on"


def test_ping_ends_with_the_connection(setting: Setting) -> None:
    with setting.open() as (session, peer):
        pinging = background(session.ping)
        peer.read_frame()
        peer.close()
        assert isinstance(pinging.error(), ConnectionClosed)
        with pytest.raises(ConnectionClosed):
            session.ping()


@pytest.mark.parametrize("payload", [b"x" * 126, "text", 1], ids=["long", "text", "number"])
def test_a_ping_that_may_not_be_sent_is_refused(backend: Setting, payload: Any) -> None:
    with backend.pair() as (ours, _):
        with pytest.raises(LocalProtocolError if isinstance(payload, bytes) else TypeError):
            ours.ping(payload)
        assert ours.ping() > 0


def test_a_peer_that_pings_without_reading_costs_nothing_and_disturbs_nobody(plain: Setting) -> None:
    with plain.open(receive_buffer=4096) as (session, flooder), plain.pair() as (ours, _):
        receiving = background(session.recv)
        for _ in range(40):
            flooder.send(frames_from(flooder, PING, *[b"x" * 125] * 100))
        eventually(lambda: session.stats.pings_received == 4000)
        assert session.buffered_amount < 64 * 1024
        assert ours.ping() < 5
        session.send("over")
        answers = [flooder.read_frame()[0]]
        while answers[-1] != 0x80 | TEXT:
            answers.append(flooder.read_frame()[0])
        assert set(answers) == {0x80 | PONG, 0x80 | TEXT}
        flooder.send_frame(TEXT, b"enough")
        assert receiving.result() == "enough"


def test_a_flood_of_pings_ends_with_1008(plain: Setting) -> None:
    with plain.open() as (_, flooder):
        flooder.send(frames_from(flooder, PING, *[b""] * 7000))
        while (answer := flooder.read_frame())[0] == 0x80 | PONG:
            pass
        assert answer == (0x80 | CLOSE, status(1008, b"too many control frames"))
