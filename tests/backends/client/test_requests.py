"""What a server decides about a request: hosts, its application's say, routes, subprotocols, origins."""

import http.client
import logging
from collections.abc import Callable
from typing import Any

import pytest

from support.clients import Driver, Echo
from support.eventually import PATIENCE
from support.raw import dial
from support.recorder import Recorder
from wscore import Config, HandshakeRefused, LocalProtocolError, Request, Response
from wscore.policy import Accept, Router

HOME = "ws://127.0.0.1:{0.port}/"


def get(port: int, path: str = "/", **fields: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Ask for something over plain HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=fields)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def refusal(driver: Driver, url: str, **options: Any) -> Response:
    """Try to connect, and return what the server says."""
    with pytest.raises(HandshakeRefused) as caught:
        driver.connect(url, **options)
    return caught.value.response


# Hosts.


@pytest.mark.parametrize("name", ["here.example", "HERE.example", "here.example.", "[::1]"])
def test_a_server_answers_to_its_names(driver: Driver, name: str) -> None:
    with driver.serve(hosts=["Here.Example", "[::1]"]) as server:
        with dial(server.port) as peer:
            peer.upgrade(upgrade_request(f"Host: {name}"))
        with dial(server.port) as peer:
            peer.upgrade(upgrade_request(f"Host: {name}:8080"))


@pytest.mark.parametrize("name", ["there.example", "here.example.evil", "xhere.example", "127.0.0.1"])
def test_a_server_does_not_answer_to_other_names(driver: Driver, name: str) -> None:
    asked: list[Request] = []
    with (
        driver.serve(hosts=["here.example"], process_request=asked.append) as server,
        dial(server.port) as peer,
    ):
        peer.send(upgrade_request(f"Host: {name}"))
        assert peer.read_head().startswith(b"HTTP/1.1 421 ")
        assert not server.sessions
    assert asked == []  # the application is not bothered


def upgrade_request(*lines: str, target: str = "/") -> bytes:
    """Write a good request with a Host of its own."""
    fields = (
        f"GET {target} HTTP/1.1",
        *lines,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "",
        "",
    )
    return "\r\n".join(fields).encode("latin-1")


# The application's say.


def test_the_application_sees_every_request_before_it_is_answered(driver: Driver) -> None:
    asked: list[Request] = []
    with driver.serve(process_request=asked.append) as server:
        url = f"ws://127.0.0.1:{server.port}/a%20path?and=query"
        with driver.connect(url, headers=[("X-Trace", "42")], subprotocols=["one", "two"]) as client:
            assert client.ask("hello") == "hello"
        assert get(server.port, "/plain")[0] == 426
    first, second = asked
    assert (first.method, first.target, first.path) == ("GET", "/a%20path?and=query", "/a path")
    assert first.headers["x-trace"] == "42" and first.subprotocols == ("one", "two") and first.is_upgrade
    assert second.target == "/plain" and not second.is_upgrade


def test_a_response_answers_in_place_of_an_upgrade(driver: Driver) -> None:
    def process_request(request: Request) -> Response | None:
        if request.path == "/health":
            return Response(200, [("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2")], b"fine\n")
        return Response(403, [("X-Why", "because")], b"not you\n")

    with driver.serve(process_request=process_request) as server:
        status, headers, body = get(server.port, "/health")
        assert (status, body) == (200, b"fine\n")
        assert headers["content-type"] == "text/plain" and headers.get_all("x-two") == ["1", "2"]
        answer = refusal(driver, HOME.format(server))
        assert (answer.status, answer.headers["x-why"], answer.body) == (403, "because", b"not you\n")
        assert not server.sessions


def test_a_plain_request_that_nobody_answers_is_told_what_is_spoken_here(driver: Driver) -> None:
    with driver.serve() as server:
        status, headers, _ = get(server.port)
    # RFC 9110 section 15.5.22: Upgrade says to what. And nothing may follow on this connection.
    assert status == 426 and headers["upgrade"] == "websocket" and "close" in headers["connection"]


