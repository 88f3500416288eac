"""What a session tells of itself, alike on both sides and in every backend."""

import logging
from typing import Any

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.eventually import eventually
from support.recorder import Recorder
from support.stopwatch import within
from wscore import Config, Deflate, Endpoint, State, Timeouts
from wscore._typing import override


def test_every_session_has_a_number_of_its_own(driver: Driver) -> None:
    recorder = Recorder(replies=True)
    with driver.serve(recorder) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        with driver.connect(url) as one, driver.connect(url) as two:
            assert one.ask("hello") == two.ask("hello") == "hello"
            numbers = {one.session.id, two.session.id, *(session.id for session in server.sessions)}
            assert len(numbers) == 4 and all(isinstance(number, int) for number in numbers)


def test_the_logger_of_a_session_carries_its_number(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with driver.serve() as server, driver.connect(f"ws://127.0.0.1:{server.port}/") as client:
        client.session.logger.info("a line of %s", "mine")
        record = next(record for record in caplog.records if "mine" in record.getMessage())
        assert record.getMessage() == "a line of mine"
        assert record.__dict__["session"] == client.session.id
        assert record.name == type(client.session).__module__.partition(".")[0]


def test_what_a_hook_raises_is_logged_with_the_number(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    numbers: list[int] = []

    class Broken(Endpoint):
        """Fails at every message, and does not want to hear of it."""

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            numbers.append(session.id)
            raise RuntimeError("a fault of the application")

    with driver.serve(Broken) as server:
        client = driver.connect(f"ws://127.0.0.1:{server.port}/")
        client.send("go")
        assert client.wait_until_over() == 1011
        assert client.session.closed.reason == ""  # nothing of what was wrong is told
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None and record.__dict__["session"] == numbers[0]


def test_both_sides_agree_on_addresses_request_and_response(driver: Driver) -> None:
    recorder = Recorder()
    with driver.serve(recorder) as server:
        url = f"ws://127.0.0.1:{server.port}/path?query"
        with driver.connect(url, headers=[("X-Trace", "42")]) as client:
            recorder.wait_for("connect")
            ours, theirs = client.session, recorder.session
            assert ours.local_address == theirs.remote_address
            assert ours.remote_address == theirs.local_address == ("127.0.0.1", server.port)
            assert ours.request.target == theirs.request.target == "/path?query"
            assert ours.request.headers["x-trace"] == theirs.request.headers["x-trace"] == "42"
            assert ours.response.status == theirs.response.status == 101
            accept = "sec-websocket-accept"
            assert ours.response.headers[accept] == theirs.response.headers[accept]
            assert ours.is_secure is theirs.is_secure is False
            assert ours.state is theirs.state is State.OPEN
            assert ours.closed is theirs.closed is None
            assert ours.user is None and theirs.user is None
            assert ours.path_parameters == {} == theirs.path_parameters


def test_a_session_carries_what_its_user_wants(driver: Driver) -> None:
    with driver.serve() as server, driver.connect(f"ws://127.0.0.1:{server.port}/") as client:
        assert client.session.user_data is None
        client.session.user_data = {"anything": 1}
        assert client.ask("hello") == "hello"
        assert client.session.user_data == {"anything": 1}


def test_the_counters_of_both_sides_agree(driver: Driver) -> None:
    recorder = Recorder(replies=True)
    with (
        driver.serve(recorder) as server,
        driver.connect(f"ws://127.0.0.1:{server.port}/") as client,
    ):
        for message in ("héllo", b"\0" * 100, ""):
            assert client.ask(message) == message
        ours, theirs = client.session.stats, recorder.session.stats
        for stats in (ours, theirs):
            assert stats.messages_sent == stats.messages_received == 3
            assert stats.frames_sent == stats.frames_received == 3
            assert stats.payload_sent == stats.payload_received == 6 + 100  # text counts as UTF-8
            assert stats.ratio_sent == stats.ratio_received == 1.0
        assert ours.wire_sent == theirs.wire_received and theirs.wire_sent == ours.wire_received
        # Each frame of the client has 4 bytes of mask; the heads have their own lengths.
        assert ours.wire_sent > 3 * 6 + 106 and theirs.wire_sent > 3 * 2 + 106


def test_the_counters_tell_what_compression_saved(driver: Driver) -> None:
    recorder = Recorder(replies=True)
    config = Config(compression=Deflate())
    with (
        driver.serve(recorder, config=config) as server,
        driver.connect(f"ws://127.0.0.1:{server.port}/", config=config) as client,
    ):
        assert client.session.extensions.startswith("permessage-deflate")
        assert client.ask(10_000 * "a") == 10_000 * "a"
        assert client.session.extensions == recorder.session.extensions
        for session in (client.session, recorder.session):
            assert session.stats.payload_sent == 10_000 > 50 * session.stats.encoded_sent
            assert session.stats.ratio_sent < 0.02 and session.stats.ratio_received < 0.02


def test_tls_is_not_counted(driver: Driver, certificates: Certificates) -> None:
    with driver.serve(ssl=certificates.server_context()) as server:
        url = f"wss://localhost:{server.port}/"
        with driver.connect(url, ssl=certificates.client_context()) as client:
            before = client.session.stats.wire_sent
            assert client.ask("hello") == "hello"
            assert client.session.stats.wire_sent == before + 2 + 4 + 5


def test_keepalive_measures_the_latency(driver: Driver) -> None:
    often = Config(timeouts=Timeouts(keepalive=0.1))
    with (
        driver.serve() as server,
        driver.connect(f"ws://127.0.0.1:{server.port}/", config=often) as client,
        within(5.0),
    ):
        assert client.session.latency is None or client.session.latency >= 0
        eventually(lambda: client.session.latency is not None)
        assert 0 <= client.session.latency < 5


def test_the_end_is_told_alike_on_both_sides(driver: Driver) -> None:
    recorder = Recorder()
    with driver.serve(recorder) as server:
        with driver.connect(f"ws://127.0.0.1:{server.port}/") as client:
            recorder.wait_for("connect")
        recorder.wait_for("close")
        sessions = client.session, recorder.session
        eventually(lambda: {session.state for session in sessions} == {State.CLOSED})  # TCP is over, too
        for session in sessions:
            assert (session.closed.code, session.closed.clean) == (1000, True)
            assert session.buffered_amount == 0
