"""SIGTERM is the polite request of a supervisor; here it means the same as Ctrl-C.

Python turns Ctrl-C into KeyboardInterrupt, but lets SIGTERM kill the process: no Close would be sent.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminate_interrupts() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt inside the block.

    Only the main thread may set a signal's handler; elsewhere, as in a test, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt
