"""The end of a reactor, of one of its shutdowns, and of what connects again and again."""

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
