"""System calls on one connected socket, and nothing else.

Reading blocks in a plain ``recv`` when there is no timeout, which is the cheapest way to wait; writing never
blocks. Where the operating system can do that call by call (``MSG_DONTWAIT``), the socket stays blocking;
elsewhere it is non-blocking, and every read waits with `wait` first.
"""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from select import select
from typing import Final, final

from wscore_sockets import drop, tune

try:
    from select import POLLERR, POLLHUP, POLLIN, POLLOUT, poll
except ImportError:  # Windows
    poll = None  # type: ignore[assignment,misc]

_NOW: Final = getattr(socket, "MSG_DONTWAIT", 0)
_READER_WAKES: Final = sys.platform == "linux"  # when the receiving direction is ended
_READ_SIZE: Final = 65536
_BUFFERS_AT_ONCE: Final = 64  # well below IOV_MAX everywhere


@final
class Wire:
    """One connected stream socket; whoever uses it sees to it that only one reads and one writes."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.setblocking(bool(_NOW))
        tune(sock)

    def receive(self) -> bytes:
        """Wait for bytes; b"" at the end of the stream.

        Raises:
            OSError: the connection is lost.
        """
        if not _NOW:
            self.wait(read=True, write=False, timeout=None)
        return self._socket.recv(_READ_SIZE)

    def receive_now(self) -> bytes | None:
        """Return the bytes that are there, None: none; b"" at the end of the stream.

        Raises:
            OSError: the connection is lost.
        """
        try:
            return self._socket.recv(_READ_SIZE, _NOW)
        except (BlockingIOError, InterruptedError):
            return None

    def send_now(self, buffers: Sequence[memoryview]) -> int | None:
        """Write as much as there is room for; None when there is none.

        Raises:
            OSError: the connection is lost.
        """
        try:
            if hasattr(self._socket, "sendmsg"):
                return self._socket.sendmsg(buffers[:_BUFFERS_AT_ONCE], [], _NOW)
            return self._socket.send(buffers[0])
        except (BlockingIOError, InterruptedError):
            return None

    def wait(self, *, read: bool, write: bool, timeout: float | None) -> bool:
        """Wait until reading or writing, as asked for, will not block; True when reading will not.

        Returns at once when the socket was shut down or is in error.
        """
        if poll is None:
            sockets = [self._socket]
            ready = select(sockets if read else [], sockets if write else [], [], timeout)
            return bool(ready[0])
        poller = poll()
        poller.register(self._socket, (POLLIN if read else 0) | (POLLOUT if write else 0))
        found = poller.poll(None if timeout is None else max(timeout, 0.0) * 1000)
        return read and any(mask & (POLLIN | POLLHUP | POLLERR) for _, mask in found)

    def end_writing(self) -> None:
        """Send FIN: nothing more will be written."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def wake(self, *, to_abort: bool = False) -> None:
        """End both directions: whoever is in the kernel with this socket comes back.

        Args:
            to_abort: `close` will abort, and nobody writes: the peer is to see a reset, and no FIN before it,
                where ending the receiving direction alone wakes a reader.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD if to_abort and _READER_WAKES else socket.SHUT_RDWR)

    def close(self, *, abort: bool) -> None:
        """Give the descriptor back; abort: what the kernel still holds is dropped."""
        if abort:
            drop(self._socket)
        self._socket.close()
