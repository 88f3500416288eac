"""The tables of the core as plain data, for JSON: what a port copies rather than writes.

Everything is read from the core itself; what an enumeration member means stands beside it in the source, and
is taken from there.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any, Final

from porting_order import CORE, order

from wscore import (
    CloseCode,
    Config,
    Deflate,
    Limits,
    Opcode,
    State,
    Timeouts,
    Timer,
    TransportAction,
    Violation,
)
from wscore._codes import REASON_LIMIT, may_travel
from wscore._lifecycle import TRANSITIONS, Step

_REMARK: Final = re.compile(r"^    ([A-Z_]+) = .*?  # (.+)$", re.MULTILINE)

Table = dict[str, Any]


def remarks(path: Path) -> dict[str, str]:
    """Return what stands behind each member of a file's enumerations."""
    return dict(_REMARK.findall(path.read_text(encoding="utf-8")))


def states() -> Table:
    """The state machine."""
    return {
        "about": "Where a connection stands, what moves it, and the only ways there are.",
        "initial": State.CONNECTING.name,
        "states": [state.name for state in State],
        "steps": _meanings(Step),
        "actions": _meanings(TransportAction),
        "transitions": [
            {"from": state.name, "step": step.name, "to": target.name}
            for (state, step), target in TRANSITIONS.items()
        ],
    }


def _meanings(members: type[Enum]) -> list[Table]:
    return [{"name": member.name, "meaning": member.value} for member in members]


def violations() -> Table:
    """The rules that a peer can break."""
    return {
        "about": "Every rule that a peer can break. close_code: of our Close, once frames flow; status: of a"
        " server's refusal; both null: a client leaves without a word. sentence: reason of the Close, body"
        " of the refusal.",
        "violations": [
            {
                "name": violation.name,
                "close_code": violation.close_code,
                "status": violation.status,
                "clause": violation.clause,
                "sentence": violation.sentence,
            }
            for violation in Violation
        ],
    }


def timers() -> Table:
    """The timers, in the order in which they fire."""
    when = remarks(CORE / "_timers.py")
    return {
        "about": "Everything that time can do. Of timers with the same deadline the one of lower order"
        " comes first.",
        "timers": [{"name": timer.name, "order": timer.value, "when": when[timer.name]} for timer in Timer],
    }


def close_codes() -> Table:
    """Close codes."""
    return {
        "about": "Status codes of a Close frame. may_travel: an endpoint may send it and must accept it."
        " Codes from 3000 to 4999 may travel, too; all others must not.",
        "private": [3000, 4999],
        "reason_limit": REASON_LIMIT,
        "codes": [
            {"number": code.value, "name": code.name, "may_travel": may_travel(code)} for code in CloseCode
        ],
    }


def opcodes() -> Table:
    """Opcodes."""
    return {
        "about": "The opcodes in use; all others are reserved. Control frames come whole, with at most 125"
        " bytes.",
        "opcodes": [
            {"number": opcode.value, "name": opcode.name, "control": opcode.value >= 8} for opcode in Opcode
        ],
    }


def defaults() -> Table:
    """What a caller may set."""
    compression = [field.name for field in fields(Deflate) if field.name not in ("name", "zlib")]
    plain = ("origins", "stream", "fragment_size", "control_events", "agent")
    return {
        "about": "Defaults of all settings. Sizes are bytes, times seconds; null turns a setting off.",
        "limits": {field.name: getattr(Limits(), field.name) for field in fields(Limits)},
        "timeouts": {field.name: getattr(Timeouts(), field.name) for field in fields(Timeouts)},
        "config": {name: getattr(Config(), name) for name in plain} | {"compression": None},
        "compression": {name: getattr(Deflate(), name) for name in compression},
    }


def porting() -> Table:
    """The order in which to port."""
    return {
        "about": "The order in which to port, file by file. needs: files that come before. without_at_first:"
        " what the file can be written without until the stage that brings it.",
        "stages": order(),
    }


TABLES: Final[dict[str, Callable[[], Table]]] = {
    "states": states,
    "violations": violations,
    "timers": timers,
    "close_codes": close_codes,
    "opcodes": opcodes,
    "defaults": defaults,
    "porting": porting,
}
