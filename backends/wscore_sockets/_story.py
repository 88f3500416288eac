"""From what a client was asked for to a connected stream, told step by step: names, Happy Eyeballs, proxies.

`stream_to` does what can be done at once, and yields what takes time, as a `Step`. Whoever tells the story
does that in the way that it has, sends the answer, and closes the story to give up, which closes every
socket::

    with closing(stream_to(opening)) as story:
        answer = None
        while True:
            try:
                step = story.send(answer)
            except StopIteration as end:
                sock, tls = end.value
                break
            answer = ...                        # do it: `perform` does, and blocks

So a thread that may block, an event loop and a reactor share all of it but the waiting.
"""

from collections.abc import Generator
from dataclasses import dataclass
from socket import socket
from typing import Any, TypeAlias

from wscore import Address
from wscore.policy import Proxy, interleave
from wscore_tls import TLSFilter

from ._connecting import LocalAddress, Wait, connect_to_one, numeric_places, path_of_unix
from ._opening import Opening
from ._proxies import Tunnel


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out the addresses of a host; the answer is what ``getaddrinfo`` gives for streams."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send all of some data, and receive once; the answer is what came, b"" at the end of the stream."""

    sock: socket
    data: bytes


@dataclass(frozen=True, slots=True)
class Socks:
    """Connect through a SOCKS proxy, which `socks_proxy` speaks to; the answer is the socket."""

    proxy: Proxy
    address: Address
    local_address: LocalAddress


Step: TypeAlias = Wait | LookUp | Exchange | Socks
Dialed: TypeAlias = tuple[socket, TLSFilter | None]  # and the TLS that is spoken with a proxy itself
Story: TypeAlias = Generator[Step, Any, Dialed]


def stream_to(opening: Opening) -> Story:
    """Have a connected socket, non-blocking or not.

    Raises:
        OSError: no connection.
        ProxyRefused, RemoteProtocolError, ConnectionLost: the proxy opened no tunnel.
    """
    way, address, proxy = opening.way, opening.plan.address, opening.plan.proxy
    if way.sock is not None:
        return way.sock, None
    if way.unix is not None:
        sock = yield from connect_to_one([path_of_unix(way.unix)], None)
    elif proxy is None:
        sock = yield from _host(address.host, address.port, way.local_address)
    elif proxy.is_http:
        return (yield from _tunnel(opening, proxy))
    else:
        sock = yield Socks(proxy, address, way.local_address)
    return sock, None


def _host(host: str, port: int, local_address: LocalAddress) -> Generator[Step, Any, socket]:
    """Connect to the first address of host that answers; one that is an address already is not looked up."""
    found = numeric_places(host, port) or (yield LookUp(host, port))
    return (yield from connect_to_one(interleave(found), local_address))


def _tunnel(opening: Opening, proxy: Proxy) -> Story:
    """Connect to an HTTP proxy, ask it for a tunnel, and wait for its answer."""
    sock = yield from _host(proxy.host, proxy.port, opening.way.local_address)
    try:
        tunnel = Tunnel(opening.plan, proxy, opening.config)
        while not tunnel.is_open:
            tunnel.receive_data((yield Exchange(sock, tunnel.data_to_send())))
    except BaseException:
        sock.close()
        raise
    return sock, tunnel.tls
