"""The limits of an HTTP head, seen from a connection: the same in one read, in reads of 4 KiB and byte by
byte; and never more held than the limits allow."""

import tracemalloc

import pytest

from support.handshakes import read_message
from support.measure import KIB
from support.wire import REQUEST, RESPONSE, connecting
from wscore import Connection, Opened, RequestReceived, Role, State, Violation
from wscore.testing import drain

CUTS = {"whole": 10**9, "4 KiB": 4 * KIB, "single bytes": 1}
MOST_HELD = 256 * KIB


def lines(head: bytes, count: int) -> bytes:
    """Fill a head up to a number of header lines."""
    own = head.count(b"\r\n") - 2
    return head[:-2] + b"X: y\r\n" * (count - own) + b"\r\n"


def sized(head: bytes, size: int) -> bytes:
    """Fill a head up to a number of bytes, in lines of moderate length."""
    filler = b"X: " + b"y" * 1000 + b"\r\n"
    while len(head) + len(filler) <= size - 10:
        head = head[:-2] + filler + b"\r\n"
    return head[:-2] + b"X: " + b"z" * (size - len(head) - 5) + b"\r\n\r\n"


def with_line(head: bytes, size: int) -> bytes:
    """Add a header line of that many bytes, its end not counted."""
    return head[:-2] + b"X: " + b"y" * (size - 3) + b"\r\n\r\n"


def with_target(size: int) -> bytes:
    """Return a request whose first line has that many bytes."""
    rest = len(b"GET /chat HTTP/1.1")
    return REQUEST.replace(b"/chat", b"/chat" + b"c" * (size - rest))


def rows(head: bytes) -> dict[str, tuple[bytes, Violation | None]]:
    """Return each limit met and missed by one."""
    return {
        "100 lines": (lines(head, 100), None),
        "101 lines": (lines(head, 101), Violation.TOO_MANY_HEADERS),
        "5,000 lines": (lines(head, 5000), Violation.TOO_MANY_HEADERS),
        "32,768 bytes": (sized(head, 32_768), None),
        "32,769 bytes": (sized(head, 32_769), Violation.HEAD_TOO_LARGE),
        "250,000 bytes": (sized(head, 250_000), Violation.HEAD_TOO_LARGE),
        "a line of 8,192 bytes": (with_line(head, 8192), None),
        "a line of 8,193 bytes": (with_line(head, 8193), Violation.LINE_TOO_LONG),
        "a line of 100,000 bytes": (with_line(head, 100_000), Violation.LINE_TOO_LONG),
    }


REQUESTS = rows(REQUEST) | {
    "a first line of 8,192 bytes": (with_target(8192), None),
    "a first line of 8,193 bytes": (with_target(8193), Violation.TARGET_TOO_LONG),
}
RESPONSES = rows(RESPONSE)
CASES = [
    pytest.param(role, data, violation, id=f"{role.value}: {name}")
    for role, table in ((Role.SERVER, REQUESTS), (Role.CLIENT, RESPONSES))
    for name, (data, violation) in table.items()
]


def most_held(connection: Connection, data: bytes, size: int) -> int:
    """Feed data in pieces until the connection wants no more; return the most memory that it took."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for start in range(0, len(data), size):
            connection.receive_data(data[start : start + size], 0.0)
            if connection.closed is not None:
                break
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize(("role", "data", "violation"), CASES)
def test_a_head_is_held_to_its_limits_however_it_is_cut(
    role: Role, data: bytes, violation: Violation | None, size: int
) -> None:
    connection = connecting(role)
    held = most_held(connection, data, size)
    assert held <= MOST_HELD + (len(data) if size > len(data) else 0)
    output = drain(connection, 0.0)
    if violation is None:
        expected = RequestReceived if role is Role.SERVER else Opened
        assert [type(event) for event in output.events] == [expected]
        return
    assert connection.closed is not None and connection.closed.violation is violation
    assert connection.state is (State.DRAINING if role is Role.SERVER else State.CLOSED)
    if role is Role.SERVER:
        assert read_message(output.sent).status == violation.status
