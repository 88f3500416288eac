"""Which of the two builds is under test, and a mark for the few tests that can look into one alone."""

from typing import Final

import pytest

import wscore

COMPILED: Final = not str(wscore._connection.__file__).endswith(".py")


def only_pure(reason: str) -> pytest.MarkDecorator:
    """Skip a test on the compiled build.

    Args:
        reason: why it cannot be asked there.
    """
    return pytest.mark.skipif(COMPILED, reason=f"pure Python only: {reason}")
