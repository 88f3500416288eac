"""Twice as much compressed input costs twice the work: in calls, and in bytes that zlib is given.

The second is what calls cannot show: input that is copied again for each step, or for each stream in it.
Within one block of 4,096 bytes that happens, so messages here are longer than one, or there are many.
"""

import random
from collections.abc import Callable

import pytest

from support.deflated import WatchedZlib, deflate, deflating, fragments, marked, whole_stream
from support.measure import calls
from support.wire import BINARY, PING, REQUEST, connecting, from_peer
from wscore import Config, Connection, Deflate, Limits, Role
from wscore.testing import drain

pytestmark = pytest.mark.exhaustive

LIMITLESS = Limits(
    max_message_size=None,
    max_fragments=None,
    max_empty_fragments=None,
    max_control_rate=None,
    max_line=10**9,
    max_head=10**9,
    max_extensions=10**9,
    max_offer=10**9,
)
CLIENT = Role.CLIENT
NOISE = random.Random(7).randbytes(100_000)


def in_one(payload: bytes) -> list[bytes]:
    """One frame, in one segment."""
    return [marked(CLIENT, payload, opcode=BINARY)]


def octets(segments: list[bytes]) -> list[bytes]:
    """Byte by byte."""
    data = b"".join(segments)
    return [data[at : at + 1] for at in range(len(data))]


SHAPES: dict[str, tuple[int, Callable[[int], list[bytes]]]] = {
    "a chain of final blocks": (400, lambda n: in_one(whole_stream(b"twenty bytes of text") * n)),
    "chains of final blocks of nothing": (3, lambda n: in_one(whole_stream(b"") * 1000) * n),
    "chains of final blocks, byte by byte": (2, lambda n: octets(in_one(whole_stream(b"text") * 300) * n)),
    "empty blocks": (3000, lambda n: in_one(b"\x00\x00\x00\xff\xff" * n)),
    "empty blocks, byte by byte": (800, lambda n: octets(in_one(b"\x00\x00\x00\xff\xff" * n))),
    "noise": (50_000, lambda n: in_one(deflate(NOISE[:n]))),
    "noise, byte by byte": (3000, lambda n: octets(in_one(deflate(NOISE[:n])))),
    "fragments of one byte": (2000, lambda n: fragments(CLIENT, deflate(NOISE[:n]), 1)),
    "fragments of one byte with pings": (
        1000,
        lambda n: [part + from_peer(CLIENT, PING, b"") for part in fragments(CLIENT, deflate(NOISE[:n]), 1)],
    ),
    "compressed messages of nothing": (1000, lambda n: [marked(CLIENT, b"\x00", opcode=BINARY) * n]),
    "compressed messages without an octet": (1000, lambda n: [marked(CLIENT, b"", opcode=BINARY) * n]),
    "messages of one final block": (500, lambda n: [marked(CLIENT, whole_stream(b"x"), opcode=BINARY) * n]),
    "a bomb": (8_000_000, lambda n: in_one(deflate(bytes(n), level=9))),
}


def cost(segments: list[bytes]) -> tuple[int, int]:
    """Return the calls made and the bytes that zlib was given."""
    watched = WatchedZlib()
    connection = deflating(CLIENT, Config(compression=Deflate(zlib=watched), limits=LIMITLESS))

    def run() -> None:
        for segment in segments:
            connection.receive_data(segment, 0.0)
            drain(connection, 0.0)

    made = calls(run)
    return made, watched.fed


@pytest.mark.parametrize(("size", "shape"), SHAPES.values(), ids=SHAPES)
def test_twice_the_compressed_bytes_cost_twice_the_work(
    size: int, shape: Callable[[int], list[bytes]]
) -> None:
    (calls_once, fed_once), (calls_twice, fed_twice) = cost(shape(size)), cost(shape(2 * size))
    assert calls_once > 10
    assert calls_twice <= 2.3 * calls_once + 100
    assert fed_twice <= 2.3 * fed_once + 100


@pytest.mark.parametrize(("size", "shape"), SHAPES.values(), ids=SHAPES)
def test_no_input_is_handed_to_zlib_over_and_over(size: int, shape: Callable[[int], list[bytes]]) -> None:
    segments = shape(size)
    # A block of 4,096 bytes is handed over again behind each stream that ends in it; the shortest has two.
    assert cost(segments)[1] <= 4096 / 2 * sum(map(len, segments))


def test_the_work_for_offers_is_linear() -> None:
    def work(count: int) -> Callable[[], object]:
        offers = b", ".join(b"permessage-deflate; server_max_window_bits=8" for _ in range(count))
        head = REQUEST[:-2] + b"Sec-WebSocket-Extensions: " + offers + b"\r\n\r\n"
        connection: Connection = connecting(Role.SERVER, Config(compression=Deflate(), limits=LIMITLESS))

        def run() -> None:
            connection.receive_data(head, 0.0)
            drain(connection, 0.0)
            connection.accept(now=0.0)
            assert connection.extensions == ""

        return run

    once, twice = calls(work(200)), calls(work(400))
    assert twice <= 2.3 * once
