"""Twice the bytes cost twice the work, whatever a peer makes of them.

Work is counted, not timed: every call of a function, ours or built in, while the stream is read and its
events are taken. So the numbers are the same on every machine and under every load.
"""

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from support.build import COMPILED
from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    REQUEST,
    TEXT,
    connecting,
    from_peer,
    opened,
)
from wscore import Config, Connection, Limits, RequestReceived, Role
from wscore.testing import drain

pytestmark = pytest.mark.exhaustive

BIG = 10**9
SOMETHING = 100  # the least number of calls that shows that the stream was read
# With the usual limits most of these end early; without them each must still be linear.
LIMITLESS = Limits(
    max_message_size=None,
    max_fragments=None,
    max_empty_fragments=None,
    max_control_rate=None,
    max_line=BIG,
    max_head=BIG,
    max_headers=BIG,
    max_subprotocols=BIG,
    max_extensions=BIG,
    max_offer=BIG,
    early_data=BIG,
    refusal_body=BIG,
    max_informational=BIG,
)
CONFIG = Config(limits=LIMITLESS, control_events=True)
CHUNKED = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
SERVER, CLIENT = Role.SERVER, Role.CLIENT

Shape = Callable[[int], tuple[Connection, Iterator[bytes]]]


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    """Cut data into pieces of one size."""
    return (data[start : start + size] for start in range(0, len(data), size))


def whole(data: bytes) -> Iterator[bytes]:
    """Let data come as a backend reads it."""
    return chunks(data, 65536)


def request(count: int, line: bytes) -> bytes:
    """Return a request with that many more header lines."""
    return REQUEST[:-2] + line * count + b"\r\n"


def offers(count: int, name: bytes, value: bytes) -> bytes:
    """Return a request with one header that lists count elements."""
    elements = b", ".join(value % number for number in range(count))
    return REQUEST.replace(b"Sec-WebSocket-Protocol: chat, superchat\r\n", b"")[:-2] + (
        name + b": " + elements + b"\r\n\r\n"
    )


def tiny_fragments(count: int, payload: bytes) -> bytes:
    """Return one message in that many fragments."""
    middle = from_peer(SERVER, CONTINUATION, payload, final=False) * count
    return from_peer(SERVER, BINARY, b"", final=False) + middle + from_peer(SERVER, CONTINUATION, b"")


def a_server() -> Connection:
    """Return a server whose handshake is done."""
    return opened(SERVER, CONFIG)


def a_fresh_server() -> Connection:
    """Return a server that waits for a request."""
    return connecting(SERVER, CONFIG)


SHAPES: dict[str, tuple[int, Shape]] = {
    "a message byte by byte": (
        2000,
        lambda n: (a_server(), chunks(from_peer(SERVER, BINARY, bytes(n)), 1)),
    ),
    "a text of snowmen byte by byte": (
        600,
        lambda n: (a_server(), chunks(from_peer(SERVER, TEXT, "\u2603".encode() * n), 1)),
    ),
    "fragments of one byte": (2000, lambda n: (a_server(), whole(tiny_fragments(n, b"x")))),
    "fragments of one byte, byte by byte": (300, lambda n: (a_server(), chunks(tiny_fragments(n, b"x"), 1))),
    "empty fragments": (2000, lambda n: (a_server(), whole(tiny_fragments(n, b"")))),
    "empty messages": (2000, lambda n: (a_server(), whole(from_peer(SERVER, TEXT, b"") * n))),
    "pings": (2000, lambda n: (a_server(), whole(from_peer(SERVER, PING, b"") * n))),
    "pings byte by byte": (
        300,
        lambda n: (a_server(), chunks(from_peer(SERVER, PING, b"x" * 125) * (n // 60), 1)),
    ),
    "pongs": (2000, lambda n: (a_server(), whole(from_peer(SERVER, PONG, b"x") * n))),
    "pings behind waiting messages": (
        400,
        lambda n: (
            a_server(),
            iter([from_peer(SERVER, TEXT, b"") * n + from_peer(SERVER, PING, b"") * n]),
        ),
    ),
    "frames behind a Close": (
        2000,
        lambda n: (a_server(), whole(from_peer(SERVER, CLOSE, b"") + from_peer(SERVER, TEXT, b"") * n)),
    ),
    "header lines": (300, lambda n: (a_fresh_server(), whole(request(n, b"X: y\r\n")))),
    "header lines byte by byte": (100, lambda n: (a_fresh_server(), chunks(request(n, b"X: y\r\n"), 1))),
    "one header line of its own for each": (
        300,
        lambda n: (
            a_fresh_server(),
            whole(REQUEST[:-2] + b"".join(b"X%d: y\r\n" % i for i in range(n)) + b"\r\n"),
        ),
    ),
    "a long header line byte by byte": (
        2000,
        lambda n: (a_fresh_server(), chunks(request(1, b"X: " + b"y" * n + b"\r\n"), 1)),
    ),
    "a long target byte by byte": (
        2000,
        lambda n: (a_fresh_server(), chunks(REQUEST.replace(b"/chat", b"/" + b"c" * n), 1)),
    ),
    "a head that never ends": (2000, lambda n: (a_fresh_server(), chunks(b"GET /" + b"c" * n, 1))),
    "subprotocols": (300, lambda n: (a_fresh_server(), whole(offers(n, b"Sec-WebSocket-Protocol", b"p%d")))),
    "extensions": (
        300,
        lambda n: (a_fresh_server(), whole(offers(n, b"Sec-WebSocket-Extensions", b"e%d; a=1; b"))),
    ),
    "early data in small pieces": (
        1000,
        lambda n: (a_fresh_server(), chunks(REQUEST + from_peer(SERVER, TEXT, b"") * (n // 6), 1)),
    ),
    "informational responses": (
        200,
        lambda n: (connecting(CLIENT, CONFIG), whole(b"HTTP/1.1 103 Early Hints\r\n\r\n" * n)),
    ),
    "a refusal's body byte by byte": (
        1000,
        lambda n: (
            connecting(CLIENT, CONFIG),
            chunks(b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % n + bytes(n), 1),
        ),
    ),
    "a refusal's body in chunks of one byte": (
        300,
        lambda n: (
            connecting(CLIENT, CONFIG),
            whole(
                b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * n + b"0\r\n\r\n"
            ),
        ),
    ),
}


def work(connection: Connection, stream: Iterator[bytes]) -> int:
    """Count the calls that it takes to read the stream, to take the events and to give out the bytes."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    data = list(stream)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for chunk in data:
            connection.receive_data(chunk, 0.0)
            for event in drain(connection, 0.0).events:
                if isinstance(event, RequestReceived):
                    connection.accept(now=0.0)
                    drain(connection, 0.0)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize(("size", "shape"), SHAPES.values(), ids=SHAPES)
def test_twice_the_bytes_cost_twice_the_work(size: int, shape: Shape) -> None:
    once, twice = work(*shape(size)), work(*shape(2 * size))
    if COMPILED and once <= SOMETHING:
        pytest.skip("pure Python only: all of this work is done in native code, where no calls are seen")
    assert once > SOMETHING
    assert twice / once <= 2.3, (once, twice)