def test_accept_says_how_to_go_on(driver: Driver) -> None:
    recorder = Recorder(replies=True)

    def process_request(request: Request) -> Accept:
        return Accept(
            handler=recorder,
            subprotocol="two",
            headers=[("Set-Cookie", "chocolate"), ("X-Twice", "1"), ("X-Twice", "2")],
            user=("alice", 7),
            path_parameters={"room": "lobby", "seat": 4},
        )

    with (
        driver.serve(Echo, subprotocols=["one"], process_request=process_request) as server,
        driver.connect(HOME.format(server), subprotocols=["one", "two"]) as client,
    ):
        assert client.ask("hello") == "hello"
        assert client.session.subprotocol == "two" == recorder.session.subprotocol
        assert client.session.response.headers["set-cookie"] == "chocolate"
        assert client.session.response.headers.get_all("x-twice") == ["1", "2"]
        assert recorder.session.user == ("alice", 7)
        assert recorder.session.path_parameters == {"room": "lobby", "seat": 4}
    assert recorder.calls == [("connect",), ("message", "hello"), ("close", 1000, "")]


def test_accept_with_nothing_in_it_is_none(driver: Driver) -> None:
    with (
        driver.serve(subprotocols=["one"], process_request=lambda request: Accept()) as server,
        driver.connect(HOME.format(server), subprotocols=["two", "one"]) as client,
    ):
        assert client.ask("hello") == "hello" and client.session.subprotocol == "one"


def test_accept_may_choose_no_subprotocol(driver: Driver) -> None:
    accept = Accept(subprotocol="")
    with (
        driver.serve(subprotocols=["one"], process_request=lambda request: accept) as server,
        driver.connect(HOME.format(server), subprotocols=["one"]) as client,
    ):
        assert client.session.subprotocol is None


def _raise(request: Request) -> None:
    raise RuntimeError("what an application may know")


@pytest.mark.parametrize(
    "process_request",
    [
        pytest.param(_raise, id="it raises"),
        pytest.param(lambda request: True, id="it returns a bool"),
        pytest.param(lambda request: (403, "no"), id="it returns a pair"),
        pytest.param(lambda request: Accept(subprotocol="never-offered"), id="a wrong subprotocol"),
        pytest.param(lambda request: Accept(headers=[("X", "a\r\nY: b")]), id="a header with a line end"),
        pytest.param(lambda request: Accept(headers=[("Upgrade", "h2c")]), id="a header of the handshake"),
        pytest.param(lambda request: Response(200, [("X\r\n", "y")]), id="a response with a line end"),
        pytest.param(lambda request: Response(101), id="a response that would upgrade"),
        pytest.param(lambda request: Response(42), id="a status that is none"),
    ],
)
def test_an_application_that_fails_is_logged_and_the_client_gets_500(
    driver: Driver, caplog: pytest.LogCaptureFixture, process_request: Callable[[Request], Any]
) -> None:
    with driver.serve(process_request=process_request) as server:
        answer = refusal(driver, HOME.format(server))
        assert not server.sessions
    assert answer.status == 500
    assert b"RuntimeError" not in answer.body and b"know" not in answer.body
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "process_request" in caplog.text


