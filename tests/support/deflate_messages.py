"""Compressed messages as a peer may send them, each with what it stands for or which rule it breaks.

They need no context, and leave none that matters. Written with zlib and bit by bit, never with the code under
test; `tests/core/test_compression_state.py` has them read by `support.deflate_reader` as well.
"""

import random
import zlib

from wscore import Violation

from .deflate_writer import DeflateWriter
from .deflated import TAIL, deflate, whole_stream

WORDS = b"words and words "
NOISE = random.Random(2).randbytes(64)
EMPTY_STREAM = whole_stream(b"")


def flushed(data: bytes, mode: int) -> bytes:
    """Compress one message and end it in another way."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(mode)).removesuffix(TAIL)


# Messages: what travels, and what it stands for.
GOOD: dict[str, tuple[bytes, bytes]] = {
    "a sync flush": (deflate(WORDS * 3), WORDS * 3),
    "a full flush": (flushed(WORDS, zlib.Z_FULL_FLUSH), WORDS),
    "no octet": (b"", b""),
    "one zero octet": (b"\x00", b""),
    "zero octets that are empty blocks": ((b"\x00" + TAIL) * 20 + b"\x00", b""),
    "blocks without output": (DeflateWriter().fixed().fixed().stored(b"").fixed().flush().done(), b""),
    "blocks without output and some": (DeflateWriter().fixed().fixed(b"xy").fixed().flush().done(), b"xy"),
    "a stored block": (DeflateWriter().stored(NOISE).flush().done(), NOISE),
    "every kind of block": (
        DeflateWriter().stored(b"stored ").fixed(b"fixed ", (3, 6)).flush().done() + TAIL + deflate(WORDS),
        b"stored fixed fix" + WORDS,
    ),
    "a final block": (whole_stream(WORDS) + b"\x00", WORDS),
    "a final stored block": (DeflateWriter().stored(WORDS, last=True).flush().done(), WORDS),
    "a final block and not even its padding": (whole_stream(WORDS), WORDS),
    "final blocks and no padding": (whole_stream(WORDS) * 2, WORDS * 2),
    "a final block of nothing": (EMPTY_STREAM + b"\x00", b""),
    "a final block first": (whole_stream(b"one ") + deflate(b"two"), b"one two"),
    "a final block in the middle": (
        deflate(b"one ") + TAIL + whole_stream(b"two ") + deflate(b"three"),
        b"one two three",
    ),
    "final blocks only": (whole_stream(WORDS) * 7 + b"\x00", WORDS * 7),
    "1,024 final blocks": (EMPTY_STREAM * 1023 + whole_stream(b"x") + b"\x00", b"x"),
    "the tail left on": (deflate(WORDS) + TAIL + b"\x00", WORDS),
    "a reference to just before": (DeflateWriter().fixed(b"ab", (10, 2)).flush().done(), b"ab" * 6),
}
BAD: dict[str, tuple[bytes, Violation]] = {
    "a reserved kind of block": (b"\x07\x00", Violation.COMPRESSED_DATA),
    "a reserved kind behind a good block": (
        DeflateWriter().fixed(b"ab").done()[:-1] + b"\x07",
        Violation.COMPRESSED_DATA,
    ),
    "a stored block with a bad length": (b"\x00\x05\x00\x00\x00words", Violation.COMPRESSED_DATA),
    "a reference to before the beginning": (
        DeflateWriter().fixed(b"ab", (3, 9)).flush().done(),
        Violation.COMPRESSED_DATA,
    ),
    "a reference to before the stream": (
        whole_stream(b"before") + DeflateWriter().fixed((3, 3)).flush().done(),
        Violation.COMPRESSED_DATA,
    ),
    "garbage behind a sync flush": (deflate(WORDS) + b"garbage", Violation.COMPRESSED_DATA),
    "garbage behind a final block": (whole_stream(WORDS) + b"\xff\xff", Violation.COMPRESSED_DATA),
    "1,025 final blocks": (EMPTY_STREAM * 1025 + b"\x00", Violation.TOO_MANY_STREAMS),
    "a bad code of codes": (b"\x05\x00" + bytes(30), Violation.COMPRESSED_DATA),
}
