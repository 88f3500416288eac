"""Frames: the wire format of RFC 6455 section 5, read and written.

Reading. `FrameParser` is a cursor over the bytes received so far. Every rule is checked at the byte that
can break it: reserved bits, opcode and fragmentation at the first, masking and the length of control
frames at the second, the form of the length when its last byte is there, the size limit before the first
byte of payload. So nothing that will be refused is ever stored. The payload of a data frame is handed out
as it arrives, unmasked, in chunks; a control frame (at most 125 bytes) whole.

::

    parser.feed(data)
    while True:
        match parser.advance():
            case Progress.NEED_DATA: break
            case Progress.HEADER:    # of a data frame: parser.opcode, .final, .marked, .length
            case Progress.PAYLOAD:   # parser.payload: a chunk; parser.frame_done
            case Progress.CONTROL:   # parser.opcode, parser.payload, whole
            case Progress.FAILED:    # parser.violation

Most messages are short, come in one frame, and many of them come in one read. `read_messages` takes a run of
these in one loop; asked before `advance`, it leaves everything else to that, what breaks a rule included.

Writing. `encode_frame` gives one frame as a list of pieces: the header joined with a short payload, or
the header and a long payload as it is, which is not copied unless it must be masked. `cut_message` gives a
message as such frames.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final, final

from ._codes import Opcode, Role
from ._mask import MaskedLater, apply_mask, mask_behind, unmask
from ._violations import Violation

_CONTROL_LIMIT: Final = 125
_RSV1: Final = 0x40  # RFC 7692 section 6: "per-message compressed"
SHORT: Final = 4096  # one copy of so few bytes is cheaper than a second piece on the way to the kernel
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY
_WHOLE_TEXT: Final = 0x80 | int(Opcode.TEXT)  # FIN, and no reserved bit
_WHOLE_BINARY: Final = 0x80 | int(Opcode.BINARY)
_DATA_OPCODES: Final = (int(Opcode.TEXT), int(Opcode.BINARY))
_TEXT_HEADERS: Final = [bytes((_WHOLE_TEXT, length)) for length in range(_CONTROL_LIMIT + 1)]
_BINARY_HEADERS: Final = [bytes((_WHOLE_BINARY, length)) for length in range(_CONTROL_LIMIT + 1)]
_MASKED_TEXT_HEADERS: Final = [bytes((_WHOLE_TEXT, 0x80 | length)) for length in range(_CONTROL_LIMIT + 1)]
_MASKED_BINARY_HEADERS: Final = [
    bytes((_WHOLE_BINARY, 0x80 | length)) for length in range(_CONTROL_LIMIT + 1)
]
_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}


class Progress(Enum):
    """What one step of the parser brought."""

    NEED_DATA = "nothing yet"
    HEADER = "the header of a data frame is complete"
    PAYLOAD = "a chunk of a data frame's payload"
    CONTROL = "a whole control frame"
    FAILED = "the peer broke a rule"


@final
class FrameParser:
    """Cuts a byte stream into frames and holds the peer to every rule of framing.

    Attributes (valid as `Progress` says):
        extended: an extension is agreed on: RSV1 may mark a message, in its first frame.
        opcode, final, length: of the frame at hand.
        marked: that frame had RSV1 set.
        payload: the chunk or control payload just read, unmasked.
        frame_done: True when payload was the last of its frame.
        violation: after FAILED; the parser gives nothing else any more.
    """

    __slots__ = (
        "_buffer",
        "_header_size",
        "_in_frame",
        "_key",
        "_mask_bit",
        "_masked",
        "_max_frame",
        "_message_open",
        "_phase",
        "_position",
        "_remaining",
        "extended",
        "final",
        "frame_done",
        "length",
        "marked",
        "opcode",
        "payload",
        "violation",
    )

    def __init__(self, role: Role, max_frame: int | None) -> None:
        self._masked: bool = role is Role.SERVER  # 5.1: clients mask, servers do not
        self._mask_bit: int = 0x80 if self._masked else 0
        self._header_size: int = 6 if self._masked else 2  # at least
        self._max_frame: int | None = max_frame
        self._buffer: bytes = b""
        self._position: int = 0
        self._message_open: bool = False  # a fragmented message waits for its continuation
        self._in_frame: bool = False  # between a data frame's header and its end
        self._remaining: int = 0
        self._key: bytes = b""
        self._phase: int = 0
        self.extended: bool = False
        self.marked: bool = False
        self.opcode: Opcode = Opcode.CONTINUATION
        self.final: bool = False
        self.length: int = 0
        self.payload: bytes = b""
        self.frame_done: bool = False
        self.violation: Violation | None = None

    @property
    def unread(self) -> int:
        """Bytes that were fed and have not been looked at."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        """Append bytes of the stream."""
        if self._position == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._position :] + data
        self._position = 0

    def discard(self) -> None:
        """Forget what was fed and not looked at, and the last payload."""
        self._buffer = b""
        self._position = 0
        self.payload = b""

    def advance(self) -> Progress:
        """Take one step; see the module's text for what each answer means."""
        if self.violation is not None:
            return Progress.FAILED
        if self._in_frame:
            return self._read_chunk()
        available = len(self._buffer) - self._position
        if available == 0:
            self.discard()  # an idle connection holds no buffer
            return Progress.NEED_DATA
        if available == 1:
            # Half a header can be wrong already; it is looked at again when the rest is there.
            self.violation = self._check_first(self._buffer[self._position])
            return Progress.NEED_DATA if self.violation is None else Progress.FAILED
        return self._read_header(available)

    def read_messages(
        self, limit: int, room: int, overhead: int, messages: list[str | bytes], charges: list[int]
    ) -> int:
        """Read messages that are whole frames, plain and valid, as long as the next one is.

        One loop over the buffer, with the fields in local variables: this is where a busy connection lives.

        Args:
            limit: the payload bytes that a message may have here.
            room: how much is wanted; the message that reaches it is the last.
            overhead: what a message takes of that beside its payload.
            messages, charges: where they go, and what each takes.

        Returns:
            The sum of these; 0: nothing has changed; see what `advance` says.
        """
        buffer, position, mask_bit = self._buffer, self._position, self._mask_bit
        size, taken, header_size = len(buffer), 0, self._header_size
        if self._in_frame or self._message_open or self.violation is not None:
            return 0
        while taken < room:
            start = position + header_size
            if start > size:
                break
            first, length = buffer[position], buffer[position + 1] - mask_bit
            if length == 126:
                start += 2
                if start > size:
                    break
                length = buffer[position + 2] << 8 | buffer[position + 3]
                if length <= _CONTROL_LIMIT:
                    break
            elif length > 126 or length < 0:  # 64 bits, or a mask bit that is wrong
                break
            end = start + length
            if end > size or length > limit:
                break
            if first == _WHOLE_TEXT:
                try:
                    messages.append((unmask(buffer, start, end) if mask_bit else buffer[start:end]).decode())
                except UnicodeDecodeError:
                    break
            elif first == _WHOLE_BINARY:
                messages.append(unmask(buffer, start, end) if mask_bit else buffer[start:end])
            else:
                break
            charges.append(length + overhead)
            taken += length + overhead
            position = end
        if position == size:
            self.discard()
        else:
            self._position = position
        return taken

    def _read_header(self, available: int) -> Progress:
        """Read a header if all of it is there; check whatever is there."""
        buffer, position = self._buffer, self._position
        first, second = buffer[position], buffer[position + 1]
        self.violation = self._check_first(first) or self._check_second(first, second)
        if self.violation is not None:
            return Progress.FAILED
        length = second & 0x7F
        size = 2
        if length > _CONTROL_LIMIT:
            size = 4 if length == 126 else 10
            if available < size:
                return Progress.NEED_DATA
            length = self._read_length(buffer[position + 2 : position + size])
        self.violation = self._check_length(length, size, None if first & 0x08 else self._max_frame)
        if self.violation is not None:
            return Progress.FAILED
        if self._masked:
            size += 4
        if first & 0x08:
            return self._read_control(first, length, size, available)
        if available < size:
            return Progress.NEED_DATA
        self._start_frame(first, length, position + size)
        return Progress.HEADER

    def _read_length(self, field: bytes) -> int:
        """Read a 16 or 64 bit length in network byte order."""
        length = 0
        for byte in field:
            length = length << 8 | byte
        return length

    def _check_first(self, first: int) -> Violation | None:
        """Check FIN, reserved bits and opcode, and where the frame stands in its message."""
        opcode = first & 0x0F
        if first & 0x70 and not (self.extended and first & 0x70 == _RSV1 and opcode in _DATA_OPCODES):
            return Violation.RESERVED_BITS  # 5.2; RFC 7692 6: RSV1 of a message's first frame alone
        if opcode not in _OPCODES:
            return Violation.RESERVED_OPCODE
        if opcode & 0x08:  # 5.5: control frames come whole, also between fragments
            return None if first & 0x80 else Violation.FRAGMENTED_CONTROL
        if opcode == 0:
            return None if self._message_open else Violation.UNEXPECTED_CONTINUATION
        return Violation.MESSAGE_INTERRUPTED if self._message_open else None

    def _check_second(self, first: int, second: int) -> Violation | None:
        """Check the mask bit, and the length of a control frame."""
        if bool(second & 0x80) is not self._masked:
            return Violation.UNMASKED_FRAME if self._masked else Violation.MASKED_FRAME
        if first & 0x08 and second & 0x7F > _CONTROL_LIMIT:
            return Violation.LONG_CONTROL
        return None

    def _check_length(self, length: int, size: int, limit: int | None) -> Violation | None:
        """Check the form of a length that was read from a header of size bytes, and the limit."""
        if length >> 63:
            return Violation.LENGTH_SIGN_BIT
        if (size == 4 and length <= _CONTROL_LIMIT) or (size == 10 and length <= 0xFFFF):
            return Violation.LONG_LENGTH_FORM  # 5.2: the minimal number of bytes must be used
        if limit is not None and length > limit:
            return Violation.FRAME_TOO_BIG
        return None

    def _read_control(self, first: int, length: int, size: int, available: int) -> Progress:
        """Read a control frame if all of it is there."""
        if available < size + length:
            return Progress.NEED_DATA
        start = self._position + size
        self._position = start + length
        self.opcode = _OPCODES[first & 0x0F]
        end = start + length
        self.payload = unmask(self._buffer, start, end) if self._masked else self._buffer[start:end]
        return Progress.CONTROL

    def _start_frame(self, first: int, length: int, start: int) -> None:
        """Remember the data frame whose payload starts at start."""
        if self._masked:
            self._key = self._buffer[start - 4 : start]
        self._position = start
        self._remaining = length
        self._phase = 0
        self._in_frame = True
        self.opcode = _OPCODES[first & 0x0F]
        self.final = bool(first & 0x80)
        self.marked = bool(first & _RSV1)
        self.length = length
        self._message_open = not self.final

    def _read_chunk(self) -> Progress:
        """Hand out what is there of the current frame's payload."""
        end = min(self._position + self._remaining, len(self._buffer))
        chunk = self._buffer[self._position : end]
        if not chunk and self._remaining:
            self.discard()
            return Progress.NEED_DATA
        self._position = end
        self._remaining -= len(chunk)
        if self._masked and chunk:
            chunk = apply_mask(chunk, self._key, self._phase)
            self._phase = (self._phase + len(chunk)) & 3
        self.payload = chunk
        self.frame_done = self._remaining == 0
        self._in_frame = not self.frame_done
        return Progress.PAYLOAD


