"""Listening sockets: every address that a host has, on one port; a path; or sockets that were handed over."""

import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

_ATTEMPTS: Final = 10  # to find a port that is free on every address
_FIRST_INHERITED: Final = 3  # sd_listen_fds(3)

_Place: TypeAlias = tuple[int, tuple[Any, ...]]  # family and address


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
        ValueError: no host; reuse_port, and this system has no such option.
    """
    if unix is not None:
        return [_listen_unix(unix, backlog)]
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("this system cannot let several processes listen on one port")
    hosts = [host] if isinstance(host, str) or host is None else list(host)
    if not hosts:
        raise ValueError("expected at least one host")
    places = {each: _places(each, port) for each in hosts}
    for _ in range(_ATTEMPTS - 1):
        try:
            return _listen_all(places, backlog, reuse_port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
            # What the system chose for the first address was taken on another one: it may choose again.
    return _listen_all(places, backlog, reuse_port)


def open_listeners(
    sockets: Sequence[socket.socket] | None,
    host: str | Sequence[str] | None,
    port: int,
    *,
    unix: str | None,
    backlog: int,
    reuse_port: bool,
) -> list[socket.socket]:
    """Return the sockets that a server was given, non-blocking; None: `listen`.

    Raises:
        ValueError: there are none among those given, as when `inherited_sockets` has found none.
        OSError: as `listen`.
    """
    if sockets is None:
        return listen(host, port, unix=unix, backlog=backlog, reuse_port=reuse_port)
    if not sockets:
        raise ValueError("no socket to listen on was given")
    for sock in sockets:
        sock.setblocking(False)
    return list(sockets)


def _places(host: str | None, port: int) -> list[_Place]:
    """Look up every address of host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((entry[0], entry[4]) for entry in found))


def _listen_all(
    places: Mapping[str | None, Sequence[_Place]], backlog: int, reuse_port: bool
) -> list[socket.socket]:
    """Listen on every address of some hosts that this machine has; on one that several have, once."""
    listeners: dict[_Place, socket.socket] = {}
    port = 0  # what the system chose, if that is its business
    try:
        for host, addresses in places.items():
            for place in [place for place in addresses if place not in listeners]:
                listener = _listen_at(place, port, backlog, reuse_port, alone=len(addresses) == 1)
                if listener is not None:
                    listeners[place] = listener
                    port = listener.getsockname()[1]
            if listeners.keys().isdisjoint(addresses):
                raise OSError(errno.EADDRNOTAVAIL, f"no address of {host} can be listened on")
    except BaseException:
        for listener in listeners.values():
            listener.close()
        raise
    return list(listeners.values())


def _listen_at(
    place: _Place, chosen: int, backlog: int, reuse_port: bool, *, alone: bool
) -> socket.socket | None:
    """Listen on one address; None: its host has others, and this machine does not have this one."""
    family, (host, port, *rest) = place  # rest: of IPv6, among it the interface that a local address is of
    try:
        listener = socket.create_server(
            (host, port or chosen, *rest), family=family, backlog=backlog, reuse_port=reuse_port
        )
    except OSError as error:
        # A name may have an address of a family that this machine does not speak.
        if alone or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise
        return None
    listener.setblocking(False)
    return listener


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
            probe.setblocking(False)  # a listener that is behind must not make us wait
            try:
                probe.connect(path)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                os.unlink(path)


def inherited_sockets(environ: Mapping[str, str] | None = None) -> list[socket.socket]:
    """Return the listening sockets that a service manager has opened for this process (sd_listen_fds).

    Args:
        environ: LISTEN_PID and LISTEN_FDS; None: the process's own.

    Returns:
        Non-blocking sockets; [] when none were handed over.

    Raises:
        OSError: what was handed over is no socket.
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
