"""What can be raised.

Only a caller's own mistake raises out of the core, before any byte or state has changed: then it is a
`LocalProtocolError`, or `ConnectionClosed` when there is no connection any more. What the *peer* or the
network did never raises there; it comes out as a `Closed` event. The other classes give that event a
shape for backends, so that all of them raise and report the same errors.

::

    WSCoreError
    ├── LocalProtocolError        this call is not allowed now, or not with these arguments
    │   └── WriteBufferFull       the peer reads too slowly: over `Limits.outbox_limit`
    ├── InvalidURL                not a ws:// or wss:// address (also a ValueError)
    ├── ConnectionClosed          the connection has ended; `.closed` tells how
    ├── HandshakeRefused          the server answered with a status other than 101
    ├── RemoteProtocolError       the peer broke a rule; `.violation` names it
    ├── TimedOut                  a timer ended the connection; `.timer` names it
    ├── ConnectionLost            the stream ended without a Close
    └── CloseError                raised by an application's hook to close with a code of its choice
"""

from ._codes import REASON_LIMIT, may_travel, name_of
from ._events import Closed
from ._http import Response
from ._timers import Timer
from ._typing import override
from ._violations import Violation


class WSCoreError(Exception):
    """The base of every error that this library defines."""


class LocalProtocolError(WSCoreError):
    """The caller asked for something that the protocol does not allow; nothing has changed."""


class WriteBufferFull(LocalProtocolError):
    """More bytes wait for the peer than `Limits.outbox_limit` allows; nothing has changed."""


class InvalidURL(WSCoreError, ValueError):
    """The text is not a usable ws:// or wss:// address (RFC 6455 section 3)."""


class ConnectionClosed(WSCoreError):
    """The connection has ended.

    Attributes:
        closed: how it ended.
    """

    def __init__(self, closed: Closed) -> None:
        super().__init__(closed)
        self.closed = closed

    @override
    def __str__(self) -> str:
        reason = f" {self.closed.reason!r}" if self.closed.reason else ""
        name = name_of(self.closed.code)
        return f"the connection is closed: {int(self.closed.code)}{name and f' ({name})'}{reason}"


class HandshakeRefused(WSCoreError):
    """The server answered the opening handshake with a status other than 101.

    Attributes:
        response: its answer, with as much of the body as was kept.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    @override
    def __str__(self) -> str:
        return f"the server refused the upgrade with HTTP status {self.response.status}"


class RemoteProtocolError(WSCoreError):
    """The peer broke a rule.

    Attributes:
        violation: which one.
    """

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation)
        self.violation = violation

    @override
    def __str__(self) -> str:
        return f"the peer broke the protocol: {self.violation.sentence} ({self.violation.clause})"


class TimedOut(WSCoreError):
    """A timer ended the connection.

    Attributes:
        timer: which one.
    """

    def __init__(self, timer: Timer) -> None:
        super().__init__(timer)
        self.timer = timer

    @override
    def __str__(self) -> str:
        return f"the connection timed out: {self.timer.name.lower().replace('_', ' ')}"


class ConnectionLost(WSCoreError):
    """The stream ended without a Close frame."""

    @override
    def __str__(self) -> str:
        return super().__str__() or "the connection was lost without a close handshake"


class CloseError(WSCoreError):
    """Raise it from a hook or a handler to close the connection with a code of your choice.

    Args:
        code: a code that may travel (RFC 6455 section 7.4): 1000-1003, 1007-1014, 3000-4999.
        reason: at most 123 bytes of UTF-8.

    Raises:
        ValueError: a code or a reason that must not be sent.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        if not may_travel(code) or not _fits(reason):
            raise ValueError("not a code and a reason that may be sent")
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def _fits(reason: object) -> bool:
    return isinstance(reason, str) and len(reason.encode("utf-8")) <= REASON_LIMIT


def error_from(closed: Closed) -> WSCoreError | None:
    """Return what ended a connection abnormally, or None after a clean close.

    A violation is named before a timer, a timer before a mere loss.
    """
    if closed.clean:
        return None
    if closed.violation is not None:
        return RemoteProtocolError(closed.violation)
    if closed.timer is not None:
        return TimedOut(closed.timer)
    return ConnectionLost()
