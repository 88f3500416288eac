"""Proxies: their addresses, the environment that names them, and the tunnel (RFC 9110 section 9.3.6)."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping

import pytest

from support.handshakes import Message, head, read_message
from wscore import (
    Address,
    ConnectionLost,
    InvalidURL,
    Limits,
    LocalProtocolError,
    RemoteProtocolError,
    Violation,
    WSCoreError,
    parse_url,
)
from wscore._typing import override
from wscore.policy._proxy import ConnectTunnel, Proxy, ProxyRefused, parse_proxy, proxy_from_environment
from wscore.testing import cuttings

SECRET = "s3cret-phrase"
ADDRESS = parse_url("wss://server.example/chat")
PROXY = Proxy("http", "proxy.example", 3128)
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


# Addresses.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.example", Proxy("http", "proxy.example", 80)),
        ("http://proxy.example/", Proxy("http", "proxy.example", 80)),
        ("http://proxy.example:", Proxy("http", "proxy.example", 80)),
        ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("HTTP://proxy.example:3128/", Proxy("http", "proxy.example", 3128)),
        ("https://proxy.example", Proxy("https", "proxy.example", 443)),
        ("socks4://proxy.example", Proxy("socks4", "proxy.example", 1080)),
        ("socks4a://proxy.example", Proxy("socks4a", "proxy.example", 1080)),
        ("socks5://proxy.example", Proxy("socks5", "proxy.example", 1080)),
        ("socks5h://proxy.example:9050", Proxy("socks5h", "proxy.example", 9050)),
        ("socks://127.0.0.1", Proxy("socks5h", "127.0.0.1", 1080)),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("http://b\xfccher.example", Proxy("http", "xn--bcher-kva.example", 80)),
        ("http://user@h", Proxy("http", "h", 80, "user")),
        ("http://user:@h", Proxy("http", "h", 80, "user", "")),
        ("http://user:pass@h:1", Proxy("http", "h", 1, "user", "pass")),
        ("http://:pass@h", Proxy("http", "h", 80, "", "pass")),
        ("http://@h", Proxy("http", "h", 80)),
        ("http://u:p:q@r@h", Proxy("http", "h", 80, "u", "p:q@r")),
        # RFC 3986 section 2.1, RFC 3987 section 3.1.
        ("http://us%40er:%C3%BC%2F%23%3F%25@h", Proxy("http", "h", 80, "us@er", "\xfc/#?%")),
        ("http://\xfc:\xdf@h", Proxy("http", "h", 80, "\xfc", "\xdf")),
        ("socks5://a%3Ab:c@h", Proxy("socks5", "h", 1080, "a:b", "c")),
    ],
)
def test_the_address_of_a_proxy_is_read(url: str, expected: Proxy) -> None:
    assert parse_proxy(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example",
        "proxy.example:3128",
        "//proxy.example:3128",
        "ftp://proxy.example",
        "ws://proxy.example",
        "direct://",
        "http://",
        "http://:3128",
        "http://user:pass@",
        "http://h:0",
        "http://h:65536",
        "http://h:port",
        "http://h:\u0663",
        "http://a..b",
        "http://[::1",
        "http://h/path",
        "http://h?",
        "http://h#",
        "http://h/?query",
        "http://h /",
        "http://h\\evil",
        "http://h\r\nX: y",
        "http://h\t",
        "http://u:\ud800@h",
        "http://u:%FF@h",  # not UTF-8
        "http://u:%0D%0A@h",
        "http://u:%C2%85@h",
        "http://%00:p@h",
        "http://a%3Ab:c@h",  # RFC 7617 section 2: no colon in the user name
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        parse_proxy(url)


def test_an_address_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="not bytes"):
        parse_proxy(b"http://h")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}",
        f"http://user:{SECRET}@h:port",
        f"http://user:{SECRET}/x@h",
        f"http://user:{SECRET}#@h",
        f"http://user:{SECRET}?@h",
        f"http://user:{SECRET} @h",
        f"http://user:{SECRET}%FF@h",
        f"http://user:{SECRET}%00@h",
        f"http://us%3Aer:{SECRET}@h",
        f"http://user:[{SECRET}@h",
        f"ftp://user:{SECRET}@h",
    ],
)
def test_a_refused_address_does_not_show_its_password(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_proxy(url)
    assert SECRET not in str(caught.value)
    with pytest.raises(InvalidURL, match="https_proxy") as caught:
        proxy_from_environment(ADDRESS, {"https_proxy": url})
    assert SECRET not in str(caught.value)


def test_a_proxy_does_not_show_its_password() -> None:
    proxy = parse_proxy(f"http://user:{SECRET}@h")
    assert proxy.password == SECRET
    assert SECRET not in repr(proxy)
    assert SECRET not in f"{proxy}"


@pytest.mark.parametrize(
    ("scheme", "is_http", "secure", "resolves_names"),
    [
        ("http", True, False, True),
        ("https", True, True, True),
        ("socks4", False, False, False),
        ("socks4a", False, False, True),
        ("socks5", False, False, False),
        ("socks5h", False, False, True),
    ],
)
def test_a_scheme_says_how_the_proxy_is_spoken_to(
    scheme: str, is_http: bool, secure: bool, resolves_names: bool
) -> None:
    proxy = Proxy(scheme, "h", 1)
    assert (proxy.is_http, proxy.secure, proxy.resolves_names) == (is_http, secure, resolves_names)


def test_a_proxy_is_a_value() -> None:
    assert len({PROXY, Proxy("http", "proxy.example", 3128)}) == 1


@pytest.mark.parametrize("password", ["a\nb", "\x7f", "\x9f", "\ud800"])
def test_credentials_that_cannot_be_sent_are_refused_however_a_proxy_is_made(password: str) -> None:
    with pytest.raises(InvalidURL, match="control characters"):
        Proxy("socks5", "h", 1080, "user", password)


# The environment.

ALL = {
    "ws_proxy": "http://ws",
    "wss_proxy": "http://wss",
    "http_proxy": "http://http",
    "https_proxy": "http://https",
    "socks_proxy": "http://socks",
    "all_proxy": "http://all",
}


def chosen(url: str, environ: Mapping[str, str]) -> str | None:
    proxy = proxy_from_environment(parse_url(url), environ)
    return None if proxy is None else proxy.host


@pytest.mark.parametrize("write", [str.lower, str.upper])
@pytest.mark.parametrize(
    ("url", "order"),
    [
        ("ws://h/", ["ws", "http", "socks", "all", None]),
        ("wss://h/", ["wss", "https", "socks", "all", None]),
    ],
)
def test_the_variables_of_an_address_count_in_order(
    url: str, order: list[str | None], write: Callable[[str], str]
) -> None:
    environ = {write(name): value for name, value in ALL.items()}
    for expected in order:
        assert chosen(url, environ) == expected
        if expected is not None:
            del environ[write(f"{expected}_proxy")]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"https_proxy": "http://low", "HTTPS_PROXY": "http://up"}, "low"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://up"}, None),
        ({"https_proxy": " ", "all_proxy": "http://all"}, "all"),
        ({"https_proxy": " http://h\n"}, "h"),
        ({"HTTPS_PROXY": "http://h", "REQUEST_METHOD": "GET"}, "h"),
        ({"Https_Proxy": "http://h"}, None),
        ({"no_proxy": "*", "https_proxy": "http://h"}, None),
        ({"NO_PROXY": "*", "https_proxy": "http://h"}, None),
        ({"no_proxy": "", "NO_PROXY": "*", "https_proxy": "http://h"}, "h"),
        ({"no_proxy": "*", "https_proxy": "nonsense://"}, None),
        ({"wss_proxy": "http://h", "https_proxy": "nonsense://"}, "h"),
    ],
)
def test_the_environment_names_the_proxy(environ: Mapping[str, str], expected: str | None) -> None:
    assert chosen("wss://server.example/", environ) == expected


def test_in_a_cgi_program_the_proxy_field_of_a_request_names_no_proxy() -> None:
    hostile = {"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"}
    assert chosen("ws://h/", hostile) is None
    assert chosen("ws://h/", {**hostile, "all_proxy": "http://good"}) == "good"
    assert chosen("ws://h/", {**hostile, "http_proxy": "http://good"}) == "good"
    assert chosen("ws://h/", {"HTTP_PROXY": "http://good"}) == "good"


class CaselessEnvironment(Mapping[str, str]):
    """An environment like that of Windows: names are kept in upper case, and found in either."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables

    @override
    def __getitem__(self, name: str) -> str:
        return self.variables[name.upper()]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    @override
    def __len__(self) -> int:
        return len(self.variables)


