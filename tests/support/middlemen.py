"""Who stands between a client and a server, each in blocking threads, and writes down what passes.

`Middleman` accepts, greets in whatever way a subclass knows, and then carries bytes to and fro. Everything
that a client sent is kept in `captured`, after TLS was taken off, so that a test can search it for secrets.
`Tap` greets nobody: it stands before one server. `Origin` carries nothing: it answers requests by a script.
"""

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, final

from wscore._typing import override

from .eventually import PATIENCE
from .raw import answer

_SIZE: Final = 65536


class Visit:
    """One connection to a middleman, and what the client sent on it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.captured = bytearray()
        self._unread = b""

    def receive(self) -> bytes:
        """Read what comes; b"" at the end of the stream."""
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        data = self.socket.recv(_SIZE)
        self.captured += data
        return data

    def dribble(self, beginning: bytes) -> None:
        """Send a beginning, and then a byte at a time until the client leaves."""
        self.socket.sendall(beginning)
        while not select.select([self.socket], [], [], 0.05)[0]:
            self.socket.sendall(b"x")

    def read_exactly(self, size: int) -> bytes:
        """Read that many bytes."""
        return self._read(lambda data: size if len(data) >= size else 0)

    def read_until(self, mark: bytes) -> bytes:
        """Read up to a mark, and the mark."""
        return self._read(lambda data: data.find(mark) + len(mark) if mark in data else 0)

    def _read(self, find_end: Callable[[bytes], int]) -> bytes:
        data = b""
        while not (end := find_end(data)):
            piece = self.receive()
            if not piece:
                raise EOFError("the client left")
            data += piece
        self._unread = data[end:]
        return data[:end]

    @property
    def waiting(self) -> bool:
        """Whether there is something to read that the kernel does not know of."""
        return bool(self._unread) or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0)


class Middleman:
    """Listens on 127.0.0.1; leave it to end every connection.

    Args:
        tls: what to speak with clients; None: nothing.

    Attributes:
        port: where it listens.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._visits: list[Visit] = []
        self._start(self._accept)

    @property
    def captured(self) -> bytes:
        """All that clients sent, connection after connection."""
        with self._lock:
            return b"".join(bytes(visit.captured) for visit in self._visits)

    @property
    def visits(self) -> int:
        """How many connections there were; with TLS: that shook hands."""
        with self._lock:
            return len(self._visits)

    def greet(self, visit: Visit) -> socket.socket | None:
        """Do what comes before carrying bytes; return who they are carried to, or None to end."""
        raise NotImplementedError

    def keep(self, sock: socket.socket) -> None:
        """Have a socket closed at the end."""
        with self._lock:
            self._sockets.append(sock)

    def _start(self, call: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=call, args=arguments, name="test-middleman", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        """The life of one connection."""
        self.keep(sock)
        with suppress(OSError, EOFError):  # a client may leave at any time
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self.keep(sock)
            visit = Visit(sock)
            with self._lock:
                self._visits.append(visit)
            target = self.greet(visit)
            if target is not None:
                self.keep(target)
                _carry(visit, target)
                target.close()
        sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE)
        for sock in sockets:
            sock.close()


def _carry(visit: Visit, target: socket.socket) -> None:
    """Carry bytes in both directions, and the end of each, until both have ended."""
    ends = {visit.socket: target, target: visit.socket}
    while ends:
        ready = [visit.socket] if visit.waiting and visit.socket in ends else []
        for sock in ready or select.select(list(ends), [], [], PATIENCE)[0]:
            data = visit.receive() if sock is visit.socket else sock.recv(_SIZE)
            if data:
                ends[sock].sendall(data)
            else:
                _end_writing(ends.pop(sock))


def _end_writing(sock: socket.socket) -> None:
    with suppress(OSError):
        # There is no half of a TLS connection to end: with TLS both ends close.
        sock.shutdown(socket.SHUT_RDWR if isinstance(sock, ssl.SSLSocket) else socket.SHUT_WR)


@final
class Tap(Middleman):
    """Stands before a server on 127.0.0.1 and hears what clients send to it."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        super().__init__(tls=tls)

    @override
    def greet(self, visit: Visit) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._target))


@final
class Origin(Middleman):
    """An HTTP server that answers by a script: a function of the request's head.

    What the script returns is sent, and the connection ended. When it returns None the upgrade is accepted,
    and the connection kept, silently, until the client leaves; when it returns b"" not even that.

    Attributes:
        heads: of the requests, in order.
    """

    def __init__(self, script: Callable[[bytes], bytes | None], *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self.heads: list[bytes] = []
        super().__init__(tls=tls)

    @override
    def greet(self, visit: Visit) -> None:
        head = visit.read_until(b"\r\n\r\n")
        self.heads.append(head)
        reply = self._script(head)
        visit.socket.sendall(answer(head) if reply is None else reply)
        if reply and not isinstance(visit.socket, ssl.SSLSocket):
            visit.socket.shutdown(socket.SHUT_WR)
        while visit.receive():
            pass


def redirect_to(location: str, status: int = 302, *fields: str) -> bytes:
    """Write a response that redirects."""
    lines = [f"HTTP/1.1 {status} Elsewhere", f"Location: {location}", "Content-Length: 0", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")
