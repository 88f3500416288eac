"""Many bare clients in one thread: they connect at once, send what they are given, and read or do not.

A `Crowd` does nothing by itself: `Crowd.drive` lets all its members read and write until a condition holds. A
test that has to watch something else meanwhile drives it in the background::

    with Crowd(server.port, 100) as crowd:
        for member in crowd.members:
            member.write(flood)
        crowd.drive(lambda: all(member.ended for member in crowd.members))
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Final, Self, final

from .eventually import PATIENCE
from .wire import PING, REQUEST, read_frames

_AT_ONCE: Final = 200  # connections that are being opened at a time: less than any backlog
_READ: Final = selectors.EVENT_READ
_WRITE: Final = selectors.EVENT_WRITE
_NO_KEY: Final = bytes(4)


@final
class Member:
    """One connection.

    Attributes:
        received: what has come, behind the head of the response.
        ended: how the stream ended: "" not yet, "eof" or "reset".
        reads: whether it reads what comes.
        repeats: what it sends again and again.
        answers: pings are answered, and nothing is kept.
        pings: that it has answered.
    """

    __slots__ = ("_unsent", "answers", "ended", "pings", "reads", "received", "repeats", "socket")

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.received = bytearray()
        self.ended = ""
        self.reads = True
        self.repeats = b""
        self.answers = False
        self.pings = 0
        self._unsent = memoryview(b"")
        self.socket = socket.socket(socket.AF_INET)
        self.socket.setblocking(False)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        with suppress(BlockingIOError):
            self.socket.connect(("127.0.0.1", port))

    @property
    def wants(self) -> int:
        """Which events it waits for."""
        if self.ended:
            return 0
        return (_READ if self.reads else 0) | (_WRITE if self._unsent or self.repeats else 0)

    def write(self, data: bytes) -> None:
        """Send data, when it is driven."""
        self._unsent = memoryview(bytes(self._unsent) + data)

    @property
    def unsent(self) -> int:
        """Bytes that the other side has not taken."""
        return len(self._unsent)

    def ready(self, events: int) -> None:
        """Read and write."""
        try:
            if events & _WRITE:
                self._send()
            if events & _READ:
                self._read()
        except BlockingIOError:
            pass
        except ConnectionError:
            self.ended = "reset"

    def _send(self) -> None:
        if not self._unsent:
            self._unsent = memoryview(self.repeats)
        self._unsent = self._unsent[self.socket.send(self._unsent) :]

    def _read(self) -> None:
        data = self.socket.recv(256 * 1024)
        if not data:
            self.ended = "eof"
        self.received += data
        if self.answers:
            self._answer()

    def _answer(self) -> None:
        """Send a pong for each ping (RFC 6455 section 5.5.2); a key of zeros is a key."""
        for first, payload in read_frames(bytes(self.received)):
            assert first == 0x80 | PING, (first, payload)
            self.socket.send(bytes([0x8A, 0x80 | len(payload)]) + _NO_KEY + payload)
            self.pings += 1
        self.received.clear()

    def take_head(self) -> bool:
        """Tell whether a response that accepts is there, and take it."""
        head, end, rest = bytes(self.received).partition(b"\r\n\r\n")
        if end:
            assert head.startswith(b"HTTP/1.1 101 "), head
            self.received = bytearray(rest)
        return bool(end)


@final
class Crowd:
    """Some clients; each has done its opening handshake, if there is a request.

    Args:
        request: what each begins with; b"": nothing.
        receive_buffer: how little the kernel may hold for each.

    Attributes:
        members: all of them.
    """

    def __init__(
        self, port: int, number: int, *, request: bytes = REQUEST, receive_buffer: int | None = None
    ) -> None:
        self.members: list[Member] = []
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Member, int] = {}
        self._receive_buffer = receive_buffer
        try:
            while len(self.members) < number:
                self._open(port, min(_AT_ONCE, number - len(self.members)), request)
        except BaseException:
            self.close()
            raise

    def _open(self, port: int, number: int, request: bytes) -> None:
        """Open some more, all at once."""
        opening = [Member(port, self._receive_buffer) for _ in range(number)]
        self.members += opening
        for member in opening:
            self._watched[member] = 0
            member.write(request)
            self._watch(member)
        while opening:
            self._turn()
            opening = [member for member in opening if not (member.take_head() if request else True)]
            assert not any(member.ended for member in opening), "refused"

    def drive(self, until: Callable[[], object], timeout: float = PATIENCE) -> None:
        """Read and write until a condition holds; fail when it never does."""
        deadline = monotonic() + timeout
        for member in self.members:
            self._watch(member)
        while not until():
            assert monotonic() < deadline, f"not within {timeout} s"
            self._turn()

    def _turn(self) -> None:
        for key, events in self._selector.select(0.02):
            member: Member = key.data
            member.ready(events)
            self._watch(member)

    def _watch(self, member: Member) -> None:
        """Wait for what member wants now."""
        before, wanted = self._watched[member], member.wants
        if before == wanted:
            return
        self._watched[member] = wanted
        if not before:
            self._selector.register(member.socket, wanted, member)
        elif not wanted:
            self._selector.unregister(member.socket)
        else:
            self._selector.modify(member.socket, wanted, member)

    def close(self) -> None:
        """Leave, all of them."""
        self._selector.close()
        for member in self.members:
            member.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
