"""What a peer's mistake leads to, whatever the state and whatever waits."""

from collections.abc import Callable

import pytest

from support.framing_oracle import broken_rules
from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    feed,
    frame,
    from_peer,
    header,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Closed,
    CloseStatus,
    Config,
    Event,
    Limits,
    Role,
    Side,
    State,
    TransportAction,
    Violation,
)
from wscore.testing import drain

ROLES = list(Role)
SMALL = Limits(max_message_size=300, max_fragments=4, max_empty_fragments=2, max_control_rate=2)


def fragments(role: Role, *parts: tuple[int, bytes, bool]) -> bytes:
    """Write frames of the peer, each with its FIN."""
    return b"".join(from_peer(role, opcode, payload, final=final) for opcode, payload, final in parts)


MISTAKES: list[tuple[Violation, int, Callable[[Role], bytes]]] = [
    (Violation.RESERVED_BITS, 1002, lambda role: b"\xc1"),
    (Violation.RESERVED_OPCODE, 1002, lambda role: b"\x83"),
    (Violation.FRAGMENTED_CONTROL, 1002, lambda role: b"\x09"),
    (Violation.LONG_CONTROL, 1002, lambda role: header(0x89, 126, masked=role is Role.SERVER)[:2]),
    (Violation.LONG_LENGTH_FORM, 1002, lambda role: header(0x82, 125, masked=role is Role.SERVER, form=2)),
    (Violation.LENGTH_SIGN_BIT, 1002, lambda role: header(0x82, 2**63, masked=role is Role.SERVER)),
    (Violation.UNEXPECTED_CONTINUATION, 1002, lambda role: b"\x80"),
    (Violation.MESSAGE_INTERRUPTED, 1002, lambda role: fragments(role, (TEXT, b"", False)) + b"\x81"),
    (Violation.MESSAGE_TOO_BIG, 1009, lambda role: header(0x82, 301, masked=role is Role.SERVER) + KEY),
    (
        Violation.MESSAGE_TOO_BIG,
        1009,
        lambda role: (
            fragments(role, (BINARY, bytes(200), False)) + header(0x80, 101, masked=role is Role.SERVER) + KEY
        ),
    ),
    (
        Violation.TOO_MANY_FRAGMENTS,
        1008,
        lambda role: fragments(role, (TEXT, b"x", False), *[(CONTINUATION, b"x", False)] * 4),
    ),
    (
        Violation.TOO_MANY_EMPTY_FRAGMENTS,
        1008,
        lambda role: fragments(role, (TEXT, b"", False), *[(CONTINUATION, b"", False)] * 2),
    ),
    (Violation.CONTROL_FLOOD, 1008, lambda role: fragments(role, *[(PONG, b"", True)] * 11)),
    (Violation.INVALID_UTF8, 1007, lambda role: fragments(role, (TEXT, b"\xff", True))),
    (Violation.INVALID_UTF8, 1007, lambda role: fragments(role, (TEXT, b"\xed\xa0", False))),
    (
        Violation.INVALID_UTF8,
        1007,
        lambda role: fragments(role, (TEXT, b"\xc3", False), (CONTINUATION, b"", True)),
    ),
    (Violation.CLOSE_PAYLOAD, 1002, lambda role: fragments(role, (CLOSE, b"\x03", True))),
    (Violation.CLOSE_CODE, 1002, lambda role: fragments(role, (CLOSE, status(1005), True))),
    (Violation.CLOSE_REASON_UTF8, 1007, lambda role: fragments(role, (CLOSE, status(1000, b"\xff"), True))),
]
MASKING = {Role.SERVER: Violation.UNMASKED_FRAME, Role.CLIENT: Violation.MASKED_FRAME}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("violation", "code", "make"), MISTAKES, ids=[row[0].name for row in MISTAKES])
def test_a_broken_rule_is_answered_with_its_code_and_ends_the_connection(
    role: Role, violation: Violation, code: int, make: Callable[[Role], bytes]
) -> None:
    connection = opened(role, Config(limits=SMALL))
    connection.receive_data(from_peer(role, TEXT, b"before") + make(role), 0.0)
    output = drain(connection, 0.0)
    reason = violation.sentence
    assert read_frames(output.sent) == [(0x88, status(code, reason.encode()))]
    assert output.events[0] == "before"
    assert the_end(output.events) == Closed(
        1006, "", False, sent=CloseStatus(code, reason), initiator=Side.LOCAL, violation=violation
    )
    assert connection.state is State.DRAINING
    assert feed(connection, (TEXT, b"after"), (PING, b""), (CLOSE, b"")).events == []
    assert drain(connection, 0.0).sent == b""