def test_an_environment_that_ignores_case_does_not_bring_the_field_of_a_request_back() -> None:
    environ = CaselessEnvironment({"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"})
    assert environ.get("http_proxy") == "http://evil"
    assert chosen("ws://h/", environ) is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("https_proxy", "proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("all_proxy", "proxy.example", Proxy("http", "proxy.example", 80)),
        ("wss_proxy", "user:pass@h:1", Proxy("http", "h", 1, "user", "pass")),
        ("socks_proxy", "127.0.0.1:9050", Proxy("socks5h", "127.0.0.1", 9050)),
        ("socks_proxy", "socks4://h", Proxy("socks4", "h", 1080)),
        ("all_proxy", "socks://127.0.0.1:1/", Proxy("socks5h", "127.0.0.1", 1)),
    ],
)
def test_a_value_without_a_scheme_is_read_as_its_variable_means_it(
    name: str, value: str, expected: Proxy
) -> None:
    assert proxy_from_environment(ADDRESS, {name: value}) == expected


EXEMPTIONS = [
    # Names stand for themselves and their subdomains.
    ("server.example", "ws://server.example/", True),
    (".server.example", "ws://server.example/", True),
    ("*.server.example", "ws://server.example/", True),
    ("server.example.", "ws://server.example/", True),
    ("server.example", "ws://server.example./", True),
    ("SERVER.Example", "ws://server.eXample/", True),
    ("server.example", "ws://a.b.server.example/", True),
    (".example", "ws://server.example/", True),
    ("server.example", "ws://otherserver.example/", False),
    ("server.example", "ws://example/", False),
    ("server.example", "ws://server.example.org/", False),
    ("xn--bcher-kva.example", "ws://b\xfccher.example/", True),
    # Ports.
    ("server.example:8080", "ws://server.example:8080/", True),
    ("server.example:8080", "ws://server.example/", False),
    ("server.example:443", "wss://server.example/", True),
    ("server.example:", "ws://server.example/", False),
    ("*:8080", "ws://server.example:8080/", True),
    ("*:8080", "ws://server.example:8081/", False),
    ("[::1]:80", "ws://[::1]/", True),
    ("[::1]:80", "ws://[::1]:81/", False),
    ("127.0.0.1:80", "ws://127.0.0.1/", True),
    ("10.0.0.0/8:80", "ws://10.1.2.3/", True),
    # IP addresses and networks.
    ("127.0.0.1", "ws://127.0.0.1/", True),
    ("127.0.0.1", "ws://127.0.0.2/", False),
    ("0.0.1", "ws://127.0.0.1/", False),
    ("10.0.0.0/8", "ws://10.255.0.1/", True),
    ("10.1.2.3/8", "ws://10.255.0.1/", True),
    ("10.0.0.0/8", "ws://11.0.0.1/", False),
    ("10.0.0.0/99", "ws://10.0.0.1/", False),
    ("10.0.0.0/8", "ws://[a::]/", False),
    ("10.0.0.0/8", "ws://10.example/", False),
    ("::1", "ws://[0:0:0:0:0:0:0:1]/", True),
    ("[::1]", "ws://[::1]/", True),
    ("fe80::/10", "ws://[FEBF::1]/", True),
    ("fe80::/10", "ws://[fec0::1]/", False),
    # Several.
    ("*", "ws://server.example/", True),
    ("*", "ws://[::1]/", True),
    ("a.example, server.example", "ws://server.example/", True),
    ("a.example server.example", "ws://server.example/", True),
    ("a.example,,.,  b.example,", "ws://server.example/", False),
    (",", "ws://127.0.0.1/", False),
    ("", "ws://server.example/", False),
]


