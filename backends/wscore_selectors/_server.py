"""A server: listening sockets in the loop, and what happens to a connection until it is open.

Accepting pauses for two reasons and never ends for any: too many opening handshakes are under way (then the
one that was accepted last is kept until there is a place), or the process has run out of descriptors or
memory (then for a second at a time, and it is said once).
"""

import socket
import ssl as ssl_module
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final, final

from wscore import (
    CloseCode,
    Closed,
    CloseError,
    Connection,
    Endpoint,
    Event,
    Opened,
    RequestReceived,
    Role,
    endpoint_for,
)
from wscore.policy import Accept, Admission, Entry, Gate, SlowConsumer, opening_failure, printable
from wscore_sockets import PAUSE, is_out_of_resources
from wscore_tls import TLSFilter

from ._link import Link
from ._loop import READ, Loop, log
from ._session import Session

_ACCEPTED_AT_ONCE: Final = 64
_LOOK_AGAIN: Final = 0.25  # seconds between looks at who lingers, on shutdown
_LAST_WORDS: Final = 1.0  # seconds for what was sent last to arrive, on shutdown
DRAIN: Final = 10.0  # seconds for peers to end on shutdown


@final
class _Visitor:
    """One accepted connection, and what becomes of it."""

    __slots__ = ("_accepted", "_server", "addresses", "link", "session")

    def __init__(self, server: "Server", link: Link, addresses: tuple[Any, Any]) -> None:
        self._server = server
        self._accepted = Accept()
        self.link = link
        self.addresses = addresses
        self.session: Session | None = None
        link.deliver = self._take
        link.on_over = self._leave

    def _take(self, event: Event) -> None:
        """Act on what comes before the session does."""
        if isinstance(event, RequestReceived):
            self._accepted = self._server.answer(self.link.core, event) or self._accepted
        elif isinstance(event, Opened):
            self._server.begin(self, self._accepted, event)
        elif isinstance(event, Closed):
            log.info("no handshake: %s", printable(str(opening_failure(event, self.link.error))))

    def _leave(self) -> None:
        self._server.leave(self)


@final
class _Listener:
    """A listening socket in the loop."""

    __slots__ = ("_accept", "_loop", "_socket", "_watched")

    def __init__(self, loop: Loop, sock: socket.socket, accept: Callable[[socket.socket], bool]) -> None:
        self._loop = loop
        self._socket = sock
        self._accept = accept
        self._watched = False
        self.listen(True)

    def listen(self, on: bool) -> None:
        """Be told of those who want to come in, or not."""
        if on is not self._watched:
            self._loop.watch(self._socket, READ if on else 0, self, before=0 if on else READ)
            self._watched = on

    def ready(self, events: int) -> None:
        """Accept several, then let the others have their turn."""
        for _ in range(_ACCEPTED_AT_ONCE):
            if not self._watched or not self._accept(self._socket):
                return

    def fail(self) -> None:
        """Go on: it was about one connection."""

    def close(self, *, forked: bool) -> None:
        if not forked:
            self.listen(False)
        self._socket.close()


