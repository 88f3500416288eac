"""A plain reading of a stream by the text of RFC 6455 and RFC 7692, for the differential test.

It is written a second time and on purpose without the code under test: whole stream at once, nothing
incremental, every rule that a frame breaks is named. wscore must agree with it; and where another parser
differs, the table of differences looks here what the stream really held at that place.
"""

import zlib
from dataclasses import dataclass, field

from differential.cases import Case
from differential.grammar import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_EMPTY,
    MAX_FRAGMENTS,
    PING,
    PONG,
    TEXT,
    mask,
)
from differential.outcomes import Item, Outcome
from differential.utf8 import Utf8Reader
from wscore import Role

CODES = {  # of the rules whose code is not 1002
    "INVALID_UTF8": 1007,
    "CLOSE_REASON_UTF8": 1007,
    "COMPRESSED_DATA": 1007,
    "MESSAGE_TOO_BIG": 1009,
    "TOO_MANY_FRAGMENTS": 1008,
    "TOO_MANY_EMPTY_FRAGMENTS": 1008,
    "TOO_MANY_STREAMS": 1008,
}
_DATA, _CONTROL = (CONTINUATION, TEXT, BINARY), (CLOSE, PING, PONG)
_BLOCK, _STEP = 4096, 65536  # how much of a compressed payload is looked at at once, and what comes of it
_TAIL, _LAST_BLOCK = b"\x00\x00\xff\xff", b"\x01\x00\x00\xff\xff"
_MAX_STREAMS = 1024


def code_of(rule: str) -> int:
    """Return the close code that reports a broken rule."""
    return CODES.get(rule, 1002)


@dataclass(slots=True)
class FrameRead:
    """One frame as it stands in the stream.

    Attributes:
        first, second: its first bytes; second is -1 where the stream ends before.
        form: bytes of the length field.
        length: as the header says; -1 where that is not all there.
        header_done: the header is complete, the masking key included.
        payload: plain, as much of it as there is.
        complete: all of the frame is there.
        rules: that it breaks.
        later: rules that its compressed payload breaks behind the place where reading it must have ended.
        item: the place of a ping or pong among the items.
        room: what the message around a control frame may still grow by.
    """

    first: int
    second: int = -1
    form: int = 0
    length: int = -1
    header_done: bool = False
    payload: bytes = b""
    complete: bool = False
    rules: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    item: int = -1
    room: int = 0

    @property
    def opcode(self) -> int:
        """What kind of frame it is."""
        return self.first & 0x0F

    @property
    def final(self) -> bool:
        """The FIN bit."""
        return bool(self.first & 0x80)

    def breaks(self, rule: str) -> None:
        """Note a rule that the payload breaks."""
        (self.later if self.rules else self.rules).add(rule)


@dataclass(slots=True)
class MessageRead:
    """One message as it stands in the stream.

    Attributes:
        text, marked: what its first frame says.
        began: the number of items when it did.
        fragments, empty_in_a_row, wire_size: counted by headers.
        size: decoded.
        peak: the most that came out of adding a frame's length on the wire to what was decoded before it.
        interleaved: control frames stood between its fragments.
        streams: of DEFLATE that ended in it.
        padded: compressed: it did not end with such an end, as none may (7.2.1).
        cut_off: compressed, without context takeover: it did not end where a block does.
        complete: it has ended.
        item: its place among the items then.
    """

    text: bool
    marked: bool
    began: int = 0
    fragments: int = 0
    empty_in_a_row: int = 0
    wire_size: int = 0
    size: int = 0
    peak: int = 0
    interleaved: bool = False
    streams: int = 0
    padded: bool = True
    cut_off: bool = False
    complete: bool = False
    item: int = -1
    parts: list[bytes] = field(default_factory=list)
    any_input: bool = False
    utf8: Utf8Reader = field(default_factory=Utf8Reader)


