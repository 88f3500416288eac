"""The connections of one server, from the accept to the end: who is here, and what becomes of them.

A *visitor* is a connection that was let in. It has a link, which drives it; later an accepted request; later
still a session. The reception knows them all, counts them (`Admission`), has their requests answered
(`Gate`), and decides who goes when the server shuts down:

- At once: a connection that has asked for nothing yet. Nothing was promised to it.
- Asked to close: every session, also one that opens meanwhile.
- After a second: a connection that has sent everything, FIN included, and waits for a peer that does not go.
- At the end of the patience: all that are left.

A backend makes links and sessions, waits, and looks at each of these when the time has come. Nothing here is
locked: a server with threads calls it under its own lock.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar, final

from wscore._codes import CloseCode, Role
from wscore._connection import Connection
from wscore._endpoint import Endpoint, endpoint_for
from wscore._errors import CloseError
from wscore._events import Closed
from wscore._http import Request

from ._accept import Accept
from ._admission import Admission, Entry
from ._gate import SERVER_FULL, Gate, Verdict
from ._outcome import opening_failure
from ._redact import printable
from ._session import SessionFacts
from ._slow import SlowConsumer

LAST_WORDS: Final = 1.0  # seconds for what was sent last to arrive, on shutdown


class Driver(Protocol):
    """What the reception needs of a link.

    Attributes:
        core: what it drives.
        error: what TLS or the socket raised when the connection was lost, or None.
        lingers_since: when FIN was sent; None: it was not.
    """

    core: Connection
    error: Exception | None
    lingers_since: float | None

    def abort(self) -> None:
        """End the connection without a close handshake."""


Link = TypeVar("Link", bound=Driver)
Session = TypeVar("Session")


@final
class Visitor(Generic[Link, Session]):
    """One accepted connection, and what becomes of it.

    Attributes:
        link: drives it.
        addresses: its own and its peer's.
        accepted: how its request was accepted, once it was.
        session: once the handshake is complete.
        owner: the thread or task that serves it, if there is one.
    """

    __slots__ = ("accepted", "addresses", "link", "owner", "session")

    def __init__(self, link: Link, addresses: tuple[Any, Any]) -> None:
        self.link = link
        self.addresses = addresses
        self.accepted = Accept()
        self.session: Session | None = None
        self.owner: Any = None

    def sentence(self, closed: Closed) -> str:
        """Return why there was no handshake, for the log."""
        return f"no handshake: {printable(str(opening_failure(closed, self.link.error)))}"


@final
class Reception(Generic[Link, Session]):
    """The visitors of one server.

    Args:
        gate: answers requests.
        admission: counts connections.
        secure: they come over TLS.
        slow_consumer: what a broadcast does with a peer that reads too slowly.

    Attributes:
        visitors: those who are here.
        asks: the application has a say about requests.
    """

    def __init__(
        self, gate: Gate, admission: Admission, *, secure: bool, slow_consumer: SlowConsumer
    ) -> None:
        self._gate = gate
        self._admission = admission
        self._secure = secure
        self._slow_consumer = slow_consumer
        self._farewell = CloseCode.GOING_AWAY.value, ""  # what sessions are closed with
        self.asks = gate.asks
        self.visitors: set[Visitor[Link, Session]] = set()

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        return [visitor.session for visitor in list(self.visitors) if visitor.session is not None]

    @property
    def closing(self) -> bool:
        """Whether the server shuts down, or has."""
        return self._gate.closing

    @property
    def has_room(self) -> bool:
        """Whether another connection may be accepted; see `Admission`."""
        return self._admission.has_room

    # Coming.

    def admit(self, address: Any) -> Entry:
        """Decide whether a connection may come in; whoever may is reported by `leave` or `turn_away`."""
        return self._admission.admit(address)

    def begin(self, now: float) -> Connection:
        """Make the core for a connection that may come in."""
        return Connection(Role.SERVER, self._gate.config, now=now)

    def turn_away(self, address: Any) -> None:
        """Take note that a connection that was admitted could not be welcomed."""
        self._admission.closed(address, was_open=False)

    def welcome(self, link: Link, addresses: tuple[Any, Any]) -> Visitor[Link, Session]:
        """Take a connection in that was admitted."""
        visitor: Visitor[Link, Session] = Visitor(link, addresses)
        self.visitors.add(visitor)
        return visitor

    def decide(self, request: Request) -> Verdict:
        """Return what to answer; see `Gate.decide`."""
        return self._gate.decide(request, full=self._admission.full)

    async def decide_awaiting(self, request: Request) -> Verdict:
        """As `decide`, for an application's function that may have to be awaited."""
        verdict = await self._gate.decide_awaiting(request, full=self._admission.full)
        # Others may have been quicker meanwhile.
        return SERVER_FULL if isinstance(verdict, Accept) and self._admission.full else verdict

    def answer(self, visitor: Visitor[Link, Session], request: Request, verdict: Verdict, now: float) -> bool:
        """Accept a request, or respond to it; True: it was to be accepted. Then drain."""
        if isinstance(verdict, Accept):
            visitor.accepted = verdict
        self._gate.answer(visitor.link.core, request, verdict, now)
        return isinstance(verdict, Accept)

    def facts(self, visitor: Visitor[Link, Session]) -> SessionFacts:
        """Return what visitor's session is to be told."""
        return {
            "addresses": visitor.addresses,
            "secure": self._secure,
            "accepted": visitor.accepted,
            "slow_consumer": self._slow_consumer,
        }

    def open(self, visitor: Visitor[Link, Session], session: Session) -> None:
        """Take note that the handshake is complete."""
        visitor.session = session
        self._admission.opened()

    # Going.

    def leave(self, visitor: Visitor[Link, Session]) -> None:
        """Forget a connection that is over."""
        self.visitors.discard(visitor)
        self._admission.closed(visitor.addresses[1], visitor.session is not None)

    def close(self, code: int, reason: str) -> bool:
        """Take no more in; True when that is new. Then `say_goodbye`.

        Raises:
            ValueError: a code or reason that may not be sent; nothing has changed.
        """
        CloseError(code, reason)  # raises
        if self._gate.closing:
            return False
        self._gate.closing = True
        self._farewell = int(code), reason
        return True

    def say_goodbye(self, close: Callable[[Session, int, str], object]) -> None:
        """Close the sessions, and abort the connections that were promised nothing yet.

        Args:
            close: closes a session, and does not wait.
        """
        for visitor in list(self.visitors):
            if visitor.session is not None:
                close(visitor.session, *self._farewell)
            elif visitor.link.core.request is None:
                visitor.link.abort()

    def say_goodbye_if_closing(self, session: Session, close: Callable[[Session, int, str], object]) -> None:
        """Close a session that has opened too late for `say_goodbye`."""
        if self._gate.closing:
            close(session, *self._farewell)

    def cut_lingering(self, now: float) -> None:
        """Abort connections that have sent everything, and wait for a peer that does not go."""
        for visitor in list(self.visitors):
            since = visitor.link.lingers_since
            if since is not None and since < now - LAST_WORDS:
                visitor.link.abort()

    def others(self, owner: object) -> list[Visitor[Link, Session]]:
        """Return all whom somebody else than owner serves: who shuts down does not wait for itself."""
        return [visitor for visitor in list(self.visitors) if visitor.owner is not owner]

    def abort(self, but: object = None) -> None:
        """End all connections at once.

        Args:
            but: the owner of one that is spared; None: none is.
        """
        for visitor in list(self.visitors) if but is None else self.others(but):
            visitor.link.abort()


def target_of(accepted: Accept, failed: Callable[[Exception], object]) -> Endpoint | Callable[[Any], object]:
    """Return what serves one accepted connection: an endpoint made for it, or a function of the session.

    Args:
        accepted: what the gate has said.
        failed: hears of an endpoint that could not be made, and closes the connection; what is returned then
            does nothing.
    """
    assert accepted.handler is not None  # the gate has filled it in
    try:
        return endpoint_for(accepted.handler)
    except Exception as error:
        failed(error)
        return Endpoint()
