"""The program itself: tiny runs of a few rows, whose numbers mean nothing."""

import importlib.util
import json
import sys
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from benchmarks import run
from benchmarks.results import SCHEMA

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need epoll")


@pytest.mark.parametrize("row", ["P5", "P7"])
def test_a_row_is_measured(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for package in ("websockets", "wsproto"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    file = tmp_path / "results.json"

    # The builds of wscore that P7 would compare are not there: whatever there is stands for itself.
    run.main([row, "--seconds=0.02", "--rounds=1", f"--json={file}"])
    results = json.loads(file.read_text(encoding="utf-8"))

    jsonschema.validate(results, SCHEMA)
    assert [each for each in results["failures"] if "(pure)" not in each["contestant"]] == []
    lines = [line for line in results["lines"] if "(pure)" not in line["wscore"]]
    assert lines and all(line["ratio"] > 0 for line in lines)
    assert all(line["row"] == row for line in lines)
    assert row in capsys.readouterr().out


def test_rows_are_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.parse(["p3", "P11"]).rows == ["P3", "P11"]
    with pytest.raises(SystemExit):
        run.parse(["P15"])
    assert "no such row: P15" in capsys.readouterr().err


def test_without_rows_all_are_measured() -> None:
    assert len(run.parse([]).rows) == 14


def test_a_build_that_is_not_where_it_was_said_to_be_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wscore.py").write_text("raise ImportError('not this one')\n", encoding="utf-8")

    assert run.main(["P7", f"--path={tmp_path}"]) == 2
    assert "not this one" in capsys.readouterr().err
