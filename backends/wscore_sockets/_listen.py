"""Listening sockets: every address that a host has, on one port; a path; or sockets that were handed over."""

import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress

_FIRST_INHERITED = 3  # sd_listen_fds(3)


def listen(
    host: str | Sequence[str] | None = None,
    port: int = 0,
    *,
    unix: str | None = None,
    backlog: int = 1024,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Open non-blocking listening sockets.

    Args:
        host: a name or address, or several; every address that each has is listened on. None: all interfaces.
        port: 0 lets the system choose: the same for every address.
        unix: a path to listen on instead; a socket that nobody listens on any more is replaced.
        backlog: connections that the kernel keeps waiting.
        reuse_port: several processes may listen on the same port, where the system can do that.

    Raises:
        OSError: an address cannot be listened on.
        ValueError: reuse_port, and this system has no such option.
    """
    if unix is not None:
        return [_listen_unix(unix, backlog)]
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("this system cannot let several processes listen on one port")
    hosts = [host] if isinstance(host, str) or host is None else list(host)
    listeners: list[socket.socket] = []
    try:
        for each in hosts:
            _listen_host(each, port, listeners, backlog, reuse_port)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listen_host(
    host: str | None, port: int, listeners: list[socket.socket], backlog: int, reuse_port: bool
) -> None:
    """Add a listener for each address of host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    before = len(listeners)
    for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        chosen = listeners[0].getsockname()[1] if listeners and port == 0 else address[1]
        try:
            listener = socket.create_server(
                (address[0], chosen), family=family, backlog=backlog, reuse_port=reuse_port
            )
        except OSError as error:
            # A name may have an address of a family that this machine does not speak.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or len(found) == 1:
                raise
            continue
        listener.setblocking(False)
        listeners.append(listener)
    if len(listeners) == before:
        raise OSError(errno.EADDRNOTAVAIL, f"no address of {host} can be listened on")


def _listen_unix(path: str, backlog: int) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "this system has no unix sockets")
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket's file that its listener has left behind; never one that somebody listens on."""
    if path.startswith("\0"):
        return
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)


def inherited_sockets(environ: Mapping[str, str] | None = None) -> list[socket.socket]:
    """Return the listening sockets that a service manager has opened for this process (sd_listen_fds).

    Args:
        environ: LISTEN_PID and LISTEN_FDS; None: the process's own.

    Returns:
        Non-blocking sockets; [] when none were handed over.
    """
    environ = os.environ if environ is None else environ
    try:
        meant, number = int(environ.get("LISTEN_PID", "")), int(environ.get("LISTEN_FDS", ""))
    except ValueError:
        return []
    if meant != os.getpid():
        return []
    sockets = [socket.socket(fileno=_FIRST_INHERITED + index) for index in range(number)]
    for sock in sockets:
        sock.setblocking(False)
        sock.set_inheritable(False)
    return sockets
