"""What the two heads of an opening handshake hold, as values.

A head is validated as bytes first (``_head``, h11, ``_handshake``); only then does it become text here,
byte for byte (latin-1): no CR, LF or NUL, but any other byte above 127. Names compare without case, and only
ASCII letters have a case.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, overload
from urllib.parse import unquote

from ._typing import override

_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _fold(name: str) -> str:
    return name.translate(_LOWER)


class Headers:
    """An ordered, immutable multi-map of header fields; names compare without case (RFC 9110 section 5.1)."""

    __slots__ = ("_flat",)  # name, value, name, value: pairs would weigh as much again

    def __init__(self, items: "Mapping[str, str] | Iterable[tuple[str, str]] | Headers" = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._flat = tuple([text for name, value in pairs for text in (name, value)])

    def get_all(self, name: str) -> list[str]:
        """Return the values of every field called name, in order; [] when there is none."""
        wanted = _fold(name)
        return [value for key, value in self if _fold(key) == wanted]

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value called name, or default."""
        values = self.get_all(name)
        return values[0] if values else default

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self._flat[::2], self._flat[1::2], strict=True)

    def __len__(self) -> int:
        return len(self._flat) // 2

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._flat == other._flat

    @override
    def __hash__(self) -> int:
        return hash(self._flat)

    @override
    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """An opening handshake as a server saw it, or as a client sent it.

    Attributes:
        method: always "GET" once validated.
        target: origin-form, percent-encoded as it travelled: "/chat?room=1".
        headers: every field, in order.
        subprotocols: what the client offers, in its order of preference (RFC 6455 section 11.3.4).
        is_upgrade: False for a plain HTTP GET, which can only be answered with `Connection.respond`.
    """

    method: str
    target: str
    headers: Headers
    subprotocols: tuple[str, ...] = ()
    is_upgrade: bool = True

    @property
    def path(self) -> str:
        """The path of the target with percent-encoding undone: "/chat".

        Undone, it may hold any character, line ends too: escape it before it goes into a log.
        """
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> str:
        """What stands behind the question mark, still percent-encoded; "" when there is none."""
        return self.target.partition("?")[2]

    @property
    def host(self) -> str:
        """The Host field: "example.com:8080"."""
        return self.headers.get("host", "")

    @property
    def origin(self) -> str | None:
        """The Origin field, which browsers always send (RFC 6454); None when it is absent."""
        return self.headers.get("origin")


@dataclass(frozen=True, slots=True, init=False)
class Response:
    """An answer to an opening handshake, received or to be sent.

    Attributes:
        status: three digits; 101 when the connection was upgraded.
        headers: every field, in order; any iterable of pairs will do to make one.
        body: of a refusal; at most `Limits.refusal_body` bytes are kept.
        reason: the reason phrase as received.
    """

    status: int
    headers: Headers
    body: bytes
    reason: str

    def __init__(
        self,
        status: int,
        headers: "Mapping[str, str] | Iterable[tuple[str, str]] | Headers" = (),
        body: bytes = b"",
        reason: str = "",
    ) -> None:
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "headers", headers if isinstance(headers, Headers) else Headers(headers))
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "reason", reason)
