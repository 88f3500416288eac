"""What time does to a connection: every timer, from every mark, in tables of cases.

Each row is written from the descriptions of the timers, not from what the code does: what was noted and
when, what the connection looks like, and then the verdict and everything that is armed afterwards.
"""

from itertools import product

import pytest

from support.clock import OFF
from support.watching import (
    Armed,
    Marks,
    armed,
    byte,
    data,
    departed,
    fire,
    give,
    given,
    nothing,
    noting,
    pause,
    progress,
    send_ping,
    watch,
)
from wscore._config import Timeouts
from wscore._keepalive import Ping
from wscore._lifecycle import State
from wscore._timers import TIMERS, Timer
from wscore._watch import Verdict, Watch

BOTH = [False, True]


# What is armed, and when.


def test_a_new_connection_waits_for_the_end_of_its_opening_alone() -> None:
    everything = Timeouts(open=5, close=1, keepalive=1, pong=1, idle=1, lifetime=1, write_stall=1)
    assert armed(Watch(everything, 100.0)) == {Timer.OPEN: 105.0}
    assert armed(Watch(OFF, 100.0)) == {}


def test_an_opened_connection_has_the_deadlines_of_its_life() -> None:
    watched = watch(open=5, close=1, keepalive=20, pong=10, idle=30, lifetime=40, write_stall=50)
    watched.note_opened(2.0)
    assert armed(watched) == {Timer.KEEPALIVE: 22.0, Timer.IDLE: 32.0, Timer.LIFETIME: 42.0}


@pytest.mark.parametrize(
    ("timeouts", "expected"),
    [
        ({"keepalive": 20.0}, {Timer.KEEPALIVE: 22.0}),
        ({"idle": 30.0}, {Timer.IDLE: 32.0}),
        ({"lifetime": 40.0}, {Timer.LIFETIME: 42.0}),
        ({"open": 5.0, "pong": 5.0, "close": 5.0, "write_stall": 5.0}, {}),
    ],
)
def test_what_is_turned_off_is_not_armed(timeouts: dict[str, float], expected: Armed) -> None:
    watched = watch(**timeouts)
    watched.note_opened(2.0)
    assert armed(watched) == expected


GIVEN: dict[str, tuple[Marks, State, bool, Armed]] = {
    # what was noted, the state, is our Close included: what is armed behind output given at 10
    "output": (nothing, State.OPEN, False, {Timer.WRITE_STALL: 40.0}),
    "a request": (nothing, State.CONNECTING, False, {Timer.WRITE_STALL: 40.0}),
    "output behind other output": (
        given(4.0),
        State.OPEN,
        False,
        {Timer.WRITE_STALL: 34.0},  # traffic never moves a deadline
    ),
    "keepalive's ping": (send_ping, State.OPEN, False, {Timer.PONG: 20.0, Timer.WRITE_STALL: 40.0}),
    "a ping of the application": (
        lambda w: send_ping(w, automatic=False),
        State.OPEN,
        False,
        {Timer.WRITE_STALL: 40.0},
    ),
    "keepalive's ping, when the end has begun": (
        send_ping,
        State.LOCAL_CLOSING,
        True,
        {Timer.CLOSE: 17.0, Timer.WRITE_STALL: 40.0},
    ),
    "our Close": (nothing, State.LOCAL_CLOSING, True, {Timer.CLOSE: 17.0, Timer.WRITE_STALL: 40.0}),
    "our Close, which waited since 4": (
        lambda w: w.note_ending(4.0, state=State.LOCAL_CLOSING, half_close_missing=False),
        State.LOCAL_CLOSING,
        True,
        {Timer.CLOSE: 17.0, Timer.WRITE_STALL: 40.0},  # it counts from when it was given out
    ),
    "our answer, which ends everything": (
        lambda w: w.note_ending(9.5, state=State.REMOTE_CLOSING, half_close_missing=False),
        State.DRAINING,
        True,
        {Timer.CLOSE: 17.0, Timer.WRITE_STALL: 40.0},
    ),
    "what waited behind our Close": (
        lambda w: w.note_ending(4.0, state=State.LOCAL_CLOSING, half_close_missing=False),
        State.LOCAL_CLOSING,
        False,
        {Timer.CLOSE: 11.0, Timer.WRITE_STALL: 40.0},
    ),
    "replies before a Close that waits": (
        lambda w: w.note_ending(9.5, state=State.REMOTE_CLOSING, half_close_missing=False),
        State.REMOTE_CLOSING,
        False,
        {Timer.CLOSE: 10.5, Timer.WRITE_STALL: 40.0},
    ),
}


