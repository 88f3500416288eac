"""`serve`: listening sockets of the running loop, and what happens to a connection until it is open.

A connection that `Admission` does not let in is dropped at once; one that finds the server
full gets 503. A request is decided by the gate (`wscore.policy`); only an application's own
``process_request`` costs a task.
"""

import asyncio
import signal as signal_module
import socket
import ssl as ssl_module
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, final

from wscore import (
    CloseCode,
    Closed,
    CloseError,
    Config,
    Connection,
    Event,
    Handler,
    Opened,
    Request,
    RequestReceived,
    Role,
    endpoint_for,
)
from wscore.policy import (
    SERVER_FULL,
    Accept,
    Admission,
    Entry,
    Gate,
    ProcessRequestAwaiting,
    Router,
    SlowConsumer,
    Verdict,
    opening_failure,
    printable,
)
from wscore_sockets import listen, tune
from wscore_tls import TLSFilter

from ._accept import Acceptor
from ._link import Link
from ._run import start
from ._session import Session, log

_DRAIN: Final = 10.0  # seconds for handlers to end on shutdown
_LAST_WORDS: Final = 1.0  # seconds for what was sent last to arrive, on shutdown


@final
class _Visitor:
    """One accepted connection, and what becomes of it.

    Attributes:
        link: drives it.
        addresses: its own and its peer's.
        session: once the handshake is complete.
        asking: the task in which the application considers its request, while it does.
    """

    __slots__ = ("_accepted", "_server", "addresses", "asking", "link", "session")

    def __init__(self, server: "Server", link: Link, addresses: tuple[Any, Any]) -> None:
        self._server = server
        self._accepted = Accept()
        self.link = link
        self.addresses = addresses
        self.session: Session | None = None
        self.asking: asyncio.Task[None] | None = None
        link.deliver = self._take
        link.on_over = self._leave

    def _leave(self) -> None:
        self._server.leave(self)
        if self.asking is not None:
            self.asking.cancel()  # nobody waits for the answer

    def _take(self, event: Event) -> None:
        """Act on what comes before the session does."""
        if isinstance(event, RequestReceived):
            self._server.consider(self, event.request)
        elif isinstance(event, Opened):
            self.link.deliver = None
            self._server.begin(self, self._accepted, event)
        elif isinstance(event, Closed):
            log.info("no handshake: %s", printable(str(opening_failure(event, self.link.error))))

    def answer(self, gate: Gate, request: Request, verdict: Verdict) -> None:
        """Accept the request, or respond to it."""
        if isinstance(verdict, Accept):
            self._accepted = verdict
        gate.answer(self.link.core, request, verdict, monotonic())
        self.link.pump()


