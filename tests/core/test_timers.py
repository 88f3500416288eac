"""One table of deadlines: the earliest first, and in a fixed order when they meet."""

from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._timers import TIMERS, Timer, TimerTable


def test_every_timer_of_the_design_is_there_in_its_order_of_firing() -> None:
    assert [timer.name for timer in TIMERS] == [
        "OPEN",
        "PONG",
        "KEEPALIVE",
        "IDLE",
        "LIFETIME",
        "CLOSE",
        "WRITE_STALL",
    ]
    assert [timer.value for timer in TIMERS] == list(range(len(TIMERS)))


def test_an_empty_table_has_no_deadline_and_nothing_fires() -> None:
    table = TimerTable()
    assert table.next_deadline() is None
    assert table.pop_expired(1e18) is None
    assert table.pop_expired(float("inf")) is None
    assert not any(table.is_armed(timer) for timer in TIMERS)


def test_a_timer_fires_at_its_deadline_not_before_and_only_once() -> None:
    table = TimerTable()
    table.arm(Timer.OPEN, 10.0)
    assert table.is_armed(Timer.OPEN)
    assert table.next_deadline() == 10.0
    assert table.pop_expired(9.999) is None
    assert table.pop_expired(10.0) is Timer.OPEN
    assert table.pop_expired(10.0) is None
    assert not table.is_armed(Timer.OPEN)
    assert table.next_deadline() is None


def test_timers_fire_in_the_order_of_their_deadlines() -> None:
    table = TimerTable()
    for timer, deadline in [(Timer.CLOSE, 3.0), (Timer.OPEN, 5.0), (Timer.IDLE, 1.0)]:
        table.arm(timer, deadline)
    fired = [(table.next_deadline(), table.pop_expired(9.0)) for _ in range(4)]
    assert fired == [(1.0, Timer.IDLE), (3.0, Timer.CLOSE), (5.0, Timer.OPEN), (None, None)]


def test_timers_that_meet_fire_in_the_order_of_the_enum() -> None:
    table = TimerTable()
    for timer in reversed(TIMERS):
        table.arm(timer, 1.0)
    assert tuple(table.pop_expired(1.0) for _ in TIMERS) == TIMERS


def test_arming_again_replaces_an_earlier_and_a_later_deadline() -> None:
    table = TimerTable()
    for deadline in (5.0, 9.0, 2.0):
        table.arm(Timer.PONG, deadline)
        assert table.next_deadline() == deadline
    assert table.pop_expired(9.0) is Timer.PONG
    assert table.pop_expired(9.0) is None


def test_a_disarmed_timer_does_not_fire_and_the_others_do() -> None:
    table = TimerTable()
    table.arm(Timer.OPEN, 1.0)
    table.arm(Timer.CLOSE, 2.0)
    table.disarm(Timer.OPEN)
    table.disarm(Timer.OPEN)
    table.disarm(Timer.IDLE)
    assert table.next_deadline() == 2.0
    assert table.pop_expired(2.0) is Timer.CLOSE
    assert table.pop_expired(2.0) is None


def test_all_can_be_disarmed_at_once() -> None:
    table = TimerTable()
    for timer in TIMERS:
        table.arm(timer, 1.0)
    table.disarm_all()
    assert table.next_deadline() is None
    assert not any(table.is_armed(timer) for timer in TIMERS)
    assert table.pop_expired(1e9) is None


def test_at_the_end_of_all_time_what_is_armed_fires_once_and_what_never_comes_does_not() -> None:
    table = TimerTable()
    table.arm(Timer.OPEN, 1e300)
    table.arm(Timer.IDLE, float("inf"))  # a timeout of infinite length is none
    assert not table.is_armed(Timer.IDLE)
    assert table.pop_expired(float("inf")) is Timer.OPEN
    assert table.pop_expired(float("inf")) is None
    assert table.next_deadline() is None


def test_deadlines_before_the_origin_of_the_clock_are_deadlines() -> None:
    table = TimerTable()
    table.arm(Timer.IDLE, -5.0)
    assert table.next_deadline() == -5.0
    assert table.pop_expired(-5.0) is Timer.IDLE


steps = st.one_of(
    st.tuples(st.just("arm"), st.sampled_from(TIMERS), st.integers(0, 20)),
    st.tuples(st.just("disarm"), st.sampled_from(TIMERS), st.just(0)),
    st.tuples(st.just("pop"), st.sampled_from(TIMERS), st.integers(0, 20)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=30))
def test_the_table_behaves_like_a_dictionary_of_deadlines(script: list[tuple[str, Timer, int]]) -> None:
    table, model = TimerTable(), dict[Timer, float]()
    for step, timer, moment in script:
        if step == "arm":
            table.arm(timer, float(moment))
            model[timer] = float(moment)
        elif step == "disarm":
            table.disarm(timer)
            model.pop(timer, None)
        else:
            due = [t for t, deadline in model.items() if deadline <= moment]
            expected = min(due, key=lambda t: (model[t], t.value), default=None)
            assert table.pop_expired(float(moment)) is expected
            if expected is not None:
                del model[expected]
        assert table.next_deadline() == min(model.values(), default=None)
        assert all(table.is_armed(t) is (t in model) for t in TIMERS)
