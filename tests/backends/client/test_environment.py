"""What the environment says of proxies, and when it is asked."""

import socket
from pathlib import Path

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.proxies import HTTPProxy, SocksProxy
from wscore import InvalidURL


@pytest.mark.parametrize("variable", ["ws_proxy", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_ws_goes_through_the_proxy_of_the_environment(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with driver.serve() as server, HTTPProxy() as proxy:
        monkeypatch.setenv(variable, proxy.url())
        with driver.connect(f"ws://127.0.0.1:{server.port}/") as client:
            assert client.ask("hello") == "hello"
    assert proxy.asked == [("127.0.0.1", server.port)]


@pytest.mark.parametrize("variable", ["wss_proxy", "https_proxy", "HTTPS_PROXY"])
def test_wss_goes_through_the_proxy_of_the_environment(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, certificates: Certificates, variable: str
) -> None:
    with driver.serve(ssl=certificates.server_context()) as server, HTTPProxy() as proxy:
        monkeypatch.setenv(variable, proxy.url())
        monkeypatch.setenv("ws_proxy", "http://127.0.0.1:9")  # is for others
        options = {"ssl": certificates.client_context()}
        with driver.connect(f"wss://127.0.0.1:{server.port}/", **options) as client:
            assert client.ask("hello") == "hello"
    assert proxy.asked == [("127.0.0.1", server.port)]


def test_the_environment_may_name_a_socks_proxy(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("python_socks")
    with driver.serve() as server, SocksProxy(via={("where.example", 80): server.port}) as proxy:
        monkeypatch.setenv("socks_proxy", f"127.0.0.1:{proxy.port}")
        with driver.connect("ws://where.example/") as client:
            assert client.ask("hello") == "hello"
    assert proxy.named == [True]


@pytest.mark.parametrize("exempt", ["127.0.0.1", "127.0.0.0/8", "*", "example.com, 127.0.0.1:{port}"])
def test_no_proxy_names_those_that_are_reached_without_one(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    with driver.serve() as server, HTTPProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("no_proxy", exempt.format(port=server.port))
        with driver.connect(f"ws://127.0.0.1:{server.port}/") as client:
            assert client.ask("hello") == "hello"
    assert not proxy.visits


@pytest.mark.parametrize("proxy", [None, False])
def test_who_wants_no_proxy_gets_none(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, proxy: bool | None
) -> None:
    with driver.serve() as server, HTTPProxy() as unwanted:
        monkeypatch.setenv("http_proxy", unwanted.url())
        with driver.connect(f"ws://127.0.0.1:{server.port}/", proxy=proxy) as client:
            assert client.ask("hello") == "hello"
    assert not unwanted.visits


def test_a_proxy_that_is_named_comes_before_that_of_the_environment(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driver.serve() as server, HTTPProxy() as wanted, HTTPProxy() as unwanted:
        monkeypatch.setenv("http_proxy", unwanted.url())
        with driver.connect(f"ws://127.0.0.1:{server.port}/", proxy=wanted.url()) as client:
            assert client.ask("hello") == "hello"
    assert wanted.visits == 1 and not unwanted.visits


def test_a_stream_of_ones_own_needs_no_proxy(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")
    with driver.serve() as server, driver.serve(unix=path), HTTPProxy() as unwanted:
        monkeypatch.setenv("http_proxy", unwanted.url())
        with driver.connect("ws://where.example/", unix=path) as client:
            assert client.ask("hello") == "hello"
        sock = socket.create_connection(("127.0.0.1", server.port))
        with driver.connect("ws://where.example/", sock=sock) as client:
            assert client.ask("hello") == "hello"
    assert not unwanted.visits


def test_nonsense_in_the_environment_is_an_error_that_names_the_variable(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "gopher://user:password@where.example")
    with pytest.raises(InvalidURL, match="http_proxy") as caught:
        driver.connect("ws://127.0.0.1/")
    assert "password" not in str(caught.value)
