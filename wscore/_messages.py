"""From fragments to messages (RFC 6455 section 5.4): size limits, and text that is valid or fails.

Chunks are gathered so that no byte is copied more often than it must be: small ones grow one buffer, big
ones are kept as they are and joined once. What is kept never exceeds the message limit by more than the
objects that hold it. A text is checked as it arrives and decoded once, at the end; a text that arrived
in one piece is only decoded, which checks it, too.
"""

from typing import Final, final

from ._codes import Opcode
from ._config import Limits
from ._utf8 import Utf8Validator
from ._violations import Violation

_SMALL: Final = 1024  # from here on a chunk is worth an object of its own


@final
class MessageAssembler:
    """Puts the frames of one message together.

    Attributes:
        message: after `add` with the last chunk of a final frame: the message, until it is taken.
        size: payload bytes of the message, by the headers seen so far.
        violation: the rule that was broken, or None; nothing more may be added then.
    """

    __slots__ = (
        "_chunks",
        "_empty_in_a_row",
        "_fragments",
        "_frame_final",
        "_is_text",
        "_max_empty",
        "_max_fragments",
        "_max_size",
        "_tail",
        "_utf8",
        "message",
        "size",
        "violation",
    )

    def __init__(self, limits: Limits) -> None:
        self._max_size: int | None = limits.max_message_size
        self._max_fragments: int | None = limits.fragments
        self._max_empty: int | None = limits.max_empty_fragments
        self._is_text: bool = False
        self.size: int = 0
        self._fragments: int = 0
        self._empty_in_a_row: int = 0
        self._frame_final: bool = False
        self._chunks: list[bytes] = []
        self._tail: bytearray = bytearray()
        self._utf8: Utf8Validator = Utf8Validator()
        self.message: str | bytes | None = None
        self.violation: Violation | None = None

    def begin_frame(self, opcode: Opcode, final: bool, length: int) -> bool:
        """Take the header of a data frame; False when the message breaks a limit with it."""
        if opcode is not Opcode.CONTINUATION:
            self._is_text = opcode is Opcode.TEXT
            self.size = 0
            self._fragments = 0
            self._empty_in_a_row = 0
        self.size += length
        self._fragments += 1
        self._frame_final = final
        self._empty_in_a_row = 0 if length or final else self._empty_in_a_row + 1
        self.violation = self._check_limits()
        return self.violation is None

    def _check_limits(self) -> Violation | None:
        if self._max_size is not None and self.size > self._max_size:
            return Violation.MESSAGE_TOO_BIG
        if self._max_fragments is not None and self._fragments > self._max_fragments:
            return Violation.TOO_MANY_FRAGMENTS
        if self._max_empty is not None and self._empty_in_a_row > self._max_empty:
            return Violation.TOO_MANY_EMPTY_FRAGMENTS
        return None

    def add(self, chunk: bytes, frame_done: bool) -> bool:
        """Take payload; False when the text cannot be valid. Then look at `message`."""
        last = frame_done and self._frame_final
        if last and not self._chunks and not self._tail:
            return self._finish_whole(chunk)
        if self._is_text and not (self._utf8.feed(chunk) and (not last or self._utf8.finish())):
            self.violation = Violation.INVALID_UTF8
            return False
        self._keep(chunk)
        if last:
            self._finish()
        return True

    def _finish_whole(self, chunk: bytes) -> bool:
        """Make a message of its only chunk."""
        if not self._is_text:
            self.message = chunk
            return True
        try:
            self.message = chunk.decode("utf-8")
        except UnicodeDecodeError:
            self.violation = Violation.INVALID_UTF8
            return False
        return True

    def _keep(self, chunk: bytes) -> None:
        if len(chunk) < _SMALL:
            self._tail += chunk
            return
        if self._tail:
            self._chunks.append(bytes(self._tail))
            self._tail = bytearray()
        self._chunks.append(chunk)

    def _finish(self) -> None:
        """Join what was kept."""
        if self._tail:
            self._chunks.append(bytes(self._tail))
            self._tail = bytearray()
        data = b"".join(self._chunks)
        self._chunks = []
        self.message = data.decode("utf-8") if self._is_text else data

    def take(self) -> str | bytes | None:
        """Return the finished message, if there is one, and forget it."""
        message = self.message
        self.message = None
        return message

    def forget(self) -> None:
        """Release what is kept of an unfinished message."""
        self._chunks = []
        self._tail = bytearray()
