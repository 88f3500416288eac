"""From a plan to a connected socket: names, Happy Eyeballs, proxies; nothing of WebSocket yet.

`wscore.policy` says what to try when; here it is awaited. Whatever fails or is cancelled closes what it has
opened.
"""

import asyncio
import socket
from time import monotonic
from typing import Any, Final

from wscore import Config, LocalProtocolError
from wscore.policy import ConnectTunnel, DialPlan, Plan, Proxy, interleave
from wscore_tls import TLSFilter, client_context

_READ_SIZE: Final = 4096
_NO_LIMIT: Final = 86_400.0  # seconds, for who takes None for a limit of its own

_Found = tuple[int, int, int, str, Any]
_LocalAddress = tuple[str, int] | None


async def dial(
    plan: Plan, config: Config, local_address: _LocalAddress
) -> tuple[socket.socket, TLSFilter | None]:
    """Connect to where the plan leads, through its proxy if it has one.

    Returns:
        The socket, and the TLS that is spoken with the proxy itself, if any.

    Raises:
        OSError: no connection.
        ProxyRefused, RemoteProtocolError, ConnectionLost: the proxy opened no tunnel.
        LocalProtocolError: a SOCKS proxy, and python-socks is not installed.
    """
    proxy = plan.proxy
    if proxy is None:
        return await _dial_host(plan.address.host, plan.address.port, local_address), None
    if not proxy.is_http:
        return await _dial_socks(plan, proxy, local_address), None
    sock = await _dial_host(proxy.host, proxy.port, local_address)
    try:
        tls = None
        if proxy.secure:
            tls = TLSFilter(client_context(), server_side=False, server_hostname=proxy.host)
        tunnel = ConnectTunnel(plan.address, proxy, limits=config.limits, agent=config.agent)
        await _open_tunnel(sock, tls, tunnel)
    except BaseException:
        sock.close()
        raise
    return sock, tls


async def dial_unix(path: str) -> socket.socket:
    """Connect to a path."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock


async def _dial_host(host: str, port: int, local_address: _LocalAddress) -> socket.socket:
    """Connect to the first address of host that answers (RFC 8305)."""
    places = interleave(await _look_up(host, port))
    plan = DialPlan(len(places), now=monotonic())
    attempts: dict[asyncio.Task[socket.socket], int] = {}
    try:
        while plan.winner is None and not plan.over:
            while (index := plan.next_attempt(monotonic())) is not None:
                attempts[asyncio.ensure_future(_attempt(places[index], local_address))] = index
            deadline = plan.next_deadline()
            left = None if deadline is None else max(deadline - monotonic(), 0.0)
            done, _ = await asyncio.wait(attempts, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                error = attempt.exception()
                if error is None:
                    if plan.connected(attempts.pop(attempt), monotonic()):
                        return attempt.result()
                    attempt.result().close()
                elif isinstance(error, OSError):
                    plan.failed(attempts.pop(attempt), error, monotonic())
                else:
                    raise error
        raise plan.failure([f"{place[4][0]} port {port}" for place in places])
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_discard)


async def _look_up(host: str, port: int) -> list[_Found]:
    """Return the addresses of host; one that is an address already costs no thread."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        return list(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def _attempt(found: _Found, local_address: _LocalAddress) -> socket.socket:
    """Connect to one address."""
    family, kind, protocol, _, place = found
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if local_address is not None:
            sock.bind(local_address)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _discard(attempt: "asyncio.Task[socket.socket]") -> None:
    """Close what a late attempt has connected."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _open_tunnel(sock: socket.socket, tls: TLSFilter | None, tunnel: ConnectTunnel) -> None:
    """Ask an HTTP proxy for a tunnel, and wait for its answer."""
    loop = asyncio.get_running_loop()
    request = tunnel.request
    if tls is not None:
        tls.send(request)
        request = tls.data_to_send()
    is_open = False
    while not is_open:
        await loop.sock_sendall(sock, request)
        data = await loop.sock_recv(sock, _READ_SIZE)
        if not data:
            tunnel.receive_eof()
        pieces, request = [data], b""
        if tls is not None:
            pieces, request = tls.receive_data(data), tls.data_to_send()
        for piece in pieces:
            is_open = tunnel.receive_data(piece)


async def _dial_socks(plan: Plan, proxy: Proxy, local_address: _LocalAddress) -> socket.socket:
    """Connect through a SOCKS proxy, which python-socks speaks to."""
    try:
        from python_socks import ProxyError, ProxyType
        from python_socks.async_.asyncio import Proxy as SocksProxy
    except ImportError:
        raise LocalProtocolError("a SOCKS proxy needs python-socks: install python-wscore[socks]") from None
    kind = ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5
    socks = SocksProxy(
        kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=proxy.resolves_names
    )
    try:
        return await socks.connect(
            plan.address.host, plan.address.port, timeout=_NO_LIMIT, local_addr=local_address
        )
    except ProxyError as error:
        raise ConnectionError(f"the SOCKS proxy opened no connection: {error}") from error
