"""`connect`: a session as a client; `reconnect`: one after another."""

import asyncio
import socket
import ssl as ssl_module
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Unpack, final

from wscore import (
    Config,
    Endpoint,
    Event,
    Handler,
    HandshakeRefused,
    HeadersLike,
    Opened,
    TimedOut,
    Timer,
    config_for,
    endpoint_for,
)
from wscore.policy import SessionFacts, opening_error
from wscore_sockets import Dialed, Opening, Way, tune

from ._awaited import Awaited
from ._dial import dial
from ._link import Link, as_protocol
from ._run import start
from ._session import Session


def connect(
    url: str,
    endpoint: Handler | None = None,
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
) -> Awaited[Session]:
    """Connect to a server: await the result, or enter it with ``async with``, to have the session.

    Args:
        url: a ws:// or wss:// address; ``user:password@`` in it becomes basic authentication.
        endpoint: whose hooks get the events, or a coroutine function of the session, run in a task; None:
            use `Session.recv` and iteration yourself.
        config: limits and timeouts; ``timeouts.open`` bounds the whole opening: names, TCP, proxy, TLS
            and handshake, for each redirect anew.
        headers: more fields for the request.
        subprotocols: names to offer, in order of preference.
        origin: the Origin field, for servers that ask for one.
        ssl: for wss://; None: the system's trust, TLS 1.2 or newer.
        server_hostname: whom to ask for and whose certificate to expect; None: the host of the address.
        proxy: an address of one, http://, https:// or socks5h://; True: as the environment says; None: none.
        redirects: how many to follow; credentials go to the same origin only.
        unix: a path to connect to; the address then only fills the request.
        sock: a connected stream socket to use; it is closed with the session, or when this fails.
        local_address: host and port to connect from.

    Raises:
        InvalidURL: the address, or that of a proxy, is not usable.
        LocalProtocolError: a header or subprotocol that may not be sent.
        TypeError: an argument of another type.
        HandshakeRefused: the server answered with a status other than 101.
        RedirectRefused: a redirect that must not be followed.
        ProxyRefused: the proxy opened no tunnel.
        RemoteProtocolError, TimedOut, ConnectionLost: the opening handshake failed.
        ssl.SSLError: TLS failed; ssl.SSLCertVerificationError: the certificate is not to be trusted.
        OSError: no connection.
    """
    way = Way(ssl=ssl, server_hostname=server_hostname, unix=unix, sock=sock, local_address=local_address)
    plan = way.plan(url, headers=headers, origin=origin, proxy=proxy, redirects=redirects)
    if endpoint is not None:
        config = config_for(endpoint, config)
    return Awaited(partial(_connect, Opening(plan, way, config or Config(), subprotocols), endpoint))


async def _connect(opening: Opening, handler: Handler | None) -> Session:
    """Open a session, following redirects as far as that was asked for."""
    while True:
        try:
            return await _open(opening, handler)
        except HandshakeRefused as refused:
            opening = opening.after(refused)


async def _open(opening: Opening, handler: Handler | None) -> Session:
    """Connect, and drive the opening handshake to its end."""
    sock = opening.way.sock
    waiting: _Waiting | None = None
    try:
        target = None if handler is None else endpoint_for(handler)  # may raise
        core = opening.begin(monotonic())
        sock, proxy_tls = await _dial_in_time(opening, core.next_deadline())
        tune(sock)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(
            Link(core, opening.filter(proxy_tls), loop),
            target,
            addresses=_addresses(sock),
            secure=opening.secure,
        )
        await loop.create_connection(waiting.take_link, sock=sock)
        if waiting.link.is_over:
            # uvloop has closed the descriptor without telling the socket, which would close it once more: by
            # then it may be another connection's.
            sock.detach()
        return await waiting.session
    except BaseException:
        if (waiting is None or not waiting.give_up()) and sock is not None:
            sock.close()
        raise
    finally:
        waiting = None  # what is raised knows this frame; it must not be known by it


def _addresses(sock: socket.socket) -> tuple[Any, Any]:
    """Return the addresses of both ends; None for one that has gone already: the transport will tell."""
    try:
        return sock.getsockname(), sock.getpeername()
    except OSError:
        return sock.getsockname(), None


async def _dial_in_time(opening: Opening, deadline: float | None) -> Dialed:
    """Have a connected socket within the open timeout, which the core began to count."""
    late = asyncio.timeout(None if deadline is None else deadline - monotonic())
    try:
        async with late:
            return await dial(opening)
    except TimeoutError:
        if late.expired():
            raise TimedOut(Timer.OPEN) from None
        raise


@final
class _Waiting:
    """Waits for the server's answer, and lets the session begin in the same step.

    Attributes:
        link: drives the connection.
        session: the result.
    """

    __slots__ = ("_facts", "_target", "link", "session")

    def __init__(
        self, link: Link, target: Endpoint | Callable[[Any], object] | None, **facts: Unpack[SessionFacts]
    ) -> None:
        self.link = link
        self._target = target
        self._facts = facts
        self.session: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        link.deliver = self._take

    def take_link(self) -> asyncio.BaseProtocol:
        """Return what the transport is to drive."""
        return as_protocol(self.link)

    def give_up(self) -> bool:
        """End what there is of the connection; tell whether that includes the socket."""
        if not self.session.cancel() and not self.session.cancelled():
            self.session.exception()  # somebody has seen it, or it came too late for that
        return self.link.abandon()

    def _take(self, event: Event) -> None:
        if self.session.done():
            return  # it was given up
        if not isinstance(event, Opened):
            self.session.set_exception(opening_error(event, self.link.error))
            return
        self.link.deliver = None
        session = Session(self.link, **self._facts)
        if self._target is not None:
            start(self._target, session, self.link, event)
        self.session.set_result(session)
