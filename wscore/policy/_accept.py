"""What a server says yes with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from wscore._endpoint import Handler
from wscore._handshake import HeadersLike

_NONE: Final[Mapping[str, str | int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Go on with the upgrade; ``process_request`` may return one to say how.

    Attributes:
        handler: what serves this connection; None: the server's own.
        subprotocol: one that the client offers; "" for none; None: chosen from the server's list.
        headers: more fields for the 101 response.
        user: who was authenticated; the session shows it.
        path_parameters: what was read from the path; the session shows them.
    """

    handler: Handler | None = None
    subprotocol: str | None = None
    headers: HeadersLike = ()
    user: Any = None
    path_parameters: Mapping[str, str | int] = field(default_factory=lambda: _NONE)