@pytest.mark.parametrize(("no_proxy", "url", "expected"), EXEMPTIONS)
def test_some_hosts_are_reached_without_a_proxy(no_proxy: str, url: str, expected: bool) -> None:
    environ = {"all_proxy": "http://proxy.example", "no_proxy": no_proxy}
    assert (chosen(url, environ) is None) is expected


# The request for a tunnel.


def sent(address: Address = ADDRESS, proxy: Proxy = PROXY, agent: str | None = "wscore") -> Message:
    message = read_message(ConnectTunnel(address, proxy, agent=agent).request)
    assert message.body == b""
    return message


def test_a_tunnel_is_asked_for_as_rfc_9110_section_9_3_6_shows_it() -> None:
    tunnel = ConnectTunnel(ADDRESS, PROXY, agent=None)
    assert tunnel.request == (b"CONNECT server.example:443 HTTP/1.1\r\nHost: server.example:443\r\n\r\n")


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("ws://server.example/", b"server.example:80"),
        ("ws://server.example:8080/", b"server.example:8080"),
        ("ws://[2001:db8::1]/", b"[2001:db8::1]:80"),
        ("wss://192.0.2.1/", b"192.0.2.1:443"),
        ("wss://server.example:1/", b"server.example:1"),
        ("wss://server.example:65535/", b"server.example:65535"),
    ],
)
def test_the_tunnel_is_asked_for_by_host_and_port_for_both_schemes(url: str, authority: bytes) -> None:
    message = sent(parse_url(url))
    assert message.start_line == b"CONNECT " + authority + b" HTTP/1.1"
    assert message.fields == [(b"Host", authority), (b"User-Agent", b"wscore")]


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("Aladdin", "open sesame", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 section 2
        ("test", "123\xa3", b"Basic dGVzdDoxMjPCow=="),  # RFC 7617 section 2.1
        ("user", None, b"Basic dXNlcjo="),
        ("", "token", b"Basic OnRva2Vu"),
    ],
)
def test_credentials_go_to_the_proxy(username: str, password: str | None, expected: bytes) -> None:
    message = sent(proxy=Proxy("https", "h", 443, username, password))
    assert message.values(b"proxy-authorization") == [expected]
    assert b64decode(expected[6:]) == f"{username}:{password or ''}".encode()


