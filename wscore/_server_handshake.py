"""The server's side of the opening handshake (RFC 6455 section 4.2): request in, answer out.

A request is checked in one pass, each check with its own `Violation`; the first that fails refuses it, and
after a refusal not another byte is parsed, so nothing behind a refused request can pass for a second one.
What passes waits for the application: `accept` or `respond`. Bytes that the client sent too early are
held, within a limit, for the frame parser.
"""

import re
from typing import Final, TypeVar, final

import h11

from ._config import Config
from ._errors import LocalProtocolError
from ._grammar import ExtensionOffer, has_token, parse_extensions, parse_tokens
from ._handshake import (
    Fields,
    HeadersLike,
    accept_token,
    agent_field,
    as_text,
    by_name,
    check_outgoing_size,
    has_duplicates,
    is_key,
    joined,
    outgoing_fields,
    outgoing_text,
    read_event,
    reason_phrase,
    single,
)
from ._head import HeadReader
from ._http import Request, Response
from ._negotiation import NOTHING, Agreement, choose
from ._origin import origin_allowed
from ._violations import Violation

_HTTP_VERSION: Final = re.compile(rb" HTTP/([0-9])\.([0-9])$")
_HOST: Final = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_ABSOLUTE: Final = re.compile(rb"(?:https?|wss?)://([^/?#]*+)([^#]*+)", re.IGNORECASE)

_RESERVED: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"transfer-encoding",
        b"upgrade",
    }
)
_RESERVED_IN_RESPONSE: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_BODILESS: Final = (204, 205, 304)
_WITHOUT_LENGTH: Final = (204, 304)  # RFC 9110 section 8.6
# RFC 9110 section 7.2, RFC 6454 section 7.3, RFC 6455 section 11.3.
_SINGLE: Final = (b"host", b"origin", b"sec-websocket-key", b"sec-websocket-version")

_Head = TypeVar("_Head", h11.InformationalResponse, h11.Response)


