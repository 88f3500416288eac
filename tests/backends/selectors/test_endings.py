"""The end of a reactor, of one of its shutdowns, and of what connects again and again."""

from collections.abc import Callable
from typing import Any

import pytest

from support.raw import RawListener
from support.recorder import Recorder
from support.wire import TEXT, frame
from wscore import Endpoint
from wscore._typing import override
from wscore.policy import Backoff

from .conftest import Stage


def test_close_brings_everything_that_waits_however_much_that_is(stage: Stage) -> None:
    recorder = Recorder()
    peer, session = stage.peer_of(recorder)
    session.suspend()
    peer.send(frame(TEXT, b"", masked=True) * 1020)
    stage.drive(lambda: session.stats.messages_received == 1020)
    stage.reactor.close()
    assert recorder.names == ["connect", *["message"] * 1020, "error", "close"]


class _Suspended(Recorder):
    """Wants to hear of nothing, again and again."""

    @override
    def on_connect(self, session: Any) -> None:
        super().on_connect(session)
        session.suspend()

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        super().on_message(session, message)
        session.suspend()


def _shut_server_down(stage: Stage) -> None:
    stage.reactor._servers[0].shutdown(timeout=0.05)


def _shut_down(stage: Stage) -> None:
    stage.reactor.shutdown(timeout=0.05)


def _close(stage: Stage) -> None:
    stage.reactor.close()


@pytest.mark.parametrize("closes_first", [False, True])
@pytest.mark.parametrize("end", [_shut_server_down, _shut_down, _close])
def test_a_suspended_session_hears_once_of_an_end_by_force(
    stage: Stage, end: Callable[[Stage], None], closes_first: bool
) -> None:
    recorder = _Suspended()
    peer, session = stage.peer_of(recorder)
    peer.send(frame(TEXT, b"one", masked=True) + frame(TEXT, b"two", masked=True))
    if closes_first:
        peer.send_close(1000)
    stage.drive(lambda: session.stats.messages_received == 2)
    stage.turns(3)
    end(stage)
    if end is not _close:
        stage.drive(lambda: stage.reactor.idle or stage.reactor._servers[0].closed)
    assert [name for name in recorder.names if name != "error"] == ["connect", "message", "message", "close"]


def test_a_client_that_is_suspended_hears_of_a_shutdown(stage: Stage) -> None:
    suspended = _Suspended()
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    stage.reactor.connect(f"ws://127.0.0.1:{server.port}", suspended)
    stage.drive(lambda: suspended.session is not None)
    stage.reactor.shutdown(timeout=0.05)
    stage.drive(lambda: stage.reactor.idle)
    assert suspended.names.count("close") == 1


def test_close_in_a_hook_is_refused_and_changes_nothing(stage: Stage) -> None:
    refused: list[str] = []

    recorder = Recorder(replies=True)
    peer, _ = stage.peer_of(recorder)

    def close() -> None:
        try:
            stage.reactor.close()
        except RuntimeError as error:
            refused.append(str(error))

    stage.reactor.call_later(0, close)
    stage.drive(lambda: refused)
    peer.send(frame(TEXT, b"still here", masked=True))
    stage.drive(lambda: "message" in recorder.names)
    assert peer.read_frame() == (0x80 | TEXT, b"still here")


def test_a_shutdown_that_is_over_aborts_nothing_that_begins_later(stage: Stage) -> None:
    first, second = Recorder(), Recorder()
    stage.peer_of(first)
    stage.reactor.shutdown(timeout=0.1)
    stage.drive(lambda: stage.reactor.idle)
    stage.peer_of(second)
    passed: list[bool] = []
    stage.reactor.call_later(0.3, passed.append, True)
    stage.drive(lambda: passed)
    assert second.names == ["connect"]


@pytest.mark.parametrize("again", [False, True])
def test_a_shutdown_spares_what_begins_while_it_is_under_way(stage: Stage, again: bool) -> None:
    first, second, client = Recorder(), Recorder(), Recorder()
    stage.peer_of(first)  # it will not answer the Close
    stage.reactor.shutdown(timeout=0.2)
    if again:
        stage.reactor.shutdown(timeout=0)
    server = stage.reactor.serve(second, "127.0.0.1")
    stage.reactor.connect(f"ws://127.0.0.1:{server.port}", client)
    passed: list[bool] = []
    stage.reactor.call_later(0.4, passed.append, True)
    stage.drive(lambda: passed)
    assert first.names[-1] == "close"
    assert second.names == client.names == ["connect"]


@pytest.mark.parametrize("fault", ["endpoint", "retry"])
def test_reconnecting_ends_with_what_the_application_raised(stage: Stage, fault: str) -> None:
    class Once(Endpoint):
        """Can be made a single time."""

        number = 0

        def __init__(self) -> None:
            type(self).number += 1
            if fault == "endpoint" and self.number > 1:
                raise ValueError("no more")

        @override
        def on_connect(self, session: Any) -> None:
            session.abort()

    def judge(error: BaseException) -> bool:
        raise ValueError("no idea")

    errors: list[Exception] = []
    backoff = Backoff(0.001, chance=lambda: 0.0)
    options: dict[str, Any] = {"backoff": backoff, "retry": judge, "on_failure": errors.append}
    if fault == "endpoint":
        server = stage.reactor.serve(Recorder(), "127.0.0.1")
        url = f"ws://127.0.0.1:{server.port}"
        stage.reactor.reconnect(url, Once, **options)
    else:
        with RawListener() as listener:
            url = listener.url
        stage.reactor.reconnect(url, Once, **options)
    stage.drive(lambda: errors)
    assert [str(error) for error in errors] == ["no more" if fault == "endpoint" else "no idea"]
    stage.reactor.shutdown(timeout=0)
    stage.drive(lambda: stage.reactor.idle)
