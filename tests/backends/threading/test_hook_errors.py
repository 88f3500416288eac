"""Hooks and handlers that raise: who hears of it, with which code the connection closes, what is logged."""

import logging
import threading
from collections.abc import Callable
from typing import ClassVar

import pytest

from support.eventually import PATIENCE, eventually
from support.raw import dial_upgraded
from support.threaded import url_of
from support.wire import TEXT, frame
from wscore import CloseError, ConnectionClosed, ConnectionLost, Endpoint
from wscore._typing import override
from wscore_threading import Session, connect, serve


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
    def on_connect(self, session: Session) -> None:
        self._enter("connect")

    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        self._enter("message")

    @override
    def on_error(self, session: Session, error: Exception) -> None:
        self.errors.append(error)
        self._enter("error")

    @override
    def on_close(self, session: Session, code: int, reason: str) -> None:
        self.calls.append(code)
        self.over.set()
        self._enter("close")


class Silent(Endpoint):
    """Raises, and has no on_error that would hear of it."""

    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        raise Broken("nobody handles this")


def _code_after_two_messages(handler: Endpoint | Callable[[Session], object]) -> int:
    """Serve one client that sends two messages in one segment; return the code that it is closed with."""
    with serve(handler, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send(frame(TEXT, b"one", masked=True) + frame(TEXT, b"two", masked=True))
        code = peer.read_close()
        peer.send_close(code)
        assert peer.read_to_end() == b""
    return code


@pytest.mark.parametrize(
    ("place", "calls"),
    [
        ("connect", ["connect", "error", 1011, "close"]),
        ("message", ["connect", "message", "error", 1011, "close"]),
    ],
)
def test_a_hook_that_raises_brings_on_error_1011_and_no_further_message(
    place: str, calls: list[str | int]
) -> None:
    error = Broken()
    endpoint = Fragile(place, error)
    assert _code_after_two_messages(endpoint) == 1011
    assert endpoint.calls == calls and endpoint.errors == [error]


def test_a_close_error_chooses_the_code() -> None:
    endpoint = Fragile("message", CloseError(4321, "as you like"))
    assert _code_after_two_messages(endpoint) == 4321
    assert endpoint.calls == ["connect", "message", "error", 4321, "close"]


def test_connection_closed_that_escapes_from_a_hook_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    class Late(Endpoint):
        """Goes on sending although nobody is there."""

        over = threading.Event()
        errors: ClassVar[list[Exception]] = []

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            eventually(lambda: session.closed is not None)
            session.send("too late")

        @override
        def on_error(self, session: Session, error: Exception) -> None:
            self.errors.append(error)

        @override
        def on_close(self, session: Session, code: int, reason: str) -> None:
            self.over.set()

    with serve(Late(), "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send_frame(TEXT, b"go")
        peer.close()
        assert Late.over.wait(PATIENCE)
    assert [type(error) for error in Late.errors] == [ConnectionLost]
    assert not caplog.records


@pytest.mark.parametrize("place", ["error", "close"])
def test_an_exception_in_on_error_or_on_close_is_logged_and_on_close_still_comes(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Fragile(place, Broken(f"in on_{place}"))
    with serve(endpoint, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.close()
        assert endpoint.over.wait(PATIENCE)
    assert endpoint.calls == ["connect", "error", 1006, "close"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("wscore_threading", logging.ERROR)
    assert f"on_{place}" in record.getMessage() and record.exc_info is not None


def test_an_exception_that_no_on_error_hears_of_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert _code_after_two_messages(Silent()) == 1011
    (record,) = caplog.records
    assert record.exc_info is not None and isinstance(record.exc_info[1], Broken)


def test_a_function_that_raises_closes_with_1011_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def handler(session: Session) -> None:
        raise Broken(session.recv())

    assert _code_after_two_messages(handler) == 1011
    (record,) = caplog.records
    assert record.exc_info is not None and isinstance(record.exc_info[1], Broken)


def test_a_function_may_choose_its_code_with_a_close_error(caplog: pytest.LogCaptureFixture) -> None:
    def handler(session: Session) -> None:
        raise CloseError(3456, "chosen")

    assert _code_after_two_messages(handler) == 3456
    assert not caplog.records


def test_connection_closed_that_escapes_from_a_function_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def handler(session: Session) -> None:
        try:
            session.recv()
        finally:
            ended.set()

    with serve(handler, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.close()
        assert ended.wait(PATIENCE)
    assert not caplog.records


def test_a_factory_that_raises_costs_one_connection_and_not_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = []

    def make() -> Endpoint:
        attempts.append(1)
        if len(attempts) == 1:
            raise Broken("no endpoint today")
        return Endpoint()

    with serve(Endpoint.factory(make), "127.0.0.1") as server:
        with connect(url_of(server)) as session, pytest.raises(ConnectionClosed):
            session.recv(timeout=10)
        with connect(url_of(server)) as session:
            assert session.ping() > 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
