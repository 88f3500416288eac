"""Judge mutants: run the tests against each, in a process of its own, until one fails.

`Judge` is a pytest plugin that takes the place of the loop over the tests. They are imported and collected
once; a child process that is forked for a mutant installs it and runs them. First the tests must pass without
a mutant; this also tells how long each takes and which functions it reaches. A mutant then meets only tests
that reach it: first those that noticed others of the same function, then the quick ones.

A mutant may loop for ever or eat all memory, so each test has a share of processor time, ten times what it
needed before, and the address space is bounded.
"""

import gc
import os
import pickle
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn

import pytest

from mutation.making import REACHED, Mutant

_SPARE_SECONDS = 2.0  # of processor time, for a test that needs next to none
_PATIENCE = 10  # times what a test needed without a mutant
_WALL_SECONDS = 900  # for one mutant at most, should it ever wait for something
_MEMORY = 4 * 2**30
_INDEX = struct.Struct("!H")


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    REFUSED = "refused by mypy"
    SURVIVED = "survived"
    NO_TESTS = "no tests"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a test needs and does without a mutant."""

    seconds: float  # of processor time
    reached: frozenset[str]


class Judge:
    """Finds a verdict for every mutant.

    Args:
        mutants: of all modules.
        probes: for each module, what makes its functions tell that they were called.
        told: called with each verdict as it falls.
    """

    def __init__(
        self,
        mutants: Sequence[Mutant],
        probes: dict[str, dict[str, Callable[[], None]]],
        told: Callable[[Mutant, Verdict], None],
    ) -> None:
        self._mutants = mutants
        self._probes = probes
        self._told = told

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        if session.testsfailed:
            raise session.Failed(f"{session.testsfailed} modules of tests cannot be collected")
        gc.collect()
        gc.freeze()  # so that collections in the children copy no pages
        for module, probes in self._probes.items():
            items = [item for item in session.items if item.path in find_tests(item.path.parent, module)]
            if not items:
                pytest.exit(f"there are no tests of {module}", returncode=1)
            trial = _Trial(items, _learn(items, probes))
            for mutant in self._mutants:
                if mutant.module == module:
                    self._told(mutant, trial.judge(mutant, known=mutant.place in probes))
        return True


def find_tests(folder: Path, module: str) -> list[Path]:
    """Return the files with the tests of a module of wscore: test_<module>.py and test_<module>_<more>.py."""
    return sorted([*folder.glob(f"test{module}.py"), *folder.glob(f"test{module}_*.py")])


class _Trial:
    """The tests of one module, and what is known of them."""

    def __init__(self, items: list[pytest.Item], knowledge: list[Knowledge]) -> None:
        self._items = items
        self._knowledge = knowledge
        self._killers: dict[str, list[int]] = {}  # of a place: indices of tests, the latest first
        self._hanging: set[int] = set()  # tests that a mutant kept busy: costly, so they come last

    def judge(self, mutant: Mutant, *, known: bool) -> Verdict:
        """Run the tests that reach the mutant; where that is not known, all."""
        killers = self._killers.setdefault(mutant.place, [])
        every = range(len(self._items))
        reaching = [at for at in every if not known or mutant.place in self._knowledge[at].reached]
        if not reaching:
            return Verdict.NO_TESTS
        rest = sorted(set(reaching) - set(killers), key=lambda at: self._knowledge[at].seconds)
        order = sorted(killers + rest, key=lambda at: at in self._hanging)
        verdict, position = _in_child(lambda pipe: self._run(mutant, order, pipe))
        if verdict is Verdict.TIMED_OUT:
            self._hanging.add(order[position])
        elif verdict is Verdict.KILLED:
            killer = order[position]
            self._killers[mutant.place] = [killer, *(at for at in killers if at != killer)]
        return verdict

    def _run(self, mutant: Mutant, order: list[int], pipe: int) -> None:
        """Run tests in the order of their indices; the process ends at the first failure."""
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        mutant.install()
        items = [self._items[at] for at in order]
        items[0].config.pluginmanager.register(_EndAtFailure())
        for position, (item, following) in enumerate(zip(items, [*items[1:], None], strict=True)):
            os.write(pipe, _INDEX.pack(position))
            share = _SPARE_SECONDS + _PATIENCE * self._knowledge[order[position]].seconds
            signal.setitimer(signal.ITIMER_PROF, share)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


class _EndAtFailure:
    """Ends the process as soon as a test has failed: that is all that is asked."""

    def __init__(self, say: bool = False) -> None:
        self._say = say

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            if self._say:
                print(report.nodeid, report.longreprtext, sep="\n", file=sys.stderr, flush=True)
            os._exit(1)


def _in_child(work: Callable[[int], None]) -> tuple[Verdict, int]:
    """Do work in a process of its own; tell how that ended, and the last index it wrote into its pipe."""
    reading, writing = os.pipe()
    child = _fork(work, reading, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        written = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    verdicts = {
        0: Verdict.SURVIVED,
        1: Verdict.KILLED,
        -signal.SIGPROF: Verdict.TIMED_OUT,
        -signal.SIGALRM: Verdict.TIMED_OUT,
    }
    if code not in verdicts:
        raise RuntimeError(f"a trial ended with status {code}")
    return verdicts[code], _INDEX.unpack(written[-_INDEX.size :])[0]


def _learn(items: list[pytest.Item], probes: dict[str, Callable[[], None]]) -> list[Knowledge]:
    """Run tests without a mutant; they must pass."""

    def work(pipe: int) -> None:
        for install in probes.values():
            install()
        items[0].config.pluginmanager.register(_EndAtFailure(say=True))
        knowledge: list[Knowledge] = []
        for item, following in zip(items, [*items[1:], None], strict=True):
            REACHED.clear()
            start = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            knowledge.append(Knowledge(time.process_time() - start, frozenset(REACHED)))
        with open(pipe, "wb", closefd=False) as out:
            pickle.dump(knowledge, out)

    reading, writing = os.pipe()
    child = _fork(work, reading, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        written = pipe.read()
    if os.waitpid(child, 0)[1]:
        pytest.exit("the tests do not pass without a mutant", returncode=1)
    learned: list[Knowledge] = pickle.loads(written)
    return learned


def _fork(work: Callable[[int], None], reading: int, writing: int) -> int:
    """Start a child that does work, with the writing end of a pipe, and says nothing."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    _be_child(work, reading, writing)


def _be_child(work: Callable[[int], None], reading: int, writing: int) -> NoReturn:
    status = 3
    try:
        os.close(reading)
        signal.alarm(_WALL_SECONDS)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        work(writing)
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)
