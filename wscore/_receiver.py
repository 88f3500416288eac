"""The way in once frames flow: bytes become messages in the inbox, or something to decide.

The loop runs until the data is used up, the inbox is full, or a control frame or a broken rule needs the
connection's decision. What is not parsed stays raw here, in its place, and counts against nobody: so a
full inbox stops reading, not the frame that is half read.
"""

from enum import Enum
from typing import final

from ._codes import Opcode, Role
from ._config import Limits
from ._frames import FrameParser, Progress
from ._inbox import Inbox
from ._messages import MessageAssembler
from ._stats import Stats
from ._violations import Violation


class Arrival(Enum):
    """Why the loop stopped."""

    NEED_DATA = "all data is used up"
    PAUSED = "the inbox is full"
    CONTROL = "a control frame: opcode and payload"
    FAILED = "the peer broke a rule: violation"


@final
class Receiver:
    """Parses into an inbox.

    Attributes:
        opcode, payload: of the control frame, after CONTROL.
        violation: after FAILED.
        discarding: go on whatever waits; a message that does not fit is dropped, and all after it.
        dropped: how many were.
        finishing: the stream has ended: look at all that came, whatever waits. What is left of it is
            no more than was read at once.
        data_arrived: set by each piece of a message, cleared by whoever looks at it.
    """

    __slots__ = (
        "_assembler",
        "_inbox",
        "_parser",
        "_stats",
        "data_arrived",
        "discarding",
        "dropped",
        "finishing",
        "opcode",
        "payload",
        "violation",
    )

    def __init__(self, role: Role, limits: Limits, inbox: Inbox, stats: Stats) -> None:
        self._parser: FrameParser = FrameParser(role, limits.max_frame_size)
        self._assembler: MessageAssembler = MessageAssembler(limits)
        self._inbox: Inbox = inbox
        self._stats: Stats = stats
        self.opcode: Opcode = Opcode.CLOSE
        self.payload: bytes = b""
        self.violation: Violation | None = None
        self.discarding: bool = False
        self.dropped: int = 0
        self.finishing: bool = False
        self.data_arrived: bool = False

    @property
    def paused(self) -> bool:
        """Tell whether parsing waits for the application."""
        return self._inbox.full and not self.discarding and not self.finishing

    def feed(self, data: bytes) -> None:
        """Append bytes of the stream."""
        self._parser.feed(data)

    def release(self) -> None:
        """Forget what was received and will not be looked at."""
        self._parser.discard()
        self._assembler.forget()

    def advance(self) -> Arrival:
        """Parse until there is a reason to stop."""
        parser, assembler = self._parser, self._assembler
        while not self.paused:
            progress = parser.advance()
            if progress is Progress.NEED_DATA:
                return Arrival.NEED_DATA
            if progress is Progress.CONTROL:
                self.opcode, self.payload = parser.opcode, parser.payload
                return Arrival.CONTROL
            if progress is Progress.FAILED:
                self.violation = parser.violation
                return Arrival.FAILED
            if progress is Progress.HEADER:
                good = assembler.begin_frame(parser.opcode, parser.final, parser.length)
            else:
                self.data_arrived = True
                good = assembler.add(parser.payload, parser.frame_done)
            if not good:
                self.violation = assembler.violation
                return Arrival.FAILED
            if assembler.message is not None:
                self._take_message()
        return Arrival.PAUSED

    def _take_message(self) -> None:
        """Queue the complete message, unless there is no room and messages may be dropped."""
        message = self._assembler.take()
        assert message is not None
        self._stats.messages_received += 1
        size = self._assembler.size
        self._stats.payload_received += size
        if self.discarding and (self.dropped or not self._inbox.fits(size)):
            self.dropped += 1
            return
        self._inbox.put_message(message, size)
