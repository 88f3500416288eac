"""The grammar of the differential test: the frames and messages that one peer may send.

A stream is a list of pieces, as a rule one frame each, so that a stream that shows something can be made
smaller piece by piece. Every choice comes from one generator.
"""

import random

from differential.deflate import DeflateWriter
from differential.words import BAD_UTF8, CODES, REASONS, payload_of
from wscore import Role

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40

MAX_FRAGMENTS = 200  # for every parser that can count them
MAX_EMPTY = 64  # the same for empty ones in a row


def frame(
    first: int, payload: bytes, key: bytes | None, *, form: int | None = None, length: int | None = None
) -> bytes:
    """Write a frame (RFC 6455 section 5.2).

    Args:
        first: FIN, reserved bits and opcode.
        payload: plain.
        key: masks it; None: no mask.
        form: bytes of the length field behind the second byte: 0, 2 or 8; None: the shortest that fits.
        length: what the header says, if it is not the truth.
    """
    size = len(payload) if length is None else length
    if form is None:
        form = 0 if size < 126 else 2 if size < 65536 else 8
    mark = 0 if key is None else 0x80
    seven = size if form == 0 else 126 if form == 2 else 127
    head = bytes((first, mark | seven)) + (size.to_bytes(form, "big") if form else b"")
    return head + payload if key is None else head + key + mask(payload, key)


def mask(payload: bytes, key: bytes) -> bytes:
    """Transform a payload (RFC 6455 section 5.3)."""
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


class StreamWriter:
    """Writes the frames of one sender.

    Args:
        chooser: makes every choice.
        role: of the receiver.
        limit: of its messages.
        deflate: compresses; None: it was not agreed on.
    """

    def __init__(self, chooser: random.Random, role: Role, limit: int, deflate: DeflateWriter | None) -> None:
        self._chooser = chooser
        self._masked = role is Role.SERVER
        self._limit = limit
        self._deflate = deflate
        self._interleaves = chooser.random() < 0.6

    def key(self) -> bytes | None:
        """Choose a masking key, if frames are masked."""
        if not self._masked:
            return None
        return self._chooser.randbytes(4) if self._chooser.random() < 0.95 else b"\0\0\0\0"

    def control(self) -> bytes:
        """Write a ping or a pong."""
        size = self._chooser.choice((0, 0, 1, 4, 8, 20, 125))
        opcode = PING if self._chooser.random() < 0.7 else PONG
        return frame(FIN | opcode, self._chooser.randbytes(size), self.key())

    def close(self, *, valid: bool = True) -> bytes:
        """Write a Close."""
        chooser = self._chooser
        if chooser.random() < 0.2:
            return frame(FIN | CLOSE, b"" if valid else chooser.randbytes(1), self.key())
        code = chooser.choice(CODES["good"] if valid else CODES["any"])
        reason = chooser.choice(REASONS) if valid else chooser.choice((*REASONS, *BAD_UTF8))
        return frame(FIN | CLOSE, code.to_bytes(2, "big") + reason, self.key())

    def message(self, *, size: int | None = None, spoil: bool = False) -> list[bytes]:
        """Write a message, in one frame or several, maybe with controls between them.

        Args:
            size: of the payload; None: any, mostly small.
            spoil: put something into it that is not UTF-8.
        """
        chooser = self._chooser
        text = spoil or chooser.random() < 0.6
        payload = payload_of(chooser, text, chooser.choice(_SIZES) if size is None else size)
        if spoil:
            place = chooser.randint(0, len(payload))
            payload = payload[:place] + chooser.choice(BAD_UTF8) + payload[place:]
        if size is None and not spoil:
            payload = payload[: self._limit * 3 // 4]  # the limit is for `flood` to come near to
        if text and not spoil:
            payload = payload.decode("utf-8", "ignore").encode()  # cut at a code point
        return self.encode(TEXT if text else BINARY, payload)

    def encode(self, opcode: int, payload: bytes) -> list[bytes]:
        """Compress a message or not, and cut it."""
        rsv = 0
        if self._deflate is not None and self._chooser.random() < 0.75:
            rsv, payload = RSV1, self._deflate.encode(payload)
        return self.fragments(opcode | rsv, payload)

    def fragments(self, first: int, payload: bytes) -> list[bytes]:
        """Cut a payload into frames, controls between them."""
        chooser = self._chooser
        if chooser.random() < 0.65:
            return [frame(FIN | first, payload, self.key())]
        count = chooser.choice((1, 1, 1, 2, 3, 6))
        places = sorted(chooser.randint(0, len(payload)) for _ in range(count))
        found: list[bytes] = []
        for start, end in zip([0, *places], [*places, len(payload)], strict=True):
            final = FIN if found and end == len(payload) and start == places[-1] else 0
            found.append(frame(first | final, payload[start:end], self.key()))
            if final:
                break
            first = CONTINUATION
            if self._interleaves and chooser.random() < 0.25:
                found.append(self.control())
        return found

    def conversation(self, messages: int) -> list[bytes]:
        """Write messages and controls."""
        pieces: list[bytes] = []
        for _ in range(messages):
            pieces += self.message() if self._chooser.random() < 0.7 else [self.control()]
        return pieces

    def flood(self) -> list[bytes]:
        """Write what is near the limits: of size, of fragments, of empty fragments, of streams."""
        chooser = self._chooser
        kind = chooser.random()
        if kind < 0.1:
            first = frame(BINARY, bytes(max(0, self._limit - 9)), self.key())
            return [first, frame(FIN | TEXT, b"x" * chooser.choice((9, 10, 20)), self.key())]
        if kind < 0.5:
            return self.message(size=max(0, self._limit + chooser.choice((-1, 0, 0, 1, 2, 500))))
        if kind < 0.7:
            count = chooser.choice((MAX_FRAGMENTS - 2, MAX_FRAGMENTS - 1, MAX_FRAGMENTS + 1))
            return self._spread(b"x", count)
        if kind < 0.85 or self._deflate is None:
            return self._spread(b"", chooser.choice((MAX_EMPTY, MAX_EMPTY + 1, MAX_EMPTY + 2)))
        streams = chooser.choice((127, 129, 1023, 1024, 1025))
        return self.fragments(BINARY | RSV1, b"\x03\x00" * streams + b"\x00")

    def _spread(self, payload: bytes, count: int) -> list[bytes]:
        """Write a first frame, count continuations with payload each, and a last one."""
        first = self._chooser.choice((TEXT, BINARY))
        middle = [frame(CONTINUATION, payload, self.key()) for _ in range(count - 1)]
        return [frame(first, b"a", self.key()), *middle, frame(FIN, payload, self.key())]

    def nonsense(self) -> list[bytes]:
        """Write random payloads behind random headers."""
        chooser = self._chooser
        found = []
        for _ in range(chooser.randint(1, 8)):
            payload = chooser.randbytes(chooser.choice((0, 1, 2, 5, 130)))
            found.append(frame(chooser.choice(_LIKELY_FIRST), payload, self.key()))
        return [*found, chooser.randbytes(chooser.randint(0, 40))]


_SIZES = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 10, 20, 30, 40, 50, 124, 125, 126, 127, 300, 700, 2500)
_LIKELY_FIRST = (
    0x81,
    0x82,
    0x01,
    0x02,
    0x00,
    0x80,
    0x88,
    0x89,
    0x8A,
    0xC1,
    0xC2,
    0x41,
    0xC0,
    0xC9,
    0x83,
    0xA1,
)