@pytest.mark.parametrize("role", ROLES)
def test_the_mask_bit_of_the_wrong_side_is_refused_at_the_second_byte(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(frame(TEXT, b"x", masked=role is Role.CLIENT)[:2], 0.0)
    assert the_end(drain(connection, 0.0).events).violation is MASKING[role]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("closing", [False, True], ids=["open", "local closing"])
def test_illegal_first_bytes_end_a_connection_in_every_state_that_reads_frames(
    role: Role, closing: bool
) -> None:
    differences = []
    for first in range(256):
        for second in (0x00, 0x7E, 0x80, 0xFF):
            connection = opened(role)
            if closing:
                connection.close(now=0.0)
            connection.receive_data(bytes((first, second)), 0.0)
            violation = connection.closed and connection.closed.violation
            broken = broken_rules(first, second, role, in_fragment=False)
            if (violation in broken) is not bool(broken):
                differences.append((first, second, violation, broken))
    assert not differences


@pytest.mark.parametrize("role", ROLES)
def test_after_our_close_a_broken_rule_sends_nothing_more(role: Role) -> None:
    connection = opened(role)
    connection.close(4000, now=0.0)
    drain(connection, 0.0)
    connection.receive_data(b"\xff", 0.0)
    output = drain(connection, 0.0)
    assert output.sent == b""
    assert the_end(output.events) == Closed(
        1006, "", False, sent=CloseStatus(4000, ""), initiator=Side.LOCAL, violation=Violation.RESERVED_BITS
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("half_close", "until"), [(True, 10.0), (False, 2.0)])
def test_a_broken_rule_after_our_close_lingers_briefly_where_fin_cannot_be_sent(
    role: Role, half_close: bool, until: float
) -> None:
    # With half a close the peer sees our end at once, and the timeout of the close handshake goes on.
    connection = opened(role, half_close=half_close)
    connection.close(now=0.0)
    drain(connection, 0.0)
    assert connection.next_deadline() == 10.0
    connection.receive_data(b"\xff", 1.0)
    assert the_end(drain(connection, 1.0).events).violation is Violation.RESERVED_BITS
    assert connection.next_deadline() == until
    connection.handle_deadline(until)
    assert (connection.state, connection.transport_action()) == (State.CLOSED, TransportAction.CLOSE)


# In its place: how the stream was cut must not decide which replies leave.


@pytest.mark.parametrize("role", ROLES)
def test_replies_to_messages_before_a_broken_rule_leave_before_its_close(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, TEXT, b"b") + b"\xff\xff", 0.0)
    assert connection.data_to_send(0.0) == []
    events: list[Event] = []
    while (event := connection.next_event()) is not None:
        events.append(event)
        if isinstance(event, str):
            connection.send_text(event)
    assert events[:2] == ["a", "b"]
    assert the_end(events).violation is Violation.RESERVED_BITS
    frames = read_frames(drain(connection, 0.0).sent)
    assert frames[:2] == [(0x81, b"a"), (0x81, b"b")]
    assert [(first, payload[:2]) for first, payload in frames[2:]] == [(0x88, status(1002))]


@pytest.mark.parametrize("role", ROLES)
def test_a_broken_rule_behind_messages_is_answered_after_a_second_at_the_latest(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + b"\xff", 5.0)
    assert connection.next_deadline() == 6.0
    connection.handle_deadline(6.0)
    [(first, payload)] = read_frames(b"".join(connection.data_to_send(6.0)))
    assert (first, payload[:2]) == (0x88, status(1002))
    output = drain(connection, 6.0)
    assert output.events[0] == "a"
    assert the_end(output.events).violation is Violation.RESERVED_BITS


@pytest.mark.parametrize("role", ROLES)
def test_the_application_may_close_before_the_broken_rule_does(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + b"\xff", 0.0)
    connection.close(4000, now=0.0)
    output = drain(connection, 0.0)
    assert read_frames(output.sent) == [(0x88, status(4000))]
    closed = the_end(output.events)
    assert (closed.code, closed.clean, closed.violation) == (1006, False, Violation.RESERVED_BITS)
    assert closed.sent == CloseStatus(4000, "")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("reports", [1, 2])
def test_the_end_of_the_stream_behind_a_broken_rule_leaves_it_the_cause(role: Role, reports: int) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + b"\xff", 0.0)
    for _ in range(reports):
        connection.receive_eof(0.0)
    output = drain(connection, 0.0)
    assert output.events[0] == "a"
    assert the_end(output.events).violation is Violation.RESERVED_BITS
    assert len(read_frames(output.sent)) == (1 if reports == 1 else 0)  # it may still listen, or it is gone
    assert (connection.state, output.action) == (State.CLOSED, TransportAction.CLOSE)


@pytest.mark.parametrize("role", ROLES)
def test_nothing_behind_a_broken_rule_is_looked_at(role: Role) -> None:
    connection = opened(role)
    good = from_peer(role, TEXT, b"x") + from_peer(role, PING, b"p") + from_peer(role, CLOSE, status(1000))
    connection.receive_data(from_peer(role, TEXT, b"a") + b"\xff" + good, 0.0)
    connection.receive_data(good, 0.0)
    output = drain(connection, 0.0)
    assert [type(event) for event in output.events] == [str, Closed]
    assert [first for first, _ in read_frames(output.sent)] == [0x88]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("last", [b"\xff", None], ids=["broken rule", "Close"])
def test_every_event_that_can_be_taken_is_counted(role: Role, last: bytes | None) -> None:
    connection = opened(role)
    data = from_peer(role, TEXT, b"a") + (last or from_peer(role, CLOSE, b""))
    connection.receive_data(data, 0.0)
    events: list[Event | None] = []
    while connection.events_waiting:
        events.append(connection.next_event())
    assert isinstance(events[-1], Closed)
    assert connection.next_event() is None
