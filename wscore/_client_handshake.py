"""The client's side of the opening handshake (RFC 6455 section 4.1): request out, response in.

Nothing of a response is believed unasked: the accept token must be the one for our key, a subprotocol one
of those offered, an extension an answer to one of our offers. A response other than 101 is no error of the
protocol: it is kept, with a bounded part of its body, as the `Refused` event.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final, final

import h11

from ._codes import Role
from ._config import Config
from ._errors import LocalProtocolError
from ._grammar import has_token, is_token
from ._handshake import (
    Fields,
    HeadersLike,
    accept_token,
    agent_field,
    as_text,
    by_name,
    check_outgoing_size,
    has_duplicates,
    joined,
    outgoing_fields,
    outgoing_text,
    read_event,
    single,
)
from ._head import HeadReader
from ._http import Request, Response
from ._negotiation import NOTHING, Agreement, agree, offer
from ._url import Address
from ._violations import Violation

_NONCE_SIZE: Final = 16
_SINGLE: Final = (b"sec-websocket-accept", b"sec-websocket-protocol")
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_MADE_HERE: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"host",
        b"sec-websocket-extensions",
        b"sec-websocket-key",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
        b"transfer-encoding",
        b"upgrade",
    }
)


@final
class ClientHandshake:
    """One request and the response to it.

    Attributes:
        request: once it has been written.
        response: a 101 that passed every check, or a complete refusal.
        subprotocol: what the server chose, or None.
        agreement: the extension that it agreed to, if any.
        rest: what came behind a 101.
    """

    __slots__ = (
        "_body",
        "_config",
        "_h11",
        "_informational",
        "_key",
        "_reader",
        "_refusal",
        "agreement",
        "request",
        "response",
        "rest",
        "subprotocol",
    )

    def __init__(self, config: Config) -> None:
        self._config: Config = config
        self._h11: h11.Connection = h11.Connection(h11.CLIENT, 2 * config.limits.max_head)
        self._reader: HeadReader = HeadReader(config.limits)
        self._key: bytes = b""
        self._informational: int = 0
        self._refusal: h11.Response | None = None  # its body is being read
        self._body: bytearray = bytearray()
        self.request: Request | None = None
        self.response: Response | None = None
        self.subprotocol: str | None = None
        self.agreement: Agreement = NOTHING
        self.rest: bytes = b""

    def start(
        self,
        address: Address,
        headers: HeadersLike,
        subprotocols: Sequence[str],
        entropy: Callable[[int], bytes],
    ) -> bytes:
        """Write the request (RFC 6455 section 4.1).

        Raises:
            LocalProtocolError: it was written before; something that may not be sent.
        """
        if self.request is not None:
            raise LocalProtocolError("the request has been sent already")
        offered = _check_subprotocols(subprotocols)
        extra = outgoing_fields(headers, _MADE_HERE)
        target = _check_target(address)
        fields: Fields = [
            (b"Host", _check_authority(address)),
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Key", b"A" * 22 + b"=="),  # its length counts; drawn when all else is checked
            (b"Sec-WebSocket-Version", b"13"),
        ]
        if offered:
            fields.append((b"Sec-WebSocket-Protocol", ", ".join(offered).encode("ascii")))
        extensions = offer(self._config.extensions)
        if extensions:
            fields.append((b"Sec-WebSocket-Extensions", outgoing_text(extensions, "extension offer")))
        if not any(name.lower() == b"user-agent" for name, _ in extra):
            fields += agent_field(b"User-Agent", self._config.agent)
        fields += extra
        check_outgoing_size(fields, self._config.limits, len(target) + len(b"GET  HTTP/1.1"))
        _make_request(target, fields)
        self._key = b64encode(entropy(_NONCE_SIZE))
        fields[3] = (b"Sec-WebSocket-Key", self._key)
        written = self._h11.send(_make_request(target, fields)) or b""
        self.request = Request("GET", target.decode("ascii"), as_text(fields), offered)
        return written

    def receive(self, data: bytes) -> Violation | None:
        """Take bytes; then `response` is set, or a violation returned, or more is needed."""
        while self.response is None:
            if self._refusal is not None:
                self._read_body(data)
                return None
            reader = self._reader
            reader.feed(data)
            if reader.violation is not None:
                return reader.violation
            if reader.head is None:
                return None
            violation = self._read_response(reader, reader.head)
            if violation is not None:
                return violation
            data = reader.rest
            self._reader = HeadReader(self._config.limits)
        self.rest += data
        return None

    def finish(self) -> None:
        """The stream has ended, or time is up: a refusal counts with what came of its body."""
        if self._refusal is not None:
            self._take_refusal()

    def _read_response(self, reader: HeadReader, head: bytes) -> Violation | None:
        """Look at one response head: informational, 101, or a refusal."""
        if has_duplicates(reader.names, _SINGLE):
            return Violation.DUPLICATE_HEADER
        event = read_event(self._h11, head)
        if isinstance(event, h11.Response):
            self._refusal = event
            return None
        if not isinstance(event, h11.InformationalResponse):
            return Violation.MALFORMED_HEAD
        if event.status_code != 101:
            self._informational += 1
            too_many = self._informational > self._config.limits.max_informational
            return Violation.TOO_MANY_INFORMATIONAL if too_many else None
        return self._check_switch(event)

    def _check_switch(self, event: h11.InformationalResponse) -> Violation | None:
        """Check a 101 response as RFC 6455 section 4.1 lists it."""
        if event.http_version != b"1.1":
            return Violation.RESPONSE_VERSION
        found = by_name(event)
        if b"content-length" in found or b"transfer-encoding" in found:
            return Violation.RESPONSE_BODY
        if (joined(found, b"upgrade") or b"").lower() != b"websocket":
            return Violation.UPGRADE_HEADER
        if not has_token(joined(found, b"connection") or b"", b"upgrade"):
            return Violation.RESPONSE_CONNECTION
        if single(found, b"sec-websocket-accept") != accept_token(self._key):
            return Violation.WEBSOCKET_ACCEPT
        violation = self._read_agreements(found)
        if violation is None:
            self.response = Response(101, as_text(event.headers), reason=event.reason.decode("latin-1"))
        return violation

    def _read_agreements(self, found: dict[bytes, list[bytes]]) -> Violation | None:
        """Look at what the server chose from our offers (RFC 6455 section 4.1, items 5 and 6)."""
        field = joined(found, b"sec-websocket-extensions")
        if field is not None:
            config = self._config
            agreement = agree(config.extensions, field, Role.CLIENT, config.limits)
            if isinstance(agreement, Violation):
                return agreement
            self.agreement = agreement
        chosen = single(found, b"sec-websocket-protocol")
        if chosen is not None:
            self.subprotocol = chosen.decode("latin-1")
            assert self.request is not None
            if self.subprotocol not in self.request.subprotocols:
                return Violation.UNOFFERED_SUBPROTOCOL
        return None

    def _read_body(self, data: bytes) -> None:
        """Let h11 undo the framing of a refusal's body, up to the limit."""
        limit = self._config.limits.refusal_body
        try:
            if data:  # b"" would tell h11 that the stream has ended
                self._h11.receive_data(data)
            event = self._h11.next_event()
            while isinstance(event, h11.Data) and len(self._body) < limit:
                self._body += _content_of(event)
                event = self._h11.next_event()
        except h11.RemoteProtocolError:
            self._take_refusal()  # what came before the fault is kept
            return
        if isinstance(event, h11.EndOfMessage) or len(self._body) >= limit:
            self._take_refusal()

    def _take_refusal(self) -> None:
        assert self._refusal is not None
        event, self._refusal = self._refusal, None
        body = bytes(self._body[: self._config.limits.refusal_body])
        self._body = bytearray()
        self.response = Response(
            event.status_code, as_text(event.headers), body, event.reason.decode("latin-1")
        )


