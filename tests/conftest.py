"""What holds for every test."""

import gc
from pathlib import Path

import hypothesis  # noqa: F401  # before the collector forgets: it minds being imported after that
import pytest

_HERE = Path(__file__).parent
_WORLD = tuple(
    _HERE / folder for folder in ("backends/attacks", "backends/strangers", "browser", "differential")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what has to do with programs other than the tests' own; tox runs it once for each build."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in _WORLD):
            item.add_marker(pytest.mark.world)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the cycle collector forget what exists before the first test.

    That is mostly the thousands of tests themselves. Those that measure memory collect before and after, and
    would look at all of it each time: half of what they cost.
    """
    gc.collect()
    gc.freeze()
