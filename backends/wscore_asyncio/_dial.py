"""From what a client was asked for to a connected socket; nothing of WebSocket yet.

`wscore_sockets.stream_to` says what to do next; here it is awaited. Whatever fails or is cancelled closes
what it has opened.
"""

import asyncio
import socket
from contextlib import closing, suppress
from time import monotonic
from typing import Any, Final

from wscore_sockets import (
    TUNNEL_READ,
    Dialed,
    LookUp,
    Opening,
    Socks,
    Step,
    Wait,
    socks_errors,
    socks_proxy,
    stream_to,
)

_LOOK_AGAIN: Final = 0.01  # seconds, where nothing tells when a socket is connected
_NO_LIMIT: Final = 86_400.0  # seconds, for who takes None for a limit of its own


async def dial(opening: Opening) -> Dialed:
    """Connect to where the opening leads, through a proxy if it has one.

    Returns:
        The socket, non-blocking, and the TLS that is spoken with the proxy itself, if any.

    Raises:
        OSError: no connection.
        ProxyRefused, RemoteProtocolError, ConnectionLost: the proxy opened no tunnel.
        LocalProtocolError: a SOCKS proxy, and python-socks is not installed.
    """
    with closing(stream_to(opening)) as story:
        answer: Any = None
        while True:
            try:
                step = story.send(answer)
            except StopIteration as end:
                sock, tls = end.value
                sock.setblocking(False)
                return sock, tls
            answer = await _perform(step)


async def _perform(step: Step) -> Any:
    """Do what the story asks for, and return the answer."""
    loop = asyncio.get_running_loop()
    if isinstance(step, Wait):
        return await _wait(step)
    if isinstance(step, LookUp):
        return await loop.getaddrinfo(step.host, step.port, type=socket.SOCK_STREAM)
    if isinstance(step, Socks):
        socks = socks_proxy("python_socks.async_.asyncio", step.proxy)
        host, port = step.address.host, step.address.port
        with socks_errors():
            return await socks.connect(host, port, timeout=_NO_LIMIT, local_addr=step.local_address)
    await loop.sock_sendall(step.sock, step.data)
    return await loop.sock_recv(step.sock, TUNNEL_READ)


async def _wait(step: Wait) -> None:
    """Wait until a socket is ready, or a moment has come."""
    loop = asyncio.get_running_loop()
    left = None if step.until is None else max(step.until - monotonic(), 0.0)
    ended = asyncio.Event()
    try:
        for sock in step.sockets:
            loop.add_writer(sock, ended.set)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), left)
    except NotImplementedError:  # a loop that cannot watch sockets, as on Windows
        await asyncio.sleep(_LOOK_AGAIN)
    finally:
        with suppress(NotImplementedError):
            for sock in step.sockets:
                loop.remove_writer(sock)
