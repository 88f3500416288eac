"""The table, the JSON and the picture, from numbers that are made up."""

import json
import xml.etree.ElementTree
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from benchmarks.judging import Check, Line, Samples, judge
from benchmarks.plot import draw
from benchmarks.results import SCHEMA, document
from benchmarks.rows import ASYNCIO, IDLE, PICOWS, PIPELINED, RAW
from benchmarks.table import number, render

CHECKS = (
    Check("P3", PIPELINED, "rate", ASYNCIO, PICOWS, at_least=6.0),
    Check("P3", PIPELINED, "rate", ASYNCIO, RAW),
    Check("P9", IDLE, "kib", ASYNCIO, at_most=6.0),
)


def made_up() -> tuple[list[Line], Samples]:
    rounds = {
        (PIPELINED.title, ASYNCIO): [
            {"rate": 1_500_000.0, "cpu": 0.61, "capacity": 1_600_000.0},
            {"rate": 1_300_000.0, "cpu": 0.63, "capacity": 1_500_000.0},
        ],
        (PIPELINED.title, PICOWS): [{"rate": 200_000.0, "cpu": 4.96, "capacity": 201_613.0}],
        (IDLE.title, ASYNCIO): [{"kib": 7.25}],
    }
    samples = Samples(rounds, {(PIPELINED.title, RAW): "Unavailable: no uvloop"})
    return [judge(check, samples) for check in CHECKS], samples


def written() -> dict[str, Any]:
    lines, samples = made_up()
    made = document(
        lines,
        samples,
        begun="2000-01-01T00:00:00+00:00",
        build="compiled",
        wscore="1.2.3",
        options={"rows": ["P3"], "seconds": 1.0, "rounds": 2},
    )
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


def test_numbers_show_three_digits_that_count() -> None:
    shown = [number(each) for each in (None, 0.0634, 1.5, 12.34, 1234567.8)]

    assert shown == ["-", "0.063", "1.50", "12.3", "1,234,568"]


def test_the_table_marks_what_is_missed_and_what_was_not_measured() -> None:
    text = render(made_up()[0])
    head, _, first, second, blank, third, _, summary = text.splitlines()

    assert head.split()[:3] == ["row", "work", "figure"]
    assert first.split()[-6:] == ["200,000", "7.00", "8.00", "≥", "6", "holds"]
    assert second.endswith("not measured")
    assert blank == ""
    assert third.startswith("P9") and third.endswith("MISSED")
    assert summary == "1 targets hold, 1 are missed, 1 lines were not measured"


def test_no_line_of_the_table_ends_with_blanks() -> None:
    assert all(line == line.rstrip() for line in render(made_up()[0]).splitlines())


def test_the_json_is_what_its_schema_says() -> None:
    made = written()

    jsonschema.validate(made, SCHEMA)
    assert made["failures"] == [
        {"work": PIPELINED.title, "contestant": "raw", "why": "Unavailable: no uvloop"}
    ]
    assert made["versions"]["wscore"] == "1.2.3"
    assert [line["verdict"] for line in made["lines"]] == ["holds", "not_measured", "missed"]


def test_the_picture_is_well_formed_and_shows_the_best_first() -> None:
    picture = draw(written())
    texts = [element.text or "" for element in xml.etree.ElementTree.fromstring(picture).iter()]

    assert texts.index(ASYNCIO.label) < texts.index(PICOWS.label)
    assert PIPELINED.title in texts and "ping-pong, 10 connections" not in texts
    assert picture == draw(written())
