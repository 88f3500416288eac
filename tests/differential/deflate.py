"""A sender's part of permessage-deflate for the differential test (RFC 7692), straight over zlib.

It writes every form that section 7.2.3 shows and some that nobody writes: stored, fixed and dynamic blocks,
flushes in the middle, streams that end inside a message (BFINAL), empty messages in each spelling. With
misuse it takes more window, or more context, than was agreed on.
"""

import random
import zlib
from dataclasses import dataclass
from typing import Protocol

_TAIL = b"\x00\x00\xff\xff"
_EMPTY = (b"\x00", b"\x00", b"\x02\x00", b"\x03\x00\x00", b"\x01\x00\x00\xff\xff\x00")  # 7.2.3.6
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY)


class Compressor(Protocol):
    """What is used of zlib's object."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Agreed:
    """What binds the sender.

    Attributes:
        bits: its window.
        takeover: it may refer into earlier messages.
    """

    bits: int
    takeover: bool

    @staticmethod
    def choose(chooser: random.Random) -> "Agreed":
        """Choose parameters."""
        return Agreed(chooser.choice((9, 10, 12, 15, 15, 15)), chooser.random() < 0.7)


class DeflateWriter:
    """Compresses the messages of one sender.

    Args:
        chooser: makes every choice.
        agreed: what it keeps to.
        misuse: unless it does not.
    """

    def __init__(self, chooser: random.Random, agreed: Agreed, *, misuse: bool = False) -> None:
        self._chooser = chooser
        self._bits = 15 if misuse else agreed.bits
        self._takeover = agreed.takeover or misuse
        self._level = chooser.choice((0, 1, 6, 9))
        self._strategy = chooser.choice(_STRATEGIES)
        self._ends_streams = chooser.random() < 0.15
        self._compressor: Compressor | None = None

    def encode(self, payload: bytes) -> bytes:
        """Compress one message (section 7.2.1)."""
        chooser = self._chooser
        if not payload and chooser.random() < 0.8:
            return chooser.choice(_EMPTY) if chooser.random() < 0.98 else b""
        output = b""
        if chooser.random() < 0.15:
            place = chooser.randint(0, len(payload))
            output = self._part(payload[:place], last=False)
            payload = payload[place:]
        output += self._part(payload, last=True)
        if not self._takeover:
            self._compressor = None
        return output

    def _part(self, data: bytes, *, last: bool) -> bytes:
        """Compress a part; only the last loses its tail."""
        compressor = self._ready()
        if self._ends_streams and self._chooser.random() < 0.3:
            self._compressor = None
            output = compressor.compress(data) + compressor.flush(zlib.Z_FINISH)
            return output + b"\x00" if last and self._chooser.random() < 0.9 else output
        mode = zlib.Z_FULL_FLUSH if self._chooser.random() < 0.1 else zlib.Z_SYNC_FLUSH
        output = compressor.compress(data) + compressor.flush(mode)
        if not last:
            return output
        return output.removesuffix(_TAIL) if output.endswith(_TAIL) else output + b"\x00"

    def _ready(self) -> Compressor:
        if self._compressor is None:
            self._compressor = zlib.compressobj(
                self._level, zlib.DEFLATED, -self._bits, self._chooser.choice((1, 8, 9)), self._strategy
            )
        return self._compressor
