"""Mutation testing of the core's inner modules: python run.py [--all] [MODULE..]

Each module is changed in many small ways, and the module's own tests must notice (see making.py and
judging.py), or else mypy, which every change must pass, too. A mutant that neither notices has *survived*:
a test is missing, or the change makes no difference. Survivors are explained in survivors.json: the place,
the lines that differ, and the reason.

The exit status is 0 when every module reaches the score and every survivor is explained, 1 when not, or
when an explanation explains nothing any more; 2 when the tests do not pass without a mutant.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent)]

from mutation.judging import Judge, Verdict, find_tests  # noqa: E402
from mutation.making import Mutant, make_mutants  # noqa: E402
from mutation.typing_check import find_ill_typed  # noqa: E402

MODULES = ("_utf8", "_frames", "_messages", "_deflate", "_lifecycle")
SCORE = 90.0  # per cent of a module's mutants that must be noticed, the explained ones not taken off
START = time.monotonic()
ESCAPED = (Verdict.SURVIVED, Verdict.NO_TESTS)

Key = tuple[str, str, tuple[str, ...]]  # module, place, lines that differ


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=MODULES, metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--all", action="store_true", help="show the explained survivors, too")
    options = parser.parse_args()
    modules = [f"_{module.removeprefix('_')}" for module in options.modules]
    if unknown := set(modules) - set(MODULES):
        parser.error(f"there are no mutants of {', '.join(sorted(unknown))}")
    mutants: list[Mutant] = []
    probes = {}
    for module in modules:
        made, probes[module] = make_mutants(module)
        mutants += made
    verdicts: list[tuple[Mutant, Verdict]] = []
    judge = Judge(mutants, probes, lambda mutant, verdict: _tell(verdicts, mutant, verdict, len(mutants)))
    if status := _run_pytest(modules, judge):
        print(f"pytest ended with status {status}; nothing is proved")
        return 2
    refused = find_ill_typed([mutant for mutant, verdict in verdicts if verdict in ESCAPED])
    verdicts = [
        (mutant, Verdict.REFUSED if id(mutant) in refused else verdict) for mutant, verdict in verdicts
    ]
    return _report(modules, verdicts, show_all=options.all)


def _run_pytest(modules: list[str], judge: Judge) -> int:
    """Let pytest collect the tests of the modules, and the judge run them."""
    # The same examples for each mutant, and no search for the smallest one that fails.
    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")
    where = [f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml")]
    quick = ["-qq", "--assert=plain", "--tb=short", "--capture=no", "-p", "no:cacheprovider"]
    files = [str(path) for module in modules for path in find_tests(ROOT / "tests" / "core", module)]
    return int(pytest.main([*where, *quick, "-o", "faulthandler_timeout=0", *files], [judge]))


def _tell(verdicts: list[tuple[Mutant, Verdict]], mutant: Mutant, verdict: Verdict, total: int) -> None:
    """Note a verdict, and show now and then how far we are."""
    verdicts.append((mutant, verdict))
    if len(verdicts) % 100 == 0 or len(verdicts) == total:
        print(f"{len(verdicts)} of {total} mutants, {time.monotonic() - START:.0f} s", flush=True)


def _report(modules: list[str], verdicts: list[tuple[Mutant, Verdict]], *, show_all: bool) -> int:
    """Print scores and survivors; return the exit status."""
    explained = _read_explanations()
    failed = False
    for module in modules:
        counts = Counter(verdict for mutant, verdict in verdicts if mutant.module == module)
        score = 100 - 100 * sum(counts[verdict] for verdict in ESCAPED) / counts.total()
        failed |= score < SCORE
        numbers = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
        print(f"{module}: {counts.total()} mutants: {numbers}; score {score:.1f} %")
    seen = set[Key]()
    for mutant, verdict in verdicts:
        key = (mutant.module, mutant.place, mutant.change)
        if verdict in ESCAPED:
            seen.add(key)
            if key not in explained or show_all:
                _show(key, verdict.value, explained.get(key, "NOT EXPLAINED"))
    for key in explained:
        if key[0] in modules and key not in seen:
            _show(key, "explained", "STALE: there is no such survivor any more")
    stale = {key for key in explained if key[0] in modules} - seen
    failed |= bool(seen - set(explained)) or bool(stale)
    print("failed" if failed else "passed")
    return int(failed)


def _show(key: Key, verdict: str, reason: str) -> None:
    module, place, change = key
    print(f"\n{module} {place}: {verdict}: {reason}", *change, sep="\n    ")


def _read_explanations() -> dict[Key, str]:
    """Read survivors.json: for each module a list of {"place": .., "change": [..], "reason": ..}."""
    document = json.loads((HERE / "survivors.json").read_text("utf-8"))
    explained: dict[Key, str] = {}
    for module, entries in document.items():
        for entry in entries:
            key = (module, entry["place"], tuple(entry["change"]))
            assert key not in explained, f"explained twice: {key}"
            assert entry["reason"].strip(), f"not explained: {key}"
            explained[key] = entry["reason"]
    return explained


if __name__ == "__main__":
    sys.exit(main())
