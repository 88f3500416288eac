"""What the threaded backend cannot do is said, and costs nobody else anything."""

import threading

import pytest

import wscore_threading
from support.eventually import eventually
from support.raw import dial_upgraded
from support.recorder import Recorder
from wscore import ConnectionClosed, Endpoint, LocalProtocolError
from wscore.policy import Accept
from wscore_threading import Session


def test_a_coroutine_function_that_a_request_brought_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def wait(session: Session) -> None:
        raise AssertionError("nobody runs this")

    def decide(request: object) -> Accept:
        return Accept(handler=wait)

    with (
        wscore_threading.serve(Endpoint, "127.0.0.1", process_request=decide) as server,
        dial_upgraded(server.port) as peer,
    ):
        assert peer.read_close() == 1011
        peer.send_close(1011)
    assert "coroutine" in caplog.text


def test_without_a_thread_for_its_endpoint_a_connection_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("wscore-client"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with wscore_threading.serve(Endpoint, "127.0.0.1") as server:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            wscore_threading.connect(f"ws://127.0.0.1:{server.port}/", Endpoint)
        eventually(lambda: not server.sessions)


def test_a_message_in_parts_cannot_hold_another_one() -> None:
    def hold_another(session: Session) -> None:
        def parts() -> list[str]:
            session.send_fragments(["b"])
            return ["a"]

        with pytest.raises(LocalProtocolError, match="cannot hold"):
            session.send_fragments(part for _ in "x" for part in parts())
        session.send("alive")

    with (
        wscore_threading.serve(hold_another, "127.0.0.1") as server,
        wscore_threading.connect(f"ws://127.0.0.1:{server.port}/") as session,
    ):
        assert session.recv(timeout=20) == "alive"


def test_who_aborts_resets_the_connection() -> None:
    recorder = Recorder()
    with (
        wscore_threading.serve(recorder, "127.0.0.1") as server,
        dial_upgraded(server.port) as peer,
    ):
        recorder.wait_for("connect")
        recorder.session.abort()
        with pytest.raises(ConnectionResetError):
            peer.read_to_end()


def test_leaving_brings_everything_to_an_endpoint_that_is_suspended() -> None:
    def greet(session: Session) -> None:
        session.send("hello")
        with pytest.raises(ConnectionClosed):
            session.recv()

    recorder = Recorder()
    with (
        wscore_threading.serve(greet, "127.0.0.1") as server,
        wscore_threading.connect(f"ws://127.0.0.1:{server.port}/", recorder) as session,
    ):
        session.suspend()
        eventually(lambda: session.stats.messages_received == 1)
    assert recorder.names[-1] == "close" and "message" in recorder.names
