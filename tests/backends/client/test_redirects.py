"""Redirects: off unless asked for, and no way to get at what is meant for somebody else.

Every origin here writes down all that it hears, and is searched for secrets afterwards.
"""

import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.middlemen import Origin, Tap, redirect_to
from support.proxies import HTTPProxy
from wscore import HandshakeRefused
from wscore.policy import RedirectRefused

TOKEN = base64.b64encode(b"alice:wonderland")
SECRETS = (TOKEN, b"alice", b"wonderland", b"chocolate", b"oatmeal", b"proxy-secret", b"second-secret")
HEADERS = [
    ("Cookie", "chocolate"),
    ("cookie", "oatmeal"),
    ("Proxy-Authorization", "proxy-secret"),
    ("X-Trace", "trace-42"),
]


def chain(*answers: bytes) -> Callable[[bytes], bytes | None]:
    """Write the script of an origin: one answer after the other, then it accepts."""
    left = list(answers)
    return lambda head: left.pop(0) if left else None


def with_credentials(origin: Origin) -> str:
    """Return the address of an origin, with a user and a password in it."""
    return f"ws://alice:wonderland@127.0.0.1:{origin.port}/"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_unless_it_is_to_be_followed(driver: Driver, status: int) -> None:
    with (
        Origin(chain(redirect_to("/elsewhere", status))) as origin,
        pytest.raises(HandshakeRefused) as caught,
    ):
        driver.connect(f"ws://127.0.0.1:{origin.port}/")
    assert caught.value.response.status == status
    assert caught.value.response.headers["location"] == "/elsewhere"
    assert len(origin.heads) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_when_that_was_asked_for(driver: Driver, status: int) -> None:
    with (
        driver.serve() as server,
        Origin(chain(redirect_to(f"ws://127.0.0.1:{server.port}/there?x=1", status))) as origin,
        driver.connect(f"ws://127.0.0.1:{origin.port}/here", redirects=1) as client,
    ):
        assert client.ask("hello") == "hello"
        assert client.session.request.target == "/there?x=1"
        assert client.session.request.host == f"127.0.0.1:{server.port}"
        assert client.session.remote_address[1] == server.port


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/absolute", b"/absolute"),
        ("sibling?q=1", b"/folder/sibling?q=1"),
        ("../up", b"/up"),
        ("?only=query", b"/folder/page?only=query"),
        ("http://127.0.0.1:{port}/as-http", b"/as-http"),
        ("//127.0.0.1:{port}/same-scheme", b"/same-scheme"),
    ],
)
def test_a_location_is_relative_to_where_it_came_from(driver: Driver, location: str, target: bytes) -> None:
    origin: Origin

    def script(head: bytes) -> bytes | None:
        return redirect_to(location.format(port=origin.port)) if b"/page" in head.split(b"?")[0] else None

    def once(head: bytes) -> bytes | None:
        return script(head) if len(origin.heads) == 1 else None

    with Origin(once) as origin:
        client = driver.connect(f"ws://127.0.0.1:{origin.port}/folder/page?old=query", redirects=1)
        driver.run(client.session.abort)
        client.wait_until_over()
    assert origin.heads[1].startswith(b"GET " + target + b" HTTP/1.1\r\n")


def test_a_redirect_within_the_origin_keeps_everything(driver: Driver) -> None:
    with Origin(chain(redirect_to("/elsewhere"))) as origin:
        client = driver.connect(with_credentials(origin), redirects=1, headers=HEADERS, origin="http://page")
        driver.run(client.session.abort)
        client.wait_until_over()
    first, second = (head.split(b"\r\n") for head in origin.heads)
    own = {b"GET", b"Sec-WebSocket-Key:"}
    assert [line for line in first if line.split(b" ")[0] not in own] == [
        line for line in second if line.split(b" ")[0] not in own
    ]
    assert b"Authorization: Basic " + TOKEN in second and b"cookie: oatmeal" in second
    keys = {line for line in first + second if line.startswith(b"Sec-WebSocket-Key:")}
    assert len(keys) == 2  # a nonce is used once (RFC 6455 section 4.1)


