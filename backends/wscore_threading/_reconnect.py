"""`reconnect`: one session after another, with pauses that grow while it goes badly."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Self, final

from wscore.policy import Backoff, Retries, should_retry

from ._client import connect
from ._session import Session, log


def reconnect(
    url: str,
    *,
    backoff: Backoff | None = None,
    retry: Callable[[BaseException], bool] = should_retry,
    **options: Any,
) -> "Reconnecting":
    """Connect again and again: an iterator of sessions, without end.

    Each turn of the loop gets an open session. When the turn is over the session is closed, if it is not
    yet, and the next one is opened after a pause. Who leaves the loop closes the last session::

        for session in reconnect("wss://example.com/feed"):
            try:
                for message in session:
                    use(message)
            except ConnectionClosed:
                pass                            # lost: the next turn gets a new one

    Args:
        url: as for `connect`.
        backoff: how long the pauses are; None: up to 1 s at first, doubling to 60 s, drawn at random, from
            the beginning again after a connection that lasted 30 s. A Retry-After is obeyed.
        retry: tells whether to go on after what `connect` raised; the iterator raises it otherwise.
        options: all others of `connect`.
    """
    retries = Retries(backoff or Backoff(chance=random.random), retry, log.info)
    return Reconnecting(partial(connect, url, **options), retries)


@final
class Reconnecting:
    """What `reconnect` returns."""

    def __init__(self, connect: Callable[[], Session], retries: Retries) -> None:
        self._connect = connect
        self._retries = retries
        self._session: Session | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Session:
        """Close the session of the last turn and open the next one."""
        if self._session is not None:
            self._session.close()
            time.sleep(self._retries.ended(time.monotonic()))
            self._session = None
        while True:
            try:
                self._session = self._connect()
            except Exception as error:
                delay = self._retries.failed(error, time.monotonic(), time.time())
                if delay is None:
                    raise
                time.sleep(delay)
            else:
                self._retries.opened(time.monotonic())
                return self._session
