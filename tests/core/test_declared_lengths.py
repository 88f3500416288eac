"""Every length that tells two readers apart, in every form, with and without a limit: the right end at the
header, and nothing allocated for what was only announced."""

import tracemalloc
from collections.abc import Iterator

import pytest

from support.measure import KIB
from support.wire import BINARY, CONTINUATION, KEY, PING, from_peer, header, opened
from wscore import Config, Connection, Limits, Role, State, Violation
from wscore.testing import drain

ROLES = list(Role)
HUGE = [2**power + step for power in (31, 32, 53) for step in (-1, 0, 1)] + [2**63 - 1, 2**63, 2**64 - 1]
LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, *HUGE]
FORMS = {0: 126, 2: 2**16, 8: 2**64}  # bytes of the field -> the first length that does not fit
ROWS = [(length, form) for length in LENGTHS for form, beyond in FORMS.items() if length < beyond]
SHORTEST = {length: 0 if length < 126 else 2 if length < 65_536 else 8 for length in LENGTHS}
UNLIMITED = Limits(max_message_size=None)


@pytest.fixture(autouse=True)
def traced_memory() -> Iterator[None]:
    """Let Python count what it allocates."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def verdict(length: int, form: int, limit: int | None) -> Violation | None:
    """Say which rule a header breaks (RFC 6455 section 5.2)."""
    if form != SHORTEST[length]:
        return Violation.LONG_LENGTH_FORM
    if length >= 2**63:
        return Violation.LENGTH_SIGN_BIT
    return Violation.MESSAGE_TOO_BIG if limit is not None and length > limit else None


def announced(role: Role, first: int, length: int, form: int) -> bytes:
    """Write a header as the peer of role does, its key included."""
    masked = role is Role.SERVER
    return header(first, length, masked=masked, form=form) + (KEY if masked else b"")


def broken_by(connection: Connection, data: bytes) -> tuple[Violation | None, int]:
    """Feed data byte by byte; return the rule that was broken and the most memory that it took."""

    def run() -> None:
        for octet in data:
            connection.receive_data(bytes([octet]), 0.0)

    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    run()
    most = tracemalloc.get_traced_memory()[1] - before
    is_open = connection.state is State.OPEN
    drain(connection, 0.0)
    connection.receive_eof(0.0)
    assert connection.closed is not None
    assert is_open is (connection.closed.violation is None)
    return connection.closed.violation, most


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("limit", [None, 0, 125, 65_535, 1024 * KIB, 2**53, 2**63 - 1])
def test_a_length_is_judged_at_the_header_and_nothing_is_allocated(role: Role, limit: int | None) -> None:
    for length, form in ROWS:
        connection = opened(role, Config(limits=Limits(max_message_size=limit)))
        violation, most = broken_by(connection, announced(role, 0x82, length, form))
        assert violation is verdict(length, form, limit), (length, form)
        if violation is not None:
            assert violation.close_code == (1009 if violation is Violation.MESSAGE_TOO_BIG else 1002)
        assert most <= 64 * KIB, (length, form)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_second_fragment_counts_from_what_the_first_one_had(role: Role, length: int) -> None:
    for limit in (None, 2**53, 2**63 - 1):
        connection = opened(role, Config(limits=Limits(max_message_size=limit)))
        connection.receive_data(from_peer(role, BINARY, b"first", final=False), 0.0)
        violation, most = broken_by(
            connection, announced(role, 0x80 | CONTINUATION, length, SHORTEST[length])
        )
        expected = verdict(length, SHORTEST[length], None if limit is None else limit - 5)
        assert violation is expected, limit
        assert most <= 64 * KIB


@pytest.mark.parametrize("role", ROLES)
def test_a_control_frame_is_never_long_whatever_it_announces(role: Role) -> None:
    for length, form in ROWS:
        if form:
            connection = opened(role, Config(limits=UNLIMITED))
            violation, most = broken_by(connection, announced(role, 0x80 | PING, length, form))
            assert violation is Violation.LONG_CONTROL
            assert most <= 64 * KIB
