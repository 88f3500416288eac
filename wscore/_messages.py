"""From fragments to messages (RFC 6455 section 5.4): size limits, and text that is valid or fails.

Whole messages: what comes in pieces grows one buffer, which becomes the message without another copy; a list
of pieces to be joined would need twice the memory at the end, fresh from the kernel each time. What is kept
never exceeds the message limit by more than the objects that hold it. A text is decoded as it arrives,
which checks it; a message that came in one piece needs no buffer.

Streaming: nothing is kept. Each chunk becomes a `Fragment` at once, except for the up to three bytes of a
code point whose end is still to come. What came before a fault is still given.

A message that an extension has marked goes through a `PayloadDecoder` first, one bounded step at a time:
while `decoding` holds, `step` gives more of it. Its size counts decoded; on the wire it may be a little
longer than the limit, as incompressible data is, but no more.
"""

from io import BytesIO, StringIO
from typing import Final, final

from ._codes import Opcode
from ._config import Limits
from ._decoding import PayloadDecoder
from ._events import Fragment
from ._extension import Codec
from ._utf8 import Utf8Validator
from ._violations import Violation

_WHOLE_LIMIT: Final = 0xFFFF  # bytes; longer messages rarely come in one piece
_FLUSH: Final = 8  # bytes that each fragment may cost its encoder