def test_without_credentials_nothing_is_said_about_them() -> None:
    assert sent().values(b"proxy-authorization") == []


@pytest.mark.parametrize(
    "address",
    [
        Address("server.example\r\nX: y", 443, True, "/"),
        Address("server.example ", 443, True, "/"),
        Address("user@server.example", 443, True, "/"),
        Address("server.example:1", 443, True, "/"),
        Address("b\xfccher.example", 443, True, "/"),
        Address("", 443, True, "/"),
        Address("server.example", 0, True, "/"),
        Address("server.example", 65_536, True, "/"),
    ],
)
def test_a_host_that_may_not_be_sent_is_refused(address: Address) -> None:
    with pytest.raises(LocalProtocolError, match="not a host and a port"):
        ConnectTunnel(address, PROXY)


@pytest.mark.parametrize("agent", ["a\r\nX: y", "a\0", "\x0b", "\u20ac", " a"])
def test_an_agent_that_may_not_be_sent_is_refused(agent: str) -> None:
    with pytest.raises(LocalProtocolError, match="user agent"):
        ConnectTunnel(ADDRESS, PROXY, agent=agent)


def test_credentials_over_the_limits_are_refused() -> None:
    fits = Proxy("http", "h", 80, "u" * 120, "p" * 119)  # 240 bytes with the colon: 320 characters
    size = len("Proxy-Authorization: Basic ") + 320
    assert ConnectTunnel(ADDRESS, fits, limits=Limits(max_line=size)).request
    with pytest.raises(LocalProtocolError, match="max_line"):
        ConnectTunnel(ADDRESS, fits, limits=Limits(max_line=size - 1))


@pytest.mark.parametrize("limits", [Limits(max_line=34), Limits(max_head=84), Limits(max_headers=1)])
def test_a_request_over_the_limits_is_refused(limits: Limits) -> None:
    assert len(b"CONNECT server.example:443 HTTP/1.1") == 35
    assert len(ConnectTunnel(ADDRESS, PROXY).request) == 85
    with pytest.raises(LocalProtocolError, match="exceeds"):
        ConnectTunnel(ADDRESS, PROXY, limits=limits)


def test_a_request_that_meets_the_limits_is_made() -> None:
    assert ConnectTunnel(ADDRESS, PROXY, limits=Limits(max_line=35, max_head=85, max_headers=2)).request


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_a_socks_proxy_is_not_spoken_to_in_http(scheme: str) -> None:
    with pytest.raises(LocalProtocolError, match=scheme):
        ConnectTunnel(ADDRESS, Proxy(scheme, "h", 1080))


