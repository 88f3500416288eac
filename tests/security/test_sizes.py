"""Rows 4 to 12, findings 4 and 5: what a peer announces and sends costs no more than the limits allow.

Each test names the cause that has hit somebody and what is correct; the table is in docs/security.md.
"""

import dataclasses
from collections.abc import Callable

import pytest

from support.attacks import LIMITLESS, failed_with, linear
from support.measure import KIB, MIB, calls, memory, peak
from support.wire import (
    BINARY,
    CONTINUATION,
    KEY,
    TEXT,
    frame,
    from_peer,
    header,
    opened,
    read_frames,
    the_end,
)
from wscore import (
    Config,
    Limits,
    Role,
    State,
    Timeouts,
    Violation,
)
from wscore.testing import drain

ROLES = list(Role)


def masked_header(role: Role, first: int, length: int) -> bytes:
    """Write a header with all that belongs to it: the peer of a server adds its key."""
    masked = role is Role.SERVER
    return header(first, length, masked=masked) + (KEY if masked else b"")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("declared", [1 * MIB + 1, 2**40, 2**63 - 1])
def test_row_04_a_size_is_refused_at_the_header(role: Role, declared: int) -> None:
    """Cause: the size was looked at when the frame was complete. Correct: 1009 before a byte of payload."""
    connection = opened(role)
    connection.receive_data(masked_header(role, 0x82, declared), 0.0)
    [(first, payload)] = read_frames(drain(connection, 0.0).sent)
    assert (first, payload[:2]) == (0x88, (1009).to_bytes(2, "big"))


@pytest.mark.parametrize("role", ROLES)
def test_row_04_what_is_under_way_counts(role: Role) -> None:
    """The same across fragments: the header that would take the sum over the limit fails."""
    connection = opened(role, Config(limits=Limits(max_message_size=1000)))
    connection.receive_data(from_peer(role, BINARY, bytes(600), final=False), 0.0)
    assert connection.state is State.OPEN
    connection.receive_data(masked_header(role, 0x80, 401), 0.0)
    assert connection.state is not State.OPEN


@pytest.mark.parametrize("role", ROLES)
def test_row_05_fragments_leave_no_objects_behind(role: Role) -> None:
    """Cause: a list with an object for each fragment. Correct: one buffer, no more than the bytes cost."""
    connection = opened(role)
    data = (
        from_peer(role, BINARY, b"", final=False) + from_peer(role, CONTINUATION, b"x", final=False) * 8_000
    )
    held, most = memory(lambda: connection.receive_data(data, 0.0))
    assert connection.state is State.OPEN
    assert held <= 1.5 * 8_000 + 16 * KIB
    assert most <= len(data) + 64 * KIB


@pytest.mark.parametrize("role", ROLES)
def test_row_05_empty_fragments_are_counted(role: Role) -> None:
    """Cause: only bytes were counted, and empty fragments have none. Correct: 1008 soon."""
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"x", final=False), 0.0)
    for _ in range(64):
        assert connection.state is State.OPEN
        connection.receive_data(from_peer(role, CONTINUATION, b"", final=False), 0.0)
    connection.receive_data(from_peer(role, CONTINUATION, b"", final=False), 0.0)
    assert failed_with(connection, b"") is Violation.TOO_MANY_EMPTY_FRAGMENTS


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("filler", [b"x", b""])
def test_row_06_the_number_of_fragments_is_limited(role: Role, filler: bytes) -> None:
    """Cause: each frame was small enough, nobody counted them. Correct: 1008 at max(1024, limit / 64)."""
    limits = Limits(max_message_size=64 * KIB, max_empty_fragments=None)
    assert limits.fragments == 1024
    data = (
        from_peer(role, BINARY, b"x", final=False) + from_peer(role, CONTINUATION, filler, final=False) * 1023
    )
    connection = opened(role, Config(limits=limits))
    connection.receive_data(data, 0.0)
    assert connection.state is State.OPEN
    assert failed_with(connection, from_peer(role, CONTINUATION, filler)) is Violation.TOO_MANY_FRAGMENTS
    assert Limits().fragments == 16_384


def test_row_07_a_fragment_costs_the_same_however_many_came_before() -> None:
    """Cause: the whole buffer was measured again for each fragment. Correct: a running total."""

    def work(count: int) -> Callable[[], object]:
        connection = opened(Role.CLIENT, Config(limits=LIMITLESS))
        data = from_peer(Role.CLIENT, TEXT, b"x", final=False)
        data += from_peer(Role.CLIENT, CONTINUATION, b"x", final=False) * count
        return lambda: connection.receive_data(data, 0.0)

    linear(work, 2000)


def test_row_08_a_frame_bigger_than_every_buffer_still_arrives() -> None:
    """Cause: reading paused in the middle of a frame, which then could never complete. Correct: limits
    fail, only messages that were delivered pause reading."""
    limits = Limits(max_message_size=None, inbox_high=1000, inbox_low=10)
    connection = opened(Role.SERVER, Config(limits=limits))
    payload = bytes(range(256)) * 400
    for octet in from_peer(Role.SERVER, BINARY, payload):
        assert connection.wants_read
        connection.receive_data(bytes([octet]), 0.0)
    assert connection.next_event() == payload
    assert connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_row_09_nothing_is_allocated_from_a_declared_length(role: Role) -> None:
    """Cause: a buffer of the declared length was made at once. Correct: what arrived is what is held."""
    connection = opened(role, Config(limits=LIMITLESS))
    data = masked_header(role, 0x82, 2**62) + b"some payload"
    assert peak(lambda: connection.receive_data(data, 0.0)) < 64 * KIB
    assert connection.state is State.OPEN


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("limit", [None, 2**62, 1000])
@pytest.mark.parametrize("length", [2**63, 2**63 + 5, 2**64 - 1])
def test_row_10_a_length_with_its_sign_bit_set_is_refused(role: Role, limit: int | None, length: int) -> None:
    """Cause: 64 bits were read as a signed number, or waited for. Correct: 1002, also without a limit."""
    connection = opened(role, Config(limits=Limits(max_message_size=limit)))
    violation = failed_with(connection, header(0x82, length, masked=role is Role.SERVER))
    assert violation is Violation.LENGTH_SIGN_BIT