def test_another_origin_gets_no_credentials_and_neither_does_the_first_one_afterwards(
    driver: Driver,
) -> None:
    first: Origin
    second: Origin

    def send_away(head: bytes) -> bytes | None:
        return redirect_to(f"ws://127.0.0.1:{second.port}/") if len(first.heads) == 1 else None

    def send_back(head: bytes) -> bytes:
        return redirect_to(f"ws://127.0.0.1:{first.port}/back")

    headers = [*HEADERS, ("Authorization", "Bearer second-secret")]
    with Origin(send_away) as first, Origin(send_back) as second:
        client = driver.connect(with_credentials(first), redirects=2, headers=headers)
        driver.run(client.session.abort)
        client.wait_until_over()
    assert b"second-secret" in first.heads[0] and b"chocolate" in first.heads[0]
    for head in (second.captured, first.heads[1]):
        assert b"trace-42" in head  # what is no secret goes along: the search was not of nothing
        for secret in (*SECRETS, b"Authorization", b"Cookie", b"cookie"):
            assert secret not in head


@pytest.mark.parametrize("host", ["localhost", "127.1"])
def test_the_same_machine_under_another_name_is_another_origin(driver: Driver, host: str) -> None:
    origin: Origin

    def script(head: bytes) -> bytes | None:
        return redirect_to(f"ws://{host}:{origin.port}/") if len(origin.heads) == 1 else None

    with Origin(script) as origin:
        client = driver.connect(with_credentials(origin), redirects=1, headers=HEADERS)
        driver.run(client.session.abort)
        client.wait_until_over()
    for secret in SECRETS:
        assert secret not in origin.heads[1]


def test_user_information_in_a_location_is_not_used(driver: Driver) -> None:
    with (
        driver.serve() as server,
        Tap(server.port) as tap,
        Origin(chain(redirect_to(f"ws://bob:builder@127.0.0.1:{tap.port}/"))) as origin,
        driver.connect(f"ws://127.0.0.1:{origin.port}/", redirects=1) as client,
    ):
        assert client.ask("hello") == "hello"
    for secret in (b"bob", b"builder", base64.b64encode(b"bob:builder"), b"Authorization"):
        assert secret not in tap.captured


def test_wss_is_never_left_for_ws(driver: Driver, certificates: Certificates) -> None:
    with Origin(chain()) as plain:
        location = redirect_to(f"ws://127.0.0.1:{plain.port}/")
        with Origin(chain(location), tls=certificates.server_context()) as secure:
            url = f"wss://alice:wonderland@127.0.0.1:{secure.port}/"
            with pytest.raises(RedirectRefused, match="from wss:// to ws://"):
                driver.connect(url, redirects=5, ssl=certificates.client_context())
    assert len(secure.heads) == 1 and not plain.visits


def test_ws_may_be_left_for_wss_with_no_credentials(driver: Driver, certificates: Certificates) -> None:
    with (
        Origin(chain(), tls=certificates.server_context()) as secure,
        Origin(chain(redirect_to(f"https://localhost:{secure.port}/"))) as plain,
    ):
        options = {"redirects": 1, "ssl": certificates.client_context(), "headers": HEADERS}
        client = driver.connect(with_credentials(plain), **options)
        assert client.session.is_secure
        driver.run(client.session.abort)
        client.wait_until_over()
    for secret in SECRETS:
        assert secret not in secure.captured
    assert b"trace-42" in secure.captured


@pytest.mark.parametrize("limit", [1, 5])
def test_an_endless_redirect_ends_at_the_limit(driver: Driver, limit: int) -> None:
    with (
        Origin(lambda head: redirect_to("/again")) as origin,
        pytest.raises(RedirectRefused) as caught,
    ):
        driver.connect(f"ws://127.0.0.1:{origin.port}/", redirects=limit)
    assert caught.value.response.status == 302
    assert len(origin.heads) == limit + 1


