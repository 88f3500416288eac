"""Deflate read by the letter of RFC 1951, slowly and without zlib, and everything that is seen on the way.

zlib tells what a stream stands for. This reader also tells how it is made: which blocks, and how far back
each reference goes. So it can tell whether a sender has kept to a window and to its own messages, which no
decompressor does: one with a bigger window, or with a longer memory, never notices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, final


class BlockType(Enum):
    """The three kinds of block (section 3.2.3)."""

    STORED = 0
    FIXED = 1
    DYNAMIC = 2


TAIL: Final = b"\x00\x00\xff\xff"  # RFC 7692 section 7.2.1


class DeflateError(Exception):
    """What was read is not deflate, or ends too early."""


@dataclass(slots=True)
class Reading:
    """What a stream says, and how.

    Attributes:
        data: what it stands for.
        blocks: the kinds of its blocks.
        farthest: the greatest distance of a reference; 0: there is none.
        into_history: how many references reach behind the first byte of data.
        ended: the last block had BFINAL set.
        used: whole bytes that were read.
    """

    data: bytes = b""
    blocks: list[BlockType] = field(default_factory=list)
    farthest: int = 0
    into_history: int = 0
    ended: bool = False
    used: int = 0


# Section 3.2.5: for each symbol from 257 on, how many extra bits follow and where the lengths begin.
_LENGTH_BITS: Final = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)] + [0]
_LENGTH_BASE: Final = [*(3 + sum(1 << bits for bits in _LENGTH_BITS[:index]) for index in range(28)), 258]
_DISTANCE_BITS: Final = [0, 0] + [bits for bits in range(14) for _ in range(2)]
_DISTANCE_BASE: Final = [1 + sum(1 << bits for bits in _DISTANCE_BITS[:index]) for index in range(30)]
_ORDER: Final = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)  # section 3.2.7

Code = dict[tuple[int, int], int]  # (length, bits) -> symbol


def code_of(lengths: list[int]) -> Code:
    """Return the Huffman code that these lengths stand for (section 3.2.2)."""
    code: Code = {}
    bits = 0
    for length in range(1, 16):
        bits <<= 1
        for symbol, its_length in enumerate(lengths):
            if its_length == length:
                if bits >> length:
                    raise DeflateError("more codes than there can be")
                code[length, bits] = symbol
                bits += 1
    return code


FIXED_LENGTHS: Final = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8  # section 3.2.6
_FIXED: Final = (code_of(FIXED_LENGTHS), code_of([5] * 30))


@final
class _Bits:
    """The bits of a stream, the lowest of each byte first (section 3.1.1)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._held = 0
        self._count = 0

    @property
    def position(self) -> int:
        """How many bytes have been touched."""
        return self._at

    @property
    def left(self) -> int:
        """How many bits are left."""
        return self._count + 8 * (len(self._data) - self._at)

    def take(self, count: int) -> int:
        """Read a number."""
        while self._count < count:
            if self._at == len(self._data):
                raise DeflateError("the stream ends too early")
            self._held |= self._data[self._at] << self._count
            self._at += 1
            self._count += 8
        value = self._held & ((1 << count) - 1)
        self._held >>= count
        self._count -= count
        return value

    def symbol(self, code: Code) -> int:
        """Read one symbol."""
        bits = 0
        for length in range(1, 16):
            bits = bits << 1 | self.take(1)  # Huffman codes come with their highest bit first
            found = code.get((length, bits))
            if found is not None:
                return found
        raise DeflateError("no symbol has this code")

    def align(self) -> None:
        """Skip what is left of a byte."""
        self._held >>= self._count % 8
        self._count -= self._count % 8


