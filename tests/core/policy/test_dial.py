"""Happy Eyeballs: the order of addresses (RFC 8305 section 4) and of attempts (section 5)."""

import errno
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore.policy._dial import DialPlan, interleave

SIX, FOUR, OTHER = 10, 2, 7
STREAM, DATAGRAM = 1, 2
DELAY = 0.25  # RFC 8305 section 5: "One recommended value ... is 250 milliseconds."
SILENCE = None

Found = tuple[int, int, int, str, tuple[str, int]]


def found(family: int, host: str, *, kind: int = STREAM, canonical: str = "", port: int = 80) -> Found:
    """Return an address as the resolver gives it."""
    return family, kind, 6, canonical, (host, port)


def hosts(addresses: Iterable[Found]) -> str:
    return " ".join(place[0] for *_, place in addresses)


def refused(text: str = "Connection refused") -> OSError:
    return OSError(errno.ECONNREFUSED, text)


def running(plan: DialPlan, now: float) -> tuple[int, ...]:
    """Start all that may start now; return what is under way."""
    while plan.next_attempt(now) is not None:
        pass
    return plan.running


class Simulation:
    """The driver of the module's docstring, on a clock that jumps to whatever happens next.

    Args:
        outcomes: for each address, how many seconds its attempt takes, and what it ends with: an error, or
            None for a connection; or None for no answer at all.
    """

    def __init__(
        self, outcomes: list[tuple[float, OSError | None] | None], delay: float | None = DELAY
    ) -> None:
        self.now = 1000.0
        self.outcomes = outcomes
        self.plan = DialPlan(len(outcomes), now=self.now, delay=delay)
        self.starts: list[float] = []  # seconds from the beginning
        self.ends: dict[int, float] = {}
        self.failed: list[int] = []
        self.discarded: list[int] = []

    def run(self) -> int | None:
        plan = self.plan
        while plan.winner is None and not plan.over:
            while (index := plan.next_attempt(self.now)) is not None:
                self.begin(index)
            for index, error in self.wait_until(plan.next_deadline()):
                if error is not None:
                    plan.failed(index, error, self.now)
                    self.failed.append(index)
                elif not plan.connected(index, self.now):
                    self.discarded.append(index)
        self.discarded += plan.running
        return plan.winner

    def begin(self, index: int) -> None:
        assert index == len(self.starts)
        self.starts.append(self.now - 1000.0)
        outcome = self.outcomes[index]
        if outcome is not None:
            self.ends[index] = self.now + outcome[0]

    def wait_until(self, deadline: float | None) -> list[tuple[int, OSError | None]]:
        moments = [*self.ends.values(), *([] if deadline is None else [deadline])]
        assert moments, "nothing would ever happen again"
        self.now = max(self.now, min(moments))
        ended = [index for index, end in self.ends.items() if end <= self.now]
        outcomes = []
        for index in ended:
            del self.ends[index]
            outcome = self.outcomes[index]
            assert outcome is not None
            outcomes.append((index, outcome[1]))
        return outcomes


# The order of addresses.


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        ("", ""),
        ("6a", "6a"),
        ("6a 6b 6c", "6a 6b 6c"),
        ("6a 6b 4a 4b", "6a 4a 6b 4b"),
        ("4a 6a 4b 6b", "4a 6a 4b 6b"),
        ("4a 4b 4c 6a", "4a 6a 4b 4c"),  # the first family leads, whichever it is
        ("6a 4a 4b 4c", "6a 4a 4b 4c"),
        ("6a 6b 6c 4a 4b 4c 7a", "6a 4a 7a 6b 4b 6c 4c"),
        ("6a 6b 6a 4a 4a", "6a 4a 6b"),
    ],
)
def test_families_alternate_and_keep_their_order_within(families: str, expected: str) -> None:
    numbers = {"6": SIX, "4": FOUR, "7": OTHER}
    assert hosts(interleave(found(numbers[host[0]], host) for host in families.split())) == expected


