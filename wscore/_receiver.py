"""The way in once frames flow: bytes become messages in the inbox, or something to decide.

The loop runs until the data is used up, the inbox is full, or a control frame or a broken rule needs the
connection's decision. What is not parsed stays raw here, in its place, and counts against nobody: so a
full inbox stops reading, not the frame that is half read. What is not decoded yet stays encoded here, too:
a few bytes that stand for many never fill more than the inbox and one message.
"""

from enum import Enum
from typing import final

from ._codes import Opcode, Role
from ._config import Limits
from ._events import Fragment
from ._extension import Codec
from ._frames import FrameParser, Progress
from ._inbox import OVERHEAD, Inbox
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
            no more than was read at once; but where it may be compressed, what does not fit is dropped.
        data_arrived: set by each piece of a message, cleared by whoever looks at it.
    """

    __slots__ = (
        "_assembler",
        "_drop_counted",
        "_extended",
        "_inbox",
        "_parser",
        "_stats",
        "_whole_limit",
        "data_arrived",
        "discarding",
        "dropped",
        "finishing",
        "opcode",
        "payload",
        "violation",
    )

    def __init__(
        self, role: Role, limits: Limits, inbox: Inbox, stats: Stats, *, streaming: bool = False
    ) -> None:
        self._parser: FrameParser = FrameParser(role, limits.max_frame_size)
        self._assembler: MessageAssembler = MessageAssembler(limits, streaming=streaming)
        self._whole_limit: int = self._assembler.whole_limit()
        if limits.max_frame_size is not None:
            self._whole_limit = min(self._whole_limit, limits.max_frame_size)
        self._extended: bool = False
        self._drop_counted: bool = False  # the message at hand is among the dropped
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

    def use(self, codec: Codec) -> None:
        """Decode marked messages with codec."""
        self._parser.extended = True
        self._assembler.use(codec)
        self._extended = True

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
        may_run = not self.discarding and not self.finishing  # nothing is dropped
        while not self.paused:
            if self._extended and assembler.decoding:
                good = assembler.step()
            elif may_run and self._take_run():
                if parser.unread or self.paused:
                    continue
                return Arrival.NEED_DATA
            else:
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
                    self._stats.frames_received += 1
                    self._stats.encoded_received += parser.length
                    good = assembler.begin_frame(
                        parser.opcode, parser.final, parser.length, marked=parser.marked
                    )
                else:
                    self.data_arrived = True
                    good = assembler.add(parser.payload, parser.frame_done)
            if assembler.ready is not None:
                self._take_ready()  # also if a rule was broken behind it
            if not good:
                self.violation = assembler.violation
                return Arrival.FAILED
        return Arrival.PAUSED

    def _take_run(self) -> bool:
        """Queue all messages that need nobody to put them together; False when the next one does."""
        messages: list[str | bytes] = []
        charges: list[int] = []
        inbox, stats = self._inbox, self._stats
        charged = self._parser.read_messages(self._whole_limit, inbox.room, OVERHEAD, messages, charges)
        if not charged:
            return False
        inbox.put_messages(messages, charges, charged)
        number = len(messages)
        size = charged - number * OVERHEAD
        stats.messages_received += number
        stats.frames_received += number
        stats.payload_received += size
        stats.encoded_received += size
        self.data_arrived = True
        return True

    def _take_ready(self) -> None:
        """Queue what the assembler has made."""
        event, size = self._assembler.take(), self._assembler.ready_size
        assert event is not None
        self._queue(event, size, final=not isinstance(event, Fragment) or event.final)

    def _queue(self, event: str | bytes | Fragment, size: int, *, final: bool) -> None:
        """Queue a message or a part of one, unless there is no room and messages may be dropped."""
        self._stats.messages_received += final
        self._stats.payload_received += size
        may_drop = self.discarding or (self.finishing and self._extended)
        if may_drop and (self.dropped or not self._inbox.fits(size)):
            self.dropped += not self._drop_counted
            self._drop_counted = not final
            self._assembler.skipping = True
            return
        self._inbox.put_message(event, size)
