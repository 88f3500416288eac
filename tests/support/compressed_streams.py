"""Streams of frames on a connection that has agreed on compression: good, bad and odd, each with a name.

They begin with the first frame, so that most are short enough to be cut in every way. Compressed payloads
are made by zlib alone, see `support.deflated`.
"""

import random
import zlib
from collections.abc import Callable

from wscore import Role

from .deflated import RSV1, TAIL, deflate, whole_stream
from .streams import Stream
from .wire import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, frame, header, status

Frames = list[tuple[int, bytes, bool, int]]  # opcode, payload, final, reserved bits

_SNOW = "\u2603 \U0001f600 snow ".encode() * 3
_NOISE = random.Random(1).randbytes(90)

# Payloads of one message each: what they are called, and what travels. Good and bad alike.
PAYLOADS: dict[str, bytes] = {
    "a word": deflate(b"word"),
    "nothing": deflate(b""),
    "no octet at all": b"",
    "one zero octet": b"\x00",
    "repetition": deflate(b"again " * 20),
    "snow": deflate(_SNOW),
    "noise": deflate(_NOISE),
    "stored": deflate(_NOISE, level=0),
    "a small window": deflate(b"small " * 9, bits=9),
    "a final block": whole_stream(b"the end"),
    "a final block and an empty one": whole_stream(b"the end") + b"\x00",
    "a final block and more": whole_stream(b"the end, ") + deflate(b"and more"),
    "three final blocks": whole_stream(b"one") + whole_stream(b"two") + whole_stream(b"three") + b"\x00",
    "a stream of nothing": whole_stream(b"") + b"\x00",
    "twelve streams of nothing": whole_stream(b"") * 12 + b"\x00",
    "the tail left on": deflate(b"word") + TAIL,
    "two blocks": deflate(b"one ") + TAIL + deflate(b"two"),
    "empty blocks": (b"\x00" + TAIL) * 5 + deflate(b"behind"),
    "half of it": deflate(b"only half of this " * 3 + _NOISE)[:40],
    "a reserved block type": b"\x07\x00",
    "a bad stored length": b"\x00\x05\x00\x00\x00word",
    "a bad distance": bytes.fromhex("a2010000"),
    "bytes of no meaning": _NOISE,
    "text that is none": deflate(b"ok\xff"),
    "half a snowman": deflate(_SNOW[:2]),
    "a surrogate": deflate(b"ab\xed\xa0\x80"),
    "exactly the limit": deflate(bytes(300)),
    "one byte over the limit": deflate(bytes(301)),
    "a bomb": deflate(bytes(100_000), level=9),
    "a bomb of streams": whole_stream(bytes(200)) * 3,
}


def _whole(payload: bytes) -> Frames:
    return [(TEXT, payload, True, RSV1)]


def _as_binary(payload: bytes) -> Frames:
    return [(BINARY, payload, True, RSV1), (BINARY, b"plain", True, 0)]


def _in_two(payload: bytes) -> Frames:
    half = len(payload) // 2
    return [(TEXT, payload[:half], False, RSV1), (CONTINUATION, payload[half:], True, 0)]


def _with_a_ping(payload: bytes) -> Frames:
    return [(TEXT, payload[:1], False, RSV1), (PING, b"p", True, 0), (CONTINUATION, payload[1:], True, 0)]


def _ending_empty(payload: bytes) -> Frames:
    return [(BINARY, payload, False, RSV1), (CONTINUATION, b"", False, 0), (CONTINUATION, b"", True, 0)]


def _twice(payload: bytes) -> Frames:
    return [(TEXT, payload, True, RSV1), (PONG, b"", True, 0), (BINARY, payload, True, RSV1)]


SHAPES: dict[str, Callable[[bytes], Frames]] = {
    "whole": _whole,
    "as binary, and a plain one": _as_binary,
    "in two fragments": _in_two,
    "with a ping inside": _with_a_ping,
    "ending in empty fragments": _ending_empty,
    "twice": _twice,
}

OTHERS: dict[str, Frames] = {
    "plain messages only": [(TEXT, b"plain", True, 0), (BINARY, b"", True, 0)],
    "a marked ping": [(PING, deflate(b"x"), True, RSV1)],
    "a marked continuation": [(TEXT, b"", False, RSV1), (CONTINUATION, b"\x00", True, RSV1)],
    "a marked close": [(CLOSE, status(1000), True, RSV1)],
    "another reserved bit": [(TEXT, b"x", True, 0x20)],
    "both bits": [(TEXT, deflate(b"x"), True, RSV1 | 0x10)],
    "a close in a compressed message": [
        (TEXT, deflate(b"half")[:3], False, RSV1),
        (CLOSE, status(1001), True, 0),
    ],
    "a new message in a compressed one": [(TEXT, b"", False, RSV1), (TEXT, deflate(b"x"), True, RSV1)],
    "marked and unmarked in turn": [
        (TEXT, deflate(b"one"), True, RSV1),
        (TEXT, b"two", True, 0),
        (TEXT, deflate(b"three"), True, RSV1),
    ],
    "too many compressed fragments": [
        (TEXT, b"", False, RSV1),
        *[(CONTINUATION, b"\x00", False, 0)] * 8,
    ],
    "more than the inbox holds": [(BINARY, deflate(b"%d" % n * 150), True, RSV1) for n in range(9)],
}


def contexts(count: int) -> Frames:
    """Return messages that refer to each other, as a sender with context takeover makes them."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    frames: Frames = []
    for number in range(count):
        text = b"the same words again, %d " % number
        payload = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        frames.append((TEXT, payload.removesuffix(TAIL), True, RSV1))
    return frames


def write(frames: Frames, role: Role) -> bytes:
    """Write frames as the peer of role does."""
    masked = role is Role.SERVER
    return b"".join(frame(op, data, masked=masked, final=final, rsv=rsv) for op, data, final, rsv in frames)


def streams() -> list[Stream]:
    """Return all of them; many for both roles, since only the mask differs."""
    found = []
    for role in Role:
        for payload_name, payload in PAYLOADS.items():
            for shape_name, shape in SHAPES.items():
                name = f"{role.value}, deflate: {payload_name}, {shape_name}"
                found.append(Stream(name, role, write(shape(payload), role)))
        for name, frames in (OTHERS | {"messages that refer to each other": contexts(5)}).items():
            found.append(Stream(f"{role.value}, deflate: {name}", role, write(frames, role)))
        masked = role is Role.SERVER
        big = header(0xC2, 70_000, masked=masked) + (KEY if masked else b"")
        found.append(Stream(f"{role.value}, deflate: a frame of 70,000 bytes", role, big + bytes(20)))
    return found
