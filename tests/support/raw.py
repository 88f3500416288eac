"""A peer made of a bare socket, which does what no library would: stall, lie, and leave in the middle.

It speaks the protocol only through `support.wire`, so nothing that it expects comes from the code under test.
Every operation is bounded in time::

    with dial(server.port) as peer:            # against a server: a client
        peer.upgrade()
        peer.send(frame(TEXT, b"hello", masked=True))
        assert peer.read_frame() == (0x81, b"hello")

    with RawListener() as listener:            # against a client: a server
        opening = background(lambda: connect(listener.url))
        peer = listener.accept_upgrade()
"""

import base64
import hashlib
import re
import socket
from types import TracebackType
from typing import Final, Self, final

from .eventually import PATIENCE
from .handshakes import head
from .wire import CLOSE, REQUEST, frame, status

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_RESET: Final = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, 0 seconds


@final
class RawPeer:
    """One end of a TCP connection, and what was read from it but not yet asked for.

    Attributes:
        masks: this end is a client.
    """

    def __init__(self, sock: socket.socket, *, masks: bool) -> None:
        self.masks = masks
        self.socket = sock
        self._unread = b""
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing.

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def send_frame(self, opcode: int, payload: bytes = b"") -> None:
        """Send one good frame, masked if this end must."""
        self.send(frame(opcode, payload, masked=self.masks))

    def send_close(self, code: int = 1000, reason: bytes = b"") -> None:
        """Send a Close frame."""
        self.send_frame(CLOSE, status(code, reason))

    def upgrade(self, request: bytes = REQUEST) -> bytes:
        """Do a client's opening handshake and return the head of the response."""
        self.send(request)
        response = self.read_head()
        assert response.startswith(b"HTTP/1.1 101 "), response
        return response

    # Reading.

    def receive(self, size: int = 65536) -> bytes:
        """Read once, what comes; b"" at the end of the stream."""
        if self._unread:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        return self.socket.recv(size)

    def read_exactly(self, size: int) -> bytes:
        """Read that many bytes."""
        pieces = bytearray()
        while len(pieces) < size:
            piece = self.receive(size - len(pieces))
            assert piece, f"the stream ended after {len(pieces)} of {size} bytes"
            pieces += piece
        return bytes(pieces)

    def read_head(self) -> bytes:
        """Read an HTTP head, its empty line included."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.receive()
            assert piece, f"the stream ended inside a head: {data!r}"
            data += piece
        start, end, self._unread = data.partition(b"\r\n\r\n")
        return start + end

    def read_frame(self) -> tuple[int, bytes]:
        """Read one frame: its first byte, and its payload unmasked."""
        first, second = self.read_exactly(2)
        assert bool(second & 0x80) is not self.masks, "exactly one side masks"
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(self.read_exactly(2 if length == 126 else 8), "big")
        key = b"" if self.masks else self.read_exactly(4)
        payload = self.read_exactly(length)
        return first, payload if self.masks else _unmask(payload, key)

    def read_close(self) -> int:
        """Read a Close frame and return its code."""
        first, payload = self.read_frame()
        assert first == 0x80 | CLOSE, (first, payload)
        return int.from_bytes(payload[:2], "big")

    def read_to_end(self) -> bytes:
        """Read all that comes until the stream ends, in good order."""
        pieces = []
        while piece := self.receive():
            pieces.append(piece)
        return b"".join(pieces)

    def is_lost(self) -> bool:
        """Read to the end, and tell whether it was a reset or an end without another byte."""
        try:
            return self.read_to_end() == b""
        except ConnectionError:
            return True

    # Leaving.

    def end_writing(self) -> None:
        """Send FIN and stay for what the other side has to say."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave with a RST, as a killed process or a middlebox does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()

    def close(self) -> None:
        """Leave; the other side sees FIN."""
        self.socket.close()


def dial(port: int, *, receive_buffer: int | None = None) -> RawPeer:
    """Connect to a server on 127.0.0.1; receive_buffer: how little the kernel may hold for this end."""
    sock = socket.socket(socket.AF_INET)
    try:
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", port))
        return RawPeer(sock, masks=True)
    except BaseException:
        sock.close()
        raise


def dial_upgraded(port: int, *, receive_buffer: int | None = None) -> RawPeer:
    """Connect to a server and do the opening handshake."""
    peer = dial(port, receive_buffer=receive_buffer)
    try:
        peer.upgrade()
    except BaseException:
        peer.close()
        raise
    return peer


@final
class RawListener:
    """A listening socket that hands out bare peers; leaving it closes those, too.

    Args:
        receive_buffer: how little the kernel may hold for each of them.
    """

    def __init__(self, *, receive_buffer: int | None = None) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._peers: list[RawPeer] = []
        self.port: int = self._socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"

    def accept(self) -> RawPeer:
        """Accept one connection."""
        peer = RawPeer(self._socket.accept()[0], masks=False)
        self._peers.append(peer)
        return peer

    def accept_upgrade(self) -> RawPeer:
        """Accept one connection and do a server's opening handshake."""
        peer = self.accept()
        peer.send(answer(peer.read_head()))
        return peer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        for peer in self._peers:
            peer.close()


def _unmask(payload: bytes, key: bytes) -> bytes:
    """Transform as RFC 6455 section 5.3 says, fast enough for megabytes."""
    result = bytearray(payload)
    for index, octet in enumerate(key):
        result[index::4] = payload[index::4].translate(bytes(octet ^ value for value in range(256)))
    return bytes(result)


def answer(request: bytes) -> bytes:
    """Write the response that accepts a client's request (RFC 6455 section 4.2.2)."""
    key = re.search(rb"(?i)\r\nSec-WebSocket-Key: (\S+)\r\n", request)
    assert key, request
    token = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())
    fields = (b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + token)
    return head(b"HTTP/1.1 101 Switching Protocols", fields)
