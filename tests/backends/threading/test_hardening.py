"""What an attacker tried: sessions that would never end, clocks that stop, handlers that leave oddly."""

import threading

import pytest

from support.eventually import PATIENCE, background, eventually
from support.handshakes import request
from support.raw import dial, dial_upgraded
from support.stopwatch import within
from support.threaded import client_of_raw_server, echo_server, pair, url_of
from support.wire import TEXT, frame
from wscore import (
    BatchMode,
    Closed,
    Config,
    ConnectionClosed,
    Endpoint,
    Handler,
    Limits,
    Request,
    State,
    Timeouts,
)
from wscore._typing import override
from wscore_threading import Session, connect, serve

SMALL = Config(limits=Limits(inbox_high=1000, inbox_low=100), timeouts=Timeouts(close=2.0))


def receive_for_ever(session: Session) -> None:
    """Receive until there is nothing more."""
    while True:
        session.recv(PATIENCE)


def test_a_lost_peer_ends_a_session_whose_inbox_is_full_and_whose_handler_only_sends() -> None:
    ended = threading.Event()

    def talk(session: Session) -> None:
        try:
            while True:
                session.send("tick")
                threading.Event().wait(0.01)
        finally:
            ended.set()

    with serve(talk, "127.0.0.1", config=SMALL) as server, dial_upgraded(server.port) as peer:
        peer.send(frame(TEXT, b"x" * 5000, masked=True) * 4)
        eventually(lambda: server.sessions)
        peer.reset()
        assert ended.wait(PATIENCE)
        eventually(lambda: not server.sessions)


def test_abort_settles_a_session_whose_inbox_is_full() -> None:
    with client_of_raw_server(SMALL) as (session, peer):
        peer.send(frame(TEXT, b"x" * 5000, masked=False) * 4)
        eventually(lambda: session._link.core.events_waiting)
        waiting = background(lambda: session.ping(timeout=None))
        session.abort()
        with pytest.raises(ConnectionClosed):
            waiting.result()
        assert session.closed is not None and session.closed.code == 1006
        with pytest.raises(ConnectionClosed):
            session.send("too late")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_handler_that_leaves_by_system_exit_ends_its_connection() -> None:
    def leave(session: Session) -> None:
        raise SystemExit

    with serve(leave, "127.0.0.1") as server, connect(url_of(server)) as session:
        event = session.next_event(PATIENCE)
        assert isinstance(event, Closed) and event.code == 1006


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_request_that_leaves_by_system_exit_ends_its_connection() -> None:
    def leave(request: Request) -> None:
        raise SystemExit

    with serve(Talker, "127.0.0.1", process_request=leave) as server, dial(server.port) as peer:
        peer.send(request())
        with within(2.0):  # much less than Timeouts.open
            assert peer.is_lost()
    assert not server.sessions


def _message_at_hand(session: Session) -> str | bytes:
    """Receive without waiting; "" when there is nothing."""
    try:
        return session.recv(timeout=0)
    except TimeoutError:
        return ""


def test_recv_without_any_time_looks_at_what_is_there() -> None:
    with pair() as (ours, theirs):
        theirs.send("here")
        with within(0.2):  # sooner than anybody else would have read
            eventually(lambda: _message_at_hand(ours) == "here")


def test_a_ping_takes_along_what_batch_mode_on_holds() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        session.batch_mode = BatchMode.ON
        session.send("held")
        assert session.ping(timeout=PATIENCE) >= 0
        assert session.recv(PATIENCE) == "held"


class Talker(Endpoint):
    """Answers every message twice."""

    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        """Send, whatever else happens."""
        session.send(message)
        session.send(message)


def talk(session: Session) -> None:
    """Send without end."""
    while True:
        session.send("tick")


@pytest.mark.parametrize("handler", [Talker, talk])
def test_a_handler_that_sends_while_somebody_else_closes_is_no_error(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(handler, "127.0.0.1") as server, connect(url_of(server)) as session:
        for _ in range(100):
            session.send("hello")
        session.recv(PATIENCE)
        background(server.shutdown)
        with pytest.raises(ConnectionClosed):
            receive_for_ever(session)
    assert session.state is State.CLOSED
    assert "raised" not in caplog.text
