"""Every timer: when it fires, what it does, what holds it off, and that it never blames a peer wrongly."""

import pytest

from support.clock import OFF, fire, only, pinged
from support.wire import (
    CLOSE,
    PING,
    PONG,
    REQUEST,
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
    CloseStatus,
    Config,
    Connection,
    ConnectionClosed,
    Limits,
    Refused,
    RequestReceived,
    Role,
    Side,
    State,
    Timer,
    TransportAction,
)
from wscore.testing import Output, drain

ROLES = list(Role)


# OPEN


@pytest.mark.parametrize("role", ROLES)
def test_an_opening_that_takes_too_long_is_given_up(role: Role) -> None:
    connection = connecting(role, only(open=5))
    connection.receive_data(b"H" if role is Role.CLIENT else b"G", 4.9)  # bytes do not extend it
    assert connection.next_deadline() == 5.0
    connection.handle_deadline(4.999)
    assert connection.state is State.CONNECTING
    output = fire(connection, 5.0)
    assert output == Output([Closed(1006, "", False, timer=Timer.OPEN)], b"", TransportAction.ABORT)
    assert connection.next_deadline() is None


def test_the_opening_covers_a_request_that_nobody_answers() -> None:
    connection = connecting(Role.SERVER, only(open=5))
    connection.receive_data(REQUEST, 1.0)
    output = fire(connection, 5.0)
    assert isinstance(output.events[0], RequestReceived)
    assert the_end(output.events).timer is Timer.OPEN
    with pytest.raises(ConnectionClosed):
        connection.accept(now=5.0)


def test_a_refusal_whose_body_does_not_end_in_time_counts_with_what_came() -> None:
    connection = connecting(Role.CLIENT, only(open=5))
    connection.receive_data(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\npart", 1.0)
    refused, closed = fire(connection, 5.0).events
    assert isinstance(refused, Refused) and refused.response.body == b"part"
    assert closed == Closed(1006, "", False, timer=Timer.OPEN)


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_due_once_the_opening_is_over_or_where_nothing_may_time_out(role: Role) -> None:
    assert opened(role, only(open=5)).next_deadline() is None
    assert connecting(role, Config(timeouts=OFF)).next_deadline() is None
    assert opened(role, Config(timeouts=OFF)).next_deadline() is None


# IDLE and LIFETIME


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("name", "timer"), [("idle", Timer.IDLE), ("lifetime", Timer.LIFETIME)])
def test_an_idle_or_old_connection_is_closed_with_1001(role: Role, name: str, timer: Timer) -> None:
    connection = opened(role, only(**{name: 30.0}))
    [(first, payload)] = read_frames(fire(connection, 30.0).sent)
    assert (first, payload[:2]) == (0x88, status(1001))
    assert connection.state is State.LOCAL_CLOSING
    closed = the_end(feed(connection, (CLOSE, status(1001)), now=30.5).events)
    reason = payload[2:].decode()
    ours, theirs = CloseStatus(1001, reason), CloseStatus(1001, "")
    assert closed == Closed(1001, "", True, theirs, ours, Side.LOCAL, timer=timer)


@pytest.mark.parametrize("role", ROLES)
def test_messages_either_way_hold_idle_off(role: Role) -> None:
    connection = opened(role, only(idle=30))
    feed(connection, (TEXT, b"x"), now=10.0)
    assert connection.next_deadline() == 30.0
    assert fire(connection, 30.0).sent == b""
    connection.send_text("x")
    drain(connection, 35.0)
    assert fire(connection, 40.0).sent == b""
    assert fire(connection, 65.0).sent[:1] == b"\x88"


@pytest.mark.parametrize("role", ROLES)
def test_pings_do_not_hold_idle_off(role: Role) -> None:
    connection = opened(role, only(idle=30))
    feed(connection, (PING, b""), (PONG, b""), now=10.0)
    connection.send_ping(now=20.0)
    connection.send_pong()
    drain(connection, 20.0)
    assert fire(connection, 30.0).sent[:1] == b"\x88"


@pytest.mark.parametrize("role", ROLES)
def test_a_message_that_is_still_coming_or_going_holds_idle_off(role: Role) -> None:
    coming = opened(role, only(idle=30))
    coming.receive_data(from_peer(role, TEXT, b"half", final=False), 20.0)
    assert fire(coming, 30.0).sent == b""
    assert fire(coming, 50.0).sent[:1] == b"\x88"
    going = opened(role, only(idle=30))
    going.send_bytes(b"x" * 100_000)
    assert going.data_to_send(0.0)
    going.handle_progress(20.0)
    going.handle_deadline(30.0)
    assert going.state is State.OPEN
    going.handle_deadline(50.0)
    assert drain(going, 50.0).sent[:1] == b"\x88"


