"""ws:// and wss:// addresses (RFC 6455 section 3): text in, `Address` out.

Text outside ASCII is accepted as people type it: host names become A-labels, paths and queries are
percent-encoded as UTF-8 (RFC 3987). Anything that could end up as a second line, or as another host than
the one that is read here, is refused.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from ._errors import InvalidURL

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
_HOST: Final = re.compile(r"[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\]")
_KEEP: Final = "!$%&'()*+,/:;=?@[]~-._"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a client connects to.

    Attributes:
        host: a name or an IP address, without brackets.
        port: 1 to 65535.
        secure: True for wss://.
        target: what the request line asks for: "/chat?room=1".
    """

    host: str
    port: int
    secure: bool
    target: str

    @property
    def authority(self) -> str:
        """The Host field: brackets round IPv6, the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse_url(url: str) -> Address:
    """Read a ws:// or wss:// address.

    Raises:
        InvalidURL: not such an address; the sentence says why.
    """
    if not isinstance(url, str):
        raise InvalidURL(f"expected an address as text, not {type(url).__name__}")
    if _FORBIDDEN.search(url) or any("\ud800" <= letter <= "\udfff" for letter in url):
        raise InvalidURL(
            "an address must not contain spaces, control characters, backslashes or lone surrogates"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may repeat what is a password
        raise InvalidURL("not a valid address: the host or the port cannot be read") from None
    if parts.scheme not in ("ws", "wss"):
        raise InvalidURL("expected an address that starts with ws:// or wss://")
    if "#" in url:  # RFC 6455 section 3: fragment identifiers must not be used
        raise InvalidURL("a WebSocket address must not have a fragment: encode # as %23")
    if "@" in parts.netloc:
        raise InvalidURL("credentials belong into an Authorization header, not into the address")
    if port == 0:
        raise InvalidURL("port 0 cannot be connected to")
    secure = parts.scheme == "wss"
    target = quote(parts.path or "/", safe=_KEEP) + (
        "?" + quote(parts.query, safe=_KEEP) if parts.query else ""
    )
    return Address(_host(parts.netloc), port or (443 if secure else 80), secure, target)


def _host(netloc: str) -> str:
    """Return the host of netloc in ASCII and without brackets."""
    host = re.sub(r":[0-9]*$", "", netloc)
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise InvalidURL("the host name is not a valid internationalised name") from None
    if not _HOST.fullmatch(host) or not _has_good_labels(host):
        raise InvalidURL("the address has no valid host")
    return host.removeprefix("[").removesuffix("]")


def _has_good_labels(host: str) -> bool:
    """Tell whether host can be looked up: labels of 1 to 63 characters, 253 in all (RFC 1035 section 2)."""
    if host.startswith("["):
        return True
    name = host.removesuffix(".")
    return len(name) <= 253 and all(0 < len(label) <= 63 for label in name.split("."))
