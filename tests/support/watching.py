"""A `Watch` on its own: what was noted, what is armed, and what becomes of a timer that fires."""

from collections.abc import Callable
from typing import TypeAlias

from support.clock import only
from wscore._keepalive import Ping
from wscore._lifecycle import State
from wscore._timers import Timer
from wscore._watch import Verdict, Watch

Armed: TypeAlias = dict[Timer, float]
Marks: TypeAlias = Callable[[Watch], object]


def watch(now: float = 0.0, **timeouts: float) -> Watch:
    """Return a watch in which nothing but these times out."""
    return Watch(only(**timeouts).timeouts, now)


def armed(watched: Watch) -> Armed:
    """Return every deadline, found by letting the watch live through all of them; it is left as it was."""
    found = Armed()
    while (deadline := watched.next_deadline()) is not None:
        timer = watched.pop_expired(deadline)
        assert timer is not None and timer not in found
        found[timer] = deadline
    for timer, deadline in found.items():
        watched._timers.arm(timer, deadline)
    return found


def give(
    watched: Watch,
    now: float,
    *,
    state: State = State.OPEN,
    close_included: bool = False,
    data_included: bool = False,
    paused: bool = False,
    half_close_missing: bool = False,
) -> None:
    """Give output to the wire, as a connection does."""
    if close_included:
        watched.restart_close()
    if watched.keepalive.unsent:
        watched.note_ping_given(now, state=state, paused=paused)
    watched.note_given(now, data_included=data_included)
    watched.note_ending(now, state=state, half_close_missing=half_close_missing)


def send_ping(watched: Watch, *, automatic: bool = True) -> None:
    """Queue a ping."""
    watched.keepalive.remember(Ping(b"ping", automatic=automatic))


def fire(
    watched: Watch,
    timer: Timer,
    now: float,
    *,
    state: State = State.OPEN,
    paused: bool = False,
    given: int = 0,
    idle: bool = True,
) -> Verdict:
    """Let timer fire, which must be the next one, and return the verdict."""
    assert watched.pop_expired(now) is timer
    return watched.judge(timer, now, state=state, paused=paused, given=given, idle=idle)


def noting(*marks: Marks) -> Marks:
    """Return one mark that is many."""
    return lambda watched: [mark(watched) for mark in marks]


def nothing(_: Watch) -> None:
    """Leave no mark."""


def data(now: float) -> Marks:
    """A piece of a message came."""
    return lambda watched: watched.note_data(now)


def progress(now: float) -> Marks:
    """Output moved."""
    return lambda watched: watched.note_progress(now)


def given(now: float, *, data_included: bool = False) -> Marks:
    """Output was given to the wire."""
    return lambda watched: give(watched, now, data_included=data_included)


def departed(now: float) -> Marks:
    """All output has left."""
    return lambda watched: watched.note_departed(now)


def byte(now: float) -> Marks:
    """Anything came."""
    return lambda watched: watched.keepalive.note_received(now)


def pause(watched: Watch) -> None:
    """We did not read for a while."""
    watched.keepalive.was_paused = True
