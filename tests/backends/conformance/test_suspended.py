"""Who suspends a session and never resumes it hears of its end all the same, and nobody waits for ever."""

from typing import Any

import pytest

from support.conformance.frames import frame_from, frames_from
from support.conformance.setting import Setting
from support.eventually import background, eventually
from support.recorder import Recorder
from support.wire import CLOSE, TEXT, status
from wscore import Endpoint
from wscore._typing import override


class Suspended(Endpoint):
    """Wants no events, and keeps those that come."""

    def __init__(self) -> None:
        self.recorder = Recorder()

    @override
    def on_connect(self, session: Any) -> None:
        session.suspend()
        self.recorder.on_connect(session)

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.suspend()  # once more
        self.recorder.on_message(session, message)

    @override
    def on_error(self, session: Any, error: Exception) -> None:
        self.recorder.on_error(session, error)

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self.recorder.on_close(session, code, reason)


@pytest.mark.parametrize("answers", [False, True])
def test_a_server_that_is_shut_down_brings_everything_to_its_end(completed: Setting, answers: bool) -> None:
    endpoint = Suspended()
    with completed.serve(endpoint=endpoint) as served, completed.dial(served.port) as peer:
        peer.send_frame(TEXT, b"waits")
        endpoint.recorder.wait_for("connect")
        stopping = background(lambda: served.shutdown(timeout=0.3))
        assert peer.read_close() == 1001
        if answers:
            peer.send_close(1001)
        stopping.result()
        endpoint.recorder.wait_for("close")
    names = [name for name in endpoint.recorder.names if name != "error"]
    assert names in (["connect", "message", "close"], ["connect", "close"]), names


def test_abort_brings_everything_to_its_end(completed_client: Setting) -> None:
    endpoint = Suspended()
    with completed_client.accept_client(endpoint=endpoint) as (session, peer):
        endpoint.recorder.wait_for("connect")
        peer.send(frames_from(completed_client, TEXT, b"waits"))
        eventually(lambda: session.stats.messages_received)
        session.abort()
        endpoint.recorder.wait_for("close")
    assert endpoint.recorder.names == ["connect", "message", "error", "close"]


def test_abort_after_the_end_brings_what_still_waits(completed_client: Setting) -> None:
    endpoint = Suspended()
    with completed_client.accept_client(endpoint=endpoint) as (session, peer):
        endpoint.recorder.wait_for("connect")
        peer.send(frames_from(completed_client, TEXT, b"waits"))
        peer.send(frame_from(completed_client, CLOSE, status(1000)))
        peer.read_close()
        peer.close()
        eventually(lambda: session.closed is not None)
        session.abort()
        endpoint.recorder.wait_for("close")
    assert endpoint.recorder.names == ["connect", "message", "close"]
    assert endpoint.recorder.calls[-1] == ("close", 1000, "")
