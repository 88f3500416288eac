"""Through HTTP proxies (RFC 9110 section 9.3.6): who sees what, and what a bad proxy cannot do."""

import base64
import ssl
from pathlib import Path

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.middlemen import Tap
from support.proxies import HTTPProxy
from support.raw import RawListener
from support.stopwatch import within
from wscore import Config, ConnectionLost, RemoteProtocolError, TimedOut, Timeouts, Timer, Violation
from wscore.policy import ProxyRefused

CREDENTIALS = "proxyuser", "proxy:secret"
USER_INFO = "proxyuser:proxy%3Asecret"
TOKEN = base64.b64encode(b"proxyuser:proxy:secret")
SECRETS = (TOKEN, b"proxy:secret", b"proxy%3Asecret", b"Proxy-Authorization")
HASTE = Config(timeouts=Timeouts(open=0.15))


@pytest.fixture
def trusted_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, strange_certificates: Certificates
) -> ssl.SSLContext:
    """Return the TLS of a proxy whose authority the system trusts."""
    files = strange_certificates.write_files(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.authority))
    return strange_certificates.server_context()


def test_a_tunnel_leads_to_the_server_under_the_name_that_was_asked_for(driver: Driver) -> None:
    with (
        driver.serve() as server,
        HTTPProxy(via={("where.example", 81): server.port}) as proxy,
        driver.connect("ws://where.example:81/path", proxy=proxy.url()) as client,
    ):
        assert client.ask("hello") == "hello"
        assert client.session.request.host == "where.example:81"
    head = proxy.heads[0].split(b"\r\n")
    assert head[0] == b"CONNECT where.example:81 HTTP/1.1" and b"Host: where.example:81" in head
    assert b"Proxy-Authorization" not in proxy.captured and len(proxy.heads) == 1


def test_an_address_of_ipv6_has_its_brackets_in_the_request_to_the_proxy(driver: Driver) -> None:
    with (
        driver.serve() as server,
        HTTPProxy() as proxy,
        driver.connect(f"ws://[::1]:{server.port}/", proxy=proxy.url()) as client,
    ):
        assert client.ask("hello") == "hello"
    assert proxy.heads[0].startswith(b"CONNECT [::1]:%d HTTP/1.1\r\n" % server.port)


def test_credentials_are_for_the_proxy_alone(driver: Driver) -> None:
    with driver.serve() as server, Tap(server.port) as tap, HTTPProxy(credentials=CREDENTIALS) as proxy:
        url = f"ws://127.0.0.1:{tap.port}/"
        with driver.connect(url, proxy=proxy.url(USER_INFO)) as client:
            assert client.ask("hello") == "hello"
    assert b"\r\nProxy-Authorization: Basic " + TOKEN + b"\r\n" in proxy.heads[0]
    for secret in SECRETS:
        assert secret not in proxy.tunnelled and secret not in tap.captured
    assert b"Upgrade: websocket" in tap.captured  # the search was not of nothing


def test_credentials_for_the_server_are_not_for_the_proxy(driver: Driver) -> None:
    with driver.serve() as server, HTTPProxy() as proxy:
        url = f"ws://alice:wonderland@127.0.0.1:{server.port}/?token=hidden"
        headers = [("Cookie", "chocolate")]
        with driver.connect(url, proxy=proxy.url(), headers=headers) as client:
            assert client.session.request.headers["cookie"] == "chocolate"
    for secret in (b"alice", base64.b64encode(b"alice:wonderland"), b"Cookie", b"chocolate", b"hidden"):
        assert secret not in proxy.heads[0]


@pytest.mark.parametrize("user_info", ["", "proxyuser:wrong"])
def test_a_proxy_that_asks_for_other_credentials_is_an_error_with_its_answer(
    driver: Driver, user_info: str
) -> None:
    with (
        HTTPProxy(credentials=CREDENTIALS) as proxy,
        pytest.raises(ProxyRefused) as caught,
    ):
        driver.connect("ws://where.example/", proxy=proxy.url(user_info))
    assert caught.value.response.status == 407
    assert caught.value.response.headers["proxy-authenticate"] == 'Basic realm="proxy"'
    assert not proxy.asked and len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        (b"SSH-2.0-server\r\n\r\n", Violation.MALFORMED_HEAD),
        (b"HTTP/1.1 200 OK\r\nX: " + 10_000 * b"x" + b"\r\n\r\n", Violation.LINE_TOO_LONG),
        (b"HTTP/1.1 200 OK\r\n" + 200 * b"X: y\r\n" + b"\r\n", Violation.TOO_MANY_HEADERS),
        (b"HTTP/1.1 200 OK\r\n" + 40 * (b"X: " + 1_000 * b"x" + b"\r\n"), Violation.HEAD_TOO_LARGE),
        (b"HTTP/1.1 200 OK\n\n", Violation.BARE_LF),
    ],
)
def test_a_proxy_is_held_to_the_limits_of_any_http_head(
    driver: Driver, answer: bytes, violation: Violation
) -> None:
    with (
        HTTPProxy(answer=answer) as proxy,
        pytest.raises(RemoteProtocolError) as caught,
    ):
        driver.connect("ws://where.example/", proxy=proxy.url())
    assert caught.value.violation is violation
    assert not proxy.tunnelled


def test_bytes_behind_the_head_that_opens_the_tunnel_are_refused(driver: Driver) -> None:
    junk = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    with RawListener() as listener, HTTPProxy(junk=junk) as proxy:
        with pytest.raises(RemoteProtocolError) as caught:
            driver.connect(listener.url, proxy=proxy.url())
        assert listener.accept().is_lost()
    assert caught.value.violation is Violation.EARLY_DATA
    assert proxy.tunnelled == b""


