"""docs/security.md names the tests that there are, and no others, and its numbers are those of the code."""

import ast
import re
from pathlib import Path

import pytest

from wscore import Limits, Timeouts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TESTS = Path(__file__).parent


def section(title: str) -> str:
    """Return the text between a heading and the next."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> list[list[str]]:
    """Return the cells of all tables of a section, without their heads."""
    cells = [line.strip("|").split("|") for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in cells if row[0].strip(" -") != ""]


def written() -> set[str]:
    """Return the names of all tests for rows."""
    return {
        node.name
        for path in TESTS.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_row_")
    }


def test_every_row_names_its_tests_and_every_test_is_named_in_its_row() -> None:
    named: set[str] = set()
    for row, *_, tests in rows("What has gone wrong elsewhere"):
        names = re.findall(r"`(test_row_\w+)`", tests)
        number = row.lower() if row.startswith("F") else row.zfill(2)
        assert all(name.startswith(f"test_row_{number}_") for name in names), row
        named.update(names)
    assert named == written()


def test_every_row_has_a_test() -> None:
    tested = {row[0] for row in rows("What has gone wrong elsewhere") if "test_row_" in row[-1]}
    assert tested == {*map(str, range(1, 65)), "F1", "F2", "F3", "F4", "F5", "F6"}


@pytest.mark.parametrize(("title", "least"), [("Properties", 13), ("On every backend", 10)])
def test_every_file_that_shows_something_exists(title: str, least: int) -> None:
    table = rows(title)[1:]
    assert len(table) >= least
    for name, _, files in table:
        paths = re.findall(r"`([\w/.]+)`", files)
        assert paths, name
        for path in paths:
            assert (ROOT / "tests" / path).is_file(), path


@pytest.mark.parametrize("settings", [Limits(), Timeouts()], ids=["limits", "timeouts"])
def test_every_setting_is_in_the_table(settings: Limits | Timeouts) -> None:
    table = {name: row for row in rows("Limits and defaults") for name in re.findall(r"`(\w+)`", row[0])}
    for name in settings.__slots__:
        assert name in table, name
        value = getattr(settings, name)
        if value is not None:
            assert f"{value:,.0f}" in table[name][1], (name, value)
