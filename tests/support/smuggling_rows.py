"""Requests that try to carry a second one past a reader that frames them otherwise (RFC 9112 section 11.2).

Each row is a whole stream: what a proxy in front may have taken for one request, with a second, perfectly
good upgrade request somewhere in it. None of the first requests may be answered with anything but the
status given, and the second one must never be seen.
"""

from typing import Final

from .handshakes import GET, KEY, REQUEST_FIELDS, SECOND_REQUEST, head, plus, request

_CHUNKED: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SECOND_REQUEST), SECOND_REQUEST)
_LENGTH: Final = b"Content-Length: %d" % len(SECOND_REQUEST)
_BAD_REQUEST: Final = 400


def _with_length(value: bytes) -> bytes:
    return plus(b"Content-Length: " + value) + SECOND_REQUEST


def _with_coding(value: bytes, *more: bytes) -> bytes:
    return plus(b"Transfer-Encoding: " + value, *more) + _CHUNKED


_CONTENT_LENGTH: Final = {
    "the right length": plus(_LENGTH) + SECOND_REQUEST,
    "no length": _with_length(b"0"),
    "an empty length": _with_length(b""),
    "a negative length": _with_length(b"-1"),
    "minus nothing": _with_length(b"-0"),
    "a sign": _with_length(b"+0"),
    "an underscore": _with_length(b"0_0"),
    "a hexadecimal length": _with_length(b"0x0"),
    "blanks inside": _with_length(b"0 0"),
    "a fraction": _with_length(b"0.0"),
    "a list of equal lengths": _with_length(b"0, 0"),
    "a list of lengths": _with_length(b"0, 5"),
    "a length behind an empty element": _with_length(b",0"),
    "a word": _with_length(b"none"),
    "a superscript digit": _with_length(b"\xb2"),
    "a length of 400 digits": _with_length(b"9" * 400),
    "NEL behind the length": _with_length(b"0\x85"),
    "the same length twice": plus(b"Content-Length: 0", b"Content-Length: 0") + SECOND_REQUEST,
    "two lengths": plus(b"Content-Length: 0", _LENGTH) + SECOND_REQUEST,
    "a length and an odd case": plus(b"cONTENT-lENGTH: 5") + SECOND_REQUEST,
}

_TRANSFER_ENCODING: Final = {
    "chunked": _with_coding(b"chunked"),
    "chunked in upper case": _with_coding(b"CHUNKED"),
    "identity": _with_coding(b"identity"),
    "gzip": _with_coding(b"gzip"),
    "gzip and chunked": _with_coding(b"gzip, chunked"),
    "chunked and gzip": _with_coding(b"chunked, gzip"),
    "chunked twice": _with_coding(b"chunked, chunked"),
    "a word that begins so": _with_coding(b"chunkedfoo"),
    "a quoted coding": _with_coding(b'"chunked"'),
    "no coding": _with_coding(b""),
    "a coding with a parameter": _with_coding(b"chunked;foo=bar"),
    "a vertical tab in front of the coding": _with_coding(b"\x0bchunked"),
    "NEL in front of the coding": _with_coding(b"\x85chunked"),
    "a coding and a length": _with_coding(b"chunked", b"Content-Length: 0"),
    "a length and a coding": plus(_LENGTH, b"Transfer-Encoding: chunked") + _CHUNKED,
    "two codings on two lines": _with_coding(b"identity", b"Transfer-Encoding: chunked"),
    "a blank in front of the colon": plus(b"Transfer-Encoding : chunked") + _CHUNKED,
    "a tab in front of the colon": plus(b"Transfer-Encoding\t: chunked") + _CHUNKED,
    "a coding on a folded line": plus(b"Transfer-Encoding:", b" chunked") + _CHUNKED,
    "a coding behind a bare LF": plus(b"X: y\nTransfer-Encoding: chunked") + _CHUNKED,
    "a coding behind a bare CR": plus(b"X: y\rTransfer-Encoding: chunked") + _CHUNKED,
    "a coding behind NUL": plus(b"X: y\x00Transfer-Encoding: chunked") + _CHUNKED,
    "NUL in the name": plus(b"Transfer-Encoding\x00: chunked") + _CHUNKED,
}

