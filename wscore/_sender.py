"""The way out once frames flow: messages and control frames become bytes in the outbox.

The counterpart of `_receiver`. It knows who masks, counts what leaves, and remembers what the timers will
want to know when output is taken: whether a message was among it, whether our Close was.

One message may be under way in fragments. Frames of two messages must not mix (RFC 6455 section 5.4), so
whole messages sent meanwhile are held behind it, as they came: encoded only when their turn comes, because
an encoder's context follows the order on the wire.
"""

from collections.abc import Callable
from typing import Final, final

from ._codes import CloseCode, Opcode, Role
from ._ending import write_close
from ._errors import LocalProtocolError
from ._events import CloseStatus
from ._extension import Codec
from ._frames import SHORT, cut_message, encode_frame, encode_long, encode_short
from ._keepalive import Ping
from ._outbox import Outbox
from ._prepared import PreparedMessage
from ._stats import Stats

_PING_SIZE: Final = 4
_LONG: Final = 128 * 1024  # bytes; a copy of so much costs more in fresh memory than in masking


@final
class Sender:
    """Writes frames into an outbox.

    Args:
        role: clients mask.
        outbox: where frames go.
        stats: counts them.
        entropy: of masking keys and pings.
        fragment_size: payload bytes of a data frame at most; None: as many as the message has.

    Attributes:
        data_queued: a message was queued since output was taken last.
        close_queued: our Close was.
    """

    __slots__ = (
        "_codec",
        "_entropy",
        "_express",
        "_express_bytes",
        "_express_sent",
        "_fragment_size",
        "_held",
        "_marked",
        "_masks",
        "_opcode",
        "_outbox",
        "_started",
        "_stats",
        "_under_way",
        "close_queued",
        "data_queued",
    )

    def __init__(
        self,
        role: Role,
        outbox: Outbox,
        stats: Stats,
        entropy: Callable[[int], bytes],
        fragment_size: int | None = None,
    ) -> None:
        self._masks: bool = role is Role.CLIENT  # RFC 6455 5.1
        self._outbox: Outbox = outbox
        self._stats: Stats = stats
        self._entropy: Callable[[int], bytes] = entropy
        self._fragment_size: int | None = fragment_size
        self._codec: Codec | None = None
        self._express: bool = fragment_size is None  # a short message is one piece
        self._express_sent: int = 0  # how many such were, since they were counted last
        self._express_bytes: int = 0  # their payload
        self._under_way: bool = False  # a message is being sent in fragments
        self._opcode: Opcode = Opcode.TEXT  # its opcode
        self._started: bool = False  # its first frame was written
        self._marked: bool = False  # it is being encoded
        self._held: list[tuple[Opcode, bytes, bool | None] | PreparedMessage] = []
        self.data_queued: bool = False
        self.close_queued: bool = False

    def use(self, codec: Codec) -> None:
        """Encode messages with codec where it wants to."""
        self._codec = codec
        self._express = False

    # Messages.

    def message(self, opcode: Opcode, payload: bytes, compress: bool | None = None) -> None:
        """Send a whole message."""
        if self._under_way:
            self._hold((opcode, payload, compress), len(payload))
            return
        if self._express and len(payload) < SHORT:  # as most are: one call, one piece, counted later
            self.data_queued = True
            self._express_sent += 1
            self._express_bytes += len(payload)
            self._outbox.put_piece(encode_short(opcode, payload, self._entropy(4) if self._masks else None))
            return
        self._count(len(payload), final=True)
        codec = self._codec
        if codec is not None and codec.wants(len(payload), compress):
            self._put(opcode, codec.encode(payload, final=True), marked=True)
        else:
            self._put(opcode, payload)

    def prepared(self, message: PreparedMessage) -> None:
        """Send a message whose frames, or whose payload, need be made only once."""
        if self._under_way:
            self._hold(message, len(message.payload))
            return
        if self._express and not self._masks:  # as in most broadcasts: everybody gets the same frame
            self.data_queued = True
            self._express_sent += 1
            self._express_bytes += len(message.payload)
            self._outbox.put(message.frame)
            return
        codec = self._codec
        if codec is not None and not codec.wants(len(message.payload), message.compress):
            codec = None
        if codec is not None and codec.alone() is None:
            self.message(message.opcode, message.payload, message.compress)
            return
        self._count(len(message.payload), final=True)
        if codec is not None:
            codec.sent_alone()
        payload = message.payload if codec is None else message.encoded(codec)
        if self._masks:
            self._put(message.opcode, payload, marked=codec is not None)
            return
        self._stats.encoded_sent += len(payload)
        for frame in message.frames(codec, self._fragment_size):
            self._put_frame(frame)

    def check_fragment(self, opcode: Opcode) -> None:
        """Raise LocalProtocolError unless a fragment of this kind can come next."""
        if self._under_way and opcode is not self._opcode:
            kinds = ("text", "binary") if self._opcode is Opcode.TEXT else ("binary", "text")
            raise LocalProtocolError("the message under way is {}, this fragment is {}".format(*kinds))

    def fragment(self, opcode: Opcode, payload: bytes, *, final: bool, compress: bool | None = None) -> None:
        """Send the next fragment of a message; an empty one that is not the last needs no frame."""
        if not self._under_way:
            self._begin(opcode, len(payload), final=final, compress=compress)
        if payload or final:
            self._count(len(payload), final=final)
            if self._codec is not None and self._marked:
                payload = self._codec.encode(payload, final=final)
            first = not self._started
            self._started = True
            opcode = opcode if first else Opcode.CONTINUATION
            self._put(opcode, payload, final=final, marked=first and self._marked)
        if final:
            self._under_way = False
            self._release()

    def _begin(self, opcode: Opcode, size: int, *, final: bool, compress: bool | None) -> None:
        """A message in fragments begins; how long it will be nobody knows, so it counts as long."""
        self._under_way = True
        self._opcode = opcode
        self._started = False
        choice = True if compress is None and not final else compress
        self._marked = self._codec is not None and self._codec.wants(max(size, not final), choice)

    def _hold(self, message: tuple[Opcode, bytes, bool | None] | PreparedMessage, size: int) -> None:
        self._held.append(message)
        self._outbox.hold(size)

    def _release(self) -> None:
        """The message in fragments is complete: let the others follow."""
        held, self._held = self._held, []
        self._outbox.release()
        for message in held:
            if isinstance(message, PreparedMessage):
                self.prepared(message)
            else:
                self.message(*message)

    def settle_counts(self) -> None:
        """Bring the counters up to date."""
        number, size, stats = self._express_sent, self._express_bytes, self._stats
        if number:
            stats.messages_sent += number
            stats.frames_sent += number
            stats.payload_sent += size
            stats.encoded_sent += size
            self._express_sent = self._express_bytes = 0

    def _count(self, size: int, *, final: bool) -> None:
        self.data_queued = True
        self._stats.messages_sent += final
        self._stats.payload_sent += size

    # Control frames.

    def ping(self, payload: bytes | None, *, automatic: bool) -> Ping:
        """Queue a ping; None: with a random payload."""
        ping = Ping(self._entropy(_PING_SIZE) if payload is None else payload, automatic=automatic)
        self._outbox.put_control(encode_frame(Opcode.PING, ping.payload, self._new_key()))
        return ping

    def pong(self, payload: bytes) -> None:
        """Queue a pong that nobody asked for; answers to pings go the outbox's own way."""
        self._outbox.put_control(encode_frame(Opcode.PONG, payload, self._new_key()))

    def close(self, status: CloseStatus) -> None:
        """Queue our Close: the last thing that leaves. What is held behind a message under way never will."""
        empty = status.code == CloseCode.NO_STATUS_RECEIVED  # the answer to an empty Close
        payload = b"" if empty else write_close(status.code, status.reason)
        self._held = []
        self._codec = None
        self._outbox.release()
        self._outbox.put(encode_frame(Opcode.CLOSE, payload, self._new_key()))
        self._outbox.end()
        self.close_queued = True

    # The wire.

    def clear(self) -> None:
        """Drop everything: the stream is gone."""
        self._held = []
        self._codec = None
        self._outbox.clear()

    def take(self) -> list[bytes]:
        """Take what may leave now."""
        pieces = self._outbox.take(self._new_key)
        self._stats.wire_sent += self._outbox.given
        self.settle_counts()
        return pieces

    def _put(self, opcode: Opcode, payload: bytes, *, final: bool = True, marked: bool = False) -> None:
        """Queue the frames of a message or fragment."""
        self._stats.encoded_sent += len(payload)
        if self._fragment_size is None:
            key = self._new_key()
            if key is None or len(payload) <= _LONG:
                self._put_frame(encode_frame(opcode, payload, key, final=final, marked=marked))
            else:
                self._stats.frames_sent += 1
                self._outbox.put_long(*encode_long(opcode, payload, key, final=final, marked=marked))
            return
        for frame in cut_message(
            opcode, payload, self._fragment_size, new_key=self._new_key, final=final, marked=marked
        ):
            self._put_frame(frame)

    def _put_frame(self, frame: list[bytes]) -> None:
        self._stats.frames_sent += 1
        self._outbox.put(frame)

    def _new_key(self) -> bytes | None:
        """Return a masking key for one frame; None for a server."""
        return self._entropy(4) if self._masks else None
