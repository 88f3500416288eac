"""A backend for trio in one file: clients and servers over TCP and TLS, with the names of all backends.

Each connection has two tasks of its own, one that reads and keeps time and one that writes; they alone touch
the socket. What the application wants goes into the core and takes no time, or waits until the core looks
different: a wait that is cancelled neither loses a message nor tears one in two. Whoever has told the core
something calls `Link.touch`, and all who wait look again. Time is trio's, so with a `MockClock` it flies. TLS
is a filter between core and socket, because `trio.SSLStream` cannot end the sending direction alone.
"""

import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, suppress
from math import inf
from ssl import SSLContext
from typing import Any, Self

import trio

import wscore
from wscore import Closed, Connection, ConnectionClosed, Endpoint, Event, Opened, State, TransportAction
from wscore.policy import Accept, Gate, Router, SessionInfo, may_send, outcome_of, plan_connection, printable
from wscore_sockets import drop, listen, tune
from wscore_tls import TLSFilter, client_context, pass_input

log = logging.getLogger("trio_driver")


def report(what: str, error: BaseException | None) -> None:
    """Log what the application did not handle; what: where it happened."""
    log.error("%s", what, exc_info=error)


class Link:
    """One core over one socket: what moves the bytes."""

    def __init__(self, core: Connection, stream: trio.SocketStream, tls: TLSFilter | None) -> None:
        self._sock = sock = socket.socket(fileno=stream.socket.detach())
        sock.setblocking(False)
        tune(sock)
        self.core, self._tls, self.over = core, tls, False  # over: the socket is closed
        self.addresses: tuple[Any, Any] = None, None
        with suppress(OSError):  # the peer is gone already
            self.addresses = sock.getsockname(), sock.getpeername()
        self.error: Exception | None = None  # the first that TLS or the socket raised
        self._changed = trio.lowlevel.ParkingLot()
        self._reader = trio.CancelScope()  # around its wait; its deadline is the core's
        self._write_ended = self._write_failed = self._aborted = False

    async def run(self) -> None:
        """Drive the connection until TCP is over; cancelled, abort it."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            if self.core.state is not State.CLOSED:
                self.abort()
            if self._aborted or self.core.transport_action() is TransportAction.ABORT:
                drop(self._sock)
            elif not self._write_ended:
                with suppress(OSError):  # no room for 30 bytes: then the peer does without
                    self._sock.send(self._take_output(last=True))
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
            self.over = True
            self.touch()

    def touch(self) -> None:
        """Let all who wait look again: to be called after every input and every command."""
        self._changed.unpark_all()
        self._reader.deadline = deadline_of(self.core)

    async def wait_until(self, ready: Callable[[], object]) -> None:
        """Wait until ready() holds, which it must do when all is over."""
        while not ready():
            await self._changed.park()

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until there is room for output: `Session.send` returns its link, to be awaited or not."""
        yield from trio.lowlevel.checkpoint().__await__()
        yield from self.wait_until(lambda: self.core.writable).__await__()

    async def next_event(self) -> Event:
        """Wait for an event, and take it as the last thing; after the end, `Closed` again and again."""
        await trio.lowlevel.checkpoint()
        while (event := self.core.next_event()) is None and (event := self.core.closed) is None:
            await self._changed.park()
        self.touch()  # there may be room to read on, or a Close to answer
        return event

    async def opening(self) -> Opened:
        """Wait until the server has answered; raise what it was if it was no yes."""
        event = await self.next_event()
        if isinstance(event, Opened):
            return event
        if isinstance(event, wscore.Refused):
            raise wscore.HandshakeRefused(event.response)
        assert isinstance(event, Closed)
        known = event.violation is not None or event.timer is not None
        raise (None if known else self.error) or wscore.error_from(event) or ConnectionClosed(event)

    async def _read(self) -> None:
        """Read while the core wants that, and keep time."""
        while self.core.state is not State.CLOSED:
            with trio.CancelScope(deadline=deadline_of(self.core)) as self._reader:
                await self.wait_until(lambda: self.core.wants_read or self._write_failed)
                await trio.lowlevel.wait_readable(self._sock)
            if self.core.wants_read:
                self._receive()  # late or not: what has arrived may be what a timer waits for
            elif self._write_failed:
                self.abort()  # nobody would find out that the peer is gone
            self.core.handle_deadline(trio.current_time())
            self.touch()

    def _receive(self) -> None:
        now = trio.current_time()
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.abort(error)
            return
        if self._tls is not None:
            failed = pass_input(self._tls, data, self.core, now)  # it will tell the peer why
            self.error = self.error or failed
        elif data:
            self.core.receive_data(data, now)
        else:
            self.core.receive_eof(now)

    async def _write(self) -> None:
        """Write what waits, and end the sending direction when the core asks for that."""
        while True:
            while data := self._take_output():
                await self._send(data)
            if self.core.transport_action() is TransportAction.SHUTDOWN_WRITE and not self._write_ended:
                self._write_ended = True
                await self._send(self._take_output(last=True))
                with suppress(OSError):  # the peer is gone already
                    self._sock.shutdown(socket.SHUT_WR)
            self.touch()  # there is room, or all is over
            await self._changed.park()

    def _take_output(self, *, last: bool = False) -> bytes:
        """Take what is to be written; asking the core tells it that what was taken before has left."""
        if self._tls is None:
            return b"".join(self.core.data_to_send(trio.current_time()))
        if self._tls.established and (data := b"".join(self.core.data_to_send(trio.current_time()))):
            self._tls.send(data)
        if last:
            self._tls.close()  # close_notify
        return self._tls.data_to_send()

    async def _send(self, data: bytes) -> None:
        """Write data. Once that has failed nothing is written, but what the peer has sent is still read."""
        unsent = memoryview(data)
        while unsent and not self._write_failed:
            try:
                unsent = unsent[self._sock.send(unsent) :]
                self.core.handle_progress(trio.current_time())
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._sock)
            except OSError as error:
                self.error, self._write_failed = self.error or error, True

    def abort(self, error: Exception | None = None) -> None:
        """End the connection without a close handshake, or take note that it is lost."""
        self._aborted = True
        self.error = self.error or error or ConnectionAbortedError("the connection was aborted here")
        self.core.receive_eof(trio.current_time())
        self.core.receive_eof(trio.current_time())  # twice: nothing can be sent either
        self.touch()


