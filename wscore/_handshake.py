"""What both sides of the opening handshake share (RFC 6455 sections 1.3 and 4).

Incoming: `read_event` gives h11 exactly one head and returns its event, or None when h11 or our own look
at the field values finds fault. Outgoing: `outgoing_fields` validates every name and value that a caller
passes, so that nothing unvalidated is ever written; h11 validates again and formats.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import h11

from ._config import Limits
from ._errors import LocalProtocolError
from ._grammar import is_field_value, is_token
from ._http import Headers

HeadersLike: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]
Fields: TypeAlias = list[tuple[bytes, bytes]]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")  # 16 bytes in base64, no stray bits
# What almost every handshake says: one text serves all connections that keep it.
_SHARED: Final = {
    text.encode("ascii"): text
    for name in (
        *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection"),
        *("Cookie", "Host", "Origin", "Pragma", "Server", "Upgrade", "User-Agent", "X-Forwarded-For"),
        *("Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key"),
        *("Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "websocket", "keep-alive, Upgrade"),
        *(
            "13",
            "no-cache",
            "gzip, deflate, br, zstd",
            "permessage-deflate; client_max_window_bits",
            "wscore",
        ),
    )
    for text in (name, name.lower())
}


def accept_token(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept value for a Sec-WebSocket-Key (RFC 6455 section 4.2.2)."""
    return b64encode(sha1(key + _GUID).digest())


def is_key(value: bytes) -> bool:
    """Tell whether value is a Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455 section 4.1)."""
    return _KEY.fullmatch(value) is not None


def select_subprotocol(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """Choose a subprotocol: the first of supported, in the server's order, that the client offers.

    Returns:
        The name, or None when the two have nothing in common or either is empty.
    """
    return next((name for name in supported if name in offered), None)


def has_duplicates(names: list[bytes], single_names: tuple[bytes, ...]) -> bool:
    """Tell whether a head, given by its field names, repeats a field that must be single."""
    return any(names.count(name) > 1 for name in single_names)


def read_event(connection: h11.Connection, head: bytes) -> h11.Event | None:
    """Let h11 read exactly one head; None when it is malformed."""
    try:
        connection.receive_data(head)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, (h11.Request, h11.InformationalResponse, h11.Response)):
        return None
    if not all(is_field_value(value) for _, value in event.headers):
        return None
    if not isinstance(event, h11.Request) and not is_field_value(event.reason.strip(b" \t")):
        return None
    return event


def by_name(event: h11.Request | h11.InformationalResponse | h11.Response) -> dict[bytes, list[bytes]]:
    """Return the values of each field, in order; the names are in lower case."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in event.headers:
        found.setdefault(name, []).append(value)
    return found


def joined(found: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    """Return a list-valued field: all its lines, joined by commas (RFC 9110 section 5.3); None: absent."""
    values = found.get(name)
    return b", ".join(values) if values else None


def single(found: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    """Return the value of a field that occurs at most once; None: absent."""
    values = found.get(name)
    return values[0] if values else None


def as_text(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Turn validated fields into text, byte for byte."""
    return Headers([(_text(name), _text(value)) for name, value in fields])


def _text(text: bytes) -> str:
    return _SHARED.get(text) or text.decode("latin-1")


def outgoing_fields(headers: HeadersLike, reserved: frozenset[bytes]) -> Fields:
    """Validate header fields that a caller wants to send.

    Args:
        headers: pairs, a mapping, or Headers.
        reserved: names, in lower case, that this library writes itself.

    Raises:
        LocalProtocolError: a name or value that may not be sent.
        TypeError: neither a mapping nor pairs, or of anything but str.
    """
    given: Any = headers.items() if isinstance(headers, Mapping) else headers  # lists of two are pairs, too
    try:
        pairs = [(name, value) for name, value in given]
    except (TypeError, ValueError):
        raise TypeError("headers must be a mapping or pairs of name and value") from None
    fields: Fields = []
    for name, value in pairs:
        field = outgoing_text(name, "header name"), outgoing_text(value, "header value")
        if not is_token(field[0]):
            raise LocalProtocolError(f"not a header name: {name[:32]!r}")
        if field[0].lower() in reserved:
            raise LocalProtocolError(f"the header {name} is set by the library")
        fields.append(field)
    return fields


def outgoing_text(text: str, what: str) -> bytes:
    """Encode text that will stand in a head: no control characters, latin-1 at most.

    Raises:
        LocalProtocolError: a character that may not be sent.
        TypeError: not a str.
    """
    if not isinstance(text, str):
        raise TypeError(f"a {what} must be str, not {type(text).__name__}")
    try:
        encoded = text.encode("latin-1")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"a {what} has a character outside latin-1: {text[:32]!r}") from None
    if not is_field_value(encoded):
        raise LocalProtocolError(f"a {what} has a control character or outer blanks: {text[:32]!r}")
    return encoded


def check_outgoing_size(fields: Fields, limits: Limits, first_line: int = 0) -> None:
    """Hold our own head to the limits that we hold a peer to.

    Args:
        fields: all of them.
        limits: `max_line`, `max_head` and `max_headers` count.
        first_line: the length of the request line.

    Raises:
        LocalProtocolError: a line or the whole is too long, or there are too many lines.
    """
    sizes = [len(name) + 2 + len(value) for name, value in fields]
    if max([first_line, *sizes]) > limits.max_line:
        raise LocalProtocolError("a line that would be sent exceeds max_line")
    if first_line + sum(sizes) + 2 * len(sizes) + 4 > limits.max_head or len(sizes) > limits.max_headers:
        raise LocalProtocolError("the head that would be sent exceeds max_head or max_headers")


def agent_field(name: bytes, agent: str | None) -> Fields:
    """Return Server or User-Agent as `Config.agent` says."""
    return [] if agent is None else [(name, agent.encode("ascii"))]


def reason_phrase(status: int) -> bytes:
    """Return the usual words for a status; b"" for one that has none."""
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
