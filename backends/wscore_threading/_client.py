"""`connect`: a session as a client."""

import os
import socket
import ssl as ssl_module
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from wscore import (
    Config,
    Connection,
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
from wscore.policy import Plan, check_plain, follow, opening_failure, plan_connection
from wscore_sockets import dial, dial_unix
from wscore_tls import TLSFilter, client_filter

from ._housekeeper import housekeeper
from ._link import Link
from ._run import run, wait_for_event
from ._session import Session
from ._wire import Wire


@dataclass(frozen=True, slots=True)
class _Options:
    """What `connect` was asked for, apart from the address."""

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
) -> Session:
    """Connect to a server and return the session when the upgrade has succeeded.

    Args:
        url: a ws:// or wss:// address; ``user:password@`` in it becomes basic authentication.
        endpoint: whose hooks get the events, called in a thread of their own (or a function of the
            session, run there); None: use `Session.recv` and iteration yourself.
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
    target = None
    if endpoint is not None:
        check_plain(endpoint)
        config = config_for(endpoint, config)
        target = endpoint_for(endpoint)  # made before anything is opened: it may raise
    options = _Options(
        config=config or Config(),
        subprotocols=subprotocols,
        ssl=ssl,
        server_hostname=server_hostname,
        unix=unix,
        sock=sock,
        local_address=local_address,
    )
    session, opened = _connect(plan, options)
    if target is not None:
        session.runner = threading.Thread(
            target=run,
            args=(target, session, opened),
            name=f"wscore-client {session.remote_address}",
            daemon=True,
        )
        session.runner.start()
    return session


def _connect(plan: Plan, options: _Options) -> tuple[Session, Opened]:
    """Open a session, following redirects as far as that was asked for."""
    while True:
        try:
            return _open(plan, options)
        except HandshakeRefused as refused:
            following = follow(plan, refused.response, os.environ)
            if following is None:
                raise
            plan = following


def _open(plan: Plan, options: _Options) -> tuple[Session, Opened]:
    """Connect, and drive the opening handshake to its end."""
    core = Connection(Role.CLIENT, options.config, now=monotonic())
    core.send_request(plan.address, headers=plan.headers, subprotocols=options.subprotocols, now=monotonic())
    sock, proxy_tls = _dial(plan, options, core)
    try:
        tls = client_filter(options.host_to_trust(plan), options.ssl, proxy_tls)
        addresses = sock.getsockname(), sock.getpeername()
        link = Link(core, Wire(sock), tls)
    except BaseException:
        sock.close()
        raise
    housekeeper.add(link)
    try:
        opened = _wait_for_opening(link)
    except BaseException:
        link.abort()
        raise
    return Session(link, addresses=addresses, secure=plan.address.secure), opened


def _dial(plan: Plan, options: _Options, core: Connection) -> tuple[socket.socket, TLSFilter | None]:
    """Have a connected socket within the open timeout, which the core began to count."""
    if options.sock is not None:
        return options.sock, None
    deadline = core.next_deadline()
    try:
        if options.unix is not None:
            return dial_unix(options.unix, deadline), None
        return dial(plan, options.config, local_address=options.local_address, deadline=deadline)
    except TimeoutError:
        if deadline is not None and monotonic() >= deadline:
            raise TimedOut(Timer.OPEN) from None
        raise  # the system's own limit


def _wait_for_opening(link: Link) -> Opened:
    """Drive the link until the server has answered."""
    event = wait_for_event(link)
    if isinstance(event, Opened):
        return event
    if isinstance(event, Refused):
        raise HandshakeRefused(event.response)
    assert link.core.closed is not None
    raise opening_failure(link.core.closed, link.error)
