"""Events that wait for the application, counted in bytes.

Each event is charged its length and 64 bytes, so that a million empty messages are not free. At the high
mark the inbox is full and stays so down to the low mark: parsing stops, and with it reading. Pings and
pongs are information only: they are not charged, and only the newest few are kept.

A list with a head index stands for the queue; it is cut when the read part is long.
"""

from typing import Final, final

from ._config import Limits
from ._events import Event, PingReceived, PongReceived

_OVERHEAD: Final = 64
_CONTROL_KEPT: Final = 16
_CUT_AT: Final = 256


@final
class Inbox:
    """One ordered queue of events with a byte count.

    Attributes:
        full: True from the high mark down to the low one.
        charged: what the waiting events are charged.
        messages: how many messages wait.
    """

    __slots__ = ("_controls", "_events", "_head", "_high", "_low", "charged", "full", "messages")

    def __init__(self, limits: Limits) -> None:
        self._high: int = limits.inbox_high
        self._low: int = limits.inbox_low
        self._events: list[Event | None] = []
        self._head: int = 0
        self._controls: int = 0  # pings and pongs that wait
        self.charged: int = 0
        self.messages: int = 0
        self.full: bool = False

    def __len__(self) -> int:
        return len(self._events) - self._head

    def fits(self, message: str | bytes) -> bool:
        """Tell whether the message would stay below the high mark."""
        return self.charged + len(message) + _OVERHEAD <= self._high

    def put_message(self, message: str | bytes) -> None:
        """Queue a message."""
        self._events.append(message)
        self.messages += 1
        self.charged += len(message) + _OVERHEAD
        if self.charged >= self._high:
            self.full = True

    def put(self, event: Event) -> None:
        """Queue anything else; of pings and pongs only the newest stay."""
        if isinstance(event, (PingReceived, PongReceived)):
            if self._controls == _CONTROL_KEPT:
                self._drop_oldest_control()
            self._controls += 1
        self._events.append(event)

    def _drop_oldest_control(self) -> None:
        for index in range(self._head, len(self._events)):  # pragma: no branch - there is one
            if isinstance(self._events[index], (PingReceived, PongReceived)):
                del self._events[index]
                self._controls -= 1
                return

    def next(self) -> Event | None:
        """Take the oldest event; None when nothing waits."""
        if self._head == len(self._events):
            return None
        event = self._events[self._head]
        self._events[self._head] = None
        self._head += 1
        if self._head == len(self._events) or self._head >= _CUT_AT:
            del self._events[: self._head]
            self._head = 0
        self._account(event)
        return event

    def _account(self, event: Event | None) -> None:
        """Give back what the event was charged."""
        if isinstance(event, (str, bytes)):
            self.messages -= 1
            self.charged -= len(event) + _OVERHEAD
            if self.charged <= self._low:
                self.full = False
        elif isinstance(event, (PingReceived, PongReceived)):
            self._controls -= 1
