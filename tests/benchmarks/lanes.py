"""One connection of the load generator: it sends a block, and counts until all of it has come back.

Counting is as cheap as it can be made. Where each echo has a known length, a lane subtracts what was read
from what is missing. Where the length is up to the contestant's compressor, `FrameLane` walks from one
frame's head to the next and counts frames; it looks at no payload.
"""

import socket
from typing import Final

from benchmarks.overriding import override

_PATIENCE: Final = 20.0
_WITHOUT_LENGTH: Final = 2  # bytes of the shortest head


class Lane:
    """A connection that knows how many bytes a block brings back.

    Args:
        sock: connected, and past the opening handshake.
        block: what is sent at a time.
        expected: bytes that come back for it.
    """

    __slots__ = ("_block", "_expected", "missing", "rest", "sock")

    def __init__(self, sock: socket.socket, block: bytes, expected: int) -> None:
        self.sock = sock
        self._block = memoryview(block)
        self._expected = expected
        self.missing = 0
        self.rest: memoryview | None = None  # of the block, what the kernel had no room for

    def begin(self) -> bool:
        """Send a block; tell whether all of it has left."""
        self.missing += self._expected
        return self._send(self._block)

    def await_one(self) -> None:
        """Expect a block's worth without sending anything."""
        self.missing += self._expected

    def go_on(self) -> bool:
        """Send more of the block; tell whether all of it has left."""
        return self.rest is None or self._send(self.rest)

    def _send(self, data: memoryview) -> bool:
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        self.rest = data[sent:] if sent < len(data) else None
        return self.rest is None

    def take(self, buffer: bytearray, size: int) -> bool:
        """Count what was read; tell whether everything has come back."""
        self.missing -= size
        if self.missing < 0:
            raise ConnectionError(f"{-self.missing} bytes more came back than were expected")
        return self.missing == 0


class FrameLane(Lane):
    """A connection that counts whole frames of unknown length; expected is their number."""

    __slots__ = ("_head", "_skip")

    def __init__(self, sock: socket.socket, block: bytes, expected: int) -> None:
        super().__init__(sock, block, expected)
        self._head = b""  # of a frame, cut off in the middle
        self._skip = 0  # bytes until the next head

    @override
    def take(self, buffer: bytearray, size: int) -> bool:
        """Count the frames that end in what was read."""
        data: bytes | bytearray = buffer
        if self._head:
            data = self._head + buffer[:size]
            size = len(data)
            self._head = b""
        position = self._skip
        while position <= size:  # it is where a frame ends and the next begins
            self.missing -= self._skip != 0
            self._skip = 0
            step = _frame_size(data, position, size)
            if not step:
                self._head = bytes(data[position:size])
                return self.missing == 0
            self._skip = step
            position += step
        self._skip = position - size
        return self.missing == 0


def _frame_size(data: bytes | bytearray, position: int, end: int) -> int:
    """Return the size of the unmasked frame at position; 0 while its head is not complete."""
    if position + _WITHOUT_LENGTH > end:
        return 0
    length = data[position + 1]
    if length < 126:
        return length + 2
    if length == 126:
        return 0 if position + 4 > end else 4 + int.from_bytes(data[position + 2 : position + 4], "big")
    return 0 if position + 10 > end else 10 + int.from_bytes(data[position + 2 : position + 10], "big")


def read_head(sock: socket.socket) -> bytes:
    """Read a head of the opening handshake, and not a byte behind it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = sock.recv(4096)
        if not more:
            raise ConnectionError(f"closed after {head[:64]!r}")
        head += more
    return head


def prepare(sock: socket.socket) -> socket.socket:
    """Set what every socket of the generator needs."""
    sock.settimeout(_PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def dial(port: int, request: bytes | None) -> socket.socket:
    """Connect to a server and, unless request is None, do the opening handshake."""
    sock = prepare(socket.create_connection(("127.0.0.1", port), _PATIENCE))
    if request is not None:
        sock.sendall(request)
        check_accepted(read_head(sock), request)
    return sock


def check_accepted(head: bytes, request: bytes) -> None:
    """Raise unless head accepts request, with compression if that was asked for and only then."""
    if not head.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"no upgrade: {head[:64]!r}")
    if (b"permessage-deflate" in head) is not (b"permessage-deflate" in request):
        raise ConnectionError("compression is not as it was asked for")
