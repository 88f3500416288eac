"""How a connection ends: Close frames, and the one outcome (RFC 6455 sections 5.5.1 and 7).

`read_close` and `write_close` are the two directions of a Close frame's payload. `Ending` remembers whose
Close said what, and makes `Closed` of it when the outcome is settled: once, whatever comes later.
"""

from enum import IntEnum
from typing import Any, final

from ._codes import REASON_LIMIT, CloseCode, Side, may_travel, member_of
from ._errors import LocalProtocolError
from ._events import Closed, CloseStatus
from ._timers import Timer
from ._violations import Violation


def read_close(payload: bytes, names: type[IntEnum] | None = None) -> CloseStatus | Violation:
    """Read a Close frame's payload (RFC 6455 section 5.5.1); an empty one reads as 1005.

    Args:
        payload: of the frame.
        names: the private codes that have names.
    """
    if not payload:
        return CloseStatus(CloseCode.NO_STATUS_RECEIVED.value, "")
    if len(payload) == 1:
        return Violation.CLOSE_PAYLOAD
    code = payload[0] << 8 | payload[1]
    if not may_travel(code):
        return Violation.CLOSE_CODE
    try:
        return CloseStatus(member_of(names, code), payload[2:].decode("utf-8"))
    except UnicodeDecodeError:
        return Violation.CLOSE_REASON_UTF8


def write_close(code: int, reason: str) -> bytes:
    """Write a Close frame's payload.

    Raises:
        LocalProtocolError: a code that must not be sent, a reason that is too long or has lone surrogates.
        TypeError: not an int and a str.
    """
    if not isinstance(code, int):
        raise TypeError(f"a close code must be int, not {type(code).__name__}")
    if not isinstance(reason, str):
        raise TypeError(f"a close reason must be str, not {type(reason).__name__}")
    if not may_travel(code):
        raise LocalProtocolError("not a close code that may be sent: 1000-1003, 1007-1014 or 3000-4999")
    try:
        encoded = reason.encode("utf-8")
    except UnicodeEncodeError:
        raise LocalProtocolError("a close reason must not contain lone surrogates") from None
    if len(encoded) > REASON_LIMIT:
        raise LocalProtocolError(f"a close reason has at most 123 bytes, not {len(encoded)}")
    return int(code).to_bytes(2, "big") + encoded


def code_of(status: Any) -> Any:
    """Return a status' code as it is: declared an `int`, a member would become a number in native code."""
    return status.code


@final
class Ending:
    """Whose Close said what, and the outcome.

    Attributes:
        received: the peer's Close, or None.
        sent: our Close, or None.
        cause: the timer that made us send it, or None.
        closed: the outcome, once it is settled.
    """

    __slots__ = ("_initiator", "cause", "closed", "received", "sent")

    def __init__(self) -> None:
        self._initiator: Side | None = None
        self.received: CloseStatus | None = None
        self.sent: CloseStatus | None = None
        self.cause: Timer | None = None
        self.closed: Closed | None = None

    @property
    def clean(self) -> bool:
        """Tell whether both Close frames were exchanged."""
        return self.received is not None and self.sent is not None

    def note_received(self, status: CloseStatus) -> None:
        """The peer's Close arrived."""
        self.received = status
        self._initiator = self._initiator or Side.REMOTE

    def note_sent(self, status: CloseStatus) -> None:
        """Our Close was queued."""
        self.sent = status
        self._initiator = self._initiator or Side.LOCAL

    def answer(self) -> CloseStatus:
        """Return what to answer the peer's Close with: its own words (RFC 6455 section 5.5.1)."""
        assert self.received is not None
        return self.received

    def settle(self, violation: Violation | None, timer: Timer | None, dropped: int) -> Closed | None:
        """Fix the outcome (RFC 6455 sections 7.1.5 and 7.1.6); None when it was fixed before."""
        if self.closed is not None:
            return None
        received = self.received
        self.closed = Closed(
            code=CloseCode.ABNORMAL_CLOSURE.value if received is None else code_of(received),
            reason="" if received is None else received.reason,
            clean=self.clean,
            received=received,
            sent=self.sent,
            initiator=self._initiator,
            violation=violation,
            timer=timer or self.cause,
            dropped=dropped,
        )
        return self.closed
