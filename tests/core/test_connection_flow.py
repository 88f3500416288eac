"""Backpressure both ways: what a slow application or a slow peer may cost, and that nothing is lost by it."""

import pytest

from support.wire import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
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
    Connection,
    Event,
    Limits,
    Role,
    State,
    Timeouts,
    Timer,
    TransportAction,
    Violation,
    WriteBufferFull,
)
from wscore.testing import drain

ROLES = list(Role)
CHARGE = 64  # for each event, besides its length


def narrow(role: Role, high: int, low: int) -> Connection:
    """Return an open connection with such an inbox."""
    return opened(role, Config(limits=Limits(inbox_high=high, inbox_low=low)))


def wide(role: Role, *frames: tuple[int, bytes]) -> bytes:
    """Write frames of the peer in one segment."""
    return b"".join(from_peer(role, opcode, payload) for opcode, payload in frames)


def taken(connection: Connection, count: int) -> list[Event | None]:
    """Take so many events."""
    return [connection.next_event() for _ in range(count)]


# The inbox.


@pytest.mark.parametrize("role", ROLES)
def test_reading_stops_at_the_high_mark_and_goes_on_at_the_low_one(role: Role) -> None:
    connection = narrow(role, 4 * (CHARGE + 6), 2 * (CHARGE + 6))
    for number in range(4):
        assert connection.wants_read
        connection.receive_data(from_peer(role, TEXT, b"m%05d" % number), 0.0)
    assert not connection.wants_read
    assert connection.next_event() == "m00000"
    assert not connection.wants_read  # below the high mark, above the low one
    assert connection.next_event() == "m00001"
    assert connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_message_is_not_free(role: Role) -> None:
    connection = narrow(role, 10 * CHARGE, 0)
    connection.receive_data(wide(role, *[(TEXT, b"")] * 1000), 0.0)
    assert connection.events_waiting == 10
    assert not connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_what_is_held_back_is_parsed_as_events_are_taken_and_nothing_is_lost(role: Role) -> None:
    connection = narrow(role, 3 * CHARGE, CHARGE)
    messages = [b"%d" % number for number in range(1000)]
    data = wide(role, *((BINARY, message) for message in messages))
    for start in range(0, len(data), 997):  # a backend that had read before it saw wants_read
        connection.receive_data(data[start : start + 997], 0.0)
    assert connection.events_waiting < 5
    assert drain(connection, 0.0).events == messages
    assert connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_a_message_that_is_half_read_never_waits_for_the_application(role: Role) -> None:
    connection = narrow(role, 100, 0)
    message = bytes(100_000)
    data = from_peer(role, BINARY, message)
    for start in range(0, len(data), 1000):
        assert connection.wants_read
        connection.receive_data(data[start : start + 1000], 0.0)
    assert not connection.wants_read
    assert connection.next_event() == message
    assert connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_pings_are_answered_until_the_inbox_is_full(role: Role) -> None:
    connection = narrow(role, CHARGE + 1, 0)
    connection.receive_data(wide(role, (PING, b"1"), (TEXT, b"x"), (PING, b"2")), 0.0)
    assert read_frames(b"".join(connection.data_to_send(0.0))) == [(0x8A, b"1")]
    assert connection.next_event() == "x"
    assert read_frames(b"".join(connection.data_to_send(0.0))) == [(0x8A, b"2")]


@pytest.mark.parametrize("role", ROLES)
def test_a_close_and_the_end_of_the_stream_keep_their_place_behind_what_is_held_back(role: Role) -> None:
    connection = narrow(role, CHARGE, 0)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b"), (CLOSE, status(1000))), 0.0)
    connection.receive_eof(0.0)
    assert not connection.wants_read
    assert (connection.state, connection.closed) == (State.OPEN, None)
    assert connection.transport_action() is TransportAction.KEEP
    output = drain(connection, 0.0)
    assert output.events[:3] == ["a", "b", CloseReceived(1000, "")]
    assert the_end(output.events).clean
    assert (read_frames(output.sent), output.action) == ([(0x88, status(1000))], TransportAction.CLOSE)


@pytest.mark.parametrize("role", ROLES)
def test_the_end_of_a_lost_stream_comes_behind_what_is_held_back(role: Role) -> None:
    connection = narrow(role, CHARGE, 0)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b"), (TEXT, b"half"))[:-1], 0.0)
    connection.receive_eof(0.0)
    assert drain(connection, 0.0).events == ["a", "b", Closed(1006, "", False)]


@pytest.mark.parametrize("role", ROLES)
def test_a_broken_rule_behind_what_is_held_back_is_found_in_its_place(role: Role) -> None:
    connection = narrow(role, CHARGE, 0)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b")) + b"\xff", 0.0)
    assert connection.closed is None
    output = drain(connection, 0.0)
    assert output.events[:2] == ["a", "b"]
    assert the_end(output.events).violation is Violation.RESERVED_BITS


@pytest.mark.parametrize("role", ROLES)
def test_a_close_found_late_is_still_answered_within_a_second(role: Role) -> None:
    config = Config(
        limits=Limits(inbox_high=2 * CHARGE, inbox_low=CHARGE + 1), timeouts=Timeouts(keepalive=None)
    )
    connection = opened(role, config)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b"), (CLOSE, b"")), 0.0)
    assert connection.next_event() == "a"  # parses on and finds the Close behind b
    assert connection.state is State.REMOTE_CLOSING
    assert connection.data_to_send(5.0) == []
    assert connection.next_deadline() == 6.0
    connection.handle_deadline(6.0)
    assert read_frames(b"".join(connection.data_to_send(6.0))) == [(0x88, b"")]


