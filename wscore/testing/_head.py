"""HTTP heads of the opening handshake, written and read without the core (RFC 6455 sections 1.3 and 4)."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from http import HTTPStatus
from typing import Final

from wscore import Headers

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_END: Final = b"\r\n\r\n"
_REQUEST: Final = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


@dataclass(frozen=True, slots=True)
class Head:
    """An HTTP head that came.

    Attributes:
        start_line: "GET /chat HTTP/1.1", or "HTTP/1.1 101 Switching Protocols".
        headers: every field, in order.
    """

    start_line: str
    headers: Headers

    @property
    def status(self) -> int | None:
        """The status of a response; None for a request."""
        version, _, rest = self.start_line.partition(" ")
        return int(rest[:3]) if version.startswith("HTTP/") else None


def read_head(data: bytes) -> tuple[Head, int] | None:
    """Read the head that data begins with.

    Returns:
        The head and its size; None: not all of it is there.
    """
    head, end, _ = data.partition(_END)
    if not end:
        return None
    start_line, *lines = head.decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines]
    return Head(start_line, Headers((name, value.strip(" \t")) for name, _, value in fields)), len(head + end)


def write_request(target: str, headers: Mapping[str, str | None]) -> bytes:
    """Write an upgrade request; its key is the one of the example in RFC 6455 section 1.3.

    Args:
        target: origin-form.
        headers: more fields, or other values for those that it has; None leaves one out.
    """
    return _write(f"GET {target} HTTP/1.1", _REQUEST, headers)


def write_response(status: int, key: str, headers: Mapping[str, str | None], body: bytes) -> bytes:
    """Write a response: 101 with all that it needs, any other with the length of its body.

    Args:
        status: three digits.
        key: that of the request.
        headers: more fields, or other values for those that it has; None leaves one out.
        body: what follows the head.
    """
    fields = {"Content-Length": f"{len(body)}"}
    if status == HTTPStatus.SWITCHING_PROTOCOLS:
        token = b64encode(sha1(key.encode() + _GUID).digest()).decode()
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": token}
    known = {int(member): member.phrase for member in HTTPStatus}
    return _write(f"HTTP/1.1 {status} {known.get(status, '')}", fields, headers) + body


def _write(start_line: str, fields: Mapping[str, str], changes: Mapping[str, str | None]) -> bytes:
    names = {name.lower(): name for name in fields}
    merged: dict[str, str | None] = dict(fields)
    for name, value in changes.items():
        merged[names.get(name.lower(), name)] = value
    lines = [start_line, *(f"{name}: {value}" for name, value in merged.items() if value is not None)]
    return "\r\n".join(lines).encode("latin-1") + _END