@final
class ServerHandshake:
    """One request and its answer.

    Attributes:
        request: once it has been read and found good.
        agreement: the extension that `accept` agreed to, if any.
        rest: what came behind it.
        overflow: more came behind it than may be held; nothing of it is kept.
    """

    __slots__ = (
        "_config",
        "_h11",
        "_is_head",
        "_key",
        "_offers",
        "_reader",
        "agreement",
        "overflow",
        "request",
        "rest",
    )

    def __init__(self, config: Config) -> None:
        self._config: Config = config
        self._reader: HeadReader = HeadReader(config.limits, Violation.TARGET_TOO_LONG)
        self._h11: h11.Connection = h11.Connection(h11.SERVER, 2 * config.limits.max_head)
        self._key: bytes = b""
        self._is_head: bool = False  # a HEAD request, whose refusal has no body
        self._offers: list[ExtensionOffer] = []
        self.agreement: Agreement = NOTHING
        self.request: Request | None = None
        self.rest: bytes = b""
        self.overflow: bool = False

    def receive(self, data: bytes) -> Violation | None:
        """Take bytes; then `request` is set, or a violation returned, or more is needed."""
        if self.request is not None:
            self._hold(data)
            return None
        reader = self._reader
        reader.feed(data)
        if reader.violation is not None:
            return reader.violation
        if reader.head is None:
            return None
        violation = self._read_request(reader, reader.head)
        if violation is None:
            self._hold(reader.rest)
        return violation

    def _hold(self, data: bytes) -> None:
        """Keep bytes that a client should not have sent yet (RFC 6455 section 4.1) for the frame parser."""
        if len(self.rest) + len(data) > self._config.limits.early_data:
            self.overflow = True
            self.rest = b""
        elif not self.overflow:
            self.rest += data

    def _read_request(self, reader: HeadReader, head: bytes) -> Violation | None:
        """Check the head and make `request` of it."""
        assert reader.start_line is not None
        self._is_head = reader.start_line.startswith(b"HEAD ")
        version = _HTTP_VERSION.search(reader.start_line)
        if version is not None and (version[1], version[2]) != (b"1", b"1"):
            return Violation.HTTP_VERSION
        if has_duplicates(reader.names, _SINGLE):
            return Violation.DUPLICATE_HEADER
        if reader.names.count(b"host") == 0:
            return Violation.INVALID_HOST
        event = read_event(self._h11, head)
        if not isinstance(event, h11.Request):
            return Violation.MALFORMED_HEAD
        found = by_name(event)
        return _check_http(event, found) or self._check_upgrade(event, found)

    def _check_upgrade(self, event: h11.Request, found: dict[bytes, list[bytes]]) -> Violation | None:
        """Check what makes a request an opening handshake (RFC 6455 section 4.2.1)."""
        host = single(found, b"host") or b""
        target = _origin_form(event.target, host)
        if target is None:
            return Violation.INVALID_TARGET
        headers = as_text(event.headers)
        if not has_token(joined(found, b"upgrade") or b"", b"websocket"):
            self.request = Request("GET", target, headers, (), is_upgrade=False)
            return None
        violation = self._check_websocket_fields(found)
        if violation is not None:
            return violation
        limits = self._config.limits
        subprotocols = parse_tokens(
            joined(found, b"sec-websocket-protocol") or b"", limits.max_subprotocols, limits.max_offer
        )
        if subprotocols is None or len(set(subprotocols)) != len(subprotocols):
            return Violation.INVALID_SUBPROTOCOLS
        request = Request("GET", target, headers, tuple(subprotocols))
        if not origin_allowed(request.origin, request.host, self._config.origins):
            return Violation.ORIGIN
        self.request = request
        return None

    def _check_websocket_fields(self, found: dict[bytes, list[bytes]]) -> Violation | None:
        if not has_token(joined(found, b"connection") or b"", b"upgrade"):
            return Violation.CONNECTION_HEADER
        if single(found, b"sec-websocket-version") != b"13":
            return Violation.WEBSOCKET_VERSION
        self._key = single(found, b"sec-websocket-key") or b""
        if not is_key(self._key):
            return Violation.WEBSOCKET_KEY
        extensions = joined(found, b"sec-websocket-extensions")
        if extensions is None:
            return None
        limits = self._config.limits
        offers = parse_extensions(extensions, limits.max_extensions, limits.max_offer)
        if offers is None:
            return Violation.INVALID_EXTENSIONS
        self._offers = offers
        return None

    def accept(self, subprotocol: str | None, headers: HeadersLike) -> tuple[bytes, Response]:
        """Write the 101 response (RFC 6455 section 4.2.2).

        Raises:
            LocalProtocolError: the request is a plain GET; a subprotocol that was not offered; a
                header that may not be sent.
            TypeError: a subprotocol that is not text.
        """
        request = self.request
        assert request is not None
        if not request.is_upgrade:
            raise LocalProtocolError("a plain HTTP request can only be responded to, not accepted")
        if subprotocol is not None and not isinstance(subprotocol, str):
            raise TypeError(f"a subprotocol must be str, not {type(subprotocol).__name__}")
        if subprotocol is not None and subprotocol not in request.subprotocols:
            raise LocalProtocolError("the client did not offer this subprotocol")
        fields: Fields = [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", accept_token(self._key)),
        ]
        if subprotocol is not None:
            fields.append((b"Sec-WebSocket-Protocol", outgoing_text(subprotocol, "subprotocol")))
        agreement = choose(self._config.extensions, self._offers)
        if agreement.field:
            fields.append((b"Sec-WebSocket-Extensions", outgoing_text(agreement.field, "extension answer")))
        fields += agent_field(b"Server", self._config.agent) + outgoing_fields(headers, _RESERVED)
        check_outgoing_size(fields, self._config.limits)
        event = _make(h11.InformationalResponse, 101, fields)
        self.agreement = agreement
        return self._h11.send(event) or b"", Response(101, as_text(fields), reason="Switching Protocols")

    def respond(self, status: int, headers: HeadersLike, body: bytes) -> tuple[bytes, Response]:
        """Write a refusal, or the answer to a plain request, which both end the connection.

        Raises:
            LocalProtocolError: a status outside 200-599, a body where none may be, a header that
                may not be sent.
            TypeError: not an int and bytes.
        """
        if not isinstance(status, int):
            raise TypeError(f"a status must be int, not {type(status).__name__}")
        if not isinstance(body, bytes):
            raise TypeError(f"a body must be bytes, not {type(body).__name__}")
        if not _is_final_status(status):
            raise LocalProtocolError("expected a final HTTP status from 200 to 599")
        if body and status in _BODILESS:
            raise LocalProtocolError(f"a response with status {status} has no body")
        fields = outgoing_fields(headers, _RESERVED_IN_RESPONSE)
        check_outgoing_size(fields, self._config.limits)
        response = Response(int(status), as_text(fields), body)
        return _write_response(int(status), fields, body, self._config), response

    def refuse(self, violation: Violation) -> bytes:
        """Write the answer to a request that broke a rule; the body is the table's sentence."""
        fields: Fields = []
        if violation is Violation.METHOD:
            fields = [(b"Allow", b"GET")]
        elif violation is Violation.WEBSOCKET_VERSION:
            fields = [(b"Sec-WebSocket-Version", b"13")]  # 4.4
        assert violation.status is not None
        body = violation.sentence.encode("ascii") + b"\n"
        return _write_response(violation.status, fields, body, self._config, send_body=not self._is_head)


