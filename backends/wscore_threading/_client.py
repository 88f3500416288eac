"""`connect`: a session as a client."""

import socket
import ssl as ssl_module
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from wscore import Config, Handler, HandshakeRefused, HeadersLike, Opened, config_for, endpoint_for
from wscore.policy import check_plain, opening_error
from wscore_sockets import Opening, Way, dial_for

from ._housekeeper import housekeeper
from ._link import Link
from ._run import run, wait_for_event
from ._session import Session
from ._wire import Wire


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
        TypeError: an argument of another type.
        HandshakeRefused: the server answered with a status other than 101.
        RedirectRefused: a redirect that must not be followed.
        ProxyRefused: the proxy opened no tunnel.
        RemoteProtocolError, TimedOut, ConnectionLost: the opening handshake failed.
        ssl.SSLError: TLS failed; ssl.SSLCertVerificationError: the certificate is not to be trusted.
        OSError: no connection.
    """
    way = Way(ssl=ssl, server_hostname=server_hostname, unix=unix, sock=sock, local_address=local_address)
    with _closed_on_failure(sock):
        plan = way.plan(url, headers=headers, origin=origin, proxy=proxy, redirects=redirects)
        target = None
        if endpoint is not None:
            check_plain(endpoint)
            config = config_for(endpoint, config)
            target = endpoint_for(endpoint)  # made before anything is opened: it may raise
    session, opened = _connect(Opening(plan, way, config or Config(), subprotocols))
    if target is not None:
        name = f"wscore-client {session.remote_address}"
        session.runner = threading.Thread(target=run, args=(target, session, opened), name=name, daemon=True)
        try:
            session.runner.start()
        except BaseException:  # no more threads: nobody would drive it
            session.abort()
            raise
    return session


@contextmanager
def _closed_on_failure(sock: socket.socket | None) -> Iterator[None]:
    """Close a socket, if there is one, when what is done before a link has it fails."""
    try:
        yield
    except BaseException:
        if sock is not None:
            sock.close()
        raise


def _connect(opening: Opening) -> tuple[Session, Opened]:
    """Open a session, following redirects as far as that was asked for."""
    while True:
        try:
            return _open(opening)
        except HandshakeRefused as refused:
            opening = opening.after(refused)


def _open(opening: Opening) -> tuple[Session, Opened]:
    """Connect, and drive the opening handshake to its end."""
    with _closed_on_failure(opening.way.sock):
        core = opening.begin(monotonic())
        sock, proxy_tls = dial_for(opening, core.next_deadline())
    with _closed_on_failure(sock):
        tls = opening.filter(proxy_tls)
        addresses = sock.getsockname(), sock.getpeername()
        link = Link(core, Wire(sock), tls)
        housekeeper.add(link)
    try:
        event = wait_for_event(link)
        if not isinstance(event, Opened):
            raise opening_error(event, link.error)
    except BaseException:
        link.abort()
        raise
    return Session(link, addresses=addresses, secure=opening.secure), event