def test_addresses_that_differ_in_the_canonical_name_alone_are_one_and_the_first_stays() -> None:
    addresses = [found(SIX, "::1", canonical="localhost"), found(SIX, "::1")]
    assert interleave(addresses) == addresses[:1]


def test_addresses_that_differ_in_kind_or_port_are_two() -> None:
    addresses = [found(SIX, "::1"), found(SIX, "::1", kind=DATAGRAM), found(SIX, "::1", port=81)]
    assert interleave(addresses) == addresses


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([SIX, FOUR, OTHER]), st.sampled_from("abcdefgh"))))
def test_nothing_is_lost_and_no_family_waits_longer_than_a_turn(pairs: list[tuple[int, str]]) -> None:
    addresses = [found(family, host) for family, host in pairs]
    ordered = interleave(addresses)
    assert sorted(ordered) == sorted(set(addresses))
    families = list(dict.fromkeys(family for family, *_ in addresses))
    for family in families:
        assert [item for item in ordered if item[0] == family] == list(
            dict.fromkeys(item for item in addresses if item[0] == family)
        )
    shortest = min((sum(item[0] == family for item in ordered) for family in families), default=0)
    expected = families * shortest
    assert [item[0] for item in ordered][: len(expected)] == expected


# The order of attempts.


def test_the_first_attempt_starts_at_once_and_each_other_a_quarter_of_a_second_later() -> None:
    plan = DialPlan(3, now=5.0)
    assert plan.next_deadline() == 5.0
    assert running(plan, 5.0) == (0,)
    assert plan.next_deadline() == 5.0 + DELAY
    assert running(plan, 5.0 + DELAY - 0.001) == (0,)
    assert running(plan, 5.0 + DELAY) == (0, 1)
    assert running(plan, 6.0) == (0, 1, 2)  # late by half a second, and still one at a time
    assert plan.next_deadline() is None
    assert plan.next_attempt(100.0) is None


def test_the_delay_counts_from_when_an_attempt_was_started_not_from_when_it_could_have_been() -> None:
    plan = DialPlan(3, now=0.0)
    running(plan, 10.0)
    assert plan.next_deadline() == 10.0 + DELAY


def test_a_failure_lets_the_next_attempt_start_at_once() -> None:
    plan = DialPlan(3, now=0.0)
    running(plan, 0.0)
    plan.failed(0, refused(), 0.1)
    assert plan.next_deadline() == 0.1
    assert running(plan, 0.1) == (1,)
    assert plan.next_deadline() == 0.1 + DELAY


def test_the_failure_of_an_early_attempt_hastens_the_next_even_while_another_one_runs() -> None:
    plan = DialPlan(3, now=0.0)
    running(plan, 0.0)
    running(plan, DELAY)
    plan.failed(0, refused(), 0.3)
    assert running(plan, 0.3) == (1, 2)


def test_without_a_delay_all_attempts_start_at_once() -> None:
    assert running(DialPlan(4, now=0.0, delay=0.0), 0.0) == (0, 1, 2, 3)


def test_with_the_delay_turned_off_each_attempt_waits_for_the_failure_of_the_last_one() -> None:
    plan = DialPlan(2, now=0.0, delay=None)
    assert running(plan, 0.0) == (0,)
    assert plan.next_deadline() is None
    assert running(plan, 1000.0) == (0,)
    plan.failed(0, refused(), 1000.0)
    assert running(plan, 1000.0) == (1,)


def test_the_first_to_connect_wins_and_no_other_attempt_starts() -> None:
    plan = DialPlan(3, now=0.0)
    running(plan, 0.0)
    running(plan, DELAY)
    assert plan.connected(1, 0.3)
    assert (plan.winner, plan.running, plan.over) == (1, (0,), False)
    assert plan.next_deadline() is None
    assert plan.next_attempt(100.0) is None