def _check_http(event: h11.Request, found: dict[bytes, list[bytes]]) -> Violation | None:
    """Check what must hold for any request that is looked at here."""
    if event.method != b"GET":
        return Violation.METHOD
    if any(name in found for name in (b"content-length", b"transfer-encoding", b"expect")):
        return Violation.REQUEST_BODY  # a body that nobody reads would pass for a second request
    if not _HOST.fullmatch(single(found, b"host") or b""):
        return Violation.INVALID_HOST
    return None


def _origin_form(target: bytes, host: bytes) -> str | None:
    """Return path and query of a request target; None when it is malformed or for another host.

    RFC 9112 section 3.2: origin-form, or absolute-form whose authority is the Host field's.
    """
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        if absolute[1].lower() != host.lower():
            return None
        target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
    if not target.startswith(b"/") or b"#" in target:
        return None
    return target.decode("ascii")


def _is_final_status(status: object) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 200 <= status <= 599


def _write_response(
    status: int, fields: Fields, body: bytes, config: Config, *, send_body: bool = True
) -> bytes:
    """Write a whole response that ends the connection; to HEAD without the body (RFC 9110 section 9.3.2)."""
    names = {name.lower() for name, _ in fields}
    if status == 426 and b"upgrade" not in names:  # RFC 9110 section 15.5.22
        fields = [(b"Upgrade", b"websocket"), *fields]
        names.add(b"upgrade")
    connection = b"close, Upgrade" if b"upgrade" in names else b"close"
    framing: Fields = [(b"Connection", connection)]
    if status not in _WITHOUT_LENGTH:
        framing.append((b"Content-Length", str(len(body)).encode("ascii")))
    if body and b"content-type" not in names:
        framing.append((b"Content-Type", b"text/plain; charset=utf-8"))
    if b"server" not in names:
        framing += agent_field(b"Server", config.agent)
    event = _make(h11.Response, status, framing + fields)
    writer = h11.Connection(h11.SERVER)  # a fresh one: it may write whatever the request looked like
    pieces = [writer.send(event)]
    if body and send_body:
        pieces.append(writer.send(h11.Data(data=body)))
    return b"".join(piece or b"" for piece in pieces)


def _make(kind: type[_Head], status: int, fields: Fields) -> _Head:
    """Make an h11 event, which validates it, before anything is sent: a failed send would poison h11."""
    try:
        return kind(status_code=status, headers=fields, reason=reason_phrase(status))
    except h11.LocalProtocolError as error:
        raise LocalProtocolError(f"the response may not be sent: {error}") from None
