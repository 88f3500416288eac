"""What a client must make of a response, written from RFC 6455 section 4.1 and RFC 9112.

A group states the outcome and its rows change one thing in the good response, which answers a request
that offered the subprotocols "chat" and "superchat" and no extension.
"""

from typing import Final

from wscore import Violation

from .handshakes import ACCEPT, RESPONSE_FIELDS, head, response

_OK: Final = b"HTTP/1.1 200 OK"
_PADDING: Final = b"X-Padding: " + b"x" * 8181


def _status(line: bytes) -> bytes:
    return response(start_line=line)


def _values(name: bytes, values: dict[str, bytes]) -> dict[str, bytes]:
    return {label: response(name + b": " + value, drop=name.lower()) for label, value in values.items()}


OPENED: Final[dict[str, bytes]] = {
    "the response of RFC 6455 section 1.3": response(b"Sec-WebSocket-Protocol: chat"),
    "no subprotocol": response(),
    "the other subprotocol": response(b"Sec-WebSocket-Protocol: superchat"),
    "no words": _status(b"HTTP/1.1 101 "),
    "no blank behind the status": _status(b"HTTP/1.1 101"),
    "other words, with obs-text": _status(b"HTTP/1.1 101 \tcaf\xe9"),
    "names in lower case": response(b"connection:Upgrade", drop=b"connection"),
    "blanks round a value": response(
        b"Sec-WebSocket-Accept: \t" + ACCEPT + b"\t ", drop=b"sec-websocket-accept"
    ),
    "Upgrade in another case": response(b"Upgrade: WebSocket", drop=b"upgrade"),
    "Connection in another case": response(b"Connection: UPGRADE", drop=b"connection"),
    "Connection with more": response(b"Connection: keep-alive, Upgrade", drop=b"connection"),
    "Connection on two lines": response(b"Connection: keep-alive"),
    "the same field twice": response(b"Set-Cookie: a=1", b"Set-Cookie: b=2"),
    "obs-text in a value": response(b"X-Name: caf\xe9\x85"),
    "an informational response before it": head(b"HTTP/1.1 100 Continue", []) + response(),
    "eight informational responses before it": head(b"HTTP/1.1 103 Early Hints", [b"Link: <a>"]) * 8
    + response(),
    "one hundred lines": response(*[b"X: y"] * 97),
    "the longest line": response(_PADDING),
}

