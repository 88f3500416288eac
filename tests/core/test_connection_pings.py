"""Pings and pongs: which are answered, what they tell, when they are events, and when they are a flood."""

import pytest

from support.wire import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    feed,
    from_peer,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Config,
    Connection,
    Event,
    Limits,
    PingReceived,
    PongReceived,
    Role,
    State,
    Violation,
)
from wscore.testing import drain

ROLES = list(Role)
CHARGE = 64  # for each event, besides its length


def wide(role: Role, *frames: tuple[int, bytes]) -> bytes:
    """Write frames of the peer in one segment."""
    return b"".join(from_peer(role, opcode, payload) for opcode, payload in frames)


def taken(connection: Connection, count: int) -> list[Event | None]:
    """Take so many events."""
    return [connection.next_event() for _ in range(count)]


# Pongs.


@pytest.mark.parametrize("role", ROLES)
def test_only_the_newest_sixteen_pings_are_answered(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(wide(role, *((PING, b"%04d" % number) for number in range(3000))), 0.0)
    assert connection.buffered_amount == 16 * (2 + 4)  # masking keys are drawn when they leave
    pongs = b"".join(connection.data_to_send(0.0))
    assert read_frames(pongs) == [(0x8A, b"%04d" % number) for number in range(2984, 3000)]
    assert connection.buffered_amount == len(pongs)


@pytest.mark.parametrize("role", ROLES)
def test_a_pong_overtakes_what_waits_and_keeps_within_frame_boundaries(role: Role) -> None:
    connection = opened(role)
    connection.send_bytes(bytes(100_000))
    connection.send_text("x")
    connection.receive_data(from_peer(role, PING, b"p"), 0.0)
    frames = read_frames(b"".join(connection.data_to_send(0.0)))
    assert frames == [(0x8A, b"p"), (0x82, bytes(100_000)), (0x81, b"x")]


@pytest.mark.parametrize("role", ROLES)
def test_a_waiting_pong_still_leaves_before_our_close_and_none_after_it(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, PING, b"1"), 0.0)
    connection.close(now=0.0)
    connection.receive_data(from_peer(role, PING, b"2"), 0.0)
    assert read_frames(drain(connection, 0.0).sent) == [(0x8A, b"1"), (0x88, status(1000))]
    connection.receive_data(from_peer(role, PING, b"3"), 0.0)
    assert drain(connection, 0.0).sent == b""


