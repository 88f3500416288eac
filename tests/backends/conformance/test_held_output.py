"""Batch mode ON: an application may hold back what it has to say, not what the connection has to say."""

from typing import Any

import pytest

from support.conformance.frames import frames_from
from support.conformance.setting import Setting
from support.wire import CLOSE, PING, PONG, TEXT, frame, status
from wscore import BatchMode, Endpoint
from wscore._typing import override


class Holding(Endpoint):
    """Answers, and flushes never."""

    @override
    def on_connect(self, session: Any) -> None:
        session.batch_mode = BatchMode.ON

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(f"re: {message!s}")


def test_the_answer_to_a_close_leaves_and_takes_along_what_is_held(completed: Setting) -> None:
    with completed.run(Holding()) as peer:
        wire = frame(TEXT, b"hi", masked=completed.masks) + frame(CLOSE, status(1000), masked=completed.masks)
        peer.send(wire)
        assert peer.read_frame() == (0x80 | TEXT, b"re: hi")
        assert peer.read_close() == 1000


def test_the_close_for_a_broken_rule_leaves_and_takes_along_what_is_held(completed: Setting) -> None:
    with completed.run(Holding()) as peer:
        peer.send(frame(TEXT, b"hi", masked=completed.masks) + frame(3, b"", masked=completed.masks))
        assert peer.read_frame() == (0x80 | TEXT, b"re: hi")
        assert peer.read_close() == 1002


@pytest.mark.parametrize("order", ["message first", "ping first"])
def test_a_pong_is_not_held(completed: Setting, order: str) -> None:
    with completed.run(Holding()) as peer:
        message = frame(TEXT, b"hi", masked=completed.masks)
        ping = frame(PING, b"?", masked=completed.masks)
        peer.send(message + ping if order == "message first" else ping + message)
        first = peer.read_frame()
        assert (0x80 | PONG, b"?") in (first, first if first[0] == 0x80 | PONG else peer.read_frame())


def test_who_holds_no_longer_sends_what_was_held(completed: Setting) -> None:
    class Changing(Holding):
        """Thinks better of it."""

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            session.send("one")
            session.batch_mode = BatchMode.AUTO
            session.send("two")

    with completed.run(Changing()) as peer:
        peer.send(frames_from(completed, TEXT, b"go"))
        assert [peer.read_frame()[1] for _ in range(2)] == [b"one", b"two"]
