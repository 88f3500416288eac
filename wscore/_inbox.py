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

    __slots__ = (
        "_base",
        "_controls",
        "_events",
        "_head",
        "_high",
        "_low",
        "_waiting",
        "charged",
        "full",
        "messages",
    )

    def __init__(self, limits: Limits) -> None:
        self._high: int = limits.inbox_high
        self._low: int = limits.inbox_low
        self._events: list[Event | None] = []  # None: was taken, or dropped
        self._head: int = 0
        self._base: int = 0  # how many events were cut off before the list's first
        self._controls: list[int] = []  # where pings and pongs wait, counted from the first event ever
        self._waiting: int = 0
        self.charged: int = 0
        self.messages: int = 0
        self.full: bool = False

    def __len__(self) -> int:
        return self._waiting

    def fits(self, message: str | bytes) -> bool:
        """Tell whether the message would stay below the high mark."""
        return self.charged + len(message) + _OVERHEAD <= self._high

    def put_message(self, message: str | bytes) -> None:
        """Queue a message."""
        self._events.append(message)
        self._waiting += 1
        self.messages += 1
        self.charged += len(message) + _OVERHEAD
        if self.charged >= self._high:
            self.full = True

    def put(self, event: Event) -> None:
        """Queue anything else; of pings and pongs only the newest stay."""
        if isinstance(event, (PingReceived, PongReceived)):
            self._controls.append(self._base + len(self._events))
            if len(self._controls) > _CONTROL_KEPT:
                self._events[self._controls.pop(0) - self._base] = None
                self._waiting -= 1
        self._events.append(event)
        self._waiting += 1

    def next(self) -> Event | None:
        """Take the oldest event; None when nothing waits."""
        event: Event | None = None
        while event is None and self._head < len(self._events):
            event = self._events[self._head]
            self._events[self._head] = None
            self._head += 1
        if self._head == len(self._events) or self._head >= _CUT_AT:
            self._base += self._head
            del self._events[: self._head]
            self._head = 0
        if event is not None:
            self._account(event)
        return event

    def _account(self, event: Event) -> None:
        """Give back what the event was charged."""
        self._waiting -= 1
        if isinstance(event, (str, bytes)):
            self.messages -= 1
            self.charged -= len(event) + _OVERHEAD
            if self.charged <= self._low:
                self.full = False
        elif isinstance(event, (PingReceived, PongReceived)):
            del self._controls[0]
