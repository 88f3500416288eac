"""How a session ends in the hands of a handler or a with block; the rest is in the conformance suite."""

import threading

import pytest

from support.eventually import PATIENCE
from support.raw import dial_upgraded
from support.stopwatch import within
from support.threaded import url_of
from wscore import (
    CloseCode,
    Config,
    Timeouts,
)
from wscore_threading import Session, connect, serve


def test_leaving_the_with_block_closes_with_1000_and_an_error_with_1011() -> None:
    codes: list[int] = []

    def note(session: Session) -> None:
        assert list(session) == []
        assert session.closed is not None
        codes.append(session.closed.code)

    with serve(note, "127.0.0.1") as server:
        with connect(url_of(server)):
            pass
        with pytest.raises(ZeroDivisionError), connect(url_of(server)) as session:
            session.user_data = 1 // 0
    assert codes == [CloseCode.NORMAL_CLOSURE, CloseCode.INTERNAL_ERROR]


def test_a_server_that_waits_for_nobody_in_vain_ends_its_handler_too() -> None:
    ended = threading.Event()

    def handler(session: Session) -> None:
        session.close()
        ended.set()

    config = Config(timeouts=Timeouts(close=0.5))
    with serve(handler, "127.0.0.1", config=config) as server, dial_upgraded(server.port) as peer:
        with within(0.5 + 0.5):
            assert ended.wait(PATIENCE)
        assert peer.read_close() == 1000
        assert peer.is_lost()
