"""Liveness: which pong answers which ping, and what counts as a sign of life.

Any byte counts as life, so a peer that sends is never pinged. A pong answers the oldest ping with its
payload and, since a peer may answer only the newest of several (RFC 6455 section 5.5.3), every ping before
that one. When to ping and when to give up is decided in `_watch`, from the marks kept here.
"""

from typing import Final, final

_REMEMBERED: Final = 64


@final
class Ping:
    """A ping that was sent.

    Attributes:
        payload: what its pong must carry; at most 125 bytes.
        latency: seconds between the ping leaving and its pong arriving; None until then, and for
            ever when the connection ends first or 64 later pings wait for their pongs.
    """

    __slots__ = ("automatic", "given_at", "latency", "payload")

    def __init__(self, payload: bytes, *, automatic: bool) -> None:
        self.payload: bytes = payload
        self.latency: float | None = None
        self.automatic: bool = automatic  # keepalive's own
        self.given_at: float | None = None  # when it was given to the wire


@final
class Keepalive:
    """The pings that wait for a pong, and the signs of life.

    Attributes:
        last_byte: when anything was received last.
        answered: any byte has come since the last keepalive ping left.
        unsent: there may be pings that have not been given to the wire.
        in_hand: that ping may not have left the backend's hands.
        was_paused: we did not read when that ping left, or at some moment since.
        latency: of the newest answered ping, in seconds; None before the first.
    """

    __slots__ = ("_pings", "answered", "in_hand", "last_byte", "latency", "unsent", "was_paused")

    def __init__(self, now: float) -> None:
        self._pings: list[Ping] = []  # unanswered, oldest first
        self.last_byte: float = now
        self.answered: bool = True
        self.unsent: bool = False
        self.in_hand: bool = False
        self.was_paused: bool = False
        self.latency: float | None = None

    def remember(self, ping: Ping) -> None:
        """Expect a pong for a ping that was queued; of keepalive's own that wait only the newest counts.

        Of very many the oldest are forgotten: a peer that never answers must not cost memory. Keepalive's own
        go last, or an application that pings all the time would hide that one of these waits.
        """
        if ping.automatic:
            self._pings = [
                other for other in self._pings if not other.automatic or other.given_at is not None
            ]
        self._pings.append(ping)
        self.unsent = True
        if len(self._pings) > _REMEMBERED:
            del self._pings[next((at for at, each in enumerate(self._pings) if not each.automatic), 0)]

    def note_received(self, now: float) -> None:
        """Take note that bytes came: the peer lives."""
        self.last_byte = now
        self.answered = True

    def note_given(self, now: float, *, paused: bool) -> bool:
        """Take note that what was queued is on its way; True when a keepalive ping was among it."""
        pinged = self.unsent = False
        for ping in self._pings:
            if ping.given_at is None:
                ping.given_at = now
                pinged = pinged or ping.automatic
        if pinged:
            self.answered = False
            self.was_paused = paused
            self.in_hand = True
        return pinged

    @property
    def ping_waits(self) -> bool:
        """Tell whether a keepalive ping has not even been given to the wire."""
        return any(ping.automatic and ping.given_at is None for ping in self._pings)

    def receive_pong(self, payload: bytes, now: float) -> Ping | None:
        """Match a pong; return the ping that it answers, None: nobody asked."""
        for index, ping in enumerate(self._pings):
            if ping.payload == payload and ping.given_at is not None:
                for answered in self._pings[: index + 1]:
                    assert answered.given_at is not None  # given out before a later one
                    answered.latency = now - answered.given_at
                self.latency = ping.latency
                del self._pings[: index + 1]
                return ping
        return None
