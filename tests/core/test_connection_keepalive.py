"""Keepalive as a connection does it: a silent peer is pinged, a dead one is left, no other one is blamed."""

import pytest

from support.clock import fire, only, pinged
from support.wire import (
    BINARY,
    PING,
    PONG,
    TEXT,
    feed,
    from_peer,
    opened,
    read_frames,
    the_end,
)
from wscore import (
    Closed,
    Config,
    Connection,
    Limits,
    Role,
    State,
    Timeouts,
    Timer,
    TransportAction,
)
from wscore.testing import Output, drain

ROLES = list(Role)


# KEEPALIVE


@pytest.mark.parametrize("role", ROLES)
def test_a_silent_peer_is_pinged(role: Role) -> None:
    connection = opened(role, only(keepalive=20))
    connection.handle_deadline(19.9)
    assert connection.data_to_send(19.9) == []
    assert len(pinged(connection, 20.0)) == 4
    assert len(pinged(connection, 40.0)) == 4  # and again: without PONG nothing ends
    assert connection.state is State.OPEN


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG])
def test_any_byte_is_a_sign_of_life_and_moves_no_deadline(role: Role, opcode: int) -> None:
    connection = opened(role, only(keepalive=20))
    connection.receive_data(from_peer(role, opcode, b"x")[:1], 12.5)
    assert connection.next_deadline() == 20.0  # a mark, not a deadline
    assert fire(connection, 20.0).sent == b""
    pinged(connection, 32.5)


@pytest.mark.parametrize("role", ROLES)
def test_a_ping_that_waits_for_the_wire_is_not_followed_by_another(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=100))
    for now in (20.0, 40.0, 60.0):
        connection.handle_deadline(now)
    assert len(read_frames(b"".join(connection.data_to_send(60.0)))) == 1
    connection.handle_deadline(80.0)
    assert connection.data_to_send(80.0) == []  # nor is one that waits for its pong


@pytest.mark.parametrize("role", ROLES)
def test_a_peer_is_not_pinged_while_we_do_not_read(role: Role) -> None:
    connection = full(role, only(keepalive=20, pong=10))
    for now in (20.0, 40.0, 60.0):
        assert connection.next_deadline() == now
        connection.handle_deadline(now)
        assert connection.data_to_send(now) == []
    drain(connection, 61.0)
    pinged(connection, 80.0)


def full(role: Role, config: Config) -> Connection:
    """Return a connection whose inbox is full."""
    connection = opened(role, Config(limits=Limits(inbox_high=64, inbox_low=0), timeouts=config.timeouts))
    connection.receive_data(from_peer(role, TEXT, b"unread"), 0.0)
    assert not connection.wants_read
    return connection


# PONG


@pytest.mark.parametrize("role", ROLES)
def test_a_peer_that_does_not_answer_is_gone(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    pinged(connection, 20.0)
    assert connection.next_deadline() == 30.0
    connection.handle_deadline(29.9)
    assert connection.state is State.OPEN
    output = fire(connection, 30.0)
    assert output == Output([Closed(1006, "", False, timer=Timer.PONG)], b"", TransportAction.ABORT)


@pytest.mark.parametrize("role", ROLES)
def test_the_pong_is_awaited_from_the_moment_the_ping_left(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    connection.handle_deadline(20.0)
    assert connection.next_deadline() == 40.0  # the next KEEPALIVE: nobody can answer yet
    connection.data_to_send(27.0)
    assert connection.next_deadline() == 37.0


@pytest.mark.parametrize("role", ROLES)
def test_any_byte_saves_the_connection(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    pinged(connection, 20.0)
    connection.receive_data(from_peer(role, BINARY, b"x")[:1], 29.0)
    assert fire(connection, 30.0).events == []
    assert fire(connection, 40.0).events == []
    pinged(connection, 49.0)  # 20 after the last byte


@pytest.mark.parametrize("role", ROLES)
def test_its_pong_saves_the_connection_and_ends_the_wait(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    feed(connection, (PONG, pinged(connection, 20.0)), now=29.0)
    assert fire(connection, 40.0).events == []
    pinged(connection, 49.0)


@pytest.mark.parametrize("role", ROLES)
def test_the_pong_of_another_ping_leaves_the_wait_as_it_is(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    connection.send_ping(b"mine", now=1.0)
    connection.data_to_send(1.0)
    pinged(connection, 20.0)
    feed(connection, (PONG, b"mine"), now=29.0)
    assert connection.next_deadline() == 30.0


@pytest.mark.parametrize("role", ROLES)
def test_keepalives_own_pong_tells_the_latency_and_is_no_event(role: Role) -> None:
    timeouts = Timeouts(keepalive=20)
    connection = opened(role, Config(timeouts=timeouts, control_events=True))
    payload = pinged(connection, 20.0)
    assert feed(connection, (PONG, payload), now=20.25).events == []
    assert connection.latency == 0.25


@pytest.mark.parametrize("role", ROLES)
def test_a_pong_is_not_missed_while_our_output_still_moves(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    connection.handle_deadline(20.0)
    assert connection.data_to_send(20.0)
    connection.handle_progress(26.0)
    connection.handle_deadline(30.0)
    assert connection.next_deadline() == 36.0
    connection.handle_deadline(36.0)
    assert the_end(drain(connection, 36.0).events).timer is Timer.PONG


def pinged_while_full(role: Role, messages: int) -> Connection:
    """Return a connection whose ping left at 21 while the first of so many messages filled its inbox."""
    limits = Limits(inbox_high=64, inbox_low=0)
    connection = opened(role, Config(limits=limits, timeouts=only(keepalive=20, pong=10).timeouts))
    connection.handle_deadline(20.0)
    connection.receive_data(from_peer(role, TEXT, b"unread") * messages, 20.0)
    assert connection.data_to_send(21.0) and connection.data_to_send(21.0) == []
    assert not connection.wants_read
    return connection


@pytest.mark.parametrize("role", ROLES)
def test_a_pong_is_not_missed_while_we_do_not_read_nor_right_after(role: Role) -> None:
    connection = pinged_while_full(role, 1)
    connection.handle_deadline(31.0)
    assert connection.next_deadline() == 40.0  # KEEPALIVE; PONG was armed again
    drain(connection, 35.0)
    for now in (40.0, 41.0, 45.0, 50.9):
        connection.handle_deadline(now)
        assert connection.state is State.OPEN  # it has not been read from for 10 seconds at a stretch
    connection.handle_deadline(51.0)
    assert the_end(drain(connection, 51.0).events).timer is Timer.PONG


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("messages", [1, 3], ids=["since before the ping", "and again after it"])
def test_a_pause_that_is_over_before_the_pong_is_due_counts_as_well(role: Role, messages: int) -> None:
    connection = pinged_while_full(role, messages)
    drain(connection, 30.0)
    assert connection.wants_read
    connection.handle_deadline(31.0)
    assert connection.state is State.OPEN  # it was read from for one second
    connection.handle_deadline(41.0)
    assert the_end(drain(connection, 41.0).events).timer is Timer.PONG
