"""`connect`: a session as a client."""

import socket
import ssl as ssl_module
import threading
from collections.abc import Sequence
from time import monotonic

from wscore import (
    Address,
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
    parse_url,
)
from wscore_tls import TLSFilter, client_context

from ._housekeeper import housekeeper
from ._link import Link
from ._run import failure, run, wait_for_event
from ._session import Session
from ._wire import Wire


def connect(
    url: str,
    endpoint: Handler | None = None,
    *,
    config: Config | None = None,
    headers: HeadersLike = (),
    subprotocols: Sequence[str] = (),
    ssl: ssl_module.SSLContext | None = None,
) -> Session:
    """Connect to a server and return the session when the upgrade has succeeded.

    Args:
        url: a ws:// or wss:// address.
        endpoint: whose hooks get the events, called in a thread of their own (or a function of the
            session, run there); None: use `Session.recv` and iteration yourself.
        config: limits and timeouts; ``timeouts.open`` bounds this call, name resolution apart.
        headers: more fields for the request, such as Origin or Authorization.
        subprotocols: names to offer, in order of preference.
        ssl: for wss://; None: the system's trust, TLS 1.2 or newer.

    Raises:
        InvalidURL: the address is not usable.
        LocalProtocolError: a header or subprotocol that may not be sent.
        HandshakeRefused: the server answered with a status other than 101.
        RemoteProtocolError, TimedOut, ConnectionLost: the opening handshake failed.
        ssl.SSLError: TLS failed; ssl.SSLCertVerificationError: the certificate is not to be trusted.
        OSError: no connection.
    """
    address = parse_url(url)
    if ssl is not None and not address.secure:
        raise ValueError("an SSL context goes with a wss:// address only")
    target = None
    if endpoint is not None:
        config = config_for(endpoint, config)
        target = endpoint_for(endpoint)  # made before anything is opened: it may raise
    core = Connection(Role.CLIENT, config, now=monotonic())
    core.send_request(address, headers=headers, subprotocols=subprotocols, now=monotonic())
    session, opened = _open(address, core, ssl)
    if target is not None:
        session.runner = threading.Thread(
            target=run,
            args=(target, session, opened),
            name=f"wscore-client {session.remote_address}",
            daemon=True,
        )
        session.runner.start()
    return session


def _open(
    address: Address, core: Connection, context: ssl_module.SSLContext | None
) -> tuple[Session, Opened]:
    """Connect, and drive the opening handshake to its end."""
    sock = _connect_tcp(address, core)
    try:
        tls = _make_filter(address, context)
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
    session = Session(link, opened.request, opened.response, addresses=addresses, secure=address.secure)
    return session, opened


def _connect_tcp(address: Address, core: Connection) -> socket.socket:
    """Connect within what is left of the open timeout."""
    deadline = core.next_deadline()
    failed: OSError | None = None
    for family, kind, protocol, _, place in socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM
    ):
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            raise TimedOut(Timer.OPEN)
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(place)
            return sock
        except OSError as error:
            sock.close()
            failed = error
    if isinstance(failed, TimeoutError):
        raise TimedOut(Timer.OPEN) from None
    assert failed is not None  # getaddrinfo gives an address or raises
    raise failed


def _make_filter(address: Address, context: ssl_module.SSLContext | None) -> TLSFilter | None:
    if not address.secure:
        return None
    return TLSFilter(context or client_context(), server_side=False, server_hostname=address.host)


def _wait_for_opening(link: Link) -> Opened:
    """Drive the link until the server has answered."""
    event = wait_for_event(link)
    if isinstance(event, Opened):
        return event
    if isinstance(event, Refused):
        raise HandshakeRefused(event.response)
    assert link.core.closed is not None
    raise failure(link, link.core.closed)
