"""Requests that a server must hand out: a row each, written from RFC 6455, RFC 9110 and RFC 9112.

A group states the outcome and its rows change one thing in the good request.
"""

from typing import Final

from .handshakes import (
    KEY,
    REQUEST_FIELDS,
    Expected,
    Rows,
    head,
    instead,
    minus,
    plus,
    request,
    starts,
    values,
)

ACCEPTED: Final = Expected(101)
PLAIN: Final = Expected(200)  # a request of plain HTTP, which the application answers


_LINE: Final = 8192  # the longest line, without its end
_PADDING: Final = b"X-Padding: " + b"x" * (_LINE - len(b"X-Padding: "))

_GOOD: Final = {
    "the request of RFC 6455 section 1.3 without Origin": plus(b"Sec-WebSocket-Protocol: chat, superchat"),
    "header names in lower case": head(b"GET / HTTP/1.1", [line.lower() for line in REQUEST_FIELDS[:3]])[:-2]
    + b"sec-websocket-key:"
    + KEY
    + b"\r\nsec-websocket-version:13\r\n\r\n",
    "header names in upper case": instead(b"UPGRADE: websocket"),
    "no blank behind the colon": instead(b"Host:example.com"),
    "blanks and tabs round a value": instead(b"Host: \t example.com\t \t"),
    "obs-text in a value": plus(b"X-Name: Andr\xe9 \x80\x85\xa0\xff"),
    "a tab inside a value": plus(b"X-Name: a\tb"),
    "an empty value": plus(b"X-Empty:"),
    "a field of the same name twice": plus(b"Cookie: a=1", b"Cookie: b=2"),
    "what browsers add": plus(b"Pragma: no-cache", b"Cache-Control: no-cache", b"Accept-Encoding: gzip, br"),
    "TE, which is about the response": plus(b"TE: trailers"),
    "every token character in a name": plus(b"!#$%&'*+-.^_`|~09azAZ: x"),
    "one hundred lines": plus(*[b"X: y"] * 95),
    "the longest line": plus(_PADDING),
    "the longest request line": request(b"GET /" + b"x" * (_LINE - 14) + b" HTTP/1.1"),
} | values(
    b"Connection",
    {
        "Firefox": b"keep-alive, Upgrade",
        "in upper case": b"UPGRADE",
        "in lower case": b"upgrade",
        "without a blank": b"upgrade,keep-alive",
        "with empty elements": b", ,Upgrade,,",
        "with tabs": b"\tkeep-alive\t,\tUpgrade\t",
        "with close": b"close, Upgrade",
    },
)