@pytest.mark.parametrize(("marks", "state", "close", "expected"), GIVEN.values(), ids=GIVEN.keys())
def test_output_that_is_given_out_is_watched(
    marks: Marks, state: State, close: bool, expected: Armed
) -> None:
    watched = watch(pong=10, close=7, write_stall=30)
    marks(watched)
    give(watched, 10.0, state=state, close_included=close)
    assert armed(watched) == expected


def test_a_refusal_that_is_given_out_does_not_linger_where_fin_cannot_be_sent() -> None:
    watched = watch(close=7)
    give(watched, 10.0, state=State.DRAINING, half_close_missing=True)
    assert armed(watched) == {Timer.CLOSE: 11.0}


@pytest.mark.parametrize("state", list(State))
def test_where_everything_is_off_output_arms_nothing_but_the_answer_to_a_close(state: State) -> None:
    watched = Watch(OFF, 0.0)
    send_ping(watched)
    give(watched, 10.0, state=state)
    assert armed(watched) == ({Timer.CLOSE: 11.0} if state is State.REMOTE_CLOSING else {})


ENDINGS: list[tuple[State, bool, float | None, Armed]] = [
    # the state, can FIN not be sent, the close timeout: what is armed at 10
    (State.CONNECTING, False, 7.0, {}),
    (State.OPEN, False, 7.0, {}),
    (State.CLOSED, False, 7.0, {}),
    (State.REMOTE_CLOSING, False, 7.0, {Timer.CLOSE: 11.0}),  # a second, whatever the timeout says
    (State.REMOTE_CLOSING, False, 0.25, {Timer.CLOSE: 11.0}),
    (State.REMOTE_CLOSING, False, None, {Timer.CLOSE: 11.0}),
    (State.LOCAL_CLOSING, False, 7.0, {Timer.CLOSE: 17.0}),
    (State.LOCAL_CLOSING, False, None, {}),
    (State.DRAINING, False, 7.0, {Timer.CLOSE: 17.0}),
    (State.DRAINING, False, None, {}),
    (State.DRAINING, True, 7.0, {Timer.CLOSE: 11.0}),  # nobody sees that we have ended: do not wait long
    (State.DRAINING, True, None, {Timer.CLOSE: 11.0}),
]


@pytest.mark.parametrize(("state", "half_close_missing", "timeout", "expected"), ENDINGS)
def test_an_end_has_a_deadline_of_its_own(
    state: State, half_close_missing: bool, timeout: float | None, expected: Armed
) -> None:
    watched = watch(close=timeout) if timeout is not None else Watch(OFF, 0.0)
    watched.note_ending(10.0, state=state, half_close_missing=half_close_missing)
    assert armed(watched) == expected
    watched.note_ending(10.5, state=State.LOCAL_CLOSING, half_close_missing=False)
    expected = expected or ({} if timeout is None else {Timer.CLOSE: 10.5 + timeout})
    assert armed(watched) == expected  # the first one counts


