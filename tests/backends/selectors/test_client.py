"""Connecting: every step that can fail, and what can be given up."""

import socket
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from support.eventually import background
from support.raw import RawListener
from support.recorder import Recorder
from wscore import (
    Config,
    Endpoint,
    Handler,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    Response,
    TimedOut,
    Timeouts,
    Timer,
)
from wscore._typing import override
from wscore.policy import Backoff, RedirectRefused
from wscore_selectors import Dialing

from .conftest import Stage

_SOON = Config(timeouts=Timeouts(open=0.1))


def _unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _failure(stage: Stage, url: str, **options: Any) -> Exception:
    """Connect in vain; return why it was."""
    failures: list[Exception] = []
    client = Recorder()
    dialing = stage.reactor.connect(url, client, on_failure=failures.append, **options)
    assert not failures, "nobody is called back before connect has returned"
    stage.drive(lambda: failures)
    assert dialing.session is None and client.calls == []
    assert not dialing.cancel()
    return failures[0]


def test_a_port_that_nobody_listens_on_is_refused(stage: Stage) -> None:
    assert isinstance(_failure(stage, f"ws://127.0.0.1:{_unused_port()}"), ConnectionRefusedError)


def test_of_a_name_with_several_addresses_the_failure_names_them_all_and_one_that_works_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, gone = _unused_port(), _unused_port()
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    places = {"all.dead": [dead, gone], "one.lives": [dead, server.port]}

    def look_up(host: str, port: int, deadline: float | None) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", each)) for each in places[host]]

    monkeypatch.setattr("wscore_sockets._dial.look_up", look_up)
    failures: list[Exception] = []
    stage.reactor.connect("ws://all.dead", Recorder(), on_failure=failures.append, proxy=None)
    stage.drive(lambda: failures)
    assert str(dead) in str(failures[0]) and str(gone) in str(failures[0])
    client = Recorder()
    stage.reactor.connect("ws://one.lives", client, proxy=None)
    stage.drive(lambda: client.names == ["connect"])


def test_a_name_that_does_not_exist_fails_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, deadline: float | None) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr("wscore_sockets._dial.look_up", look_up)
    assert isinstance(_failure(stage, "ws://nowhere.example", proxy=None), socket.gaierror)


