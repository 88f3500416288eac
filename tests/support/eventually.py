"""Waiting for what another thread does, without guessing how long it takes.

Three ways to wait, each bounded, so that what never happens fails a test instead of hanging it: `eventually`
for a condition that nothing announces, `background` for a call that blocks, and, in the tests themselves,
plain events and queues. `stays` is the opposite: it shows that something does *not* happen, and is the only
thing here that takes its whole time.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic, sleep
from typing import Final, Generic, TypeVar, final

PATIENCE: Final = 20.0  # seconds; no healthy run comes near, a busy machine may come closer than one thinks
_LOOK_EVERY: Final = 0.003

T = TypeVar("T")


def eventually(predicate: Callable[[], T], timeout: float = PATIENCE) -> T:
    """Return what predicate gives as soon as that is true; fail when it never is."""
    deadline = monotonic() + timeout
    while not (found := predicate()):
        assert monotonic() < deadline, f"still {found!r} after {timeout} s"
        sleep(_LOOK_EVERY)
    return found


def stays(predicate: Callable[[], object], seconds: float) -> None:
    """Check that predicate holds during all of the given time."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        assert predicate()
        sleep(_LOOK_EVERY)


@final
class Background(Generic[T]):
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._outcome: Future[T] = Future()
        self._thread = threading.Thread(target=self._run, name="test-background", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            result = self._call()
        except BaseException as error:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(result)

    @property
    def done(self) -> bool:
        """Whether the call has returned or raised."""
        return self._outcome.done()

    def result(self, timeout: float = PATIENCE) -> T:
        """Wait for the call to end, and return or raise what it did."""
        result = self._outcome.result(timeout)
        self._thread.join()
        return result

    def error(self, timeout: float = PATIENCE) -> BaseException | None:
        """Wait for the call to end, and return what it raised."""
        error = self._outcome.exception(timeout)
        self._thread.join()
        return error


def background(call: Callable[[], T]) -> Background[T]:
    """Start call in a thread of its own."""
    return Background(call)
