"""Connecting without waiting: begin, and look at what became of it once the socket is writable."""

import errno
import os
import socket
from typing import Any

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)


def begin_connecting(
    found: tuple[int, int, int, str, Any], local_address: tuple[str, int] | None = None
) -> socket.socket:
    """Begin to connect to one address; the result becomes writable when that has ended, one way or another.

    Args:
        found: of ``getaddrinfo``: (family, kind, protocol, canonical name, place).
        local_address: host and port to connect from.

    Raises:
        OSError: it failed at once.
    """
    family, kind, protocol, _, place = found
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if local_address is not None:
            sock.bind(local_address)
        error = sock.connect_ex(place)
        if error not in (0, *_UNDER_WAY) and error != getattr(errno, "WSAEWOULDBLOCK", 0):
            raise OSError(error, os.strerror(error))
    except BaseException:
        sock.close()
        raise
    return sock


def finish_connecting(sock: socket.socket) -> None:
    """Take note of how connecting has ended.

    Raises:
        OSError: it failed.
    """
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
