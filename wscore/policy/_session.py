"""What every session shows, whatever drives it: the facts about one open connection.

A backend's ``Session`` is a subclass that adds what depends on waiting: sending, receiving, closing. What
only reads the core is here, once, so that the names and their meaning are the same everywhere.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, Final, Required, TypedDict

from wscore._batch import BatchMode
from wscore._connection import Connection
from wscore._errors import ConnectionClosed
from wscore._events import Closed
from wscore._http import Request, Response
from wscore._keepalive import Ping
from wscore._lifecycle import State
from wscore._prepared import PreparedMessage
from wscore._stats import Stats

from ._accept import Accept
from ._slow import Backlog, Offered, SlowConsumer, offer

_NUMBERS: Final = count(1)
_NOTHING_SPECIAL: Final = Accept()


class SessionFacts(TypedDict, total=False):
    """What a session is told when it begins; the arguments of `SessionInfo` behind the core."""

    addresses: Required[tuple[Any, Any]]
    secure: Required[bool]
    accepted: Accept
    slow_consumer: SlowConsumer


class SessionInfo:
    """The base of every backend's Session.

    Attributes:
        id: a number that no other session of this process has; log lines carry it.
        batch_mode: when output leaves; see `BatchMode`. AUTO by default.
        user_data: yours; None at first.
        user: who was authenticated: what `Accept` said of it; None: nobody.
        path_parameters: what a `Router` read from the path; empty without one.
        local_address, remote_address: as the socket gives them.
        is_secure: True over TLS.
        slow_consumer: what a broadcast does when this peer reads too slowly.
    """

    __slots__ = (
        "_backlog",
        "_core",
        "batch_mode",
        "id",
        "is_secure",
        "local_address",
        "path_parameters",
        "remote_address",
        "slow_consumer",
        "user",
        "user_data",
    )

    def __init__(
        self,
        core: Connection,
        *,
        addresses: tuple[Any, Any],
        secure: bool,
        accepted: Accept = _NOTHING_SPECIAL,
        slow_consumer: SlowConsumer = SlowConsumer.WAIT,
    ) -> None:
        self._core = core
        self._backlog: Backlog | None = None  # made for the first message that has to wait outside the core
        self.id = next(_NUMBERS)
        self.local_address, self.remote_address = addresses
        self.is_secure = secure
        self.path_parameters: Mapping[str, str | int] = accepted.path_parameters
        self.user: Any = accepted.user
        self.user_data: Any = None
        self.batch_mode = BatchMode.AUTO
        self.slow_consumer = slow_consumer

    def _latency_of(self, ping: Ping) -> float:
        """Return how long the pong took, which is here, or else the connection has ended.

        Raises:
            ConnectionClosed: it is not.
        """
        if ping.latency is None:
            assert self._core.closed is not None
            raise ConnectionClosed(self._core.closed)
        return ping.latency

    def _offer(self, message: PreparedMessage, now: float) -> Offered:
        """Take a broadcast message, as `slow_consumer` says. Then drain."""
        if self._backlog is None and not self._core.writable:
            self._backlog = Backlog()
        return offer(self._core, message, self.slow_consumer, self._backlog, now)

    def _release(self) -> None:
        """Send the broadcasts that have waited for room. Then drain."""
        if self._backlog is not None:
            self._backlog.release(self._core)

    @property
    def request(self) -> Request:
        """The opening request."""
        assert self._core.request is not None  # a session begins when the handshake is complete
        return self._core.request

    @property
    def response(self) -> Response:
        """The answer to it."""
        assert self._core.response is not None
        return self._core.response

    @property
    def subprotocol(self) -> str | None:
        """What was agreed on; None: nothing."""
        return self._core.subprotocol

    @property
    def extensions(self) -> str:
        """The extension agreed on: "permessage-deflate; …"; "" for none."""
        return self._core.extensions

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._core.state

    @property
    def closed(self) -> Closed | None:
        """How the connection ended, from the moment that is settled; None: it has not."""
        return self._core.closed

    @property
    def latency(self) -> float | None:
        """Seconds that the newest answered ping took, keepalive's included; None before the first."""
        return self._core.latency

    @property
    def stats(self) -> Stats:
        """Counters; live."""
        return self._core.stats

    @property
    def broadcasts_dropped(self) -> int:
        """Broadcast messages that this peer was too slow for; see `SlowConsumer`."""
        return 0 if self._backlog is None else self._backlog.dropped

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait for the peer here, not counting the kernel's buffer."""
        return self._core.buffered_amount
