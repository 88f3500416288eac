"""Bytes that wait for the wire, and the few pongs that may.

The backend takes everything that waits in one go and asks again when all of it has left; asking again is
what tells the core that it has. So a byte is in one of two places: *waiting* here or *given* out, and
both count as buffered until the next question. Messages behind one that is still being sent in fragments are
not even frames yet; they are *held* by the sender. They are buffered, too, but do not make the outbox less
writable: only what finishes the message before them can let them go.

A flood of pings must not become a flood of pongs: only the newest few unanswered pings are answered, which
RFC 6455 section 5.5.3 allows. Pongs are encoded when they are given out, before anything that waits, at a
frame boundary by construction. After our Close nothing may leave, so a pong that comes later is dropped.
Where big messages are cut into frames, the frames are given out one by one, and pings go before them, too.
"""

from collections.abc import Callable
from typing import Final, final

from ._codes import Opcode
from ._config import Limits
from ._frames import encode_frame

_PONGS_KEPT: Final = 16
_PONG_HEADER: Final = 2  # at least
_CUT_AT: Final = 256  # frames
_JOIN_BELOW: Final = 16 * 1024  # pieces up to this size are joined; bigger ones stay as they are


@final
class Outbox:
    """The outgoing side of one connection.

    Attributes:
        waiting: bytes not given out yet; a pong counts before it is encoded.
        held: payload bytes of messages that may not become frames yet.
        given: bytes given out that have not been reported gone.
        limit: above this, the caller must not queue another message.
        writable: False from above the high mark down to the low one, of what waits and what was given.
    """

    __slots__ = (
        "_batch",
        "_closed",
        "_first",
        "_frames",
        "_gone",
        "_head",
        "_high",
        "_low",
        "_pongs",
        "_queued",
        "_urgent",
        "given",
        "held",
        "limit",
        "waiting",
        "writable",
    )

    def __init__(self, limits: Limits, batch: int | None = None) -> None:
        self._batch: int | None = batch  # give out no more frames than reach so many bytes
        self._high: int = limits.outbox_high
        self._low: int = limits.outbox_low
        self.limit: int = limits.outbox_limit
        self._head: bytes = b""
        self._frames: list[list[bytes]] = []
        self._first: int = 0  # the first of them that was not taken
        self._queued: int = 0  # bytes of these
        self._urgent: list[list[bytes]] = []
        self._pongs: list[bytes] = []
        self.held: int = 0
        self._closed: bool = False
        self._gone: bool = False
        self.waiting: int = 0
        self.given: int = 0
        self.writable: bool = True

    @property
    def buffered(self) -> int:
        """Bytes that wait and bytes given out that may not have left."""
        return self.waiting + self.held + self.given

    @property
    def on_the_way(self) -> int:
        """Bytes that wait as frames, and bytes given out that may not have left."""
        return self.waiting + self.given

    @property
    def idle(self) -> bool:
        """Tell whether everything has left and nothing waits."""
        return self.buffered == 0

    @property
    def crowded(self) -> bool:
        """Tell whether too much waits for another message to be queued."""
        return self.waiting + self.held + self.given > self.limit

    @property
    def has_data(self) -> bool:
        """Tell whether `take` would give something."""
        return self.waiting > 0

    def put(self, frame: list[bytes]) -> None:
        """Queue one whole frame, given as its pieces; nothing once the stream is gone."""
        if self._gone:
            return
        self._frames.append(frame)
        size = 0
        for piece in frame:
            size += len(piece)
        self._queued += size
        self.waiting += size
        if self.waiting + self.given > self._high:
            self.writable = False

    def put_control(self, frame: list[bytes]) -> None:
        """Queue a ping or pong: where messages are cut into frames it need not wait for the last of them."""
        if self._batch is None:
            self.put(frame)
        elif not self._gone:
            self._urgent.append(frame)
            self.waiting += sum(map(len, frame))
            self._check_high()

    def hold(self, size: int) -> None:
        """Count a message that may not become frames yet; a negative size takes it back."""
        if not self._gone:
            self.held += size

    def _check_high(self) -> None:
        if self.waiting + self.given > self._high:
            self.writable = False

    def put_head(self, head: bytes) -> None:
        """Queue a handshake head: it leaves before anything else, also before a pong."""
        if not self._gone:
            self._head = head
            self.waiting += len(head)

    def put_pong(self, payload: bytes) -> None:
        """Let a pong leave next; of many that have not left yet, the oldest is dropped."""
        if self._closed:
            return
        self._pongs.append(payload)
        self.waiting += len(payload) + _PONG_HEADER
        if len(self._pongs) > _PONGS_KEPT:
            self.waiting -= len(self._pongs.pop(0)) + _PONG_HEADER

    def end(self) -> None:
        """Our Close has been queued: no pong may be added behind it."""
        self._closed = True

    def clear(self) -> None:
        """Drop everything: the stream is gone."""
        self._head = b""
        self._frames = []
        self._first = self._queued = 0
        self._urgent = []
        self._pongs = []
        self._closed = True
        self._gone = True
        self.held = 0
        self.waiting = 0
        self.given = 0
        self.writable = True

    def note_departed(self) -> None:
        """Take note that all that was given out has left."""
        self.given = 0
        if self.waiting <= self._low:
            self.writable = True

    def take(self, new_key: Callable[[], bytes | None]) -> list[bytes]:
        """Give out what waits, all or as much as a batch may have; small pieces joined, big ones as they are.

        Args:
            new_key: makes the masking key of a pong; None from a server.
        """
        pieces: list[bytes] = [self._head] if self._head else []
        self._head = b""
        if self._pongs:
            for payload in self._pongs:
                pieces += encode_frame(Opcode.PONG, payload, new_key())
            self._pongs = []
        if self._urgent:
            pieces += _flatten(self._urgent)
            self._urgent = []
        pieces += _flatten(self._take_frames())
        self.given = sum(map(len, pieces))
        self.waiting = self._queued
        if self.given >= _JOIN_BELOW:
            return _join_small(pieces)
        return [b"".join(pieces)] if pieces else []

    def _take_frames(self) -> list[list[bytes]]:
        """Take the frames that may leave now, at least one if there is any."""
        frames, first, size = self._frames, self._first, 0
        if self._batch is None:
            self._frames, self._queued = [], 0
            return frames
        end = first
        while end < len(frames) and size < self._batch:
            size += sum(map(len, frames[end]))
            end += 1
        taken = frames[first:end]
        frames[first:end] = [[]] * len(taken)  # they are gone; the list is cut when much of it is
        self._first, self._queued = end, self._queued - size
        if end == len(frames) or end >= max(_CUT_AT, len(frames) // 2):
            del frames[:end]
            self._first = 0
        return taken


def _flatten(frames: list[list[bytes]]) -> list[bytes]:
    return [piece for frame in frames for piece in frame]


def _join_small(pieces: list[bytes]) -> list[bytes]:
    """Join runs of small pieces."""
    if len(pieces) < 2:
        return pieces
    joined: list[bytes] = []
    run: list[bytes] = []
    for piece in pieces:
        if len(piece) < _JOIN_BELOW:
            run.append(piece)
            continue
        if run:
            joined.append(b"".join(run))
            run = []
        joined.append(piece)
    if run:
        joined.append(b"".join(run))
    return joined
