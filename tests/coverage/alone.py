"""Each module of the core must be covered by its own tests alone: python alone.py [MODULE..]

A rule that only some distant test happens to exercise is a rule that nobody has written down. So for every
``wscore/_x.py`` the modules ``tests/core/test_x.py`` and ``tests/core/test_x_*.py`` are run by themselves,
and must reach each of its branches. A package is one module; but if its tests have a folder of their own, as
those of ``wscore/policy`` have, each of its modules is looked at: ``policy/x``. The exit status is 1 when one
is not covered.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CORE: Final = ROOT / "wscore"
TESTS: Final = ROOT / "tests" / "core"


def modules() -> list[str]:
    """Name what has to be covered: the modules and the packages of the core."""
    names = names_in(CORE)
    for package in sorted(path.parent.name for path in CORE.glob("*/__init__.py")):
        inside = [f"{package}/{name}" for name in names_in(CORE / package)]
        names += inside if (TESTS / package).is_dir() else [package]
    return sorted(names)


def names_in(folder: Path) -> list[str]:
    """Name the private modules in a folder."""
    return [path.stem.removeprefix("_") for path in folder.glob("_[a-z]*.py")]


def sources_of(module: str) -> str:
    """Return the pattern of the files that a module consists of."""
    path = CORE / module
    return f"{CORE.name}/{module}/*" if path.is_dir() else f"{path.parent.relative_to(ROOT)}/_{path.name}.py"


def tests_of(module: str) -> list[Path]:
    """Return the tests that belong to a module."""
    folder, name = (TESTS / module).parent, Path(module).name
    longer = [Path(other).name for other in modules() if other.startswith(f"{module}_")]
    found = [folder / f"test_{name}.py", *sorted(folder.glob(f"test_{name}_*.py"))]
    return [
        path
        for path in found
        if path.exists() and not any(path.stem.startswith(f"test_{other}") for other in longer)
    ]


def uncovered(module: str) -> str:
    """Run a module's own tests; return what they leave out, "" for nothing."""
    tests = tests_of(module)
    if not tests:
        return "has no tests of its own"
    with tempfile.TemporaryDirectory() as folder:
        data = f"--data-file={folder}/coverage"
        run = [sys.executable, "-m", "coverage"]
        quick = ["-q", "-m", "not slow and not strangers", "-p", "no:cacheprovider"]
        failed = output_if_failed([*run, "run", data, "--branch", "-m", "pytest", *quick, *map(str, tests)])
        if failed:
            return f"its tests fail:\n{failed[-2000:]}"
        limits = [f"--include={sources_of(module)}", "--show-missing", "--fail-under=100"]
        return output_if_failed([*run, "report", data, *limits])


def output_if_failed(command: list[str]) -> str:
    """Run a command on the sources of this folder; return what it printed if it failed, else ""."""
    paths = [str(ROOT), str(ROOT / "backends"), str(ROOT / "tests")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def main(chosen: list[str]) -> int:
    """Check the chosen modules, or all."""
    bad = 0
    for module in chosen or modules():
        missing = uncovered(module)
        print(f"{module}: {missing or 'covered'}", flush=True)
        bad += bool(missing)
    print(f"alone: {bad} modules are not covered by their own tests" if bad else "alone: all covered")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
