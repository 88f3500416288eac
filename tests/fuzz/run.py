"""Fuzzes the targets one after the other, each for a bounded time: ``run.py --seconds 60``.

It needs the package atheris, which has wheels for Linux. Each target runs in a process of its own, because
the engine ends the process it runs in; it starts from the seeds and the old crashers that are checked in. An
input that breaks a promise is written to the folder that ``--keep`` names, and the exit code is 1; see
docs/fuzzing.md.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = ("head", "frames_server", "frames_client", "deflate", "two_peers")
LENGTHS = {"head": 2048, "two_peers": 400}  # bytes of an input at most
_GRACE = 120.0  # seconds more than asked for, until a target counts as hanging


def main(arguments: list[str]) -> int:
    """Run what was asked for; return the number for the shell."""
    parser = argparse.ArgumentParser(description="Fuzz wscore with atheris.")
    parser.add_argument(
        "targets", nargs="*", metavar="target", help=f"any of {', '.join(TARGETS)}; all of them"
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument(
        "--keep", type=Path, help="folder for new inputs and findings (default: a temporary one)"
    )
    parser.add_argument("--engine", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.engine is not None:
        return fuzz(options.targets[0], options.engine)
    unknown = sorted(set(options.targets) - set(TARGETS))
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed: see docs/fuzzing.md")
    keep = options.keep or Path(tempfile.mkdtemp(prefix="wscore-fuzz-"))
    failed = [name for name in options.targets or TARGETS if not run(name, options.seconds, keep)]
    print(f"findings in {', '.join(failed)}: see {keep}" if failed else "no findings", flush=True)
    return 1 if failed else 0


def run(name: str, seconds: int, keep: Path) -> bool:
    """Fuzz one target in a process of its own; tell whether nothing was found."""
    corpus, findings = keep / name / "corpus", keep / name / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    sources = [folder / name for folder in (HERE / "seeds", HERE / "crashers") if (folder / name).is_dir()]
    command = [sys.executable, __file__, name, "--engine", str(corpus), *map(str, sources)]
    command += [
        f"-max_total_time={seconds}",
        f"-max_len={LENGTHS.get(name, 1024)}",
        f"-artifact_prefix={findings}/",
        "-timeout=60",
        "-print_final_stats=1",
    ]
    print(f"== {name}: {seconds} s", flush=True)
    try:
        return subprocess.run(command, timeout=seconds + _GRACE, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{name} did not end", flush=True)
        return False


def fuzz(name: str, engine: list[str]) -> int:
    """Hand this process over to the engine."""
    atheris = importlib.import_module("atheris")
    sys.path.insert(0, str(HERE.parent))
    with atheris.instrument_imports(include=["wscore"]):
        importlib.import_module("wscore")
    targets = importlib.import_module("fuzz.targets")
    atheris.Setup([sys.argv[0], *engine], targets.TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
