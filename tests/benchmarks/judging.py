"""From samples to a verdict: medians, ratios and targets, without anything that measures.

A *figure* is the median of what the rounds of one run gave for one contestant. A *check* compares our figure
with a peer's of the same run, or with a number, and may have a bound. Only ratios of one run count: the same
figure on another machine, or on this one in another hour, says nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Final, final

from benchmarks.figures import Figures, Work
from benchmarks.processes import Contestant

_UNDISTURBED: Final = 0.7  # of the time

METRICS: Final = {
    "cpu": "CPU µs",
    "rate": "per second",
    "capacity": "per CPU second",
    "kib": "KiB",
    "growth": "times for 2n",
    "block": "ns",
    "single": "ns",
    "core_rate": "per second",
}


@final
class Verdict(Enum):
    """What became of a check."""

    HOLDS = "holds"
    MISSED = "MISSED"
    SHOWN = ""  # there is no target
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        row: of the targets: "P1".
        work: what is done.
        metric: which figure.
        ours: whose figure is judged.
        peer: whose figure it is divided by; None: it is judged as it is.
        at_most, at_least: the bound; neither: it is only shown.
    """

    row: str
    work: Work
    metric: str
    ours: Contestant
    peer: Contestant | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def target(self) -> str:
        """The bound, as a table shows it."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"


@dataclass(frozen=True)
class Line:
    """A check and what came out of it; None: not measured.

    Attributes:
        check: what was asked.
        ours, peers: figures.
        ratio: what is held against the bound: ours over the peer's, or ours alone where there is no peer.
        by_cpu: for rates: how many times less processor time we take, which the load generator and other
            programs on the machine disturb less.
        verdict: what became of it.
    """

    check: Check
    ours: float | None
    peers: float | None
    ratio: float | None
    by_cpu: float | None
    verdict: Verdict


Key = tuple[str, Contestant]  # a work's title, and who did it


@dataclass
class Samples:
    """What was measured: figures of each round, and the failures."""

    rounds: dict[Key, list[Figures]]
    failures: dict[Key, str]

    def figure(self, work: Work, contestant: Contestant, metric: str) -> float | None:
        """Return a contestant's figure; None when it was not measured."""
        values = [each[metric] for each in self.rounds.get((work.title, contestant), []) if metric in each]
        if not values:
            return None
        # A core alone does the same every time: what differs is the noise, and it only ever slows down.
        best = {"block": min, "single": min, "core_rate": max}.get(metric, median)
        return best(values)


def is_disturbed(check: Check, samples: Samples) -> bool:
    """Tell whether check compares rates of which one was taken while other programs had the processors.

    Whoever is the bottleneck is at work all the time. Where neither side was, something else was in the way.
    """
    if check.metric != "rate":
        return False
    for contestant in (check.ours, check.peer):
        rounds = samples.rounds.get((check.work.title, contestant), []) if contestant else []
        if rounds and median(max(each["busy"], each["load"]) for each in rounds) < _UNDISTURBED:
            return True
    return False


def judge(check: Check, samples: Samples) -> Line:
    """Compare."""
    ours = samples.figure(check.work, check.ours, check.metric)
    peers = None if check.peer is None else samples.figure(check.work, check.peer, check.metric)
    ratio = ours if check.peer is None else _ratio(ours, peers)
    by_cpu: float | None = None
    if check.metric == "rate" and check.peer is not None:
        costs = [samples.figure(check.work, each, "cpu") for each in (check.peer, check.ours)]
        by_cpu = _ratio(*costs)
    return Line(check, ours, peers, ratio, by_cpu, _verdict(check, ratio))


def _ratio(first: float | None, second: float | None) -> float | None:
    return first / second if first is not None and second else None


def _verdict(check: Check, ratio: float | None) -> Verdict:
    if ratio is None:
        return Verdict.NOT_MEASURED
    if check.at_most is None and check.at_least is None:
        return Verdict.SHOWN
    enough = check.at_least is None or ratio >= check.at_least
    return Verdict.HOLDS if enough and (check.at_most is None or ratio <= check.at_most) else Verdict.MISSED


def plan(checks: Iterable[Check]) -> Mapping[Work, list[Contestant]]:
    """Return each work once, with everybody who must do it, in the order of the checks."""
    works: dict[Work, list[Contestant]] = {}
    for check in checks:
        contestants = works.setdefault(check.work, [])
        for each in (check.ours, check.peer):
            if each is not None and each not in contestants:
                contestants.append(each)
    return works
