"""Listening sockets: every address that a host has, on one port."""

import errno
import socket


def listen(host: str | None, port: int, backlog: int) -> list[socket.socket]:
    """Listen on every address that host has; with port 0, on the same port of each."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
            place = (address[0], listeners[0].getsockname()[1] if listeners else address[1])
            try:
                listener = socket.create_server(place, family=family, backlog=backlog)
            except OSError as error:
                # A name may have an address of a family that this machine does not speak.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or len(found) == 1:
                    raise
                continue
            listener.setblocking(False)
            listeners.append(listener)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    if not listeners:
        raise OSError(errno.EADDRNOTAVAIL, f"no address of {host} can be listened on")
    return listeners
