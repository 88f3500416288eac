"""Long messages of a client: masked and given out in parts, and what comes while one is on its way."""

import tracemalloc

import pytest

from support.wire import CLOSE, PING, PONG, TEXT, from_peer, opened, read_frames
from wscore import Closed, Config, Connection, ConnectionClosed, Role, State, Timeouts, Timer, TransportAction
from wscore.testing import drain

MEBIBYTE = 1 << 20
MESSAGE = "\N{GREEK SMALL LETTER PI}lambda" * (MEBIBYTE // 9)
CLIENT = Role.CLIENT


def take_all(connection: Connection, now: float = 0.0) -> bytes:
    """Take everything, saying each time that what came before has left."""
    taken = b""
    while pieces := connection.data_to_send(now):
        taken += b"".join(pieces)
    return taken


def test_a_long_message_arrives_as_it_was_sent() -> None:
    client, server = opened(CLIENT), opened(Role.SERVER)
    client.send_text(MESSAGE)
    client.send_text("behind")
    server.receive_data(take_all(client), 0.0)
    assert drain(server, 0.0).events == [MESSAGE, "behind"]
    assert client.buffered_amount == 0
    assert client.stats.messages_sent == client.stats.frames_sent == 2


def test_what_waits_is_buffered_until_its_last_part_has_left() -> None:
    client = opened(CLIENT)
    client.send_text(MESSAGE)
    left = client.buffered_amount
    assert left == len(MESSAGE.encode()) + 14
    while pieces := client.data_to_send(0.0):
        assert client.buffered_amount == left
        assert len(pieces) <= 2
        left -= sum(map(len, pieces))
    assert left == client.buffered_amount == 0


def test_a_ping_that_comes_meanwhile_is_answered_behind_the_frame() -> None:
    client = opened(CLIENT)
    client.send_text(MESSAGE)
    data = b"".join(client.data_to_send(0.0))
    client.receive_data(from_peer(CLIENT, PING, b"now"), 0.0)
    data += take_all(client)
    assert read_frames(data) == [(0x80 | TEXT, MESSAGE.encode()), (0x80 | PONG, b"now")]


def test_keepalive_blames_nobody_for_a_ping_that_waits_behind_a_long_frame() -> None:
    """The peer reads slowly and sends nothing; its answer can come only when the ping has left."""
    client = opened(CLIENT, Config(timeouts=Timeouts(keepalive=20.0, pong=20.0, write_stall=30.0)))
    client.send_bytes(bytes(8 * MEBIBYTE))
    data, now = b"".join(client.data_to_send(0.0)), 0.0
    while not data.endswith(b"\x89\x84" + data[-8:-4] + data[-4:]):
        now += 10.0
        client.handle_deadline(now)
        assert client.state is State.OPEN
        pieces = client.data_to_send(now)
        assert pieces, "the ping should be the last that leaves"
        data += b"".join(pieces)
    assert now > 600.0
    assert client.data_to_send(now) == []
    client.handle_deadline(now + 19.9)
    assert client.state is State.OPEN  # from there on an answer is due
    client.handle_deadline(now + 20.0)
    closed = drain(client, now + 20.0).events[-1]
    assert isinstance(closed, Closed) and closed.timer is Timer.PONG


def test_a_ping_is_answered_for_itself_wherever_it_left() -> None:
    client = opened(CLIENT)
    before = client.send_ping(b"before", now=0.0)
    client.send_text(MESSAGE)
    data = b"".join(client.data_to_send(0.0))
    within = client.send_ping(b"within", now=1.0)
    client.receive_data(from_peer(CLIENT, PONG, b"before"), 2.0)
    assert (before.latency, within.latency) == (2.0, None)
    while pieces := client.data_to_send(3.0):
        data += b"".join(pieces)
    client.receive_data(from_peer(CLIENT, PONG, b"within"), 4.0)
    assert within.latency == 1.0
    assert [opcode & 0x0F for opcode, _ in read_frames(data)] == [PING, TEXT, PING]


def test_a_close_waits_for_the_last_part_and_its_timeout_counts_from_there() -> None:
    client = opened(CLIENT, Config(timeouts=Timeouts(close=7.0, keepalive=None)))
    client.send_text(MESSAGE)
    data = b"".join(client.data_to_send(0.0))
    client.close(1000, "bye", now=0.0)
    now = last = 0.0
    while pieces := client.data_to_send(now):
        data += b"".join(pieces)
        last, now = now, now + 1.0
    assert [opcode for opcode, _ in read_frames(data)] == [0x80 | TEXT, 0x80 | CLOSE]
    assert client.next_deadline() == last + 7.0
    client.receive_data(from_peer(CLIENT, CLOSE, b"\x03\xe8"), now)
    closed = drain(client, now).events[-1]
    assert isinstance(closed, Closed) and (closed.code, closed.clean) == (1000, True)


def test_the_peers_close_is_answered_behind_the_frame() -> None:
    client = opened(CLIENT)
    client.send_text(MESSAGE)
    data = b"".join(client.data_to_send(0.0))
    client.receive_data(from_peer(CLIENT, CLOSE, b"\x03\xe8"), 0.0)
    assert client.next_event() is not None
    data += take_all(client)
    assert [opcode for opcode, _ in read_frames(data)] == [0x80 | TEXT, 0x80 | CLOSE]
    assert client.state is State.DRAINING


def test_nothing_is_left_of_it_when_the_connection_is_lost() -> None:
    client = opened(CLIENT)
    client.send_text(MESSAGE)
    client.data_to_send(0.0)
    client.receive_eof(0.0)
    client.receive_eof(0.0)
    assert client.data_to_send(0.0) == []
    assert client.buffered_amount == 0
    assert client.transport_action() is TransportAction.ABORT
    with pytest.raises(ConnectionClosed):
        client.send_text("more")


def test_there_is_never_a_second_copy_of_all_of_it() -> None:
    client, payload = opened(CLIENT), bytes(8 * MEBIBYTE)
    tracemalloc.start()
    try:
        client.send_bytes(payload)
        while client.data_to_send(0.0):
            pass
        assert tracemalloc.get_traced_memory()[1] < MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_message_in_frames_of_a_size_is_not_affected() -> None:
    client = opened(CLIENT, Config(fragment_size=300_000))
    client.send_text(MESSAGE)
    frames = read_frames(take_all(client))
    assert b"".join(payload for _, payload in frames) == MESSAGE.encode()
    assert max(len(payload) for _, payload in frames) == 300_000


def test_a_ping_that_leaves_alone_behind_it_is_no_message() -> None:
    client = opened(Role.CLIENT, Config(timeouts=Timeouts(idle=30, keepalive=None, write_stall=None)))
    client.send_bytes(bytes(200_000))
    client.data_to_send(0.0)
    client.send_ping(b"", now=0.0)
    client.data_to_send(1.0)  # the last part
    assert read_frames(b"".join(client.data_to_send(2.0)))[0][0] == 0x80 | PING
    client.data_to_send(27.0)  # the ping has taken that long to leave
    client.handle_deadline(30.0)  # when idleness would begin with the first part
    assert client.next_deadline() == 2.0 + 30