@pytest.mark.parametrize("role", ROLES)
def test_pings_are_answered_with_their_payload_in_the_middle_of_a_message(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a", final=False), 0.0)
    payload = bytes(range(125))
    assert read_frames(feed(connection, (PING, payload)).sent) == [(0x8A, payload)]
    assert feed(connection, (CONTINUATION, b"b")).events == ["ab"]


# Our pings.


@pytest.mark.parametrize("role", ROLES)
def test_a_pong_tells_the_time_between_the_leaving_of_its_ping_and_itself(role: Role) -> None:
    connection = opened(role)
    ping = connection.send_ping(b"p", now=1.0)
    feed(connection, (PONG, b"p"), now=1.5)  # it cannot answer what nobody was given
    assert ping.latency is None
    connection.send_ping(b"q", now=2.0)
    drain(connection, 2.0)
    feed(connection, (PONG, b"other"), (PONG, b""), now=2.5)
    assert (ping.latency, connection.latency) == (None, None)


@pytest.mark.parametrize("role", ROLES)
def test_a_pong_answers_every_ping_before_its_own(role: Role) -> None:
    connection = opened(role)
    pings = []
    for number in range(4):
        pings.append(connection.send_ping(b"%d" % number, now=float(number)))
        drain(connection, float(number))
    feed(connection, (PONG, b"2"), now=10.0)
    assert [ping.latency for ping in pings] == [10.0, 9.0, 8.0, None]
    assert connection.latency == 8.0
    feed(connection, (PONG, b"1"), now=11.0)  # answered before
    assert [ping.latency for ping in pings] == [10.0, 9.0, 8.0, None]
    feed(connection, (PONG, b"3"), now=12.0)
    assert (pings[3].latency, connection.latency) == (9.0, 9.0)


@pytest.mark.parametrize("role", ROLES)
def test_pings_that_are_never_answered_do_not_pile_up(role: Role) -> None:
    connection = opened(role)
    pings = [connection.send_ping(b"%d" % number, now=0.0) for number in range(100)]
    drain(connection, 0.0)
    feed(connection, (PONG, b"99"), now=1.0)
    answered = [ping.latency is not None for ping in pings]
    assert answered == [False] * 36 + [True] * 64


# Control events.


@pytest.mark.parametrize("role", ROLES)
def test_control_frames_are_events_only_where_they_are_wanted(role: Role) -> None:
    frames = [(PING, b"i"), (TEXT, b"x"), (PONG, b"o")]
    assert feed(opened(role), *frames).events == ["x"]
    wanted = opened(role, Config(control_events=True))
    assert feed(wanted, *frames).events == [PingReceived(b"i"), "x", PongReceived(b"o")]


@pytest.mark.parametrize("role", ROLES)
def test_the_pong_to_a_ping_of_ours_is_an_event(role: Role) -> None:
    connection = opened(role, Config(control_events=True))
    connection.send_ping(b"p", now=0.0)
    drain(connection, 0.0)
    assert feed(connection, (PONG, b"p")).events == [PongReceived(b"p")]


@pytest.mark.parametrize("role", ROLES)
def test_of_control_events_the_newest_sixteen_are_kept_and_messages_all(role: Role) -> None:
    connection = opened(role, Config(control_events=True))
    frames = []
    for number in range(50):
        frames += [(PING, b"%d" % number), (TEXT, b"%d" % number)]
    events = feed(connection, *frames, (CLOSE, b"")).events
    assert [event for event in events if isinstance(event, str)] == [str(number) for number in range(50)]
    pings = [event.payload for event in events if isinstance(event, PingReceived)]
    assert pings == [b"%d" % number for number in range(34, 50)]
    assert events[33:37] == ["33", PingReceived(b"34"), "34", PingReceived(b"35")]


@pytest.mark.parametrize("role", ROLES)
def test_control_events_do_not_fill_the_inbox(role: Role) -> None:
    limits = Limits(inbox_high=CHARGE, inbox_low=0)
    connection = opened(role, Config(limits=limits, control_events=True))
    connection.receive_data(wide(role, *[(PING, b"x" * 125)] * 100), 0.0)
    assert connection.wants_read
    assert taken(connection, 17) == [PingReceived(b"x" * 125)] * 16 + [None]
    connection.receive_data(wide(role, *[(PONG, b"y")] * 3), 0.0)  # those that were taken make room
    assert taken(connection, 4) == [PongReceived(b"y")] * 3 + [None]


# Floods.


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("opcode", [PING, PONG])
def test_control_frames_beyond_the_rate_end_the_connection(role: Role, opcode: int) -> None:
    connection = opened(role, Config(limits=Limits(max_control_rate=10)))
    for second in range(3):  # ten a second are allowed for ever, after a burst of fifty
        now = 10.0 * second
        assert the_state(connection, opcode, 50, now) is State.OPEN
    assert the_state(connection, opcode, 10, 21.0) is State.OPEN
    assert the_state(connection, opcode, 1, 21.0) is State.DRAINING
    closed = connection.closed
    assert closed is not None and closed.sent is not None
    assert (closed.violation, closed.sent.code) == (Violation.CONTROL_FLOOD, 1008)


def the_state(connection: Connection, opcode: int, count: int, now: float) -> State:
    """Let so many control frames come at once and return the state they leave."""
    feed(connection, *[(opcode, b"")] * count, now=now)
    return connection.state


@pytest.mark.parametrize("role", ROLES)
def test_a_close_is_no_part_of_the_flood(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(max_control_rate=1)))
    assert the_end(feed(connection, *[(PING, b"")] * 5, (CLOSE, status(1000))).events).clean


@pytest.mark.parametrize("role", ROLES)
def test_the_flood_limit_can_be_turned_off(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(max_control_rate=None)))
    assert the_state(connection, PING, 20_000, 0.0) is State.OPEN