BROKEN: Final[dict[Violation, dict[str, bytes]]] = {
    Violation.WEBSOCKET_ACCEPT: {"no accept": response(drop=b"sec-websocket-accept")}
    | _values(
        b"Sec-WebSocket-Accept",
        {
            "nothing": b"",
            "the accept of another key": b"ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
            "in lower case": ACCEPT.lower(),
            "one character less": ACCEPT[:-1],
            "one character more": ACCEPT + b"=",
            "twice in a list": ACCEPT + b", " + ACCEPT,
            "NEL behind it": ACCEPT + b"\x85",
        },
    ),
    Violation.UPGRADE_HEADER: {"no Upgrade": response(drop=b"upgrade")}
    | {"Upgrade twice": response(b"Upgrade: websocket")}
    | _values(
        b"Upgrade",
        {
            "nothing": b"",
            "another protocol": b"h2c",
            "two protocols": b"websocket, h2c",
            "a longer name": b"websockets",
            "a Kelvin sign": b"websoc\xe2\x84\xaaet",
        },
    ),
    Violation.RESPONSE_CONNECTION: {"no Connection": response(drop=b"connection")}
    | _values(
        b"Connection",
        {"nothing": b"", "close": b"close", "a longer name": b"upgrades", "no comma": b"a upgrade"},
    ),
    Violation.UNOFFERED_SUBPROTOCOL: {
        label: response(b"Sec-WebSocket-Protocol: " + value)
        for label, value in {
            "another": b"other",
            "in another case": b"Chat",
            "nothing": b"",
            "two": b"chat, superchat",
            "obs-text": b"chat\x85",
        }.items()
    },
    Violation.UNOFFERED_EXTENSION: {
        label: response(b"Sec-WebSocket-Extensions: " + value)
        for label, value in {"permessage-deflate": b"permessage-deflate", "any": b"x", "two": b"a, b"}.items()
    }
    | {"on two lines": response(b"Sec-WebSocket-Extensions: a", b"Sec-WebSocket-Extensions: b")},
    Violation.INVALID_EXTENSIONS: {
        label: response(b"Sec-WebSocket-Extensions: " + value)
        for label, value in {
            "nothing": b"",
            "only commas": b", ,",
            "no token": b"a b",
            "a parameter without a name": b"a; =1",
            "a quoted value that is no token": b'a; b="c d"',
            "obs-text": b"a\x85",
        }.items()
    },
    Violation.DUPLICATE_HEADER: {
        "Accept twice": response(b"Sec-WebSocket-Accept: " + ACCEPT),
        "two Accepts": response(b"sec-websocket-accept: " + ACCEPT[::-1]),
        "two subprotocols": response(b"Sec-WebSocket-Protocol: chat", b"Sec-WebSocket-Protocol: superchat"),
        "the same subprotocol twice": response(*[b"Sec-WebSocket-Protocol: chat"] * 2),
    },
    Violation.RESPONSE_BODY: {
        "a length": response(b"Content-Length: 5"),
        "no length": response(b"Content-Length: 0"),
        "a coding": response(b"Transfer-Encoding: chunked"),
    },
    Violation.RESPONSE_VERSION: {
        "HTTP/1.0": _status(b"HTTP/1.0 101 Switching Protocols"),
        "HTTP/0.9": _status(b"HTTP/0.9 101 Switching Protocols"),
        "HTTP/2.0": _status(b"HTTP/2.0 101 Switching Protocols"),
        "HTTP/9.9": _status(b"HTTP/9.9 101 Switching Protocols"),
    },
    Violation.TOO_MANY_INFORMATIONAL: {
        "nine early hints": head(b"HTTP/1.1 103 Early Hints", []) * 9 + response(),
        "nine different ones": b"".join(
            head(b"HTTP/1.1 10%d x" % (n % 4 or 4), []) for n in range(9)
        ).replace(b"101", b"199"),
    },
    Violation.BARE_LF: {
        "LF everywhere": response().replace(b"\r\n", b"\n"),
        "LF behind the status line": response().replace(b"\r\n", b"\n", 1),
        "LF in the status line": _status(b"HTTP/1.1 101 a\nX: y"),
    },
    Violation.OBS_FOLD: {"a folded line": response(b"X: y", b" z"), "a line of a tab": response(b"\t")},
    Violation.MALFORMED_HEAD: {
        "CR in the words": _status(b"HTTP/1.1 101 a\rb"),
        "NUL in the words": _status(b"HTTP/1.1 101 a\x00b"),
        "a status of two digits": _status(b"HTTP/1.1 99 x"),
        "a status of four digits": _status(b"HTTP/1.1 1010 x"),
        "a status below 100": _status(b"HTTP/1.1 099 x"),
        "no status": _status(b"HTTP/1.1"),
        "a status with an underscore": _status(b"HTTP/1.1 1_1 x"),
        "no version": _status(b"HTTP 101 x"),
        "another protocol": _status(b"SIP/2.0 101 x"),
        "HTTP in lower case": _status(b"http/1.1 101 x"),
        "a minor version of two digits": _status(b"HTTP/1.10 101 x"),
        "two blanks": _status(b"HTTP/1.1  101 x"),
        "a request": _status(b"GET / HTTP/1.1"),
        "an empty line in front": b"\r\n" + response(),
        "a byte order mark": b"\xef\xbb\xbf" + response(),
        "a line without a colon": response(b"Broken"),
        "a blank in front of the colon": response(b"X : y"),
        "a control character in a value": response(b"X: a\x1bb"),
        "a length that is none": head(_OK, [b"Content-Length: 1_0"]),
        "a length with a sign": head(_OK, [b"Content-Length: +5"]),
        "two lengths": head(_OK, [b"Content-Length: 5", b"Content-Length: 6"]),
        "an unknown coding": head(_OK, [b"Transfer-Encoding: gzip"]),
    },
    Violation.TOO_MANY_HEADERS: {"one hundred and one lines": response(*[b"X: y"] * 98)},
    Violation.LINE_TOO_LONG: {
        "a header line": response(_PADDING + b"x"),
        "the status line": _status(b"HTTP/1.1 101 " + b"x" * 8180),
    },
    Violation.HEAD_TOO_LARGE: {"five long lines": response(*[_PADDING] * 5)},
}

BODY: Final = b"no entry for you"
_FIELDS: Final = RESPONSE_FIELDS  # a refusal may even look like an upgrade: only its status counts

# Responses other than 101: the status, the whole stream, and whether only its end completes it.
REFUSED: Final[dict[str, tuple[int, bytes, bool]]] = {
    "401 with a length": (401, head(b"HTTP/1.1 401 No", [b"Content-Length: 16"]) + BODY, False),
    "302, in chunks": (
        302,
        head(b"HTTP/1.1 302 Found", [b"Location: /a", b"Transfer-Encoding: chunked"])
        + b"5;a=b\r\nno en\r\n0b\r\ntry for you\r\n0\r\nX: y\r\n\r\n",
        False,
    ),
    "503 until the end": (503, head(b"HTTP/1.1 503 Busy", []) + BODY, True),
    "403 of HTTP/1.0": (403, head(b"HTTP/1.0 403 No", []) + BODY, True),
    "403 of HTTP/1.0 with a length": (403, head(b"HTTP/1.0 403 No", [b"Content-Length: 16"]) + BODY, False),
    "200": (200, head(_OK, [b"Content-Length: 16"]) + BODY, False),
    "200 that looks like an upgrade": (200, head(_OK, [*_FIELDS, b"Content-Length: 16"]) + BODY, False),
    "a status nobody knows": (999, head(b"HTTP/1.1 999 x", [b"Content-Length: 16"]) + BODY, False),
    "behind informational ones": (
        404,
        head(b"HTTP/1.1 103 Early Hints", []) * 8 + head(b"HTTP/1.1 404 x", [b"Content-Length: 16"]) + BODY,
        False,
    ),
    "bytes behind the body": (
        400,
        head(b"HTTP/1.1 400 Bad", [b"Content-Length: 16"]) + BODY + response(),
        False,
    ),
    "what versions the server speaks, on two lines": (  # RFC 6455 section 4.4
        426,
        head(
            b"HTTP/1.1 426 Upgrade Required",
            [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8, 7", b"Content-Length: 16"],
        )
        + BODY,
        False,
    ),
}
