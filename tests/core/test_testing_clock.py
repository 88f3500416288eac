"""Time that passes when somebody says so."""

import math
from functools import partial

import pytest

from wscore.testing import Clock


class Metronome:
    """Beats every period seconds and notes the moments."""

    def __init__(self, clock: Clock, period: float) -> None:
        self.clock = clock
        self.period = period
        self.beats: list[float] = []
        clock.attach(self)

    def next_due(self) -> float | None:
        return self.period * (len(self.beats) + 1)

    def run(self) -> None:
        due = self.next_due()
        if due is not None and due <= self.clock.now:
            self.beats.append(self.clock.now)


def test_a_clock_starts_where_it_is_told_and_can_be_called_like_any_other() -> None:
    assert (Clock().now, Clock()()) == (0.0, 0.0)
    assert Clock(5).now == 5.0


def test_everything_on_the_clock_happens_at_its_moment_and_in_order() -> None:
    clock = Clock()
    slow, quick = Metronome(clock, 3.0), Metronome(clock, 2.0)
    clock.advance(7.0)
    assert (slow.beats, quick.beats, clock.now) == ([3.0, 6.0], [2.0, 4.0, 6.0], 7.0)


def test_calls_come_at_their_moments_those_of_one_moment_in_the_order_they_were_asked_for() -> None:
    clock = Clock()
    calls: list[tuple[str, float]] = []

    def note(name: str) -> None:
        calls.append((name, clock.now))

    for name, seconds in [("late", 2.0), ("first", 1.0), ("second", 1.0), ("now", 0.0)]:
        clock.call_later(seconds, partial(note, name))
    clock.advance(1.0)
    assert calls == [("now", 0.0), ("first", 1.0), ("second", 1.0)]
    assert clock.next_due() == 2.0
    clock.advance(1.0)
    assert calls[-1] == ("late", 2.0)
    assert clock.next_due() is None


def test_a_call_may_ask_for_another_one() -> None:
    clock = Clock()
    calls: list[float] = []
    clock.call_later(1.0, lambda: clock.call_later(1.0, lambda: calls.append(clock.now)))
    clock.advance(10.0)
    assert calls == [2.0]


def test_a_step_goes_to_the_next_moment_and_no_further_than_it_may() -> None:
    clock = Clock()
    metronome = Metronome(clock, 2.0)
    assert clock.step()
    assert (clock.now, metronome.beats) == (2.0, [2.0])
    assert not clock.step(until=3.9)
    assert clock.now == 2.0
    assert not Clock().step()


@pytest.mark.parametrize("seconds", [-0.1, math.inf, -math.inf, math.nan])
def test_time_passes_forward_and_in_finite_steps(seconds: float) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="expected a number of seconds"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match="expected a number of seconds"):
        clock.call_later(seconds, lambda: None)
    assert (clock.now, clock.next_due()) == (0.0, None)


def test_what_is_due_again_and_again_is_a_bug() -> None:
    clock = Clock()

    class Busy:
        def next_due(self) -> float:
            return clock.now

        def run(self) -> None:
            pass

    clock.attach(Busy())
    with pytest.raises(AssertionError, match=r"at 0.0 s something is due again and again"):
        clock.run()
