"""Ctrl-C, and a program that goes on: what the loop was about to do is done in the next turn, and once.

Python looks for signals when a function begins and when a call has returned. A profiling function is called
at the same places, so that a test can raise at each of them, one after the other.
"""

import sys
from collections.abc import Callable
from itertools import count
from select import select
from types import FrameType
from typing import Any

from support.build import only_pure
from support.recorder import Recorder
from support.wire import TEXT
from wscore_selectors import _loop

from .conftest import Stage

pytestmark = only_pure("compiled code has no such places")


def _interrupted(number: int, act: Callable[[], object]) -> bool:
    """Act, and interrupt the loop's own code at the place of that number; False: there are not so many."""
    places = count(1)

    def look(frame: FrameType | None, event: str, argument: object) -> None:
        if event == "return" and frame is not None:
            frame = frame.f_back  # its caller goes on
        if frame is None or event == "c_call" or frame.f_code.co_filename != _loop.__file__:
            return
        if next(places) == number:
            raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(before)
    return False


def test_an_interrupt_of_a_turn_loses_no_call_no_timer_and_no_event(stage: Stage) -> None:
    recorder = Recorder()
    peer, session = stage.peer_of(recorder)
    for number in count(1):
        made: list[str] = []
        session.suspend()
        peer.send_frame(TEXT, b"event")
        stage.drive(lambda: session.stats.messages_received == number)  # noqa: B023
        session.resume()
        stage.reactor.call_soon_threadsafe(made.append, "call")
        stage.reactor.call_later(0, made.append, "timer")
        interrupted = _interrupted(number, lambda: stage.reactor.run_once(0))
        stage.turns(3)
        assert sorted(made) == ["call", "timer"], number
        assert recorder.names == ["connect", *["message"] * number]
        if not interrupted:
            break
    assert number > 20, "there are more places than that"


def test_an_interrupt_of_a_call_that_wakes_the_reactor_does_not_make_it_deaf(stage: Stage) -> None:
    made: list[Any] = []
    for number in count(1):
        interrupted = _interrupted(number, lambda: stage.reactor.call_soon_threadsafe(made.append, 1))
        stage.turns(2)
        stage.reactor.call_soon_threadsafe(made.append, 2)
        assert select([stage.reactor.fileno()], [], [], 1.0)[0], number
        stage.turns(1)
        assert made.pop() == 2
        if not interrupted:
            break
    assert number > 3, "there are more places than that"
