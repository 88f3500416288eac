"""Frames as RFC 6455 section 5.2 draws them, and any others that its fields allow.

This is written without the core's own frames, on purpose: what a test expects must not come from what it
tests. Nothing is checked here but what cannot be written down at all.
"""

from dataclasses import dataclass
from typing import Final, Self

from wscore import Opcode, Role

from ._words import payload_words

_KEY: Final = b"\x37\xfa\x21\x3d"  # RFC 6455 section 5.7
_FORMS: Final = {0: 125, 2: 0xFFFF, 8: 0xFFFF_FFFF_FFFF_FFFF}  # bytes behind the second: the greatest length
_NAMES: Final = {int(opcode): opcode.name.lower() for opcode in Opcode}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, right or wrong.

    Attributes:
        opcode: 0 to 15; see `Opcode` for those with a meaning.
        payload: as it is before masking.
        final: the FIN bit.
        rsv: the three reserved bits as a number: 4 is RSV1, 2 is RSV2, 1 is RSV3.
        masked: whether it is masked; None: as the sender's role demands (section 5.1).
        key: four bytes to mask with; the default is that of the examples in section 5.7.
        length_form: bytes of the length behind the second byte of the frame: 0, 2 or 8; None: the shortest.
        length: what the header claims; None: the true length.

    Raises:
        ValueError: a field cannot hold such a value.
    """

    opcode: int
    payload: bytes = b""
    final: bool = True
    rsv: int = 0
    masked: bool | None = None
    key: bytes = _KEY
    length_form: int | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.opcode <= 15 and 0 <= self.rsv <= 7 and len(self.key) == 4):
            raise ValueError("opcode must be 0 to 15, rsv 0 to 7, and key four bytes")
        if self.length_form not in (None, *_FORMS):
            raise ValueError("length_form must be 0, 2, 8 or None")
        if not 0 <= self.claimed <= _FORMS[self.form]:
            raise ValueError(f"a length of {self.claimed} cannot be written in this form")

    @classmethod
    def text(cls, text: str | bytes = "", *, final: bool = True) -> Self:
        """Return a text frame; bytes need not be UTF-8."""
        return cls(Opcode.TEXT, _encoded(text), final)

    @classmethod
    def binary(cls, data: bytes = b"", *, final: bool = True) -> Self:
        """Return a binary frame."""
        return cls(Opcode.BINARY, data, final)

    @classmethod
    def continuation(cls, data: str | bytes = b"", *, final: bool = True) -> Self:
        """Return a frame that goes on with a message; final: it ends it."""
        return cls(Opcode.CONTINUATION, _encoded(data), final)

    @classmethod
    def ping(cls, payload: bytes = b"") -> Self:
        """Return a ping; of more than 125 bytes it is wrong."""
        return cls(Opcode.PING, payload)

    @classmethod
    def pong(cls, payload: bytes = b"") -> Self:
        """Return a pong; of more than 125 bytes it is wrong."""
        return cls(Opcode.PONG, payload)

    @classmethod
    def close(cls, code: int | None = None, reason: str | bytes = "") -> Self:
        """Return a Close frame; code: any 16 bits, None: an empty one (without the reason, then)."""
        return cls(Opcode.CLOSE, b"" if code is None else code.to_bytes(2, "big") + _encoded(reason))

    @property
    def claimed(self) -> int:
        """The length that the header claims."""
        return len(self.payload) if self.length is None else self.length

    @property
    def form(self) -> int:
        """The bytes of the length behind the second byte of the frame."""
        return shortest_form(self.claimed) if self.length_form is None else self.length_form

    def encode(self, sender: Role) -> bytes:
        """Write the frame as it travels from a sender in that role."""
        masked = is_masked(self, sender)
        first = (0x80 if self.final else 0) | self.rsv << 4 | self.opcode
        seven = {0: self.claimed, 2: 126, 8: 127}[self.form]
        head = bytes([first, (0x80 if masked else 0) | seven])
        if self.form:
            head += self.claimed.to_bytes(self.form, "big")
        return head + self.key + _mask(self.payload, self.key) if masked else head + self.payload


def is_masked(frame: Frame, sender: Role) -> bool:
    """Tell whether a frame is masked, or would be if it came from that sender."""
    return sender is Role.CLIENT if frame.masked is None else frame.masked


def shortest_form(length: int) -> int:
    """Return how many bytes of the length stand behind the second byte at least."""
    return next((form for form, most in _FORMS.items() if length <= most), 8)


def read_frame(data: bytes) -> tuple[Frame, int] | None:
    """Read the frame that data begins with.

    Returns:
        The frame and its size on the wire; None: not all of it is there.
    """
    if len(data) < 2:
        return None
    masked, seven = data[1] >= 0x80, data[1] & 0x7F
    form = {126: 2, 127: 8}.get(seven, 0)
    start = 2 + form
    length = int.from_bytes(data[2:start], "big") if form else seven
    key = data[start : start + 4] if masked else _KEY
    start += 4 if masked else 0
    if len(data) < start + length:
        return None
    payload = data[start : start + length]
    frame = Frame(
        data[0] & 0x0F,
        _mask(payload, key) if masked else payload,
        final=data[0] >= 0x80,
        rsv=data[0] >> 4 & 7,
        masked=masked,
        key=key,
        length_form=form,
    )
    return frame, start + length


def same_frame(expected: Frame, came: Frame, sender: Role) -> bool:
    """Tell whether two frames of one sender are the same but for the masking key."""
    return _content(expected, sender) == _content(came, sender)


def frame_words(frame: Frame, sender: Role) -> str:
    """Describe a frame; what is as it should be is not mentioned.

    ::

        >>> frame_words(Frame.text("hel", final=False), Role.CLIENT)
        "text 'hel', not final"
        >>> frame_words(Frame(3, rsv=4, masked=False), Role.CLIENT)
        'opcode 3 nothing, RSV1, unmasked'
    """
    words = [f"{_NAMES.get(frame.opcode, f'opcode {frame.opcode}')} {_payload_words(frame)}"]
    if not frame.final:
        words.append("not final")
    words += [f"RSV{3 - bit}" for bit in (2, 1, 0) if frame.rsv & 1 << bit]
    masked = is_masked(frame, sender)
    if masked is not (sender is Role.CLIENT):
        words.append("masked" if masked else "unmasked")
    if frame.form != shortest_form(frame.claimed):
        words.append(f"with a length of {frame.form} bytes")
    if frame.claimed != len(frame.payload):
        words.append(f"claiming {frame.claimed} bytes")
    return ", ".join(words)


def _content(frame: Frame, sender: Role) -> tuple[object, ...]:
    """Return all of a frame that a test may expect."""
    fields = (int(frame.opcode), frame.payload, frame.final, frame.rsv)
    return (*fields, is_masked(frame, sender), frame.form, frame.claimed)


def _payload_words(frame: Frame) -> str:
    payload = frame.payload
    if frame.opcode == Opcode.CLOSE and len(payload) >= 2:
        code, reason = int.from_bytes(payload[:2], "big"), payload[2:]
        return f"{code} {_text_words(reason)}" if reason else f"{code}"
    return _text_words(payload) if frame.opcode == Opcode.TEXT else payload_words(payload)


def _text_words(payload: bytes) -> str:
    """Describe text; its bytes if it is none."""
    try:
        return payload_words(payload.decode())
    except UnicodeDecodeError:
        return payload_words(payload)


def _encoded(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _mask(payload: bytes, key: bytes) -> bytes:
    """Transform as section 5.3 says."""
    pattern = (key * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return masked.to_bytes(len(payload), "big")
