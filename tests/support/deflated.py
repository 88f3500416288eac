"""Compressed messages as a peer may send them, made with zlib alone; and a zlib that is watched.

RFC 7692 section 7.2.1: raw deflate, closed by a sync flush, whose last four octets do not travel.
"""

import weakref
import zlib
from typing import final

from wscore import Config, Connection, Deflate, Role
from wscore.testing import drain, repeatable_entropy

from .wire import CONTINUATION, TEXT, frame

RSV1 = 0x40
TAIL = b"\x00\x00\xff\xff"


def deflate(data: bytes, *, bits: int = 15, level: int = 6) -> bytes:
    """Compress one message without context."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def whole_stream(data: bytes) -> bytes:
    """Compress data to a stream of its own, whose last block says so (BFINAL)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def inflate(data: bytes, *, bits: int = 15) -> bytes:
    """Decompress one message without context."""
    return zlib.decompressobj(-bits).decompress(data + TAIL)


def deflating(
    role: Role, config: Config | None = None, answer: str = "permessage-deflate", *, half_close: bool = True
) -> Connection:
    """Return an open connection with compression as answer says, drained."""
    connection = Connection.established(
        role,
        config or Config(compression=Deflate()),
        extensions=answer,
        now=0.0,
        half_close=half_close,
        entropy=repeatable_entropy(),
    )
    drain(connection, 0.0)
    return connection


def marked(role: Role, payload: bytes, *, opcode: int = TEXT, final: bool = True) -> bytes:
    """Write the first frame of a compressed message as the peer of a connection in role sends it."""
    return frame(opcode, payload, masked=role is Role.SERVER, final=final, rsv=RSV1)


def fragments(role: Role, payload: bytes, size: int, *, opcode: int = TEXT) -> list[bytes]:
    """Write a compressed message in frames of size bytes."""
    parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    return [
        frame(
            CONTINUATION if index else opcode,
            part,
            masked=role is Role.SERVER,
            final=index == len(parts) - 1,
            rsv=0 if index else RSV1,
        )
        for index, part in enumerate(parts)
    ]


@final
class _Inflater:
    """A decompression object that is watched."""

    def __init__(self, watched: "WatchedZlib", bits: int) -> None:
        self._watched = watched
        self._real = zlib.decompressobj(bits)

    @property
    def eof(self) -> bool:
        return self._real.eof

    @property
    def unused_data(self) -> bytes:
        return self._real.unused_data

    @property
    def unconsumed_tail(self) -> bytes:
        return self._real.unconsumed_tail

    def decompress(self, data: bytes, limit: int, /) -> bytes:
        assert limit > 0, "0 means: without a limit"
        self._watched.fed += len(data)
        self._watched.longest = max(self._watched.longest, limit)
        output = self._real.decompress(data, limit)
        self._watched.given += len(output)
        return output


@final
class _Deflater:
    """A compression object that is watched."""

    def __init__(self, level: int, method: int, wbits: int, memory: int) -> None:
        self._real = zlib.compressobj(level, method, wbits, memory)

    def compress(self, data: bytes, /) -> bytes:
        return self._real.compress(data)

    def flush(self, mode: int, /) -> bytes:
        return self._real.flush(mode)


@final
class WatchedZlib:
    """Stands for zlib in `Deflate`, and knows what was asked of it.

    Attributes:
        fed, given: bytes that went into inflaters and came out.
        longest: the most output that was ever allowed in one step.
        settings: of every compressor and decompressor that was made.
    """

    error = zlib.error
    DEFLATED = zlib.DEFLATED
    Z_DEFAULT_COMPRESSION = zlib.Z_DEFAULT_COMPRESSION
    Z_SYNC_FLUSH = zlib.Z_SYNC_FLUSH

    def __init__(self) -> None:
        self.fed = 0
        self.given = 0
        self.longest = 0
        self.settings: list[tuple[int, ...]] = []
        self._made: list[weakref.ref[_Deflater | _Inflater]] = []

    @property
    def living(self) -> int:
        """How many contexts there are."""
        return sum(made() is not None for made in self._made)

    def compressobj(self, level: int, method: int, wbits: int, memory: int, /) -> _Deflater:
        self.settings.append((level, method, wbits, memory))
        made = _Deflater(level, method, wbits, memory)
        self._made.append(weakref.ref(made))
        return made

    def decompressobj(self, wbits: int, /) -> _Inflater:
        self.settings.append((wbits,))
        made = _Inflater(self, wbits)
        self._made.append(weakref.ref(made))
        return made
