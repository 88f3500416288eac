"""`serve`: listening sockets, one accepting thread, and one thread for each connection.

Connections over the cap wait in the kernel's backlog: they are served as soon as a thread is free. When the
process runs out of descriptors or memory, accepting pauses for a second and says so once; it never stops
and never spins.
"""

import errno
import logging
import os
import selectors
import socket
import ssl as ssl_module
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Self, final

from wscore import (
    CloseCode,
    Closed,
    CloseError,
    Config,
    Connection,
    Handler,
    LocalProtocolError,
    Opened,
    Request,
    RequestReceived,
    Response,
    Role,
    config_for,
    endpoint_for,
    select_subprotocol,
)
from wscore_tls import TLSFilter

from ._housekeeper import housekeeper
from ._link import Link
from ._listen import listen
from ._run import failure, run, wait_for_event
from ._session import Session
from ._wire import Wire

ProcessRequest = Callable[[Request], Response | None]

_log = logging.getLogger("wscore_threading")

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TICK = 0.25  # seconds between looks at whether to stop
_PAUSE = 1.0  # seconds without accepting when resources are short
_LAST_WORDS = 1.0  # seconds for what was sent last to arrive, on shutdown
_DRAIN = 10.0  # seconds for handlers to end on shutdown

_UPGRADE_REQUIRED = Response(426, (), b"this is a WebSocket server\n")
_SHUTTING_DOWN = Response(503, [("Retry-After", "1")], b"the server is shutting down\n")
_BROKEN = Response(500, (), b"internal error\n")


