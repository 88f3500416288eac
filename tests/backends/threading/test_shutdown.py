"""How a server stops, as far as that takes threads."""

import socket
import threading
from contextlib import ExitStack

import pytest

from support.eventually import PATIENCE, background, eventually, stays
from support.raw import dial, dial_upgraded
from support.stopwatch import within
from support.threaded import echo, echo_server, url_of
from wscore import Endpoint
from wscore._typing import override
from wscore_threading import Session, connect, serve


def test_shutdown_twice_is_harmless() -> None:
    with echo_server() as server:
        server.shutdown()
        server.shutdown()


def test_shutdown_at_any_moment_of_a_connection_is_quick() -> None:
    for number in range(40):
        with ExitStack() as stack:
            server = stack.enter_context(serve(echo, "127.0.0.1"))
            for _ in range(1 + number % 4):
                stack.enter_context(dial(server.port))
            with within(1.0):
                server.shutdown()


def test_serve_forever_returns_after_shutdown() -> None:
    with echo_server() as server:
        serving = background(server.serve_forever)
        stays(lambda: not serving.done, 0.05)
        server.shutdown()
        serving.result()


def test_a_handler_may_shut_its_server_down() -> None:
    def last(session: Session) -> None:
        session.recv()
        server.shutdown()

    with serve(last, "127.0.0.1") as server:
        session = connect(url_of(server))
        session.send("stop")
        assert list(session) == []
        assert session.closed is not None and session.closed.code == 1001


class SlowSignal:
    """Wakes the thread that accepts only when it may."""

    def __init__(self, signal: socket.socket) -> None:
        self._signal = signal
        self.sending = threading.Event()
        self.may_send = threading.Event()

    def send(self, data: bytes) -> int:
        """Send later."""
        self.sending.set()
        assert self.may_send.wait(PATIENCE)
        return self._signal.send(data)

    def close(self) -> None:
        """Close at once."""
        self._signal.close()


def test_two_may_shut_a_server_down_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with echo_server() as server:
        signal = SlowSignal(server._wake_signal)
        monkeypatch.setattr(server, "_wake_signal", signal)
        one = background(server.shutdown)
        assert signal.sending.wait(PATIENCE)
        with dial(server.port):  # which wakes that thread, too
            another = background(server.shutdown)
            stays(lambda: True, 0.2)  # long enough for it to close everything, if it could
            signal.may_send.set()
            assert (one.error(), another.error()) == (None, None)


class Suspended(Endpoint):
    """Wants to hear of nothing, from the beginning."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    @override
    def on_connect(self, session: Session) -> None:
        session.suspend()
        self.heard.append("connect")

    @override
    def on_close(self, session: Session, code: int, reason: str) -> None:
        self.heard.append(code)


def test_shutdown_waits_for_the_last_words_of_who_is_suspended() -> None:
    endpoint = Suspended()
    with serve(endpoint, "127.0.0.1") as server, dial_upgraded(server.port):
        eventually(lambda: endpoint.heard)
        server.shutdown(timeout=0.3)
        assert endpoint.heard == ["connect", 1006]
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("wscore (")]
