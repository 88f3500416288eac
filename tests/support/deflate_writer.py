"""Deflate written bit by bit (RFC 1951): what no compressor would write, such as any distance."""

from typing import Final, Self, final

# Section 3.2.5, for the distances: (symbol, extra bits, first distance).
_DISTANCES: Final = [
    (
        symbol,
        max(0, symbol // 2 - 1),
        1 + symbol if symbol < 4 else 1 + ((2 + symbol % 2) << (symbol // 2 - 1)),
    )
    for symbol in range(30)
]


@final
class DeflateWriter:
    """Writes blocks; each method returns the writer, so that calls can be chained."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def fixed(self, *items: int | bytes | tuple[int, int], last: bool = False) -> Self:
        """Write a block with fixed codes (section 3.2.6).

        Args:
            items: literals, and references as (length, distance): a length from 3 to 10.
            last: set BFINAL.
        """
        self._number(int(last), 1)
        self._number(1, 2)
        for item in items:
            if isinstance(item, tuple):
                length, distance = item
                assert 3 <= length <= 10
                self._literal(254 + length)
                self._distance(distance)
            else:
                for octet in item if isinstance(item, bytes) else [item]:
                    self._literal(octet)
        self._literal(256)
        return self

    def stored(self, data: bytes, *, last: bool = False) -> Self:
        """Write a block that is not compressed (section 3.2.4)."""
        self._number(int(last), 1)
        self._number(0, 2)
        self._align()
        self._number(len(data), 16)
        self._number(len(data) ^ 0xFFFF, 16)
        for octet in data:
            self._number(octet, 8)
        return self

    def flush(self) -> Self:
        """Write an empty stored block without its last four octets (RFC 7692 section 7.2.1)."""
        self._number(0, 3)
        self._align()
        return self

    def done(self) -> bytes:
        """Return what was written, with zeros up to the end of the last byte."""
        self._align()
        return bytes(
            sum(bit << place for place, bit in enumerate(self._bits[at : at + 8]))
            for at in range(0, len(self._bits), 8)
        )

    def _number(self, value: int, count: int) -> None:
        """Write a number, its lowest bit first."""
        self._bits += [value >> place & 1 for place in range(count)]

    def _code(self, value: int, count: int) -> None:
        """Write a Huffman code, its highest bit first."""
        self._bits += [value >> place & 1 for place in reversed(range(count))]

    def _literal(self, symbol: int) -> None:
        if symbol < 144:
            self._code(0x30 + symbol, 8)
        elif symbol < 256:
            self._code(0x190 + symbol - 144, 9)
        elif symbol < 280:
            self._code(symbol - 256, 7)
        else:
            self._code(0xC0 + symbol - 280, 8)

    def _distance(self, distance: int) -> None:
        symbol, extra, first = next(row for row in reversed(_DISTANCES) if row[2] <= distance)
        self._code(symbol, 5)
        self._number(distance - first, extra)

    def _align(self) -> None:
        self._bits += [0] * (-len(self._bits) % 8)
