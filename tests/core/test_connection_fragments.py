"""Messages that the application sends part by part: what may pass them, what waits behind them, and what a
close leaves of them. What is cut by the library has a file of its own."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from support.wire import (
    CLOSE,
    PING,
    TEXT,
    connecting,
    feed,
    from_peer,
    mask,
    opened,
    read_frames,
    sent,
    status,
    the_end,
    wire_size,
)
from wscore import (
    Config,
    Connection,
    ConnectionClosed,
    Limits,
    LocalProtocolError,
    PreparedMessage,
    Role,
    State,
    WriteBufferFull,
)
from wscore.testing import drain

ROLES = list(Role)
Frames = list[tuple[int, bytes]]


# Part by part.


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("parts", "frames"),
    [
        (["a", "b"], [(0x01, b"a"), (0x80, b"b")]),
        (["gr\xfc", "\xdfe", "!"], [(0x01, b"gr\xc3\xbc"), (0x00, b"\xc3\x9fe"), (0x80, b"!")]),
        ([b"a", b"b"], [(0x02, b"a"), (0x80, b"b")]),
        ([b"a", bytearray(b"b"), memoryview(b"xcx")[1:2]], [(0x02, b"a"), (0x00, b"b"), (0x80, b"c")]),
        (["a"], [(0x81, b"a")]),
        ([""], [(0x81, b"")]),
        ([b""], [(0x82, b"")]),
        (["", "a"], [(0x81, b"a")]),
        (["a", "", ""], [(0x01, b"a"), (0x80, b"")]),
        ([b"", b""], [(0x82, b"")]),
    ],
)
def test_each_part_is_a_frame_and_an_empty_one_that_is_not_the_last_is_none(
    role: Role, parts: list[Any], frames: Frames
) -> None:
    connection = opened(role)
    for _ in range(2):  # the next message begins anew
        for number, part in enumerate(parts, 1):
            connection.send_fragment(part, number == len(parts))
        assert sent(connection) == frames
    assert connection.stats.messages_sent == 2


@pytest.mark.parametrize("role", ROLES)
def test_a_part_leaves_before_the_next_is_there(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment("a", False)
    assert (sent(connection), connection.stats.messages_sent) == ([(0x01, b"a")], 0)
    connection.send_fragment("", False)
    assert sent(connection) == []
    connection.send_fragment("b", True)
    assert (sent(connection), connection.stats.messages_sent) == ([(0x80, b"b")], 1)


def test_what_was_sent_does_not_change_with_the_callers_buffer() -> None:
    connection, buffer = opened(Role.SERVER), bytearray(b"abc")
    connection.send_fragment(buffer, False)
    buffer[:] = b"xyz"
    assert sent(connection) == [(0x02, b"abc")]


# What passes a message under way, and what waits behind it.


@pytest.mark.parametrize("role", ROLES)
def test_whole_messages_of_all_kinds_wait_in_their_order_and_control_frames_pass(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment("a", False)
    connection.send_text("one")
    connection.send_prepared(PreparedMessage(b"two"))
    connection.send_ping(b"i", now=0.0)
    connection.send_bytes(b"three")
    connection.send_pong(b"o")
    connection.receive_data(from_peer(role, PING, b"p"), 0.0)
    assert sent(connection) == [(0x8A, b"p"), (0x01, b"a"), (0x89, b"i"), (0x8A, b"o")]
    connection.send_fragment("b", False)
    assert sent(connection) == [(0x00, b"b")]
    connection.send_fragment("c", True)
    assert sent(connection) == [(0x80, b"c"), (0x81, b"one"), (0x82, b"two"), (0x82, b"three")]
    assert connection.stats.messages_sent == 4
    connection.send_text("and on")
    assert sent(connection) == [(0x81, b"and on")]


@pytest.mark.parametrize("role", ROLES)
def test_a_second_message_in_parts_may_follow_at_once(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment("a", False)
    connection.send_bytes(b"held")
    connection.send_fragment("", True)
    connection.send_fragment(b"c", False)
    connection.send_fragment(b"d", True)
    assert sent(connection) == [(0x01, b"a"), (0x80, b""), (0x82, b"held"), (0x02, b"c"), (0x80, b"d")]


def test_a_client_draws_its_keys_in_the_order_of_the_wire() -> None:
    connection = opened(Role.CLIENT)  # it has drawn once, for the handshake
    connection.send_fragment("a", False)
    connection.send_text("held")
    connection.send_ping(b"i", now=0.0)
    connection.send_fragment("b", True)
    expected = [(0x01, b"a"), (0x89, b"i"), (0x80, b"b"), (0x81, b"held")]
    keys = [number.to_bytes(4, "big") for number in range(2, 6)]
    assert b"".join(connection.data_to_send(0.0)) == b"".join(
        bytes([first, 0x80 | len(payload)]) + key + mask(payload, key)
        for (first, payload), key in zip(expected, keys, strict=True)
    )


@pytest.mark.parametrize("role", ROLES)
def test_what_is_held_counts_as_waiting_for_the_wire(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(outbox_high=100, outbox_low=20)))
    connection.send_fragment(b"", False)
    connection.send_bytes(bytes(60))
    assert (connection.buffered_amount, connection.writable) == (60, True)
    assert connection.data_to_send(0.0) == []
    connection.send_prepared(PreparedMessage(bytes(41)))
    assert (connection.buffered_amount, connection.writable) == (101, True)  # nothing but the last part helps
    connection.send_fragment(b"", True)
    assert not connection.writable
    assert connection.buffered_amount == wire_size(role, 0, 60, 41)
    assert len(sent(connection)) == 3
    assert (connection.buffered_amount, connection.writable) == (wire_size(role, 0, 60, 41), False)
    assert connection.data_to_send(0.0) == []
    assert (connection.buffered_amount, connection.writable) == (0, True)


@pytest.mark.parametrize("role", ROLES)
def test_a_message_under_way_can_be_finished_however_much_waits_behind_it(role: Role) -> None:
    # Only its last part lets out what is held: if that were refused, nothing would ever leave again.
    connection = opened(role, Config(limits=Limits(outbox_high=100, outbox_low=20, outbox_limit=200)))
    connection.send_fragment("a", False)
    connection.send_bytes(bytes(201))
    with pytest.raises(WriteBufferFull):
        connection.send_text("one more")
    assert sent(connection) == [(0x01, b"a")]
    connection.send_fragment("b", True)
    assert [first for first, _ in sent(connection)] == [0x80, 0x82]


@pytest.mark.parametrize("role", ROLES)
def test_who_sends_in_parts_is_not_told_to_wait_for_what_waits_for_it(role: Role) -> None:
    # A backend lets a sender wait until `writable`; what is held cannot leave before the sender goes on.
    connection = opened(role, Config(limits=Limits(outbox_high=100, outbox_low=20)))
    connection.send_fragment("a", False)
    connection.send_bytes(bytes(150))
    drain(connection, 0.0)
    assert connection.writable


# The end of it.


@pytest.mark.parametrize("role", ROLES)
def test_a_close_in_between_leaves_the_message_unfinished_and_drops_what_waits(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment("a", False)
    connection.send_text("held")
    connection.send_prepared(PreparedMessage("held"))
    connection.close(1000, now=0.0)
    assert connection.buffered_amount == wire_size(role, 1, 2)
    assert sent(connection) == [(0x01, b"a"), (0x88, status(1000))]
    assert connection.stats.messages_sent == 0
    with pytest.raises(LocalProtocolError, match="after our Close"):
        connection.send_fragment("b", True)
    assert the_end(feed(connection, (CLOSE, status(1000))).events).clean
    assert connection.buffered_amount == 0


@pytest.mark.parametrize("role", ROLES)
def test_the_answer_to_the_peers_close_does_not_wait_for_a_message_under_way(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment(b"a", False)
    connection.send_text("held")
    output = feed(connection, (CLOSE, status(1000)))
    assert read_frames(output.sent) == [(0x02, b"a"), (0x88, status(1000))]
    assert the_end(output.events).clean


@pytest.mark.parametrize("role", ROLES)
def test_a_message_under_way_may_be_finished_while_the_peers_close_waits(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment(b"a", False)
    connection.send_text("held")
    connection.receive_data(from_peer(role, TEXT, b"x") + from_peer(role, CLOSE, status(1000)), 0.0)
    assert connection.state is State.REMOTE_CLOSING
    connection.send_fragment(b"b", True)
    output = drain(connection, 0.0)
    assert read_frames(output.sent) == [(0x02, b"a"), (0x80, b"b"), (0x81, b"held"), (0x88, status(1000))]


@pytest.mark.parametrize("role", ROLES)
def test_a_lost_connection_holds_nothing(role: Role) -> None:
    connection = opened(role)
    connection.send_fragment(b"a", False)
    connection.send_bytes(bytes(1000))
    connection.receive_eof(0.0)
    assert (connection.buffered_amount, connection.writable) == (0, True)
    with pytest.raises(ConnectionClosed):
        connection.send_fragment(b"b", True)


# Mistakes change nothing.


def under_way(role: Role) -> Connection:
    """Return a connection that is sending a text in parts."""
    connection = opened(role)
    connection.send_fragment("a", False)
    return connection


def full(role: Role) -> Connection:
    """Return the same with too much waiting."""
    connection = opened(role, Config(limits=Limits(outbox_limit=10)))
    connection.send_fragment("a", False)
    connection.send_pong(bytes(11))
    return connection


MISTAKES: list[tuple[str, Callable[[Role], Connection], Any, type[Exception], str]] = [
    ("bytes in a text", under_way, b"x", LocalProtocolError, "is text, this fragment is binary"),
    ("no bytes in a text", under_way, b"", LocalProtocolError, "is text, this fragment is binary"),
    ("a number", under_way, 1, TypeError, ""),
    ("nothing", under_way, None, TypeError, ""),
    ("a list", under_way, [b"x"], TypeError, ""),
    ("a lone surrogate", under_way, "\ud800", LocalProtocolError, "lone surrogates"),
    ("too much waits", full, "x", WriteBufferFull, "wait for the peer already"),
    ("bytes in a text, too much waits", full, b"x", LocalProtocolError, ""),
    ("before the handshake", connecting, "x", LocalProtocolError, "opening handshake"),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize(
    ("make", "data", "error", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_part_that_may_not_be_sent_changes_nothing(
    role: Role,
    final: bool,
    make: Callable[[Role], Connection],
    data: Any,
    error: type[Exception],
    words: str,
) -> None:
    connection, twin = make(role), make(role)
    with pytest.raises(error, match=words or None):
        connection.send_fragment(data, final)
    assert connection.buffered_amount == twin.buffered_amount
    for each in (connection, twin):
        assert each.stats.messages_sent == 0
    assert drain(connection, 0.0).sent == drain(twin, 0.0).sent
    if make is not connecting:
        for each in (connection, twin):
            each.send_text("held")
            each.send_fragment("b", True)
        assert drain(connection, 0.0).sent == drain(twin, 0.0).sent


@pytest.mark.parametrize("message", ["x", b"x", None, 5])
def test_only_a_prepared_message_is_sent_as_one(message: Any) -> None:
    connection = opened(Role.SERVER)
    with pytest.raises(TypeError):
        connection.send_prepared(message)
    assert connection.data_to_send(0.0) == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("choice", [1, 0, "yes", b""])
def test_a_choice_that_is_none_is_refused_and_changes_nothing(role: Role, choice: bool) -> None:
    connection = opened(role)
    for refused in (
        lambda: connection.send_text("a", compress=choice),
        lambda: connection.send_bytes(b"a", compress=choice),
        lambda: connection.send_fragment("a", False, compress=choice),
        lambda: PreparedMessage("a", compress=choice),
    ):
        with pytest.raises(TypeError):
            refused()
    assert connection.buffered_amount == 0
    connection.send_fragment(b"of another kind", True)
    assert len(sent(connection)) == 1


def test_a_connection_that_is_lost_lets_go_of_what_was_held() -> None:
    connection = opened(Role.SERVER)
    connection.send_fragment("a", False)
    message = PreparedMessage("held")
    connection.send_prepared(message)
    connection.receive_eof(0.0)
    connection.receive_eof(0.0)
    assert connection.buffered_amount == 0
    assert sys.getrefcount(message) == 2  # ours, and the argument