@final
class Server:
    """A running server; get it from `serve`. It accepts until `shutdown`.

    Attributes:
        addresses: what it listens on, as the sockets give it.
        port: of the first of them.
    """

    def __init__(
        self,
        handler: Handler,
        listeners: Sequence[socket.socket],
        *,
        config: Config,
        ssl: ssl_module.SSLContext | None,
        subprotocols: Sequence[str],
        process_request: ProcessRequest | None,
        max_connections: int,
    ) -> None:
        self._handler = handler
        self._listeners = listeners
        self._config = config
        self._ssl = ssl
        self._subprotocols = tuple(subprotocols)
        self._process_request = process_request
        self._free = threading.Semaphore(max_connections)
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._links: dict[Link, threading.Thread] = {}
        self._process = os.getpid()
        self._sessions: set[Session] = set()
        self._farewell = CloseCode.GOING_AWAY.value, ""  # what shutdown closes sessions with
        self._pausing = False  # accepting pauses for want of resources, which has been said
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._waker, self._wake_signal = socket.socketpair()
        self.addresses: list[Any] = [listener.getsockname() for listener in listeners]
        self.port: int = self.addresses[0][1]
        self._acceptor = threading.Thread(target=self._accept_all, name="wscore-accept", daemon=True)
        self._acceptor.start()

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        with self._lock:
            return list(self._sessions)

    def serve_forever(self) -> None:
        """Wait until `shutdown` was called by another thread, or an exception (Ctrl-C) ends the wait."""
        self._stopped.wait()

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
        CloseError(code, reason)  # raises before anything has stopped
        if os.getpid() != self._process:
            self._leave_to_the_parent()
            return
        with self._lock:
            first = not self._stopping.is_set()
            if first:
                self._farewell = int(code), reason
            self._stopping.set()
        if first:
            self._wake_signal.send(b"x")
        self._acceptor.join()
        self._waker.close()
        self._wake_signal.close()
        with self._lock:
            links, sessions = list(self._links), list(self._sessions)
        for link in links:
            if link.core.request is None:
                link.abort()  # nothing was promised to these yet
        for session in sessions:
            session.close(code, reason, wait=False)
        self._join(monotonic() + timeout)
        with self._lock:
            links = [link for link, thread in self._links.items() if thread is not threading.current_thread()]
        for link in links:
            link.abort()
        self._join(monotonic() + _LAST_WORDS)
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
            while thread.is_alive() and (left := deadline - monotonic()) > 0:
                thread.join(min(left, _TICK))
                self._cut_lingering(monotonic() - _LAST_WORDS)

    def _cut_lingering(self, since: float) -> None:
        """Abort connections that have sent everything and only wait for a peer to go."""
        with self._lock:
            links = list(self._links)
        for link in links:
            if link.lingers_since is not None and link.lingers_since < since:
                link.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        while not self._free.acquire(timeout=_TICK):
            if self._stopping.is_set():
                return
        try:
            sock, address = listener.accept()
        except OSError as error:
            self._free.release()
            if error.errno in _OUT_OF_RESOURCES:
                self._pause(error)
            return  # otherwise: it was gone before it was accepted
        self._pausing = False
        self._start(sock, address)

    def _pause(self, error: OSError) -> None:
        """Wait a little for resources to come back; say so once."""
        if not self._pausing:
            _log.error("accepting pauses until there are resources again: %s", error)
        self._pausing = True
        self._stopping.wait(_PAUSE)

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
            _log.error("a connection is dropped: %s", error)
            sock.close()
            self._done(thread)

    def _done(self, thread: threading.Thread) -> None:
        with self._lock:
            self._threads.discard(thread)
        self._free.release()

    # One connection.

    def _serve(self, sock: socket.socket, address: Any) -> None:
        """The life of one connection."""
        try:
            core = Connection(Role.SERVER, self._config, now=monotonic())
            tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
            addresses = sock.getsockname(), address
            link = Link(core, Wire(sock), tls)
            housekeeper.add(link)
        except BaseException:
            sock.close()
            self._done(threading.current_thread())
            raise
        with self._lock:
            self._links[link] = threading.current_thread()
            late = self._stopping.is_set()  # then shutdown may not have seen this link
        if late:
            link.abort()
        try:
            opened = self._open(link)
            if opened is not None:
                self._run(link, opened, addresses)
            link.run_to_the_end()
        except Exception:  # a fault of this library: it must not take the server along
            _log.exception("a connection is aborted")
            link.abort()
        finally:
            with self._lock:
                self._links.pop(link, None)
            self._done(threading.current_thread())

    def _open(self, link: Link) -> Opened | None:
        """Read the request and answer it; None when that was not an upgrade."""
        event = wait_for_event(link)
        if isinstance(event, Closed):
            _log.info("no handshake: %s", failure(link, event))
            return None
        assert isinstance(event, RequestReceived)
        response = self._decide(event.request)
        with link.state:
            if link.core.closed is not None:
                return None  # it went away meanwhile
            self._answer(link.core, event.request, response)
        opened = wait_for_event(link)
        return opened if isinstance(opened, Opened) else None

    def _answer(self, core: Connection, request: Request, response: Response | None) -> None:
        """Accept the request, or respond to it."""
        now = monotonic()
        if response is None:
            core.accept(subprotocol=select_subprotocol(request.subprotocols, self._subprotocols), now=now)
            return
        try:
            core.respond(response.status, headers=response.headers, body=response.body, now=now)
        except LocalProtocolError as error:
            _log.error("process_request returned a response that may not be sent: %s", error)
            core.respond(_BROKEN.status, body=_BROKEN.body, now=now)

    def _decide(self, request: Request) -> Response | None:
        """Return what to answer a request with; None: accept it."""
        if self._stopping.is_set():
            return _SHUTTING_DOWN
        try:
            response = None if self._process_request is None else self._process_request(request)
        except Exception:
            _log.exception("process_request raised")
            return _BROKEN
        if not isinstance(response, Response | None):
            _log.error("process_request returned neither a Response nor None")
            return _BROKEN
        if response is None and not request.is_upgrade:
            return _UPGRADE_REQUIRED
        return response

    def _run(self, link: Link, opened: Opened, addresses: tuple[Any, Any]) -> None:
        """Run the handler over an open session."""
        session = Session(
            link, opened.request, opened.response, addresses=addresses, secure=self._ssl is not None
        )
        with self._lock:
            self._sessions.add(session)
        try:
            if self._stopping.is_set():
                session.close(*self._farewell, wait=False)
            self._run_handler(session, opened)
        finally:
            with self._lock:
                self._sessions.discard(session)

    def _run_handler(self, session: Session, opened: Opened) -> None:
        """Run the function, or an endpoint that is made for this connection."""
        try:
            endpoint = endpoint_for(self._handler)
        except Exception:
            _log.exception("no endpoint could be made")
            session.close(CloseCode.INTERNAL_ERROR)
            return
        run(endpoint, session, opened)


def serve(
    handler: Handler,
    host: str | None = "localhost",
    port: int = 0,
    *,
    config: Config | None = None,
    ssl: ssl_module.SSLContext | None = None,
    subprotocols: Sequence[str] = (),
    process_request: ProcessRequest | None = None,
    max_connections: int = 1000,
    backlog: int = 1024,
) -> Server:
    """Start a server: it listens and accepts when this returns.

    Args:
        handler: an `Endpoint` class (one instance per connection) or instance (stateless), an
            ``Endpoint.factory(...)``, or a function of the session; runs in the connection's thread.
        host: a name or address; every address that it has is listened on. None: all interfaces.
        port: 0 lets the system choose; see ``Server.port``.
        config: limits, timeouts, allowed origins.
        ssl: a server's context, for wss://; see `wscore_tls.server_context`.
        subprotocols: supported ones, in order of preference.
        process_request: called with every well-formed request, in the connection's thread; returns
            None to go on, or a `Response` that answers it. A plain HTTP GET that it does not answer
            gets 426, and 500 when it raises.
        max_connections: more wait in the backlog.
        backlog: connections that the kernel keeps waiting.

    Raises:
        OSError: the address cannot be listened on.
        TypeError: handler is none of the above.
    """
    config = config_for(handler, config)
    return Server(
        handler,
        listen(host, port, backlog),
        config=config,
        ssl=ssl,
        subprotocols=subprotocols,
        process_request=process_request,
        max_connections=max_connections,
    )
