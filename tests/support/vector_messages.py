"""What was sent, compared with a spec in which some elements stand for more than their bytes.

A *head* is compared as HTTP compares heads. A *compressed* message is inflated: what a compressor makes of a
message differs from one zlib to the next, so a vector says what must come out at the peer. `Inflation` is
that peer: one inflater whose window lasts from message to message, and a new one for each message that
must not need the earlier ones.
"""

import zlib
from dataclasses import dataclass
from typing import Any, Final

from support.vector_specs import octets

_TAIL: Final = b"\x00\x00\xff\xff"
_OPCODES: Final = {"TEXT": 1, "BINARY": 2}
_FIN, _RSV1, _MASKED = 0x80, 0x40, 0x80


def same_bytes(spec: Any, actual: bytes, inflation: "Inflation | None" = None) -> bool:
    """Compare what was sent with a spec."""
    inflation = inflation or Inflation()
    for part in spec if isinstance(spec, list) else [spec]:
        rest = _match(part, actual, inflation)
        if rest is None:
            return False
        actual = rest
    return not actual


def _match(part: Any, actual: bytes, inflation: "Inflation") -> bytes | None:
    """Return what follows the bytes that part stands for; None when actual begins with others."""
    if isinstance(part, dict) and "head" in part:
        head, end, rest = actual.partition(b"\r\n\r\n")
        good = end and _fields(head.decode("latin-1").split("\r\n")) == _fields(part["head"])
        return rest if good else None
    if isinstance(part, dict) and "compressed" in part:
        frames = read_frames(part, actual)
        return frames.rest if frames is not None and inflation.agrees(part, frames.payload) else None
    expected = octets(part)
    return actual[len(expected) :] if actual.startswith(expected) else None


def _fields(lines: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """Return a head so that equal heads are equal: no reason phrase, no case and no order of names."""
    start = lines[0][:12] if lines[0].startswith("HTTP/") else lines[0]
    pairs = [line.partition(": ") for line in lines[1:]]
    return start, sorted(((name.lower(), value) for name, _, value in pairs), key=lambda pair: pair[0])


# Compressed messages.


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one message: their joined payload, and what follows them."""

    payload: bytes
    rest: bytes


def read_frames(element: dict[str, Any], actual: bytes) -> Frames | None:
    """Read the frames that an element stands for; None when actual begins with something else."""
    first, final, count = element.get("first", True), element.get("final", True), element.get("frames")
    key = bytes.fromhex(element.get("key", ""))
    payload, number, opening = b"", 0, _OPCODES[element["opcode"]] | _RSV1 if first else 0
    while len(actual) >= 2:
        last = bool(actual[0] & _FIN)
        if actual[0] & ~_FIN != opening or bool(actual[1] & _MASKED) is not bool(key):
            return None
        start, size = _measure(actual)
        if actual[start : start + len(key)] != key or len(actual) < start + len(key) + size:
            return None
        start += len(key)
        piece = actual[start : start + size]
        payload += bytes(octet ^ key[index % 4] for index, octet in enumerate(piece)) if key else piece
        actual, number, opening = actual[start + size :], number + 1, 0
        if last or (not final and number == (count or 1)):
            good = last is final and number == (count or number)
            return Frames(payload, actual) if good else None
    return None


def _measure(frame: bytes) -> tuple[int, int]:
    """Return where the length of a frame ends, and the length."""
    size = frame[1] & 0x7F
    if size < 126:
        return 2, size
    end = 4 if size == 126 else 10
    return end, int.from_bytes(frame[2:end], "big")


class Inflation:
    """Inflates the compressed messages of one vector, in order, as its peer would."""

    def __init__(self) -> None:
        self._lasting: _Inflater | None = None
        self._alone: _Inflater | None = None

    def agrees(self, element: dict[str, Any], payload: bytes) -> bool:
        """Tell whether the payload of a message, or of a part of one, is what element says."""
        expected, bits = octets(element["compressed"]), element.get("window_bits", 15)
        if len(payload) > element.get("at_most", len(payload)):
            return False
        if element.get("final", True):
            payload += _TAIL
        if self._lasting is None:
            self._lasting = _Inflater(bits)
        if element.get("first", True):
            self._alone = None if element["takeover"] else _Inflater(bits)
        inflaters = [inflater for inflater in (self._lasting, self._alone) if inflater is not None]
        return all(inflater.inflate(payload) == expected for inflater in inflaters)


class _Inflater:
    """Raw inflate; a stream that ends is followed by a new one (RFC 7692 section 7.2.3.4)."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._stream = zlib.decompressobj(-bits)

    def inflate(self, data: bytes) -> bytes | None:
        """Return what data inflates to; None when it is malformed."""
        output = b""
        try:
            while data:
                output += self._stream.decompress(data)
                data = self._stream.unused_data
                if self._stream.eof:
                    self._stream = zlib.decompressobj(-self._bits)
        except zlib.error:
            return None
        return output
