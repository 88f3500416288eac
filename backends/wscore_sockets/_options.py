"""Options of connected sockets, and errors that pass."""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final

from ._heap import keep_freed_memory

_LINGER_OFF: Final = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, 0 seconds
_LONGEST: Final = 2**31 - 1  # milliseconds, that the option can hold
PAUSE: Final = 0.2  # seconds without accepting when resources are short
_PASSING: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def tune(sock: Any, silence: float | None = None) -> None:
    """Set up a connected stream socket: small writes leave at once. The first one sets up the heap, too.

    Args:
        sock: a socket, or what an event loop shows of one.
        silence: seconds after which the kernel gives up on sent bytes that nobody acknowledges, where it
            can; None: as the system has it. It finds a dead peer even while nothing is read.
    """
    keep_freed_memory()
    with suppress(OSError, AttributeError):  # not a TCP socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if silence is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, min(int(silence * 1000), _LONGEST))


def drop(sock: Any) -> None:
    """Let the close that follows drop what the kernel still holds and reset the connection."""
    with suppress(OSError, AttributeError, TypeError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)


@final
class Shortage:
    """Whether accepting has to pause for want of resources, which is said once until there are some again.

    Args:
        say: takes a sentence for the log.
    """

    __slots__ = ("_said", "_say")

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said = False

    def begins(self, error: OSError) -> bool:
        """Tell whether to pause for `PAUSE` seconds after this error; False: it was about one connection."""
        if not is_out_of_resources(error):
            return False  # it was gone before it was accepted
        if not self._said:
            self._say(f"accepting pauses until there are resources again: {error}")
        self._said = True
        return True

    def ends(self) -> None:
        """Take note that a connection was accepted."""
        self._said = False


def is_out_of_resources(error: OSError) -> bool:
    """Tell whether accepting failed for want of descriptors or memory, which may come back."""
    return error.errno in _PASSING
