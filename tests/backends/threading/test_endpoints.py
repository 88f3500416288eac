"""Hooks that wait, which only this backend has: which thread calls them, and in which order."""

import threading

import pytest

from support.eventually import PATIENCE, background, eventually
from support.recorder import Recorder
from support.threaded import url_of
from wscore import (
    Endpoint,
)
from wscore._typing import override
from wscore_threading import Session, connect, serve


def test_connect_comes_first_then_messages_in_order_then_close_once() -> None:
    recorder = Recorder()
    with serve(recorder, "127.0.0.1") as server, connect(url_of(server)) as session:
        for number in range(100):
            session.send(str(number))
        session.close(4001, "enough")
        recorder.wait_for("close")
    messages = [("message", str(number)) for number in range(100)]
    assert recorder.calls == [("connect",), *messages, ("close", 4001, "enough")]
    assert len(recorder.threads) == 1


def test_one_hook_at_a_time_and_no_message_before_connect_has_returned() -> None:
    may_return = threading.Event()
    inside: list[str] = []
    overlaps: list[str] = []
    done = threading.Event()

    class Careful(Endpoint):
        """Notes when a hook begins before another has returned."""

        def _enter(self, name: str) -> None:
            if inside:
                overlaps.append(name)
            inside.append(name)

        @override
        def on_connect(self, session: Session) -> None:
            self._enter("connect")
            may_return.wait(PATIENCE)
            inside.clear()

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            self._enter("message")
            session.ping()  # waits, and drives the connection
            inside.clear()

        @override
        def on_close(self, session: Session, code: int, reason: str) -> None:
            self._enter("close")
            done.set()

    with serve(Careful(), "127.0.0.1") as server, connect(url_of(server)) as session:
        for _ in range(10):
            session.send("x")
        may_return.set()
        with pytest.raises(TimeoutError):
            session.recv(timeout=0.1)  # answers the pings meanwhile
        iterating = background(lambda: list(session))
        eventually(lambda: session.stats.pings_received == 10)
        session.close()
        assert iterating.result() == [] and done.wait(PATIENCE)
    assert overlaps == []