@pytest.mark.parametrize("role", ROLES)
def test_row_10_a_sum_of_lengths_does_not_overflow(role: Role) -> None:
    """Cause: partial length plus declared length wrapped round. Correct: too big is too big."""
    connection = opened(role, Config(limits=Limits(max_message_size=2**63 - 1)))
    connection.receive_data(from_peer(role, BINARY, b"partial", final=False), 0.0)
    data = masked_header(role, 0x80, 2**63 - 1)
    assert failed_with(connection, data) is Violation.MESSAGE_TOO_BIG


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("first", "length", "violation"),
    [
        *((0x80 | opcode, 125, Violation.RESERVED_OPCODE) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        *((0x82 | bit, 127, Violation.RESERVED_BITS) for bit in (0x40, 0x20, 0x10)),
        *((0x88 | bit, 100, Violation.RESERVED_BITS) for bit in (0x40, 0x20, 0x10)),
        *((0x80 | opcode, length, Violation.LONG_CONTROL) for opcode in (8, 9, 10) for length in (126, 127)),
        *((opcode, 0, Violation.FRAGMENTED_CONTROL) for opcode in (8, 9, 10)),
    ],
)
def test_row_11_what_is_refused_is_refused_by_two_bytes(
    role: Role, first: int, length: int, violation: Violation
) -> None:
    """Cause: the payload of a frame was gathered before its kind was looked at. Correct: byte two decides."""
    connection = opened(role)
    data = bytes([first, length | (0x80 if role is Role.SERVER else 0)])
    connection.receive_data(data, 0.0)
    assert connection.state is not State.OPEN
    connection.receive_eof(0.0)
    assert the_end(drain(connection, 0.0).events).violation is violation


def test_row_12_limits_are_on_unless_they_are_turned_off() -> None:
    """Cause: no limit by default. Correct: the numbers of the table in docs/security.md."""
    assert dataclasses.asdict(Limits()) == {
        "max_message_size": MIB,
        "max_text_size": None,
        "max_binary_size": None,
        "max_frame_size": None,
        "max_fragments": None,
        "max_empty_fragments": 64,
        "max_control_rate": 1000,
        "max_line": 8 * KIB,
        "max_head": 32 * KIB,
        "max_headers": 100,
        "max_subprotocols": 32,
        "max_extensions": 16,
        "max_offer": KIB,
        "max_informational": 8,
        "refusal_body": 64 * KIB,
        "early_data": 64 * KIB,
        "inbox_high": 64 * KIB,
        "inbox_low": 16 * KIB,
        "outbox_high": 64 * KIB,
        "outbox_low": 16 * KIB,
        "outbox_limit": MIB,
    }
    timeouts = Timeouts()
    assert (timeouts.open, timeouts.close, timeouts.keepalive, timeouts.pong) == (10.0, 10.0, 20.0, 20.0)
    assert timeouts.write_stall == 30.0
    assert Config().compression is None


@pytest.mark.parametrize("role", ROLES)
def test_row_12_the_default_limit_is_the_one_that_holds(role: Role) -> None:
    """The numbers mean what they say: one mebibyte passes, one byte more does not."""
    connection = opened(role)
    connection.receive_data(from_peer(role, BINARY, bytes(MIB)), 0.0)
    assert drain(connection, 0.0).events == [bytes(MIB)]
    data = masked_header(role, 0x82, MIB + 1)
    assert failed_with(connection, data) is Violation.MESSAGE_TOO_BIG


@pytest.mark.parametrize("role", ROLES)
def test_row_f4_empty_and_tiny_messages_do_not_fill_the_inbox(role: Role) -> None:
    """Cause: an event without payload weighed nothing. Correct: each is charged 64 bytes; reading stops."""
    connection = opened(role)
    data = from_peer(role, TEXT, b"") * 10_000
    held, _ = memory(lambda: connection.receive_data(data, 0.0))
    assert not connection.wants_read
    assert connection.events_waiting <= 1024
    assert held <= len(data) + 128 * KIB
    events = []
    while (event := connection.next_event()) is not None:
        events.append(event)
    assert events == [""] * 10_000
    assert connection.wants_read


def test_row_f5_one_read_is_a_bounded_piece_of_work() -> None:
    """Cause: one read of 256 KiB held 43,690 frames, and all became events at once. Correct: parsing stops
    at the inbox's high mark, and goes on in small steps as events are taken."""
    connection = opened(Role.SERVER)
    data = frame(TEXT, b"", masked=True) * 43_690
    first = calls(lambda: connection.receive_data(data, 0.0))
    assert first <= 64 * 1024, "about 1,024 frames' worth"
    steps = [calls(connection.next_event) for _ in range(3000)]
    assert max(steps) <= 64 * 1024