def test_a_proxy_that_leaves_without_an_answer_is_a_lost_connection(driver: Driver) -> None:
    dead_end = {("where.example", 80): 9}  # nobody listens there: it just leaves
    with HTTPProxy(via=dead_end) as proxy, pytest.raises((ConnectionLost, ConnectionError)):
        driver.connect("ws://where.example/", proxy=proxy.url())


def test_a_proxy_that_says_nothing_is_given_up_after_the_open_timeout(driver: Driver) -> None:
    with (
        HTTPProxy(answer=b"") as proxy,
        within(0.15 + 0.85),
        pytest.raises(TimedOut) as caught,
    ):
        driver.connect("ws://where.example/", proxy=proxy.url(), config=HASTE)
    assert caught.value.timer is Timer.OPEN and len(proxy.heads) == 1


def test_a_proxy_that_dribbles_does_not_prolong_the_open_timeout(driver: Driver) -> None:
    with HTTPProxy(dribbles=True) as proxy, within(0.15 + 0.85), pytest.raises(TimedOut) as caught:
        driver.connect("ws://where.example/", proxy=proxy.url(), config=HASTE)
    assert caught.value.timer is Timer.OPEN and len(proxy.heads) == 1


def test_a_proxy_that_does_not_answer_in_tls_is_given_up_after_the_open_timeout(driver: Driver) -> None:
    with RawListener() as listener, within(0.15 + 0.85), pytest.raises(TimedOut) as caught:
        driver.connect("ws://where.example/", proxy=f"https://127.0.0.1:{listener.port}", config=HASTE)
    assert caught.value.timer is Timer.OPEN


def test_a_proxy_that_is_not_there_is_an_error(driver: Driver) -> None:
    with HTTPProxy() as proxy:
        url = proxy.url()
    with pytest.raises(ConnectionRefusedError):
        driver.connect("ws://where.example/", proxy=url)


def test_a_proxy_sees_nothing_of_what_goes_over_tls(driver: Driver, certificates: Certificates) -> None:
    with driver.serve(ssl=certificates.server_context()) as server, HTTPProxy() as proxy:
        url = f"wss://alice:wonderland@localhost:{server.port}/secret-path"
        options = {"proxy": proxy.url(), "ssl": certificates.client_context()}
        with driver.connect(url, **options) as client:
            assert client.ask("hello, world") == "hello, world"
            assert client.session.is_secure
    assert proxy.asked == [("localhost", server.port)]
    for secret in (b"Upgrade", b"secret-path", base64.b64encode(b"alice:wonderland"), b"hello"):
        assert secret not in proxy.captured


@pytest.mark.parametrize("size", [5, 1_000_000])
def test_tls_goes_through_tls_to_a_proxy(
    driver: Driver, certificates: Certificates, trusted_proxy: ssl.SSLContext, size: int
) -> None:
    with (
        driver.serve(ssl=certificates.server_context()) as server,
        HTTPProxy(tls=trusted_proxy, credentials=CREDENTIALS) as proxy,
    ):
        url = f"wss://localhost:{server.port}/secret-path"
        options = {"proxy": proxy.url(USER_INFO), "ssl": certificates.client_context()}
        with driver.connect(url, **options) as client:
            assert client.ask(size * b"x") == size * b"x"
            assert client.session.is_secure
    assert b"CONNECT localhost:%d HTTP/1.1" % server.port in proxy.captured
    assert b"secret-path" not in proxy.captured  # inside there is TLS with another key
    for secret in SECRETS:
        assert secret not in proxy.tunnelled


def test_a_plain_connection_goes_through_tls_to_a_proxy(
    driver: Driver, trusted_proxy: ssl.SSLContext
) -> None:
    with (
        driver.serve() as server,
        HTTPProxy(tls=trusted_proxy) as proxy,
        driver.connect(f"ws://127.0.0.1:{server.port}/", proxy=proxy.url()) as client,
    ):
        assert client.ask("hello") == "hello"
        assert not client.session.is_secure  # beyond the proxy anybody can read it
    assert b"Upgrade: websocket" in proxy.tunnelled


def test_a_proxy_that_nobody_vouches_for_learns_nothing(
    driver: Driver, strange_certificates: Certificates
) -> None:
    with (
        HTTPProxy(tls=strange_certificates.server_context(), credentials=CREDENTIALS) as proxy,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        driver.connect("ws://where.example/", proxy=proxy.url(USER_INFO))
    assert proxy.captured == b""


def test_the_proxy_must_have_a_certificate_for_its_own_name(
    driver: Driver, trusted_proxy: ssl.SSLContext
) -> None:
    with HTTPProxy(tls=trusted_proxy) as proxy:
        url = proxy.url().replace("localhost", "127.1")  # the same machine, under a name that nobody signed
        with pytest.raises(ssl.SSLCertVerificationError):
            driver.connect("ws://where.example/", proxy=url)
    assert proxy.captured == b""


def test_the_trust_in_the_proxy_is_no_trust_in_the_server(
    driver: Driver, certificates: Certificates, trusted_proxy: ssl.SSLContext
) -> None:
    with driver.serve(ssl=trusted_proxy) as server, HTTPProxy(tls=trusted_proxy) as proxy:
        options = {"proxy": proxy.url(), "ssl": certificates.client_context()}
        with pytest.raises(ssl.SSLCertVerificationError):
            driver.connect(f"wss://localhost:{server.port}/", **options)
        assert not server.sessions
