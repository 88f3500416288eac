"""One direction between two sides: TCP as an endpoint sees it, and what can go wrong with it.

TCP hides loss and disorder: what arrives is the stream, in order, or nothing more of it. So the faults here
are those that an endpoint can meet. Bytes come late (`latency`, `jitter`, `bandwidth`), in other pieces than
they were sent in (`split`), after a pause (`freeze`, `thaw`), or never again, without a word (`lose`); or the
stream ends, in good order (`end`) or not (`reset`).

Bytes that were accepted and have not been delivered are *in flight*; they stand for the kernel's buffers on
both sides and for the network. When `capacity` of them are in flight nothing more is accepted, and stays in
the sender's hands: so a receiver that does not read slows its sender down, as TCP does.
"""

from collections import deque
from enum import Enum
from typing import Final, final

from ._chance import Chance
from ._clock import Clock

_SEGMENT: Final = 1460  # bytes: what one packet of Ethernet carries
_CAPACITY: Final = 64 * 1024
_WHOLE: Final = 1 << 62  # more bytes than anybody sends


class Mark(Enum):
    """What can arrive other than bytes."""

    END = "the stream has ended in good order"
    RESET = "the connection is lost"


@final
class Link:
    """One direction of a `Pair`.

    The settings are plain attributes and may be changed at any time; they hold for bytes sent from then on.

    Args:
        latency: seconds that a byte travels.
        jitter: up to so many seconds more, chosen for each piece; no piece overtakes another.
        split: pieces of so many bytes; (low, high): of random sizes between; None: as they were sent.
        bandwidth: bytes per second; None: no limit. The stream comes then in pieces of at most 1,460 bytes.
        capacity: bytes that are in flight at most; None: no limit.
        seed: of jitter and random sizes.

    Attributes:
        frozen: bytes wait, see `freeze`.
        lost: nothing arrives, see `lose`.

    Raises:
        ValueError: a setting that makes no sense.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        jitter: float = 0.0,
        split: int | tuple[int, int] | None = None,
        bandwidth: float | None = None,
        capacity: int | None = _CAPACITY,
        seed: int = 0,
    ) -> None:
        low, high = split if isinstance(split, tuple) else (split, split)
        if not (latency >= 0 and jitter >= 0):
            raise ValueError("latency and jitter must be seconds, at least 0")
        if not (low is None or high is None or 0 < low <= high):
            raise ValueError("split must be a size of at least 1, or (low, high)")
        if not (bandwidth is None or bandwidth > 0) or not (capacity is None or capacity > 0):
            raise ValueError("bandwidth and capacity must be greater than 0, or None")
        self.latency = latency
        self.jitter = jitter
        self.split = split
        self.bandwidth = bandwidth
        self.capacity = capacity
        self.frozen = False
        self.lost = False
        self._chance = Chance(seed)
        self._clock = Clock()  # until it is part of something
        self._attached = False
        self._queue: deque[tuple[float, bytes | Mark]] = deque()
        self._in_flight = 0
        self._sent_until = 0.0  # the moment when the last byte has left, at this bandwidth
        self._last_due = 0.0
        self._ended = False
        self._reset = False

    # Faults.

    def freeze(self) -> None:
        """Let bytes wait, and the end of the stream, too, until `thaw`."""
        self.frozen = True

    def thaw(self) -> None:
        """Let what waited go on; what is late by now arrives at once."""
        self.frozen = False

    def lose(self) -> None:
        """Let nothing arrive any more, neither bytes nor the end: a dead path that nobody was told of.

        The sender goes on until `capacity` bytes are in flight.
        """
        self.lost = True

    def end(self) -> None:
        """End the stream behind what is in flight; what is sent later vanishes."""
        if not self._ended:
            self._ended = True
            self._put(Mark.END, self._due(0))

    def reset(self) -> None:
        """End the connection abruptly: what is in flight is destroyed, and the other side learns of it.

        What is sent later vanishes.
        """
        if not self._reset:
            self._ended = self._reset = True
            self._queue.clear()
            self._in_flight = 0
            self._put(Mark.RESET, self._clock.now + self.latency)

    # For those who stand at the two ends.

    @property
    def in_flight(self) -> int:
        """Bytes that were accepted and have not been delivered."""
        return self._in_flight

    def attach(self, clock: Clock) -> None:
        """Let the link live on clock.

        Raises:
            ValueError: it is in use already.
        """
        if self._attached:
            raise ValueError("a Link is one direction of one pair and cannot be used again")
        self._attached = True
        self._clock = clock

    def send(self, data: memoryview) -> int:
        """Accept bytes at this end.

        Returns:
            How many: fewer than given when `capacity` is reached.
        """
        if self._ended:
            return len(data)
        room = len(data) if self.capacity is None else max(0, self.capacity - self._in_flight)
        accepted = data[:room]
        position = 0
        while position < len(accepted):
            piece = bytes(accepted[position : position + self._piece()])
            position += len(piece)
            self._put(piece, self._due(len(piece)))
        self._in_flight += len(accepted)
        return len(accepted)

    def receive(self, *, reading: bool = True) -> bytes | Mark | None:
        """Take what has arrived at the other end; None: nothing so far.

        Args:
            reading: False: the receiver takes neither bytes nor the end now, but notices a reset.
        """
        due = self.next_due(reading=reading)
        if due is None or due > self._clock.now:
            return None
        arrived = self._queue.popleft()[1]
        if isinstance(arrived, bytes):
            self._in_flight -= len(arrived)
        return arrived

    def next_due(self, *, reading: bool = True) -> float | None:
        """Return when `receive` will give something; None: no time changes anything."""
        if self.frozen or self.lost or not self._queue:
            return None
        due, first = self._queue[0]
        return due if reading or first is Mark.RESET else None

    def _piece(self) -> int:
        """Return the greatest size of the next piece."""
        if isinstance(self.split, tuple):
            return self._chance.between(*self.split)
        if self.split is None and self.bandwidth is None:
            return _WHOLE
        return self.split or _SEGMENT

    def _due(self, size: int) -> float:
        """Return when so many bytes that are sent now will arrive."""
        self._sent_until = max(self._sent_until, self._clock.now)
        if self.bandwidth is not None:
            self._sent_until += size / self.bandwidth
        late = self._chance.below(self.jitter) if self.jitter else 0.0
        return max(self._sent_until + self.latency + late, self._last_due)

    def _put(self, what: bytes | Mark, due: float) -> None:
        self._last_due = due
        self._queue.append((due, what))