@final
class Server:
    """A running server; get it from `serve`. It accepts until `shutdown`.

    Attributes:
        addresses: what it listens on, as the sockets give it.
        port: of the first of them; 0 for a path.
    """

    def __init__(
        self,
        gate: Gate,
        admission: Admission,
        listeners: Sequence[socket.socket],
        *,
        ssl: ssl_module.SSLContext | None,
        slow_consumer: SlowConsumer,
    ) -> None:
        self._gate = gate
        self._admission = admission
        self._ssl = ssl
        self._slow_consumer = slow_consumer
        self._loop = asyncio.get_running_loop()
        self._visitors: set[_Visitor] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._farewell = CloseCode.GOING_AWAY.value, ""  # what shutdown closes sessions with
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopped = asyncio.Event()
        self.addresses: list[Any] = [listener.getsockname() for listener in listeners]
        self.port: int = self.addresses[0][1] if isinstance(self.addresses[0], tuple) else 0
        self._acceptors = [Acceptor(listener, self._welcome) for listener in listeners]

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        return [visitor.session for visitor in self._visitors if visitor.session is not None]

    async def serve_forever(self) -> None:
        """Wait until `shutdown` has been called; cancelled, shut down."""
        try:
            await self._stopped.wait()
        except asyncio.CancelledError:
            await self.shutdown()
            raise

    async def serve_until_signal(self, *signals: signal_module.Signals, timeout: float = _DRAIN) -> None:
        """Wait for a signal, then shut down; a second one cuts that short.

        Args:
            signals: which; none: SIGTERM and SIGINT.
            timeout: as for `shutdown`.
        """
        wanted = signals or (signal_module.SIGTERM, signal_module.SIGINT)
        came, again = asyncio.Event(), asyncio.Event()

        def note() -> None:
            (again if came.is_set() else came).set()

        for signal in wanted:
            self._heed(signal, note)
        try:
            await came.wait()
            await self._shut_down_unless(again, timeout)
        finally:
            for signal in wanted:
                self._heed(signal, None)

    def _heed(self, signal: signal_module.Signals, note: Callable[[], None] | None) -> None:
        """Call note when signal comes; None: not any more."""
        try:
            if note is None:
                self._loop.remove_signal_handler(signal)
            else:
                self._loop.add_signal_handler(signal, note)
        except NotImplementedError:  # Windows
            later = None if note is None else partial(self._loop.call_soon_threadsafe, note)
            signal_module.signal(signal, signal_module.SIG_DFL if later is None else lambda *_: later())

    async def _shut_down_unless(self, again: asyncio.Event, timeout: float) -> None:
        graceful = self._loop.create_task(self.shutdown(timeout=timeout))
        cut_short = self._loop.create_task(again.wait())
        try:
            await asyncio.wait([graceful, cut_short], return_when=asyncio.FIRST_COMPLETED)
            if not graceful.done():
                await self.shutdown(timeout=0.0)
        finally:
            graceful.cancel()
            cut_short.cancel()

    async def shutdown(
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
        if not self._gate.closing:
            self._gate.closing = True
            self._farewell = int(code), reason
        if self._acceptors:
            for acceptor in self._acceptors:
                await acceptor.stop()
            self._acceptors = []
            self._say_goodbye()
        await self._wait_until_empty(monotonic() + timeout)
        for visitor in list(self._visitors):
            if not self._is_own(visitor):
                visitor.link.abort()
        for task in self._tasks():
            task.cancel()
        await self._wait_until_empty(monotonic() + _LAST_WORDS)
        self._stopped.set()

    def _say_goodbye(self) -> None:
        """Close the sessions, and the connections that were promised nothing yet."""
        for visitor in list(self._visitors):
            if visitor.session is not None:
                visitor.session.start_closing(*self._farewell)
            elif visitor.link.core.request is None:
                visitor.link.abort()

    async def _wait_until_empty(self, deadline: float) -> None:
        """Wait until no connection and no handler is left, except the one that runs this."""
        while (left := deadline - monotonic()) > 0:
            tasks = self._tasks()
            waiting = [visitor for visitor in self._visitors if not self._is_own(visitor)]
            if not tasks and not waiting:
                return
            for visitor in waiting:
                since = visitor.link.lingers_since
                if since is not None and since < monotonic() - _LAST_WORDS:
                    visitor.link.abort()  # it has everything, and does not go
            if tasks:
                await asyncio.wait(tasks, timeout=min(left, 0.25))
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._empty.wait(), min(left, 0.25))

    def _tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of handlers, except the one that asks."""
        return [task for task in self._handlers if task is not asyncio.current_task()]

    def _is_own(self, visitor: _Visitor) -> bool:
        """Tell whether visitor's handler is the one that asks."""
        session = visitor.session
        return session is not None and session.task is not None and session.task is asyncio.current_task()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    # One connection.

    def _welcome(self, sock: socket.socket, address: Any) -> Link | None:
        """Begin to serve a connection; None: it is not let in."""
        if self._admission.admit(address) is not Entry.ADMIT:
            return None
        tune(sock)
        core = Connection(Role.SERVER, self._gate.config, now=monotonic())
        tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
        visitor = _Visitor(self, Link(core, tls, self._loop), (sock.getsockname(), address))
        self._visitors.add(visitor)
        self._empty.clear()
        return visitor.link

    def leave(self, visitor: _Visitor) -> None:
        """Forget a connection that is over."""
        self._admission.closed(visitor.addresses[1], visitor.session is not None)
        self._visitors.discard(visitor)
        if not self._visitors:
            self._empty.set()

    def consider(self, visitor: _Visitor, request: Request) -> None:
        """Decide about a request, in a task if the application has a say."""
        if not self._gate.asks:
            visitor.answer(self._gate, request, self._gate.decide(request, full=self._admission.full))
            return
        self._keep(self._loop.create_task(self._ask(visitor, request)))

    async def _ask(self, visitor: _Visitor, request: Request) -> None:
        visitor.asking = asyncio.current_task()
        verdict = await self._gate.decide_awaiting(request, full=self._admission.full)
        visitor.asking = None
        if isinstance(verdict, Accept) and self._admission.full:
            verdict = SERVER_FULL  # others were quicker meanwhile
        visitor.answer(self._gate, request, verdict)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        """Remember a task until it is done: shutdown waits for it."""
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    def begin(self, visitor: _Visitor, accepted: Accept, opened: Opened) -> None:
        """Begin a session over an open connection."""
        self._admission.opened()
        link = visitor.link
        visitor.session = session = Session(
            link,
            addresses=visitor.addresses,
            secure=self._ssl is not None,
            accepted=accepted,
            slow_consumer=self._slow_consumer,
        )
        assert accepted.handler is not None  # the gate has filled it in
        try:
            target = endpoint_for(accepted.handler)
        except Exception:
            session.logger.exception("no endpoint could be made")
            link.core.close(CloseCode.INTERNAL_ERROR, now=monotonic())
            link.deliver = _ignore
            return
        start(target, session, link, opened)
        if session.task is not None:
            self._keep(session.task)
        if self._gate.closing:
            session.start_closing(*self._farewell)


