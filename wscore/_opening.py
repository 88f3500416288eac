"""The opening handshake seen from the connection: one part, whichever side this is.

The two sides differ in what they say; what follows is the same: an event, a violation, or more bytes are
needed. This file is where the difference ends.
"""

from collections.abc import Callable, Sequence
from typing import final

from ._client_handshake import ClientHandshake
from ._codes import Role
from ._config import Config
from ._errors import LocalProtocolError
from ._events import Opened, Refused, RequestReceived
from ._extension import Codec
from ._handshake import HeadersLike
from ._http import Request, Response
from ._negotiation import NOTHING, Agreement
from ._server_handshake import ServerHandshake
from ._url import Address
from ._violations import Violation


@final
class Opening:
    """One opening handshake.

    Attributes:
        request, response, subprotocol, agreement: as far as they are known.
    """

    __slots__ = (
        "_client",
        "_role",
        "_server",
        "_waiting",
        "agreement",
        "request",
        "response",
        "subprotocol",
    )

    def __init__(self, role: Role, config: Config) -> None:
        self._role: Role = role
        self._client: ClientHandshake | None = ClientHandshake(config) if role is Role.CLIENT else None
        self._server: ServerHandshake | None = ServerHandshake(config) if role is Role.SERVER else None
        self._waiting: bool = False  # a request waits for its answer
        self.request: Request | None = None
        self.response: Response | None = None
        self.subprotocol: str | None = None
        self.agreement: Agreement = NOTHING

    def skip(
        self, request: Request, response: Response, subprotocol: str | None, agreement: Agreement
    ) -> Opened:
        """The handshake took place elsewhere."""
        self._client = self._server = None
        self.request, self.response = request, response
        self.subprotocol, self.agreement = subprotocol, agreement
        return Opened(request, response, subprotocol, agreement.field)

    def start(
        self,
        address: Address,
        headers: HeadersLike,
        subprotocols: Sequence[str],
        entropy: Callable[[int], bytes],
    ) -> bytes:
        """Client: write the request."""
        if self._role is Role.SERVER:
            raise LocalProtocolError("only a client sends a request")
        if self._client is None:
            raise LocalProtocolError("the request has been sent already")
        written = self._client.start(address, headers, subprotocols, entropy)
        self.request = self._client.request
        return written

    def receive(self, data: bytes) -> Violation | RequestReceived | Opened | Refused | None:
        """Take bytes; return what came of them, None: nothing yet."""
        if self._server is not None:
            return self._receive_request(self._server, data)
        assert self._client is not None
        violation = self._client.receive(data)
        return violation or self._take_response(self._client)

    @property
    def overflow(self) -> bool:
        """Server: tell whether too much came behind the request that waits."""
        return self._server is not None and self._server.overflow

    def finish(self) -> Refused | None:
        """The stream or the time is over: a refusal counts with what came of its body."""
        if self._client is None:
            return None
        self._client.finish()
        event = self._take_response(self._client)
        return event if isinstance(event, Refused) else None

    def _receive_request(self, server: ServerHandshake, data: bytes) -> Violation | RequestReceived | None:
        violation = server.receive(data)
        if violation is not None:
            return violation
        if server.request is None or self._waiting:
            return None
        self._waiting = True
        self.request = server.request
        return RequestReceived(server.request)

    def _take_response(self, client: ClientHandshake) -> Opened | Refused | None:
        if client.response is None:
            return None
        self.response = client.response
        if client.response.status != 101:
            return Refused(client.response)
        assert client.request is not None
        self.subprotocol, self.agreement = client.subprotocol, client.agreement
        return Opened(client.request, client.response, client.subprotocol, client.agreement.field)

    def accept(self, subprotocol: str | None, headers: HeadersLike) -> tuple[bytes, Opened]:
        """Server: write the 101 response."""
        server = self._waiting_server()
        head, self.response = server.accept(subprotocol, headers)
        self._waiting = False
        self.subprotocol, self.agreement = subprotocol, server.agreement
        assert self.request is not None
        return head, Opened(self.request, self.response, subprotocol, server.agreement.field)

    def respond(self, status: int, headers: HeadersLike, body: bytes) -> bytes:
        """Server: write any other response."""
        server = self._waiting_server()
        written, self.response = server.respond(status, headers, body)
        self._waiting = False
        server.rest = b""  # nothing behind it will be looked at
        return written

    def refuse(self, violation: Violation) -> bytes:
        """Write what answers a broken rule: nothing from a client."""
        self._waiting = False
        return b"" if self._server is None else self._server.refuse(violation)

    def take_codec(self) -> Codec | None:
        """Hand over the codec that was agreed on; only its name is kept."""
        codec = self.agreement.codec
        self.agreement = Agreement(field=self.agreement.field)
        return codec

    def take_rest(self) -> bytes:
        """Return what came behind the head, and release the handshake."""
        side = self._server or self._client
        rest = b"" if side is None else side.rest
        self._server = self._client = None
        return rest

    def _waiting_server(self) -> ServerHandshake:
        if self._server is None or not self._waiting:
            raise LocalProtocolError("no request waits for an answer")
        return self._server
