"""Two connections back to back, on a virtual clock."""

from collections.abc import Callable, Sequence
from typing import final

from wscore import Config, Connection, Event, HeadersLike, RequestReceived, Role, State
from wscore._typing import override

from ._clock import Clock
from ._drain import repeatable_entropy
from ._driver import Driver, earliest, settle, until_rest
from ._link import Link
from ._words import connection_words, event_words


@final
class Pair:
    """A client and a server joined back to back, each driven as a backend must drive it.

    Give the two sides commands, then let things happen: `exchange` carries what moves without any time,
    `settle` lets time pass until everything has arrived, `advance` lets so much time pass, `run_until`
    as much as it takes. All of it is the same in every run.

    Args:
        client: the client's Config, or the connection itself.
        server: the server's Config, or the connection itself.
        accept: answers the request by itself, with the first subprotocol offered; False: call
            ``pair.server.accept`` or ``respond`` in the test.
        clock: shared with others; by default a new one, which starts at 0.
        to_server, to_client: what carries the bytes; by default at once and whole.
        half_close: False: neither transport can end its sending direction alone; of connections that
            are made here.

    Attributes:
        clock: the time that both live in.
        client, server: the two connections.
        to_server, to_client: the two directions; change their settings, call their faults at any time.

    Raises:
        ValueError: a connection that has the other role, or a Link in use.
    """

    def __init__(
        self,
        client: Config | Connection | None = None,
        server: Config | Connection | None = None,
        *,
        accept: bool = True,
        clock: Clock | None = None,
        to_server: Link | None = None,
        to_client: Link | None = None,
        half_close: bool = True,
    ) -> None:
        self.clock = Clock() if clock is None else clock
        self.to_server = Link() if to_server is None else to_server
        self.to_client = Link() if to_client is None else to_client
        self.to_server.attach(self.clock)
        self.to_client.attach(self.clock)
        self.client = connection_for(Role.CLIENT, client, self.clock, half_close=half_close)
        self.server = connection_for(Role.SERVER, server, self.clock, half_close=half_close)
        self._accept = accept
        self._client = Driver(
            self.client, self.clock, outgoing=self.to_server, incoming=self.to_client, react=self._react
        )
        self._server = Driver(
            self.server, self.clock, outgoing=self.to_client, incoming=self.to_server, react=self._react
        )
        self.clock.attach(self)

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self.clock.now

    @property
    def client_events(self) -> list[Event]:
        """What has come out of the client so far; live: you may clear it."""
        return self._client.events

    @property
    def server_events(self) -> list[Event]:
        """What has come out of the server so far; live: you may clear it."""
        return self._server.events

    @property
    def client_wire(self) -> bytes:
        """Every byte that the client has sent, arrived or not."""
        return bytes(self._client.wire)

    @property
    def server_wire(self) -> bytes:
        """Every byte that the server has sent, arrived or not."""
        return bytes(self._server.wire)

    def open(
        self,
        url: str = "ws://localhost/",
        *,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
    ) -> None:
        """Send the request and let as much time pass as the handshake travels.

        Whether both sides are open then is for the test to ask; a refusal is an outcome, too.

        Raises:
            LocalProtocolError, InvalidURL: as of `Connection.send_request`.
        """
        self.client.send_request(url, headers=headers, subprotocols=subprotocols, now=self.now)
        self.settle()

    def exchange(self) -> None:
        """Carry bytes both ways and do what the levels ask for until nothing moves; no time passes.

        What is still on its way stays there, and timers do not fire.

        Raises:
            AssertionError: the two sides never come to rest.
        """
        until_rest(self._round)

    def settle(self, timeout: float = 600.0) -> None:
        """Let time pass until nothing is on its way that will arrive.

        Bytes on a link that is frozen or lost are not waited for, nor those that nobody reads.

        Raises:
            AssertionError: after timeout seconds there are still bytes on their way.
        """
        settle(self.clock, self._next_arrival, timeout)

    def advance(self, seconds: float) -> None:
        """Let time pass: bytes arrive and timers fire at their moments, on everything on this clock.

        Raises:
            ValueError: seconds is not a number of at least 0.
        """
        self.clock.advance(seconds)

    def run_until(self, predicate: Callable[[], bool], timeout: float = 60.0) -> float:
        """Let time pass until predicate holds; it is asked whenever something may have changed.

        Args:
            predicate: tells whether what the test waits for has happened.
            timeout: seconds of the virtual clock.

        Returns:
            The seconds that have passed.

        Raises:
            AssertionError: predicate does not hold when timeout seconds have passed.
        """
        begin = self.now
        self.clock.run()
        while not predicate():
            if self.clock.step(begin + timeout):
                continue
            self.clock.advance(begin + timeout - self.now)
            if not predicate():
                raise AssertionError(f"not within {timeout} s: {self}")
        return self.now - begin

    def cut(self, *, abruptly: bool = False) -> None:
        """Cut the connection: both streams end behind what is in flight.

        Args:
            abruptly: what is in flight is destroyed, and both sides learn that the connection is lost.
        """
        for link in (self.to_server, self.to_client):
            if abruptly:
                link.reset()
            else:
                link.end()

    def next_due(self) -> float | None:
        """Return when the next bytes arrive or the next timer fires; None: no time changes anything."""
        return earliest(self._client.next_due(), self._server.next_due())

    def run(self) -> None:
        """Do what is due now: bytes first, then timers."""
        self.exchange()
        self._client.handle_deadline()
        self._server.handle_deadline()
        self.exchange()

    def _round(self) -> bool:
        """Let either side speak and listen once; tell whether anything moved."""
        moved = self._client.pump()
        moved |= self._server.deliver()
        moved |= self._server.pump()
        return self._client.deliver() or moved

    def _next_arrival(self) -> float | None:
        return earliest(self._client.next_arrival(), self._server.next_arrival())

    def _react(self, event: Event) -> None:
        """Accept an upgrade, if that is our part and not too late."""
        if not (self._accept and isinstance(event, RequestReceived) and event.request.is_upgrade):
            return
        if self.server.state is State.CONNECTING:
            offered = event.request.subprotocols
            self.server.accept(subprotocol=offered[0] if offered else None, now=self.now)

    @override
    def __str__(self) -> str:
        """Describe where both sides stand."""
        words: list[str] = []
        for driver in (self._client, self._server):
            last = f"last gave {event_words(driver.events[-1])}" if driver.events else "gave no event"
            words.append(f"{connection_words(driver.connection)} and {last}")
        return "; ".join(words)


def connection_for(
    role: Role, given: Config | Connection | None, clock: Clock, *, half_close: bool = True
) -> Connection:
    """Return a connection in this role: the one given, or a new one with that Config.

    Raises:
        ValueError: the connection given has the other role.
    """
    if not isinstance(given, Connection):
        entropy = repeatable_entropy()
        return Connection(role, given, now=clock.now, half_close=half_close, entropy=entropy)
    if given.role is not role:
        raise ValueError(f"expected a {role.value}, not a {given.role.value}")
    return given