_GOOD_LISTS: Final = {
    "Connection on two lines": instead(b"Connection: keep-alive", b"Connection: Upgrade"),
    "Upgrade with another case": instead(b"Upgrade: WebSocket"),
    "Upgrade names two protocols": instead(b"Upgrade: h2c, websocket"),
    "Upgrade on two lines": instead(b"Upgrade: h2c", b"Upgrade: websocket"),
    "Upgrade with empty elements": instead(b"Upgrade: ,websocket ,"),
    "an extension": plus(b"Sec-WebSocket-Extensions: permessage-deflate"),
    "parameters of extensions": plus(b"Sec-WebSocket-Extensions: a; b; c=1;d = 2 , e"),
    "a quoted parameter": plus(b'Sec-WebSocket-Extensions: a; b="15"; c="\\x"'),
    "a parameter twice": plus(b"Sec-WebSocket-Extensions: a; b; b"),
    "an extension twice": plus(b"Sec-WebSocket-Extensions: permessage-deflate; x=1, permessage-deflate"),
    "extensions on two lines": plus(b"Sec-WebSocket-Extensions: a", b"Sec-WebSocket-Extensions: b"),
    "sixteen extensions": plus(b"Sec-WebSocket-Extensions: " + b", ".join([b"x"] * 16)),
    "the longest extension": plus(b"Sec-WebSocket-Extensions: " + b"x" * 1024),
    "a subprotocol": plus(b"Sec-WebSocket-Protocol: chat"),
    "subprotocols on two lines": plus(b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: b, c"),
    "subprotocols that differ in case": plus(b"Sec-WebSocket-Protocol: chat, Chat"),
    "subprotocols with empty elements": plus(b"Sec-WebSocket-Protocol: ,a,, b,"),
    "no subprotocol on the line": plus(b"Sec-WebSocket-Protocol:"),
    "thirty-two subprotocols": plus(b"Sec-WebSocket-Protocol: " + b",".join(b"p%d" % n for n in range(32))),
    "the longest subprotocol": plus(b"Sec-WebSocket-Protocol: " + b"x" * 1024),
}

_GOOD_HOSTS: Final = values(
    b"Host",
    {
        "a port": b"example.com:8080",
        "an empty port": b"example.com:",
        "an IPv4 address": b"127.0.0.1:80",
        "an IPv6 address": b"[::1]",
        "an IPv6 address and a port": b"[2001:db8::1]:8765",
        "a trailing dot": b"example.com.",
        "an underscore": b"my_service",
        "a percent-encoded octet": b"ex%C3%A4mple.com",
        "sub-delims": b"a!$&'()*+,;=b",
    },
)

_GOOD_TARGETS: Final = starts(
    {
        "the root": b"GET / HTTP/1.1",
        "a query": b"GET /chat?room=1&x=%20/?: HTTP/1.1",
        "an empty query": b"GET /? HTTP/1.1",
        "two slashes": b"GET //chat HTTP/1.1",
        "all of pchar": b"GET /-._~!$&'()*+,;=:@%41 HTTP/1.1",
        "what browsers leave as it is": b"GET /a|b^c?d=[{1}] HTTP/1.1",
        "absolute-form": b"GET http://example.com/chat HTTP/1.1",
        "absolute-form with ws": b"GET ws://example.com/chat HTTP/1.1",
        "absolute-form with wss": b"GET wss://example.com/chat HTTP/1.1",
        "absolute-form with https": b"GET https://example.com/chat HTTP/1.1",
        "absolute-form with another case": b"GET HTTP://EXAMPLE.com/chat HTTP/1.1",
        "absolute-form without a path": b"GET http://example.com HTTP/1.1",
        "absolute-form with only a query": b"GET http://example.com?x=1 HTTP/1.1",
    }
)

_GOOD_KEYS: Final = values(
    b"Sec-WebSocket-Key",
    {
        "sixteen zeros": b"A" * 22 + b"==",
        "slash and plus": b"+/" * 10 + b"+Q==",
        "it ends in g": b"x" * 21 + b"g==",
    },
)

_GOOD_ORIGINS: Final = {
    f"Origin {origin.decode()}": plus(b"Origin: " + origin)
    for origin in (
        b"http://example.com",
        b"https://example.com",
        b"http://EXAMPLE.com",
        b"http://example.com:80",
        b"https://example.com:443",
        b"ws://example.com",
    )
}

_PLAIN: Final = {
    "no Upgrade": minus(b"upgrade"),
    "only a Host": head(b"GET / HTTP/1.1", [b"Host: example.com"]),
    "plain, from another site": head(b"GET / HTTP/1.1", [b"Host: example.com", b"Origin: https://evil.org"]),
} | values(
    b"Upgrade",
    {
        "another protocol": b"h2c",
        "a longer name in front": b"notwebsocket",
        "a longer name behind": b"websockets",
        "a version": b"websocket/13",
        "quoted": b'"websocket"',
        "a blank inside": b"web socket",
        "no comma between": b"h2c websocket",
        "a Kelvin sign, in UTF-8": b"websoc\xe2\x84\xaaet",
        "nothing": b"",
        "NEL behind it": b"websocket\x85",
        "a no-break space behind it": b"websocket\xa0",
    },
)

GROUPS: Final[dict[str, tuple[Expected, Rows]]] = {
    "good": (ACCEPTED, _GOOD | _GOOD_LISTS),
    "good Host": (ACCEPTED, _GOOD_HOSTS),
    "good target": (ACCEPTED, _GOOD_TARGETS),
    "good key": (ACCEPTED, _GOOD_KEYS),
    "good origin": (ACCEPTED, _GOOD_ORIGINS),
    "plain HTTP": (PLAIN, _PLAIN),
}
