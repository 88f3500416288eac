"""`serve`: listening sockets of the running loop, and what happens to a connection until it is open.

A connection that `Reception` does not let in is dropped at once; one that finds the server
full gets 503. A request is decided by the gate (`wscore.policy`); only an application's own
``process_request`` costs a task.
"""

import asyncio
import signal as signal_module
import socket
import ssl as ssl_module
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from time import monotonic
from typing import Any, Final, Self, TypeAlias, final

from wscore import CloseCode, Closed, Config, Event, Handler, Opened, Request, RequestReceived
from wscore.policy import (
    LAST_WORDS,
    Admission,
    Entry,
    Gate,
    ProcessRequestAwaiting,
    Reception,
    Router,
    SlowConsumer,
    Verdict,
    Visitor,
    target_of,
)
from wscore_sockets import open_listeners, tune
from wscore_tls import TLSFilter

from ._accept import Acceptor
from ._awaited import Awaited
from ._link import Link
from ._mistakes import asking
from ._run import start
from ._session import Session, log

_DRAIN: Final = 10.0  # seconds for handlers to end on shutdown
_LOOK_AGAIN: Final = 0.25  # seconds between looks at who lingers, on shutdown

_Visitor: TypeAlias = Visitor[Link, Session]


@final
class Server:
    """A running server; get it from `serve`. It accepts until `shutdown`.

    Attributes:
        addresses: what it listens on, as the sockets give it.
        port: of the first of them; 0 for a path.
    """

    def __init__(
        self,
        reception: Reception[Link, Session],
        listeners: Sequence[socket.socket],
        ssl: ssl_module.SSLContext | None,
    ) -> None:
        self._reception = reception
        self._ssl = ssl
        self._loop = asyncio.get_running_loop()
        self._handlers: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopped = asyncio.Event()
        self.addresses: list[Any] = [listener.getsockname() for listener in listeners]
        self.port: int = self.addresses[0][1] if isinstance(self.addresses[0], tuple) else 0
        self._acceptors = [Acceptor(listener, self._welcome) for listener in listeners]

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        return self._reception.sessions

    async def serve_forever(self) -> None:
        """Wait until `shutdown` has been called; cancelled, shut down."""
        try:
            await self._stopped.wait()
        except asyncio.CancelledError:
            await self.shutdown()
            raise

    async def serve_until_signal(self, *signals: signal_module.Signals, timeout: float = _DRAIN) -> None:
        """Wait for a signal, then shut down; a second one cuts that short.

        Returns without a signal, too, when `shutdown` was called elsewhere and is done. In the end each
        signal means again what it meant before.

        Args:
            signals: which; none: SIGTERM and SIGINT.
            timeout: as for `shutdown`.
        """
        wanted = signals or (signal_module.SIGTERM, signal_module.SIGINT)
        came, again = asyncio.Event(), asyncio.Event()

        def note() -> None:
            (again if came.is_set() else came).set()

        with ExitStack() as heeded:
            for signal in wanted:
                heeded.callback(self._heed_no_more, signal, self._heed(signal, note))
            await self._first_of(self._stopped.wait(), came.wait())
            if came.is_set():
                await self._shut_down_unless(again, timeout)

    def _heed(self, signal: signal_module.Signals, note: Callable[[], None]) -> Any:
        """Call note when signal comes; return what is to be installed again: None: nothing that can be."""
        before = signal_module.getsignal(signal)
        try:
            self._loop.add_signal_handler(signal, note)
        except NotImplementedError:  # Windows
            signal_module.signal(signal, lambda *_: self._loop.call_soon_threadsafe(note))
        # The same as before: that is the loop's own, which without the function that it called is deaf.
        return None if signal_module.getsignal(signal) == before else before

    def _heed_no_more(self, signal: signal_module.Signals, before: Any) -> None:
        """Let signal mean what it meant before."""
        with suppress(NotImplementedError):
            self._loop.remove_signal_handler(signal)
        if before is not None:
            signal_module.signal(signal, before)

    async def _shut_down_unless(self, again: asyncio.Event, timeout: float) -> None:
        await self._first_of(self.shutdown(timeout=timeout), again.wait())
        if not self._stopped.is_set():
            await self.shutdown(timeout=0.0)

    async def _first_of(self, *awaited: Coroutine[Any, Any, object]) -> None:
        """Run them all until one is done; the others are cancelled."""
        tasks = [self._loop.create_task(each) for each in awaited]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

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
        self._reception.close(code, reason)
        if self._acceptors:
            for acceptor in self._acceptors:
                await acceptor.stop()
            self._acceptors = []
            self._reception.say_goodbye(Session.start_closing)
        await self._wait_until_empty(monotonic() + timeout)
        self._reception.abort(but=asyncio.current_task())
        for task in self._tasks():
            task.cancel()
        await self._wait_until_empty(monotonic() + LAST_WORDS)
        self._stopped.set()

    async def _wait_until_empty(self, deadline: float) -> None:
        """Wait until no connection and no handler is left, except the one that runs this."""
        while (left := deadline - monotonic()) > 0:
            tasks = self._tasks()
            if not tasks and not self._reception.others(asyncio.current_task()):
                return
            self._reception.cut_lingering(monotonic())
            if tasks:
                await asyncio.wait(tasks, timeout=min(left, _LOOK_AGAIN))
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._empty.wait(), min(left, _LOOK_AGAIN))

    def _tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of handlers, except the one that asks."""
        return [task for task in self._handlers if task is not asyncio.current_task()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    # One connection.

    def _welcome(self, sock: socket.socket, address: Any) -> Link | None:
        """Begin to serve a connection; None: it is not let in."""
        if self._reception.admit(address) is not Entry.ADMIT:
            return None
        try:
            tune(sock)
            tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
            link = Link(self._reception.begin(monotonic()), tls, self._loop)
            addresses = sock.getsockname(), address
        except BaseException:
            self._reception.turn_away(address)
            raise
        visitor = self._reception.welcome(link, addresses)
        link.deliver = partial(self._take, visitor)
        link.on_over = partial(self._leave, visitor)
        self._empty.clear()
        return link

    def _leave(self, visitor: _Visitor) -> None:
        """Forget a connection that is over."""
        self._reception.leave(visitor)
        if visitor.session is None and visitor.owner is not None:
            visitor.owner.cancel()  # nobody waits for the answer
        if not self._reception.visitors:
            self._empty.set()

    def _take(self, visitor: _Visitor, event: Event) -> None:
        """Act on what comes before the session does."""
        if isinstance(event, RequestReceived):
            if self._reception.asks:
                self._keep(self._loop.create_task(self._ask(visitor, event.request)))
            else:
                self._answer(visitor, event.request, self._reception.decide(event.request))
        elif isinstance(event, Opened):
            visitor.link.deliver = None
            self._begin(visitor, event)
        elif isinstance(event, Closed):
            log.info(visitor.sentence(event))

    async def _ask(self, visitor: _Visitor, request: Request) -> None:
        """Let the application decide about a request."""
        visitor.owner = asyncio.current_task()
        verdict = await self._reception.decide_awaiting(request)
        visitor.owner = None
        self._answer(visitor, request, verdict)

    def _answer(self, visitor: _Visitor, request: Request, verdict: Verdict) -> None:
        """Accept a request, or respond to it."""
        self._reception.answer(visitor, request, verdict, monotonic())
        visitor.link.pump()

    def _keep(self, task: "asyncio.Task[None]") -> None:
        """Remember a task until it is done: shutdown waits for it."""
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    def _begin(self, visitor: _Visitor, opened: Opened) -> None:
        """Begin a session over an open connection."""
        session = Session(visitor.link, **self._reception.facts(visitor))
        self._reception.open(visitor, session)
        start(target_of(visitor.accepted, session.close_unserved), session, visitor.link, opened)
        if session.task is not None:
            visitor.owner = session.task
            self._keep(session.task)
        self._reception.say_goodbye_if_closing(session, Session.start_closing)


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
) -> Awaited[Server]:
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
        process_request=None if process_request is None else asking(process_request),
        hosts=hosts,
        report=lambda sentence, error: log.error(sentence, exc_info=error),
    )
    admission = Admission(
        max_connections=max_connections, max_pending=max_pending, max_per_address=max_per_address
    )
    reception: Reception[Link, Session] = Reception(
        gate, admission, secure=ssl is not None, slow_consumer=slow_consumer
    )

    async def start_listening() -> Server:
        listeners = open_listeners(sockets, host, port, unix=unix, backlog=backlog, reuse_port=reuse_port)
        return Server(reception, listeners, ssl)

    return Awaited(start_listening)
