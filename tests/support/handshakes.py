"""Opening handshakes for tests: heads written line by line, and one connection run to its outcome.

The good request and the good response are those of RFC 6455 section 1.3, whose key is the base64 of
"the sample nonce"; a case changes one thing in them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from wscore import Config, Connection, Event, Opcode, RequestReceived, Role, State, TransportAction, Violation
from wscore.testing import drain, repeatable_entropy

NONCE = b"the sample nonce"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

GET = b"GET /chat HTTP/1.1"
REQUEST_FIELDS = (
    b"Host: example.com",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: " + KEY,
    b"Sec-WebSocket-Version: 13",
)
SWITCHING = b"HTTP/1.1 101 Switching Protocols"
RESPONSE_FIELDS = (
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Accept: " + ACCEPT,
)


def head(start_line: bytes, fields: Iterable[bytes]) -> bytes:
    """Join lines to a head."""
    return b"".join(line + b"\r\n" for line in (start_line, *fields, b""))


def name_of(line: bytes) -> bytes:
    """Return the name of a header line in lower case."""
    return line.partition(b":")[0].lower()


def request(start_line: bytes = GET) -> bytes:
    """Return the good request with another first line."""
    return head(start_line, REQUEST_FIELDS)


def plus(*lines: bytes) -> bytes:
    """Return the good request with more header lines."""
    return head(GET, (*REQUEST_FIELDS, *lines))


def minus(name: bytes) -> bytes:
    """Return the good request without one of its lines."""
    return head(GET, [line for line in REQUEST_FIELDS if name_of(line) != name])


def instead(*lines: bytes) -> bytes:
    """Return the good request with other lines instead of the one that has their name."""
    kept = [line for line in REQUEST_FIELDS if name_of(line) != name_of(lines[0])]
    return head(GET, (*kept, *lines))


Rows: TypeAlias = dict[str, bytes]  # streams by what is special in them


def starts(lines: Rows) -> Rows:
    """Return good requests with other first lines."""
    return {label: request(line) for label, line in lines.items()}


def values(name: bytes, rows: Rows) -> Rows:
    """Return good requests with other values of one field."""
    return {label: instead(name + b": " + value) for label, value in rows.items()}


def response(*lines: bytes, start_line: bytes = SWITCHING, drop: bytes = b"") -> bytes:
    """Return the good response with more lines, another first line, or without the line called drop."""
    return head(start_line, [*(line for line in RESPONSE_FIELDS if name_of(line) != drop), *lines])


SECOND_REQUEST = head(b"GET /second HTTP/1.1", REQUEST_FIELDS)


@dataclass(frozen=True, slots=True)
class Expected:
    """What becomes of a request: its status, and the rule that a refused one broke."""

    status: int
    violation: Violation | None = None


@dataclass(slots=True)
class Run:
    """One connection and everything that came out of it."""

    connection: Connection
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    sent: bytes = b""
    action: TransportAction = TransportAction.KEEP

    def feed(self, pieces: Iterable[bytes]) -> "Run":
        """Feed bytes piece by piece and take what comes of each."""
        for piece in pieces:
            self.connection.receive_data(piece, self.now)
            self.take()
        return self

    def take(self) -> "Run":
        """Take every output."""
        output = drain(self.connection, self.now)
        self.events += output.events
        self.sent += output.sent
        self.action = output.action
        return self

    def requests(self) -> list[RequestReceived]:
        """Return the requests that were handed out."""
        return [event for event in self.events if isinstance(event, RequestReceived)]


def server(config: Config | None = None) -> Run:
    """Return a server that waits for a request."""
    return Run(Connection(Role.SERVER, config, now=0.0))


def client(
    config: Config | None = None,
    *,
    url: str = "ws://example.com/chat",
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: tuple[str, ...] = (),
) -> Run:
    """Return a client that has sent its request, with the key of RFC 6455 section 1.3."""
    run = Run(Connection(Role.CLIENT, config, now=0.0, entropy=repeatable_entropy(NONCE)))
    run.connection.send_request(url, headers=headers, subprotocols=subprotocols, now=0.0)
    return run.take()


@dataclass(frozen=True, slots=True)
class Message:
    """An HTTP message as a strict reader sees it."""

    start_line: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def status(self) -> int:
        """The status of a response."""
        version, _, rest = self.start_line.partition(b" ")
        assert version == b"HTTP/1.1" and len(rest) >= 4 and rest[3:4] == b" "  # RFC 9112 section 4
        return int(rest[:3])

    def values(self, name: bytes) -> list[bytes]:
        """Return every value called name (lower case)."""
        return [value for key, value in self.fields if key.lower() == name]


def read_message(data: bytes) -> Message:
    """Read one HTTP message that takes all of data; a line end in the wrong place is an error."""
    start, end, body = data.partition(b"\r\n\r\n")
    assert end, "the head is not complete"
    first, *lines = start.split(b"\r\n")
    assert not any(control in line for line in (first, *lines) for control in b"\r\n\0")
    fields = [(line.partition(b": ")[0], line.partition(b": ")[2]) for line in lines]
    return Message(first, fields, body)


def assert_refused(run: Run, status: int, *, has_body: bool = True) -> None:
    """Check that run has sent one response with status, which ends the connection, and is draining."""
    message = read_message(run.sent)
    assert message.status == status
    assert b"close" in message.values(b"connection")[0].split(b", ")
    if has_body:
        assert message.values(b"content-length") == [b"%d" % len(message.body)]
    else:
        assert message.body == b""  # RFC 9110 9.3.2: HEAD gets the head alone
    assert run.connection.state is State.DRAINING
    assert run.action is TransportAction.SHUTDOWN_WRITE


def client_frame(opcode: Opcode, payload: bytes) -> bytes:
    """Return a final frame, masked with a key of zeros, which leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 | opcode.value]) + length + bytes(4) + payload
