"""What the tests let pass may still be refused by mypy: `None` for a number, a missing argument.

All such mutants are checked in one run: each as a copy of its module, under a name of its own, in a copy of
the package. Beside them stands each module as it is, which must pass.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import wscore
from mutation.making import Mutant

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("TOX_WORK_DIR", ROOT / ".tox"))
_ERROR = re.compile(r"^wscore/_mutant_(\w+)\.py:\d+: error", re.MULTILINE)


def find_ill_typed(mutants: Sequence[Mutant]) -> set[int]:
    """Return the identities (`id`) of the mutants in which mypy finds a fault."""
    written = [mutant for mutant in mutants if mutant.render is not None]
    if not written:
        return set()
    with TemporaryDirectory() as folder:
        package = Path(folder) / "wscore"
        shutil.copytree(Path(wscore.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
        for number, mutant in enumerate(written):
            assert mutant.render is not None
            (package / f"_mutant_{number}.py").write_text(mutant.render(), "utf-8")
            original = package / f"{mutant.module}.py"
            shutil.copy(original, package / f"_mutant_of{mutant.module}.py")
        faults = set(_ERROR.findall(_run_mypy(Path(folder))))
    assert all(fault.isdigit() for fault in faults), f"mypy does not accept the modules as they are: {faults}"
    return {id(written[int(fault)]) for fault in faults}


def _run_mypy(folder: Path) -> str:
    """Run mypy over the copies in a folder; return its output."""
    files = [str(path.relative_to(folder)) for path in sorted(folder.glob("wscore/_mutant_*.py"))]
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(WORK / "mutation-types")]
    command = [sys.executable, "-m", "mypy", *settings, "--no-error-summary", "--hide-error-context", *files]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if ended.returncode not in (0, 1) or ended.stderr:
        raise RuntimeError(f"mypy failed: {ended.stdout}{ended.stderr}")
    return ended.stdout
