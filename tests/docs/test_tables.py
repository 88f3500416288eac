"""The exported tables, the schema and the diagrams are those of the core; the guide for ports is true."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import wscore
from support.build import only_pure
from support.vectors import WHOLE, Player, load_all
from wscore import State, Timer, Violation

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "tests" / "vectors" / "tables"
DIAGRAMS = ROOT / "docs" / "diagrams"
GUIDE = ROOT / "docs" / "porting.md"
PATIENCE = 120.0


def table(name: str) -> dict[str, Any]:
    """Return an exported table."""
    content: dict[str, Any] = json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))
    return content


@only_pure("which vectors need which file is seen where functions can be seen while they run")
def test_what_is_committed_is_what_the_script_makes() -> None:
    script = ROOT / "docs" / "tools" / "export_tables.py"
    done = subprocess.run(
        [sys.executable, script, "--check"],
        env={**os.environ, "PYTHONPATH": str(Path(wscore.__file__).parents[1])},
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "everything is up to date\n"), done.stdout + done.stderr


def test_every_rule_and_every_timer_is_exported() -> None:
    assert [row["name"] for row in table("violations")["violations"]] == [rule.name for rule in Violation]
    assert [row["name"] for row in table("timers")["timers"]] == [timer.name for timer in Timer]


def test_every_meaning_is_a_phrase() -> None:
    phrases = [row["when"] for row in table("timers")["timers"]]
    phrases += [row["idea"] for stage in table("porting")["stages"] for row in stage["files"]]
    assert all(len(phrase.split()) >= 3 for phrase in phrases)


# The order in which to port.


def stages() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table("porting")["stages"]
    return rows


def modules() -> set[str]:
    """Return the names of the core's modules and packages: of the sources, whatever lies beside them."""
    folder = ROOT / "wscore"
    return {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/*.py")}


def module(row: dict[str, Any]) -> str:
    return Path(row["file"]).stem


def test_every_file_of_the_core_has_one_place_in_the_order() -> None:
    listed = [module(row) for stage in stages() for row in stage["files"]]
    found = modules()
    assert len(listed) == len(set(listed))
    assert found - set(listed) == {"__init__", "_typing", "policy", "testing"}
    assert set(listed) <= found


def test_what_a_file_needs_comes_before_it() -> None:
    seen: set[str] = set()
    for stage in stages():
        for row in stage["files"]:
            assert set(row["needs"]) <= seen, row["file"]
            seen.add(module(row))


def test_what_can_be_left_out_at_first_comes_in_a_later_stage() -> None:
    stage_of = {module(row): stage["stage"] for stage in stages() for row in stage["files"]}
    for stage in stages():
        for row in stage["files"]:
            assert all(stage_of[name] > stage["stage"] for name in row.get("without_at_first", [])), row


def test_in_the_end_every_vector_is_runnable() -> None:
    last = table("runnable")["stages"][-1]
    assert last["runnable"] == last["of"] == len(load_all())


def test_two_vectors_need_the_handshake_that_a_runner_may_leave_out_at_first() -> None:
    names = table("runnable")["different_when_made_open"]
    assert len(names) == 2
    assert all("WRITE_STALL" in name for name in names)


# The guide.


def test_the_guide_names_every_file_in_its_order() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    listed = [row["file"] for stage in stages() for row in stage["files"]]
    places = [text.find(f"`{Path(name).name}`") for name in listed]
    assert -1 not in places
    assert places == sorted(places)


def test_the_guide_says_how_many_vectors_run_after_each_stage() -> None:
    rows = re.findall(r"^\*After it (\d+) of (\d+) vectors run\.\*$", GUIDE.read_text(encoding="utf-8"), re.M)
    expected = [(str(row["runnable"]), str(row["of"])) for row in table("runnable")["stages"]]
    assert rows == [row for row in expected if row[0] != "0"]


@pytest.mark.parametrize("page", ["docs/porting.md", "tests/vectors/README.md", "docs/core.md"])
def test_every_link_of_the_guide_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


# The diagrams.


def words(name: str) -> set[str]:
    """Return all that is written in a diagram."""
    root = ElementTree.fromstring((DIAGRAMS / f"{name}.svg").read_text(encoding="utf-8"))
    return {element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")}


def test_the_diagram_of_states_has_every_state_and_every_step() -> None:
    rows = table("states")
    assert words("states") == {*rows["states"], *(row["step"] for row in rows["transitions"])}


def test_the_diagram_of_layers_has_every_module() -> None:
    found = modules()
    assert words("layers") >= found - {"__init__"}


@cache
def armed() -> set[tuple[str, str]]:
    """Return which timers the vectors find armed in which state."""
    return {pair for vector in load_all() for pair in _armed_in(Player(vector, WHOLE))}


def _armed_in(player: Player) -> Iterator[tuple[str, str]]:
    for _ in player.steps():
        timers = player.core._watch._timers
        yield from ((player.core.state.name, timer.name) for timer in Timer if timers.is_armed(timer))


def test_the_diagram_of_timers_has_a_bar_where_a_timer_can_be_armed() -> None:
    root = ElementTree.fromstring((DIAGRAMS / "timers.svg").read_text(encoding="utf-8"))
    columns = [state.name for state in State if state is not State.CLOSED]
    bars = [element for element in root.iter() if element.get("class") == "bar"]
    left = min(int(bar.attrib["x"]) for bar in bars)
    width = int(bars[0].attrib["width"]) + 2
    top = min(int(bar.attrib["y"]) for bar in bars)
    height = 34
    drawn = {
        (
            columns[(int(bar.attrib["x"]) - left) // width],
            Timer((int(bar.attrib["y"]) - top) // height).name,
        )
        for bar in bars
    }
    assert drawn == armed()