def test_names_are_looked_up_by_a_few_threads_that_do_not_stay(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    clients = [Recorder() for _ in range(50)]
    for client in clients:
        stage.reactor.connect(f"ws://localhost:{server.port}", client, proxy=None)
    workers = [thread for thread in threading.enumerate() if thread.name == "wscore-worker"]
    assert len(workers) <= 16
    stage.drive(lambda: all(client.names == ["connect"] for client in clients))
    stage.drive(lambda: not any(worker.is_alive() for worker in workers))


def test_a_server_that_says_nothing_is_given_up_after_the_open_timeout(stage: Stage) -> None:
    with RawListener() as listener:
        failure = _failure(stage, listener.url, config=_SOON)
        assert isinstance(failure, TimedOut) and failure.timer is Timer.OPEN
        assert listener.accept().is_lost()


def test_a_lookup_that_takes_too_long_is_covered_by_the_open_timeout(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr("wscore_sockets._dial.look_up", lambda *_: over.wait(20) or [])
    try:
        assert isinstance(_failure(stage, "ws://slow.example", config=_SOON, proxy=None), TimedOut)
    finally:
        over.set()


def test_a_refusal_shows_the_response(stage: Stage) -> None:
    with RawListener() as listener:
        answering = background(lambda: _answer(listener, b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno\n"))
        failure = _failure(stage, listener.url)
        answering.result()
    assert isinstance(failure, HandshakeRefused)
    assert (failure.response.status, failure.response.body) == (403, b"no\n")


def _answer(listener: RawListener, *responses: bytes) -> None:
    """Answer one request after the other, each on a connection of its own."""
    for response in responses:
        peer = listener.accept()
        peer.read_head()
        peer.send(response)
        peer.end_writing()


def test_redirects_are_followed_as_far_as_that_was_asked_for(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    redirect = b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
    with RawListener() as listener:
        answering = background(lambda: _answer(listener, redirect % server.port))
        client = Recorder()
        stage.reactor.connect(listener.url, client, redirects=1)
        stage.drive(lambda: client.names == ["connect"])
        answering.result()
        assert client.session.remote_address[1] == server.port
        answering = background(lambda: _answer(listener, *[redirect % listener.port] * 2))
        failures: list[Exception] = []
        stage.reactor.connect(listener.url, Recorder(), redirects=1, on_failure=failures.append)
        stage.drive(lambda: failures)
        answering.result()
    assert isinstance(failures[0], RedirectRefused)


def test_cancelled_while_it_is_being_opened_nothing_is_called_and_nothing_is_left(stage: Stage) -> None:
    with RawListener() as listener:
        for turns in range(4):  # before TCP, and in each of the steps after it
            client, failures = Recorder(), list[Exception]()
            dialing = stage.reactor.connect(listener.url, client, on_failure=failures.append)
            stage.turns(turns)
            assert dialing.cancel() and not dialing.cancel()
            stage.turns(3)
            assert not client.calls and not failures
            assert stage.reactor.idle and len(stage.reactor.wants()) == 1
            assert stage.reactor.next_deadline() is None


def test_it_is_too_late_to_cancel_what_is_open(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    client = Recorder()
    dialing: Dialing = stage.reactor.connect(f"ws://127.0.0.1:{server.port}", client)
    stage.drive(lambda: dialing.session)
    assert not dialing.cancel()
    assert client.session is dialing.session


def test_a_failure_that_nobody_wants_to_hear_of_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.reactor.connect(f"ws://127.0.0.1:{_unused_port()}", Recorder())
    stage.drive(lambda: stage.reactor.idle)
    assert [record.levelname for record in caplog.records if record.name == "wscore_selectors"] == ["ERROR"]


@pytest.mark.parametrize("url", ["http://example.com", "ws://", "nonsense"])
def test_what_the_caller_got_wrong_raises_at_once(stage: Stage, url: str) -> None:
    with pytest.raises(InvalidURL):
        stage.reactor.connect(url, Recorder())
    with pytest.raises(LocalProtocolError):
        stage.reactor.connect("ws://127.0.0.1", Recorder(), headers={"Bad Name": "x"})
    assert stage.reactor.idle and stage.reactor.next_deadline() is None


def test_a_unix_socket_serves_and_is_connected_to(stage: Stage, tmp_path: Path) -> None:
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("there are no unix sockets")
    path = str(tmp_path / "socket")
    server = stage.reactor.serve(Recorder(replies=True), unix=path)
    assert server.port == 0
    client = Recorder()
    stage.reactor.connect("ws://localhost/", client, unix=path)
    stage.drive(lambda: client.names == ["connect"])
    client.session.send("hello")
    stage.drive(lambda: client.calls[-1] == ("message", "hello"))
    assert isinstance(_failure(stage, "ws://localhost/", unix=path + "2"), FileNotFoundError)


def test_a_connected_socket_is_used_as_it_is(stage: Stage) -> None:
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    client = Recorder()
    sock = socket.create_connection(("127.0.0.1", server.port))
    place = sock.getsockname()
    stage.reactor.connect("ws://example.com/", client, sock=sock)
    stage.drive(lambda: client.names == ["connect"])
    assert client.session.local_address == place


class _Coroutines(Endpoint):
    """Has a hook that nobody would run here."""

    @override
    async def on_message(self, session: Any, message: str | bytes) -> None:
        """Never called."""


class _Unmakeable(Endpoint):
    """Cannot be made."""

    def __init__(self) -> None:
        raise ValueError("not now")


@pytest.mark.parametrize(
    ("url", "endpoint", "options"),
    [
        ("ws://localhost/", Endpoint, {"subprotocols": ["bad name"]}),
        ("ws://localhost/", Endpoint, {"headers": {"Bad Name": "x"}}),
        ("nonsense", Endpoint, {}),
        ("ws://localhost/", _Coroutines, {}),
        ("ws://localhost/", _Unmakeable, {}),
    ],
    ids=["subprotocol", "header", "address", "coroutines", "endpoint"],
)
def test_a_socket_that_was_given_is_closed_when_the_caller_got_something_wrong(
    stage: Stage, url: str, endpoint: Handler, options: dict[str, Any]
) -> None:
    with RawListener() as listener:
        sock = socket.create_connection(("127.0.0.1", listener.port))
        with pytest.raises((ValueError, TypeError, LocalProtocolError)):
            stage.reactor.connect(url, endpoint, sock=sock, **options)
        assert sock.fileno() == -1
    assert stage.reactor.idle


# Again and again.


def _quick() -> Backoff:
    return Backoff(0.01, maximum=0.02, chance=lambda: 0.0)


def test_a_connection_that_was_lost_is_followed_by_another_until_that_is_cancelled(stage: Stage) -> None:
    server_side, client = Recorder(), Recorder()
    server = stage.reactor.serve(server_side, "127.0.0.1")
    again = stage.reactor.reconnect(f"ws://127.0.0.1:{server.port}", client, backoff=_quick())
    for number in range(1, 4):
        stage.drive(lambda: server_side.names.count("connect") == number)  # noqa: B023
        server_side.session.abort()
    stage.drive(lambda: server_side.names.count("connect") == 4 and again.session is not None)
    again.cancel()
    assert again.session is not None and not stage.reactor.idle
    again.session.close()
    stage.drive(lambda: client.names.count("close") == 4)
    stage.drive(lambda: not server.sessions)
    assert again.session is None
    server.shutdown()
    assert stage.reactor.idle


def test_a_server_that_is_not_there_yet_is_tried_again_and_a_refusal_for_good_is_not(stage: Stage) -> None:
    port = _unused_port()
    client, failures = Recorder(), list[Exception]()
    again = stage.reactor.reconnect(
        f"ws://127.0.0.1:{port}", client, backoff=_quick(), on_failure=failures.append
    )
    begun = monotonic()
    stage.drive(lambda: monotonic() > begun + 0.05)
    assert client.calls == [] and not failures
    server = stage.reactor.serve(
        Recorder(), "127.0.0.1", port, process_request=lambda request: answers.pop(0)
    )
    answers: list[Response | None] = [Response(503), None, Response(403)]
    stage.drive(lambda: client.names == ["connect"])
    server.sessions[0].abort()
    stage.drive(lambda: failures)
    assert isinstance(failures[0], HandshakeRefused) and failures[0].response.status == 403
    assert again.session is None


def test_shutting_the_reactor_down_ends_what_would_connect_again(stage: Stage) -> None:
    port = _unused_port()
    stage.reactor.reconnect(f"ws://127.0.0.1:{port}", Recorder())
    stage.turns(3)
    assert not stage.reactor.idle
    stage.reactor.shutdown()
    assert stage.reactor.idle