class Session(SessionInfo):
    """One open connection, as in every backend; each turn of the loop is a batch, whatever `batch_mode`."""

    def __init__(self, link: Link, *, secure: bool, accepted: Accept | None = None) -> None:
        super().__init__(link.core, addresses=link.addresses, secure=secure, accepted=accepted or Accept())
        self.link = link
        self.receiving = False

    def send(
        self, message: str | bytes | wscore.PreparedMessage, *, compress: bool | None = None
    ) -> Awaitable[None]:
        """Queue a message; the result may be awaited, and then waits while the peer reads too slowly."""
        if isinstance(message, str):
            self._core.send_text(message, compress=compress)
        elif isinstance(message, wscore.PreparedMessage):
            self._core.send_prepared(message)
        else:
            self._core.send_bytes(message, compress=compress)
        self.link.touch()
        return self.link

    async def recv(self) -> str | bytes:
        """Receive the next message. Raises ConnectionClosed after the last one."""
        if self.receiving:
            raise wscore.LocalProtocolError("somebody else is receiving on this session")
        self.receiving = True
        try:
            while not isinstance(event := await self.link.next_event(), (str, bytes)):
                if isinstance(event, Closed):
                    raise ConnectionClosed(event)
            return event
        finally:
            self.receiving = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.recv()
        except ConnectionClosed as end:
            if end.closed.clean:
                raise StopAsyncIteration from None
            raise

    async def ping(self, payload: bytes | None = None, timeout: float = 20.0) -> float:
        """Ping the peer; return the seconds until its pong. Raises TimeoutError when there is none."""
        ping = self._core.send_ping(payload, now=trio.current_time())
        self.link.touch()
        with trio.move_on_after(timeout):
            await self.link.wait_until(lambda: ping.latency is not None or self.closed)
        if ping.latency is None:
            raise ConnectionClosed(self.closed) if self.closed else TimeoutError("no pong in time")
        return ping.latency

    async def close(self, code: int = 1000, reason: str = "", *, wait: bool = True) -> None:
        """Close; wait: until TCP is over. Unread messages do not delay that."""
        self.start_closing(code, reason, discard=wait)
        if wait:
            await self.link.wait_until(lambda: self.link.over)

    def start_closing(self, code: int, reason: str = "", *, discard: bool = False) -> None:
        """Close without waiting."""
        self._core.close(code, reason, now=trio.current_time(), discard=discard)
        self.link.touch()

    def abort(self) -> None:
        """End the connection at once, without a close handshake."""
        self.link.abort()


async def run(handler: Any, session: Session, opened: Opened) -> None:
    """Let handler serve the session; then close. Cancelled, it leaves the rest to the link, which is, too."""
    raised: Exception | None = None
    try:
        target: Any = wscore.endpoint_for(handler)
        await (run_endpoint(target, session, opened) if isinstance(target, Endpoint) else target(session))
    except Exception as error:
        raised = error
    outcome = outcome_of(raised, session.state)
    if outcome.report:
        report("a handler", raised)
    await session.close(outcome.code, outcome.reason)


async def run_endpoint(endpoint: Endpoint, session: Session, event: Event) -> None:
    """Bring events to an endpoint while there is room for its replies; the last one in any case."""
    link, core, session.receiving = session.link, session.link.core, True
    delivery = wscore.Delivery(
        endpoint, session, close=session.start_closing, report=report, may_send=lambda: may_send(core.state)
    )
    try:
        while not isinstance(event, Closed):
            await delivery.deliver_awaiting(event)
            while not core.writable or not (core.events_waiting or core.closed):
                await link.wait_until(lambda: core.events_waiting or core.closed or not core.writable)
                if not core.writable:
                    await link
                    await delivery.notify_writable_awaiting()
            event = await link.next_event()
    except BaseException:  # cancelled
        session.abort()
        with trio.move_on_after(1.0, shield=True):
            await delivery.deliver_awaiting(core.closed or event)
        raise
    await delivery.deliver_awaiting(event)


