"""An application that wants no events for a while: they wait in their order, within the limits, and the rest
of the connection goes on."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from support.clock import only
from support.wire import (
    BINARY,
    CLOSE,
    PING,
    REQUEST,
    RESPONSE,
    TEXT,
    connecting,
    from_peer,
    opened,
    read_frames,
    sent,
    status,
    the_end,
)
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Connection,
    Event,
    Fragment,
    Limits,
    Opened,
    PingReceived,
    Refused,
    RequestReceived,
    Role,
    State,
    Timer,
    TransportAction,
    Violation,
)
from wscore.testing import drain

ROLES = list(Role)
CHARGE = 64


def suspended(role: Role, config: Config | None = None) -> Connection:
    """Return an open connection that hands out no events."""
    connection = opened(role, config)
    connection.suspend()
    return connection


@pytest.mark.parametrize("role", ROLES)
def test_events_wait_and_come_in_their_order_afterwards(role: Role) -> None:
    connection = opened(role, Config(control_events=True))
    connection.receive_data(from_peer(role, TEXT, b"before"), 0.0)
    connection.suspend()
    connection.receive_data(from_peer(role, PING, b"p") + from_peer(role, BINARY, b"after"), 0.0)
    for _ in range(3):
        assert (connection.next_event(), connection.events_waiting) == (None, 0)
    connection.resume()
    assert connection.events_waiting == 3
    assert drain(connection, 0.0).events == ["before", PingReceived(b"p"), b"after"]
    assert (connection.next_event(), connection.events_waiting) == (None, 0)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_it_is_a_state_and_not_a_count(role: Role, times: int) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a"), 0.0)
    for _ in range(times):
        connection.suspend()
    assert connection.next_event() is None
    connection.resume()
    assert connection.next_event() == "a"
    for _ in range(times):
        connection.resume()
    connection.suspend()
    connection.receive_data(from_peer(role, TEXT, b"b"), 0.0)
    assert connection.next_event() is None


@pytest.mark.parametrize("role", ROLES)
def test_an_application_may_stop_between_two_messages(role: Role) -> None:
    connection, taken = opened(role), list[Event | None]()
    connection.receive_data(b"".join(from_peer(role, TEXT, b"%d" % number) for number in range(4)), 0.0)
    for number in range(4):
        taken.append(connection.next_event())
        connection.suspend()
        taken.append(connection.next_event())
        assert connection.events_waiting == 0
        connection.resume()
        assert connection.events_waiting == 3 - number
    assert taken == ["0", None, "1", None, "2", None, "3", None]


@pytest.mark.parametrize("role", ROLES)
def test_reading_goes_on_until_the_inbox_is_full_and_again_when_it_was_emptied(role: Role) -> None:
    connection = suspended(role, Config(limits=Limits(inbox_high=3 * (CHARGE + 1), inbox_low=CHARGE + 1)))
    for number in range(3):
        assert connection.wants_read
        connection.receive_data(from_peer(role, TEXT, b"%d" % number), 0.0)
    assert not connection.wants_read
    connection.receive_data(from_peer(role, TEXT, b"3") + from_peer(role, PING, b"p"), 0.0)
    assert (connection.next_event(), sent(connection)) == (None, [])  # it is behind what waits
    connection.resume()
    assert not connection.wants_read  # nothing was taken yet
    output = drain(connection, 0.0)
    assert output.events == ["0", "1", "2", "3"]
    assert read_frames(output.sent) == [(0x8A, b"p")]
    assert connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_pings_are_answered_and_messages_leave_meanwhile(role: Role) -> None:
    connection = suspended(role)
    connection.receive_data(from_peer(role, TEXT, b"unread") + from_peer(role, PING, b"p"), 0.0)
    connection.send_text("sent")
    assert sent(connection) == [(0x8A, b"p"), (0x81, b"sent")]


@pytest.mark.parametrize("role", ROLES)
def test_parts_of_a_message_wait_too(role: Role) -> None:
    connection = suspended(role, Config(stream=True))
    data = from_peer(role, BINARY, b"abcd")
    connection.receive_data(data[:-2], 0.0)
    connection.receive_data(data[-2:], 0.0)
    assert connection.next_event() is None
    connection.resume()
    assert drain(connection, 0.0).events == [Fragment(b"ab", False), Fragment(b"cd", True)]


def test_a_request_and_a_response_wait_too() -> None:
    server = connecting(Role.SERVER)
    server.suspend()
    server.receive_data(REQUEST, 0.0)
    assert (server.next_event(), server.events_waiting) == (None, 0)
    server.resume()
    assert isinstance(server.next_event(), RequestReceived)

    client = connecting(Role.CLIENT)
    client.suspend()
    client.receive_data(RESPONSE + from_peer(Role.CLIENT, TEXT, b"x"), 0.0)
    assert (client.next_event(), client.state) == (None, State.OPEN)
    client.resume()
    assert isinstance(client.next_event(), Opened)
    assert client.next_event() == "x"

    refused = connecting(Role.CLIENT)
    refused.suspend()
    refused.receive_data(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 0.0)
    assert refused.next_event() is None and refused.closed is not None
    refused.resume()
    assert [type(event) for event in drain(refused, 0.0).events] == [Refused, Closed]


# The peer's Close.


@pytest.mark.parametrize("role", ROLES)
def test_a_close_behind_messages_nobody_takes_is_answered_after_a_second(role: Role) -> None:
    connection = suspended(role, only())
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(1000)), 5.0)
    assert (connection.next_event(), connection.state) == (None, State.REMOTE_CLOSING)
    assert connection.next_deadline() == 6.0
    connection.handle_deadline(5.9)
    assert sent(connection, 5.9) == []
    connection.handle_deadline(6.0)
    assert sent(connection, 6.0) == [(0x88, status(1000))]
    assert (connection.state, connection.next_event()) == (State.DRAINING, None)
    assert connection.closed is not None and connection.closed.clean
    connection.resume()
    assert drain(connection, 6.0).events == ["a", CloseReceived(1000, ""), connection.closed]


@pytest.mark.parametrize("role", ROLES)
def test_replies_may_leave_before_the_answer_until_then(role: Role) -> None:
    connection = suspended(role, only())
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(1000)), 0.0)
    assert connection.next_event() is None  # looking for an event does not answer the Close
    connection.send_text("not yet read")
    connection.resume()
    assert connection.next_event() == "a"
    connection.send_text("reply")
    output = drain(connection, 0.0)
    assert read_frames(output.sent) == [(0x81, b"not yet read"), (0x81, b"reply"), (0x88, status(1000))]


@pytest.mark.parametrize("role", ROLES)
def test_a_close_with_nothing_before_it_is_answered_at_once(role: Role) -> None:
    connection = suspended(role)
    connection.receive_data(from_peer(role, CLOSE, status(1000)), 0.0)
    assert sent(connection) == [(0x88, status(1000))]
    assert (connection.next_event(), connection.events_waiting) == (None, 0)
    connection.resume()
    assert drain(connection, 0.0).events == [CloseReceived(1000, ""), connection.closed]


@pytest.mark.parametrize("role", ROLES)
def test_a_fault_behind_messages_waits_like_a_close(role: Role) -> None:
    connection = suspended(role, only())
    connection.receive_data(from_peer(role, TEXT, b"a") + b"\xff", 0.0)
    assert (connection.events_waiting, connection.next_event(), connection.closed) == (0, None, None)
    connection.handle_deadline(1.0)
    assert [first for first, _ in sent(connection, 1.0)] == [0x88]
    connection.resume()
    output = drain(connection, 1.0)
    assert output.events[0] == "a"
    assert the_end(output.events).violation is Violation.RESERVED_BITS


# The end.


def end_of_stream(connection: Connection) -> None:
    """Let the stream end."""
    connection.receive_eof(0.0)


def timeout(connection: Connection) -> None:
    """Let the peer fall silent."""
    connection.handle_deadline(20.0)
    drain(connection, 20.0)
    connection.handle_deadline(30.0)


def both_closes(connection: Connection) -> None:
    """Close, and let the peer answer."""
    connection.close(now=0.0)
    connection.receive_data(from_peer(connection.role, CLOSE, status(1000)), 0.0)


def own_abort(connection: Connection) -> None:
    """Let the connection be lost while its Close waits."""
    connection.close(now=0.0)
    connection.receive_eof(0.0)


ENDS: list[tuple[Callable[[Connection], None], bool, Timer | None]] = [
    (end_of_stream, False, None),
    (timeout, False, Timer.PONG),
    (both_closes, True, None),
    (own_abort, False, None),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("end", "clean", "timer"), ENDS, ids=[row[0].__name__ for row in ENDS])
def test_the_outcome_is_known_at_once_but_waits_behind_what_came_before_it(
    role: Role, end: Callable[[Connection], None], clean: bool, timer: Timer | None
) -> None:
    connection = opened(role, only(keepalive=20.0, pong=10.0, close=10.0))
    connection.receive_data(from_peer(role, TEXT, b"a"), 0.0)
    connection.suspend()
    end(connection)
    assert connection.closed is not None
    assert (connection.closed.clean, connection.closed.timer) == (clean, timer)
    assert (connection.next_event(), connection.events_waiting) == (None, 0)
    connection.resume()
    events = drain(connection, 30.0).events
    assert events[0] == "a"
    assert the_end(events) is connection.closed
    connection.suspend()
    connection.resume()
    assert connection.next_event() is None


@pytest.mark.parametrize("role", ROLES)
def test_what_is_held_back_at_the_end_of_the_stream_comes_all_the_same(role: Role) -> None:
    config = replace(only(), limits=Limits(inbox_high=CHARGE, inbox_low=0))
    connection = suspended(role, config)
    messages = b"".join(from_peer(role, TEXT, b"%d" % number) for number in range(5))
    connection.receive_data(messages, 0.0)
    connection.receive_eof(0.0)
    assert (connection.next_event(), connection.closed, connection.wants_read) == (None, None, False)
    assert connection.transport_action() is TransportAction.KEEP
    connection.resume()
    output = drain(connection, 0.0)
    assert output.events == ["0", "1", "2", "3", "4", Closed(1006, "", False)]
    assert output.action is TransportAction.CLOSE


@pytest.mark.parametrize("role", ROLES)
def test_a_peer_that_is_not_read_is_not_blamed_for_its_silence(role: Role) -> None:
    config = replace(only(keepalive=20.0, pong=10.0), limits=Limits(inbox_high=CHARGE, inbox_low=0))
    connection = suspended(role, config)
    connection.receive_data(from_peer(role, TEXT, b"a"), 0.0)
    assert not connection.wants_read
    for now in range(10, 200, 10):
        connection.handle_deadline(float(now))
        drain(connection, float(now))
    assert (connection.state, connection.closed) == (State.OPEN, None)
    connection.resume()
    assert connection.next_event() == "a"


@pytest.mark.parametrize("role", ROLES)
def test_closing_meanwhile_takes_one_round_trip_and_keeps_what_fits(role: Role) -> None:
    connection = suspended(role, Config(limits=Limits(inbox_high=CHARGE, inbox_low=0)))
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, TEXT, b"b"), 0.0)
    connection.close(1000, now=0.0, discard=True)
    connection.receive_data(from_peer(role, TEXT, b"c") + from_peer(role, CLOSE, status(1000)), 0.0)
    assert connection.closed is not None
    assert (connection.closed.clean, connection.closed.dropped) == (True, 2)
    connection.resume()
    assert drain(connection, 0.0).events == ["a", CloseReceived(1000, ""), connection.closed]
