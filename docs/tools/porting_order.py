"""The order in which to port the core, checked against its sources and its vectors.

The stages are written by hand; everything said about them is found out. What a file needs are its imports:
each must come before it, or be named as one that can be left out until later. A vector becomes runnable with
the stage that brings the last of the files whose functions run while it is played. Constructors do not
count, nor what a connection does that is made open: a port can begin without those parts. So that as many
vectors as possible run early, those that begin with the standard handshake are played as established.
"""

import ast
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import wscore
from support.vectors import WHOLE, Outcome, Player, Vector, differences, load_all

CORE: Final = Path(wscore.__file__).parent

STAGES: Final[dict[str, str]] = {
    "words, numbers and tables": "_codes _violations _lifecycle _timers _stats _batch _grammar _http _events"
    " _errors _extension _config",
    "frames": "_mask _utf8 _frames",
    "between frames and messages": "_messages _inbox _outbox _flood _receiver _keepalive _ending _prepared"
    " _sender _watch",
    "the connection, made open": "_entropy _connection",
    "the opening handshake": "_url _origin _handshake _head _negotiation _client_handshake"
    " _server_handshake _opening",
    "compression": "_decoding _deflate",
    "the application's side": "_endpoint _story _delivery",
}
# What can be left out until its stage has come: the caller goes on without it.
LATER: Final[dict[str, str]] = {
    "_messages": "_decoding",
    "_connection": "_handshake _negotiation _opening _url",
}
NOT_PORTED: Final = "__init__ _typing testing policy"  # another language has its own

_WITHOUT_OPENING: Final = ("Opening.skip", "Opening.take_rest")  # three lines, for a connection made open


def order() -> list[dict[str, Any]]:
    """Return the stages as data: for each file its idea, what it needs, and what can be left out at first."""
    stages = []
    for number, (title, files) in enumerate(STAGES.items(), 1):
        rows = [_row(name) for name in files.split()]
        stages.append({"stage": number, "title": title, "files": rows})
    return stages


def _row(name: str) -> dict[str, Any]:
    tree = ast.parse((CORE / f"{name}.py").read_text(encoding="utf-8"))
    later = LATER.get(name, "").split()
    needs = [needed for needed in imports(tree) if needed not in (*later, *NOT_PORTED.split())]
    outside = sorted(outside_imports(tree) & {"h11", "zlib"})
    idea = (ast.get_docstring(tree) or "").splitlines()[0]
    row: dict[str, Any] = {"file": f"wscore/{name}.py", "idea": idea, "needs": needs}
    if later:
        row["without_at_first"] = later
    if outside:
        row["libraries"] = outside
    return row


def imports(tree: ast.Module) -> list[str]:
    """Return which modules of the core one of them imports."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1)
    return sorted({node.module for node in nodes if node.module})


def outside_imports(tree: ast.Module) -> set[str]:
    """Return which modules of others it imports."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    return {name.name for node in nodes for name in node.names}


# Which vectors run when.


def runnable() -> dict[str, Any]:
    """Return, for each stage and each file of vectors, how many of them have become runnable by then."""
    stage_of = {name: number for number, files in enumerate(STAGES.values()) for name in files.split()}
    totals: Counter[str] = Counter()
    ready: list[Counter[str]] = [Counter() for _ in STAGES]
    different: list[str] = []
    for vector in load_all():
        totals[vector.file] += 1
        modules, outcomes = trace(opened := _made_open(vector))
        if differences(opened, outcomes):  # it is about something that the handshake leaves behind
            different.append(vector.id)
            modules, _ = trace(vector)
        for number in range(max(stage_of.get(module, 0) for module in modules), len(STAGES)):
            ready[number][vector.file] += 1
    stages = [
        {
            "stage": number,
            "title": title,
            "runnable": sum(counts.values()),
            "of": sum(totals.values()),
            "files": {f"{name}.json": [counts[name], totals[name]] for name in totals if counts[name]},
        }
        for number, (title, counts) in enumerate(zip(STAGES, ready, strict=True), 1)
    ]
    return {"different_when_made_open": different, "stages": stages}


def _made_open(vector: Vector) -> Vector:
    """Return the vector with a core that is made open in place of the standard handshake."""
    if not vector.data.get("after_handshake", False):
        return vector
    data = {key: value for key, value in vector.data.items() if key != "after_handshake"}
    return Vector(vector.file, {**data, "established": {}})


@cache
def _module_of(code: CodeType) -> str | None:
    """Return which module of the core a function belongs to; None: to none, or it does not count."""
    path, name = Path(code.co_filename), code.co_qualname
    counts = path.parent == CORE and ".__" not in name and name not in _WITHOUT_OPENING
    return path.stem if counts else None


def trace(vector: Vector) -> tuple[set[str], list[Outcome]]:
    """Play a vector; return the modules of the core whose functions ran, and what came out."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (module := _module_of(frame.f_code)) is not None:
            seen.add(module)

    player = Player(vector, WHOLE)
    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        outcomes = player.play()
    finally:
        sys.setprofile(previous)
    return seen, outcomes
