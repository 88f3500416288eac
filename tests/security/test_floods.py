"""Rows 15 to 17, finding 6: time that a peer can take, and output that it can make us keep."""

import pytest

from support.attacks import LIMITLESS, failed_with
from support.measure import KIB, MIB, memory
from support.wire import (
    PING,
    PONG,
    REQUEST,
    RESPONSE,
    connecting,
    from_peer,
    opened,
    read_frames,
    the_end,
)
from wscore import (
    Config,
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


@pytest.mark.parametrize("role", ROLES)
def test_row_15_traffic_does_not_move_the_end_of_the_handshake(role: Role) -> None:
    """Cause: each byte started the timer anew. Correct: one deadline for all of the handshake."""
    connection = connecting(role, Config(timeouts=Timeouts(open=10.0)))
    head = REQUEST if role is Role.SERVER else RESPONSE
    for second in range(10):
        connection.handle_deadline(float(second))
        connection.receive_data(head[second : second + 1], float(second))
        assert connection.next_deadline() == 10.0
    connection.handle_deadline(10.0)
    output = drain(connection, 10.0)
    assert the_end(output.events).timer is Timer.OPEN
    assert output.action is TransportAction.ABORT


def test_row_15_a_request_that_nobody_answers_ends_in_time_too() -> None:
    """The deadline covers the application's share of the handshake."""
    connection = connecting(Role.SERVER, Config(timeouts=Timeouts(open=10.0)))
    connection.receive_data(REQUEST, 0.0)
    drain(connection, 0.0)
    connection.handle_deadline(10.0)
    assert the_end(drain(connection, 10.0).events).timer is Timer.OPEN


@pytest.mark.parametrize("role", ROLES)
def test_row_16_output_for_a_slow_reader_is_bounded(role: Role) -> None:
    """Cause: a write buffer that grows as long as somebody sends. Correct: a signal at 64 KiB, an error
    above 1 MiB, and nothing changed by the refused call."""
    connection = opened(role)
    message, sent = bytes(10_000), 1
    connection.send_bytes(message)
    connection.data_to_send(0.0)  # given out, but it does not leave
    while connection.buffered_amount <= MIB:
        assert connection.writable is (connection.buffered_amount <= 64 * KIB)
        connection.send_bytes(message)
        sent += 1
    with pytest.raises(WriteBufferFull):
        connection.send_bytes(message)
    assert connection.buffered_amount <= MIB + len(message) + 14
    before = connection.buffered_amount
    with pytest.raises(WriteBufferFull):
        connection.send_text("x")
    with pytest.raises(WriteBufferFull):
        connection.send_ping(now=0.0)
    assert connection.buffered_amount == before
    assert len(read_frames(b"".join(connection.data_to_send(0.0)))) == sent - 1


@pytest.mark.parametrize("role", ROLES)
def test_row_16_a_reader_that_takes_nothing_is_cut_off(role: Role) -> None:
    """Correct: output that does not move ends the connection; output that moves does not."""
    connection = opened(role, Config(timeouts=Timeouts(write_stall=30.0, keepalive=None)))
    connection.send_bytes(bytes(100_000))
    assert connection.data_to_send(0.0)
    for now in (29.0, 58.0):
        connection.handle_progress(now)
        connection.handle_deadline(now)
        assert connection.state is State.OPEN
    connection.handle_deadline(88.0)
    output = drain(connection, 88.0)
    assert the_end(output.events).timer is Timer.WRITE_STALL
    assert output.action is TransportAction.ABORT
    assert connection.buffered_amount == 0


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("payload", [b"", b"p" * 125])
def test_row_17_pings_are_not_a_way_to_fill_memory(role: Role, payload: bytes) -> None:
    """Cause: a pong for each ping, and pings queued for the application at no charge. Correct: the newest
    few are answered and shown."""
    config = Config(limits=LIMITLESS, control_events=True)
    connection = opened(role, config)
    segment = from_peer(role, PING, payload) * 100

    def flood() -> None:
        for _ in range(50):
            connection.receive_data(segment, 0.0)

    held, _ = memory(flood)
    assert held <= 16 * KIB
    assert connection.stats.pings_received == 5_000
    output = drain(connection, 0.0)
    assert len(output.events) <= 16
    pongs = read_frames(output.sent)
    assert 1 <= len(pongs) <= 16
    assert set(pongs) == {(0x80 | PONG, payload)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("opcode", [PING, PONG])
def test_row_17_a_flood_of_control_frames_ends(role: Role, opcode: int) -> None:
    """Correct: a rate that is kept up ends with 1008; a burst does not."""
    connection = opened(role)
    connection.receive_data(from_peer(role, opcode, b"") * 5000, 0.0)
    assert connection.state is State.OPEN
    assert failed_with(connection, from_peer(role, opcode, b"")) is Violation.CONTROL_FLOOD


@pytest.mark.parametrize("role", ROLES)
def test_row_f6_one_read_of_pings_is_answered_with_few_pongs(role: Role) -> None:
    """Cause: 50,000 pings in one read queued 50,000 pongs. Correct: at most 16 wait, the newest."""
    connection = opened(role, Config(limits=LIMITLESS))
    data = b"".join(from_peer(role, PING, b"%d" % number) for number in range(50_000))
    connection.receive_data(data, 0.0)
    assert connection.buffered_amount <= 16 * (125 + 6)
    pongs = read_frames(drain(connection, 0.0).sent)
    assert pongs == [(0x80 | PONG, b"%d" % number) for number in range(50_000 - len(pongs), 50_000)]
    assert 1 <= len(pongs) <= 16
