"""One HTTP head at a time, under limits that do not depend on how the bytes were cut.

h11 reads heads well but leniently: its size limit holds only for heads that arrive in pieces, it takes
thousands of headers, bare LF and folded lines. So every head passes through here first. Lines are looked
at in order, each once, when it is complete or already too long; of two limits the one that is met first
counts. What comes out is exactly one head, strictly ended, for h11, and whatever came behind it.
"""

from typing import Final, final

from ._config import Limits
from ._violations import Violation

_CR: Final = 0x0D
_BLANKS: Final = b" \t"


@final
class HeadReader:
    """Collects the bytes of one head.

    Attributes:
        head: the whole head with its empty line, once it is there.
        rest: what was fed behind it.
        start_line: its first line, without the line end.
        names: the names of its header fields in lower case, in order.
        violation: the rule that was broken, or None; nothing more is read then.
    """

    __slots__ = (
        "_buffer",
        "_first_line_violation",
        "_limits",
        "_line_start",
        "_scanned",
        "head",
        "names",
        "rest",
        "start_line",
        "violation",
    )

    def __init__(self, limits: Limits, first_line_violation: Violation = Violation.LINE_TOO_LONG) -> None:
        self._limits: Limits = limits
        self._first_line_violation: Violation = first_line_violation
        self._buffer: bytearray = bytearray()
        self._line_start: int = 0
        self._scanned: int = 0  # no line end before this index
        self.start_line: bytes | None = None
        self.names: list[bytes] = []
        self.head: bytes | None = None
        self.rest: bytes = b""
        self.violation: Violation | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes of the stream until `head` or `violation` is set; not to be called after that."""
        buffer = self._buffer
        buffer += data
        while self.head is None and self.violation is None:
            end = buffer.find(b"\n", self._scanned)
            # The last byte of this line, as far as it is there, that is not its LF.
            self.violation = self._check_extent((end if end >= 0 else len(buffer)) - 1)
            if self.violation is not None:
                break
            if end < 0:
                self._scanned = len(buffer)
                return
            self._take_line(bytes(buffer[self._line_start : end]), end + 1)
        if self.head is not None:
            self.rest = bytes(buffer[len(self.head) :])
        self._buffer = bytearray()

    def _check_extent(self, last: int) -> Violation | None:
        """Check that the current line, which reaches to index last, can still end within the limits."""
        line_bound = self._line_start + self._limits.max_line + 1  # a CR before, an LF here at the latest
        head_bound = self._limits.max_head - 1
        if last < min(line_bound, head_bound):
            return None
        if head_bound < line_bound:
            return Violation.HEAD_TOO_LARGE
        return self._first_line_violation if self.start_line is None else Violation.LINE_TOO_LONG

    def _take_line(self, line: bytes, next_start: int) -> None:
        """Take a complete line, given without its LF."""
        if line[-1:] != b"\r":
            self.violation = Violation.BARE_LF
        elif _CR in line[:-1] or 0 in line:
            self.violation = Violation.MALFORMED_HEAD
        elif self.start_line is None:
            self._take_start_line(line[:-1])
        elif len(line) == 1:
            self.head = bytes(self._buffer[:next_start])
        elif line[0] in _BLANKS:
            self.violation = Violation.OBS_FOLD
        else:
            self._take_field(line)
        self._line_start = self._scanned = next_start

    def _take_start_line(self, line: bytes) -> None:
        if not line or line[0] in _BLANKS:
            self.violation = Violation.MALFORMED_HEAD
        self.start_line = line

    def _take_field(self, line: bytes) -> None:
        if len(self.names) == self._limits.max_headers:
            self.violation = Violation.TOO_MANY_HEADERS
            return
        self.names.append(line.partition(b":")[0].lower())
