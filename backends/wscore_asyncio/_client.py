"""`connect`: a session as a client; `reconnect`: one after another."""

import asyncio
import os
import socket
import ssl as ssl_module
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, final

from wscore import (
    Closed,
    Config,
    Connection,
    Endpoint,
    Event,
    Handler,
    HandshakeRefused,
    HeadersLike,
    Opened,
    Refused,
    Role,
    TimedOut,
    Timer,
    config_for,
    endpoint_for,
)
from wscore.policy import Plan, follow, opening_failure, plan_connection
from wscore_sockets import tune
from wscore_tls import TLSFilter, client_filter

from ._dial import dial, dial_unix
from ._link import Link
from ._run import start
from ._session import Session


@dataclass(frozen=True, slots=True)
class _Options:
    """What `connect` was asked for, apart from the address."""

    handler: Handler | None
    config: Config
    subprotocols: Sequence[str]
    ssl: ssl_module.SSLContext | None
    server_hostname: str | None
    unix: str | None
    sock: socket.socket | None
    local_address: tuple[str, int] | None

    def host_to_trust(self, plan: Plan) -> str | None:
        """Return the name that the certificate must be for; None: no TLS."""
        return (self.server_hostname or plan.address.host) if plan.address.secure else None


@final
class _Connecting:
    """What `connect` returns: await it, or enter it, to have the session."""

    __slots__ = ("_open", "_session")

    def __init__(self, open_: Callable[[], Coroutine[Any, Any, Session]]) -> None:
        self._open = open_

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, trace)


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
) -> _Connecting:
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
        HandshakeRefused: the server answered with a status other than 101.
        RedirectRefused: a redirect that must not be followed.
        ProxyRefused: the proxy opened no tunnel.
        RemoteProtocolError, TimedOut, ConnectionLost: the opening handshake failed.
        ssl.SSLError: TLS failed; ssl.SSLCertVerificationError: the certificate is not to be trusted.
        OSError: no connection.
    """
    direct = unix is not None or sock is not None
    plan = plan_connection(
        url,
        headers=headers,
        origin=origin,
        proxy=None if direct else proxy,
        redirects=redirects,
        environ=os.environ,
        fixed=direct,
    )
    if ssl is not None and not plan.address.secure and not redirects:
        raise ValueError("an SSL context goes with a wss:// address only")
    if endpoint is not None:
        config = config_for(endpoint, config)
    options = _Options(
        handler=endpoint,
        config=config or Config(),
        subprotocols=subprotocols,
        ssl=ssl,
        server_hostname=server_hostname,
        unix=unix,
        sock=sock,
        local_address=local_address,
    )
    return _Connecting(lambda: _connect(plan, options))


async def _connect(plan: Plan, options: _Options) -> Session:
    """Open a session, following redirects as far as that was asked for."""
    while True:
        try:
            return await _open(plan, options)
        except HandshakeRefused as refused:
            following = follow(plan, refused.response, os.environ)
            if following is None:
                raise
            plan = following


async def _open(plan: Plan, options: _Options) -> Session:
    """Connect, and drive the opening handshake to its end."""
    sock = options.sock
    opening: _Opening | None = None
    try:
        target = None if options.handler is None else endpoint_for(options.handler)  # may raise
        core = Connection(Role.CLIENT, options.config, now=monotonic())
        core.send_request(
            plan.address, headers=plan.headers, subprotocols=options.subprotocols, now=monotonic()
        )
        sock, proxy_tls = await _dial_in_time(plan, options, core)
        tune(sock)
        loop = asyncio.get_running_loop()
        opening = _Opening(
            Link(core, client_filter(options.host_to_trust(plan), options.ssl, proxy_tls), loop),
            target,
            _addresses(sock),
            secure=plan.address.secure,
        )
        await loop.create_connection(opening.take_link, sock=sock)
        if opening.is_over:
            # uvloop has closed the descriptor without telling the socket, which would close it once more: by
            # then it may be another connection's.
            sock.detach()
        return await opening.session
    except BaseException:
        if (opening is None or not opening.give_up()) and sock is not None:
            sock.close()
        raise
    finally:
        opening = None  # what is raised knows this frame; it must not be known by it


def _addresses(sock: socket.socket) -> tuple[Any, Any]:
    """Return the addresses of both ends; None for one that has gone already: the transport will tell."""
    try:
        return sock.getsockname(), sock.getpeername()
    except OSError:
        return sock.getsockname(), None


async def _dial_in_time(
    plan: Plan, options: _Options, core: Connection
) -> tuple[socket.socket, TLSFilter | None]:
    """Have a connected socket within the open timeout, which the core began to count."""
    if options.sock is not None:
        options.sock.setblocking(False)
        return options.sock, None
    deadline = core.next_deadline()
    late = asyncio.timeout(None if deadline is None else deadline - monotonic())
    try:
        async with late:
            if options.unix is not None:
                return await dial_unix(options.unix), None
            return await dial(plan, options.config, options.local_address)
    except TimeoutError:
        if late.expired():
            raise TimedOut(Timer.OPEN) from None
        raise


@final
class _Opening:
    """Waits for the server's answer, and lets the session begin in the same step.

    Attributes:
        session: the result.
    """

    __slots__ = ("_addresses", "_link", "_secure", "_target", "session")

    def __init__(
        self,
        link: Link,
        target: Endpoint | Callable[[Any], object] | None,
        addresses: tuple[Any, Any],
        *,
        secure: bool,
    ) -> None:
        self._link = link
        self._target = target
        self._addresses = addresses
        self._secure = secure
        self.session: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        link.deliver = self._take

    def take_link(self) -> Link:
        """Return what the transport is to drive."""
        return self._link

    @property
    def is_over(self) -> bool:
        """Whether the transport is gone already."""
        return self._link.is_over

    def give_up(self) -> bool:
        """End what there is of the connection; tell whether that includes the socket."""
        if not self.session.cancel() and not self.session.cancelled():
            self.session.exception()  # somebody has seen it, or it came too late for that
        self._link.abort()
        return self._link.is_attached

    def _take(self, event: Event) -> None:
        if self.session.done():
            return  # it was given up
        if isinstance(event, Opened):
            self._link.deliver = None
            session = Session(self._link, addresses=self._addresses, secure=self._secure)
            if self._target is not None:
                start(self._target, session, self._link, event)
            self.session.set_result(session)
        elif isinstance(event, Refused):
            self.session.set_exception(HandshakeRefused(event.response))
        elif isinstance(event, Closed):
            self.session.set_exception(opening_failure(event, self._link.error))
