"""Basic authentication (RFC 7617): from the address of a client to the user of a server's session."""

import base64
import logging
from typing import Any

import pytest

from support.clients import Driver, Echo
from support.eventually import eventually
from support.recorder import Recorder
from wscore import HandshakeRefused, Request
from wscore.policy import Accept, Router, basic_auth

CREDENTIALS = {"alice": "wonderland", "jürgen": "pass:wörd €"}


def test_user_and_password_of_the_address_are_what_the_server_asks_for(driver: Driver) -> None:
    recorder = Recorder(replies=True)
    with (
        driver.serve(recorder, process_request=basic_auth(CREDENTIALS)) as server,
        driver.connect(f"ws://alice:wonderland@127.0.0.1:{server.port}/") as client,
    ):
        assert client.ask("hello") == "hello"
        assert recorder.session.user == "alice"
        assert client.session.request.target == "/" and "@" not in client.session.request.host


def test_they_are_decoded_and_travel_as_utf_8(driver: Driver) -> None:
    recorder = Recorder()
    with driver.serve(recorder, process_request=basic_auth(CREDENTIALS)) as server:
        user_info = "j%C3%BCrgen:pass%3Aw%C3%B6rd%20%E2%82%AC"
        with driver.connect(f"ws://{user_info}@127.0.0.1:{server.port}/") as client:
            token = base64.b64encode("jürgen:pass:wörd €".encode()).decode("ascii")
            assert client.session.request.headers["authorization"] == f"Basic {token}"
            recorder.wait_for("connect")
            assert recorder.session.user == "jürgen"


@pytest.mark.parametrize("user_info", ["", "alice:wrong@", "bob:wonderland@", "alice@"])
def test_whoever_does_not_know_the_password_is_asked_for_it(driver: Driver, user_info: str) -> None:
    with driver.serve(process_request=basic_auth(CREDENTIALS, realm="tea party")) as server:
        with pytest.raises(HandshakeRefused) as caught:
            driver.connect(f"ws://{user_info}127.0.0.1:{server.port}/")
        assert not server.sessions
    response = caught.value.response
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Basic realm="tea party", charset="UTF-8"'


def test_an_authorization_of_the_callers_own_comes_first(driver: Driver) -> None:
    with driver.serve() as server:
        options = {"headers": [("Authorization", "Bearer of-news")]}
        with driver.connect(f"ws://alice:wonderland@127.0.0.1:{server.port}/", **options) as client:
            assert client.session.request.headers.get_all("authorization") == ["Bearer of-news"]


def test_two_authorizations_are_none(driver: Driver) -> None:
    right = f"Basic {base64.b64encode(b'alice:wonderland').decode('ascii')}"
    headers = [("Authorization", right), ("Authorization", right)]
    with (
        driver.serve(process_request=basic_auth(CREDENTIALS)) as server,
        pytest.raises(HandshakeRefused) as caught,
    ):
        driver.connect(f"ws://127.0.0.1:{server.port}/", headers=headers)
    assert caught.value.response.status == 401


def test_a_function_may_check_the_credentials(driver: Driver) -> None:
    asked: list[tuple[str, str]] = []

    def check(user: str, password: str) -> bool:
        asked.append((user, password))
        return user == "alice"

    with driver.serve(process_request=basic_auth(check)) as server:
        with driver.connect(f"ws://alice:anything@127.0.0.1:{server.port}/") as client:
            assert client.ask("hello") == "hello"
        with pytest.raises(HandshakeRefused):
            driver.connect(f"ws://bob:anything@127.0.0.1:{server.port}/")
    assert asked == [("alice", "anything"), ("bob", "anything")]


def test_a_check_that_is_no_bool_lets_nobody_in(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    check: Any = lambda user, password: "yes"  # noqa: E731
    with (
        driver.serve(process_request=basic_auth(check)) as server,
        pytest.raises(HandshakeRefused) as caught,
    ):
        driver.connect(f"ws://alice:wonderland@127.0.0.1:{server.port}/")
    assert caught.value.response.status == 500
    assert "must return a bool" in caplog.text and "wonderland" not in caplog.text


def test_who_is_in_may_go_where_the_router_leads(driver: Driver) -> None:
    recorder = Recorder()
    router = Router()
    router.add("/rooms/{name}", recorder)
    router.add("/", Echo)
    with (
        driver.serve(router, process_request=basic_auth(CREDENTIALS)) as server,
        driver.connect(f"ws://alice:wonderland@127.0.0.1:{server.port}/rooms/lobby"),
    ):
        recorder.wait_for("connect")
        assert recorder.session.user == "alice"
        assert recorder.session.path_parameters == {"name": "lobby"}


def test_another_way_to_tell_who_is_there_may_be_used(driver: Driver) -> None:
    def by_token(request: Request) -> Accept | None:
        return Accept(user={"name": "alice", "token": request.query}) if request.query else None

    recorder = Recorder()
    with driver.serve(recorder, process_request=by_token) as server:
        with driver.connect(f"ws://127.0.0.1:{server.port}/?abc"):
            recorder.wait_for("connect")
            assert recorder.session.user == {"name": "alice", "token": "abc"}
        with driver.connect(f"ws://127.0.0.1:{server.port}/"):
            recorder.wait_for("connect")
            assert recorder.session.user is None


def test_nothing_of_a_password_is_logged(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with driver.serve(process_request=basic_auth(CREDENTIALS)) as server:
        with driver.connect(f"ws://alice:wonderland@127.0.0.1:{server.port}/?token=hidden"):
            pass
        with pytest.raises(HandshakeRefused) as caught:
            driver.connect(f"ws://alice:wrong-guess@127.0.0.1:{server.port}/?token=hidden")
        eventually(lambda: not server.sessions)
    said = caplog.text + str(caught.value) + repr(caught.value)
    for secret in (
        "wonderland",
        "wrong-guess",
        "hidden",
        base64.b64encode(b"alice:wonderland").decode("ascii"),
    ):
        assert secret not in said
