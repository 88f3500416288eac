"""The way out once frames flow: messages and control frames become bytes in the outbox.

The counterpart of `_receiver`. It knows who masks, counts what leaves, and remembers what the timers will
want to know when output is taken: whether a message was among it, whether our Close was.
"""

from collections.abc import Callable
from typing import Final, final

from ._codes import CloseCode, Opcode, Role
from ._ending import write_close
from ._events import CloseStatus
from ._frames import encode_frame
from ._keepalive import Ping
from ._outbox import Outbox
from ._stats import Stats

_PING_SIZE: Final = 4


@final
class Sender:
    """Writes frames into an outbox.

    Attributes:
        data_queued: a message was queued since output was taken last.
        close_queued: our Close was.
    """

    __slots__ = ("_entropy", "_masks", "_outbox", "_stats", "close_queued", "data_queued")

    def __init__(self, role: Role, outbox: Outbox, stats: Stats, entropy: Callable[[int], bytes]) -> None:
        self._masks: bool = role is Role.CLIENT  # RFC 6455 5.1
        self._outbox: Outbox = outbox
        self._stats: Stats = stats
        self._entropy: Callable[[int], bytes] = entropy
        self.data_queued: bool = False
        self.close_queued: bool = False

    def message(self, opcode: Opcode, payload: bytes) -> None:
        """Queue a whole message in one frame."""
        self._put(opcode, payload)
        self.data_queued = True
        self._stats.messages_sent += 1
        self._stats.payload_sent += len(payload)

    def ping(self, payload: bytes | None, *, automatic: bool) -> Ping:
        """Queue a ping; None: with a random payload."""
        ping = Ping(self._entropy(_PING_SIZE) if payload is None else payload, automatic=automatic)
        self._put(Opcode.PING, ping.payload)
        return ping

    def pong(self, payload: bytes) -> None:
        """Queue a pong that nobody asked for; answers to pings go the outbox's own way."""
        self._put(Opcode.PONG, payload)

    def close(self, status: CloseStatus) -> None:
        """Queue our Close: the last thing that leaves."""
        empty = status.code == CloseCode.NO_STATUS_RECEIVED  # the answer to an empty Close
        self._put(Opcode.CLOSE, b"" if empty else write_close(status.code, status.reason))
        self._outbox.end()
        self.close_queued = True

    def take(self) -> list[bytes]:
        """Take everything that waits for the wire."""
        pieces = self._outbox.take(self._new_key)
        self._stats.wire_sent += self._outbox.given
        return pieces

    def _put(self, opcode: Opcode, payload: bytes) -> None:
        self._outbox.put(encode_frame(opcode, payload, self._new_key()))

    def _new_key(self) -> bytes | None:
        """Return a masking key for one frame; None for a server."""
        return self._entropy(4) if self._masks else None