def encode_frame(
    opcode: Opcode, payload: bytes, key: bytes | None, *, final: bool = True, marked: bool = False
) -> list[bytes]:
    """Write one frame (RFC 6455 section 5.2).

    Args:
        opcode: of this frame.
        payload: any length; at most 125 bytes in a control frame, which the caller has checked.
        key: four unpredictable bytes from a client, None from a server (section 5.1).
        final: False when more fragments of the message follow.
        marked: an extension has changed the message of which this is the first frame.

    Returns:
        One piece, or header and payload apart when the payload is long and not masked.
    """
    first = (0x80 if final else 0) | (_RSV1 if marked else 0) | opcode
    length = len(payload)
    header = _encode_header(first, length, key is not None)
    if key is not None:
        return [mask_behind(header, payload, key)]  # a copy anyway
    if length < SHORT:
        return [header + payload]
    return [header, payload]


def encode_long(
    opcode: Opcode, payload: bytes, key: bytes, *, final: bool = True, marked: bool = False
) -> tuple[bytes, MaskedLater]:
    """Write one masked frame whose payload is masked only as it leaves; otherwise as `encode_frame`.

    Returns:
        What goes before the payload, and the payload.
    """
    first = (0x80 if final else 0) | (_RSV1 if marked else 0) | opcode
    return _encode_header(first, len(payload), True) + key, MaskedLater(payload, key)