# close(discard=True)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("twice", [False, True], ids=["at once", "after a half-close"])
def test_discarding_reads_on_drops_what_does_not_fit_and_counts_it(role: Role, twice: bool) -> None:
    connection = narrow(role, 2 * CHARGE + 2, 0)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")), 0.0)
    if twice:
        connection.close(now=0.0)
        assert not connection.wants_read
    connection.close(now=0.0, discard=True)
    assert connection.wants_read
    assert connection.next_event() == "a"  # there would be room again, but c is gone
    connection.receive_data(wide(role, (TEXT, b"d"), (PING, b"p"), (TEXT, b"e"), (CLOSE, status(1000))), 0.0)
    output = drain(connection, 0.0)
    assert output.events[:2] == ["b", CloseReceived(1000, "")]
    closed = the_end(output.events)
    assert (closed.clean, closed.dropped) == (True, 3)
    assert connection.stats.messages_received == 5
    assert [first for first, _ in read_frames(output.sent)] == [0x88]


@pytest.mark.parametrize("role", ROLES)
def test_discarding_drops_nothing_that_fits(role: Role) -> None:
    connection = narrow(role, 2 * CHARGE + 2, 0)
    connection.close(now=0.0, discard=True)
    output = feed(connection, (TEXT, b"a"), (TEXT, b"b"), (CLOSE, status(1000)))
    assert output.events[:2] == ["a", "b"]
    assert the_end(output.events).dropped == 0


@pytest.mark.parametrize("role", ROLES)
def test_discarding_takes_one_round_trip_however_much_is_unread(role: Role) -> None:
    connection = narrow(role, CHARGE, 0)
    connection.close(now=0.0, discard=True)
    for _ in range(100):
        connection.receive_data(wide(role, *[(BINARY, bytes(1000))] * 10), 0.0)
        assert connection.wants_read
    connection.receive_data(wide(role, (CLOSE, status(1000))), 0.0)
    assert connection.closed is not None and connection.closed.dropped == 1000


@pytest.mark.parametrize("role", ROLES)
def test_without_discarding_a_full_inbox_stops_reading_after_our_close_too(role: Role) -> None:
    connection = narrow(role, CHARGE, 0)
    connection.close(now=0.0)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b"), (CLOSE, status(1000))), 0.0)
    assert not connection.wants_read
    assert connection.closed is None
    output = drain(connection, 0.0)
    assert output.events[:2] == ["a", "b"]
    assert (the_end(output.events).clean, the_end(output.events).dropped) == (True, 0)


@pytest.mark.parametrize("role", ROLES)
def test_a_close_timeout_ends_the_wait_behind_a_full_inbox(role: Role) -> None:
    config = Config(limits=Limits(inbox_high=CHARGE, inbox_low=0), timeouts=Timeouts(close=7))
    connection = opened(role, config)
    connection.receive_data(wide(role, (TEXT, b"a"), (TEXT, b"b")), 0.0)
    connection.close(now=0.0)
    assert connection.data_to_send(0.0) and connection.data_to_send(0.0) == []
    connection.handle_deadline(7.0)
    output = drain(connection, 7.0)
    assert output.events[0] == "a"
    assert the_end(output.events).timer is Timer.CLOSE


# The outbox.


@pytest.mark.parametrize("role", ROLES)
def test_writable_falls_above_the_high_mark_and_rises_at_the_low_one(role: Role) -> None:
    frame = len(from_peer(role, BINARY, bytes(100))) + (-4 if role is Role.SERVER else 4)
    connection = opened(role, Config(limits=Limits(outbox_high=2 * frame, outbox_low=frame)))
    seen = []
    for _ in range(3):
        connection.send_bytes(bytes(100))
        seen.append((connection.buffered_amount, connection.writable))
    assert seen == [(frame, True), (2 * frame, True), (3 * frame, False)]
    assert connection.data_to_send(0.0)
    assert (connection.buffered_amount, connection.writable) == (3 * frame, False)  # given out is not gone
    connection.send_bytes(bytes(100))
    connection.send_bytes(bytes(100))
    assert connection.data_to_send(0.0)  # three are gone, two are given out
    assert (connection.buffered_amount, connection.writable) == (2 * frame, False)
    connection.send_bytes(bytes(100))
    assert connection.data_to_send(0.0)
    assert (connection.buffered_amount, connection.writable) == (frame, True)
    assert connection.data_to_send(0.0) == []
    assert connection.buffered_amount == 0


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_outbox_is_writable_whatever_the_marks(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(outbox_high=0, outbox_low=0)))
    assert connection.writable
    connection.send_text("x")
    assert not connection.writable
    drain(connection, 0.0)
    assert connection.writable


@pytest.mark.parametrize("role", ROLES)
def test_a_closed_connection_is_writable_so_that_nobody_waits(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(outbox_high=10, outbox_low=0)))
    connection.send_bytes(bytes(100))
    assert not connection.writable
    connection.receive_eof(0.0)
    connection.receive_eof(0.0)
    assert connection.writable


@pytest.mark.parametrize("role", ROLES)
def test_a_full_outbox_takes_keepalive_and_close_and_nothing_else(role: Role) -> None:
    config = Config(limits=Limits(outbox_limit=10), timeouts=Timeouts(keepalive=20, write_stall=None))
    connection = opened(role, config)
    connection.send_bytes(bytes(20))
    with pytest.raises(WriteBufferFull):
        connection.send_text("x")
    connection.handle_deadline(20.0)
    connection.receive_data(from_peer(role, PING, b"p"), 20.0)
    connection.close(now=20.0)
    frames = read_frames(b"".join(connection.data_to_send(20.0)))
    assert [first for first, _ in frames] == [0x8A, 0x82, 0x89, 0x88]
