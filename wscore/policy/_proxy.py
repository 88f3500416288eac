"""Proxies: which one to use, and the tunnel through an HTTP proxy (RFC 6455 section 4.1, RFC 9110 9.3.6).

`proxy_from_environment` reads the variables that other programs obey too; `no_proxy` lists the hosts that
are reached without one. Two rules guard what is secret: credentials go to the proxy alone, in the one request
that opens the tunnel; and where the environment may stem from a request (CGI), HTTP_PROXY is what a client
said in its Proxy header field, and does not count.

A backend connects to the proxy, over TLS if `Proxy.secure`, and then, for an HTTP proxy::

    tunnel = ConnectTunnel(address, proxy)
    write(tunnel.request)
    while not tunnel.receive_data(read()):     # the end of the stream: tunnel.receive_eof()
        pass

From then on the stream leads to the server: TLS, if the address asks for it, and the opening handshake begin
here. What a proxy answers is read under the limits of any HTTP head, and nothing may follow it: nobody has
spoken to the server yet, so it could only come from somebody in between. SOCKS is left to libraries.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NoReturn, final
from urllib.parse import unquote, urlsplit

from wscore._config import Limits
from wscore._errors import ConnectionLost, InvalidURL, LocalProtocolError, RemoteProtocolError, WSCoreError
from wscore._grammar import is_field_value, is_token
from wscore._handshake import Fields, as_text, check_outgoing_size, outgoing_text
from wscore._head import HeadReader
from wscore._http import Response
from wscore._typing import override
from wscore._url import Address, parse_url
from wscore._violations import Violation

_PORTS: Final = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
_HTTP: Final = ("http", "https")
_ALIASES: Final = {"socks": "socks5h"}  # what desktops write into all_proxy
_VARIABLES: Final = {
    True: ("wss_proxy", "https_proxy", "socks_proxy", "all_proxy"),
    False: ("ws_proxy", "http_proxy", "socks_proxy", "all_proxy"),
}

_LIMITS: Final = Limits()
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ENTRY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: (.*))?", re.DOTALL)


class ProxyRefused(WSCoreError):
    """The proxy did not open the tunnel.

    Attributes:
        response: its answer, without the body: 407 asks for credentials.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    @override
    def __str__(self) -> str:
        return f"the proxy refused to open the tunnel with HTTP status {self.response.status}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, as `parse_proxy` reads it.

    Attributes:
        scheme: "http", "https", "socks4", "socks4a", "socks5" or "socks5h".
        host: a name or an IP address, without brackets.
        port: 1 to 65535.
        username, password: as they are, not percent-encoded; None: none. The password is not shown.

    Raises:
        InvalidURL: another scheme; credentials that cannot be sent.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.scheme not in _PORTS:
            raise InvalidURL(f"expected a proxy of one of the schemes {', '.join(_PORTS)}")
        if any(_CONTROL.search(text) for text in (self.username or "", self.password or "")):
            raise InvalidURL("user name and password of a proxy must be text without control characters")
        if self.is_http and ":" in (self.username or ""):  # RFC 7617 section 2
            raise InvalidURL("the user name for an HTTP proxy must not contain a colon")

    @property
    def is_http(self) -> bool:
        """Whether `ConnectTunnel` leads through it; otherwise it speaks SOCKS."""
        return self.scheme in _HTTP

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken with the proxy itself."""
        return self.scheme == "https"

    @property
    def resolves_names(self) -> bool:
        """Whether the proxy looks up the host name of the server, rather than this side."""
        return self.scheme not in ("socks4", "socks5")


def parse_proxy(url: str) -> Proxy:
    """Read the address of a proxy: "http://user:password@proxy.example:3128".

    Without a port it is 80, for https 443, for SOCKS 1080. "socks://" is read as "socks5h://". Characters
    with a meaning of their own are percent-encoded in user name and password.

    Raises:
        InvalidURL: not such an address; the sentence says why, and does not repeat what may be a password.
        TypeError: not text.
    """
    if not isinstance(url, str):
        raise TypeError(f"expected the address of a proxy as text, not {type(url).__name__}")
    if _UNFIT.search(url):
        raise InvalidURL("a proxy's address must not contain spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        given, _, place = parts.netloc.rpartition("@")
        port = urlsplit(f"//{place}").port
        host = parse_url(f"ws://{place}").host
        username, colon, password = (unquote(text, errors="strict") for text in given.partition(":"))
    except ValueError:  # its text might show a password
        raise InvalidURL("a proxy's address must have a valid host and port; encode credentials") from None
    if parts.path not in ("", "/") or "?" in url or "#" in url:
        raise InvalidURL("a proxy's address must end with its host and port; encode credentials")
    scheme = _ALIASES.get(parts.scheme, parts.scheme)
    return Proxy(
        scheme,
        host,
        port or _PORTS.get(scheme, 0),
        username if given else None,
        password if colon else None,
    )


def proxy_from_environment(address: Address, environ: Mapping[str, str]) -> Proxy | None:
    """Find the proxy that the environment names for an address.

    For wss:// the first of wss_proxy, https_proxy, socks_proxy and all_proxy counts, for ws:// the first of
    ws_proxy, http_proxy, socks_proxy and all_proxy; each in lower or upper case, the lower one first. A value
    without a scheme is an HTTP proxy, in socks_proxy a SOCKS5 proxy that resolves names. no_proxy holds
    names, which stand for their subdomains too, IP addresses and networks, each with a port or without, or
    "*" for all; commas or spaces are between them.

    Args:
        address: where to connect to.
        environ: the environment variables.

    Returns:
        The proxy; None: connect directly.

    Raises:
        InvalidURL: the variable that counts holds no proxy's address.
    """
    environ = dict(environ)  # names as they are: some systems' environment answers to either case
    if any(_exempts(entry, address) for entry in re.split(r"[,\s]+", _variable(environ, "no_proxy"))):
        return None
    for name in _VARIABLES[address.secure]:
        value = _variable(environ, name)
        if value:
            default = "socks5h://" if name == "socks_proxy" else "http://"
            try:
                return parse_proxy(value if _SCHEME.match(value) else default + value)
            except InvalidURL as error:
                raise InvalidURL(f"the environment variable {name}: {error}") from None
    return None


def _variable(environ: Mapping[str, str], name: str) -> str:
    """Return a variable in lower or upper case; an empty one in lower case hides the other."""
    value = environ.get(name)
    # With CGI, HTTP_PROXY is the Proxy header field of a request.
    if value is None and not (name == "http_proxy" and "REQUEST_METHOD" in environ):
        value = environ.get(name.upper())
    return (value or "").strip()


def _exempts(entry: str, address: Address) -> bool:
    """Tell whether an entry of no_proxy means this address."""
    match = _ENTRY.fullmatch(entry)
    wanted, port = (match[1] or match[2], match[3]) if match else (entry, None)
    if port is not None and int(port) != address.port:
        return False
    if wanted == "*":
        return True
    ip = _ip(address.host)
    if ip is not None:
        network = _network(wanted)
        return network is not None and ip in network
    # ".example.com" and "*.example.com" are other ways to write "example.com".
    domain = wanted.lower().removeprefix("*").removeprefix(".").removesuffix(".")
    return bool(domain) and f".{address.host.lower().removesuffix('.')}".endswith(f".{domain}")


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


@final
class ConnectTunnel:
    """One CONNECT request and the response to it (RFC 9110 section 9.3.6).

    Args:
        address: where the tunnel leads to.
        proxy: an HTTP proxy; its credentials are sent to it.
        limits: max_line, max_head, max_headers and max_informational count.
        agent: the User-Agent field; None: none.

    Attributes:
        request: to be written.

    Raises:
        LocalProtocolError: a SOCKS proxy, or something that may not be sent.
    """

    __slots__ = ("_failure", "_informational", "_is_open", "_limits", "_proxy", "_reader", "request")

    def __init__(
        self,
        address: Address,
        proxy: Proxy,
        *,
        limits: Limits = _LIMITS,
        agent: str | None = "wscore",
    ) -> None:
        self._proxy: Proxy = proxy
        self._limits: Limits = limits
        self._reader: HeadReader = HeadReader(limits)
        self._informational: int = 0
        self._is_open: bool = False
        self._failure: WSCoreError | None = None
        self.request: bytes = _make_request(address, proxy, limits, agent)

    def receive_data(self, data: bytes) -> bool:
        """Take what the proxy sent.

        Returns:
            True: the tunnel is open. False: more is needed.

        Raises:
            ProxyRefused: the proxy answered with another status than 2xx.
            RemoteProtocolError: not an HTTP response, one over the limits, or something behind it
                (EARLY_DATA).
        """
        if self._failure is not None:
            raise self._failure
        while not self._is_open:
            self._reader.feed(data)
            if self._reader.violation is not None:
                self._break(self._reader.violation)
            if self._reader.head is None:
                return False
            self._take_head(self._reader.head)
            data = self._reader.rest
            self._reader = HeadReader(self._limits)
        if data:
            self._break(Violation.EARLY_DATA)
        return True

    def receive_eof(self) -> None:
        """Take note that the stream has ended, which is no matter once the tunnel is open.

        Raises:
            ConnectionLost: there was no complete answer yet.
        """
        if self._failure is not None:
            raise self._failure
        if not self._is_open:
            self._fail(ConnectionLost("the proxy closed the connection before it answered"))

    def _take_head(self, head: bytes) -> None:
        """Look at one response head."""
        response = _read_response(head)
        if response is None:
            self._break(Violation.MALFORMED_HEAD)
        if 200 <= response.status < 300:
            self._is_open = True  # length and encoding mean nothing here (RFC 9110 section 9.3.6)
        elif response.status >= 200 or response.status == 101:  # nobody asked to switch protocols
            self._fail(ProxyRefused(response))
        else:
            self._informational += 1
            if self._informational > self._limits.max_informational:
                self._break(Violation.TOO_MANY_INFORMATIONAL)

    def _break(self, violation: Violation) -> NoReturn:
        error = RemoteProtocolError(violation)
        error.add_note(f"this peer is the proxy {self._proxy.host} at port {self._proxy.port}")
        self._fail(error)

    def _fail(self, error: WSCoreError) -> NoReturn:
        self._failure = error
        raise error


def _make_request(address: Address, proxy: Proxy, limits: Limits, agent: str | None) -> bytes:
    """Write the request; RFC 9112 section 3.2.3: its target and its Host always have a port."""
    if not proxy.is_http:
        raise LocalProtocolError(f"a {proxy.scheme} proxy has no use for an HTTP request")
    if not _AUTHORITY.fullmatch(address.host) or not 0 < address.port < 65536:
        raise LocalProtocolError(f"not a host and a port: {address.authority[:32]!r}")
    host = f"[{address.host}]" if ":" in address.host else address.host
    target = f"{host}:{address.port}".encode("ascii")
    fields: Fields = [(b"Host", target)]
    if agent is not None:
        fields.append((b"User-Agent", outgoing_text(agent, "user agent")))
    if proxy.username is not None:
        credentials = f"{proxy.username}:{proxy.password or ''}".encode()  # RFC 7617 section 2.1: UTF-8
        fields.append((b"Proxy-Authorization", b"Basic " + b64encode(credentials)))
    check_outgoing_size(fields, limits, len(target) + len(b"CONNECT  HTTP/1.1"))
    lines = [b"CONNECT %b HTTP/1.1" % target, *(b"%b: %b" % pair for pair in fields), b"", b""]
    return b"\r\n".join(lines)


def _read_response(head: bytes) -> Response | None:
    """Read a response head that has its line ends right; None: it is malformed."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status_line = _STATUS_LINE.fullmatch(first)
    reason = (status_line[2] or b"").strip(b" \t") if status_line else b""
    fields: Fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not is_token(name) or not is_field_value(value):
            return None
        fields.append((name, value))
    if status_line is None or not is_field_value(reason):
        return None
    return Response(int(status_line[1]), as_text(fields), reason=reason.decode("latin-1"))
