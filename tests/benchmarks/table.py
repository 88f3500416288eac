"""The table that a run ends with: one line for each check, in plain text."""

from collections.abc import Sequence
from typing import Final

from benchmarks.judging import METRICS, Line, Verdict

HEAD: Final = ("row", "work", "figure", "wscore", "", "peer", "", "ratio", "by CPU", "target", "holds")
_RIGHT: Final = {4, 6, 7, 8}
_GAP: Final = "  "


def number(value: float | None) -> str:
    """Return value with three digits that count; "-" for None."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def cells(line: Line) -> tuple[str, ...]:
    """Return the columns of one line."""
    check = line.check
    return (
        check.row,
        check.work.title,
        METRICS[check.metric],
        check.ours.label.removeprefix("wscore-"),
        number(line.ours),
        "" if check.peer is None else check.peer.label,
        "" if check.peer is None else number(line.peers),
        "" if check.peer is None else number(line.ratio),
        "" if line.by_cpu is None else number(line.by_cpu),
        check.target,
        line.verdict.value,
    )


def render(lines: Sequence[Line]) -> str:
    """Return the whole table, a blank line between rows, and how many targets hold."""
    body = [HEAD, *map(cells, lines)]
    widths = [max(len(each[column]) for each in body) for column in range(len(HEAD))]
    text = [_joined(HEAD, widths), _GAP.join("-" * width for width in widths)]
    row = ""
    for line in lines:
        if row not in ("", line.check.row):
            text.append("")
        row = line.check.row
        text.append(_joined(cells(line), widths))
    return "\n".join([*text, "", summary(lines)])


def _joined(columns: Sequence[str], widths: Sequence[int]) -> str:
    placed = [
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return _GAP.join(placed).rstrip()


def summary(lines: Sequence[Line]) -> str:
    """Say how many targets hold."""
    count = {verdict: sum(line.verdict is verdict for line in lines) for verdict in Verdict}
    text = f"{count[Verdict.HOLDS]} targets hold, {count[Verdict.MISSED]} are missed"
    missing = count[Verdict.NOT_MEASURED]
    return f"{text}, {missing} lines were not measured" if missing else text