@pytest.mark.parametrize(
    ("automatic", "payload", "answered", "expected"),
    [
        (True, b"ping", True, {Timer.WRITE_STALL: 30.0}),  # nothing left to wake up for
        (True, b"other", False, {Timer.PONG: 10.0, Timer.WRITE_STALL: 30.0}),
        (False, b"ping", True, {Timer.WRITE_STALL: 30.0}),
    ],
)
def test_the_pong_of_keepalives_own_ping_ends_the_wait_for_it(
    automatic: bool, payload: bytes, answered: bool, expected: Armed
) -> None:
    watched = watch(pong=10, write_stall=30)
    send_ping(watched, automatic=automatic)
    give(watched, 0.0)
    ping = watched.receive_pong(payload, 1.5)
    assert (ping is not None, ping and ping.latency) == (answered, 1.5 if answered else None)
    assert armed(watched) == expected


def test_the_pong_of_an_applications_ping_leaves_keepalives_wait_alone() -> None:
    watched = watch(pong=10)
    watched.keepalive.remember(Ping(b"theirs", automatic=False))
    send_ping(watched)
    give(watched, 0.0)
    ping = watched.receive_pong(b"theirs", 1.0)
    assert ping is not None and ping.latency == 1.0
    assert armed(watched)[Timer.PONG] == 10.0


def test_when_the_end_begins_only_output_is_watched_further() -> None:
    watched, opening = (
        watch(open=1, close=2, keepalive=3, pong=4, idle=5, lifetime=6, write_stall=7) for _ in range(2)
    )
    watched.note_opened(0.0)
    send_ping(watched)
    give(watched, 0.0)
    watched.note_ending(0.0, state=State.LOCAL_CLOSING, half_close_missing=False)
    assert set(armed(watched) | armed(opening)) == set(TIMERS)
    for each in (watched, opening):
        each.begin_end()
    assert (armed(watched), armed(opening)) == ({Timer.CLOSE: 2.0, Timer.WRITE_STALL: 7.0}, {})
    watched.restart_close()
    assert armed(watched) == {Timer.WRITE_STALL: 7.0}
    watched.stop()
    assert armed(watched) == {}


# What becomes of a timer that fires. Rows: marks; the verdict; what is armed afterwards.


def looks() -> list[dict[str, object]]:
    """Return everything a connection can look like, for timers that do not care."""
    return [
        {"state": state, "paused": paused, "given": given, "idle": idle}
        for state, paused, given, idle in product(State, BOTH, (0, 1), BOTH)
    ]


@pytest.mark.parametrize("marks", [nothing, noting(data(4.0), progress(4.0), byte(4.0))])
def test_an_opening_that_takes_too_long_is_given_up_whatever_came(marks: Marks) -> None:
    for look in looks():
        watched = watch(open=5)
        marks(watched)
        assert watched.pop_expired(4.999) is None
        assert fire(watched, Timer.OPEN, 5.0, **look) is Verdict.GIVE_UP  # type: ignore[arg-type]
        assert armed(watched) == {}


@pytest.mark.parametrize("marks", [nothing, noting(data(39.0), progress(39.0), byte(39.0))])
def test_a_connection_that_is_too_old_ends_whatever_came(marks: Marks) -> None:
    for look in looks():
        watched = watch(lifetime=40)
        watched.note_opened(0.0)
        marks(watched)
        assert fire(watched, Timer.LIFETIME, 40.0, **look) is Verdict.GO_AWAY  # type: ignore[arg-type]
        assert armed(watched) == {}