def test_a_server_outlives_an_application_that_fails(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    def process_request(request: Request) -> None:
        if request.path == "/bad":
            raise RuntimeError("no")

    with driver.serve(process_request=process_request) as server:
        assert refusal(driver, HOME.format(server) + "bad").status == 500
        with driver.connect(HOME.format(server)) as client:
            assert client.ask("hello") == "hello"


def test_a_handler_that_cannot_be_made_closes_with_1011(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Echo):
        """Cannot be made."""

        def __init__(self) -> None:
            raise RuntimeError("no")

    with driver.serve(Broken) as server:
        client = driver.connect(HOME.format(server))
        assert client.wait_until_over() == 1011
    assert "no endpoint could be made" in caplog.text


# Routes.


def test_a_router_brings_each_path_to_its_handler(driver: Driver) -> None:
    rooms, users, files = Recorder(replies=True), Recorder(replies=True), Recorder(replies=True)
    router = Router()
    router.add("/rooms/{name}", rooms)
    router.add("/users/{number:int}", users)
    router.add("/files/{rest:path}", files)
    cases: list[tuple[str, Recorder, dict[str, str | int]]] = [
        ("rooms/caf%C3%A9%2Fbar?x=1", rooms, {"name": "café/bar"}),
        ("users/42", users, {"number": 42}),
        ("files/a/b/c", files, {"rest": "a/b/c"}),
    ]
    with driver.serve(router) as server:
        for path, recorder, parameters in cases:
            with driver.connect(HOME.format(server) + path) as client:
                assert client.ask("hello") == "hello"
                assert recorder.session.path_parameters == parameters
        for path in ("", "rooms", "rooms/", "users/x", "users/42/more", "rooms/%FF"):
            assert refusal(driver, HOME.format(server) + path).status == 404


def test_a_route_may_have_subprotocols_of_its_own(driver: Driver) -> None:
    router = Router()
    router.add("/own", Echo, subprotocols=["own"])
    router.add("/common", Echo)
    offer = ["common", "own"]
    with driver.serve(router, subprotocols=["common"]) as server:
        with driver.connect(HOME.format(server) + "own", subprotocols=offer) as client:
            assert client.session.subprotocol == "own"
        with driver.connect(HOME.format(server) + "common", subprotocols=offer) as client:
            assert client.session.subprotocol == "common"


def test_a_plain_request_to_a_router_is_told_what_is_spoken_here(driver: Driver) -> None:
    router = Router()
    router.add("/", Echo)
    with driver.serve(router) as server:
        assert get(server.port, "/missing")[0] == 426


def test_what_an_application_read_from_the_path_is_added_to_the_routes_own(driver: Driver) -> None:
    recorder = Recorder()
    router = Router()
    router.add("/rooms/{name}", recorder)
    accept = Accept(path_parameters={"tenant": "acme", "name": "renamed"})
    with (
        driver.serve(router, process_request=lambda request: accept) as server,
        driver.connect(HOME.format(server) + "rooms/lobby"),
    ):
        recorder.wait_for("connect")
        assert recorder.session.path_parameters == {"name": "renamed", "tenant": "acme"}


# Subprotocols, and pages.


@pytest.mark.parametrize(
    ("supported", "offered", "chosen"),
    [
        (["one", "two"], ["two", "one"], "one"),
        (["three"], ["two", "one"], None),
        ([], ["one"], None),
        (["one"], [], None),
    ],
)
def test_the_first_supported_subprotocol_that_is_offered_is_chosen(
    driver: Driver, supported: list[str], offered: list[str], chosen: str | None
) -> None:
    with (
        driver.serve(subprotocols=supported) as server,
        driver.connect(HOME.format(server), subprotocols=offered) as client,
    ):
        assert client.ask("hello") == "hello" and client.session.subprotocol == chosen


def test_a_page_of_another_origin_does_not_get_in(driver: Driver) -> None:
    with driver.serve() as server:
        with driver.connect(HOME.format(server), origin=f"http://127.0.0.1:{server.port}") as client:
            assert client.session.request.origin == f"http://127.0.0.1:{server.port}"
        assert refusal(driver, HOME.format(server), origin="https://evil.example").status == 403
    with driver.serve(config=Config(origins=("https://good.example",))) as server:
        with driver.connect(HOME.format(server), origin="https://good.example") as client:
            assert client.ask("hello") == "hello"
        assert refusal(driver, HOME.format(server), origin="https://evil.example").status == 403


@pytest.mark.parametrize(
    "options",
    [
        {"headers": [("X", "a\r\nY: b")]},
        {"headers": [("Host", "x")]},
        {"headers": [("Origin", "http://a")], "origin": "http://b"},
        {"origin": "http://a\nX: y"},
        {"subprotocols": ["a b"]},
    ],
)
def test_what_may_not_be_sent_is_refused_before_any_connection(
    driver: Driver, options: dict[str, Any]
) -> None:
    asked: list[Request] = []
    with (
        driver.serve(process_request=asked.append) as server,
        pytest.raises(LocalProtocolError),
    ):
        driver.connect(HOME.format(server), **options)
    assert asked == []
