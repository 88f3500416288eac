"""Memory and work, measured so that the numbers are the same under every load.

Memory is what Python's allocator was asked for, which includes zlib's contexts. Work is counted in calls of
functions, ours and built-in ones; a loop that never ends is broken off at a limit.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

KIB = 1024
MIB = 1024 * KIB


class TooMuchWorkError(AssertionError):
    """An action made more calls than it may."""


def calls(action: Callable[[], object], limit: int = 10**9) -> int:
    """Count the calls that action makes; fail above limit."""
    made = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")
        if made > limit:
            raise TooMuchWorkError(f"more than {limit} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return made


def memory(action: Callable[[], object]) -> tuple[int, int]:
    """Return what action still holds when it is done, and what it held at its peak, in bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        kept = action()
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
        del kept
        return after - before, peak - before
    finally:
        tracemalloc.stop()


def peak(action: Callable[[], object]) -> int:
    """Return the most that action held at a time."""
    return memory(action)[1]