@pytest.mark.parametrize(
    ("marks", "verdict", "expected"),
    [
        (nothing, Verdict.GO_AWAY, {}),
        (data(2.0), Verdict.GO_AWAY, {}),  # no later than the opening
        (data(2.001), Verdict.WAIT, {Timer.IDLE: 32.001}),
        (data(12.5), Verdict.WAIT, {Timer.IDLE: 42.5}),
        (noting(data(12.5), data(20.0)), Verdict.WAIT, {Timer.IDLE: 50.0}),
        (data(32.0), Verdict.WAIT, {Timer.IDLE: 62.0}),
        (noting(progress(20.0), byte(20.0), pause), Verdict.GO_AWAY, {}),  # only messages count
        # Of what is given out, too, and as long as it moves.
        (given(12.5), Verdict.GO_AWAY, {}),
        (noting(given(12.5), progress(20.0), departed(21.0)), Verdict.GO_AWAY, {}),
        (given(12.5, data_included=True), Verdict.WAIT, {Timer.IDLE: 42.5}),
        (noting(given(12.5, data_included=True), progress(20.0)), Verdict.WAIT, {Timer.IDLE: 50.0}),
        (noting(given(12.5, data_included=True), departed(20.0)), Verdict.WAIT, {Timer.IDLE: 50.0}),
        (
            noting(given(12.5, data_included=True), departed(20.0), progress(25.0)),
            Verdict.WAIT,
            {Timer.IDLE: 50.0},
        ),
        (
            noting(given(5.0, data_included=True), departed(6.0), given(12.5), progress(25.0)),
            Verdict.WAIT,
            {Timer.IDLE: 36.0},
        ),
        (
            noting(given(5.0, data_included=True), given(12.5), progress(25.0)),
            Verdict.WAIT,
            {Timer.IDLE: 35.0},
        ),
    ],
)
@pytest.mark.parametrize("paused", BOTH)
def test_a_connection_is_idle_from_its_last_message_on(
    paused: bool, marks: Marks, verdict: Verdict, expected: Armed
) -> None:
    watched = watch(idle=30)
    watched.note_opened(2.0)
    marks(watched)
    assert watched.next_deadline() == 32.0  # a mark moves no deadline
    assert fire(watched, Timer.IDLE, 32.0, paused=paused) is verdict
    assert armed(watched) == expected


SILENCES: dict[str, tuple[Marks, bool, Verdict, Armed]] = {
    # marks; do we not read: verdict and what is armed when KEEPALIVE (20) fires at 20
    "silence": (nothing, False, Verdict.PING, {Timer.KEEPALIVE: 40.0}),
    "a byte in between": (byte(12.5), False, Verdict.WAIT, {Timer.KEEPALIVE: 32.5}),
    "a byte just after": (byte(1.25), False, Verdict.PING, {Timer.KEEPALIVE: 40.0}),  # 15/16 are enough
    "a byte not just after": (byte(1.251), False, Verdict.WAIT, {Timer.KEEPALIVE: 21.251}),
    "a byte in time": (byte(20.0), False, Verdict.WAIT, {Timer.KEEPALIVE: 40.0}),
    "messages of our own": (
        noting(data(12.5), progress(12.5)),
        False,
        Verdict.PING,
        {Timer.KEEPALIVE: 40.0},
    ),
    "we do not read": (nothing, True, Verdict.WAIT, {Timer.KEEPALIVE: 40.0}),
    "we do not read any more": (byte(12.5), True, Verdict.WAIT, {Timer.KEEPALIVE: 40.0}),
    "we did not read, but do": (pause, False, Verdict.PING, {Timer.KEEPALIVE: 40.0}),
    "a ping waits for the wire": (send_ping, False, Verdict.WAIT, {Timer.KEEPALIVE: 40.0}),
    "a ping waits for its pong": (
        noting(send_ping, given(15.0)),
        False,
        Verdict.WAIT,
        {Timer.PONG: 25.0, Timer.KEEPALIVE: 40.0},
    ),
    "a ping was answered": (
        noting(send_ping, given(15.0), byte(16.0)),
        False,
        Verdict.WAIT,
        {Timer.PONG: 25.0, Timer.KEEPALIVE: 36.0},
    ),
    "a ping of the application waits": (
        lambda w: send_ping(w, automatic=False),
        False,
        Verdict.PING,
        {Timer.KEEPALIVE: 40.0},
    ),
    "a ping of the application left": (
        noting(lambda w: send_ping(w, automatic=False), given(15.0)),
        False,
        Verdict.PING,
        {Timer.KEEPALIVE: 40.0},
    ),
}


