"""The loop: timers, calls of other threads, turns, and the end."""

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from support.eventually import background, stays
from support.recorder import Recorder
from support.stopwatch import within
from wscore import Endpoint
from wscore._typing import override
from wscore_selectors import Reactor, TimerHandle, _loop
from wscore_selectors._timers import Timers

from .conftest import Stage


def _nothing() -> None:
    """Do nothing."""


# Timers.


def test_timers_fire_in_the_order_of_their_moments_and_those_of_one_moment_in_the_order_of_setting(
    stage: Stage,
) -> None:
    fired: list[int] = []
    now = monotonic()
    for when, number in ((0.02, 4), (0.0, 1), (0.01, 3), (0.0, 2)):
        stage.reactor.call_at(now + when, fired.append, number)
    stage.drive(lambda: len(fired) == 4)
    assert fired == [1, 2, 3, 4]


def test_a_timer_never_fires_early(stage: Stage) -> None:
    fired: list[float] = []
    due = monotonic() + 0.02
    stage.reactor.call_at(due, lambda: fired.append(monotonic()))
    stage.drive(lambda: fired)
    assert fired[0] >= due


def test_a_cancelled_timer_does_not_fire_even_if_it_is_due_in_the_same_turn(stage: Stage) -> None:
    fired: list[str] = []
    timers: dict[str, TimerHandle] = {}

    def cancel() -> None:
        timers["second"].cancel()

    now = monotonic()
    stage.reactor.call_at(now, cancel)
    timers["second"] = stage.reactor.call_at(now, fired.append, "cancelled")
    stage.reactor.call_at(now, fired.append, "last")
    stage.turns(1)
    assert fired == ["last"]
    assert timers["second"].cancelled
    cancel()  # harmless


def test_a_timer_that_sets_itself_again_for_now_lets_the_others_have_their_turn(stage: Stage) -> None:
    fired: list[int] = []

    def again() -> None:
        fired.append(1)
        stage.reactor.call_later(-1, again)

    again()
    stage.turns(3)
    assert len(fired) == 4


def test_a_cancelled_timer_lets_go_at_once_of_what_it_was_to_be_called_with(stage: Stage) -> None:
    class Big:
        """What must not be kept."""

    big = Big()
    gone = weakref.ref(big)
    stage.reactor.call_later(3600, _take_one, big).cancel()
    del big
    gc.collect()
    assert gone() is None


def test_timers_that_are_set_and_cancelled_for_ever_do_not_fill_the_heap() -> None:
    timers = Timers()
    for _ in range(10_000):
        timers.add(1e9, _nothing).cancel()
    assert len(timers) < 200
    timers.add(5.0, _nothing)
    assert timers.next_deadline() == 5.0


def _take_one(one: object) -> None:
    """Do nothing with it."""


def test_the_next_deadline_is_that_of_the_earliest_timer_and_now_while_calls_wait(stage: Stage) -> None:
    assert stage.reactor.next_deadline() is None
    stage.reactor.call_at(7e9, _nothing)
    early = stage.reactor.call_at(6e9, _nothing)
    assert stage.reactor.next_deadline() == 6e9
    early.cancel()
    assert stage.reactor.next_deadline() == 7e9
    stage.reactor.call_soon_threadsafe(_nothing)
    deadline = stage.reactor.next_deadline()
    assert deadline is not None and deadline <= monotonic()


# Turns.


def test_a_turn_without_time_does_not_wait_and_one_with_time_waits_no_longer_than_that(stage: Stage) -> None:
    stage.turns(1)
    with within(1.0):
        stage.reactor.run_once(0)
    begun = monotonic()
    stage.reactor.run_once(0.05)
    assert monotonic() - begun >= 0.045


@pytest.mark.parametrize("seconds", [30 * 86_400.0, 1e12, float("inf")])
def test_a_wait_for_weeks_is_no_longer_than_the_kernel_can_count(stage: Stage, seconds: float) -> None:
    timer = stage.reactor.call_later(seconds, _nothing)
    for timeout in (None, seconds):
        stage.reactor.call_soon_threadsafe(_nothing)
        stage.turns(1)
        waiting = background(lambda: stage.reactor.run_once(timeout))  # noqa: B023
        stays(lambda: not waiting.done, 0.02)  # noqa: B023
        stage.reactor.call_soon_threadsafe(timer.cancel)
        waiting.result()