# The answer.

OPENING = {
    "1.1": ESTABLISHED,
    "1.0": b"HTTP/1.0 200 OK\r\n\r\n",
    "without a reason": b"HTTP/1.1 200\r\n\r\n",
    "with an empty reason": b"HTTP/1.1 200 \r\n\r\n",
    "with fields": head(b"HTTP/1.1 200 OK", [b"Via: 1.1 x", b"X-Empty:", b"X-Text: \xfc"]),
    "another 2xx": b"HTTP/1.1 204 No Content\r\n\r\n",
    # RFC 9110 section 9.3.6: a client must ignore these in a successful response.
    "with a length": head(b"HTTP/1.1 200 OK", [b"Content-Length: 5"]),
    "with an encoding": head(b"HTTP/1.1 299 OK", [b"Transfer-Encoding: chunked"]),
    "after informational ones": b"HTTP/1.1 100 Continue\r\n\r\n" * 8 + ESTABLISHED,
}
NO_ANSWERS = {
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", Violation.MALFORMED_HEAD),
    "another version": (b"HTTP/2.0 200 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "a later version": (b"HTTP/1.2 200 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "a lower-case version": (b"http/1.1 200 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "two digits": (b"HTTP/1.1 20 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "a leading zero": (b"HTTP/1.1 020 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "two blanks": (b"HTTP/1.1  200 OK\r\n\r\n", Violation.MALFORMED_HEAD),
    "a control character": (b"HTTP/1.1 200 \x0b\r\n\r\n", Violation.MALFORMED_HEAD),
    "a line end of Unicode": (b"HTTP/1.1 407 x\x1cy\r\n\r\n", Violation.MALFORMED_HEAD),
    "no colon": (head(b"HTTP/1.1 200 OK", [b"Via"]), Violation.MALFORMED_HEAD),
    "a blank before the colon": (head(b"HTTP/1.1 200 OK", [b"Via : x"]), Violation.MALFORMED_HEAD),
    "no name": (head(b"HTTP/1.1 200 OK", [b": x"]), Violation.MALFORMED_HEAD),
    "a value with a control": (head(b"HTTP/1.1 200 OK", [b"Via: x\x07"]), Violation.MALFORMED_HEAD),
    "a NUL": (head(b"HTTP/1.1 200 OK", [b"Via: x\0"]), Violation.MALFORMED_HEAD),
    "an empty first line": (b"\r\n" + ESTABLISHED, Violation.MALFORMED_HEAD),
    "a bare LF": (b"HTTP/1.1 200 OK\n\n", Violation.BARE_LF),
    "a folded line": (head(b"HTTP/1.1 200 OK", [b"Via: x", b" y"]), Violation.OBS_FOLD),
    "101 lines": (head(b"HTTP/1.1 200 OK", [b"X: y"] * 101), Violation.TOO_MANY_HEADERS),
    "a long line": (head(b"HTTP/1.1 200 OK", [b"X: " + b"y" * 8190]), Violation.LINE_TOO_LONG),
    "a long first line": (b"HTTP/1.1 200 " + b"y" * 8192, Violation.LINE_TOO_LONG),
    "a long head": (head(b"HTTP/1.1 200 OK", [b"X: " + b"y" * 8000] * 5), Violation.HEAD_TOO_LARGE),
    "nine informational ones": (b"HTTP/1.1 103 x\r\n\r\n" * 9, Violation.TOO_MANY_INFORMATIONAL),
    "one of them malformed": (b"HTTP/1.1 103 x\r\n\r\nHTTP\r\n\r\n", Violation.MALFORMED_HEAD),
    "something behind it": (ESTABLISHED + b"\x81", Violation.EARLY_DATA),
    "a second answer": (ESTABLISHED * 2, Violation.EARLY_DATA),
    "the body that it announces": (
        head(b"HTTP/1.1 200 OK", [b"Content-Length: 5"]) + b"hello",
        Violation.EARLY_DATA,
    ),
}
SOME_CUTTINGS = 5


def outcome(data: bytes) -> list[object]:
    """Feed an answer in several cuttings; return what came of each: True, False or an error's meaning."""
    outcomes: list[object] = []
    for pieces in cuttings(data):
        tunnel = ConnectTunnel(ADDRESS, PROXY)
        result: object = False
        try:
            for piece in pieces:
                result = tunnel.receive_data(piece)
        except RemoteProtocolError as error:
            result = error.violation
        except ProxyRefused as error:
            result = error.response
        outcomes.append(result)
    return outcomes


@pytest.mark.parametrize("data", OPENING.values(), ids=OPENING)
def test_a_tunnel_opens_however_the_answer_is_cut(data: bytes) -> None:
    assert outcome(data) == [True] * SOME_CUTTINGS
    assert outcome(data[:-1]) == [False] * SOME_CUTTINGS


@pytest.mark.parametrize(("data", "violation"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_refused_however_it_is_cut(data: bytes, violation: Violation) -> None:
    assert outcome(data) == [violation] * SOME_CUTTINGS


@pytest.mark.parametrize("status", [101, 300, 302, 403, 407, 502, 999])
def test_any_other_status_is_a_refusal(status: int) -> None:
    answer = head(b"HTTP/1.1 %d No\xfc" % status, [b"Proxy-Authenticate: Basic", b"Content-Length: 5"])
    responses = outcome(answer)
    assert responses == [responses[0]] * SOME_CUTTINGS
    with pytest.raises(ProxyRefused, match=f"the proxy refused .* {status}") as caught:
        ConnectTunnel(ADDRESS, PROXY).receive_data(answer + b"hello")
    response = caught.value.response
    assert response == responses[0]
    assert (response.status, response.reason, response.body) == (status, "No\xfc", b"")
    assert response.headers.get("proxy-authenticate") == "Basic"


def test_blanks_round_what_a_proxy_says_are_no_part_of_it() -> None:
    answer = head(b"HTTP/1.1 403 X no X \t", [b"Via: \tX y X\t "])
    with pytest.raises(ProxyRefused) as caught:
        ConnectTunnel(ADDRESS, PROXY).receive_data(answer)
    assert caught.value.response.reason == "X no X"
    assert caught.value.response.headers["via"] == "X y X"


def test_limits_can_be_set() -> None:
    tunnel = ConnectTunnel(ADDRESS, PROXY, limits=Limits(max_informational=0))
    with pytest.raises(RemoteProtocolError, match="informational"):
        tunnel.receive_data(b"HTTP/1.1 100 Continue\r\n\r\n")


def test_an_error_says_that_the_peer_is_the_proxy_and_shows_no_credentials() -> None:
    tunnel = ConnectTunnel(ADDRESS, Proxy("http", "proxy.example", 3128, "user", SECRET))
    with pytest.raises(RemoteProtocolError) as caught:
        tunnel.receive_data(b"nonsense\n")
    assert caught.value.__notes__ == ["this peer is the proxy proxy.example at port 3128"]
    assert SECRET not in repr(caught.value)


def test_a_proxy_that_hangs_up_before_it_answers_is_lost() -> None:
    tunnel = ConnectTunnel(ADDRESS, PROXY)
    tunnel.receive_data(ESTABLISHED[:-1])
    with pytest.raises(ConnectionLost, match="the proxy closed"):
        tunnel.receive_eof()


def test_the_end_of_the_stream_is_no_matter_of_a_tunnel_that_is_open() -> None:
    tunnel = ConnectTunnel(ADDRESS, PROXY)
    assert tunnel.receive_data(ESTABLISHED)
    tunnel.receive_eof()
    assert tunnel.receive_data(b"")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 407 x\r\n\r\n", ProxyRefused),
        (b"nonsense\n", RemoteProtocolError),
        (ESTABLISHED + b"x", RemoteProtocolError),
    ],
)
def test_what_has_failed_stays_failed(data: bytes, expected: type[WSCoreError]) -> None:
    tunnel = ConnectTunnel(ADDRESS, PROXY)
    with pytest.raises(expected) as first:
        tunnel.receive_data(data)
    with pytest.raises(expected) as again:
        tunnel.receive_data(ESTABLISHED)
    assert again.value is first.value
    with pytest.raises(expected) as at_the_end:
        tunnel.receive_eof()
    assert at_the_end.value is first.value
