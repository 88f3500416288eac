"""What only shows after a while, or under a peer that is neither dead nor alive."""

import gc
import sys
from enum import Enum
from types import FunctionType, ModuleType

import pytest

from support.clock import fire, only, pinged
from support.wire import (
    CLOSE,
    PONG,
    TEXT,
    connecting,
    feed,
    from_peer,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Limits,
    Opened,
    RequestReceived,
    Role,
    State,
    Timeouts,
    Timer,
)
from wscore.testing import ScriptedPeer, drain

ROLES = list(Role)


def reachable(root: object) -> list[object]:
    """Return what root holds, directly or through others; classes and functions are nobody's own."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in found or isinstance(item, (type, FunctionType, ModuleType, Enum)):
            continue
        found[id(item)] = item
        waiting.extend(gc.get_referents(item))
    return list(found.values())


@pytest.mark.parametrize("role", ROLES)
def test_a_dead_peer_is_found_although_we_keep_sending(role: Role) -> None:
    peer = ScriptedPeer(role, only(keepalive=20, pong=20))
    peer.open()
    while peer.connection.closed is None and peer.clock.now < 60:
        peer.connection.send_text("anybody there?")  # the kernel takes it all: that is no sign of life
        peer.wait(1)
    assert peer.expect_event(Closed).timer is Timer.PONG
    assert peer.clock.now == 40


@pytest.mark.parametrize("role", ROLES)
def test_a_pong_is_waited_for_while_its_ping_may_not_have_left(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=20))
    connection.send_bytes(b"x" * 100_000)
    connection.handle_deadline(20.0)
    assert connection.data_to_send(20.0)  # message and ping, which take long
    connection.handle_progress(35.0)
    connection.handle_deadline(40.0)
    assert connection.state is State.OPEN
    drain(connection, 50.0)  # now all has left
    connection.handle_deadline(69.9)
    assert connection.state is State.OPEN
    connection.handle_deadline(70.0)
    assert connection.closed is not None and connection.closed.timer is Timer.PONG


@pytest.mark.parametrize("role", ROLES)
def test_a_long_wait_for_pongs_does_not_thin_out_the_pings(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=60))
    for now in (20.0, 40.0, 60.0, 80.0):
        payload = pinged(connection, now)
        feed(connection, (PONG, payload), now=now)


@pytest.mark.parametrize("role", ROLES)
def test_a_peer_that_trickles_holds_the_end_up_only_for_so_long(role: Role) -> None:
    connection = opened(role, only(close=10))
    connection.send_bytes(b"x" * 1_000_000)
    connection.close(now=0.0)
    assert connection.data_to_send(0.0)
    now = 0.0
    while connection.closed is None and now < 100:
        now += 1.0
        connection.handle_progress(now)
        connection.handle_deadline(now)
    assert now == 30.0
    assert connection.closed is not None and connection.closed.timer is Timer.CLOSE


@pytest.mark.parametrize("role", ROLES)
def test_the_end_has_one_deadline_whenever_the_peer_answers(role: Role) -> None:
    connection = opened(role, only(close=10))
    connection.close(now=0.0)
    drain(connection, 0.0)
    feed(connection, (CLOSE, status(1000)), now=9.9)
    assert connection.next_deadline() == 10.0


@pytest.mark.parametrize("role", ROLES)
def test_what_arrived_is_delivered_when_a_timer_ends_a_paused_connection(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(inbox_high=100, inbox_low=0), timeouts=Timeouts(close=5)))
    words = [f"{number}" * 40 for number in range(6)]
    data = b"".join(from_peer(role, TEXT, word.encode()) for word in words)
    connection.close(now=0.0)
    connection.data_to_send(0.0)
    connection.data_to_send(0.0)
    connection.receive_data(data + from_peer(role, CLOSE, status(1000)), 0.0)
    connection.handle_deadline(5.0)
    events = drain(connection, 5.0).events
    assert [event for event in events if isinstance(event, str)] == words
    assert CloseReceived(1000, "") in events
    closed = the_end(events)
    assert (closed.code, closed.clean, closed.dropped) == (1000, True, 0)


@pytest.mark.parametrize("role", ROLES)
def test_answers_to_our_own_pings_are_no_flood(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(max_control_rate=1)))
    for number in range(50):
        payload = number.to_bytes(2, "big")
        connection.send_ping(payload, now=0.0)
        drain(connection, 0.0)
        feed(connection, (PONG, payload))
    assert connection.state is State.OPEN
    for _ in range(6):  # a burst of five seconds' worth is all that nobody asked for
        connection.receive_data(from_peer(role, PONG, b"?"), 0.0)
    assert connection.state is not State.OPEN


@pytest.mark.parametrize("role", ROLES)
def test_a_limit_on_frames_is_for_data_alone(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(max_frame_size=16)))
    reason = b"goodbye, and thanks for all"
    closed = the_end(feed(connection, (CLOSE, status(1000, reason))).events)
    assert (closed.clean, closed.reason) == (True, reason.decode())


@pytest.mark.parametrize("role", ROLES)
def test_an_idle_connection_holds_nothing_of_what_it_has_handed_out(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, 0x2, b"x" * 200_000), 0.0)
    drain(connection, 0.0)
    held = [item for item in reachable(connection) if isinstance(item, (bytes, bytearray, str))]
    assert held
    assert sum(map(sys.getsizeof, held)) < 10_000


@pytest.mark.parametrize("role", ROLES)
def test_a_failure_after_our_close_lingers_shortly_where_fin_cannot_be_sent(role: Role) -> None:
    connection = opened(role, only(close=10), half_close=False)
    connection.close(now=0.0)
    drain(connection, 0.0)
    connection.receive_data(b"\xff", 2.0)
    drain(connection, 2.0)
    assert (connection.state, connection.next_deadline()) == (State.DRAINING, 3.0)
    fire(connection, 3.0)
    assert connection.state is State.CLOSED


def test_a_command_without_a_time_changes_nothing() -> None:
    server = connecting(Role.SERVER)
    server.receive_data(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        0.0,
    )
    assert isinstance(server.next_event(), RequestReceived)
    with pytest.raises(TypeError):
        server.accept(now=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        server.respond(404, now=None)  # type: ignore[arg-type]
    server.accept(now=0.0)
    assert isinstance(drain(server, 0.0).events[0], Opened)


@pytest.mark.parametrize("role", ROLES)
def test_a_broken_rule_is_answered_behind_the_replies(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + b"\xff", 0.0)
    assert connection.next_event() == "a"
    connection.send_text("reply")
    frames = read_frames(drain(connection, 0.0).sent)
    assert [first for first, _ in frames] == [0x81, 0x88]
    assert frames[0][1] == b"reply"