def read(data: bytes, history: bytes = b"") -> Reading:
    """Read blocks until the data is used up or a final block has ended.

    Args:
        data: begins with a block; what a sync flush closed, or a whole stream.
        history: what was written before, into which references may reach.

    Raises:
        DeflateError: it is not deflate, refers to nothing, or ends within a block.
    """
    bits = _Bits(data)
    output = bytearray(history)
    reading = Reading()
    while bits.left >= 8 and not reading.ended:
        reading.ended = bool(bits.take(1))
        kind = bits.take(2)
        if kind == 3:
            raise DeflateError("a reserved kind of block")
        reading.blocks.append(BlockType(kind))
        if kind == 0:
            _read_stored(bits, output)
        else:
            codes = _FIXED if kind == 1 else _read_codes(bits)
            _read_compressed(bits, codes, output, len(history), reading)
    reading.data = bytes(output[len(history) :])
    reading.used = bits.position
    return reading


def _read_stored(bits: _Bits, output: bytearray) -> None:
    """Read what was not compressed (section 3.2.4)."""
    bits.align()
    length = bits.take(16)
    if bits.take(16) != length ^ 0xFFFF:
        raise DeflateError("a stored block with a bad length")
    for _ in range(length):
        output.append(bits.take(8))


def _read_codes(bits: _Bits) -> tuple[Code, Code]:
    """Read the two codes of a block that brings its own (section 3.2.7)."""
    literals = bits.take(5) + 257
    distances = bits.take(5) + 1
    count = bits.take(4) + 4
    lengths = [0] * 19
    for index in range(count):
        lengths[_ORDER[index]] = bits.take(3)
    both = list(_read_lengths(bits, code_of(lengths), literals + distances))
    return code_of(both[:literals]), code_of(both[literals:])


def _read_lengths(bits: _Bits, code: Code, count: int) -> Iterator[int]:
    """Read code lengths, some of them repeated."""
    given = 0
    length = 0
    while given < count:
        symbol = bits.symbol(code)
        repeat = 1
        if symbol < 16:
            length = symbol
        elif symbol == 16:
            repeat = 3 + bits.take(2)
        else:
            length = 0
            repeat = 3 + bits.take(3) if symbol == 17 else 11 + bits.take(7)
        given += repeat
        yield from [length] * repeat


def _read_compressed(
    bits: _Bits, codes: tuple[Code, Code], output: bytearray, start: int, reading: Reading
) -> None:
    """Read literals and references up to the end of a block (section 3.2.5)."""
    literals, distances = codes
    while (symbol := bits.symbol(literals)) != 256:
        if symbol < 256:
            output.append(symbol)
            continue
        if symbol > 285:
            raise DeflateError("no length has this symbol")
        length = _LENGTH_BASE[symbol - 257] + bits.take(_LENGTH_BITS[symbol - 257])
        symbol = bits.symbol(distances)
        distance = _DISTANCE_BASE[symbol] + bits.take(_DISTANCE_BITS[symbol])
        if distance > len(output):
            raise DeflateError("a reference to before the beginning")
        reading.farthest = max(reading.farthest, distance)
        reading.into_history += distance > len(output) - start
        for _ in range(length):
            output.append(output[-distance])


@final
class MessageReader:
    """A peer that reads permessage-deflate (RFC 7692 section 7.2.2) and looks at every reference.

    Args:
        takeover: messages may refer to those before.

    Attributes:
        farthest, into_history: over all messages, as of `Reading`.
        blocks: of all messages.
    """

    def __init__(self, *, takeover: bool = True) -> None:
        self._takeover = takeover
        self._history = b""
        self.farthest = 0
        self.into_history = 0
        self.blocks: list[BlockType] = []

    def read(self, payload: bytes) -> bytes:
        """Read the payload of one message, which may consist of several streams.

        Raises:
            DeflateError: see `read`; so also a reference behind the beginning of a message without takeover.
        """
        history = self._history if self._takeover else b""
        rest = payload + TAIL if payload else b""
        output = b""
        while rest:
            reading = read(rest, history)
            output += reading.data
            self.farthest = max(self.farthest, reading.farthest)
            self.into_history += reading.into_history
            self.blocks += reading.blocks
            history = b"" if reading.ended else (history + reading.data)[-32768:]
            rest = rest[reading.used :]
            if reading.ended and rest == TAIL:
                break  # the message is complete with its last stream, and the tail begins no other
        self._history = history
        return output