def encode_short(opcode: Opcode, payload: bytes, key: bytes | None) -> bytes:
    """Write a text or binary message of less than `SHORT` bytes as one frame in one piece.

    Args:
        opcode: of the message.
        payload: shorter than `SHORT`.
        key: as for `encode_frame`.
    """
    length = len(payload)
    if key is not None:
        if length > _CONTROL_LIMIT:
            return mask_behind(_encode_header(0x80 | opcode, length, True), payload, key)
        headers = _MASKED_TEXT_HEADERS if opcode is _TEXT else _MASKED_BINARY_HEADERS
        return mask_behind(headers[length], payload, key)
    if length <= _CONTROL_LIMIT:
        return (_TEXT_HEADERS if opcode is _TEXT else _BINARY_HEADERS)[length] + payload
    return _encode_header(0x80 | opcode, length, False) + payload


def cut_message(
    opcode: Opcode,
    payload: bytes,
    size: int | None,
    *,
    new_key: Callable[[], bytes | None] = lambda: None,
    final: bool = True,
    marked: bool = False,
) -> list[list[bytes]]:
    """Write a message, or a part of one, as one frame or several (RFC 6455 section 5.4).

    Args:
        opcode: of the first frame; the others are continuations.
        payload: any length.
        size: payload bytes of a frame at most; None for one frame.
        new_key: makes a masking key for each frame, or None for a server.
        final: False when more of the message follows.
        marked: the message begins here, and an extension has changed it.

    Returns:
        The frames, each as its pieces.
    """
    if size is None or len(payload) <= size:
        return [encode_frame(opcode, payload, new_key(), final=final, marked=marked)]
    frames: list[list[bytes]] = []
    for start in range(0, len(payload), size):
        part = payload[start : start + size]
        last = final and start + size >= len(payload)
        frames.append(encode_frame(opcode, part, new_key(), final=last, marked=marked))
        opcode, marked = Opcode.CONTINUATION, False
    return frames


def _encode_header(first: int, length: int, masked: bool) -> bytes:
    """Write the first octet, the mask bit and the length in its shortest form."""
    bit = 0x80 if masked else 0
    if length <= _CONTROL_LIMIT:
        return bytes((first, bit | length))
    if length <= 0xFFFF:
        return (first << 24 | (bit | 126) << 16 | length).to_bytes(4, "big")
    return bytes((first, bit | 127)) + length.to_bytes(8, "big")
