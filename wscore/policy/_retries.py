"""One connection after another: when to open the next one, and when to give up.

Three things can happen to a client that wants to stay connected, and each has its answer here: a connection
was opened, one has ended, and one could not be opened. A backend adds the pause, and the connections::

    while True:
        try:
            session = connect(...)
        except Exception as error:
            delay = retries.failed(error, clock(), time())
            if delay is None:
                raise
        else:
            retries.opened(clock())
            ...                                 # use it until it ends
            delay = retries.ended(clock())
        wait(delay)
"""

from collections.abc import Callable
from typing import final

from ._backoff import Backoff, asked_to_wait
from ._redact import printable


@final
class Retries:
    """The decisions of one client that connects again and again.

    Args:
        backoff: how long the pauses are.
        retry: whether to go on after an error that kept a connection from opening.
        say: takes a sentence for the log: when it is tried again, and why.
    """

    __slots__ = ("_backoff", "_retry", "_say")

    def __init__(
        self, backoff: Backoff, retry: Callable[[BaseException], bool], say: Callable[[str], object]
    ) -> None:
        self._backoff = backoff
        self._retry = retry
        self._say = say

    def opened(self, now: float) -> None:
        """Take note that a connection is open."""
        self._backoff.connected(now)

    def ended(self, now: float) -> float:
        """Take note that it has ended; return how many seconds to wait before the next one."""
        return self._backoff.delay(now)

    def failed(self, error: Exception, now: float, wall: float) -> float | None:
        """Take note that none could be opened; return how many seconds to wait, None: give up.

        Args:
            error: what kept it from opening.
            now: the time.
            wall: the time of day, in seconds since 1970, UTC.
        """
        if not self._retry(error):
            return None
        delay = self._backoff.delay(now, asked_to_wait(error, wall))
        self._say(f"connecting again in {delay:.1f} s: {printable(str(error))}")
        return delay
