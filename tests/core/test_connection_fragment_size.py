"""Messages that are cut into frames of a size and given to the wire one by one: what passes between them,
what comes last, and that every byte is counted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from support.clock import OFF, only
from support.wire import CLOSE, PING, from_peer, opened, read_frames, sent, status, the_end, wire_size
from wscore import Config, Connection, Limits, PreparedMessage, Role, State, Timer, TransportAction
from wscore.testing import Pair, drain

ROLES = list(Role)
Frames = list[tuple[int, bytes]]


def cutting(role: Role, fragment_size: int, **limits: int) -> Connection:
    """Return an open connection that cuts its messages, on which nothing times out."""
    return opened(role, Config(timeouts=OFF, fragment_size=fragment_size, limits=Limits(**limits)))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("fragment_size", "length", "lengths"),
    [
        (10, 0, [0]),
        (10, 9, [9]),
        (10, 10, [10]),
        (10, 11, [10, 1]),
        (10, 20, [10, 10]),
        (10, 35, [10, 10, 10, 5]),
        (1, 3, [1, 1, 1]),
        (70_000, 150_000, [70_000, 70_000, 10_000]),
    ],
)
def test_a_long_message_leaves_in_frames_that_are_given_out_one_by_one(
    role: Role, fragment_size: int, length: int, lengths: list[int]
) -> None:
    payload = bytes(index % 251 for index in range(length))
    sends: list[Callable[[Connection], object]] = [
        lambda connection: connection.send_bytes(payload),
        lambda connection: connection.send_prepared(PreparedMessage(payload)),
        lambda connection: connection.send_fragment(payload, True),
    ]
    for send in sends:
        connection = cutting(role, fragment_size)
        send(connection)
        given: Frames = []
        for _ in lengths:
            [frame] = sent(connection)
            given.append(frame)
        assert sent(connection) == []
        assert [len(part) for _, part in given] == lengths
        assert b"".join(part for _, part in given) == payload
        firsts = [0x02] + [0x00] * (len(lengths) - 1)
        firsts[-1] |= 0x80
        assert [first for first, _ in given] == firsts


@pytest.mark.parametrize("role", ROLES)
def test_pongs_and_pings_pass_between_the_frames_and_everything_else_keeps_its_place(role: Role) -> None:
    connection = cutting(role, 4)
    connection.send_text("abcdefghij")
    connection.send_text("next")
    assert sent(connection) == [(0x01, b"abcd")]
    connection.receive_data(from_peer(role, PING, b"p"), 0.0)
    ping = connection.send_ping(b"i", now=0.0)
    connection.send_pong(b"o")
    assert sent(connection) == [(0x8A, b"p"), (0x89, b"i"), (0x8A, b"o"), (0x00, b"efgh")]
    assert ping.given_at == 0.0
    assert sent(connection) == [(0x80, b"ij")]
    assert sent(connection) == [(0x81, b"next")]
    assert sent(connection) == []


@pytest.mark.parametrize("role", ROLES)
def test_small_messages_still_leave_together(role: Role) -> None:
    connection = cutting(role, 1000)
    for _ in range(100):
        connection.send_bytes(b"x")
    assert len(sent(connection)) == 100


@pytest.mark.parametrize("role", ROLES)
def test_what_waits_and_what_was_given_out_is_counted_exactly(role: Role) -> None:
    connection = cutting(role, 20, outbox_high=wire_size(role, 20, 20, 5), outbox_low=wire_size(role, 20))
    connection.send_bytes(bytes(45))
    total = wire_size(role, 20, 20, 5)
    assert (connection.buffered_amount, connection.writable) == (total, True)
    connection.send_bytes(b"x")
    total += wire_size(role, 1)
    assert (connection.buffered_amount, connection.writable) == (total, False)
    left = []
    while connection.buffered_amount:
        given = sum(map(len, connection.data_to_send(0.0)))
        left.append((connection.buffered_amount, given, connection.writable))
    first, second, third = wire_size(role, 20), wire_size(role, 20), wire_size(role, 5, 1)
    assert [(amount, given) for amount, given, _ in left] == [
        (first + second + third, first),
        (second + third, second),
        (third, third),
        (0, 0),
    ]
    # It is known to have left when more is asked for; then the low mark counts.
    assert [writable for *_, writable in left] == [False, False, True, True]


@pytest.mark.parametrize("role", ROLES)
def test_a_close_comes_last_and_its_time_begins_when_it_is_given_out(role: Role) -> None:
    config = replace(only(close=10.0), fragment_size=10)
    connection = opened(role, config)
    connection.send_bytes(bytes(20))
    connection.close(1000, now=0.0)
    assert sent(connection, 3.0) == [(0x02, bytes(10))]
    assert connection.next_deadline() == 10.0  # it is not on its way yet
    connection.handle_deadline(10.0)  # it moves, so it is given time
    assert connection.next_deadline() == 13.0
    assert sent(connection, 12.0) == [(0x80, bytes(10))]
    connection.handle_deadline(13.0)
    assert connection.next_deadline() == 22.0
    assert sent(connection, 14.0) == [(0x88, status(1000))]
    assert connection.next_deadline() == 24.0
    assert connection.data_to_send(14.0) == []
    connection.handle_deadline(24.0)
    closed = the_end(drain(connection, 24.0).events)
    assert (closed.timer, closed.clean) == (Timer.CLOSE, False)


@pytest.mark.parametrize("role", ROLES)
def test_the_transport_is_left_alone_until_the_last_frame_has_left(role: Role) -> None:
    connection = cutting(role, 10)
    connection.send_bytes(bytes(30))
    connection.receive_data(from_peer(role, CLOSE, status(1000)), 0.0)
    assert connection.state is State.DRAINING
    seen = []
    while pieces := connection.data_to_send(0.0):
        seen += read_frames(b"".join(pieces))
        assert connection.transport_action() is TransportAction.KEEP
    assert [first for first, _ in seen] == [0x02, 0x00, 0x80, 0x88]
    expected = TransportAction.SHUTDOWN_WRITE if role is Role.SERVER else TransportAction.KEEP
    assert connection.transport_action() is expected


@pytest.mark.parametrize("role", ROLES)
def test_a_keepalive_ping_waits_for_one_frame_at_most(role: Role) -> None:
    config = replace(only(keepalive=20.0, pong=10.0), fragment_size=1000)
    connection = opened(role, config)
    connection.send_bytes(bytes(5000))
    assert [first for first, _ in sent(connection, 0.0)] == [0x02]
    connection.handle_deadline(20.0)
    assert [first for first, _ in sent(connection, 21.0)] == [0x89, 0x00]
    assert connection.next_deadline() == 31.0  # the pong is expected from here


@pytest.mark.parametrize("role", ROLES)
def test_a_lost_connection_drops_the_frames_that_wait(role: Role) -> None:
    connection = cutting(role, 10)
    connection.send_bytes(bytes(30))
    sent(connection)
    connection.send_ping(b"i", now=0.0)
    connection.receive_eof(0.0)
    assert (connection.buffered_amount, connection.data_to_send(0.0)) == (0, [])
    assert connection.transport_action() is TransportAction.ABORT  # some of it was on its way


@pytest.mark.parametrize("fragment_size", [1, 7, 1000])
def test_a_peer_reads_the_message_that_was_cut(fragment_size: int) -> None:
    config = Config(fragment_size=fragment_size)
    pair = Pair(config, config)
    pair.open()
    text = "gr\xfc\xdfe \u2603 \U0001f600 " * 50  # frames may end within a code point
    pair.client.send_text(text)
    pair.server.send_prepared(PreparedMessage(text))
    pair.client.send_fragment(text.encode(), False)
    pair.client.send_text("held")
    pair.client.send_fragment(b"", True)
    pair.exchange()
    assert pair.server_events[2:] == [text, text.encode(), "held"]
    assert pair.client_events[1:] == [text]
