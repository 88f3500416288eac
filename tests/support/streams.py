"""A library of streams that a peer may send, good and bad: what must not depend on how they are cut.

Every stream goes to one role and starts with the first byte of its connection, so that cuts fall into the
opening handshake as well. The names say what is special; the frames behind a handshake are written by
`support.wire`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    REQUEST,
    RESPONSE,
    TEXT,
    frame,
    header,
    status,
)
from wscore import Connection, ConnectionClosed, Event, Limits, RequestReceived, Role

Piece = tuple[int, bytes] | tuple[int, bytes, bool] | bytes

_SNOWMEN = "\u2603 \U0001f600 \xe9 z".encode()


@dataclass(frozen=True)
class Stream:
    """One recorded stream.

    Attributes:
        name: unique.
        role: of the connection that receives it.
        data: all of it, from the first byte of the connection.
    """

    name: str
    role: Role
    data: bytes


def _long(first: int, length: int, form: int) -> Callable[[bool], bytes]:
    return lambda masked: header(first, length, masked=masked, form=form) + (KEY if masked else b"")


# Frames behind a good handshake; bytes stand for themselves, a third element False clears FIN.
GOOD: dict[str, list[Piece]] = {
    "nothing": [],
    "empty text": [(TEXT, b"")],
    "empty binary": [(BINARY, b"")],
    "text": [(TEXT, b"Hello")],
    "text beyond ASCII": [(TEXT, _SNOWMEN)],
    "text with the last code point": [(TEXT, b"\xf4\x8f\xbf\xbf\xee\x80\x80\xed\x9f\xbf")],
    "text with NUL": [(TEXT, b"a\x00b")],
    "binary of every byte": [(BINARY, bytes(range(256)))],
    "125 bytes": [(BINARY, bytes(125))],
    "126 bytes": [(BINARY, bytes(126))],
    "127 bytes": [(TEXT, b"x" * 127)],
    "many messages": [(TEXT, b"%d" % number) for number in range(12)],
    "text in two fragments": [(TEXT, b"Hel", False), (CONTINUATION, b"lo")],
    "binary in five fragments": [
        (BINARY, b"a", False),
        *[(CONTINUATION, b"b", False)] * 3,
        (CONTINUATION, b"c"),
    ],
    "a code point over three fragments": [
        (TEXT, b"\xe2", False),
        (CONTINUATION, b"\x98", False),
        (CONTINUATION, b"\x83"),
    ],
    "empty fragments": [(TEXT, b"", False), (CONTINUATION, b"", False), (CONTINUATION, b"")],
    "an empty fragment at the end": [(TEXT, b"x", False), (CONTINUATION, b"")],
    "a ping": [(PING, b"")],
    "a full ping": [(PING, b"p" * 125)],
    "pings before, between and behind": [
        (PING, b"1"),
        (TEXT, b"a", False),
        (PING, b"2"),
        (CONTINUATION, b"b"),
        (PING, b"3"),
    ],
    "many pings": [(PING, b"%d" % number) for number in range(15)],
    "a pong nobody asked for": [(PONG, b"x"), (TEXT, b"y")],
    "close": [(CLOSE, b"")],
    "close with a code": [(CLOSE, status(1000))],
    "close with a reason": [(CLOSE, status(4999, _SNOWMEN))],
    "close with a long reason": [(CLOSE, status(1001, b"x" * 123))],
    "close behind messages": [(TEXT, b"a"), (BINARY, b"b"), (CLOSE, status(1001))],
    "close in a message": [(TEXT, b"half", False), (CLOSE, status(1000))],
    "frames behind close": [(CLOSE, status(1000)), (TEXT, b"late"), (PING, b""), (CLOSE, b"")],
    "nonsense behind close": [(CLOSE, status(1000)), b"\xff\xff\xff\xff"],
    "a message cut short": [(TEXT, b"whole"), (BINARY, b"half", False)],
}

BAD: dict[str, list[Piece]] = {
    "RSV1": [(TEXT, b"a"), b"\xc1"],
    "RSV2": [b"\xa1"],
    "RSV3 on a ping": [b"\x99"],
    "reserved data opcode": [b"\x83"],
    "reserved control opcode": [b"\x8b"],
    "fragmented ping": [(TEXT, b"a"), b"\x09"],
    "fragmented close": [b"\x08"],
    "continuation of nothing": [(TEXT, b"a"), (CONTINUATION, b"b")],
    "new message in a message": [(TEXT, b"a", False), (TEXT, b"b")],
    "new message after an empty fragment": [(TEXT, b"", False), (BINARY, b"")],
    "bad byte": [(TEXT, b"ok"), (TEXT, b"a\xffb")],
    "overlong": [(TEXT, b"\xc0\xaf")],
    "surrogate": [(TEXT, b"\xed\xa0\x80")],
    "beyond the last code point": [(TEXT, b"\xf4\x90\x80\x80")],
    "unfinished code point": [(TEXT, b"abc\xe2\x98")],
    "unfinished code point in fragments": [(TEXT, b"\xe2", False), (CONTINUATION, b"\x98")],
    "bad byte in the second fragment": [(TEXT, b"ok", False), (CONTINUATION, b"\x80")],
    "a bad byte and a ping behind": [(TEXT, b"\xff"), (PING, b"p")],
    "message too big": [(BINARY, bytes(200), False), (CONTINUATION, bytes(101))],
    "too many fragments": [(BINARY, b"x", False), *[(CONTINUATION, b"x", False)] * 8],
    "too many empty fragments": [(BINARY, b"x", False), *[(CONTINUATION, b"", False)] * 4],
    "too many control frames": [*[(PING, b"")] * 16, (TEXT, b"never")],
    "close of one byte": [(TEXT, b"a"), (CLOSE, b"\x03")],
    "close with 1005": [(CLOSE, status(1005))],
    "close with 999": [(CLOSE, status(999))],
    "close with 65535": [(CLOSE, status(65535))],
    "close with a bad reason": [(CLOSE, status(1000, b"\xc3"))],
}

LENGTHS: dict[str, Callable[[bool], bytes]] = {
    "a long form for 5": _long(0x82, 5, 2),
    "the longest form for 5": _long(0x82, 5, 8),
    "the longest form for 65535": _long(0x82, 65535, 8),
    "a length with the sign bit": _long(0x82, 2**63, 8),
    "all ones": _long(0x82, 2**64 - 1, 8),
    "one byte over the limit": _long(0x82, 301, 2),
    "2 to the 62": _long(0x81, 2**62, 8),
    "a ping of 126": _long(0x89, 126, 2),
    "a close of 65536": _long(0x88, 65536, 8),
    "the wrong mask bit": lambda masked: frame(TEXT, b"x", masked=not masked),
}

_GET = b"GET /chat HTTP/1.1\r\nHost: a\r\n"

REQUESTS: dict[str, bytes] = {
    "no request": b"",
    "half a request": REQUEST[:100],
    "a plain GET": _GET + b"\r\n",
    "two plain GETs": (_GET + b"\r\n") * 2,
    "bare LF": _GET.replace(b"\r\n", b"\n") + b"\n",
    "bare LF later": _GET + b"X: y\n\r\n",
    "a folded line": _GET + b"X: a\r\n b\r\n\r\n",
    "CR in a line": _GET + b"X: a\rb\r\n\r\n",
    "NUL in a line": _GET + b"X: a\0b\r\n\r\n",
    "a blank first line": b"\r\n" + REQUEST,
    "a line too long": _GET + b"X: " + b"y" * 300 + b"\r\n\r\n",
    "a target too long": b"GET /" + b"y" * 300 + b" HTTP/1.1\r\n\r\n",
    "too many lines": _GET + b"X: y\r\n" * 20 + b"\r\n",
    "a head too long": _GET + (b"X: " + b"y" * 100 + b"\r\n") * 6 + b"\r\n",
    "HTTP/1.0": REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "POST": REQUEST.replace(b"GET", b"POST"),
    "a body": REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"),
    "version 8": REQUEST.replace(b"Version: 13", b"Version: 8"),
    "no key": REQUEST.replace(b"Sec-WebSocket-Key", b"X-Key"),
    "two keys": REQUEST.replace(b"Version: 13\r\n", b"Version: 13\r\nSec-WebSocket-Key: x\r\n"),
    "no Connection": REQUEST.replace(b"Connection: Upgrade", b"Connection: close"),
    "another origin": REQUEST.replace(b"\r\n\r\n", b"\r\nOrigin: http://evil.example\r\n\r\n"),
    "a refused request and another": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n" + REQUEST,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
}

RESPONSES: dict[str, bytes] = {
    "no response": b"",
    "half a response": RESPONSE[:60],
    "another token": RESPONSE.replace(b"s3p", b"S3P"),
    "no Upgrade": RESPONSE.replace(b"Upgrade: websocket\r\n", b""),
    "no Connection": RESPONSE.replace(b"Connection: Upgrade\r\n", b""),
    "an extension": RESPONSE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
    "a subprotocol that was offered": RESPONSE.replace(
        b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: superchat\r\n\r\n"
    ),
    "a subprotocol that was not": RESPONSE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: other\r\n\r\n"),
    "101 with a body": RESPONSE.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
    "101 over HTTP/1.0": RESPONSE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "103 and 101": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 2 + RESPONSE + b"\x81\x02hi",
    "too many 103": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + RESPONSE,
    "403 with a length": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnoooo and more",
    "403 without a body": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n\x81\x02hi",
    "403 to the end of the stream": b"HTTP/1.1 403 Forbidden\r\n\r\nno\r\n\r\nno",
    "403 in chunks": b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "403 in bad chunks": b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
    "403 with more than is kept": b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\n" + b"x" * 100,
    "204": b"HTTP/1.1 204 No Content\r\n\r\nrest",
    "302": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "bare LF": RESPONSE.replace(b"\r\n", b"\n"),
    "a line too long": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300 + b"\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(40),
}


def _write(pieces: list[Piece], masked: bool) -> bytes:
    data = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            data += piece
        elif len(piece) == 2:
            data += frame(*piece, masked=masked)
        else:
            data += frame(piece[0], piece[1], masked=masked, final=piece[2])
    return data


def streams() -> list[Stream]:
    """Return all of them."""
    found = [Stream(f"request: {name}", Role.SERVER, data) for name, data in REQUESTS.items()]
    found += [Stream(f"response: {name}", Role.CLIENT, data) for name, data in RESPONSES.items()]
    for role, head in ((Role.SERVER, REQUEST), (Role.CLIENT, RESPONSE)):
        masked = role is Role.SERVER
        for name, pieces in (GOOD | BAD).items():
            found.append(Stream(f"{role.value}: {name}", role, head + _write(pieces, masked)))
        for name, write in LENGTHS.items():
            text = frame(TEXT, b"a", masked=masked)
            found.append(Stream(f"{role.value}: {name}", role, head + text + write(masked) + b"payload"))
        for size in (65535, 65536, 100_000):
            data = head + _write([(PING, b"p"), (BINARY, bytes(size)), (TEXT, b"x" * 99)], masked)
            found.append(Stream(f"{role.value}: {size} bytes, which is too big", role, data))
        data = head + _write([(TEXT, b"%0200d" % number) for number in range(50)], masked)
        found.append(Stream(f"{role.value}: more than the inbox holds", role, data))
    return found


# Small limits, so that each of them is met by a stream of a few hundred bytes.
LIMITS: Final = Limits(
    max_message_size=300,
    max_fragments=8,
    max_empty_fragments=3,
    max_control_rate=3,
    max_line=256,
    max_head=600,
    max_headers=16,
    refusal_body=64,
    early_data=1_000_000,  # what comes with the request is early or not, depending on the cut
    inbox_high=400,
    inbox_low=100,
)


def answer(connection: Connection, event: Event) -> bool:
    """Answer a request, send a message back; tell whether the connection had not ended."""
    try:
        if isinstance(event, RequestReceived) and event.request.is_upgrade:
            connection.accept(now=0.0)
        elif isinstance(event, RequestReceived):
            connection.respond(404, body=b"nothing here", now=0.0)
        elif isinstance(event, str):
            connection.send_text(event)
        elif isinstance(event, bytes):
            connection.send_bytes(event)
    except ConnectionClosed:
        return False
    return True


def first_cut(data: bytes) -> int:
    """Return where single cuts begin: inside the one good head that most streams share, they are all alike.

    Its last four bytes are cut in every stream: there, what comes behind it is in the same segment or not.
    """
    heads = [head for head in (REQUEST, RESPONSE) if data.startswith(head) and data != head]
    return len(heads[0]) - 4 if heads else 1
