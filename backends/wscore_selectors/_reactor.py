"""`Reactor`: servers, clients, timers and calls of other threads, all in one thread.

This file is what an application calls; `_loop` has what turns.
"""

import os
import random
import signal as signal_module
import socket
import ssl as ssl_module
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Self, final

from wscore import Config, Endpoint, Handler, HeadersLike, config_for, endpoint_for
from wscore.policy import (
    Admission,
    Backoff,
    Gate,
    ProcessRequest,
    Reception,
    Retries,
    Router,
    SlowConsumer,
    check_plain,
    should_retry,
)
from wscore_sockets import Opening, Way, open_listeners

from ._client import Dialing
from ._link import Link
from ._loop import Loop, log
from ._reconnect import Reconnecting
from ._server import DRAIN, Server
from ._session import Session
from ._workers import Workers

_CUT_SHORT: Final = 0.0
_LAST_TURNS: Final = 1000


@final
class Reactor(Loop):
    """One thread's connections. Make it, `serve` and `connect`, then `run`; or run it inside another loop."""

    def __init__(self) -> None:
        super().__init__()
        self._workers = Workers(self.call_soon_threadsafe)
        self._servers: list[Server] = []
        self._dialings: set[Dialing] = set()
        self._reconnecting: set[Reconnecting] = set()
        self._process = os.getpid()

    def serve(
        self,
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
        max_connections: int = 10_000,
        max_pending: int = 1000,
        max_per_address: int | None = None,
        slow_consumer: SlowConsumer = SlowConsumer.WAIT,
        backlog: int = 1024,
        reuse_port: bool = False,
    ) -> Server:
        """Start a server: it listens when this returns, and accepts while the reactor runs.

        Args:
            handler: an `Endpoint` class (one instance per connection) or instance (stateless), an
                ``Endpoint.factory(...)``, or a `Router` of these.
            host: a name or address, or several; every address that each has is listened on. None: all
                interfaces.
            port: 0 lets the system choose; see ``Server.port``.
            unix: a path to listen on instead.
            sockets: listening sockets to use instead, such as `wscore_sockets.inherited_sockets` gives; they
                are closed with the server.
            config: limits, timeouts, allowed origins.
            ssl: a server's context, for wss://; see `wscore_tls.server_context`.
            subprotocols: supported ones, in order of preference.
            process_request: called with every well-formed request; must not wait. Returns None to go on, an
                `Accept` to say how, or a `Response` that answers it. A plain HTTP GET that it does not
                answer gets 426; when it raises the client gets 500.
            hosts: names that this server answers to; others get 421. None: any.
            max_connections: further requests get 503.
            max_pending: opening handshakes under way; more wait in the backlog.
            max_per_address: connections from one address; None: no limit.
            slow_consumer: what a broadcast does with a peer that reads too slowly.
            backlog: connections that the kernel keeps waiting.
            reuse_port: let several processes listen on the same port.

        Raises:
            OSError: the address cannot be listened on.
            TypeError: handler is none of the above.
        """
        for each in handler.handlers if isinstance(handler, Router) else (handler,):
            _check_serves(each)
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
        server = Server(self, reception, listeners, ssl)
        self._servers = [each for each in self._servers if not each.closed] + [server]
        return server

    def connect(
        self,
        url: str,
        endpoint: Handler,
        *,
        config: Config | None = None,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        server_hostname: str | None = None,
        proxy: str | bool | None = True,
        redirects: int = 0,
        unix: str | None = None,
        sock: socket.socket | None = None,
        local_address: tuple[str, int] | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> Dialing:
        """Begin to connect to a server; the endpoint's ``on_connect`` gets the session.

        Args:
            url: a ws:// or wss:// address; ``user:password@`` in it becomes basic authentication.
            endpoint: whose hooks get the events: an `Endpoint` class or instance, or an
                ``Endpoint.factory(...)``.
            config: limits and timeouts; ``timeouts.open`` bounds the whole opening: names, TCP, proxy, TLS
                and handshake, for each redirect anew.
            headers: more fields for the request.
            subprotocols: names to offer, in order of preference.
            origin: the Origin field, for servers that ask for one.
            ssl: for wss://; None: the system's trust, TLS 1.2 or newer.
            server_hostname: whom to ask for and whose certificate to expect; None: the host of the address.
            proxy: an address of one, http://, https:// or socks5h://; True: as the environment says; None:
                none.
            redirects: how many to follow; credentials go to the same origin only.
            unix: a path to connect to; the address then only fills the request.
            sock: a connected stream socket to use; it is closed with the session, or when this fails.
            local_address: host and port to connect from.
            on_failure: gets the error if no session was opened; None: it is logged. HandshakeRefused: a
                status other than 101; RedirectRefused, ProxyRefused, RemoteProtocolError, TimedOut,
                ConnectionLost: the opening failed; ssl.SSLError: TLS failed; OSError: no connection.

        Returns:
            What can cancel it.

        Raises:
            InvalidURL: the address, or that of a proxy, is not usable.
            LocalProtocolError: a header or subprotocol that may not be sent.
            TypeError: endpoint is none of the above; an argument of another type.
        """
        way = Way(ssl=ssl, server_hostname=server_hostname, unix=unix, sock=sock, local_address=local_address)
        with _closed_on_failure(sock):
            plan = way.plan(url, headers=headers, origin=origin, proxy=proxy, redirects=redirects)
            _check_serves(endpoint)
            opening = Opening(plan, way, config_for(endpoint, config), subprotocols)
            target = endpoint_for(endpoint)
            assert isinstance(target, Endpoint)
            dialing = Dialing(self, self._workers, opening, target, on_failure)
        self._dialings.add(dialing)
        dialing.on_over = lambda: self._dialings.discard(dialing)
        return dialing

    def reconnect(
        self,
        url: str,
        endpoint: Handler,
        *,
        backoff: Backoff | None = None,
        retry: Callable[[BaseException], bool] = should_retry,
        on_failure: Callable[[Exception], object] | None = None,
        **options: Any,
    ) -> Reconnecting:
        """Connect again and again: whenever a connection has ended or was not opened, after a pause.

        Args:
            url: as for `connect`.
            endpoint: as for `connect`; a class or a factory makes an endpoint for each connection.
            backoff: how long the pauses are; None: up to 1 s at first, doubling to 60 s, drawn at random,
                from the beginning again after a connection that lasted 30 s. A Retry-After is obeyed.
            retry: tells whether to go on after an error that kept a connection from opening.
            on_failure: gets the error that ended it, which retry said no to; None: it is logged.
            options: all others of `connect`.

        Returns:
            What can end it.

        Raises:
            InvalidURL, LocalProtocolError, TypeError, ValueError: as `connect`.
        """
        connect = partial(self.connect, url, endpoint, **options)
        retries = Retries(backoff or Backoff(chance=random.random), retry, log.info)
        reconnecting = Reconnecting(self, connect, retries, on_failure)
        self._reconnecting.add(reconnecting)
        reconnecting.on_end = self._reconnecting.discard
        return reconnecting

    def run_until_signal(self, *signals: signal_module.Signals, timeout: float = DRAIN) -> None:
        """Run until a signal comes, then shut everything down in good order; a second one cuts that short.

        For the main thread alone.

        Args:
            signals: which; none: SIGTERM and SIGINT.
            timeout: as for `shutdown`.

        Raises:
            ValueError: this is not the main thread.
        """
        came: list[int] = []

        def note(number: int, frame: object) -> None:
            came.append(number)
            patience = timeout if len(came) == 1 else _CUT_SHORT
            self.call_soon_threadsafe(self.shutdown, patience)

        wanted = signals or (signal_module.SIGTERM, signal_module.SIGINT)
        before = [(signal, signal_module.signal(signal, note)) for signal in wanted]
        woken = signal_module.set_wakeup_fd(self._waker.sender.fileno(), warn_on_full_buffer=False)
        try:
            while not (came and self.idle):
                self.run_once()
        finally:
            signal_module.set_wakeup_fd(woken)
            for signal, handler in before:
                signal_module.signal(signal, handler)

    @property
    def idle(self) -> bool:
        """True when no server and no connection is left, and none will be opened again."""
        return (
            not self._dialings and not self._reconnecting and all(server.closed for server in self._servers)
        )

    def shutdown(self, timeout: float = DRAIN) -> None:
        """Begin to stop all servers and close all sessions with 1001; abort what is left after a while.

        It has ended when `idle` is True.

        Args:
            timeout: seconds that peers may take.
        """
        for reconnecting in list(self._reconnecting):
            reconnecting.cancel()
        for server in self._servers:
            server.shutdown(timeout=timeout)
        for dialing in list(self._dialings):
            if dialing.session is not None:
                dialing.session.close(1001)
            else:
                dialing.cancel()
        self.call_later(timeout, self._abort_dialings, self._dialings.copy())  # each server sees to itself

    def _abort(self) -> None:
        for reconnecting in list(self._reconnecting):
            reconnecting.cancel()
        for server in self._servers:
            server.abort()
        self._abort_dialings(self._dialings)

    def _abort_dialings(self, which: set[Dialing]) -> None:
        """Abort those that are still here; what has begun after a shutdown is none of its business."""
        for dialing in self._dialings & which:
            dialing.abort()

    def close(self) -> None:
        """End everything at once, tell the endpoints, and give all descriptors back. Idempotent.

        In a forked child it closes the child's copies of the reactor's own and of listening sockets only.

        Raises:
            RuntimeError: the reactor is running.
        """
        if self._closed:
            return
        forked = os.getpid() != self._process
        if self.in_turn and not forked:
            raise RuntimeError("the reactor is running")
        for server in self._servers:
            server.stop_listening(forked=forked)
        if not forked:
            self._bring_last_events()
        self.release()

    def _bring_last_events(self) -> None:
        """Abort everything, and turn until all have heard of it; bounded, as hooks may begin anew."""
        for _ in range(_LAST_TURNS):
            self._abort()
            self.run_once(0)
            if not self._dialings and all(server.is_empty for server in self._servers):
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _closed_on_failure(sock: socket.socket | None) -> Iterator[None]:
    """Close a socket that was given, if what the caller got wrong shows before anything else has it."""
    try:
        yield
    except BaseException:
        if sock is not None:
            sock.close()
        raise


def _check_serves(handler: Any) -> None:
    """Raise unless handler is, or makes, an endpoint with plain hooks."""
    check_plain(handler)
    if callable(handler) and not isinstance(handler, (Endpoint, type)):
        raise TypeError("a reactor calls the hooks of endpoints; a function of the session cannot wait here")
