"""Hooks and handlers that raise: who hears of it, with which code the connection closes, what is logged."""

import logging
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from support.conformance.facade import Facade
from support.conformance.frames import frames_from
from support.conformance.setting import Setting
from support.eventually import PATIENCE, background, eventually
from support.wire import TEXT
from wscore import CloseError, ConnectionClosed, ConnectionLost, Endpoint
from wscore._typing import override


class Broken(Exception):
    """What the hooks of these tests raise."""


class Fragile(Endpoint):
    """Raises what it is told to in one of its hooks, and writes down what it is called for.

    Attributes:
        calls: the names of the hooks, in order; for on_close with its code.
        errors: what on_error heard.
        over: set when on_close was called.
    """

    def __init__(self, place: str, error: Exception) -> None:
        self.calls: list[str | int] = []
        self.errors: list[Exception] = []
        self.over = threading.Event()
        self._place = place
        self._error = error

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        if name == self._place:
            raise self._error

    @override
    def on_connect(self, session: Any) -> None:
        self._enter("connect")

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self._enter("message")

    @override
    def on_error(self, session: Any, error: Exception) -> None:
        self.errors.append(error)
        self._enter("error")

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self.calls.append(code)
        self.over.set()
        self._enter("close")


class Silent(Endpoint):
    """Raises, and has no on_error that would hear of it."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        raise Broken("nobody handles this")


def _code_after_two_messages(setting: Setting, handler: Endpoint) -> int:
    """Let a peer send two messages in one segment; return the code that it is closed with."""
    with setting.run(handler) as peer:
        peer.send(frames_from(peer, TEXT, b"one", b"two"))
        code = peer.read_close()
        peer.send_close(code)
        peer.end_writing()
        assert peer.read_to_end() == b""
    return code


def _code_of_script(setting: Setting, script: Callable[[Facade], object]) -> int:
    """Let a function serve a client that sends one message; return the code that it is closed with."""
    with setting.serve(script=script) as served, setting.dial(served.port) as peer:
        peer.send_frame(TEXT, b"one")
        code = peer.read_close()
        peer.send_close(code)
        peer.end_writing()
        assert peer.read_to_end() == b""
    return code


def _records(setting: Setting, caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the backend has logged as a warning or worse."""
    return [
        record
        for record in caplog.records
        if record.name.startswith(setting.driver.logger) and record.levelno >= logging.WARNING
    ]


@pytest.mark.parametrize(
    ("place", "calls"),
    [
        ("connect", ["connect", "error", 1011, "close"]),
        ("message", ["connect", "message", "error", 1011, "close"]),
    ],
)
def test_a_hook_that_raises_brings_on_error_1011_and_no_further_message(
    setting: Setting, place: str, calls: list[str | int]
) -> None:
    error = Broken()
    endpoint = Fragile(place, error)
    assert _code_after_two_messages(setting, endpoint) == 1011
    assert endpoint.over.wait(PATIENCE)
    assert endpoint.calls == calls and endpoint.errors == [error]


def test_a_close_error_chooses_the_code(plain: Setting, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Fragile("message", CloseError(4321, "as you like"))
    assert _code_after_two_messages(plain, endpoint) == 4321
    assert endpoint.over.wait(PATIENCE)
    assert endpoint.calls == ["connect", "message", "error", 4321, "close"]
    assert not _records(plain, caplog)


def test_connection_closed_that_escapes_from_a_hook_is_no_error(
    plain: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    class Late(Endpoint):
        """Goes on sending although nobody is there."""

        over = threading.Event()
        errors: ClassVar[list[Exception]] = []

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            session.abort()
            session.send("too late")

        @override
        def on_error(self, session: Any, error: Exception) -> None:
            self.errors.append(error)

        @override
        def on_close(self, session: Any, code: int, reason: str) -> None:
            self.over.set()

    with plain.run(Late()) as peer:
        peer.send_frame(TEXT, b"go")
        assert Late.over.wait(PATIENCE)
    assert [type(error) for error in Late.errors] == [ConnectionLost]
    assert not _records(plain, caplog)


@pytest.mark.parametrize("place", ["error", "close"])
def test_an_exception_in_on_error_or_on_close_is_logged_and_on_close_still_comes(
    plain: Setting, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Fragile(place, Broken(f"in on_{place}"))
    with plain.run(endpoint) as peer:
        peer.close()
        assert endpoint.over.wait(PATIENCE)
    assert endpoint.calls == ["connect", "error", 1006, "close"]
    (record,) = eventually(lambda: _records(plain, caplog))
    assert record.levelno == logging.ERROR
    assert f"on_{place}" in record.getMessage() and record.exc_info is not None


def test_an_exception_that_no_on_error_hears_of_is_logged(
    plain: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    assert _code_after_two_messages(plain, Silent()) == 1011
    (record,) = _records(plain, caplog)
    assert record.exc_info is not None and isinstance(record.exc_info[1], Broken)


def test_a_factory_that_raises_costs_one_connection_and_not_the_server(
    backend: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = []

    def make() -> Endpoint:
        attempts.append(1)
        if len(attempts) == 1:
            raise Broken("no endpoint today")
        return Endpoint()

    with backend.serve(endpoint=Endpoint.factory(make)) as served:
        with backend.dial(served.port) as peer:
            assert peer.read_close() == 1011
            peer.send_close(1011)
        with backend.connect(served.url) as session:
            assert session.ping() > 0
    assert [record.levelno for record in _records(backend, caplog)] == [logging.ERROR]


# Functions of the session.


def test_a_function_runs_once_per_connection_and_its_return_closes_with_1000(running: Setting) -> None:
    def once(session: Facade) -> None:
        session.send(session.recv())

    with running.serve(script=once) as served:
        for _ in range(2):
            with running.connect(served.url) as session:
                session.send("hello")
                assert session.rest() == ["hello"]
                assert (session.end.code, session.end.clean) == (1000, True)


def test_a_function_that_raises_closes_with_1011_and_is_logged(
    running: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    def script(session: Facade) -> None:
        raise Broken(session.recv())

    assert _code_of_script(running, script) == 1011
    (record,) = _records(running, caplog)
    assert record.exc_info is not None and isinstance(record.exc_info[1], Broken)


def test_a_function_may_choose_its_code_with_a_close_error(
    running: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    def script(session: Facade) -> None:
        raise CloseError(3456, "chosen")

    assert _code_of_script(running, script) == 3456
    assert not _records(running, caplog)


def test_connection_closed_that_escapes_from_a_function_is_no_error(
    running: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[BaseException] = []

    def script(session: Facade) -> None:
        try:
            session.recv()
        except ConnectionClosed as error:
            ended.append(error)
            raise

    with running.serve(script=script) as served, running.dial(served.port) as peer:
        peer.close()
        eventually(lambda: ended)
    assert not _records(running, caplog)


def test_a_function_that_sends_while_somebody_else_closes_is_no_error(
    running: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    def talk(session: Facade) -> None:
        while True:
            session.send("tick")

    with running.serve(script=talk) as served, running.connect(served.url) as session:
        assert session.recv() == "tick"

        stopping = background(served.shutdown)
        assert set(session.rest()) <= {"tick"}
        stopping.result()
    assert not _records(running, caplog)