def test_a_close_second_is_told_that_it_has_lost() -> None:
    plan = DialPlan(2, now=0.0, delay=0.0)
    running(plan, 0.0)
    assert plan.connected(1, 0.1)
    assert not plan.connected(0, 0.1)
    assert (plan.winner, plan.running) == (1, ())


def test_a_loser_that_fails_when_it_is_given_up_changes_nothing() -> None:
    plan = DialPlan(3, now=0.0, delay=0.0)
    running(plan, 0.0)
    plan.connected(0, 0.1)
    plan.failed(1, refused(), 0.1)
    assert (plan.winner, plan.running, plan.over) == (0, (2,), False)
    assert plan.next_deadline() is None


def test_it_is_over_when_every_attempt_has_failed() -> None:
    plan = DialPlan(2, now=0.0)
    for index in range(2):
        assert not plan.over
        running(plan, float(index))
        plan.failed(index, refused(), float(index))
    assert plan.over
    assert (plan.winner, plan.running) == (None, ())
    assert plan.next_deadline() is None
    assert plan.next_attempt(100.0) is None


def test_it_is_over_at_once_when_there_is_no_address() -> None:
    plan = DialPlan(0, now=0.0)
    assert plan.over
    assert plan.next_deadline() is None
    assert "no address" in str(plan.failure())


@pytest.mark.parametrize(("count", "delay"), [(-1, 0.25), (1, -0.1), (1, float("nan"))])
def test_negative_numbers_are_refused(count: int, delay: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        DialPlan(count, now=0.0, delay=delay)


@pytest.mark.parametrize("index", [-1, 1, 2])
def test_only_an_attempt_under_way_can_end(index: int) -> None:
    plan = DialPlan(3, now=0.0)
    running(plan, 0.0)
    with pytest.raises(ValueError, match=f"attempt {index} is not under way"):
        plan.failed(index, refused(), 0.0)
    with pytest.raises(ValueError, match=f"attempt {index} is not under way"):
        plan.connected(index, 0.0)
    assert (plan.winner, plan.over, plan.running) == (None, False, (0,))


def test_an_attempt_cannot_end_twice() -> None:
    plan = DialPlan(2, now=0.0)
    running(plan, 0.0)
    plan.failed(0, refused(), 0.0)
    with pytest.raises(ValueError, match="attempt 0 is not under way"):
        plan.failed(0, refused(), 0.0)
    assert not plan.over


# The driver of the docstring.

CONNECTS = (0.05, None)
SLOWLY = (0.4, None)
REFUSES = (0.05, refused())

JOURNEYS = [
    ([CONNECTS, CONNECTS], DELAY, 0, [0.0], []),
    ([SILENCE, CONNECTS], DELAY, 1, [0.0, 0.25], [0]),
    ([SILENCE, SILENCE, CONNECTS], DELAY, 2, [0.0, 0.25, 0.5], [0, 1]),
    ([REFUSES, CONNECTS], DELAY, 1, [0.0, 0.05], []),
    ([REFUSES, REFUSES, CONNECTS], DELAY, 2, [0.0, 0.05, 0.1], []),
    ([SLOWLY, SLOWLY], DELAY, 0, [0.0, 0.25], [1]),
    ([SLOWLY, SLOWLY, SILENCE], 0.0, 0, [0.0, 0.0, 0.0], [1, 2]),
    ([SLOWLY, CONNECTS], None, 0, [0.0], []),
    ([REFUSES, REFUSES, REFUSES], DELAY, None, [0.0, 0.05, 0.1], []),
    ([REFUSES, REFUSES], None, None, [0.0, 0.05], []),
    ([], DELAY, None, [], []),
]


@pytest.mark.parametrize(("outcomes", "delay", "winner", "starts", "discarded"), JOURNEYS)
def test_the_driver_of_the_docstring_comes_to_an_end(
    outcomes: list[tuple[float, OSError | None] | None],
    delay: float | None,
    winner: int | None,
    starts: list[float],
    discarded: list[int],
) -> None:
    simulation = Simulation(outcomes, delay)
    assert simulation.run() == winner
    assert simulation.starts == pytest.approx(starts)
    assert simulation.discarded == discarded


ENDS = st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.3, 5.0]), st.sampled_from([None, refused()]))


