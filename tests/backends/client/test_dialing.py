"""From a name to a connection: Happy Eyeballs (RFC 8305), and one timeout over all of the opening."""

import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.eventually import PATIENCE
from support.middlemen import Origin
from support.names import Place, answer_lookups, dead_port, has_ipv6
from support.raw import RawListener
from support.stopwatch import within
from wscore import Config, TimedOut, Timeouts, Timer

V4, V6 = socket.AF_INET, socket.AF_INET6
HASTE = Config(timeouts=Timeouts(open=0.15))

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Return what a lookup may wait for in vain; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def closed_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


# Several addresses.


def test_an_address_that_says_nothing_costs_a_quarter_of_a_second(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driver.serve() as server, dead_port() as dead, within(1.0):
        places = [(V4, "127.0.0.1", dead), (V4, "127.0.0.1", server.port)]
        answer_lookups(driver, monkeypatch, {"two.example": places}.get)
        with driver.connect("ws://two.example/") as client:
            assert client.ask("hello") == "hello"
            assert client.session.remote_address == ("127.0.0.1", server.port)
            assert client.session.request.host == "two.example"


def test_an_address_that_refuses_costs_nothing(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    with driver.serve() as server:
        refusing = [(V4, "127.0.0.1", closed_port()) for _ in range(8)]  # each a quarter of a second: 2 s
        places = [*refusing, (V4, "127.0.0.1", server.port)]
        answer_lookups(driver, monkeypatch, {"many.example": places}.get)
        with within(1.0), driver.connect("ws://many.example/") as client:
            assert client.ask("hello") == "hello"


@needs_ipv6
def test_the_families_take_turns_when_one_of_them_is_dead(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driver.serve() as server, dead_port(V6) as dead, within(1.0):
        places: list[Place] = [*(4 * [(V6, "::1", dead)]), (V4, "127.0.0.1", server.port)]
        answer_lookups(driver, monkeypatch, {"turns.example": places}.get)
        with driver.connect("ws://turns.example/") as client:
            assert client.session.remote_address[0] == "127.0.0.1"


@needs_ipv6
def test_the_preferred_address_is_taken_when_it_answers(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driver.serve(host="::1") as first, driver.serve() as second:
        places: list[Place] = [(V6, "::1", first.port), (V4, "127.0.0.1", second.port)]
        answer_lookups(driver, monkeypatch, {"two.example": places}.get)
        with driver.connect("ws://two.example/") as client:
            assert client.ask("hello") == "hello"
            assert client.session.remote_address[:2] == ("::1", first.port)
        assert not second.sessions


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
def test_when_all_fail_one_error_names_them_all(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    places = [(V4, host, closed_port()) for host in hosts]
    answer_lookups(driver, monkeypatch, {"two.example": places}.get)
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.connect("ws://two.example/")
    for host in hosts:
        assert f"{host} port " in str(caught.value)


def test_a_name_that_does_not_exist_is_the_resolvers_error(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_name(name: str) -> Sequence[Place] | None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    answer_lookups(driver, monkeypatch, no_such_name)
    with pytest.raises(socket.gaierror, match="no such name"):
        driver.connect("ws://missing.example/")


# The open timeout, wherever the time goes.


def test_the_open_timeout_covers_the_lookup(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, never: threading.Event
) -> None:
    def slow(name: str) -> Sequence[Place] | None:
        never.wait(PATIENCE)
        return None

    answer_lookups(driver, monkeypatch, slow)
    with within(0.15 + 0.85), pytest.raises(TimedOut) as caught:
        driver.connect("ws://localhost:9/", config=HASTE)
    assert caught.value.timer is Timer.OPEN
    never.set()


def test_the_open_timeout_covers_tcp_to_all_addresses_together(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dead_port() as dead, within(0.15 + 0.85):
        places = 5 * [(V4, "127.0.0.1", dead), (V4, "127.0.0.2", dead)]
        answer_lookups(driver, monkeypatch, {"many.example": places}.get)
        with pytest.raises(TimedOut) as caught:
            driver.connect("ws://many.example/", config=HASTE)
    assert caught.value.timer is Timer.OPEN


def test_the_open_timeout_covers_tls(driver: Driver, certificates: Certificates) -> None:
    context = certificates.client_context()
    with RawListener() as listener, within(0.15 + 0.85), pytest.raises(TimedOut) as caught:
        driver.connect(f"wss://127.0.0.1:{listener.port}/", config=HASTE, ssl=context)
    assert caught.value.timer is Timer.OPEN


@pytest.mark.parametrize("secure", [False, True])
def test_the_open_timeout_covers_the_handshake(
    driver: Driver, certificates: Certificates, secure: bool
) -> None:
    theirs = certificates.server_context() if secure else None
    ours = certificates.client_context() if secure else None
    scheme = "wss" if secure else "ws"
    with (
        Origin(lambda head: b"", tls=theirs) as silent,
        within(0.15 + 0.85),
        pytest.raises(TimedOut) as caught,
    ):
        driver.connect(f"{scheme}://127.0.0.1:{silent.port}/", config=HASTE, ssl=ours)
    assert caught.value.timer is Timer.OPEN


def test_the_open_timeout_begins_anew_with_each_redirect(driver: Driver) -> None:
    late = Config(timeouts=Timeouts(open=0.4))
    pause = threading.Event()

    def slowly(head: bytes) -> bytes | None:
        pause.wait(0.25)
        left.pop()
        return b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" if left else None

    left = [1, 2]
    with Origin(slowly) as origin:
        client = driver.connect(f"ws://127.0.0.1:{origin.port}/", config=late, redirects=1)
        driver.run(client.session.abort)
        client.wait_until_over()
    assert len(origin.heads) == 2
