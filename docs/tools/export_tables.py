"""Write the tables of the core as JSON, the schema of the vectors, and the diagrams of the documentation.

::

    python docs/tools/export_tables.py            writes what has changed
    python docs/tools/export_tables.py --check    writes nothing; fails if something would change

Everything is made from the core, so run this when a table of the core, or a vector, was changed. wscore must
be importable.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))  # the runner of the vectors, which knows their format

from diagrams import DIAGRAMS  # noqa: E402
from porting_order import runnable  # noqa: E402
from tables import TABLES  # noqa: E402

from support.vector_schema import schema  # noqa: E402

_VECTORS: Final = "tests/vectors"
_LINE: Final = 110


def products() -> dict[str, str]:
    """Return all files that this makes, by their path."""
    made = {f"{_VECTORS}/tables/{name}.json": pretty(table()) for name, table in TABLES.items()}
    made[f"{_VECTORS}/tables/runnable.json"] = pretty(
        {
            "about": "How many vectors of each file have become runnable with each stage of porting.json; and"
            " those that come out another way with a core that is made open in place of the handshake.",
            **runnable(),
        }
    )
    made[f"{_VECTORS}/schema.json"] = pretty(schema())
    made.update({f"docs/diagrams/{name}.svg": draw() for name, draw in DIAGRAMS.items()})
    return made


def pretty(value: Any) -> str:
    """Write JSON with what is short on one line."""
    return _pretty(value, 0, 0) + "\n"


def _pretty(value: Any, indent: int, used: int) -> str:
    """Write a value that begins after `used` columns of a line whose indent is given."""
    flat = json.dumps(value, ensure_ascii=False)
    nested = isinstance(value, (dict, list)) and value
    if used and (not nested or used + len(flat) < _LINE):
        return flat
    pad = " " * (indent + 2)
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    values = value.values() if isinstance(value, dict) else value
    items = [
        pad + key + _pretty(item, indent + 2, indent + 2 + len(key))
        for key, item in zip(keys, values, strict=True)
    ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + "\n" + ",\n".join(items) + "\n" + " " * indent + closing


def stale() -> list[str]:
    """Return which files are not what they would be, and which should not be there."""
    made = products()
    found = [name for name, text in made.items() if _read(ROOT / name) != text]
    folders = {(ROOT / name).parent for name in made} - {ROOT / _VECTORS}
    others = (path for folder in folders for path in folder.iterdir())
    return sorted(found + [name for path in others if (name := str(path.relative_to(ROOT))) not in made])


def _read(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8") if path.exists() else None


def main(arguments: list[str]) -> int:
    """Write, or check; return the exit status."""
    if arguments == ["--check"]:
        changed = stale()
        print("\n".join(f"not up to date: {name}" for name in changed) or "everything is up to date")
        return 1 if changed else 0
    for name, text in products().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
