"""What holds for every test."""

import gc

import hypothesis  # noqa: F401  # before the collector forgets: it minds being imported after that
import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the cycle collector forget what exists before the first test.

    That is mostly the thousands of tests themselves. Those that measure memory collect before and after, and
    would look at all of it each time: half of what they cost.
    """
    gc.collect()
    gc.freeze()
