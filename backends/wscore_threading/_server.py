"""`serve`: listening sockets, one accepting thread, and one thread for each connection.

Connections over the cap wait in the kernel's backlog: they are served as soon as a thread is free. When the
process runs out of descriptors or memory, accepting pauses for a second and says so once; it never stops
and never spins.
"""

import os
import selectors
import signal as signal_module
import socket
import ssl as ssl_module
import threading
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Self, TypeAlias, final

from wscore import CloseCode, Closed, CloseError, Config, Endpoint, Handler, Opened, RequestReceived
from wscore.policy import (
    LAST_WORDS,
    Admission,
    Entry,
    Gate,
    ProcessRequest,
    Reception,
    Router,
    SlowConsumer,
    Visitor,
    check_plain,
    target_of,
)
from wscore_sockets import PAUSE, Shortage, open_listeners
from wscore_tls import TLSFilter

from ._housekeeper import housekeeper
from ._link import Link
from ._run import run, wait_for_event
from ._session import Session, log
from ._wire import Wire

_TICK = 0.25  # seconds between looks at whether to stop
_DRAIN = 10.0  # seconds for handlers to end on shutdown

_Visitor: TypeAlias = Visitor[Link, Session]


@final
class Server:
    """A running server; get it from `serve`. It accepts until `shutdown`.

    Attributes:
        addresses: what it listens on, as the sockets give it.
        port: of the first of them.
    """

    def __init__(
        self,
        reception: Reception[Link, Session],
        listeners: Sequence[socket.socket],
        ssl: ssl_module.SSLContext | None,
    ) -> None:
        self._reception = reception
        self._listeners = listeners
        self._ssl = ssl
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)  # notified when a connection has ended
        self._threads: set[threading.Thread] = set()
        self._process = os.getpid()
        self._shortage = Shortage(log.error)
        self._hurry = False  # a second signal has come: shutdown waits no longer
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._waker, self._wake_signal = socket.socketpair()
        self.addresses: list[Any] = [listener.getsockname() for listener in listeners]
        self.port: int = self.addresses[0][1] if isinstance(self.addresses[0], tuple) else 0
        self._acceptor = threading.Thread(target=self._accept_all, name="wscore-accept", daemon=True)
        self._acceptor.start()

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        with self._lock:
            return self._reception.sessions

    def serve_forever(self) -> None:
        """Wait until `shutdown` was called by another thread, or an exception (Ctrl-C) ends the wait.

        A service that is to end in good order on SIGTERM and Ctrl-C uses `serve_until_signal`.
        """
        self._stopped.wait()

    def serve_until_signal(self, *signals: signal_module.Signals, timeout: float = _DRAIN) -> None:
        """Wait for a signal, then shut down; a second one cuts that short. For the main thread alone.

        Args:
            signals: which; none: SIGTERM and SIGINT.
            timeout: as for `shutdown`.

        Raises:
            ValueError: this is not the main thread.
        """
        came: list[int] = []

        def note(number: int, frame: object) -> None:  # takes no lock: it may interrupt who holds it
            came.append(number)
            self._hurry = len(came) > 1

        wanted = signals or (signal_module.SIGTERM, signal_module.SIGINT)
        before = [(signal, signal_module.signal(signal, note)) for signal in wanted]
        try:
            while not came and not self._stopped.wait(_TICK):
                pass
            self.shutdown(timeout=timeout)
        finally:
            for signal, handler in before:
                signal_module.signal(signal, handler)

    def shutdown(
        self, code: int = CloseCode.GOING_AWAY, reason: str = "", *, timeout: float = _DRAIN
    ) -> None:
        """Stop accepting, close every session, wait for the handlers; then abort what is left.

        Calling it again is harmless; it waits, too.

        Args:
            code, reason: what the sessions are closed with.
            timeout: seconds that handlers and peers may take.

        Raises:
            ValueError: a code or reason that may not be sent.
        """
        if os.getpid() != self._process:
            CloseError(code, reason)  # raises
            self._leave_to_the_parent()
            return
        with self._lock:
            if self._reception.close(code, reason):
                self._stopping.set()
                self._wake_signal.send(b"x")  # before another shutdown can close it
        self._acceptor.join()
        self._waker.close()
        self._wake_signal.close()
        self._reception.say_goodbye(partial(Session.close, wait=False))
        self._join(monotonic() + timeout)
        self._reception.abort(but=threading.current_thread())
        self._hurry = False  # what follows is short, and brings everybody's on_close
        self._join(monotonic() + LAST_WORDS)
        self._stopped.set()

    def _leave_to_the_parent(self) -> None:
        """In a forked child: close its own copies of the listening sockets and touch nothing else."""
        for listener in self._listeners:
            listener.close()
        self._stopped.set()

    def _join(self, deadline: float) -> None:
        """Wait for the connections' threads, except the one that runs this; cut short those that linger."""
        with self._lock:
            threads = [thread for thread in self._threads if thread is not threading.current_thread()]
        for thread in threads:
            while thread.is_alive() and not self._hurry and (left := deadline - monotonic()) > 0:
                thread.join(min(left, _TICK))
                self._reception.cut_lingering(monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    # Accepting.

    def _accept_all(self) -> None:
        """Accept until told to stop, then close the listening sockets."""
        with selectors.DefaultSelector() as selector:
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ, listener)
            selector.register(self._waker, selectors.EVENT_READ, None)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.data is not None:
                        self._accept(key.data)
        for listener in self._listeners:
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        """Accept one connection, when there is a thread for it."""
        with self._lock:
            while not self._reception.has_room:
                self._room.wait(_TICK)
                if self._stopping.is_set():
                    return
        try:
            sock, address = listener.accept()
        except OSError as error:
            if self._shortage.begins(error):
                self._stopping.wait(PAUSE)
            return
        self._shortage.ends()
        with self._lock:
            admitted = self._reception.admit(address) is Entry.ADMIT
        if admitted:
            self._start(sock, address)
        else:
            sock.close()

    def _start(self, sock: socket.socket, address: Any) -> None:
        """Give a connection its thread."""
        thread = threading.Thread(
            target=self._serve, args=(sock, address), name=f"wscore {address}", daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads
            log.error("a connection is dropped: %s", error)
            sock.close()
            self._done(thread, address)

    def _done(self, thread: threading.Thread, address: Any, visitor: _Visitor | None = None) -> None:
        """Take note that a thread ends; visitor: whom it has served, if it has come to that."""
        with self._lock:
            self._threads.discard(thread)
            if visitor is None:
                self._reception.turn_away(address)
            else:
                self._reception.leave(visitor)
            self._room.notify()

    # One connection.

    def _serve(self, sock: socket.socket, address: Any) -> None:
        """The life of one connection."""
        thread = threading.current_thread()
        try:
            tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
            addresses = sock.getsockname(), address
            link = Link(self._reception.begin(monotonic()), Wire(sock), tls)
            housekeeper.add(link)
        except BaseException:
            sock.close()
            self._done(thread, address)
            raise
        with self._lock:
            visitor = self._reception.welcome(link, addresses)
            visitor.owner = thread
            late = self._stopping.is_set()  # then shutdown may not have seen this link
        if late:
            link.abort()
        try:
            if self._is_accepted(visitor) and isinstance(opened := wait_for_event(link), Opened):
                self._run(visitor, opened)
            link.run_to_the_end()
        except Exception:  # a fault of this library: it must not take the server along
            log.exception("a connection is aborted")
            link.abort()
        except BaseException:  # process_request has left by SystemExit or the like: nobody would drive it
            link.abort()
            raise
        finally:
            self._done(thread, address, visitor)

    def _is_accepted(self, visitor: _Visitor) -> bool:
        """Read the request and answer it; False when that was not an upgrade."""
        event = wait_for_event(visitor.link)
        if isinstance(event, Closed):
            log.info(visitor.sentence(event))
            return False
        assert isinstance(event, RequestReceived)
        verdict = self._reception.decide(event.request)
        with visitor.link.state:
            return self._reception.answer(visitor, event.request, verdict, monotonic())

    def _run(self, visitor: _Visitor, opened: Opened) -> None:
        """Run the handler over an open session."""
        session = Session(visitor.link, **self._reception.facts(visitor))
        with self._lock:
            self._reception.open(visitor, session)
        self._reception.say_goodbye_if_closing(session, partial(Session.close, wait=False))
        run(self._target_of(visitor, session), session, opened)

    def _target_of(self, visitor: _Visitor, session: Session) -> Endpoint | Callable[[Any], object]:
        """Return what serves a session; what ``process_request`` has chosen was not looked at before."""
        chosen = visitor.accepted.handler if self._reception.asks else None
        try:
            if chosen is not None:
                check_plain(chosen)
        except TypeError as error:
            session.close_unserved(error)
            return Endpoint()
        return target_of(visitor.accepted, session.close_unserved)


def serve(
    handler: Handler | Router,
    host: str | Sequence[str] | None = "localhost",
    port: int = 0,
    *,
    unix: str | None = None,
    sockets: Sequence[socket.socket] | None = None,
    config: Config | None = None,
    ssl: ssl_module.SSLContext | None = None,
    subprotocols: Sequence[str] = (),
    process_request: ProcessRequest | None = None,
    hosts: Sequence[str] | None = None,
    max_connections: int = 1000,
    max_pending: int = 1000,
    max_per_address: int | None = None,
    slow_consumer: SlowConsumer = SlowConsumer.WAIT,
    backlog: int = 1024,
    reuse_port: bool = False,
) -> Server:
    """Start a server: it listens and accepts when this returns.

    Args:
        handler: an `Endpoint` class (one instance per connection) or instance (stateless), an
            ``Endpoint.factory(...)``, a function of the session, or a `Router` of these; runs in the
            connection's thread.
        host: a name or address, or several; every address that each has is listened on. None: all
            interfaces.
        port: 0 lets the system choose; see ``Server.port``.
        unix: a path to listen on instead.
        sockets: listening sockets to use instead, such as `wscore_sockets.inherited_sockets` gives; they
            are closed with the server.
        config: limits, timeouts, allowed origins.
        ssl: a server's context, for wss://; see `wscore_tls.server_context`.
        subprotocols: supported ones, in order of preference.
        process_request: called with every well-formed request, in the connection's thread; returns None to
            go on, an `Accept` to say how, or a `Response` that answers it. A plain HTTP GET that it does not
            answer gets 426; when it raises the client gets 500.
        hosts: names that this server answers to; others get 421. None: any.
        max_connections: more wait in the backlog.
        max_pending: opening handshakes under way; more wait in the backlog.
        max_per_address: connections from one address; None: no limit.
        slow_consumer: what a broadcast does with a peer that reads too slowly.
        backlog: connections that the kernel keeps waiting.
        reuse_port: let several processes listen on the same port.

    Raises:
        OSError: the address cannot be listened on.
        TypeError: handler is none of the above, or has coroutine functions.
    """
    check_plain(handler)
    gate = Gate(
        handler,
        config=config,
        subprotocols=subprotocols,
        process_request=process_request,
        hosts=hosts,
        report=lambda sentence, error: log.error(sentence, exc_info=error),
    )
    admission = Admission(
        max_connections=max_connections, max_pending=max_pending, max_per_address=max_per_address
    )
    reception: Reception[Link, Session] = Reception(
        gate, admission, secure=ssl is not None, slow_consumer=slow_consumer
    )
    listeners = open_listeners(sockets, host, port, unix=unix, backlog=backlog, reuse_port=reuse_port)
    return Server(reception, listeners, ssl)