def test_a_call_that_raises_is_logged_and_the_others_are_made(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []

    def broken() -> None:
        raise ZeroDivisionError

    for call in (broken, lambda: made.append(1)):
        stage.reactor.call_soon_threadsafe(call)
        stage.reactor.call_later(0, call)
    with caplog.at_level(logging.ERROR, "wscore_selectors"):
        stage.drive(lambda: len(made) == 2)
    assert [record.message for record in caplog.records] == ["a call raised"] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_a_turn_and_nothing_is_lost_by_that(
    stage: Stage, error: type[BaseException]
) -> None:
    made: list[int] = []

    def end() -> None:
        raise error

    stage.reactor.call_soon_threadsafe(end)
    stage.reactor.call_soon_threadsafe(made.append, 1)
    with pytest.raises(error):
        stage.reactor.run()
    stage.turns(1)
    assert made == [1]


def test_run_ends_after_stop_and_can_be_called_again(stage: Stage) -> None:
    for _ in range(2):
        running = background(stage.reactor.run)
        stays(lambda: not running.done, 0.02)  # noqa: B023
        stage.reactor.stop()  # from another thread
        running.result()


def test_a_hook_cannot_take_a_turn_nor_close_the_reactor(stage: Stage) -> None:
    errors: list[RuntimeError] = []

    def attempt(call: Callable[[], object]) -> None:
        try:
            call()
        except RuntimeError as error:
            errors.append(error)

    for call in (stage.reactor.run_once, stage.reactor.run, stage.reactor.close):
        stage.reactor.call_soon_threadsafe(attempt, call)
    stage.turns(1)
    assert len(errors) == 3
    stage.turns(1)  # and it works as before


# Other threads.


def test_calls_of_many_threads_are_all_made_in_the_thread_of_the_reactor_and_in_their_order(
    stage: Stage,
) -> None:
    made: list[tuple[int, int, threading.Thread]] = []

    def note(thread: int, number: int) -> None:
        made.append((thread, number, threading.current_thread()))

    def post(thread: int) -> None:
        for number in range(500):
            stage.reactor.call_soon_threadsafe(note, thread, number)

    posting = [background(lambda thread=thread: post(thread)) for thread in range(8)]  # type: ignore[misc]
    stage.drive(lambda: len(made) == 8 * 500)
    for each in posting:
        each.result()
    for thread in range(8):
        assert [number for who, number, _ in made if who == thread] == list(range(500))
    assert {where for _, _, where in made} == {threading.current_thread()}


def test_a_call_of_another_thread_ends_a_wait(stage: Stage) -> None:
    made: list[int] = []
    waiting = background(lambda: stage.reactor.run_once(60))
    stays(lambda: not waiting.done, 0.02)
    stage.reactor.call_soon_threadsafe(made.append, 1)
    waiting.result()
    assert made == [1]


def test_many_calls_between_two_turns_cost_one_byte(stage: Stage) -> None:
    """A full buffer would otherwise make whoever calls wait, or lose the call."""
    made: list[int] = []
    for number in range(100_000):
        stage.reactor.call_soon_threadsafe(made.append, number)
    stage.turns(1)
    assert len(made) == 100_000


# The end.


def test_closing_ends_sessions_of_both_sides_tells_the_endpoints_and_gives_all_descriptors_back() -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("there is nothing to count descriptors with")
    before = len(os.listdir("/proc/self/fd"))
    recorder, client, abandoned = Recorder(), Recorder(), Recorder()
    with Reactor() as reactor:
        server = reactor.serve(recorder, "127.0.0.1")
        reactor.connect(f"ws://127.0.0.1:{server.port}", client)
        while client.session is None:
            reactor.run_once(0.05)
        reactor.connect(f"ws://127.0.0.1:{server.port}", abandoned)
    assert recorder.names[-1] == client.names[-1] == "close"
    assert abandoned.calls == []
    assert len(os.listdir("/proc/self/fd")) == before
    reactor.close()  # harmless
    with pytest.raises(RuntimeError, match="closed"):
        reactor.run_once()
    with pytest.raises(RuntimeError, match="closed"):
        reactor.call_soon_threadsafe(_nothing)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_servers_and_clients_in_good_order(stage: Stage, number: signal.Signals) -> None:
    recorder = Recorder()
    session, client = stage.pair(recorder)
    before = signal.getsignal(number)
    stage.reactor.call_soon_threadsafe(os.kill, os.getpid(), number)
    stage.reactor.run_until_signal()
    assert signal.getsignal(number) is before
    assert session.closed is not None and session.closed.code == 1001 and session.closed.clean
    assert recorder.calls[-1][:2] == client.calls[-1][:2] == ("close", 1001)


def test_a_second_signal_cuts_the_good_order_short(stage: Stage) -> None:
    recorder = Recorder()
    _, session = stage.peer_of(recorder)  # a peer that will not answer the Close
    stage.reactor.call_soon_threadsafe(os.kill, os.getpid(), signal.SIGTERM)
    stage.reactor.call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
    with within(5):
        stage.reactor.run_until_signal(timeout=60)
    assert session.closed is not None and not session.closed.clean


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heeded_that_has_interrupted_another_thread(stage: Stage, number: signal.Signals) -> None:
    stage.reactor.serve(Recorder(), "127.0.0.1")
    stage.reactor.call_later(10, _nothing)  # or it might wait for ever
    elsewhere = threading.Timer(0.05, lambda: signal.pthread_kill(threading.get_ident(), number))
    elsewhere.start()
    with within(5):
        stage.reactor.run_until_signal()
    elsewhere.join()
    assert stage.reactor.idle


# What may serve.


class _Hooks(Endpoint):
    """An endpoint."""


def test_functions_of_the_session_are_refused_with_an_explanation(stage: Stage) -> None:
    def handler(session: Any) -> None:
        """Would wait."""

    with pytest.raises(TypeError, match="endpoints"):
        stage.reactor.serve(handler, "127.0.0.1")
    with pytest.raises(TypeError, match="endpoints"):
        stage.reactor.connect("ws://127.0.0.1:1", handler)
    assert stage.reactor.idle


@pytest.mark.parametrize("handler", [_Hooks, _Hooks(), Endpoint.factory(_Hooks)])
def test_an_endpoint_is_served_in_each_of_its_shapes(stage: Stage, handler: Any) -> None:
    session, _ = stage.pair(handler)
    assert session.remote_address[0] == "127.0.0.1"


def test_without_epoll_everything_works_through_the_selector(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Echo(Endpoint):
        """Sends everything back."""

        @override
        def on_message(self, session: Any, message: str | bytes) -> None:
            session.send(message)

    monkeypatch.setattr(_loop, "epoll", None)
    with Reactor() as reactor:
        stage.reactor, used = reactor, stage.reactor
        session, client = stage.pair(Echo)
        session.send(bytes(900_000))
        stage.drive(lambda: ("message", bytes(900_000)) in client.calls)
        session.close()
        stage.drive(lambda: client.names[-1] == "close")
        stage.reactor = used


# What is left behind.


def test_what_is_over_is_given_back_without_the_cycle_collector(stage: Stage) -> None:
    """A program that turns it off must not grow with every connection that it has served."""
    gc.collect()
    gc.disable()
    try:
        gone: list[weakref.ref[Any]] = []
        server = stage.reactor.serve(Endpoint, "127.0.0.1")
        for number in range(4):
            client = Recorder()
            stage.reactor.connect(f"ws://127.0.0.1:{server.port}", client)
            stage.drive(lambda: client.session is not None and server.sessions)  # noqa: B023
            gone += [weakref.ref(client.session), weakref.ref(server.sessions[0])]
            client.session.close() if number % 2 else client.session.abort()
            stage.drive(lambda: client.names[-1] == "close" and not server.sessions)  # noqa: B023
            client.session = None
        stage.turns(2)
        assert [reference() for reference in gone] == [None] * 8
    finally:
        gc.enable()


_FORKING = """
import os, socket
from support.raw import dial_upgraded
from support.eventually import background
from support.recorder import Recorder
from wscore_selectors import Reactor

reactor = Reactor()
server = reactor.serve(Recorder(replies=True), "127.0.0.1")
dialing = background(lambda: dial_upgraded(server.port))
while not dialing.done:
    reactor.run_once(0.01)
peer = dialing.result()
child = os.fork()
if child == 0:
    reactor.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
peer.send_frame(1, b"still here")
while not server.sessions[0].stats.messages_sent:
    reactor.run_once(0.01)
assert peer.read_frame() == (0x81, b"still here")
peer.close()
reactor.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_that_closes_the_reactor_takes_nothing_from_its_parent() -> None:
    path = os.pathsep.join(filter(None, sys.path))
    finished = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", _FORKING],
        env={**os.environ, "PYTHONPATH": path},
        timeout=60,
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()
