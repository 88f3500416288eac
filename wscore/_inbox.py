"""Events that wait for the application, counted in bytes.

Each message, or fragment of one, is charged its payload bytes and 64 more, so that a million empty messages
are not free. At the high mark the inbox is full and stays so down to the low mark: parsing stops, and with it
reading. Pings and pongs are information only: they are not charged, and only the newest few are kept.

A list with a head index stands for the queue; it is cut when the read part is long.
"""

from typing import Final, final

from ._config import Limits
from ._events import Event, Fragment, PingReceived, PongReceived

_OVERHEAD: Final = 64
_CONTROL_KEPT: Final = 16
_CUT_AT: Final = 256


@final
class Inbox:
    """One ordered queue of events with a byte count.

    Attributes:
        full: True from the high mark down to the low one.
        charged: what the waiting events are charged.
        messages: how many messages, or parts of them, wait.
    """

    __slots__ = (
        "_controls",
        "_cut",
        "_events",
        "_head",
        "_high",
        "_low",
        "_sizes",
        "_waiting",
        "charged",
        "full",
        "messages",
    )

    def __init__(self, limits: Limits) -> None:
        self._high: int = limits.inbox_high
        self._low: int = limits.inbox_low
        self._events: list[Event | None] = []  # None: was taken, or dropped
        self._sizes: list[int] = []  # what each is charged
        self._head: int = 0
        self._cut: int = 0  # how many places were cut off the list's front
        self._controls: list[int] = []  # the places of pings and pongs, those cut off included
        self._waiting: int = 0
        self.charged: int = 0
        self.messages: int = 0
        self.full: bool = False

    def __len__(self) -> int:
        return self._waiting

    def fits(self, size: int) -> bool:
        """Tell whether a message of size bytes would stay below the high mark."""
        return self.charged + size + _OVERHEAD <= self._high

    def put_message(self, message: str | bytes | Fragment, size: int) -> None:
        """Queue a message, or a part of one, that has size bytes."""
        size += _OVERHEAD
        self._events.append(message)
        self._sizes.append(size)
        self._waiting += 1
        self.messages += 1
        self.charged += size
        if self.charged >= self._high:
            self.full = True

    def put(self, event: Event) -> None:
        """Queue anything else; of pings and pongs only the newest stay."""
        if isinstance(event, (PingReceived, PongReceived)):
            if len(self._controls) == _CONTROL_KEPT:
                self._drop_oldest_control()
            self._controls.append(self._cut + len(self._events))
        self._events.append(event)
        self._sizes.append(0)
        self._waiting += 1

    def _drop_oldest_control(self) -> None:
        """Leave a gap where it was; close the gaps when they have become many."""
        self._events[self._controls.pop(0) - self._cut] = None
        self._waiting -= 1
        if len(self._events) - self._head - self._waiting >= max(_CUT_AT, self._waiting):
            kept = [index for index, event in enumerate(self._events) if event is not None]
            self._events = [self._events[index] for index in kept]
            self._sizes = [self._sizes[index] for index in kept]
            self._head = self._cut = 0
            self._controls = [
                index
                for index, event in enumerate(self._events)
                if isinstance(event, (PingReceived, PongReceived))
            ]

    def next(self) -> Event | None:
        """Take the oldest event; None when nothing waits."""
        events, head = self._events, self._head
        while head < len(events):
            event, size = events[head], self._sizes[head]
            events[head] = None
            head += 1
            if head == len(events) or head >= _CUT_AT:
                head = self._cut_off(head)
            if event is not None:
                self._head = head
                self._account(event, size)
                return event
        self._head = head
        return None

    def _cut_off(self, head: int) -> int:
        """Forget the places before head; return where it is then."""
        self._cut += head
        del self._events[:head]
        del self._sizes[:head]
        return 0

    def _account(self, event: Event, size: int) -> None:
        """Give back what the event was charged."""
        self._waiting -= 1
        if size:  # only messages and their parts are charged
            self.messages -= 1
            self.charged -= size
            if self.charged <= self._low:
                self.full = False
        elif isinstance(event, (PingReceived, PongReceived)):
            del self._controls[0]
