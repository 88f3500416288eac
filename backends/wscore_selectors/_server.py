"""A server: listening sockets in the loop, and what happens to a connection until it is open.

Accepting pauses for two reasons and never ends for any: too many opening handshakes are under way (then the
one that was accepted last is kept until there is a place), or the process has run out of descriptors or
memory (then for a second at a time, and it is said once).
"""

import socket
import ssl as ssl_module
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Final, TypeAlias, final

from wscore import CloseCode, Closed, Event, Opened, RequestReceived
from wscore.policy import Entry, Reception, Visitor, target_of
from wscore_sockets import PAUSE, Shortage
from wscore_tls import TLSFilter

from ._link import Link
from ._loop import READ, Loop, log
from ._session import Session

_ACCEPTED_AT_ONCE: Final = 64
_LOOK_AGAIN: Final = 0.25  # seconds between looks at who lingers, on shutdown
DRAIN: Final = 10.0  # seconds for peers to end on shutdown

_Visitor: TypeAlias = Visitor[Link, Session]


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
        reception: Reception[Link, Session],
        listeners: Sequence[socket.socket],
        ssl: ssl_module.SSLContext | None,
    ) -> None:
        self._loop = loop
        self._reception = reception
        self._ssl = ssl
        self._waiting: tuple[socket.socket, Any] | None = None  # accepted, and there is no place yet
        self._pausing = False  # accepting pauses for want of resources
        self._shortage = Shortage(log.error)
        self.addresses: list[Any] = [listener.getsockname() for listener in listeners]
        self.port: int = self.addresses[0][1] if isinstance(self.addresses[0], tuple) else 0
        self.closed = False
        self._listeners = [_Listener(loop, listener, self._accept) for listener in listeners]

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        return self._reception.sessions

    @property
    def is_empty(self) -> bool:
        """Whether no connection is here."""
        return not self._reception.visitors

    # Accepting.

    def _accept(self, listener: socket.socket) -> bool:
        """Accept a connection; False: there was none, or no more are wanted now."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if self._shortage.begins(error):
                self._pause()
            return False
        self._shortage.ends()
        return self._admit(sock, address)

    def _admit(self, sock: socket.socket, address: Any) -> bool:
        """Let a connection come in, wait or go; False: it waits, and no more are accepted meanwhile."""
        entry = self._reception.admit(address)
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
            tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
            link = Link(self._loop, self._reception.begin(monotonic()), sock, tls)
            visitor = self._reception.welcome(link, (sock.getsockname(), address))
        except BaseException:
            sock.close()
            self._reception.turn_away(address)
            raise
        link.deliver = partial(self._take, visitor)
        link.on_over = partial(self._leave, visitor)
        link.pump_soon()

    def _pause(self) -> None:
        """Wait a little for resources to come back."""
        self._pausing = True
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

    def _take(self, visitor: _Visitor, event: Event) -> None:
        """Act on what comes before the session does."""
        if isinstance(event, RequestReceived):
            verdict = self._reception.decide(event.request)
            self._reception.answer(visitor, event.request, verdict, monotonic())
        elif isinstance(event, Opened):
            self._begin(visitor, event)
        elif isinstance(event, Closed):
            log.info(visitor.sentence(event))

    def _begin(self, visitor: _Visitor, opened: Opened) -> None:
        """Begin a session over an open connection."""
        session = Session(visitor.link, **self._reception.facts(visitor))
        self._reception.open(visitor, session)
        self._let_in()
        session.begin(target_of(visitor.accepted, session.close_unserved), opened)
        self._reception.say_goodbye_if_closing(session, Session.close)

    def _leave(self, visitor: _Visitor) -> None:
        """Forget a connection that is over."""
        self._reception.leave(visitor)
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
        if self._reception.close(code, reason):
            self.stop_listening()
            self._reception.say_goodbye(Session.close)
            self._loop.call_later(_LOOK_AGAIN, self._cut_lingering)
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

    def _cut_lingering(self) -> None:
        """Abort, again and again, connections that only wait for a peer to go."""
        self._reception.cut_lingering(monotonic())
        if self._reception.visitors:
            self._loop.call_later(_LOOK_AGAIN, self._cut_lingering)

    def abort(self) -> None:
        """End all connections at once."""
        self._reception.abort()

    def _look_whether_closed(self) -> None:
        self.closed = self._reception.closing and not self._reception.visitors