_OTHER: Final = {
    "Expect": plus(b"Expect: 100-continue", _LENGTH) + SECOND_REQUEST,
    "Expect without a length": plus(b"Expect: 100-continue") + SECOND_REQUEST,
    "two Hosts": plus(b"Host: evil.org") + SECOND_REQUEST,
    "no Host": head(GET, REQUEST_FIELDS[1:]) + SECOND_REQUEST,
    "a Host behind a file separator": head(GET, [b"X: y\x1cHost: example.com", *REQUEST_FIELDS[1:]])
    + SECOND_REQUEST,
    "two keys": plus(b"Sec-WebSocket-Key: " + KEY) + SECOND_REQUEST,
    "an absolute target for another host": request(b"GET http://evil.org/ HTTP/1.1") + SECOND_REQUEST,
    "an absolute target with a user": request(b"GET http://example.com@evil.org/ HTTP/1.1") + SECOND_REQUEST,
    "a request in the target": request(b"GET / HTTP/1.1\x0bGET /second HTTP/1.1") + SECOND_REQUEST,
    "a bare CR in the request line": request(b"GET / HTTP/1.1\rGET /second HTTP/1.1") + SECOND_REQUEST,
    "bare LF everywhere": request().replace(b"\r\n", b"\n") + SECOND_REQUEST,
    "bare LF at the end of the head": request()[:-2] + b"\n" + SECOND_REQUEST,
    "a request behind an empty line of LF": plus(b"X: y\n\nGET /second HTTP/1.1") + SECOND_REQUEST,
    "an empty line in front": b"\r\n" + request() + SECOND_REQUEST,
    "HTTP/0.9": b"GET /chat\r\n" + SECOND_REQUEST,
    "HTTP/0.9 and an empty line": b"GET /chat\r\n\r\n" + SECOND_REQUEST,
}

_WITH_OTHER_STATUS: Final = {
    "HTTP/1.0": (505, request(b"GET /chat HTTP/1.0") + SECOND_REQUEST),
    "HTTP/1.0 with keep-alive": (
        505,
        head(b"GET / HTTP/1.0", [b"Host: h", b"Connection: keep-alive", _LENGTH]) + SECOND_REQUEST,
    ),
    "HTTP/0.9, said so": (505, request(b"GET /chat HTTP/0.9") + SECOND_REQUEST),
    "HTTP/9.9": (505, request(b"GET /chat HTTP/9.9") + SECOND_REQUEST),
    "POST with a length": (405, head(b"POST / HTTP/1.1", [*REQUEST_FIELDS, _LENGTH]) + SECOND_REQUEST),
    "POST with a coding": (
        405,
        head(b"POST / HTTP/1.1", [*REQUEST_FIELDS, b"Transfer-Encoding: chunked"]) + _CHUNKED,
    ),
    "CONNECT": (405, request(b"CONNECT example.com:80 HTTP/1.1") + SECOND_REQUEST),
    "another WebSocket version": (
        426,
        head(GET, [*REQUEST_FIELDS[:4], b"Sec-WebSocket-Version: 777"]) + SECOND_REQUEST,
    ),
    "too many lines": (431, plus(*[b"X: y"] * 96) + SECOND_REQUEST),
    "plain HTTP with a length": (
        400,
        head(b"GET / HTTP/1.1", [b"Host: example.com", _LENGTH]) + SECOND_REQUEST,
    ),
    "plain HTTP with a coding": (
        400,
        head(b"GET / HTTP/1.1", [b"Host: example.com", b"Transfer-Encoding: chunked"]) + _CHUNKED,
    ),
}

REFUSED: Final[dict[str, tuple[int, bytes]]] = {
    label: (_BAD_REQUEST, stream) for label, stream in (_CONTENT_LENGTH | _TRANSFER_ENCODING | _OTHER).items()
} | _WITH_OTHER_STATUS
