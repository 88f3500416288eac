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

A long payload that a client must mask is masked and given out in parts. Nothing may come between these, and
what was queued behind it stays where it is until its last part has been given; pings go before its frame, or
right behind it when a part of it has left.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, final

from ._codes import Opcode
from ._config import Limits
from ._frames import encode_frame
from ._mask import MaskedLater

_PONGS_KEPT: Final = 16
_PONG_HEADER: Final = 2  # at least
_HELD: Final = 64  # bytes that a held message costs besides its payload, about
_PART: Final = 128 * 1024  # bytes of a long payload to be given out at once
_JOIN_BELOW: Final = 16 * 1024  # pieces up to this size are joined; bigger ones stay as they are


@final
class Outbox:
    """The outgoing side of one connection.

    Args:
        limits: its marks.
        batch: give out no more frames than reach so many bytes; None: all of them.

    Attributes:
        waiting: bytes not given out yet; a pong counts before it is encoded.
        held: payload bytes of messages that may not become frames yet.
        given: bytes given out that have not been reported gone.
        limit: above this, the caller must not queue another message.
        writable: False from above the high mark down to the low one, of what waits and what was given.
        roomy: another message may certainly be queued; if not, `crowded` knows.
    """

    __slots__ = (
        "_amid",
        "_batch",
        "_closed",
        "_frames",
        "_gone",
        "_head",
        "_high",
        "_long",
        "_low",
        "_mark",
        "_number_held",
        "_pieces",
        "_pongs",
        "_queued",
        "_tail",
        "_urgent",
        "given",
        "held",
        "limit",
        "roomy",
        "waiting",
        "writable",
    )

    def __init__(self, limits: Limits, batch: int | None = None) -> None:
        self._batch: int | None = batch
        self._high: int = limits.outbox_high
        self._low: int = limits.outbox_low
        self.limit: int = limits.outbox_limit
        self._mark: int = min(self._high, self.limit)  # up to here nothing changes
        self._head: bytes = b""
        self._pieces: list[bytes] = []  # of the frames that leave together,
        self._tail: list[bytes] = self._pieces  # to which the next one is added,
        self._long: deque[tuple[MaskedLater, list[bytes]]] | None = None  # long payloads, what comes behind,
        self._amid: bool = False  # and whether a part of the first one was given;
        self._frames: deque[list[bytes]] | None = None  # or the frames, where they leave in batches,
        self._queued: int = 0  # and the bytes of these
        self._urgent: list[bytes] = []
        self._pongs: list[bytes] = []
        self.held: int = 0
        self._number_held: int = 0
        self._closed: bool = False
        self._gone: bool = False
        self.waiting: int = 0
        self.given: int = 0
        self.writable: bool = True
        self.roomy: bool = True

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
    def urgent_waits(self) -> bool:
        """Tell whether a ping waits for the end of a long frame of which a part has left."""
        return bool(self._urgent)

    @property
    def data_waits(self) -> bool:
        """Tell whether frames wait, and not just pings and pongs that go before them."""
        return bool(self._pieces or self._long or self._frames)

    @property
    def crowded(self) -> bool:
        """Tell whether too much waits for another message to be queued; a held one is more than its bytes."""
        return self.waiting + self.held + self.given + self._number_held * _HELD > self.limit

    def put(self, frame: list[bytes]) -> None:
        """Queue one whole frame, given as its pieces; nothing once the stream is gone."""
        if self._gone:
            return
        size = sum(map(len, frame))
        if self._batch is None:
            self._tail += frame
        else:
            if self._frames is None:
                self._frames = deque()
            self._frames.append(frame)
            self._queued += size
        self.waiting += size
        self._look()

    def put_piece(self, frame: bytes) -> None:
        """Queue one whole frame that is one piece, where frames leave together."""
        if self._gone:
            return
        self._tail.append(frame)
        self.waiting += len(frame)
        if self.waiting + self.given > self._mark:
            self._look()

    def put_long(self, header: bytes, payload: MaskedLater) -> None:
        """Queue one whole frame with a long payload, where frames leave together."""
        if self._gone:
            return
        self._tail.append(header)
        self._tail = []
        if self._long is None:
            self._long = deque()
        self._long.append((payload, self._tail))
        self.waiting += len(header) + payload.left
        self._look()

    def put_control(self, frame: list[bytes]) -> None:
        """Queue a ping or pong: it need not wait for all of the frames of a cut message, or of long ones."""
        if self._gone or (self._batch is None and not self._long):
            self.put(frame)
            return
        if self._batch is None and not self._amid:
            self._pieces[-1:-1] = frame  # behind what waits already, and before the long frame's header
        else:
            self._urgent += frame
        self.waiting += sum(map(len, frame))
        self._look()

    def _look(self) -> None:
        """See what has become of the room."""
        if self.waiting + self.given > self._high:
            self.writable = False
        self.roomy = not self.crowded

    def hold(self, size: int) -> None:
        """Count a message that may not become frames yet."""
        if not self._gone:
            self.held += size
            self._number_held += 1
            self._look()

    def release(self) -> None:
        """Forget what was held: it becomes frames, or never will."""
        if not self._gone:
            self.held = self._number_held = 0
            self._look()

    def put_head(self, head: bytes) -> None:
        """Queue a handshake head: it leaves before anything else, also before a pong."""
        if not self._gone:
            self._head = head
            self.waiting += len(head)
            self._look()

    def put_pong(self, payload: bytes) -> None:
        """Let a pong leave next; of many that have not left yet, the oldest is dropped."""
        if self._closed:
            return
        self._pongs.append(payload)
        self.waiting += len(payload) + _PONG_HEADER
        if len(self._pongs) > _PONGS_KEPT:
            self.waiting -= len(self._pongs.pop(0)) + _PONG_HEADER
        self.roomy = not self.crowded

    def end(self) -> None:
        """Our Close has been queued: no pong may be added behind it."""
        self._closed = True

    def clear(self) -> None:
        """Drop everything: the stream is gone."""
        self._head = b""
        self._pieces = self._tail = []
        self._long = None
        self._amid = False
        self._frames = None
        self._queued = 0
        self._urgent = []
        self._pongs = []
        self._closed = True
        self._gone = True
        self.held = self._number_held = 0
        self.waiting = 0
        self.given = 0
        self.writable = True

    def note_departed(self) -> None:
        """Take note that all that was given out has left."""
        self.given = 0
        if self.waiting <= self._low:
            self.writable = True
        self.roomy = not self.crowded

    def take(self, new_key: Callable[[], bytes | None]) -> list[bytes]:
        """Give out what waits, all or as much as a batch may have; small pieces joined, big ones as they are.

        Args:
            new_key: makes the masking key of a pong; None from a server.
        """
        if self._long:
            return self._take_to_long(self._long, new_key)
        pieces = self._pieces
        self._pieces = self._tail = []
        self.given, self.waiting = self.waiting, self._queued
        if self._head or self._pongs or self._urgent or self._queued:
            pieces = [*self._take_first(new_key), *pieces, *self._take_batch()]
            self.given, self.waiting = sum(map(len, pieces)), self._queued
        if self.given >= _JOIN_BELOW:
            return _join_small(pieces)
        return [b"".join(pieces)] if pieces else []

    def _take_to_long(
        self, long: deque[tuple[MaskedLater, list[bytes]]], new_key: Callable[[], bytes | None]
    ) -> list[bytes]:
        """Take what goes before the first long payload, and the next part of that."""
        payload, behind = long[0]
        pieces, self._pieces = self._pieces, []
        if not self._amid:
            self.waiting -= len(self._head) + sum(map(len, self._urgent))
            self.waiting -= sum([len(pong) + _PONG_HEADER for pong in self._pongs])
            first = self._take_first(new_key)
            self.waiting += sum(map(len, first))
            pieces = [*first, *pieces]
        pieces.append(payload.take(_PART))
        self._amid = payload.left > 0
        if not self._amid:
            long.popleft()
            self._pieces = behind
        self.given = sum(map(len, pieces))
        self.waiting -= self.given
        return _join_small(pieces)

    def _take_first(self, new_key: Callable[[], bytes | None]) -> list[bytes]:
        """Take what goes before all frames: a head, pongs, and what is urgent."""
        pieces = [self._head] if self._head else []
        for payload in self._pongs:
            pieces += encode_frame(Opcode.PONG, payload, new_key())
        pieces += self._urgent
        self._head, self._pongs, self._urgent = b"", [], []
        return pieces

    def _take_batch(self) -> list[bytes]:
        """Take the frames that may leave now, at least one if there is any."""
        pieces: list[bytes] = []
        size = 0
        while self._frames and size < (self._batch or 0):
            frame = self._frames.popleft()
            size += sum(map(len, frame))
            pieces += frame
        self._queued -= size
        return pieces


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
