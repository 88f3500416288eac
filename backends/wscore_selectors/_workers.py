"""Threads for the few calls that nothing can make without waiting: looking up names, speaking with proxies.

They come with the first call and go with the last one. As many calls as there are threads run at a time.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar, final

_AT_ONCE: Final = 16

Result = TypeVar("Result")


@final
class Workers:
    """A few threads.

    Args:
        post: brings a call into the thread of the loop.
    """

    def __init__(self, post: Callable[..., object]) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads = 0

    def call(
        self, function: Callable[[], Result], done: Callable[[Result | None, Exception | None], object]
    ) -> None:
        """Call function in a thread, then done in that of the loop: with the result, or what it raised."""

        def run() -> None:
            try:
                outcome: tuple[Any, ...] = function(), None
            except Exception as error:
                outcome = None, error
            try:
                self._post(done, *outcome)
            except RuntimeError:
                pass  # the loop was closed meanwhile: nobody waits for it

        with self._lock:
            self._waiting.append(run)
            if self._threads == _AT_ONCE:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name="wscore-worker", daemon=True).start()
        except RuntimeError as error:  # the system has no more threads
            with self._lock:
                self._threads -= 1
                self._waiting.remove(run)
            self._post(done, None, OSError(str(error)))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                run = self._waiting.popleft()
            run()
