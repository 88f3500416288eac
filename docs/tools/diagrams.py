"""Diagrams as SVG, drawn without any library: the states, the timers, the layers.

What is drawn comes from the core's tables and from the contract that guards its layers; only where a box
stands and which way an arrow takes is written here. An arrow without a way, or a state without a place, is an
error, so a diagram cannot leave out what the table has.
"""

import tomllib
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Final

from porting_order import CORE
from tables import remarks, states

from wscore import State, Timer

ROOT: Final = Path(__file__).parents[2]

_STYLE: Final = (
    "text{font:13px sans-serif;fill:#1a1a1a}"
    ".small{font-size:11px;fill:#444}"
    ".box{fill:#eef3fb;stroke:#34557f;stroke-width:1.5}"
    ".end{fill:#f3eefb}"
    ".way{fill:none;stroke:#34557f;stroke-width:1.5}"
    ".over{stroke-dasharray:5 3;stroke:#8a8a8a}"
    ".bar{fill:#9db8de}"
    ".grid{stroke:#ccc}"
    "@media(prefers-color-scheme:dark){text{fill:#e8e8e8}.small{fill:#bbb}.box{fill:#22344e;stroke:#8fb0de}"
    ".end{fill:#33264e}.way{stroke:#8fb0de}.over{stroke:#888}.bar{fill:#4d719f}.grid{stroke:#555}}"
)
_ARROW: Final = (
    '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L10 5L0 10z" fill="#6b86ad"/></marker>'
)

Point = tuple[int, int]


def svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """Return a picture."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f"<defs>{_ARROW}</defs>",
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "middle") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def _box(x: int, y: int, width: int, height: int, kind: str = "box") -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


# The states.

_WIDTH, _HEIGHT = 150, 40
_PLACES: Final[dict[str, Point]] = {  # the middle of each box
    "CONNECTING": (95, 200),
    "OPEN": (315, 200),
    "LOCAL_CLOSING": (535, 130),
    "REMOTE_CLOSING": (535, 270),
    "DRAINING": (775, 200),
    "CLOSED": (985, 200),
}
_WAYS: Final[dict[tuple[str, str], tuple[str, Point]]] = {  # corners, and where the words stand
    ("CONNECTING", "OPEN"): ("M170 200L238 200", (205, 192)),
    ("CONNECTING", "DRAINING"): ("M95 180L95 55L775 55L775 178", (435, 48)),
    ("CONNECTING", "CLOSED"): ("M80 220L80 385L1000 385L1000 222", (540, 378)),
    ("OPEN", "LOCAL_CLOSING"): ("M345 180L345 130L458 130", (402, 122)),
    ("OPEN", "REMOTE_CLOSING"): ("M345 220L345 270L458 270", (400, 285)),
    ("OPEN", "CLOSED"): ("M300 220L300 350L985 350L985 222", (600, 343)),
    ("LOCAL_CLOSING", "DRAINING"): ("M610 130L745 130L745 178", (678, 109)),
    ("LOCAL_CLOSING", "CLOSED"): ("M535 110L535 85L985 85L985 178", (860, 78)),
    ("REMOTE_CLOSING", "DRAINING"): ("M610 270L745 270L745 222", (678, 262)),
    ("REMOTE_CLOSING", "CLOSED"): ("M535 290L535 315L970 315L970 222", (760, 308)),
    ("DRAINING", "CLOSED"): ("M850 200L908 200", (879, 192)),
}


def state_machine() -> str:
    """The lifecycle of a connection: every transition of the table."""
    steps: dict[tuple[str, str], list[str]] = {}
    for row in states()["transitions"]:
        steps.setdefault((row["from"], row["to"]), []).append(row["step"])
    if steps.keys() != _WAYS.keys():
        raise ValueError(f"arrows and transitions differ: {sorted(steps.keys() ^ _WAYS.keys())}")
    parts = []
    for way, names in steps.items():
        path, (x, y) = _WAYS[way]
        over = " over" if names == ["ENDED"] else ""
        parts.append(f'<path class="way{over}" d="{path}" marker-end="url(#tip)"/>')
        parts += [_text(x, y + 13 * line, name, kind="small") for line, name in enumerate(names)]
    for state in State:
        x, y = _PLACES[state.name]
        kind = "box end" if state in (State.DRAINING, State.CLOSED) else "box"
        parts.append(_box(x - _WIDTH // 2, y - _HEIGHT // 2, _WIDTH, _HEIGHT, kind))
        parts.append(_text(x, y + 5, state.name))
    return svg(1070, 410, "The states of a connection", parts)


# The timers.

# In which states a timer can be armed.
ARMED_IN: Final[dict[str, str]] = {
    "OPEN": "CONNECTING",
    "PONG": "OPEN",
    "KEEPALIVE": "OPEN",
    "IDLE": "OPEN",
    "LIFETIME": "OPEN",
    "CLOSE": "LOCAL_CLOSING REMOTE_CLOSING DRAINING",
    "WRITE_STALL": "CONNECTING OPEN LOCAL_CLOSING REMOTE_CLOSING DRAINING",
}
_ROW, _COLUMN, _LEFT, _TOP = 34, 125, 110, 40


def timers() -> str:
    """In which states each timer can be armed, and when it fires."""
    columns = [state.name for state in State if state is not State.CLOSED]
    bottom = _TOP + _ROW * len(Timer)
    parts = []
    for number, name in enumerate(columns):
        x = _LEFT + number * _COLUMN
        parts.append(_text(x + _COLUMN / 2, _TOP - 14, name, kind="small"))
        parts.append(f'<path class="grid" d="M{x} {_TOP - 6}L{x} {bottom}"/>')
    edge = _LEFT + len(columns) * _COLUMN
    parts.append(f'<path class="grid" d="M{edge} {_TOP - 6}L{edge} {bottom}"/>')
    when = remarks(CORE / "_timers.py")
    for timer in Timer:
        y = _TOP + timer.value * _ROW
        parts.append(_text(_LEFT - 10, y + 21, timer.name, anchor="end"))
        for state in ARMED_IN[timer.name].split():
            x = _LEFT + columns.index(state) * _COLUMN
            parts.append(f'<rect class="bar" x="{x + 1}" y="{y + 7}" width="{_COLUMN - 2}" height="20"/>')
        parts.append(_text(edge + 12, y + 21, when[timer.name], kind="small", anchor="start"))
    return svg(edge + 370, bottom + 14, "The timers of a connection", parts)


# The layers.


def layers() -> list[list[str]]:
    """Return the layers of the core, top first, as the import contract has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [contract] = [contract for contract in contracts if contract["id"] == "layers"]
    separated = [layer.replace(":", "|").split("|") for layer in contract["layers"]]
    return [[name.strip(" ()") for name in layer] for layer in separated]


def layer_diagram() -> str:
    """Who may import whom: each module those of the layers below."""
    across, size, gap = 8, (128, 28), 8
    parts, y = [], 12
    for layer in layers():
        rows = [layer[start : start + across] for start in range(0, len(layer), across)]
        height = len(rows) * (size[1] + gap) + gap
        width = across * (size[0] + gap) + gap
        parts.append(f'<rect fill="none" class="grid" x="12" y="{y}" width="{width}" height="{height}"/>')
        for line, row in enumerate(rows):
            left = 12 + (width - len(row) * (size[0] + gap) + gap) // 2
            for place, name in enumerate(row):
                x, top = left + place * (size[0] + gap), y + gap + line * (size[1] + gap)
                parts += [_box(x, top, *size), _text(x + size[0] / 2, top + 19, name)]
        y += height + 10
    return svg(12 + across * (size[0] + gap) + gap + 12, y + 2, "The layers of the core", parts)


DIAGRAMS: Final = {"states": state_machine, "timers": timers, "layers": layer_diagram}
