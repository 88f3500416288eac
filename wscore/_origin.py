"""Origins: which web pages may open a connection (RFC 6455 section 10.2, RFC 6454).

A browser lets any page open a WebSocket to any server, with that server's cookies, and tells the page's
origin. Only the server can refuse, so it does by default: the page must come from the same host and port
as the connection. Programs other than browsers send no Origin and pass; the check protects users of
browsers, it does not authenticate anybody.
"""

import re
from typing import Final

from ._config import ANY_ORIGIN, SAME_ORIGIN, OriginPattern

_ORIGIN: Final = re.compile(r"(https?|wss?)://([^/?#@\\\s]+)", re.ASCII | re.IGNORECASE)
_PORT: Final = re.compile(r":([0-9]{1,5})$", re.ASCII)
_DEFAULT_PORTS: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


def _ascii_lower(text: str) -> str:
    # Values are latin-1 text: str.lower would also change letters that hosts do not have.
    return text.encode("latin-1", "replace").lower().decode("latin-1")


def _host_and_port(authority: str, default: str) -> tuple[str, str]:
    """Split "host:port"; the port is default when absent, and one trailing dot of the host is dropped."""
    match = _PORT.search(authority)
    host = authority[: match.start()] if match else authority
    port = str(int(match[1])) if match else default
    return _ascii_lower(host.removesuffix(".")), port


def same_origin(origin: str, host: str) -> bool:
    """Tell whether origin ("https://example.com") names the server that Host ("example.com:443") names.

    The scheme is not compared: behind a proxy that ends TLS a server sees neither. Without a port in
    Host, the default port of the origin's own scheme is meant.
    """
    match = _ORIGIN.fullmatch(origin)
    if match is None:  # "null", a file, a sandboxed frame: from nowhere
        return False
    default = _DEFAULT_PORTS[_ascii_lower(match[1])]
    return _host_and_port(match[2], default) == _host_and_port(host.removesuffix(":"), default)


def origin_allowed(origin: str | None, host: str, allowed: str | tuple[OriginPattern, ...]) -> bool:
    """Decide by `Config.origins` whether a request with this Origin (None: absent) may go on."""
    if origin is None or allowed == ANY_ORIGIN:
        return True
    if allowed == SAME_ORIGIN:
        return same_origin(origin, host)
    return any(_matches(pattern, origin) for pattern in allowed)


def _matches(pattern: OriginPattern, origin: str) -> bool:
    """Compare with one entry of an allow-list: a string as an origin, a pattern wholly."""
    if isinstance(pattern, str):
        return _canonical(pattern.removesuffix("/")) == _canonical(origin)
    return pattern.fullmatch(origin) is not None


def _canonical(origin: str) -> str | tuple[str, str, str]:
    """Return scheme, host and port, the default one made explicit; other text without case."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return _ascii_lower(origin)
    scheme = _ascii_lower(match[1])
    return (scheme, *_host_and_port(match[2], _DEFAULT_PORTS[scheme]))
