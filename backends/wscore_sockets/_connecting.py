"""Connecting without waiting: to one address, and to the first of several that answers (RFC 8305).

`connect_to_one` is a story that is told step by step: it does what can be done at once, and says what it
waits for. Whoever tells it waits for that in the way that it has, and goes on. So a thread that may block and
a loop that must not share every line of it but the waiting::

    story = connect_to_one(places, None)
    try:
        while True:
            step = next(story)
            ...                                 # one of step.sockets is writable, or step.until has come
    except StopIteration as end:
        sock = end.value

To give up, call ``story.close()``: that closes every socket.
"""

import errno
import os
import socket
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeAlias

from wscore.policy import DialPlan

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR, getattr(errno, "WSAEWOULDBLOCK", None))

Found: TypeAlias = tuple[int, int, int, str, Any]  # as ``getaddrinfo`` has it; the last is the address
LocalAddress: TypeAlias = tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Wait:
    """What a story waits for.

    Attributes:
        sockets: that one of these can be written to; it does no harm to go on too early.
        until: or that this moment comes, as `time.monotonic` counts; None: it does not.
    """

    sockets: tuple[socket.socket, ...]
    until: float | None


def connect_to_one(
    places: Sequence[Found], local_address: LocalAddress
) -> Generator[Wait, None, socket.socket]:
    """Connect to the first of several addresses that answers.

    Args:
        places: in the order in which they are tried.
        local_address: host and port to connect from; None: the system chooses.

    Returns:
        The connected socket, non-blocking.

    Raises:
        OSError: none can be connected to.
    """
    plan = DialPlan(len(places), now=monotonic())
    attempts: dict[int, socket.socket] = {}
    try:
        while True:
            while (index := plan.next_attempt(monotonic())) is not None:
                try:
                    attempts[index] = begin_connecting(places[index], local_address)
                except OSError as error:
                    plan.failed(index, error, monotonic())
            if plan.over:
                raise plan.failure(names_of(places))
            yield Wait(tuple(attempts.values()), plan.next_deadline())
            _look_at(attempts, plan)
            if plan.winner is not None:
                return attempts.pop(plan.winner)
    finally:
        for sock in attempts.values():
            sock.close()


def _look_at(attempts: dict[int, socket.socket], plan: DialPlan) -> None:
    """Tell the plan which attempts have ended, and forget those that have failed."""
    for index, sock in list(attempts.items()):
        try:
            if is_connected(sock):
                plan.connected(index, monotonic())
                return  # the first wins
        except OSError as error:
            attempts.pop(index).close()
            plan.failed(index, error, monotonic())


def names_of(places: Sequence[Found]) -> list[str]:
    """Return what to call addresses when none of them can be connected to."""
    return [f"{at[0]} port {at[1]}" if isinstance(at, tuple) else str(at) for *_, at in places]


def path_of_unix(path: str) -> Found:
    """Return a path as an address like others.

    Raises:
        OSError: this system has no such sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    return int(socket.AF_UNIX), int(socket.SOCK_STREAM), 0, "", path


def numeric_places(host: str, port: int) -> list[Found]:
    """Return the address that host already is; []: it is a name, and to look it up takes time."""
    with suppress(socket.gaierror):
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    return []


def begin_connecting(found: Found, local_address: LocalAddress = None) -> socket.socket:
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
        # A path says "would block" when too many wait there, and nothing is under way then.
        under_way = error in _UNDER_WAY and (isinstance(place, tuple) or error != errno.EAGAIN)
        if error and not under_way:
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


def is_connected(sock: socket.socket) -> bool:
    """Tell whether connecting has ended; False: it is under way.

    Raises:
        OSError: it failed.
    """
    finish_connecting(sock)
    try:
        sock.getpeername()
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
        return False
    return True
