"""The wire as RFC 6455 describes it, written a second time and on purpose without the code under test.

What a test expects must not come from what it tests. So frames are written here in the plainest way that
section 5.2 allows, read back the same way, and the two heads of an opening handshake are the example of
section 1.3, byte for byte. `opened` gives a connection for which that handshake has just been done.
"""

from collections.abc import Callable

from wscore import Closed, Config, Connection, Event, Role
from wscore.testing import Output, drain

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

KEY = b"\x37\xfa\x21\x3d"  # RFC 6455 section 5.7

NONCE = b"the sample nonce"  # RFC 6455 section 1.3

REQUEST = (
    b"GET /chat HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
DEFLATING = REQUEST.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)
URL = "ws://server.example.com/chat"


def header(first: int, length: int, *, masked: bool, form: int | None = None) -> bytes:
    """Write the header of a frame without its key (section 5.2).

    Args:
        first: FIN, reserved bits and opcode.
        length: of the payload.
        masked: sets the mask bit.
        form: bytes of the length field behind the second byte, 0, 2 or 8; None: the shortest that fits.
    """
    if form is None:
        form = 0 if length < 126 else 2 if length < 65536 else 8
    seven = {0: length, 2: 126, 8: 127}[form]
    return bytes([first, (0x80 if masked else 0) + seven]) + (length.to_bytes(form, "big") if form else b"")


def frame(opcode: int, payload: bytes = b"", *, masked: bool, final: bool = True, rsv: int = 0) -> bytes:
    """Write one frame; rsv is 0x40, 0x20 or 0x10 to set a reserved bit."""
    head = header((0x80 if final else 0) | rsv | opcode, len(payload), masked=masked)
    return head + KEY + mask(payload) if masked else head + payload


def mask(payload: bytes, key: bytes = KEY) -> bytes:
    """Transform as section 5.3 says: octet i of the payload XOR octet i MOD 4 of the key."""
    return bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))


def read_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Read whole frames: the first byte and the payload of each, unmasked."""
    frames: list[tuple[int, bytes]] = []
    while data:
        first, second = data[0], data[1]
        size = {126: 2, 127: 8}.get(second & 0x7F, 0)
        length = int.from_bytes(data[2 : 2 + size], "big") if size else second & 0x7F
        start = 2 + size
        key = b"\0\0\0\0"
        if second & 0x80:
            key = data[start : start + 4]
            start += 4
        assert len(data) >= start + length, "a frame is cut short"
        frames.append((first, mask(data[start : start + length], key)))
        data = data[start + length :]
    return frames


def status(code: int, reason: bytes = b"") -> bytes:
    """Write the payload of a Close frame (section 5.5.1)."""
    return code.to_bytes(2, "big") + reason


def steady_entropy() -> Callable[[int], bytes]:
    """Return a source that gives the nonce of section 1.3 first, and then keys that count up."""
    drawn = 0

    def take(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return NONCE if drawn == 1 and size == len(NONCE) else drawn.to_bytes(size, "big")

    return take


def connecting(role: Role, config: Config | None = None, *, half_close: bool = True) -> Connection:
    """Return a new connection at time 0; a client has sent its request."""
    connection = Connection(role, config, now=0.0, half_close=half_close, entropy=steady_entropy())
    if role is Role.CLIENT:
        connection.send_request(URL, subprotocols=("chat", "superchat"), now=0.0)
        drain(connection, 0.0)
    return connection


def opened(role: Role, config: Config | None = None, *, half_close: bool = True) -> Connection:
    """Return a connection whose opening handshake was completed at time 0, drained."""
    connection = connecting(role, config, half_close=half_close)
    if role is Role.CLIENT:
        connection.receive_data(RESPONSE, 0.0)
    else:
        connection.receive_data(REQUEST, 0.0)
        drain(connection, 0.0)
        connection.accept(now=0.0)
    drain(connection, 0.0)
    return connection


def from_peer(role: Role, opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """Write a frame as the peer of a connection in this role must: clients mask, servers do not."""
    return frame(opcode, payload, masked=role is Role.SERVER, final=final)


def feed(connection: Connection, *frames: tuple[int, bytes], now: float = 0.0) -> Output:
    """Let frames of the peer arrive in one segment, then drain."""
    data = b"".join(from_peer(connection.role, opcode, payload) for opcode, payload in frames)
    connection.receive_data(data, now)
    return drain(connection, now)


def sent(connection: Connection, now: float = 0.0) -> list[tuple[int, bytes]]:
    """Take what may leave in one go: the first byte and the payload of each frame."""
    return read_frames(b"".join(connection.data_to_send(now)))


def wire_size(role: Role, *lengths: int) -> int:
    """Say what short frames with such payloads take on the wire."""
    return sum(lengths) + len(lengths) * (2 if role is Role.SERVER else 6)


def the_end(events: list[Event]) -> Closed:
    """Return the `Closed` among events, which must be the only one and the last event."""
    assert sum(isinstance(event, Closed) for event in events) == 1
    closed = events[-1]
    assert isinstance(closed, Closed)
    return closed