@final
class MessageAssembler:
    """Puts the frames of one message together.

    Attributes:
        ready: a message or fragment, until it is taken; look after each `add` and `step`, also a failed one.
        ready_size: its payload bytes, decoded.
        decoding: `step` must be called before anything may be added.
        skipping: do not decode marked messages any more, nobody will see them.
        violation: the rule that was broken, or None; nothing more may be added then.
    """

    __slots__ = (
        "_begun",
        "_binary",
        "_decoder",
        "_empty_in_a_row",
        "_fragments",
        "_frame_final",
        "_is_text",
        "_marked",
        "_max_binary",
        "_max_empty",
        "_max_fragments",
        "_max_text",
        "_size",
        "_streaming",
        "_text",
        "_utf8",
        "_wire_size",
        "ready",
        "ready_size",
        "skipping",
        "violation",
    )

    def __init__(self, limits: Limits, *, streaming: bool = False) -> None:
        self._max_text: int | None = _smaller(limits.max_message_size, limits.max_text_size)
        self._max_binary: int | None = _smaller(limits.max_message_size, limits.max_binary_size)
        self._max_fragments: int | None = limits.fragments
        self._max_empty: int | None = limits.max_empty_fragments
        self._streaming: bool = streaming
        self._decoder: PayloadDecoder | None = None
        self._is_text: bool = False
        self._marked: bool = False
        self._size: int = 0  # decoded
        self._wire_size: int = 0  # by the headers seen so far
        self._fragments: int = 0
        self._empty_in_a_row: int = 0
        self._frame_final: bool = False
        self._begun: bool = False  # of the message at hand some payload is kept
        self._text: StringIO | None = None  # what is kept: both grow in place, and give it away uncopied
        self._binary: BytesIO | None = None
        self._utf8: Utf8Validator = Utf8Validator()
        self.ready: str | bytes | Fragment | None = None
        self.ready_size: int = 0
        self.skipping: bool = False
        self.violation: Violation | None = None

    def whole_limit(self) -> int:
        """Return how long a message may be that needs nobody to put it together; -1: none may."""
        limits = [self._max_text, self._max_binary, _WHOLE_LIMIT]
        one_frame_too_many = self._max_fragments is not None and self._max_fragments < 1
        if self._streaming or one_frame_too_many:
            return -1
        return min(limit for limit in limits if limit is not None)

    def use(self, codec: Codec) -> None:
        """Decode marked messages with codec."""
        self._decoder = PayloadDecoder(codec)

    @property
    def decoding(self) -> bool:
        """Tell whether there may be more of what was added."""
        return self._decoder is not None and self._decoder.busy

    # The way in: a header, then chunks.

    def begin_frame(self, opcode: Opcode, final: bool, length: int, *, marked: bool = False) -> bool:
        """Take the header of a data frame; False when the message breaks a limit with it."""
        if opcode is not Opcode.CONTINUATION:
            self._is_text = opcode is Opcode.TEXT
            self._marked = marked
            self._size = 0
            self._wire_size = 0
            self._fragments = 0
            self._empty_in_a_row = 0
        self._wire_size += length
        self._fragments += 1
        self._frame_final = final
        self._empty_in_a_row = 0 if length or final else self._empty_in_a_row + 1
        self.violation = self._check_limits()
        return self.violation is None

    def _check_limits(self) -> Violation | None:
        limit = self._max_text if self._is_text else self._max_binary
        if limit is not None and self._marked:
            limit = _with_overhead(limit, self._fragments)
        if limit is not None and self._wire_size > limit:
            return Violation.MESSAGE_TOO_BIG
        if self._max_fragments is not None and self._fragments > self._max_fragments:
            return Violation.TOO_MANY_FRAGMENTS
        if self._max_empty is not None and self._empty_in_a_row > self._max_empty:
            return Violation.TOO_MANY_EMPTY_FRAGMENTS
        return None

    def add(self, chunk: bytes, frame_done: bool) -> bool:
        """Take payload; False when the message breaks a rule with it."""
        last = frame_done and self._frame_final
        if not self._marked:
            return self._add_plain(chunk, last)
        if self.skipping:
            if last:
                self._utf8.finish()  # forget half a code point
                self._set_ready(b"", 0)
            return True
        assert self._decoder is not None  # or the mark would be a violation
        self._decoder.feed(chunk, frame_done, last)
        return self.step()

    def step(self) -> bool:
        """Decode on; False when the message breaks a rule with that."""
        assert self._decoder is not None
        limit = self._max_text if self._is_text else self._max_binary
        room = None if limit is None else limit - self._size
        output = self._decoder.step(room)
        if isinstance(output, Violation):
            return self._fail(output)
        if room is not None and len(output) > room:
            return self._fail(Violation.MESSAGE_TOO_BIG)
        return self._add_plain(output, self._decoder.ended)

    def _fail(self, violation: Violation) -> bool:
        self.violation = violation
        return False

    # Plain payload.

    def _add_plain(self, chunk: bytes, last: bool) -> bool:
        """Take decoded payload."""
        self._size += len(chunk)
        if self._streaming:
            return self._stream(chunk, last)
        if last and not self._begun:
            return self._finish_whole(chunk)
        self._begun = not last
        return self._add_text(chunk, last) if self._is_text else self._add_binary(chunk, last)

    def _add_text(self, chunk: bytes, last: bool) -> bool:
        """Decode what chunk completes, and keep it; the message is what was kept."""
        if not self._is_valid(chunk, last):
            return self._fail(Violation.INVALID_UTF8)
        if self._text is None:
            self._text = StringIO()
        self._text.write(self._utf8.text)
        if last:
            self._set_ready(self._text.getvalue(), self._size)
            self._text = None
        return True

    def _add_binary(self, chunk: bytes, last: bool) -> bool:
        """Keep chunk; the message is what was kept."""
        if self._binary is None:
            self._binary = BytesIO()
        self._binary.write(chunk)
        if last:
            self._set_ready(self._binary.getvalue(), self._size)
            self._binary = None
        return True

    def _is_valid(self, chunk: bytes, last: bool) -> bool:
        """Tell whether the text may go on with chunk, and end with it if it is the last one."""
        return self._utf8.feed(chunk) and (not last or self._utf8.finish())

    def _stream(self, chunk: bytes, last: bool) -> bool:
        """Make a fragment of chunk; nothing of an empty one, unless it is the last."""
        data: str | bytes = chunk
        size, valid = len(chunk), True
        if self._is_text:
            valid = self._is_valid(chunk, last)
            data, size = self._utf8.text, self._utf8.size
        if data or (last and valid):
            self._set_ready(Fragment(data, last and valid), size)
        return valid or self._fail(Violation.INVALID_UTF8)

    def _finish_whole(self, chunk: bytes) -> bool:
        """Make a message of its only chunk."""
        self.ready_size = len(chunk)
        if not self._is_text:
            self.ready = chunk
            return True
        try:
            self.ready = chunk.decode("utf-8")
        except UnicodeDecodeError:
            return self._fail(Violation.INVALID_UTF8)
        return True

    # The way out.

    def _set_ready(self, event: str | bytes | Fragment, size: int) -> None:
        self.ready = event
        self.ready_size = size

    def take(self) -> str | bytes | Fragment | None:
        """Return what is ready, if anything is, and forget it."""
        event = self.ready
        self.ready = None
        return event

    def forget(self) -> None:
        """Release what is kept of an unfinished message."""
        self._begun = False
        self._text = None
        self._binary = None
        self._decoder = None


def _smaller(one: int | None, other: int | None) -> int | None:
    """Return the smaller limit; None is none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _with_overhead(limit: int, fragments: int) -> int:
    """Return what limit bytes may need on the wire that do not compress, each fragment flushed."""
    return limit + limit // 4 + 1024 + _FLUSH * (fragments - 1)