@pytest.mark.parametrize("limit", [-1, 6, 50])
def test_more_redirects_than_five_cannot_be_asked_for(driver: Driver, limit: int) -> None:
    with pytest.raises(ValueError, match="redirects"):
        driver.connect("ws://127.0.0.1/", redirects=limit)


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "ws://", "http:no-slashes", "ws://h:99999/"])
def test_a_location_that_is_no_address_is_not_followed(driver: Driver, location: str) -> None:
    with (
        Origin(chain(redirect_to(location))) as origin,
        pytest.raises(RedirectRefused, match="no address"),
    ):
        driver.connect(f"ws://127.0.0.1:{origin.port}/", redirects=5)


def test_two_locations_are_not_followed(driver: Driver) -> None:
    with (
        Origin(chain(redirect_to("/one", 302, "Location: /two"))) as origin,
        pytest.raises(RedirectRefused, match="several"),
    ):
        driver.connect(f"ws://127.0.0.1:{origin.port}/", redirects=5)
    assert len(origin.heads) == 1


def test_a_refusal_after_a_redirect_is_that_of_the_last_server(driver: Driver) -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n"
    with (
        Origin(chain(refusal)) as last,
        Origin(chain(redirect_to(f"ws://127.0.0.1:{last.port}/"))) as first,
        pytest.raises(HandshakeRefused) as caught,
    ):
        driver.connect(f"ws://127.0.0.1:{first.port}/", redirects=5)
    assert caught.value.response.status == 403 and caught.value.response.body == b"no\n"


def test_the_proxy_leads_to_every_origin_and_its_credentials_to_none(driver: Driver) -> None:
    credentials = "proxyuser", "proxy-secret"
    with (
        driver.serve() as server,
        Tap(server.port) as tap,
        HTTPProxy(credentials=credentials) as proxy,
        Origin(chain(redirect_to(f"ws://127.0.0.1:{tap.port}/"))) as origin,
    ):
        options = {"redirects": 1, "proxy": proxy.url("proxyuser:proxy-secret")}
        with driver.connect(f"ws://127.0.0.1:{origin.port}/", **options) as client:
            assert client.ask("hello") == "hello"
    token = base64.b64encode(b"proxyuser:proxy-secret")
    assert [port for _, port in proxy.asked] == [origin.port, tap.port]
    assert all(token in head for head in proxy.heads)
    for heard in (origin.captured, tap.captured, proxy.tunnelled):
        assert b"Upgrade: websocket" in heard
        assert token not in heard and b"Proxy-Authorization" not in heard


def test_the_environment_is_asked_for_each_origin_anew(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        driver.serve() as server,
        HTTPProxy() as proxy,
        Origin(chain(redirect_to(f"ws://127.0.0.1:{server.port}/"))) as origin,
    ):
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("no_proxy", f"127.0.0.1:{origin.port}")
        with driver.connect(f"ws://127.0.0.1:{origin.port}/", redirects=1) as client:
            assert client.ask("hello") == "hello"
    assert proxy.asked == [("127.0.0.1", server.port)]


def test_a_stream_of_ones_own_cannot_be_used_twice(driver: Driver) -> None:
    with Origin(chain(redirect_to("/elsewhere"))) as origin:
        sock = socket.create_connection(("127.0.0.1", origin.port))
        with pytest.raises(RedirectRefused, match="used up"):
            driver.connect("ws://where.example/", sock=sock, redirects=5)
        assert sock.fileno() == -1


def test_a_stream_of_ones_own_is_not_left_for_another_origin(driver: Driver, tmp_path: Path) -> None:
    with Origin(chain()) as other, Origin(chain(redirect_to(f"ws://127.0.0.1:{other.port}/"))) as first:
        sock = socket.create_connection(("127.0.0.1", first.port))
        with pytest.raises(RedirectRefused, match="elsewhere"):
            driver.connect("ws://where.example/", sock=sock, redirects=5)
        assert sock.fileno() == -1
    assert not other.visits