def _content_of(event: Any) -> Any:
    """Return a part of a body: a bytearray, which native code would refuse where h11 declares `bytes`."""
    return event.data


def _check_authority(address: Address) -> bytes:
    """Return the Host field (RFC 9110 section 7.2).

    Raises:
        LocalProtocolError: a host that is neither a name nor an IP address, or a port out of range.
    """
    authority = outgoing_text(address.authority, "host")
    if not _AUTHORITY.fullmatch(address.authority) or not _is_port(address.port):
        raise LocalProtocolError(f"not a host and a port: {address.authority[:32]!r}")
    return authority


def _check_target(address: Address) -> bytes:
    """Return the request target in origin-form (RFC 9112 section 3.2.1).

    Raises:
        LocalProtocolError: it does not start with a slash, or has a fragment (RFC 6455 section 3).
    """
    target = outgoing_text(address.target, "request target")
    if not target.startswith(b"/") or b"#" in target:
        raise LocalProtocolError(f"not a path and a query: {address.target[:32]!r}")
    return target


def _is_port(value: object) -> bool:
    return isinstance(value, int) and 0 < value < 65536


def _check_subprotocols(subprotocols: Sequence[str]) -> tuple[str, ...]:
    """Return what will be offered.

    Raises:
        LocalProtocolError: not distinct tokens (RFC 6455 section 4.1, item 10).
        TypeError: not a sequence of names.
    """
    if not _is_sequence(subprotocols):
        raise TypeError("subprotocols must be a sequence of names")
    offered = tuple(subprotocols)
    for name in offered:
        if not is_token(outgoing_text(name, "subprotocol")):
            raise LocalProtocolError(f"not a subprotocol name: {name[:32]!r}")
    if len(set(offered)) != len(offered):
        raise LocalProtocolError("a subprotocol is offered twice")
    return offered


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _make_request(target: bytes, fields: Fields) -> h11.Request:
    """Make the h11 event, which validates it, before anything is sent: a failed send would poison h11."""
    try:
        return h11.Request(method=b"GET", target=target, headers=fields)
    except h11.LocalProtocolError as error:
        raise LocalProtocolError(f"the request may not be sent: {error}") from None
