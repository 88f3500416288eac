"""Measures the targets and prints one table: ``run.py [ROWS...] [--seconds S] [--rounds N]``.

Theory of operation. The rows name checks, the checks name works and contestants. Each work is done in rounds;
in each round every contestant has its turn, in a fresh process, so that what disturbs the machine for a while
disturbs all of them. A contestant's figure is the median of its rounds; only ratios within one run count.

This process is the load generator, on a core of its own; the contestant has another. All numbers go to a JSON
file; `plot` draws from it. The status is 0 when nothing failed to run: a missed target is no failure, because
on a busy machine it need not mean anything. With ``--strict`` it is 1.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.figures import Work
from benchmarks.judging import Check, Samples, Verdict, is_disturbed, judge, plan
from benchmarks.load import Stalled
from benchmarks.processes import Contestant, Lab, Unavailable
from benchmarks.results import document
from benchmarks.rows import CORE, ROWS, checks
from benchmarks.table import render

_FAILURES: Final = (Unavailable, Stalled, OSError, ValueError)


class Progress:
    """A line on the error output that says how far the run is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def step(self, text: str) -> None:
        """Say what is done now; where nobody watches, say nothing."""
        self._done += 1
        if not sys.stderr.isatty():
            return
        width = 24
        bar = "#" * (self._done * width // max(self._total, 1))
        sys.stderr.write(f"\r\033[K[{bar:<{width}}] {self._done}/{self._total}  {text}")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line empty."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")


def measure(wanted: Sequence[Check], lab: Lab, *, seconds: float, rounds: int) -> Samples:
    """Do every work, round by round."""
    works = plan(wanted)
    samples = Samples({}, {})
    progress = Progress(sum(map(len, works.values())) * rounds)
    for work, contestants in works.items():
        for count in range(rounds):
            for contestant in contestants:
                progress.step(f"{work.title}: {contestant.label}, round {count + 1}")
                _take_turn(work, contestant, lab, seconds, samples)
    progress.end()
    return samples


def _take_turn(work: Work, contestant: Contestant, lab: Lab, seconds: float, samples: Samples) -> None:
    """Measure one contestant once; one that fails is not asked again."""
    key = work.title, contestant
    if key in samples.failures:
        return
    if not lab.has(contestant):
        samples.failures[key] = "there is no pure Python build: see --pure-path"
        return
    try:
        figures = work.measure(lab, contestant, seconds)
    except _FAILURES as error:
        samples.failures[key] = f"{type(error).__name__}: {error}"
    else:
        samples.rounds.setdefault(key, []).append(figures)


def identify(lab: Lab, pure_path: str | None) -> tuple[str, str]:
    """Return build and version of wscore.

    Raises:
        Unavailable: wscore cannot be imported, or the pure build is not pure.
    """
    own = json.loads(lab.ask("core", CORE, "--seconds=0"))
    if pure_path is not None:
        other = json.loads(lab.ask("core", Contestant(CORE.name, pure=True), "--seconds=0"))
        if other["build"] != "pure":
            raise Unavailable(f"the build in {pure_path} is {other['build']}")
    return own["build"], own["version"]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{ROWS[0]} to {ROWS[-1]}; all of them")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="file for all numbers (default: none)")
    parser.add_argument(
        "--path",
        default="",
        help=f"folders to import wscore from, before all others, with {os.pathsep!r} between them",
    )
    parser.add_argument("--pure-path", metavar="PATH", help="the same for the pure Python build")
    parser.add_argument("--strict", action="store_true", help="a missed target is a failure")
    options = parser.parse_args(arguments)
    options.rows = [row.upper() for row in options.rows] or list(ROWS)
    if unknown := sorted(set(options.rows) - set(ROWS)):
        parser.error(f"no such row: {', '.join(unknown)}")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("there must be at least one round, of more than no time")
    return options


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; return the number for the shell."""
    options = parse(arguments)
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        lab = Lab(options.path, options.pure_path)
        build, version = identify(lab, options.pure_path)
    except Unavailable as error:
        print(f"nothing can be measured: {error}", file=sys.stderr)
        return 2
    wanted = checks(options.rows, build=build)
    with lab.pinned():
        samples = measure(wanted, lab, seconds=options.seconds, rounds=options.rounds)
    lines = [judge(check, samples) for check in wanted]
    print(f"wscore {version}, {build}; {begun}\n\n{render(lines)}")
    if spoilt := sum(is_disturbed(line.check, samples) for line in lines):
        print(f"for {spoilt} rates, other programs had the processors for a while: look at the column by CPU")
    for (title, contestant), why in samples.failures.items():
        print(f"not measured: {title}, {contestant.label}: {why}")
    if options.json is not None:
        shown = {"rows": options.rows, "seconds": options.seconds, "rounds": options.rounds}
        everything = document(lines, samples, begun=begun, build=build, wscore=version, options=shown)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    missed = any(line.verdict is Verdict.MISSED for line in lines)
    return 1 if samples.failures or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