@settings(deadline=None)
@given(st.lists(st.one_of(st.just(SILENCE), ENDS), max_size=6), st.sampled_from([0.0, 0.1, DELAY]))
def test_an_address_that_answers_is_found_whatever_the_others_do(
    outcomes: list[tuple[float, OSError | None] | None], delay: float
) -> None:
    simulation = Simulation(outcomes, delay)
    good = [index for index, outcome in enumerate(outcomes) if outcome is not None and outcome[1] is None]
    if not good and SILENCE in outcomes:
        return  # it would wait for the timeout of whoever drives it
    winner = simulation.run()
    assert winner in good if good else winner is None and simulation.plan.over
    # What was begun has failed, or was given up, or has won; nothing is forgotten or ended twice.
    ends = [*simulation.failed, *simulation.discarded, *([] if winner is None else [winner])]
    assert sorted(ends) == list(range(len(simulation.starts)))


# What is raised when nothing answers.


def failed_plan(*errors: OSError) -> DialPlan:
    """Let the attempts fail, the last one first."""
    plan = DialPlan(len(errors), now=0.0, delay=0.0)
    running(plan, 0.0)
    for index in reversed(range(len(errors))):
        plan.failed(index, errors[index], 0.0)
    return plan


def test_a_single_error_without_a_name_is_raised_as_it_is() -> None:
    error = refused()
    assert failed_plan(error).failure() is error


def test_a_single_error_says_which_address_it_was() -> None:
    error = refused("nobody listens")
    failure = failed_plan(error).failure(["::1 port 80"])
    assert isinstance(failure, ConnectionRefusedError)
    assert (failure.errno, failure.strerror) == (errno.ECONNREFUSED, "::1 port 80: nobody listens")
    assert failure.__cause__ is error


def test_several_errors_become_one_of_the_kind_of_the_first_address_that_says_them_all() -> None:
    errors = [refused("nobody listens"), OSError(errno.ENETUNREACH, "no way"), OSError("odd")]
    failure = failed_plan(*errors).failure(["::1 port 80", "192.0.2.1 port 80", "192.0.2.2 port 80"])
    assert isinstance(failure, ConnectionRefusedError)
    assert failure.errno == errno.ECONNREFUSED
    assert (
        failure.strerror == "::1 port 80: nobody listens; 192.0.2.1 port 80: no way; 192.0.2.2 port 80: odd"
    )
    assert isinstance(failure.__cause__, ExceptionGroup)
    assert list(failure.__cause__.exceptions) == errors


def test_errors_need_no_names() -> None:
    assert failed_plan(refused("one"), refused("two")).failure().strerror == "one; two"
    assert failed_plan(refused("one"), refused("two")).failure(["a"]).strerror == "a: one; two"


class OddError(OSError):
    """An error with numbers of its own, where 1 does not mean "not permitted"."""


@pytest.mark.parametrize("first", [OddError(1, "odd"), OSError("odd")])
def test_an_error_without_a_number_of_the_system_becomes_a_plain_one(first: OSError) -> None:
    failure = failed_plan(first, refused("two")).failure()
    assert type(failure) is OSError
    assert (failure.errno, str(failure)) == (None, "odd; two")


def test_an_error_without_a_text_is_called_by_its_class() -> None:
    assert failed_plan(TimeoutError(), refused("two")).failure().args == ("TimeoutError; two",)


def test_failures_can_be_asked_for_before_all_is_over() -> None:
    plan = DialPlan(3, now=0.0, delay=0.0)
    running(plan, 0.0)
    error = refused()
    plan.failed(1, error, 0.0)
    assert not plan.over
    assert plan.failure() is error
