"""An extension that is not deflate: run-length coding, to test what must hold for any extension.

A pair of octets stands for a run: how often, 1 to 255, and what. So the expected bytes of a test can be
written by hand, and what an encoder and a decoder were asked for is written down.
"""

from collections.abc import Hashable, Sequence
from typing import final

from wscore import Codec, Extension, ExtensionOffer, Role, Violation
from wscore._typing import override

NAME = "x-run-length"


def pack(data: bytes) -> bytes:
    """Encode data: every run as one pair, or as several when it is long."""
    packed = b""
    while data:
        count = min(len(data) - len(data.lstrip(data[:1])), 255)
        packed += bytes([count]) + data[:1]
        data = data[count:]
    return packed


@final
class RunLength(Extension):
    """The extension.

    Args:
        threshold: shorter messages are not encoded unless somebody asks for it.
        repeatable: what is encoded once may be sent on many connections.

    Attributes:
        made: every codec, in order.
    """

    __slots__ = ("made", "repeatable", "threshold")

    name = NAME

    def __init__(self, *, threshold: int = 0, repeatable: bool = True) -> None:
        self.threshold = threshold
        self.repeatable = repeatable
        self.made: list[RunLengthCodec] = []

    @override
    def offers(self) -> Sequence[ExtensionOffer]:
        """Offer it without parameters."""
        return [ExtensionOffer(NAME, ())]

    @override
    def accept(self, offer: ExtensionOffer) -> ExtensionOffer | None:
        """Decline parameters."""
        return None if offer.parameters else offer

    @override
    def codec(self, answer: ExtensionOffer, role: Role) -> "RunLengthCodec | None":
        """Make a codec; None for parameters."""
        if answer.parameters:
            return None
        self.made.append(RunLengthCodec(self))
        return self.made[-1]


@final
class RunLengthCodec(Codec):
    """One connection's share.

    Attributes:
        calls: what was asked for, in order, apart from `wants` and `alone`.
    """

    __slots__ = ("_extension", "_rest", "calls", "pending")

    def __init__(self, extension: RunLength) -> None:
        self._extension = extension
        self._rest = b""
        self.pending = False
        self.calls: list[str] = []

    @override
    def wants(self, size: int, choice: bool | None) -> bool:
        """Tell whether to encode."""
        return size > 0 and (size >= self._extension.threshold if choice is None else choice)

    @override
    def encode(self, data: bytes, *, final: bool) -> bytes:
        """Encode a piece."""
        self.calls.append("encode the end" if final else "encode")
        return pack(data)

    @override
    def alone(self) -> Hashable | None:
        """Everything depends on the name alone, if anything may be repeated."""
        return NAME if self._extension.repeatable else None

    @override
    def encode_alone(self, data: bytes) -> bytes:
        """Encode a whole message."""
        self.calls.append("encode alone")
        return pack(data)

    @override
    def sent_alone(self) -> None:
        """Take note."""
        self.calls.append("sent alone")

    @override
    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        """Decode as many runs as there is room for; a run may be given in parts."""
        self.calls.append("decode")
        assert not (self.pending and data)
        self._rest += data
        output = b""
        while len(self._rest) > 1 and len(output) < limit:
            count = min(self._rest[0], limit - len(output))
            if not count:
                return Violation.COMPRESSED_DATA
            output += self._rest[1:2] * count
            left = self._rest[0] - count
            self._rest = bytes([left]) + self._rest[1:] if left else self._rest[2:]
        self.pending = len(self._rest) > 1
        return output

    @override
    def finish(self, limit: int) -> bytes | Violation:
        """Nothing more comes of the end."""
        self.calls.append("finish")
        return b""

    @override
    def end_message(self) -> Violation | None:
        """Half a pair is a fault."""
        self.calls.append("end")
        rest, self._rest = self._rest, b""
        return Violation.COMPRESSED_DATA if rest else None