@final
class Server:
    """A running server; get it from `Reactor.serve`. It accepts until `shutdown`.

    Attributes:
        addresses: what it listens on, as the sockets give it.
        port: of the first of them; 0 for a path.
        closed: it has been shut down, and no connection is left.
    """

    def __init__(
        self,
        loop: Loop,
        gate: Gate,
        admission: Admission,
        listeners: Sequence[socket.socket],
        *,
        ssl: ssl_module.SSLContext | None,
        slow_consumer: SlowConsumer,
    ) -> None:
        self._loop = loop
        self._gate = gate
        self._admission = admission
        self._ssl = ssl
        self._slow_consumer = slow_consumer
        self._visitors: set[_Visitor] = set()
        self._waiting: tuple[socket.socket, Any] | None = None  # accepted, and there is no place yet
        self._pausing = False  # accepting pauses for want of resources
        self._said = False  # which has been said
        self._farewell = CloseCode.GOING_AWAY.value, ""  # what shutdown closes sessions with
        self.addresses: list[Any] = [listener.getsockname() for listener in listeners]
        self.port: int = self.addresses[0][1] if isinstance(self.addresses[0], tuple) else 0
        self.closed = False
        for listener in listeners:
            listener.setblocking(False)
        self._listeners = [_Listener(loop, listener, self._accept) for listener in listeners]

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        return [visitor.session for visitor in self._visitors if visitor.session is not None]

    # Accepting.

    def _accept(self, listener: socket.socket) -> bool:
        """Accept a connection; False: there was none, or no more are wanted now."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if is_out_of_resources(error):
                self._pause(error)
            return False  # otherwise: it was gone before it was accepted
        self._said = False
        return self._admit(sock, address)

    def _admit(self, sock: socket.socket, address: Any) -> bool:
        """Let a connection come in, wait or go; False: it waits, and no more are accepted meanwhile."""
        entry = self._admission.admit(address)
        if entry is Entry.ADMIT:
            self._welcome(sock, address)
        elif entry is Entry.REFUSE:
            sock.close()
        else:
            self._waiting = sock, address
            self._set_listening()
        return entry is not Entry.WAIT

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        """Begin to serve a connection."""
        try:
            core = Connection(Role.SERVER, self._gate.config, now=monotonic())
            tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
            visitor = _Visitor(self, Link(self._loop, core, sock, tls), (sock.getsockname(), address))
        except BaseException:
            sock.close()
            self._admission.closed(address, was_open=False)
            raise
        self._visitors.add(visitor)
        visitor.link.pump_soon()

    def _pause(self, error: OSError) -> None:
        """Wait a little for resources to come back; say so once."""
        if not self._said:
            log.error("accepting pauses until there are resources again: %s", error)
        self._said = self._pausing = True
        self._set_listening()
        self._loop.call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._pausing = False
        self._set_listening()

    def _set_listening(self) -> None:
        for listener in self._listeners:
            listener.listen(not self._pausing and self._waiting is None)

    def _let_in(self) -> None:
        """Somebody has made room for whoever waits."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            if self._admit(*waiting):
                self._set_listening()

    # One connection.

    def answer(self, core: Connection, event: RequestReceived) -> Accept | None:
        """Answer a request; None when that was not an upgrade."""
        verdict = self._gate.decide(event.request, full=self._admission.full)
        self._gate.answer(core, event.request, verdict, monotonic())
        return verdict if isinstance(verdict, Accept) else None

    def begin(self, visitor: _Visitor, accepted: Accept, opened: Opened) -> None:
        """Begin a session over an open connection."""
        session = Session(
            visitor.link,
            addresses=visitor.addresses,
            secure=self._ssl is not None,
            accepted=accepted,
            slow_consumer=self._slow_consumer,
        )
        visitor.session = session
        visitor.link.deliver = _ignore
        self._admission.opened()
        self._let_in()
        assert accepted.handler is not None  # the gate has filled it in
        try:
            endpoint = endpoint_for(accepted.handler)
            if not isinstance(endpoint, Endpoint):
                raise TypeError("a reactor serves endpoints, and no functions of the session")
        except Exception:
            session.logger.exception("no endpoint could be made")
            session.close(CloseCode.INTERNAL_ERROR)
            return
        session.begin(endpoint, opened)
        if self._gate.closing:
            session.close(*self._farewell)

    def leave(self, visitor: _Visitor) -> None:
        """Forget a connection that is over."""
        self._visitors.discard(visitor)
        self._admission.closed(visitor.addresses[1], visitor.session is not None)
        self._let_in()
        self._look_whether_closed()

    # The end.

    def shutdown(self, code: int = CloseCode.GOING_AWAY, reason: str = "", *, timeout: float = DRAIN) -> None:
        """Begin to stop: accept nothing, close every session; abort what is left after a while.

        It has ended when `closed` is True. Calling it again is harmless, and can only make it shorter.

        Args:
            code, reason: what the sessions are closed with.
            timeout: seconds that peers may take.

        Raises:
            ValueError: a code or reason that may not be sent.
        """
        CloseError(code, reason)  # raises before anything has stopped
        if not self._gate.closing:
            self._gate.closing = True
            self._farewell = int(code), reason
            self.stop_listening()
            self._say_goodbye()
        self._loop.call_later(timeout, self.abort)
        self._look_whether_closed()

    def stop_listening(self, *, forked: bool = False) -> None:
        """Close the listening sockets, and whoever was not let in.

        Args:
            forked: the loop is the parent's, who goes on with it: close descriptors and touch nothing else.
        """
        for listener in self._listeners:
            listener.close(forked=forked)
        self._listeners = []
        if self._waiting is not None:
            self._waiting[0].close()
            self._waiting = None

    def _say_goodbye(self) -> None:
        """Close the sessions, and the connections that were promised nothing yet."""
        for visitor in list(self._visitors):
            if visitor.session is not None:
                visitor.session.close(*self._farewell)
            elif visitor.link.core.request is None:
                visitor.link.abort()
        self._loop.call_later(_LOOK_AGAIN, self._cut_lingering)

    def _cut_lingering(self) -> None:
        """Abort connections that have sent everything and only wait for a peer to go."""
        since = monotonic() - _LAST_WORDS
        for visitor in list(self._visitors):
            if visitor.link.lingers_since is not None and visitor.link.lingers_since < since:
                visitor.link.abort()
        if self._visitors:
            self._loop.call_later(_LOOK_AGAIN, self._cut_lingering)

    def abort(self) -> None:
        """End all connections at once."""
        for visitor in list(self._visitors):
            visitor.link.abort()

    def _look_whether_closed(self) -> None:
        self.closed = self._gate.closing and not self._visitors


def _ignore(event: Event) -> None:
    """Take the events of a connection that nothing serves."""
