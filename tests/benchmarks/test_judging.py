"""Medians, ratios and verdicts, on numbers that are made up."""

from dataclasses import replace

import pytest

from benchmarks.echoing import Echo
from benchmarks.judging import Check, Samples, Verdict, is_disturbed, judge, plan
from benchmarks.processes import Contestant
from benchmarks.rows import ROWS, checks

OURS = Contestant("wscore-asyncio")
PEER = Contestant("picows")
WORK = Echo("ping-pong")
CHECK = Check("P1", WORK, "cpu", OURS, PEER, at_most=1.0)


def samples(ours: list[float], peers: list[float], metric: str = "cpu") -> Samples:
    rounds = {
        ("ping-pong", OURS): [{metric: value} for value in ours],
        ("ping-pong", PEER): [{metric: value} for value in peers],
    }
    return Samples({key: value for key, value in rounds.items() if value}, {})


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert samples([9.0, 1.0, 2.0, 50.0, 3.0], []).figure(WORK, OURS, "cpu") == 3.0


def test_the_core_alone_is_judged_by_its_best_round() -> None:
    assert samples([3.0, 2.0, 9.0], [], "block").figure(WORK, OURS, "block") == 2.0
    assert samples([3.0, 2.0, 9.0], [], "core_rate").figure(WORK, OURS, "core_rate") == 9.0


@pytest.mark.parametrize(
    ("ours", "at_most", "at_least", "verdict"),
    [
        (2.0, 1.0, None, Verdict.HOLDS),
        (2.01, 1.0, None, Verdict.MISSED),
        (2.0, None, 1.0, Verdict.HOLDS),
        (1.99, None, 1.0, Verdict.MISSED),
        (99.0, None, None, Verdict.SHOWN),
    ],
)
def test_a_ratio_is_held_against_its_bound(
    ours: float, at_most: float | None, at_least: float | None, verdict: Verdict
) -> None:
    line = judge(replace(CHECK, at_most=at_most, at_least=at_least), samples([ours], [2.0]))

    assert line.ratio == ours / 2
    assert line.verdict is verdict


def test_without_a_peer_the_figure_itself_is_held_against_the_bound() -> None:
    line = judge(Check("P9", WORK, "kib", OURS, at_most=4.0), samples([4.5], [], "kib"))

    assert (line.ratio, line.verdict) == (4.5, Verdict.MISSED)


def test_a_rate_is_accompanied_by_the_ratio_of_processor_times() -> None:
    rounds = {
        ("ping-pong", OURS): [{"rate": 300.0, "cpu": 2.0}],
        ("ping-pong", PEER): [{"rate": 100.0, "cpu": 8.0}],
    }
    line = judge(replace(CHECK, metric="rate"), Samples(rounds, {}))

    assert (line.ratio, line.by_cpu) == (3.0, 4.0)


@pytest.mark.parametrize(
    ("rounds", "disturbed"),
    [
        ([{"busy": 0.3, "load": 0.2}, {"busy": 0.4, "load": 0.3}, {"busy": 1.0, "load": 0.3}], True),
        ([{"busy": 0.98, "load": 0.2}], False),
        ([{"busy": 0.5, "load": 0.9}], False),
    ],
)
def test_a_rate_is_disturbed_when_neither_side_is_at_work_all_the_time(
    rounds: list[dict[str, float]], disturbed: bool
) -> None:
    check = replace(CHECK, metric="rate")

    assert is_disturbed(check, Samples({("ping-pong", PEER): rounds}, {})) is disturbed
    assert not is_disturbed(CHECK, Samples({("ping-pong", PEER): rounds}, {}))


@pytest.mark.parametrize(("ours", "peers"), [([], [1.0]), ([1.0], []), ([], [])])
def test_what_was_not_measured_neither_holds_nor_misses(ours: list[float], peers: list[float]) -> None:
    line = judge(CHECK, samples(ours, peers))

    assert line.ratio is None
    assert line.verdict is Verdict.NOT_MEASURED


def test_a_work_is_done_once_however_many_checks_use_it() -> None:
    other = Contestant("raw")
    planned = plan([CHECK, replace(CHECK, peer=other), replace(CHECK, row="P2", metric="rate")])

    assert planned == {WORK: [OURS, PEER, other]}


@pytest.mark.parametrize("build", ["pure", "compiled"])
def test_every_row_has_a_check_with_a_bound(build: str) -> None:
    for row in ROWS:
        made = checks([row], build=build)
        assert {check.row for check in made} == {row}
        assert any(check.target for check in made)


@pytest.mark.parametrize("build", ["pure", "compiled"])
def test_no_check_is_made_twice_and_no_title_means_two_works(build: str) -> None:
    made = checks(ROWS, build=build)
    works = plan(made)

    assert len(set(made)) == len(made)
    assert len({work.title for work in works}) == len(works)


def test_the_pure_build_takes_part_only_where_the_other_is_compiled() -> None:
    assert not any(check.ours.pure for check in checks(ROWS, build="pure"))
    assert all(check.ours.pure for check in checks(["P8"], build="compiled"))
