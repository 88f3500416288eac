"""permessage-deflate (RFC 7692): what is agreed on, and the two streams that follow from it.

Negotiation. Four parameters, two for each direction: how far back a sender may refer (window bits), and
whether it may refer into earlier messages at all (context takeover). A server looks at one offer at a time
and declines those it does not understand wholly; a client accepts nothing that it did not offer.

Compressing. A message, or a fragment of one, is closed by a sync flush, whose last four octets are not sent
(section 7.2.1). zlib cannot compress with a window of 8 bits: a server declines to, a client that is told
to sends its messages as they are.

Decompressing. Steps of a bounded size; a stream that ends inside a message (BFINAL) is followed by a new one
(section 7.2.3.4), a bounded number of times. Nothing is fed that is not consumed: zlib would keep it.

Contexts are made when the first message needs them. Without context takeover they live for one message.
"""

import re
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, final

from ._codes import Role
from ._extension import Codec, Extension
from ._grammar import ExtensionOffer
from ._typing import override
from ._violations import Violation

_TAIL: Final = b"\x00\x00\xff\xff"  # section 7.2.1: the end of an empty block, which does not travel
_LAST_BLOCK: Final = b"\x01\x00\x00\xff\xff"  # an empty block with BFINAL
_EMPTY_BLOCK: Final = b"\x00"  # the same without its tail: section 7.2.3.6
_MAX_STREAMS: Final = 1024
_DEFLATED: Final = 8
_SYNC_FLUSH: Final = 2
_WINDOW_BITS: Final = re.compile(r"[89]|1[0-5]")  # sections 7.1.2.1 and 7.1.2.2: no leading zeros
_LARGEST: Final = 15
_LEAST_TO_COMPRESS: Final = 9  # zlib refuses 8 for a raw stream

_SERVER_TAKEOVER: Final = "server_no_context_takeover"
_CLIENT_TAKEOVER: Final = "client_no_context_takeover"
_SERVER_BITS: Final = "server_max_window_bits"
_CLIENT_BITS: Final = "client_max_window_bits"


class Compressor(Protocol):
    """What is used of zlib's compression object."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


class Decompressor(Protocol):
    """What is used of zlib's decompression object."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class ZlibModule(Protocol):
    """A module that can stand for the standard library's zlib: isal.isal_zlib, zlib_ng.zlib_ng."""

    @property
    def error(self) -> type[Exception]: ...
    @property
    def Z_DEFAULT_COMPRESSION(self) -> int: ...
    def compressobj(self, level: int, method: int, wbits: int, memLevel: int, /) -> Compressor: ...
    def decompressobj(self, wbits: int, /) -> Decompressor: ...


