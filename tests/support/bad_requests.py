"""Requests that a server must refuse: a row each, written from RFC 6455, RFC 9110 and RFC 9112.

A group states the outcome and its rows change one thing in the good request. Where the RFCs leave a
choice, this library is strict: it refuses what two readers of the same bytes might understand differently.
"""

from typing import Final

from wscore import Violation

from .handshakes import (
    GET,
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

_LINE: Final = 8192  # the longest line, without its end
_PADDING: Final = b"X-Padding: " + b"x" * (_LINE - len(b"X-Padding: "))

_VERSIONS: Final = starts(
    {
        "HTTP/1.0": b"GET /chat HTTP/1.0",
        "HTTP/0.9": b"GET /chat HTTP/0.9",
        "HTTP/1.2": b"GET /chat HTTP/1.2",
        "HTTP/2.0": b"GET /chat HTTP/2.0",
        "HTTP/9.9": b"GET /chat HTTP/9.9",
        "HTTP/0.0": b"GET /chat HTTP/0.0",
        "the preface of HTTP/2": b"PRI * HTTP/2.0",
    }
) | {"HTTP/1.0 alone": b"GET / HTTP/1.0\r\n\r\n"}

_METHODS: Final = {
    f"method {method.decode()}": request(method + b" /chat HTTP/1.1")
    for method in (
        *(b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"PROPFIND"),
        *(b"get", b"Get", b"GETT", b"GE", b"!"),
    )
} | starts({"CONNECT": b"CONNECT example.com:443 HTTP/1.1", "OPTIONS of the server": b"OPTIONS * HTTP/1.1"})

_START_LINES: Final = starts(
    {
        "no version": b"GET /chat",
        "no target": b"GET HTTP/1.1",
        "only a version": b"HTTP/1.1",
        "nothing": b"",
        "two blanks in front of the target": b"GET  /chat HTTP/1.1",
        "two blanks behind the target": b"GET /chat  HTTP/1.1",
        "a blank in the target": b"GET /a b HTTP/1.1",
        "a blank in front": b" GET /chat HTTP/1.1",
        "a blank behind": b"GET /chat HTTP/1.1 ",
        "tabs": b"GET\t/chat\tHTTP/1.1",
        "a vertical tab": b"GET /chat\x0bHTTP/1.1",
        "HTTP in lower case": b"GET /chat http/1.1",
        "another protocol": b"GET /chat HTTPS/1.1",
        "a minor version of two digits": b"GET /chat HTTP/1.10",
        "a major version of two digits": b"GET /chat HTTP/01.1",
        "a version without a minor part": b"GET /chat HTTP/1",
        "a version with a sign": b"GET /chat HTTP/+1.1",
        "a version with a comma": b"GET /chat HTTP/1,1",
        "a version in full-width digits": b"GET /chat HTTP/\xef\xbc\x91.1",
        "a method that is no token": b"G(E)T /chat HTTP/1.1",
        "a response": b"HTTP/1.1 200 OK",
        "a control character in the target": b"GET /\x01 HTTP/1.1",
        "DEL in the target": b"GET /\x7f HTTP/1.1",
        "NUL in the target": b"GET /\x00 HTTP/1.1",
        "a letter outside ASCII in the target": b"GET /caf\xe9 HTTP/1.1",
        "CR in the target": b"GET /\r HTTP/1.1",
        "CR at the end": b"GET /chat HTTP/1.1\r",
        "a byte order mark": b"\xef\xbb\xbfGET /chat HTTP/1.1",
    }
)

_FIELD_LINES: Final = {
    "no colon": plus(b"Broken"),
    "a blank in front of the colon": plus(b"X-Name : y"),
    "a tab in front of the colon": plus(b"X-Name\t: y"),
    "no name": plus(b": y"),
    "a blank in a name": plus(b"X Name: y"),
    "a parenthesis in a name": plus(b"X(Name): y"),
    "obs-text in a name": plus(b"X-N\xe4me: y"),
    "NUL in a name": plus(b"X\x00: y"),
    "NUL in a value": plus(b"X: a\x00b"),
    "CR in a value": plus(b"X: a\rb"),
    "CR at the end of a value": plus(b"X: a\r"),
    "CR in a name": plus(b"X\r: a"),
} | {
    f"control character {code:#04x} in a value": plus(b"X: a%cb" % code)
    for code in (0x01, 0x08, 0x0B, 0x0C, 0x0E, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F, 0x7F)
}

_LINE_ENDS: Final = {
    "LF after every line": request().replace(b"\r\n", b"\n"),
    "LF after the request line": request().replace(b"\r\n", b"\n", 1),
    "LF after a header line": plus(b"X: a\nY: b"),
    "LF at the end of the head": request()[:-2] + b"\n",
    "LF in front of the request": b"\n" + request(),
}

_FOLDS: Final = {
    "folded with a blank": plus(b"X: a", b" b"),
    "folded with a tab": plus(b"X: a", b"\tb"),
    "folded right after the request line": head(b"GET / HTTP/1.1", [b" X: y", *REQUEST_FIELDS]),
    "a line of blanks": plus(b" \t "),
    "Host folded": instead(b"Host:", b" example.com"),
}

_DUPLICATES: Final = {
    "Host": plus(b"Host: example.com"),
    "another Host": plus(b"HOST: evil.org"),
    "Sec-WebSocket-Key": plus(b"Sec-WebSocket-Key: " + KEY),
    "Sec-WebSocket-Version": plus(b"Sec-WebSocket-Version: 13"),
    "another Sec-WebSocket-Version": plus(b"sec-websocket-version: 8"),
    "Origin": plus(b"Origin: http://example.com", b"Origin: http://example.com"),
}

_HOSTS: Final = {"no Host": minus(b"host")} | values(
    b"Host",
    {
        "nothing": b"",
        "a blank": b"a b",
        "two hosts": b"example.com, evil.org",
        "a path": b"example.com/",
        "user information": b"me@example.com",
        "a scheme": b"http://example.com",
        "only a port": b":80",
        "IPv6 without brackets": b"::1",
        "an open bracket": b"[::1",
        "empty brackets": b"[]",
        "a name in brackets": b"[example]",
        "something behind the brackets": b"[::1]x",
        "two ports": b"example.com:80:80",
        "a port that is no number": b"example.com:http",
        "a port with a sign": b"example.com:+80",
        "a port with an underscore": b"example.com:8_0",
        "obs-text": b"ex\xe4mple.com",
        "a backslash": b"example.com\\evil",
        "a question mark": b"example.com?",
        "a number sign": b"example.com#",
        "angle brackets": b"<example.com>",
        "NEL behind it": b"example.com\x85",
    },
)

_TARGETS: Final = starts(
    {
        "asterisk-form": b"GET * HTTP/1.1",
        "authority-form": b"GET example.com:80 HTTP/1.1",
        "a relative path": b"GET chat HTTP/1.1",
        "only a query": b"GET ?x=1 HTTP/1.1",
        "a fragment": b"GET /chat#x HTTP/1.1",
        "a fragment in absolute-form": b"GET http://example.com/chat#x HTTP/1.1",
        "another host": b"GET http://evil.org/chat HTTP/1.1",
        "another port": b"GET http://example.com:8080/chat HTTP/1.1",
        "user information in the target": b"GET http://me@example.com/chat HTTP/1.1",
        "another scheme": b"GET ftp://example.com/chat HTTP/1.1",
        "no authority": b"GET http:///chat HTTP/1.1",
        "one slash": b"GET http:/example.com/chat HTTP/1.1",
    }
)

_CONNECTIONS: Final = {"no Connection": minus(b"connection")} | values(
    b"Connection",
    {
        "nothing": b"",
        "keep-alive": b"keep-alive",
        "close": b"close",
        "a longer name": b"Upgraded",
        "a name in front": b"no-upgrade",
        "no comma": b"keep-alive Upgrade",
        "quoted": b'"Upgrade"',
        "NEL in front": b"\x85Upgrade",
        "a no-break space in front": b"\xa0Upgrade",
    },
)

_WEBSOCKET_VERSIONS: Final = {"no version": minus(b"sec-websocket-version")} | values(
    b"Sec-WebSocket-Version",
    {
        value.decode("latin-1") or "nothing": value
        for value in (b"", b"0", b"7", b"8", b"12", b"14", b"130", b"013")
    }
    | {
        value.decode("latin-1"): value
        for value in (b"+13", b"13.0", b"1 3", b"1_3", b"0x0d", b"13;", b"13, 8")
    }
    | {"two lists": b"8, 13", "quoted": b'"13"', "superscript": b"\xb9\xb3", "letters": b"rfc6455"},
)

_KEYS: Final = {"no key": minus(b"sec-websocket-key")} | values(
    b"Sec-WebSocket-Key",
    {
        "nothing": b"",
        "one byte": b"YQ==",
        "fifteen bytes": b"A" * 20,
        "seventeen bytes": b"A" * 23 + b"=",
        "eighteen bytes": b"A" * 24,
        "thirty-two bytes": b"A" * 43 + b"=",
        "no padding": b"A" * 22,
        "half a padding": b"A" * 22 + b"=",
        "too much padding": b"A" * 22 + b"===",
        "stray bits": b"A" * 21 + b"B==",
        "the URL-safe alphabet": b"-_" * 10 + b"-A==",
        "a blank inside": b"A" * 10 + b" " + b"A" * 12 + b"==",
        "quoted": b'"' + KEY + b'"',
        "two keys": KEY + b", " + KEY,
        "obs-text": b"\xe9" * 21 + b"A==",
        "something behind": KEY + b"x",
    },
)

_EXTENSIONS: Final = {
    label: plus(b"Sec-WebSocket-Extensions: " + value)
    for label, value in {
        "nothing": b"",
        "no name": b";",
        "no name in front of a parameter": b"; a",
        "nothing behind a semicolon": b"a;",
        "no name of a parameter": b"a; =1",
        "no value": b"a; b=",
        "two values": b"a; b=c=d",
        "two names": b"a b",
        "two names of a parameter": b"a; b c",
        "a quoted string that is no token": b'a; b="c d"',
        "an empty quoted string": b'a; b=""',
        "an open quoted string": b'a; b="c',
        "something behind a quoted string": b'a; b="c"d',
        "a parenthesis": b"(a)",
        "a slash": b"a/b",
        "obs-text": b"\xe9",
        "seventeen": b", ".join([b"x"] * 17),
        "too long": b"x" * 1025,
        "too long with its parameters": b"x; " + b"y" * 1024,
    }.items()
}

_SUBPROTOCOLS: Final = {
    label: plus(b"Sec-WebSocket-Protocol: " + value)
    for label, value in {
        "a blank inside": b"a b",
        "a semicolon": b"a;b",
        "a slash": b"a/b",
        "quoted": b'"a"',
        "a parenthesis": b"(a)",
        "obs-text": b"caf\xe9",
        "NEL between": b"a,\x85b",
        "twice": b"chat, a, chat",
        "thirty-three": b",".join(b"p%d" % n for n in range(33)),
        "too long": b"x" * 1025,
    }.items()
} | {"twice, on two lines": plus(b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: a")}

_ORIGINS: Final = {
    f"Origin {origin.decode('latin-1')}": plus(b"Origin: " + origin)
    for origin in (
        *(
            b"",
            b"null",
            b"example.com",
            b"https://evil.org",
            b"http://sub.example.com",
            b"http://example.org",
        ),
        *(b"http://example.com:8080", b"http://example.com:443", b"http://example.com.evil.org"),
        *(b"http://evil-example.com", b"http://example.com@evil.org", b"http://evil.org/http://example.com"),
        *(b"http://example.com/", b"http://example.com http://evil.org", b"file://", b"http://"),
        *(b"http://ex\xe4mple.com", b"chrome-extension://example.com"),
    )
} | {
    "the request of RFC 6455 section 1.3, whose Origin is another host": head(
        GET,
        [b"Host: server.example.com", *REQUEST_FIELDS[1:], b"Origin: http://example.com"],
    )
}

_BODIES: Final = {
    "Content-Length": plus(b"Content-Length: 5"),
    "Content-Length of nothing": plus(b"Content-Length: 0"),
    "Transfer-Encoding": plus(b"Transfer-Encoding: chunked"),
    "Expect": plus(b"Expect: 100-continue"),
    "another Expect": plus(b"Expect: x"),
}

GROUPS: Final[dict[str, tuple[Expected, Rows]]] = {
    "HTTP version": (Expected(505, Violation.HTTP_VERSION), _VERSIONS),
    "method": (Expected(405, Violation.METHOD), _METHODS),
    "request line": (Expected(400, Violation.MALFORMED_HEAD), _START_LINES),
    "header line": (Expected(400, Violation.MALFORMED_HEAD), _FIELD_LINES),
    "line end": (Expected(400, Violation.BARE_LF), _LINE_ENDS),
    "fold": (Expected(400, Violation.OBS_FOLD), _FOLDS),
    "twice": (Expected(400, Violation.DUPLICATE_HEADER), _DUPLICATES),
    "Host": (Expected(400, Violation.INVALID_HOST), _HOSTS),
    "target": (Expected(400, Violation.INVALID_TARGET), _TARGETS),
    "Connection": (Expected(400, Violation.CONNECTION_HEADER), _CONNECTIONS),
    "version": (Expected(426, Violation.WEBSOCKET_VERSION), _WEBSOCKET_VERSIONS),
    "key": (Expected(400, Violation.WEBSOCKET_KEY), _KEYS),
    "extensions": (Expected(400, Violation.INVALID_EXTENSIONS), _EXTENSIONS),
    "subprotocols": (Expected(400, Violation.INVALID_SUBPROTOCOLS), _SUBPROTOCOLS),
    "origin": (Expected(403, Violation.ORIGIN), _ORIGINS),
    "body": (Expected(400, Violation.REQUEST_BODY), _BODIES),
    "too many lines": (
        Expected(431, Violation.TOO_MANY_HEADERS),
        {"one hundred and one": plus(*[b"X: y"] * 96), "a thousand": plus(*[b"X: y"] * 1000)},
    ),
    "too long a line": (Expected(431, Violation.LINE_TOO_LONG), {"one byte": plus(_PADDING + b"x")}),
    "too long a head": (Expected(431, Violation.HEAD_TOO_LARGE), {"five long lines": plus(*[_PADDING] * 5)}),
    "too long a target": (
        Expected(414, Violation.TARGET_TOO_LONG),
        {"one byte": request(b"GET /" + b"x" * (_LINE - 13) + b" HTTP/1.1")},
    ),
}
