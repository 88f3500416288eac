"""A budget for control frames: a rate, and a burst of five seconds' worth."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._flood import ControlBudget


def spend(budget: ControlBudget, now: float, at_most: int = 100_000) -> int:
    """Spend until nothing is left; return how many frames that were."""
    for count in range(at_most):
        if not budget.spend(now):
            return count
    return at_most


@pytest.mark.parametrize("rate", [1, 8, 1000])
def test_five_seconds_worth_may_come_at_once(rate: int) -> None:
    budget = ControlBudget(rate, 100.0)
    assert spend(budget, 100.0) == 5 * rate
    assert not budget.spend(100.0)


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.0, 0), (0.0625, 0), (0.125, 1), (1.0, 8), (2.5, 20), (5.0, 40), (1e6, 40)]
)
def test_time_gives_frames_back_at_the_rate_and_never_more_than_a_burst(seconds: float, frames: int) -> None:
    budget = ControlBudget(8, 0.0)
    spend(budget, 0.0)
    assert spend(budget, seconds) == frames


def test_parts_of_a_frame_add_up() -> None:
    budget = ControlBudget(8, 0.0)
    spend(budget, 0.0)
    assert [budget.spend(0.03125 * step) for step in range(1, 9)] == [False, False, False, True] * 2


def test_silence_at_the_start_does_not_make_the_burst_longer() -> None:
    assert spend(ControlBudget(8, 0.0), 3600.0) == 40


def test_an_older_time_gives_nothing_back() -> None:
    budget = ControlBudget(8, 100.0)
    spend(budget, 100.0)
    assert not budget.spend(0.0)
    assert not budget.spend(100.0)
    assert budget.spend(100.125)


def test_no_rate_is_no_limit() -> None:
    assert spend(ControlBudget(None, 0.0), 0.0) == 100_000


def test_a_rate_of_zero_allows_none() -> None:
    budget = ControlBudget(0, 0.0)
    assert not budget.spend(0.0)
    assert not budget.spend(1e6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 64), min_size=1, max_size=60))
def test_in_any_stretch_no_more_than_the_burst_and_the_rate_pass(gaps: list[int]) -> None:
    rate, now, passed = 8, 0.0, list[float]()
    budget = ControlBudget(rate, 0.0)
    for gap in gaps:
        now += gap / 64
        for _ in range(7):
            if budget.spend(now):
                passed.append(now)
    for index, start in enumerate(passed):
        for count, end in enumerate(passed[index:], 1):
            assert count <= 5 * rate + rate * (end - start)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(8, 64), max_size=200))
def test_a_peer_that_keeps_to_the_rate_is_never_refused(gaps: list[int]) -> None:
    budget, now = ControlBudget(8, 0.0), 0.0
    spend(budget, 0.0, at_most=40)
    for gap in gaps:
        now += gap / 64
        assert budget.spend(now)