_STDLIB: Final[ZlibModule] = zlib


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Deflate(Extension):
    """permessage-deflate and how to use it, for `Config.compression`; without it nothing is compressed.

    Do not compress what mixes secrets with text of an attacker's choice (RFC 7692 section 8).

    Attributes:
        server_max_window_bits, client_max_window_bits: base-2 logarithm of how far back each side may
            refer, 9 to 15; the peer may ask for less. Each connection that has received a compressed
            message holds 2**bits bytes, one that has sent some about 4 * 2**bits and 2**(memory_level + 9).
        server_no_context_takeover, client_no_context_takeover: that side compresses each message by
            itself: worse, but nothing is held between messages.
        level: of compression, as the module counts it; None: the module's own default.
        memory_level: 1 to 9: the memory of a compressor, and a little of its speed and ratio.
        threshold: messages of fewer bytes are not compressed, unless told to.
        fallback: client: if the server cannot be held to the wishes above, compress all the same.
        zlib: the module that does the work.

    Raises:
        ValueError: a value out of range, or one that the module does not take.
        TypeError: a value of another type.
    """

    name = "permessage-deflate"

    server_max_window_bits: int = 12
    client_max_window_bits: int = 12
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    level: int | None = None
    memory_level: int = 5
    threshold: int = 256
    fallback: bool = True
    zlib: ZlibModule = _STDLIB

    def __post_init__(self) -> None:
        for name in (_SERVER_TAKEOVER, _CLIENT_TAKEOVER, "fallback"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False")
        for name, least, most in (
            (_SERVER_BITS, _LEAST_TO_COMPRESS, _LARGEST),
            (_CLIENT_BITS, _LEAST_TO_COMPRESS, _LARGEST),
            ("memory_level", 1, 9),
            ("threshold", 0, 2**63),
        ):
            value = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
            if not least <= value <= most:
                raise ValueError(f"{name} must be {least} to {most}, not {value}")
        try:
            self.compressor(self.server_max_window_bits)
        except Exception as error:
            raise ValueError(f"the zlib module does not take these settings: {error}") from error

    def compressor(self, bits: int) -> Compressor:
        """Make a compressor of raw deflate."""
        level = self.zlib.Z_DEFAULT_COMPRESSION if self.level is None else self.level
        return self.zlib.compressobj(level, _DEFLATED, -bits, self.memory_level)

    @override
    def offers(self) -> Sequence[ExtensionOffer]:
        """Return the offer with all wishes and, as a fallback, the one that leaves the server free."""
        wishes: list[tuple[str, str | None]] = []
        if self.server_no_context_takeover:
            wishes.append((_SERVER_TAKEOVER, None))
        if self.server_max_window_bits < _LARGEST:
            wishes.append((_SERVER_BITS, str(self.server_max_window_bits)))
        own: list[tuple[str, str | None]] = [(_CLIENT_BITS, None)]  # bare: the server may name a value
        if self.client_max_window_bits < _LARGEST:
            own = [(_CLIENT_BITS, str(self.client_max_window_bits))]
        if self.client_no_context_takeover:
            own.append((_CLIENT_TAKEOVER, None))
        offers = [ExtensionOffer(self.name, (*wishes, *own))]
        if wishes and self.fallback:
            offers.append(ExtensionOffer(self.name, ((_CLIENT_BITS, None),)))
        return offers

    @override
    def accept(self, offer: ExtensionOffer) -> ExtensionOffer | None:
        """Answer one offer (RFC 7692 section 7.1); None when it is malformed or cannot be met."""
        asked = _read_parameters(offer, bare_client_bits=True)
        if asked is None:
            return None
        server_bits = min(asked.server_bits or _LARGEST, self.server_max_window_bits)
        if server_bits < _LEAST_TO_COMPRESS:
            return None
        answer: list[tuple[str, str | None]] = []
        if asked.server_alone or self.server_no_context_takeover:
            answer.append((_SERVER_TAKEOVER, None))
        if asked.client_alone or self.client_no_context_takeover:
            answer.append((_CLIENT_TAKEOVER, None))
        if asked.server_bits is not None or server_bits < _LARGEST:
            answer.append((_SERVER_BITS, str(server_bits)))
        if asked.names_client_bits:  # 7.1.2.2: else the client would not understand the answer
            client_bits = min(asked.client_bits or _LARGEST, self.client_max_window_bits)
            if asked.client_bits is not None or client_bits < _LARGEST:
                answer.append((_CLIENT_BITS, str(client_bits)))
        return ExtensionOffer(self.name, tuple(answer))

    @override
    def codec(self, answer: ExtensionOffer, role: Role) -> "DeflateCodec | None":
        """Make the codec for an answer; None when the answer is malformed, or not one to `offers`."""
        agreed = _read_parameters(answer, bare_client_bits=False)
        if agreed is None or (role is Role.CLIENT and not self._offered(agreed)):
            return None
        server_bits = agreed.server_bits or _LARGEST
        client_bits = agreed.client_bits or _LARGEST
        if role is Role.SERVER:
            own_bits = min(server_bits, self.server_max_window_bits)
            own_takeover = not (agreed.server_alone or self.server_no_context_takeover)
            return DeflateCodec(self, own_bits, own_takeover, client_bits, not agreed.client_alone)
        own_bits = min(client_bits, self.client_max_window_bits)
        own_takeover = not (agreed.client_alone or self.client_no_context_takeover)
        return DeflateCodec(self, own_bits, own_takeover, server_bits, not agreed.server_alone)

    def _offered(self, agreed: "_Parameters") -> bool:
        """Tell whether an answer is one to what we offer."""
        if len(self.offers()) > 1:
            return True  # the second one leaves the server free
        if self.server_no_context_takeover and not agreed.server_alone:
            return False
        if (agreed.server_bits or _LARGEST) > self.server_max_window_bits:
            return False
        return (agreed.client_bits or 0) <= self.client_max_window_bits  # 7.1.2.2: the value offered or less


@dataclass(slots=True)
class _Parameters:
    """The four parameters as one offer or answer has them; None: absent, or without a value."""

    server_alone: bool = False
    client_alone: bool = False
    server_bits: int | None = None
    client_bits: int | None = None
    names_client_bits: bool = False


def _read_parameters(offer: ExtensionOffer, *, bare_client_bits: bool) -> _Parameters | None:
    """Read an offer or an answer (RFC 7692 section 7.1).

    Args:
        offer: what to read.
        bare_client_bits: client_max_window_bits may stand without a value, as in an offer.

    Returns:
        None when a parameter is unknown, repeated, or has a value that it cannot have.
    """
    read = _Parameters()
    seen: set[str] = set()
    for name, value in offer.parameters:
        if name in seen:
            return None
        seen.add(name)
        bits = int(value) if value is not None and _WINDOW_BITS.fullmatch(value) else None
        if name == _SERVER_TAKEOVER and value is None:
            read.server_alone = True
        elif name == _CLIENT_TAKEOVER and value is None:
            read.client_alone = True
        elif name == _SERVER_BITS and bits is not None:
            read.server_bits = bits
        elif name == _CLIENT_BITS and (bits is not None or (value is None and bare_client_bits)):
            read.client_bits = bits
            read.names_client_bits = True
        else:
            return None
    return read


@final
class DeflateCodec(Codec):
    """Both directions of one connection.

    Args:
        deflate: level, memory level, threshold and module.
        own_bits: our window; below 9 we do not compress.
        own_takeover: our messages may refer into earlier ones.
        peer_bits, peer_takeover: the same of the peer's.
    """

    __slots__ = (
        "_any_input",
        "_compressor",
        "_deflate",
        "_inflater",
        "_own_bits",
        "_own_takeover",
        "_peer_bits",
        "_peer_takeover",
        "_rest",
        "_streams",
        "pending",
    )

    def __init__(
        self, deflate: Deflate, own_bits: int, own_takeover: bool, peer_bits: int, peer_takeover: bool
    ) -> None:
        self._deflate: Deflate = deflate
        self._own_bits: int = own_bits
        self._own_takeover: bool = own_takeover
        self._peer_bits: int = peer_bits
        self._peer_takeover: bool = peer_takeover
        self._compressor: Compressor | None = None
        self._inflater: Decompressor | None = None
        self._rest: bytes = b""  # input that waits for room in the output
        self._any_input: bool = False  # this message has had some
        self._streams: int = 0  # that ended inside this message
        self.pending: bool = False

    # Compressing.

    @override
    def wants(self, size: int, choice: bool | None) -> bool:
        """Tell whether to compress: as chosen, else from the threshold on; nothing with 8 bits."""
        if self._own_bits < _LEAST_TO_COMPRESS or not size:
            return False
        return size >= self._deflate.threshold if choice is None else choice

    @override
    def encode(self, data: bytes, *, final: bool) -> bytes:
        """Compress a piece of a message (RFC 7692 section 7.2.1)."""
        if self._compressor is None:
            self._compressor = self._deflate.compressor(self._own_bits)
        output = _flushed(self._compressor, data)
        if not final:
            return output
        if not self._own_takeover:
            self._compressor = None
        return _without_tail(output)

    @override
    def alone(self) -> Hashable | None:
        """Return what makes two compressors give the same."""
        deflate = self._deflate
        return deflate.name, id(deflate.zlib), deflate.level, deflate.memory_level, self._own_bits

    @override
    def encode_alone(self, data: bytes) -> bytes:
        """Compress a message with a context of its own."""
        return _without_tail(_flushed(self._deflate.compressor(self._own_bits), data))

    @override
    def sent_alone(self) -> None:
        """Forget our context: the peer's has moved on by a message that ours did not see."""
        self._compressor = None

    # Decompressing.

    @override
    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        """Inflate (RFC 7692 section 7.2.2)."""
        if data:
            self._any_input = True
            self._rest = data
        if self._inflater is None:
            self._inflater = self._deflate.zlib.decompressobj(-self._peer_bits)
        inflater, offered = self._inflater, len(self._rest)
        try:
            output = inflater.decompress(self._rest, limit)
        except self._deflate.zlib.error:
            return Violation.COMPRESSED_DATA
        if inflater.eof:
            return self._end_stream(inflater, output)
        self._rest = inflater.unconsumed_tail
        self.pending = bool(self._rest) or len(output) >= limit
        if not output and offered and len(self._rest) == offered:
            return Violation.COMPRESSED_DATA  # a module that takes nothing and gives nothing would spin here
        return output

    def _end_stream(self, inflater: Decompressor, output: bytes) -> bytes | Violation:
        """A final block ended the stream (section 7.2.3.4): what follows is a new one."""
        self._rest = inflater.unused_data
        self._inflater = None
        self.pending = bool(self._rest)
        self._streams += 1
        return output if self._streams <= _MAX_STREAMS else Violation.TOO_MANY_STREAMS

    @override
    def finish(self, limit: int) -> bytes | Violation:
        """Put back what the sender left out (section 7.2.2), unless nothing was begun, or all is ended."""
        if not self._any_input or self._inflater is None:
            return b""  # a message that ends with its final block is complete without more
        return self.decode(_TAIL, limit)

    @override
    def end_message(self) -> Violation | None:
        """Be ready for the next message; without takeover, look whether this one was cut off."""
        self._streams = 0
        any_input, self._any_input = self._any_input, False
        if self._peer_takeover:
            return None
        inflater, self._inflater = self._inflater, None
        if not any_input or inflater is None:
            return None
        try:
            inflater.decompress(_LAST_BLOCK, 1)
        except self._deflate.zlib.error:
            return Violation.COMPRESSED_DATA
        return None if inflater.eof else Violation.COMPRESSED_DATA


def _flushed(compressor: Compressor, data: bytes) -> bytes:
    """Compress data so that the peer can decompress all of it."""
    return compressor.compress(data) + compressor.flush(_SYNC_FLUSH)


def _without_tail(output: bytes) -> bytes:
    """Leave out what ends a flushed block (section 7.2.1), or close the block that a flush did not need."""
    return output.removesuffix(_TAIL) if output.endswith(_TAIL) else output + _EMPTY_BLOCK