class Reading:
    """What a stream holds.

    Args:
        case: the stream.
        block: how many bytes of a compressed payload are inflated at once.

    Attributes:
        frames: those that count: up to the first that breaks a rule, or a Close.
        messages: the data messages among them, the last maybe unfinished.
        items, outcome: the normal form; a failure has no rule and code 0, for the fault may have several.
        rules: that the last frame breaks; empty: none.
    """

    def __init__(self, case: Case, block: int = _BLOCK) -> None:
        self._case = case
        self._block = block
        self._data = case.data
        self._position = 0
        self._masked = case.role is Role.SERVER
        self._inflater: zlib._Decompress | None = None
        self.frames: list[FrameRead] = []
        self.messages: list[MessageRead] = []
        self.items: list[Item] = []
        self.outcome = Outcome("open")
        while self.outcome.kind == "open" and self._position < len(self._data):
            self._read_frame()

    @property
    def rules(self) -> set[str]:
        """The rules that the last frame breaks."""
        return self.frames[-1].rules if self.frames else set()

    @property
    def fault(self) -> FrameRead | None:
        """The frame that breaks a rule."""
        return self.frames[-1] if self.rules else None

    @property
    def open_message(self) -> MessageRead | None:
        """The message that is not complete."""
        return self.messages[-1] if self.messages and not self.messages[-1].complete else None

    # Frames.

    def _read_frame(self) -> None:
        """Read one frame and what follows from it."""
        frame = self._header()
        self.frames.append(frame)
        frame.rules |= self._broken_by(frame)
        if not frame.rules and frame.header_done:
            if frame.opcode in _CONTROL:
                self._read_control(frame)
            else:
                self._read_data(frame)
        if frame.rules:
            self.outcome = Outcome("failed")
        elif not frame.complete:
            self._position = len(self._data)

    def _header(self) -> FrameRead:
        """Take one frame off the stream, as far as it is there (RFC 6455 section 5.2)."""
        data, at = self._data, self._position
        frame = FrameRead(data[at])
        if at + 2 > len(data):
            return frame
        frame.second = data[at + 1]
        seven = frame.second & 0x7F
        frame.form = {126: 2, 127: 8}.get(seven, 0)
        at += 2 + frame.form
        if at > len(data):
            return frame
        frame.length = int.from_bytes(data[at - frame.form : at], "big") if frame.form else seven
        masked = bool(frame.second & 0x80)
        key = data[at : at + 4] if masked else b""
        at += 4 if masked else 0
        frame.header_done = at <= len(data)
        if frame.header_done:
            payload = data[at : at + frame.length]
            frame.payload = mask(payload, key) if masked else payload
            frame.complete = len(payload) == frame.length
            self._position = at + len(payload)
        return frame

    def _broken_by(self, frame: FrameRead) -> set[str]:
        """Return the rules that a header breaks, as far as it is there."""
        opcode, rsv, control = frame.opcode, frame.first & 0x70, frame.opcode in _CONTROL
        begun = self.open_message is not None
        rsv1_allowed = self._case.agreed is not None and opcode in (TEXT, BINARY)
        table = {
            "RESERVED_BITS": rsv & ~0x40 or (rsv and not rsv1_allowed),  # 5.2; RFC 7692 6
            "RESERVED_OPCODE": opcode not in _DATA + _CONTROL,  # 5.2
            "FRAGMENTED_CONTROL": control and not frame.final,  # 5.5
            "UNEXPECTED_CONTINUATION": opcode == CONTINUATION and not begun,  # 5.4
            "MESSAGE_INTERRUPTED": opcode in (TEXT, BINARY) and begun,  # 5.4
        }
        if frame.second >= 0:
            masked = bool(frame.second & 0x80)
            table["UNMASKED_FRAME"] = self._masked and not masked  # 5.1
            table["MASKED_FRAME"] = masked and not self._masked  # 5.1
            table["LONG_CONTROL"] = control and frame.second & 0x7F > 125  # 5.5
        if frame.length >= 0:
            table["LENGTH_SIGN_BIT"] = frame.length >> 63  # 5.2
            table["LONG_LENGTH_FORM"] = frame.length < {0: 0, 2: 126, 8: 65536}[frame.form]  # 5.2
        broken = {rule for rule, value in table.items() if value}
        return broken | (self._limits_broken_by(frame) if frame.header_done and opcode in _DATA else set())

    def _limits_broken_by(self, frame: FrameRead) -> set[str]:
        """Return the limits that a message exceeds with this frame, by its header (10.4)."""
        message = self.open_message
        if frame.opcode != CONTINUATION or message is None:
            message = MessageRead(frame.opcode == TEXT, bool(frame.first & 0x40))
        empty = message.empty_in_a_row + 1 if not frame.length and not frame.final else 0
        limit = self._case.limit
        if message.marked:
            # What does not compress may be longer on the wire, and each flush costs something.
            limit += limit // 4 + 1024 + 8 * message.fragments
        table = {
            "MESSAGE_TOO_BIG": message.wire_size + frame.length > limit,
            "TOO_MANY_FRAGMENTS": message.fragments + 1 > MAX_FRAGMENTS,
            "TOO_MANY_EMPTY_FRAGMENTS": empty > MAX_EMPTY,
        }
        return {rule for rule, broken in table.items() if broken}

    # Control frames.

    def _read_control(self, frame: FrameRead) -> None:
        """Read a whole control frame (5.5)."""
        message = self.open_message
        frame.room = self._case.limit
        if message is not None:
            message.interleaved = True
            frame.room -= message.size
        if not frame.complete:
            return
        if frame.opcode == CLOSE:
            self._read_close(frame)
        else:
            frame.item = len(self.items)
            self.items.append(("ping" if frame.opcode == PING else "pong", frame.payload))

    def _read_close(self, frame: FrameRead) -> None:
        """Read the payload of a Close (5.5.1, 7.4)."""
        if not frame.payload:
            self.outcome = Outcome("closed", 1005)
            return
        if len(frame.payload) == 1:
            frame.rules.add("CLOSE_PAYLOAD")
            return
        code = int.from_bytes(frame.payload[:2], "big")
        registered = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
        if not registered and not 3000 <= code <= 4999:
            frame.rules.add("CLOSE_CODE")
        reason = Utf8Reader()
        reason.read(frame.payload[2:])
        if not reason.complete:
            frame.rules.add("CLOSE_REASON_UTF8")
        if not frame.rules:
            self.outcome = Outcome("closed", code, frame.payload[2:].decode())

    # Messages.

    def _read_data(self, frame: FrameRead) -> None:
        """Read a data frame, or as much of it as there is."""
        if frame.opcode != CONTINUATION:
            started = MessageRead(frame.opcode == TEXT, bool(frame.first & 0x40), began=len(self.items))
            self.messages.append(started)
        message = self.messages[-1]
        message.wire_size += frame.length
        message.peak = max(message.peak, message.size + frame.length)
        message.fragments += 1
        message.empty_in_a_row = message.empty_in_a_row + 1 if not frame.length and not frame.final else 0
        if message.marked:
            self._inflate(message, frame)
        else:
            self._add(message, frame, frame.payload)
        if not (frame.complete and frame.final) or frame.rules:
            return
        if message.text and not message.utf8.complete:
            frame.breaks("INVALID_UTF8")
            return
        message.complete = True
        message.item = len(self.items)
        data = b"".join(message.parts)
        self.items.append(("text", data.decode()) if message.text else ("binary", data))

    def _add(self, message: MessageRead, frame: FrameRead, data: bytes) -> None:
        """Take plain payload."""
        message.size += len(data)
        message.parts.append(data)
        if message.size > self._case.limit:
            frame.breaks("MESSAGE_TOO_BIG")
        if message.text:
            message.utf8.read(data)
            if not message.utf8.good:
                frame.breaks("INVALID_UTF8")

    def _inflate(self, message: MessageRead, frame: FrameRead) -> None:
        """Take compressed payload (RFC 7692 section 7.2.2), in blocks; a last one that is not whole waits."""
        payload = frame.payload
        block = self._block
        end = len(payload) if frame.complete else len(payload) // block * block
        for start in range(0, end, block):
            self._decode(message, frame, payload[start : min(start + block, end)])
        message.any_input = message.any_input or bool(payload)
        if not (frame.complete and frame.final) or (frame.rules | frame.later) - {"INVALID_UTF8"}:
            return
        if message.any_input:
            message.padded = self._inflater is not None
            if message.padded:  # what ends with its final block is complete
                self._decode(message, frame, _TAIL)
        if self._case.agreed is not None and not self._case.agreed.takeover:
            self._check_cut_off(message, frame)

    def _decode(self, message: MessageRead, frame: FrameRead, data: bytes) -> None:
        """Inflate one block; a stream that ends is followed by a new one (7.2.3.4)."""
        assert self._case.agreed is not None
        while not (frame.rules | frame.later) - {"INVALID_UTF8"}:
            if self._inflater is None:
                self._inflater = zlib.decompressobj(-self._case.agreed.bits)
            step = min(_STEP, self._case.limit - message.size + 1)
            try:
                output = self._inflater.decompress(data, step)
            except zlib.error:
                frame.breaks("COMPRESSED_DATA")
                return
            self._add(message, frame, output)
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:
                data, self._inflater = self._inflater.unused_data, None
                message.streams += 1
                if message.streams > _MAX_STREAMS:
                    frame.breaks("TOO_MANY_STREAMS")
            if not data and len(output) < step:
                return

    def _check_cut_off(self, message: MessageRead, frame: FrameRead) -> None:
        """Without context takeover a message must end where a block does (7.2.1)."""
        inflater, self._inflater = self._inflater, None
        if not message.any_input or inflater is None or frame.rules:
            return
        try:
            inflater.decompress(_LAST_BLOCK, 1)
        except zlib.error:
            message.cut_off = True
            frame.breaks("COMPRESSED_DATA")
            return
        if not inflater.eof:
            message.cut_off = True
            frame.breaks("COMPRESSED_DATA")
