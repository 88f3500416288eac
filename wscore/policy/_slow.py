"""Broadcasts and the peers that are too slow for them.

A message to a thousand sessions must not wait for the slowest one, nor may it pile up there without end. A
session takes it at once as long as the core has room. When it has none, the session's policy decides:

- WAIT: the message is queued all the same, and whoever broadcasts waits until there is room, where the
  backend can wait. Over `Limits.outbox_limit` the session is closed: it did not keep up.
- DROP: this session does not get this message.
- DROP_OLDEST: the newest few messages are kept beside the core and follow when there is room again.
- CLOSE: the session is closed with 1008.

`offer` takes the decision for one session; a backend loops over them, writes, and calls `Backlog.release`
when a session has room again. Messages sent otherwise do not wait behind a backlog.
"""

from collections import deque
from enum import Enum, auto
from typing import Final, final

from wscore._codes import CloseCode
from wscore._connection import Connection
from wscore._errors import WriteBufferFull
from wscore._prepared import PreparedMessage

from ._outcome import may_send
from ._parts import Part

_KEPT: Final = 16
_TOO_SLOW: Final = "the peer reads too slowly"


class SlowConsumer(Enum):
    """What a broadcast does with a session that has no room."""

    WAIT = auto()
    DROP = auto()
    DROP_OLDEST = auto()
    CLOSE = auto()


class Offered(Enum):
    """What became of a message for one session."""

    SENT = auto()
    """It was queued; write."""
    FULL = auto()
    """It was queued, and the session has no room now; write, and wait if you can."""
    KEPT = auto()
    """It waits in the backlog."""
    DROPPED = auto()
    """It is not sent to this session."""
    CLOSED = auto()
    """The session has been told to close, for its slowness; write."""
    GONE = auto()
    """The session is closing or has ended."""

    @property
    def is_queued(self) -> bool:
        """Whether something was queued: write."""
        return self is Offered.SENT or self is Offered.FULL or self is Offered.CLOSED


def prepare(message: Part | PreparedMessage, compress: bool | None) -> PreparedMessage:
    """Return a message as it is sent to many: framed once for all that agreed on the same.

    Args:
        message: one that is prepared already stays as it is.
        compress: True or False: whether to, if compression was agreed on; None: as `Config` says.

    Raises:
        LocalProtocolError: text with lone surrogates.
        TypeError: neither text nor bytes.
    """
    if isinstance(message, PreparedMessage):
        return message
    return PreparedMessage(message, compress=compress)


@final
class Backlog:
    """The newest messages that had no room.

    Attributes:
        dropped: how many were left out.
    """

    __slots__ = ("_messages", "dropped")

    def __init__(self, kept: int = _KEPT) -> None:
        self._messages: deque[PreparedMessage] = deque(maxlen=kept)
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, message: PreparedMessage) -> None:
        """Add the newest message; the oldest makes room for it."""
        if len(self._messages) == self._messages.maxlen:
            self.dropped += 1
        self._messages.append(message)

    def release(self, core: Connection) -> None:
        """Hand over what has room now, oldest first. Then drain."""
        while self._messages and core.writable and may_send(core.state):
            try:
                core.send_prepared(self._messages[0])
            except WriteBufferFull:
                return  # what is held behind a message under way is not seen in `writable`
            self._messages.popleft()


def offer(
    core: Connection, message: PreparedMessage, policy: SlowConsumer, backlog: Backlog | None, now: float
) -> Offered:
    """Send message over core, or do what policy says when there is no room. Then drain.

    Args:
        core: of the session.
        message: to be sent.
        policy: of the session.
        backlog: what waits already; None: nothing, and there is room.
        now: the time.
    """
    if not may_send(core.state):
        return Offered.GONE
    if backlog is None or (core.writable and not backlog):
        return _send(core, message, now)
    if policy is SlowConsumer.WAIT:
        return _send(core, message, now)
    if policy is SlowConsumer.DROP:
        backlog.dropped += 1
        return Offered.DROPPED
    if policy is SlowConsumer.DROP_OLDEST:
        backlog.keep(message)
        return Offered.KEPT
    return _give_up(core, now)


def _send(core: Connection, message: PreparedMessage, now: float) -> Offered:
    try:
        core.send_prepared(message)
    except WriteBufferFull:
        return _give_up(core, now)
    return Offered.SENT if core.writable else Offered.FULL


def _give_up(core: Connection, now: float) -> Offered:
    core.close(CloseCode.POLICY_VIOLATION, _TOO_SLOW, now=now)
    return Offered.CLOSED
