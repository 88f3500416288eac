"""What a client is going to do, decided before it opens a socket: where to, through what, with which fields.

A `Plan` comes from an address as people write it; `follow` makes the next one from a redirect. Browsers do
not follow redirects of WebSockets (RFC 6455 section 4.1 leaves it open), and neither does this client unless
it is told to. For a redirect lets one server choose what is sent to another:

- Never from wss:// to ws://.
- To another origin, that is another scheme, host or port, no Authorization, Cookie or Proxy-Authorization
  field goes along, however many there are, and none comes back when a later redirect returns. All other
  fields do go along: do not follow redirects with secrets in fields of your own.
- User information in a Location is not used: it is not the caller's (RFC 9110 section 4.2.4).
- At most five in a row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from wscore._errors import InvalidURL, LocalProtocolError, WSCoreError
from wscore._handshake import HeadersLike, outgoing_fields
from wscore._http import Headers, Response
from wscore._typing import override
from wscore._url import Address, parse_url

from ._auth import basic_authorization
from ._proxy import Proxy, parse_proxy, proxy_from_environment
from ._redact import redact_headers, redact_target

MOST_REDIRECTS: Final = 5

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_SCHEMES: Final = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")
_USER_INFO: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2}|[^\x00-\xa0\ud800-\udfff])*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VISIBLE: Final = re.compile(r"[!-~]*")


class RedirectRefused(WSCoreError):
    """The server redirects to where this client does not follow.

    Attributes:
        response: its answer.
        problem: why, as a clause.
    """

    def __init__(self, response: Response, problem: str) -> None:
        super().__init__(response, problem)
        self.response = response
        self.problem = problem

    @override
    def __str__(self) -> str:
        return f"the redirect with HTTP status {self.response.status} is not followed: {self.problem}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to connect to, and how. Its text shows no secrets.

    Attributes:
        address: of the server.
        headers: fields for the opening request, validated; `Connection.send_request` takes them.
        proxy: where to connect to in place of the server; None: connect directly.
        redirects: how many may still be followed.
        followed: how many have been followed.
        environment: whether the environment names the proxy, for each redirect anew.
        fixed: whether the stream does not depend on the address: a Unix socket, or one that was given.
    """

    address: Address
    headers: tuple[tuple[str, str], ...] = ()
    proxy: Proxy | None = None
    redirects: int = 0
    followed: int = 0
    environment: bool = field(default=False, kw_only=True)
    fixed: bool = field(default=False, kw_only=True)

    @override
    def __repr__(self) -> str:
        url = redact_target(_base(self.address) + self.address.target)
        headers = list(redact_headers(self.headers))
        return (
            f"Plan({url!r}, headers={headers}, proxy={self.proxy}, "
            f"redirects={self.redirects}, followed={self.followed})"
        )


def plan_connection(
    url: str,
    *,
    headers: HeadersLike = (),
    origin: str | None = None,
    proxy: str | bool | None = True,
    redirects: int = 0,
    environ: Mapping[str, str],
    fixed: bool = False,
) -> Plan:
    """Decide what to do for an address.

    Args:
        url: "wss://user:password@example.com/chat"; the user information, percent-encoded UTF-8, becomes an
            Authorization field (RFC 7617), unless there is one in headers.
        headers: fields of the caller's own.
        origin: the Origin field; None: none.
        proxy: the address of a proxy; True: what the environment says; False or None: none.
        redirects: how many to follow, at most 5.
        environ: the environment variables.
        fixed: the stream is a Unix socket or one that was given: there is no proxy then unless one is named,
            which is an error, and redirects to another origin are refused.

    Raises:
        InvalidURL: not an address, of a server or of a proxy.
        LocalProtocolError: header fields that may not be sent, or that contradict the other arguments.
        TypeError: an argument of another type.
        ValueError: redirects out of range.
    """
    if not 0 <= redirects <= MOST_REDIRECTS:
        raise ValueError(f"redirects must be 0 to {MOST_REDIRECTS}, not {redirects!r:.40}")
    if fixed and isinstance(proxy, str):
        raise LocalProtocolError("a stream of one's own cannot lead through a proxy")
    if not isinstance(url, str):
        raise TypeError(f"expected an address as text, not {type(url).__name__}")
    url, user_info = _split_user_info(url)
    address = _read_address(url)
    pairs = _plan_headers(headers, origin, user_info)
    environment = proxy is True and not fixed
    chosen = parse_proxy(proxy) if isinstance(proxy, str) else None
    if environment:
        chosen = proxy_from_environment(address, environ)
    return Plan(address, pairs, chosen, redirects, environment=environment, fixed=fixed)


def _plan_headers(headers: HeadersLike, origin: str | None, user_info: str) -> tuple[tuple[str, str], ...]:
    """Join what the caller gave with what the other arguments amount to."""
    pairs = _read_headers(headers)
    if origin is not None:
        if "origin" in Headers(pairs):
            raise LocalProtocolError("the origin is given twice, also in headers")
        pairs += _read_headers([("Origin", origin)])
    if user_info and "authorization" not in Headers(pairs):
        pairs += _read_headers([("Authorization", _authorization(user_info))])
    return pairs


