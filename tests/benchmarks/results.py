"""What a run leaves behind as JSON: every number, and everything that a reader needs to judge them by."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.judging import Line, Samples

FORMAT: Final = 1
PACKAGES: Final = (
    "aiofastnet",
    "aiohttp",
    "h11",
    "isal",
    "picows",
    "tornado",
    "uvloop",
    "websockets",
    "wsproto",
    "zlib-ng",
)

_FIGURES: Final = {"type": "object", "additionalProperties": {"type": "number"}}
_FIGURE: Final = {"type": ["number", "null"]}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": [
        "format",
        "begun",
        "build",
        "machine",
        "options",
        "versions",
        "samples",
        "failures",
        "lines",
    ],
    "additionalProperties": False,
    "properties": {
        "format": {"const": FORMAT},
        "begun": {"type": "string"},
        "build": {"enum": ["compiled", "pure"]},
        "machine": {"type": "object", "required": ["cpu", "cores", "system", "python"]},
        "options": {"type": "object", "required": ["rows", "seconds", "rounds"]},
        "versions": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "samples": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["work", "contestant", "rounds"],
                "properties": {"rounds": {"type": "array", "items": _FIGURES}},
            },
        },
        "failures": {
            "type": "array",
            "items": {"type": "object", "required": ["work", "contestant", "why"]},
        },
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["row", "work", "metric", "wscore", "ours", "peer", "peers", "ratio", "verdict"],
                "properties": {"ours": _FIGURE, "peers": _FIGURE, "ratio": _FIGURE, "by_cpu": _FIGURE},
            },
        },
    },
}


def document(
    lines: list[Line], samples: Samples, *, begun: str, build: str, wscore: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Return everything, ready for `json`.

    Args:
        lines, samples: what came out.
        begun: the date and time.
        build: of wscore, "compiled" or "pure".
        wscore: its version.
        options: of the run.
    """
    return {
        "format": FORMAT,
        "begun": begun,
        "build": build,
        "machine": machine(),
        "options": options,
        "versions": {"wscore": wscore, **versions()},
        "samples": [
            {"work": title, "contestant": who.label, "rounds": rounds}
            for (title, who), rounds in samples.rounds.items()
        ],
        "failures": [
            {"work": title, "contestant": who.label, "why": why}
            for (title, who), why in samples.failures.items()
        ],
        "lines": [_line(line) for line in lines],
    }


def _line(line: Line) -> dict[str, Any]:
    check = line.check
    return {
        "row": check.row,
        "work": check.work.title,
        "metric": check.metric,
        "wscore": check.ours.label,
        "ours": line.ours,
        "peer": None if check.peer is None else check.peer.label,
        "peers": line.peers,
        "ratio": line.ratio,
        "by_cpu": line.by_cpu,
        "at_most": check.at_most,
        "at_least": check.at_least,
        "verdict": line.verdict.name.lower(),
    }


def machine() -> dict[str, Any]:
    """Describe what the run ran on."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def versions() -> dict[str, str | None]:
    """Return the versions of the peers; None for what is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