@pytest.mark.parametrize(("marks", "paused", "verdict", "expected"), SILENCES.values(), ids=SILENCES.keys())
def test_a_silent_peer_is_pinged(marks: Marks, paused: bool, verdict: Verdict, expected: Armed) -> None:
    watched = watch(keepalive=20, pong=10)
    watched.note_opened(0.0)
    marks(watched)
    assert fire(watched, Timer.KEEPALIVE, 20.0, paused=paused) is verdict
    assert armed(watched) == expected


def test_a_silence_behind_an_answer_is_pinged_although_the_pong_is_still_watched_for() -> None:
    watched = watch(keepalive=20, pong=100)
    watched.note_opened(0.0)
    noting(send_ping, given(0.0), byte(0.0))(watched)
    assert armed(watched) == {Timer.KEEPALIVE: 20.0, Timer.PONG: 100.0}
    assert fire(watched, Timer.KEEPALIVE, 20.0) is Verdict.PING
    noting(send_ping, given(21.0))(watched)
    assert armed(watched) == {Timer.KEEPALIVE: 40.0, Timer.PONG: 121.0}


def test_without_a_timeout_for_pongs_every_silence_is_pinged() -> None:
    watched = watch(keepalive=20)
    watched.note_opened(0.0)
    for now in (20.0, 40.0, 60.0):
        assert fire(watched, Timer.KEEPALIVE, now) is Verdict.PING
        send_ping(watched)
        give(watched, now)


PONGS: dict[str, tuple[Marks, list[tuple[float, bool, Verdict]]]] = {
    # marks since the ping, which left at 20; then each firing: when, do we not read, the verdict.
    # Behind the last one nothing is armed.
    "silence": (nothing, [(30.0, False, Verdict.GIVE_UP)]),
    "silence, seen late": (nothing, [(100.0, False, Verdict.GIVE_UP)]),
    "any byte": (byte(20.001), [(30.0, False, Verdict.WAIT)]),
    "any byte, and we do not read": (byte(25.0), [(30.0, True, Verdict.WAIT)]),
    "messages of our own": (data(25.0), [(30.0, False, Verdict.GIVE_UP)]),
    "output moves no more": (progress(20.0), [(30.0, False, Verdict.GIVE_UP)]),
    "output moves": (progress(26.0), [(30.0, False, Verdict.WAIT), (36.0, False, Verdict.GIVE_UP)]),
    "the ping has left": (departed(22.0), [(30.0, False, Verdict.WAIT), (32.0, False, Verdict.GIVE_UP)]),
    "the ping has left, and then other output moves": (
        noting(departed(20.0), given(24.0, data_included=True), progress(29.0), departed(29.5)),
        [(30.0, False, Verdict.GIVE_UP)],  # a dead network takes some output, too
    ),
    "we do not read": (
        nothing,
        [(30.0, True, Verdict.WAIT), (40.0, False, Verdict.WAIT), (50.0, False, Verdict.GIVE_UP)],
    ),
    "we do not read for long": (
        nothing,
        [
            (30.0, True, Verdict.WAIT),
            (40.0, True, Verdict.WAIT),
            (50.0, False, Verdict.WAIT),
            (60.0, False, Verdict.GIVE_UP),
        ],
    ),
    "we do not read, seen late": (
        nothing,
        [(100.0, True, Verdict.WAIT), (110.0, False, Verdict.WAIT), (120.0, False, Verdict.GIVE_UP)],
    ),
    "we did not read for a while": (
        pause,
        [(30.0, False, Verdict.WAIT), (40.0, False, Verdict.GIVE_UP)],
    ),
    "we did not read, and output moved": (
        noting(pause, progress(26.0)),
        [(30.0, False, Verdict.WAIT), (40.0, False, Verdict.GIVE_UP)],
    ),
    "we did not read when it left": (
        noting(send_ping, lambda w: give(w, 20.0, paused=True)),
        [(30.0, False, Verdict.WAIT), (40.0, False, Verdict.GIVE_UP)],
    ),
    "other output was given out while we did not read": (
        lambda w: give(w, 20.0, paused=True),
        [(30.0, False, Verdict.GIVE_UP)],  # whoever stops reading notes that itself
    ),
}


