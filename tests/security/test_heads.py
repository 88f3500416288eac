"""Rows 13 and 14, finding 3: the price of an HTTP head is bounded, however it is written and cut."""

from collections.abc import Callable, Iterator
from time import thread_time

import h11
import pytest

from support.attacks import failed_with, linear
from support.measure import KIB, memory
from support.wire import (
    REQUEST,
    connecting,
)
from wscore import (
    Closed,
    Config,
    Limits,
    RequestReceived,
    Role,
    Violation,
)


class _Looking:
    """What the reader of heads needs of a bytearray; counts the bytes that are searched or copied."""

    looked_at = 0

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def __iadd__(self, data: bytes) -> "_Looking":
        self._data += data
        return self

    def find(self, wanted: bytes, start: int) -> int:
        place = self._data.find(wanted, start)
        _Looking.looked_at += (place if place >= 0 else len(self._data)) - start
        return place

    def __getitem__(self, key: slice) -> bytearray:
        _Looking.looked_at += len(self._data[key])
        return self._data[key]


def test_row_13_a_head_that_trickles_in_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cause: the whole head was parsed again with each read. Correct: each byte is looked at a few times,
    and the parser gets the head once."""
    given: list[int] = []
    receive = h11.Connection.receive_data

    def spy(self: h11.Connection, data: bytes) -> None:
        given.append(len(data))
        receive(self, data)

    monkeypatch.setattr(h11.Connection, "receive_data", spy)
    monkeypatch.setattr("wscore._head.bytearray", _Looking, raising=False)
    line = b"X-Filler: " + b"y" * 190 + b"\r\n"
    head = REQUEST[:-2] + line * 90 + b"\r\n"
    assert 16 * KIB < len(head) < 32 * KIB
    _Looking.looked_at = 0
    connection = connecting(Role.SERVER)
    for octet in head:
        connection.receive_data(bytes([octet]), 0.0)
    assert isinstance(connection.next_event(), RequestReceived)
    assert given == [len(head)]
    assert _Looking.looked_at <= 6 * len(head)


def test_row_13_the_work_for_a_trickling_head_is_linear() -> None:
    """The same, counted in calls."""

    def work(size: int) -> Callable[[], object]:
        connection = connecting(Role.SERVER, Config(limits=Limits(max_line=10**6, max_head=10**6)))
        head = REQUEST[:-2] + b"X: " + b"y" * size + b"\r\n\r\n"

        def dribble() -> None:
            for octet in head:
                connection.receive_data(bytes([octet]), 0.0)

        return dribble

    linear(work, 3000)


_LINE = 8000


HOSTILE_HEADS = {
    "an absolute target with a fragment": REQUEST.replace(b"/chat", b"http://" + b"a" * _LINE + b"#"),
    "an absolute target with slashes": REQUEST.replace(b"/chat", b"http://" + b"/" * _LINE + b"#"),
    "a long host": REQUEST.replace(b"server.example.com", b"a" * _LINE + b"\\"),
    "a long host with a port": REQUEST.replace(b"server.example.com", b"a:" + b"0" * _LINE + b"x"),
    "an origin of colons": REQUEST[:-2] + b"Origin: http://" + b"a:" * (_LINE // 2) + b"\r\n\r\n",
    "blanks in a list": REQUEST[:-2] + b"Sec-WebSocket-Protocol: a" + b" " * _LINE + b"b\r\n\r\n",
    "commas in a list": REQUEST[:-2] + b"Sec-WebSocket-Extensions: a" + b"," * _LINE + b"\x7f\r\n\r\n",
    "quotes": REQUEST[:-2] + b'Sec-WebSocket-Extensions: a; b="' + b'\\"' * (_LINE // 2) + b"\r\n\r\n",
    "an open quote": REQUEST[:-2] + b'Sec-WebSocket-Extensions: a; b="' + b"c" * _LINE + b"\r\n\r\n",
    "many open quotes": REQUEST[:-2] + b"Sec-WebSocket-Extensions: " + b'a; b="' * (_LINE // 6) + b"\r\n\r\n",
    "parameters": REQUEST[:-2] + b"Sec-WebSocket-Extensions: a" + b"; b=1" * (_LINE // 5) + b"\r\n\r\n",
    "tokens of Connection": REQUEST.replace(b"n: Upgrade", b"n: " + b"a," * (_LINE // 2) + b"Upgrade"),
    "a long key": REQUEST.replace(b"dGhl", b"A" * _LINE),
}


def _fastest(data: bytes) -> float:
    """Return the processor time for a request: the best of three, so that others do not count."""
    times = []
    for _ in range(3):
        connection = connecting(Role.SERVER)
        begun = thread_time()
        connection.receive_data(data, 0.0)
        times.append(thread_time() - begun)
    return min(times)


@pytest.mark.parametrize("data", HOSTILE_HEADS.values(), ids=HOSTILE_HEADS)
def test_row_14_no_header_makes_a_pattern_search_for_ever(data: bytes) -> None:
    """Cause: a pattern that tries every way to divide a long value. Correct: none that goes back.

    The work of the pattern engine cannot be counted, so time is compared, but only with that of a harmless
    head of the same size, and with a wide margin: going back over 8,000 bytes costs a thousand times more.
    """
    harmless = REQUEST[:-2] + b"X: " + b"y" * _LINE + b"\r\n\r\n"
    assert _fastest(data) <= 30 * _fastest(harmless) + 0.005


@pytest.mark.parametrize(
    "name", [b"__proto__", b"constructor", b"__class__", b"hasOwnProperty", b"toString", b"__init__"]
)
def test_row_14_no_name_in_a_header_is_special(name: bytes) -> None:
    """Cause: names of a peer were looked up in an object that has names of its own. Correct: just names."""
    extra = b"Sec-WebSocket-Extensions: %b; %b=%b, %b\r\n%b: x\r\n" % (name, name, name, name, name)
    connection = connecting(Role.SERVER)
    connection.receive_data(REQUEST[:-2] + extra + b"\r\n", 0.0)
    event = connection.next_event()
    assert isinstance(event, RequestReceived)
    assert event.request.headers.get(name.decode()) == "x"
    connection.accept(now=0.0)
    assert connection.extensions == ""


@pytest.mark.parametrize("line", [b"X: y\r\n", b"X:\r\n", b"Cookie: a=b\r\n"])
def test_row_14_header_lines_are_counted(line: bytes) -> None:
    """Cause: 16 KiB have room for 4,000 headers. Correct: 431 at the 101st, 100 pass."""
    own = REQUEST.count(b"\r\n") - 2
    connection = connecting(Role.SERVER)
    connection.receive_data(REQUEST[:-2] + line * (100 - own) + b"\r\n", 0.0)
    assert isinstance(connection.next_event(), RequestReceived)
    assert (
        failed_with(connecting(Role.SERVER), REQUEST[:-2] + line * (101 - own)) is Violation.TOO_MANY_HEADERS
    )


@pytest.mark.parametrize("line", [b"X: y\r\n", b"Sec-WebSocket-Protocol: %d\r\n", b"X-%d: y\r\n"])
def test_row_14_the_work_for_header_lines_is_linear(line: bytes) -> None:
    """Cause: values of equal names were joined again with each line. Correct: a list, joined once."""
    big = 10**6
    limits = Limits(max_head=big, max_headers=big, max_line=big, max_subprotocols=big)

    def work(count: int) -> Callable[[], object]:
        lines = b"".join(line.replace(b"%d", b"%d" % number) for number in range(count))
        connection = connecting(Role.SERVER, Config(limits=limits))
        data = REQUEST.replace(b"Sec-WebSocket-Protocol: chat, superchat\r\n", b"")[:-2] + lines + b"\r\n"
        return lambda: connection.receive_data(data, 0.0)

    linear(work, 400)


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [10**9, 4096, 1])
@pytest.mark.parametrize(
    ("head", "violation"),
    [
        (REQUEST[:-2] + b"X:y\r\n" * 50_001 + b"\r\n", Violation.TOO_MANY_HEADERS),
        (REQUEST[:-2] + (b"X: " + b"y" * 8000 + b"\r\n") * 5 + b"\r\n", Violation.HEAD_TOO_LARGE),
        (REQUEST[:-2] + b"X: " + b"y" * 9000 + b"\r\n\r\n", Violation.LINE_TOO_LONG),
        (REQUEST.replace(b"/chat", b"/" + b"c" * 9000), Violation.TARGET_TOO_LONG),
    ],
)
def test_row_f3_limits_of_a_head_do_not_depend_on_its_cutting(
    size: int, head: bytes, violation: Violation
) -> None:
    """Cause: a size limit that was checked only when a head was incomplete. Correct: the same outcome
    whole, in reads of 4 KiB, and byte by byte; and no more than the limit is held."""
    connection = connecting(Role.SERVER)
    pieces = list(_chunks(head[:60_000] if size == 1 else head, size))

    def run() -> None:
        for piece in pieces:
            connection.receive_data(piece, 0.0)

    held, most = memory(run)
    assert isinstance(connection.closed, Closed) and connection.closed.violation is violation
    assert held <= 16 * KIB
    assert most <= 256 * KIB + (len(head) if size > len(head) else 0)