@pytest.mark.parametrize("role", ROLES)
def test_traffic_does_not_hold_lifetime_off(role: Role) -> None:
    connection = opened(role, only(lifetime=30))
    feed(connection, (TEXT, b"x"), now=29.9)
    assert fire(connection, 30.0).sent[:1] == b"\x88"


@pytest.mark.parametrize("role", ROLES)
def test_two_reasons_at_once_make_one_close(role: Role) -> None:
    connection = opened(role, only(idle=30, lifetime=30, keepalive=30, pong=30))
    connection.handle_deadline(31.0)
    frames = read_frames(drain(connection, 31.0).sent)
    assert [first for first, _ in frames if first == 0x88] == [0x88]
    assert frames[-1][0] == 0x88
    assert connection.next_deadline() is None


# CLOSE


@pytest.mark.parametrize("role", ROLES)
def test_a_peer_that_does_not_answer_our_close_is_left(role: Role) -> None:
    connection = opened(role, only(close=7))
    connection.close(4000, now=1.0)
    assert connection.next_deadline() == 8.0
    drain(connection, 3.0)
    assert connection.next_deadline() == 10.0  # it counts from when our Close was given out
    assert fire(connection, 10.0) == Output(
        [Closed(1006, "", False, sent=CloseStatus(4000, ""), initiator=Side.LOCAL, timer=Timer.CLOSE)],
        b"",
        TransportAction.ABORT,
    )


@pytest.mark.parametrize("role", ROLES)
def test_messages_after_our_close_do_not_put_the_end_off(role: Role) -> None:
    connection = opened(role, only(close=7))
    connection.close(now=0.0)
    drain(connection, 0.0)
    for now in (1.0, 3.0, 6.9):
        assert feed(connection, (TEXT, b"x"), now=now).events == ["x"]
    assert the_end(fire(connection, 7.0).events).timer is Timer.CLOSE


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("ask", [False, True], ids=["never taken", "taken"])
def test_a_close_whose_bytes_are_stuck_ends_in_time(role: Role, ask: bool) -> None:
    connection = opened(role, only(close=7))
    connection.close(now=0.0)
    if ask:
        connection.data_to_send(0.0)
    assert fire(connection, 7.0).action is TransportAction.ABORT


@pytest.mark.parametrize("role", ROLES)
def test_a_close_behind_output_that_still_moves_is_waited_for(role: Role) -> None:
    connection = opened(role, only(close=7))
    connection.send_bytes(bytes(1_000_000))
    connection.close(now=0.0)
    assert connection.data_to_send(0.0)
    connection.handle_progress(5.0)
    connection.handle_deadline(7.0)
    assert connection.next_deadline() == 12.0
    connection.handle_progress(11.0)
    connection.handle_deadline(12.0)
    assert connection.state is State.LOCAL_CLOSING
    connection.handle_deadline(18.0)
    assert the_end(drain(connection, 18.0).events).timer is Timer.CLOSE


@pytest.mark.parametrize("role", ROLES)
def test_the_peers_close_ends_what_watched_over_the_open_connection(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10, idle=30, lifetime=40))
    pinged(connection, 20.0)
    feed(connection, (CLOSE, status(1000)), now=25.0)
    assert connection.next_deadline() is None


# WRITE_STALL


@pytest.mark.parametrize("role", ROLES)
def test_output_that_does_not_move_ends_the_connection(role: Role) -> None:
    connection = opened(role, only(write_stall=30))
    assert fire(connection, 30.0).events == []  # what the handshake gave out has left
    connection.send_text("x")
    assert connection.next_deadline() is None  # nobody has been given this
    connection.data_to_send(40.0)
    assert connection.next_deadline() == 70.0
    connection.receive_data(from_peer(role, PONG, b""), 50.0)  # what the peer sends is no progress of ours
    output = fire(connection, 70.0)
    assert output == Output([Closed(1006, "", False, timer=Timer.WRITE_STALL)], b"", TransportAction.ABORT)


@pytest.mark.parametrize("role", ROLES)
def test_progress_and_departure_hold_the_stall_off(role: Role) -> None:
    connection = opened(role, only(write_stall=30))
    connection.send_text("x")
    connection.data_to_send(0.0)
    connection.handle_progress(20.0)
    connection.handle_deadline(30.0)
    assert connection.next_deadline() == 50.0
    assert connection.data_to_send(45.0) == []  # all has left
    connection.handle_deadline(50.0)
    assert connection.next_deadline() is None
    connection.send_text("y")
    connection.data_to_send(60.0)
    assert connection.next_deadline() == 90.0
    assert connection.state is State.OPEN


