"""Draws the figures of a run as bars: ``plot.py RESULTS.json OUT.svg``.

One panel for each of a few works, the best contestant first, ours in another colour. The picture is SVG,
written here: it needs no library, and the same numbers give the same file.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from typing import Any, Final

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.table import number

_WIDTH: Final = 760
_LABELS: Final = 190  # pixels for the names
_NUMBERS: Final = 90  # pixels for the figures
_BAR: Final = 16
_STEP: Final = 22
_TITLE: Final = 34
_GAP: Final = 18
_OURS: Final = "#2563eb"
_THEIRS: Final = "#94a3b8"
_TEXT: Final = "#64748b"  # legible on white and on black
_FONT: Final = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True)
class Panel:
    """What one group of bars shows.

    Attributes:
        work: its title in the results.
        metric: which figure.
        unit: what the figures are.
        more: more is better.
        without: who is left out, because its bar would dwarf all others.
    """

    work: str
    metric: str
    unit: str
    more: bool = False
    without: tuple[str, ...] = ()


_PER_SECOND: Final = "messages for each second of processor time; more is better"
PANELS: Final = (
    Panel("ping-pong, 10 connections", "cpu", "µs of processor time for each message; less is better"),
    Panel("64 in flight, 10 connections", "capacity", _PER_SECOND, more=True, without=("raw",)),
    Panel("64 KiB binary", "capacity", _PER_SECOND, more=True),
    Panel("idle connection", "kib", "KiB of memory; less is better"),
)


def bars(results: dict[str, Any], panel: Panel) -> list[tuple[str, float]]:
    """Return names and figures, the best first."""
    found = [
        (sample["contestant"], median(figures[panel.metric] for figures in sample["rounds"]))
        for sample in results["samples"]
        if sample["work"] == panel.work
        and panel.metric in sample["rounds"][0]
        and sample["contestant"] not in panel.without
    ]
    return sorted(found, key=lambda bar: bar[1], reverse=panel.more)


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", bold: bool = False) -> str:
    weight = " font-weight='600'" if bold else ""
    place = f"x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}'"
    return f"<text {place} {_FONT} font-size='{size}' fill='{_TEXT}'{weight}>{escape(text)}</text>"


def _draw_panel(panel: Panel, shown: Sequence[tuple[str, float]], top: float) -> list[str]:
    """Return the elements of one panel."""
    drawn = [_text(0, top + 14, panel.work, size=14, bold=True), _text(0, top + 29, panel.unit, size=11)]
    longest = max(value for _, value in shown) or 1.0
    room = _WIDTH - _LABELS - _NUMBERS
    for index, (name, value) in enumerate(shown):
        y = top + _TITLE + 4 + index * _STEP
        length = max(value / longest * room, 1.0)
        colour = _OURS if name.startswith("wscore") else _THEIRS
        drawn.append(_text(_LABELS - 8, y + 12, name, anchor="end"))
        place = f"x='{_LABELS}' y='{y:.0f}' width='{length:.1f}' height='{_BAR}'"
        drawn.append(f"<rect {place} rx='2' fill='{colour}'/>")
        drawn.append(_text(_LABELS + length + 6, y + 12, number(value)))
    return drawn


def draw(results: dict[str, Any]) -> str:
    """Return the picture; panels that were not measured are left out."""
    drawn: list[str] = []
    top = 0.0
    for panel in PANELS:
        shown = bars(results, panel)
        if shown:
            drawn += _draw_panel(panel, shown, top)
            top += _TITLE + len(shown) * _STEP + _GAP
    machine = results["machine"]
    footer = (
        f"{machine['cpu']}, Python {machine['python']}, wscore {results['build']}, {results['begun'][:10]}"
    )
    drawn.append(_text(0, top + 10, footer, size=11))
    height = top + 20
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:.0f}' width='{_WIDTH}'>"
    return "\n".join([head, *drawn, "</svg>"]) + "\n"


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8"))
    options.picture.write_text(draw(results), encoding="utf-8")


if __name__ == "__main__":
    main()
