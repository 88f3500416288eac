"""How many may come in: connections, opening handshakes, and both from one address."""

import asyncio
import logging
import threading

import pytest

from support.clients import AsyncioDriver, Driver, SelectorsDriver
from support.eventually import PATIENCE, background, eventually, stays
from support.raw import dial, dial_upgraded
from support.recorder import Recorder
from wscore import Config, HandshakeRefused, Request, Timeouts, WSCoreError


def test_those_over_the_limit_get_503_or_wait_until_there_is_room(driver: Driver) -> None:
    with driver.serve(max_connections=2) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        first, second = driver.connect(url), driver.connect(url)
        third = background(lambda: driver.connect(url))
        if driver.waits_for_room:
            stays(lambda: not third.done, 0.3)
            first.close()
            late = third.result()
        else:
            refused = third.error()
            assert isinstance(refused, HandshakeRefused) and refused.response.status == 503
            assert int(refused.response.headers["retry-after"]) > 0
            first.close()
            eventually(lambda: len(server.sessions) == 1)
            late = driver.connect(url)
        with late, second:
            assert late.ask("hello") == "hello" and second.ask("hello") == "hello"


def test_a_limit_of_connections_does_not_count_those_that_are_over(driver: Driver) -> None:
    with driver.serve(max_connections=1) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        for _ in range(10):
            with driver.connect(url) as client:
                assert client.ask("hello") == "hello"
            eventually(lambda: not server.sessions)
        for _ in range(10):
            with dial(server.port) as peer:  # it leaves without a word
                peer.send(b"GET / HTTP/1.1\r\n")
            with dial(server.port) as peer:  # it gets an answer, and no session
                peer.send(b"NONSENSE\r\n\r\n")
                assert peer.read_head().startswith(b"HTTP/1.1 400 ")
                peer.read_to_end()
        with driver.connect(url) as client:
            assert client.ask("hello") == "hello"


def test_handshakes_under_way_are_limited_and_make_room_when_they_end(driver: Driver) -> None:
    haste = Config(timeouts=Timeouts(open=0.3))
    with driver.serve(max_pending=2, config=haste) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        # Two say nothing, and are thrown out; the next ones are dropped or wait until then.
        with dial(server.port) as silent, dial(server.port) as dribbling:
            dribbling.send(b"GET / HTTP/1.1\r\n")
            eventually(lambda: _gets_in(driver, url))
            assert silent.is_lost() and dribbling.is_lost()


def _gets_in(driver: Driver, url: str) -> bool:
    """Try to connect."""
    try:
        with driver.connect(url) as client:
            return client.ask("hello") == "hello"
    except (OSError, WSCoreError):
        return False


def test_open_connections_do_not_count_as_handshakes(driver: Driver) -> None:
    with driver.serve(max_pending=1) as server:
        clients = [driver.connect(f"ws://127.0.0.1:{server.port}/") for _ in range(5)]
        for client in clients:
            assert client.ask("hello") == "hello"
        for client in clients:
            client.close()


def test_connections_from_one_address_are_limited(driver: Driver) -> None:
    with driver.serve(max_per_address=2) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        with driver.connect(url) as first, driver.connect(url):
            with dial(server.port) as third:
                assert third.is_lost()
            with driver.connect(url, local_address=("127.0.0.2", 0)) as other:
                assert other.ask("hello") == "hello"
            assert first.ask("hello") == "hello"
        eventually(lambda: not server.sessions)
        with driver.connect(url) as client:
            assert client.ask("hello") == "hello"


def test_a_server_that_shuts_down_refuses_those_who_were_about_to_come_in(driver: Driver) -> None:
    asked, answer = threading.Event(), threading.Event()

    def ask(request: Request) -> None:
        if request.path == "/slow":
            asked.set()
            assert answer.wait(PATIENCE)

    async def ask_awaiting(request: Request) -> None:
        await asyncio.get_running_loop().run_in_executor(None, ask, request)

    if isinstance(driver, SelectorsDriver):
        pytest.skip("a reactor decides about a request in one step")
    process_request = ask_awaiting if isinstance(driver, AsyncioDriver) else ask
    with driver.serve(process_request=process_request) as server:
        early = driver.connect(f"ws://127.0.0.1:{server.port}/")
        opening = background(lambda: driver.connect(f"ws://127.0.0.1:{server.port}/slow"))
        assert asked.wait(PATIENCE)
        stopping = background(lambda: driver.stop_server(server))
        assert early.wait_until_over() == 1001  # it has begun
        answer.set()
        error = opening.error()
        stopping.result()
    assert isinstance(error, HandshakeRefused) and error.response.status == 503
    assert error.response.headers["retry-after"] == "1"


def _is_refused(port: int) -> bool:
    try:
        dial(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_sessions_are_those_that_are_open(driver: Driver) -> None:
    recorder = Recorder()
    with driver.serve(recorder) as server:
        assert server.sessions == []
        with dial(server.port), dial_upgraded(server.port):
            recorder.wait_for("connect")
            eventually(lambda: server.sessions == [recorder.session])
        recorder.wait_for("close")
        eventually(lambda: server.sessions == [])


def test_a_shutdown_says_goodbye_to_everybody(driver: Driver) -> None:
    with driver.serve() as server:
        silent = dial(server.port)  # it has been accepted when those who came later are in
        clients = [driver.connect(f"ws://127.0.0.1:{server.port}/") for _ in range(3)]
        driver.stop_server(server)
        assert [client.wait_until_over() for client in clients] == [1001, 1001, 1001]
        assert all(client.session.closed.clean for client in clients)
        with silent:
            assert silent.is_lost()
        assert _is_refused(server.port)


def test_a_probe_is_one_quiet_line(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with driver.serve() as server:
        dial(server.port).close()
        eventually(lambda: len(caplog.records) == 1)
        with dial(server.port) as peer:
            peer.send(b"\x16\x03\x01\x1b[31mGET\r\n\r\n")
            peer.read_to_end()
        eventually(lambda: len(caplog.records) == 2)
    for record in caplog.records:
        line = record.getMessage()
        assert record.levelno == logging.INFO and record.name.startswith("wscore_")
        assert line.isprintable() and line.isascii() and len(line) < 300 and record.exc_info is None