@pytest.mark.parametrize("role", ROLES)
def test_a_later_batch_gets_the_whole_time(role: Role) -> None:
    connection = opened(role, only(write_stall=30))
    for now in (0.0, 29.0):
        connection.send_text("x")
        connection.data_to_send(now)
        assert connection.next_deadline() == 30.0  # traffic leaves a mark and moves no deadline
    connection.handle_deadline(30.0)
    assert connection.next_deadline() == 59.0
    assert the_end(fire(connection, 59.0).events).timer is Timer.WRITE_STALL


def test_a_request_that_does_not_move_ends_the_connection() -> None:
    connection = Connection(Role.CLIENT, only(write_stall=30), now=0.0)
    connection.send_request("ws://a/", now=0.0)
    assert connection.data_to_send(1.0)
    assert the_end(fire(connection, 31.0).events) == Closed(1006, "", False, timer=Timer.WRITE_STALL)


@pytest.mark.parametrize("role", ROLES)
def test_a_stall_after_the_peers_close_leaves_its_code_and_is_not_clean(role: Role) -> None:
    connection = opened(role, only(write_stall=30))
    connection.send_text("x")
    connection.data_to_send(0.0)
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(4000)), 0.0)
    connection.handle_deadline(30.0)  # the answer is due as well, and cannot leave
    closed = the_end(drain(connection, 30.0).events)
    assert closed.code == 4000
    assert connection.transport_action() is TransportAction.ABORT


# The clock.


@pytest.mark.parametrize("role", ROLES)
def test_early_and_repeated_calls_are_harmless(role: Role) -> None:
    config = only(keepalive=20, pong=10, idle=100, write_stall=30)
    connection, twin = opened(role, config), opened(role, config)
    for tick in range(199):
        connection.handle_deadline(tick / 10)
        connection.handle_deadline(tick / 10)
    for each in (connection, twin):
        assert len(pinged(each, 20.0)) == 4
    assert connection.next_deadline() == twin.next_deadline() == 30.0


@pytest.mark.parametrize("role", ROLES)
def test_a_call_that_comes_much_too_late_gives_the_peer_its_round(role: Role) -> None:
    connection = opened(role, only(keepalive=20, pong=10))
    connection.handle_deadline(1e6)  # the machine slept: one ping, and no blame before it was answerable
    assert len(read_frames(drain(connection, 1e6).sent)) == 1
    assert connection.state is State.OPEN
    assert connection.next_deadline() == 1e6 + 10


@pytest.mark.parametrize("role", ROLES)
def test_an_older_now_counts_as_the_newest_seen(role: Role) -> None:
    connection = opened(role, only(close=7, keepalive=20))
    connection.handle_progress(15.0)
    connection.handle_deadline(3.0)
    connection.receive_data(from_peer(role, TEXT, b"x"), 4.0)  # 15, as far as it is known
    drain(connection, 5.0)
    assert fire(connection, 20.0).sent == b""
    assert connection.next_deadline() == 35.0
    connection.close(now=1.0)
    drain(connection, 2.0)
    assert connection.next_deadline() == 27.0


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("role", ROLES)
def test_time_and_the_end_of_the_stream_may_come_together_behind_unread_messages(
    role: Role, closing: bool
) -> None:
    # The end waits behind input that the full inbox holds back; a timer looks at that input first, and
    # finds the end there.
    timeouts = only(close=10, write_stall=10).timeouts
    connection = opened(role, Config(limits=Limits(inbox_high=64, inbox_low=0), timeouts=timeouts))
    connection.receive_data(from_peer(role, TEXT, b"one") + from_peer(role, TEXT, b"two"), 0.0)
    if closing:
        connection.close(now=0.0)
    else:
        connection.send_text("never moves")
    assert connection.data_to_send(0.0)
    connection.receive_eof(0.0)
    assert connection.closed is None
    connection.handle_deadline(10.0)
    assert connection.state is State.CLOSED
    assert connection.transport_action() is TransportAction.ABORT
    events = drain(connection, 10.0).events
    assert events[:2] == ["one", "two"]
    assert the_end(events).code == 1006


@pytest.mark.parametrize("role", ROLES)
def test_a_close_that_waits_behind_a_full_inbox_ends_the_connection_in_good_order(role: Role) -> None:
    limits = Limits(inbox_high=64, inbox_low=0)
    connection = opened(role, Config(limits=limits, timeouts=only(close=10).timeouts))
    connection.receive_data(from_peer(role, TEXT, b"one") + from_peer(role, CLOSE, b"\x03\xe8"), 0.0)
    connection.close(now=0.0)
    assert connection.data_to_send(0.0)
    assert connection.data_to_send(0.0) == []
    connection.handle_deadline(10.0)
    assert connection.closed is not None and connection.closed.clean
    assert connection.transport_action() is TransportAction.CLOSE  # a reset would destroy what the peer reads
    assert drain(connection, 10.0).events[0] == "one"
