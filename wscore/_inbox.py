"""Events that wait for the application, counted in bytes.

Each message, or fragment of one, is charged its payload bytes and 64 more, so that a million empty messages
are not free. At the high mark the inbox is full and stays so down to the low mark: parsing stops, and with it
reading. Pings and pongs are information only: they are not charged, and only the newest few are kept.

Two lists make the queue: what arrives is appended to one; the other is that, turned round, and is emptied
from its end. So each step costs the same whatever waits, and nothing is moved more than once.
"""

from typing import Final, final

from ._config import Limits
from ._events import Event, Fragment, PingReceived, PongReceived

OVERHEAD: Final = 64
_CONTROL_KEPT: Final = 16
_GAPS: Final = 256  # that many may stay before they are closed


@final
class _Control:
    """The place of a ping or pong in the queue.

    Attributes:
        event: it; None: it was dropped, and its place is a gap.
    """

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        self.event: Event | None = event


@final
class Inbox:
    """One ordered queue of events with a byte count.

    Attributes:
        full: True from the high mark down to the low one.
        charged: what the waiting events are charged.
        messages: how many messages, or parts of them, wait.
    """

    __slots__ = (
        "_arrived",
        "_arrived_sizes",
        "_controls",
        "_gaps",
        "_high",
        "_low",
        "_ready",
        "_ready_sizes",
        "charged",
        "full",
        "messages",
    )

    def __init__(self, limits: Limits) -> None:
        self._high: int = limits.inbox_high
        self._low: int = limits.inbox_low
        self._arrived: list[Event | _Control] = []  # the newest last
        self._arrived_sizes: list[int] = []  # what each is charged
        self._ready: list[Event | _Control] = []  # the oldest last
        self._ready_sizes: list[int] = []
        self._controls: list[_Control] = []  # pings and pongs that wait, the oldest first
        self._gaps: int = 0
        self.charged: int = 0
        self.messages: int = 0
        self.full: bool = False

    def __len__(self) -> int:
        return len(self._arrived) + len(self._ready) - self._gaps

    @property
    def room(self) -> int:
        """What may still be charged below the high mark."""
        return self._high - self.charged

    def fits(self, size: int) -> bool:
        """Tell whether a message of size bytes would stay below the high mark."""
        return self.charged + size + OVERHEAD <= self._high

    def put_message(self, message: str | bytes | Fragment, size: int) -> None:
        """Queue a message, or a part of one, that has size bytes."""
        self._arrived.append(message)
        self._arrived_sizes.append(size + OVERHEAD)
        self._charge(1, size + OVERHEAD)

    def put_messages(self, messages: list[str | bytes], charges: list[int], charged: int) -> None:
        """Queue several messages; charges, whose sum is charged, hold for each its bytes and `OVERHEAD`."""
        self._arrived += messages
        self._arrived_sizes += charges
        self._charge(len(messages), charged)

    def _charge(self, messages: int, size: int) -> None:
        self.messages += messages
        self.charged += size
        if self.charged >= self._high:
            self.full = True

    def put(self, event: Event) -> None:
        """Queue anything else; of pings and pongs only the newest stay."""
        if isinstance(event, (PingReceived, PongReceived)):
            if len(self._controls) == _CONTROL_KEPT:
                self._drop_oldest_control()
            control = _Control(event)
            self._controls.append(control)
            self._arrived.append(control)
        else:
            self._arrived.append(event)
        self._arrived_sizes.append(0)

    def _drop_oldest_control(self) -> None:
        """Leave a gap where it was; close the gaps when they have become many."""
        self._controls.pop(0).event = None
        self._gaps += 1
        if self._gaps >= max(_GAPS, len(self)):
            self._turn_all()
            kept = [index for index, event in enumerate(self._ready) if not _is_gap(event)]
            self._ready = [self._ready[index] for index in kept]
            self._ready_sizes = [self._ready_sizes[index] for index in kept]
            self._gaps = 0

    def _turn_all(self) -> None:
        """Make everything ready."""
        self._arrived.reverse()
        self._arrived_sizes.reverse()
        self._ready, self._arrived = self._arrived + self._ready, []
        self._ready_sizes, self._arrived_sizes = self._arrived_sizes + self._ready_sizes, []

    def next(self) -> Event | None:
        """Take the oldest event; None when nothing waits."""
        while self._ready or self._arrived:
            if not self._ready:
                self._turn_all()
            event, size = self._ready.pop(), self._ready_sizes.pop()
            if size:  # only messages and their parts are charged
                self.messages -= 1
                self.charged -= size
                if self.charged <= self._low:
                    self.full = False
            if not isinstance(event, _Control):
                return event
            if event.event is not None:
                del self._controls[0]
                return event.event
            self._gaps -= 1
        return None


def _is_gap(event: Event | _Control) -> bool:
    return isinstance(event, _Control) and event.event is None