@asynccontextmanager
async def connect(
    url: str,
    endpoint: wscore.Handler | None = None,
    *,
    config: wscore.Config | None = None,
    headers: wscore.HeadersLike = (),
    subprotocols: Sequence[str] = (),
    origin: str | None = None,
    ssl: SSLContext | None = None,
) -> AsyncIterator[Session]:
    """Connect to a server; arguments and errors are those of the other backends."""
    plan = plan_connection(url, headers=headers, origin=origin, proxy=None, environ={})
    if ssl is not None and not plan.address.secure:
        raise ValueError("an SSL context goes with a wss:// address only")
    address, tls, target, raised = plan.address, None, None, None
    if endpoint is not None:
        config, target = wscore.config_for(endpoint, config), wscore.endpoint_for(endpoint)
    core = Connection(wscore.Role.CLIENT, config, now=trio.current_time())
    core.send_request(address, headers=plan.headers, subprotocols=subprotocols, now=trio.current_time())
    if address.secure:
        tls = TLSFilter(ssl or client_context(), server_side=False, server_hostname=address.host)
    with trio.move_on_at(deadline_of(core)) as in_time:  # the open timeout has begun with the core
        stream = await trio.open_tcp_stream(address.host, address.port)
    if in_time.cancelled_caught:
        raise wscore.TimedOut(wscore.Timer.OPEN)
    session = Session(link := Link(core, stream, tls), secure=address.secure)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        try:
            opened = await link.opening()
            if target is not None:
                session.receiving = isinstance(target, Endpoint)
                nursery.start_soon(run, target, session, opened)
            yield session
            await session.close()
        except Exception as error:
            raised = error  # to be raised outside: a nursery would wrap it in a group
            await session.close(wscore.CloseCode.INTERNAL_ERROR)
    if raised is not None:
        raise raised


class Server:
    """A running server; get it from `serve`."""

    def __init__(self, gate: Gate, ssl: SSLContext | None, addresses: list[Any]) -> None:
        self.addresses, self.port = addresses, int(addresses[0][1])
        self.accepting, self.serving, self.over = trio.CancelScope(), trio.CancelScope(), trio.Event()
        self._gate, self._ssl = gate, ssl
        self.sessions: set[Session] = set()  # those that are open now
        self._silent: set[Link] = set()  # those that have asked for nothing yet

    async def shutdown(self, code: int = 1001, reason: str = "", *, timeout: float = 10.0) -> None:
        """Stop accepting, close every session, wait for the handlers; abort what is left after timeout."""
        wscore.CloseError(code, reason)  # raises before anything has stopped
        self._gate.closing = True
        self.accepting.cancel()
        for link in list(self._silent):
            link.abort()
        for session in list(self.sessions):
            session.start_closing(code, reason)
        with trio.move_on_after(timeout):
            await self.over.wait()
        self.serving.cancel()
        await self.over.wait()

    async def welcome(self, stream: trio.SocketStream) -> None:
        """Serve one accepted connection to its end: answer the request, run the handler if that was a yes."""
        core = Connection(wscore.Role.SERVER, self._gate.config, now=trio.current_time())
        tls = None if self._ssl is None else TLSFilter(self._ssl, server_side=True)
        link, verdict = Link(core, stream, tls), None
        self._silent.add(link)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            while not isinstance(event := await link.next_event(), Closed):
                self._silent.discard(link)
                if isinstance(event, wscore.RequestReceived):
                    verdict = await self._gate.decide_awaiting(event.request)
                    self._gate.answer(core, event.request, verdict, trio.current_time())
                    link.touch()
                elif isinstance(event, Opened) and isinstance(verdict, Accept):
                    session = Session(link, secure=tls is not None, accepted=verdict)
                    self.sessions.add(session)
                    if self._gate.closing:
                        session.start_closing(wscore.CloseCode.GOING_AWAY)
                    await run(verdict.handler, session, event)
                    self.sessions.discard(session)
            self._silent.discard(link)
            if core.request is None:
                log.info("no handshake: %s", printable(str(link.error or wscore.error_from(event))))


async def serve(
    handler: wscore.Handler | Router,
    host: str | Sequence[str] | None = "localhost",
    port: int = 0,
    *,
    ssl: SSLContext | None = None,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
    **options: Any,
) -> None:
    """Serve until the server is shut down; ``nursery.start`` gives the `Server`. Options: those of `Gate`."""
    gate = Gate(handler, report=report, **options)
    found = await trio.to_thread.run_sync(lambda: listen(host, port))  # looks up the name
    server = Server(gate, ssl, [listener.getsockname() for listener in found])
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener)) for listener in found]
    try:
        with server.serving:
            async with trio.open_nursery() as handlers:
                with server.accepting:
                    task_status.started(server)
                    await trio.serve_listeners(server.welcome, listeners, handler_nursery=handlers)
    finally:
        server.over.set()


def deadline_of(core: Connection) -> float:
    """Return until when to wait for input."""
    deadline = -inf if core.state is State.CLOSED else core.next_deadline()
    return inf if deadline is None else deadline
