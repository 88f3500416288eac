"""How long something takes, on a machine that has other things to do as well.

"Closing ends with its timeout, and half a second later at the latest" is a promise about this library. A
test cannot show it with a clock on the wall: when the machine stands still for a second, or gives its
processors to others, so does every clock. So the time here is that of a thread which does nothing but wake up
again and again: each waking counts for as long as it took, but never for much longer than it should have.
While this process gets no processor, hardly any time passes; while it waits, all of it does.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, final

_TICK: Final = 0.005  # seconds
_AT_MOST: Final = 4 * _TICK  # some systems wake late by nature, and threads take turns of 5 ms


@final
class Stopwatch:
    """Measures from its making on.

    Attributes:
        seconds: that have passed.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test-stopwatch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        last = monotonic()
        over = False
        while not over:
            over = self._over.wait(_TICK)
            now = monotonic()
            self.seconds += min(now - last, _AT_MOST)
            last = now

    def stop(self) -> None:
        """End the measurement."""
        self._over.set()
        self._thread.join()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Check that the block takes less than so many seconds, others' work not counted."""
    watch, begun = Stopwatch(), monotonic()
    try:
        yield
    finally:
        watch.stop()
    took = f"{watch.seconds:.2f} s ({monotonic() - begun:.2f} s on the clock)"
    assert watch.seconds < seconds, f"took {took} instead of less than {seconds} s"