@pytest.mark.parametrize(("marks", "firings"), PONGS.values(), ids=PONGS.keys())
def test_a_peer_that_does_not_answer_is_gone_unless_it_could_not(
    marks: Marks, firings: list[tuple[float, bool, Verdict]]
) -> None:
    watched = watch(pong=10)
    watched.keepalive.note_received(19.0)  # before the ping: no answer to it
    pause(watched)
    send_ping(watched)
    give(watched, 20.0)
    marks(watched)
    assert armed(watched) == {Timer.PONG: 30.0}
    for now, paused, verdict in firings:
        assert fire(watched, Timer.PONG, now, paused=paused) is verdict
    assert armed(watched) == {}


CLOSES: dict[str, tuple[State, bool, Marks, Verdict, Armed]] = {
    # the state; has everything left; marks: verdict and what is armed when CLOSE (7) fires
    "a Close waits": (State.REMOTE_CLOSING, True, nothing, Verdict.ANSWER_CLOSE, {}),
    "a Close waits, and output moves": (State.REMOTE_CLOSING, False, progress(6), Verdict.ANSWER_CLOSE, {}),
    "no answer": (State.LOCAL_CLOSING, True, nothing, Verdict.GIVE_UP, {}),
    "no answer, and output moved": (State.LOCAL_CLOSING, True, progress(6), Verdict.GIVE_UP, {}),
    "our Close is stuck": (State.LOCAL_CLOSING, False, nothing, Verdict.GIVE_UP, {}),
    "our Close moves": (State.LOCAL_CLOSING, False, progress(3), Verdict.WAIT, {Timer.CLOSE: 10.0}),
    "no end of TCP": (State.DRAINING, True, nothing, Verdict.HANG_UP, {}),
    "no end of TCP, and output moved": (State.DRAINING, True, progress(6), Verdict.HANG_UP, {}),
    "the last bytes are stuck": (State.DRAINING, False, nothing, Verdict.GIVE_UP, {}),
    "the last bytes move": (State.DRAINING, False, progress(3), Verdict.WAIT, {Timer.CLOSE: 10.0}),
    "messages and bytes": (State.DRAINING, False, noting(data(6), byte(6)), Verdict.GIVE_UP, {}),
}


@pytest.mark.parametrize(
    ("state", "idle", "marks", "verdict", "expected"), CLOSES.values(), ids=CLOSES.keys()
)
@pytest.mark.parametrize("paused", BOTH)
def test_an_end_that_takes_long_is_cut_short_unless_bytes_move(
    paused: bool, state: State, idle: bool, marks: Marks, verdict: Verdict, expected: Armed
) -> None:
    watched = watch(close=7)
    watched.note_ending(0.0, state=state, half_close_missing=False)
    marks(watched)
    due = watched.next_deadline()
    assert due == (1.0 if state is State.REMOTE_CLOSING else 7.0)
    assert fire(watched, Timer.CLOSE, due, state=state, paused=paused, idle=idle) is verdict
    assert armed(watched) == expected


@pytest.mark.parametrize(("timeout", "again"), [(None, 1.5), (7.0, 7.5)])
def test_last_bytes_that_move_are_waited_for_also_without_a_half_close(
    timeout: float | None, again: float
) -> None:
    watched = watch(close=timeout) if timeout is not None else Watch(OFF, 0.0)
    watched.note_ending(0.0, state=State.DRAINING, half_close_missing=True)
    watched.note_progress(0.5)
    assert fire(watched, Timer.CLOSE, 1.0, state=State.DRAINING, idle=False) is Verdict.WAIT
    assert armed(watched) == {Timer.CLOSE: again}
    assert fire(watched, Timer.CLOSE, again, state=State.DRAINING, idle=False) is Verdict.GIVE_UP