def _ignore(event: Event) -> None:
    """Take the events of a connection that nothing serves."""


@final
class _Starting:
    """What `serve` returns: await it, or enter it, to have the server."""

    __slots__ = ("_server", "_start")

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Server]]) -> None:
        self._start = start

    def __await__(self) -> Generator[Any, None, Server]:
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        self._server = await self._start()
        return self._server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.shutdown()


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
    process_request: ProcessRequestAwaiting | None = None,
    hosts: Sequence[str] | None = None,
    max_connections: int = 10_000,
    max_pending: int = 1000,
    max_per_address: int | None = None,
    slow_consumer: SlowConsumer = SlowConsumer.WAIT,
    backlog: int = 1024,
    reuse_port: bool = False,
) -> _Starting:
    """Start a server: await the result, or enter it with ``async with``.

    Args:
        handler: an `Endpoint` class (one instance per connection) or instance (stateless), an
            ``Endpoint.factory(...)``, a coroutine function of the session, or a `Router` of these. Hooks
            may be coroutine functions, except on_writable.
        host: a name or address, or several; every address that each has is listened on. None: all
            interfaces.
        port: 0 lets the system choose; see ``Server.port``.
        unix: a path to listen on instead.
        sockets: listening sockets to use instead, such as `wscore_sockets.inherited_sockets` gives; they
            are closed with the server.
        config: limits, timeouts, allowed origins.
        ssl: a server's context, for wss://; see `wscore_tls.server_context`.
        subprotocols: supported ones, in order of preference.
        process_request: called with every well-formed request; it, or what it returns when awaited, is
            None to go on, an `Accept` to say how, or a `Response` that answers it. A plain HTTP GET that it
            does not answer gets 426; when it raises the client gets 500.
        hosts: names that this server answers to; others get 421. None: any.
        max_connections: further requests get 503.
        max_pending: opening handshakes under way; further connections are dropped.
        max_per_address: connections from one address; None: no limit.
        slow_consumer: what a broadcast does with a peer that reads too slowly.
        backlog: connections that the kernel keeps waiting.
        reuse_port: let several processes listen on the same port.

    Raises:
        OSError: the address cannot be listened on.
        TypeError: handler is none of the above.
    """
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

    async def start_listening() -> Server:
        listeners = (
            list(sockets)
            if sockets is not None
            else listen(host, port, unix=unix, backlog=backlog, reuse_port=reuse_port)
        )
        return Server(gate, admission, listeners, ssl=ssl, slow_consumer=slow_consumer)

    return _Starting(start_listening)
