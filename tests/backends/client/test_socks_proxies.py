"""Through SOCKS proxies, which python-socks speaks to: names, credentials, failures."""

import sys

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.middlemen import Tap
from support.proxies import SocksProxy
from support.stopwatch import within
from wscore import Config, LocalProtocolError, TimedOut, Timeouts, Timer

pytest.importorskip("python_socks")

CREDENTIALS = "proxyuser", "proxy:secret"
USER_INFO = "proxyuser:proxy%3Asecret"
HASTE = Config(timeouts=Timeouts(open=0.15))


@pytest.mark.parametrize(("scheme", "version"), [("socks5h", 5), ("socks4a", 4), ("socks", 5)])
def test_the_proxy_looks_up_the_name(driver: Driver, scheme: str, version: int) -> None:
    with (
        driver.serve() as server,
        SocksProxy(via={("where.example", 81): server.port}) as proxy,
        driver.connect("ws://where.example:81/", proxy=proxy.url(scheme)) as client,
    ):
        assert client.ask("hello") == "hello"
        assert client.session.request.host == "where.example:81"
    assert proxy.greetings == [version] and proxy.named == [True]
    assert proxy.asked == [("where.example", 81)]


@pytest.mark.parametrize(("scheme", "version"), [("socks5", 5), ("socks4", 4)])
def test_the_client_looks_up_the_name_where_the_scheme_says_so(
    driver: Driver, scheme: str, version: int
) -> None:
    with (
        driver.serve() as server,
        SocksProxy() as proxy,
        driver.connect(f"ws://localhost:{server.port}/", proxy=proxy.url(scheme)) as client,
    ):
        assert client.ask("hello") == "hello"
    assert proxy.greetings == [version] and proxy.named == [False]


def test_credentials_are_for_the_proxy_alone(driver: Driver) -> None:
    with driver.serve() as server, Tap(server.port) as tap, SocksProxy(credentials=CREDENTIALS) as proxy:
        options = {"proxy": proxy.url("socks5h", USER_INFO)}
        with driver.connect(f"ws://127.0.0.1:{tap.port}/", **options) as client:
            assert client.ask("hello") == "hello"
    assert b"proxy:secret" in proxy.captured
    for secret in (b"proxyuser", b"proxy:secret", b"Proxy-Authorization"):
        assert secret not in tap.captured
    assert b"Upgrade: websocket" in tap.captured  # the search was not of nothing


def test_tls_goes_through_a_proxy_that_sees_nothing_of_it(driver: Driver, certificates: Certificates) -> None:
    with driver.serve(ssl=certificates.server_context()) as server, SocksProxy() as proxy:
        options = {"proxy": proxy.url("socks5h"), "ssl": certificates.client_context()}
        with driver.connect(f"wss://localhost:{server.port}/secret-path", **options) as client:
            assert client.ask("hello") == "hello"
    assert b"secret-path" not in proxy.captured and b"Upgrade" not in proxy.captured


@pytest.mark.parametrize("user_info", ["", "proxyuser:wrong"])
def test_wrong_credentials_are_a_connection_error(driver: Driver, user_info: str) -> None:
    with (
        SocksProxy(credentials=CREDENTIALS) as proxy,
        pytest.raises(ConnectionError, match="SOCKS"),
    ):
        driver.connect("ws://where.example/", proxy=proxy.url("socks5h", user_info))
    assert not proxy.asked


@pytest.mark.parametrize("scheme", ["socks5h", "socks4a"])
def test_a_proxy_that_refuses_is_a_connection_error(driver: Driver, scheme: str) -> None:
    with (
        SocksProxy(refuses=True) as proxy,
        pytest.raises(ConnectionError, match="SOCKS"),
    ):
        driver.connect("ws://where.example/", proxy=proxy.url(scheme))


def test_a_proxy_that_says_nothing_is_given_up_after_the_open_timeout(driver: Driver) -> None:
    with (
        SocksProxy(silent=True) as proxy,
        within(0.15 + 0.85),
        pytest.raises(TimedOut) as caught,
    ):
        driver.connect("ws://where.example/", proxy=proxy.url("socks4a"), config=HASTE)
    assert caught.value.timer is Timer.OPEN


def test_a_proxy_that_is_not_there_is_an_os_error(driver: Driver) -> None:
    with SocksProxy() as proxy:
        url = proxy.url("socks5h")
    with pytest.raises(OSError, match="proxy"):
        driver.connect("ws://where.example/", proxy=url)


def test_a_proxy_that_dribbles_does_not_prolong_the_open_timeout(driver: Driver) -> None:
    with (
        SocksProxy(dribbles=True) as proxy,
        within(0.15 + 0.85),
        pytest.raises(TimedOut) as caught,
    ):
        driver.connect("ws://where.example/", proxy=proxy.url("socks5h"), config=HASTE)
    assert caught.value.timer is Timer.OPEN and proxy.named == [True]


def test_the_proxy_is_connected_to_from_the_local_address(driver: Driver) -> None:
    with driver.serve() as server, SocksProxy() as proxy:
        options = {"proxy": proxy.url("socks5h"), "local_address": ("127.0.0.3", 0)}
        with driver.connect(f"ws://127.0.0.1:{server.port}/", **options) as client:
            assert client.session.local_address[0] == "127.0.0.3"
            assert client.ask("hello") == "hello"


def test_without_python_socks_the_error_says_what_to_install(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "python_socks"]:
        monkeypatch.setitem(sys.modules, name, None)
    with (
        SocksProxy() as proxy,
        pytest.raises(LocalProtocolError, match="python-wscore\\[socks\\]"),
    ):
        driver.connect("ws://where.example/", proxy=proxy.url("socks5h"))
    assert not proxy.visits