def fire_close(watched: Watch, now: float, *, moved_at: float) -> Verdict:
    """Let CLOSE fire on output that is not gone and moved last at that moment."""
    watched.note_progress(moved_at)
    return fire(watched, Timer.CLOSE, now, state=State.LOCAL_CLOSING, given=1, idle=False)


def test_moving_bytes_delay_the_end_three_times_and_no_more() -> None:
    watched = watch(close=7)
    watched.note_ending(0.0, state=State.LOCAL_CLOSING, half_close_missing=False)
    assert fire_close(watched, 7.0, moved_at=7.0) is Verdict.WAIT
    assert fire_close(watched, 14.0, moved_at=14.0) is Verdict.WAIT
    assert fire_close(watched, 21.0, moved_at=21.0) is Verdict.GIVE_UP
    assert armed(watched) == {}


def test_the_last_delay_is_as_long_as_is_left_of_it() -> None:
    watched = watch(close=7)
    watched.note_ending(0.0, state=State.LOCAL_CLOSING, half_close_missing=False)
    assert fire_close(watched, 7.0, moved_at=6.0) is Verdict.WAIT
    assert fire_close(watched, 13.0, moved_at=12.0) is Verdict.WAIT
    assert fire_close(watched, 19.0, moved_at=18.0) is Verdict.WAIT
    assert armed(watched) == {Timer.CLOSE: 21.0}


def test_what_delays_the_end_counts_from_its_beginning_through_all_its_parts() -> None:
    watched = watch(close=7)
    watched.note_ending(0.0, state=State.LOCAL_CLOSING, half_close_missing=False)
    watched.restart_close()
    watched.note_ending(5.0, state=State.LOCAL_CLOSING, half_close_missing=False)
    assert fire_close(watched, 12.0, moved_at=12.0) is Verdict.WAIT
    watched.restart_close()
    watched.note_ending(15.0, state=State.DRAINING, half_close_missing=False)
    assert fire_close(watched, 22.0, moved_at=22.0) is Verdict.GIVE_UP


def test_without_a_timeout_nothing_is_counted_before_something_lingers() -> None:
    watched = Watch(OFF, 0.0)
    watched.note_ending(0.0, state=State.LOCAL_CLOSING, half_close_missing=False)
    watched.note_ending(20.0, state=State.DRAINING, half_close_missing=True)
    assert fire_close(watched, 21.0, moved_at=20.5) is Verdict.WAIT


STALLS: dict[str, tuple[int, Marks, Verdict, Armed]] = {
    # bytes that are given out; marks: verdict and what is armed when WRITE_STALL (30) fires at 40
    "all has left": (0, nothing, Verdict.WAIT, {}),
    "all has left just now": (0, progress(39.0), Verdict.WAIT, {}),
    "all has left, as was noted": (0, departed(39.0), Verdict.WAIT, {}),
    "nothing moves": (1, nothing, Verdict.GIVE_UP, {}),
    "it moves": (1, progress(15.0), Verdict.WAIT, {Timer.WRITE_STALL: 45.0}),
    "it moves by a byte": (1_000_000, progress(40.0), Verdict.WAIT, {Timer.WRITE_STALL: 70.0}),
    "a later batch": (1, given(15.0), Verdict.WAIT, {Timer.WRITE_STALL: 45.0}),
    "the peer sends": (1, noting(data(15.0), byte(15.0)), Verdict.GIVE_UP, {}),
}


@pytest.mark.parametrize(("size", "marks", "verdict", "expected"), STALLS.values(), ids=STALLS.keys())
@pytest.mark.parametrize(("state", "paused"), list(product(State, BOTH)))
def test_output_that_does_not_move_is_lost_in_every_state(
    state: State, paused: bool, size: int, marks: Marks, verdict: Verdict, expected: Armed
) -> None:
    watched = watch(write_stall=30)
    give(watched, 10.0)
    marks(watched)
    judged = fire(watched, Timer.WRITE_STALL, 40.0, state=state, paused=paused, given=size, idle=not size)
    assert judged is verdict
    assert armed(watched) == expected