def _read_headers(headers: HeadersLike) -> tuple[tuple[str, str], ...]:
    """Validate fields now, before anything is connected; their names are plain tokens from here on."""
    fields = outgoing_fields(headers, frozenset())
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in fields)


def _split_user_info(url: str) -> tuple[str, str]:
    """Take "user:password@" out of an address that may be none."""
    match = _AUTHORITY.match(url)
    return (url, "") if match is None else (match[1] + url[match.end() :], match[2])


def _read_address(url: str) -> Address:
    """Call `parse_url`, whose sentence may repeat what it takes for a port: half a password with a slash."""
    try:
        return parse_url(url)
    except InvalidURL:
        if "@" in url:
            raise InvalidURL("not a valid address; user name and password must be percent-encoded") from None
        raise


def _authorization(user_info: str) -> str:
    """Make an Authorization value from user information; no message repeats any of it."""
    if not _USER_INFO.fullmatch(user_info):
        raise InvalidURL("user name and password in an address must be percent-encoded")
    try:
        user, _, password = (unquote(text, errors="strict") for text in user_info.partition(":"))
    except UnicodeDecodeError:
        raise InvalidURL("user name and password in an address must be encoded as UTF-8") from None
    if ":" in user or _CONTROL.search(user + password):  # RFC 7617 section 2
        raise InvalidURL("a user name with a colon, or a control character, cannot be sent")
    return basic_authorization(user, password)


def follow(plan: Plan, response: Response, environ: Mapping[str, str]) -> Plan | None:
    """Decide what to do after a response other than 101.

    Args:
        plan: what led to it.
        response: of the server.
        environ: the environment variables, for another proxy.

    Returns:
        What to do next; None: it is no redirect, or none was to be followed: the handshake is refused.

    Raises:
        RedirectRefused: it leads to where this client does not follow.
        InvalidURL: the environment names an unusable proxy.
    """
    locations = set(response.headers.get_all("location"))
    if response.status not in _REDIRECTS or not locations:
        return None
    if plan.redirects <= 0:
        if plan.followed:
            raise RedirectRefused(response, f"{plan.followed} have been followed")
        return None
    if len(locations) > 1:
        raise RedirectRefused(response, "it has several locations")
    address = _resolve(plan.address, locations.pop())
    if address is None:
        raise RedirectRefused(response, "the location is no address of a WebSocket")
    return _plan_for(plan, address, response, environ)


def _plan_for(plan: Plan, address: Address, response: Response, environ: Mapping[str, str]) -> Plan:
    """Make the plan for the next address, unless the rules forbid to go there."""
    if plan.address.secure and not address.secure:
        raise RedirectRefused(response, "it leads from wss:// to ws://")
    headers = plan.headers
    if _origin(address) != _origin(plan.address):
        if plan.fixed:
            raise RedirectRefused(response, "it leads elsewhere than the stream")
        headers = tuple((name, value) for name, value in headers if name.lower() not in _CREDENTIALS)
    return Plan(
        address,
        headers,
        proxy_from_environment(address, environ) if plan.environment else plan.proxy,
        plan.redirects - 1,
        plan.followed + 1,
        environment=plan.environment,
        fixed=plan.fixed,
    )


def _origin(address: Address) -> tuple[bool, str, int]:
    return address.secure, address.host.lower(), address.port


def _base(address: Address) -> str:
    return f"{'wss' if address.secure else 'ws'}://{address.authority}"


def _resolve(address: Address, location: str) -> Address | None:
    """Read a Location, relative to the address that it came from (RFC 3986 section 5.2); None: unusable."""
    if not _VISIBLE.fullmatch(location) or "\\" in location:
        return None
    scheme = _SCHEME.match(location)
    if scheme is not None:
        rest = location[scheme.end() :]
        if scheme[1].lower() not in _SCHEMES or not rest.startswith("//"):
            return None
        url = f"{_SCHEMES[scheme[1].lower()]}:{rest}"
    elif location.startswith("//"):
        url = f"{'wss' if address.secure else 'ws'}:{location}"
    else:
        url = _base(address) + _merge(address.target, location)
    try:
        return parse_url(_split_user_info(url)[0])
    except InvalidURL:
        return None


def _merge(target: str, reference: str) -> str:
    """Apply a reference that has no scheme and no authority to a target."""
    path, _, query = target.partition("?")
    new_path, mark, new_query = reference.partition("?")
    if not new_path:
        return path + (f"?{new_query}" if mark else f"?{query}")
    if not new_path.startswith("/"):
        new_path = path[: path.rindex("/") + 1] + new_path
    return _without_dots(new_path) + mark + new_query


def _without_dots(path: str) -> str:
    """Undo "." and ".." (RFC 3986 section 5.2.4)."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
