"""One connection after another, with pauses that grow while it goes badly."""

import time
from collections.abc import Callable
from typing import Protocol, final

from wscore.policy import Retries, printable

from ._client import Dialing
from ._loop import Loop, log
from ._session import Session
from ._timers import TimerHandle


class Connect(Protocol):
    """`Reactor.connect`, with everything given but who hears of failures."""

    def __call__(self, *, on_failure: Callable[[Exception], object]) -> Dialing: ...


@final
class Reconnecting:
    """Connections that follow each other; get it from `Reactor.reconnect`.

    Attributes:
        on_end: called with this when there will be no further connection.
    """

    def __init__(
        self,
        loop: Loop,
        connect: Connect,
        retries: Retries,
        on_failure: Callable[[Exception], object] | None,
    ) -> None:
        self._loop = loop
        self._connect = connect
        self._retries = retries
        self._on_failure = on_failure
        self._timer: TimerHandle | None = None
        self._error: Exception | None = None  # what kept the newest connection from opening
        self._ended = False
        self.on_end: Callable[[Reconnecting], object] = _nothing
        self._dialing = self._dial()

    @property
    def session(self) -> Session | None:
        """The open session; None: there is none now."""
        session = self._dialing.session
        return session if session is not None and session.closed is None else None

    def cancel(self) -> None:
        """Open no further connection; a session that is open stays open. Harmless at any time."""
        if not self._ended:
            self._end()
            self._dialing.cancel()

    def _end(self) -> None:
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self.on_end(self)

    def _dial(self) -> Dialing:
        dialing = self._connect(on_failure=self._note)
        forget = dialing.on_over

        def over() -> None:
            forget()
            self._over()

        dialing.on_over = over
        return dialing

    def _note(self, error: Exception) -> None:
        self._error = error

    def _over(self) -> None:
        """A connection has ended, or was not opened: pause, unless there is no point in trying again."""
        error, self._error = self._error, None
        if self._ended:
            return
        now = time.monotonic()
        if error is None:
            self._retries.opened(self._dialing.opened_at)
            self._pause(self._retries.ended(now))
        elif (delay := self._retries.failed(error, now, time.time())) is not None:
            self._pause(delay)
        else:
            self._give_up(error)

    def _pause(self, delay: float) -> None:
        self._timer = self._loop.call_later(delay, self._again)

    def _again(self) -> None:
        self._dialing = self._dial()

    def _give_up(self, error: Exception) -> None:
        self._end()
        if self._on_failure is not None:
            self._on_failure(error)
        else:
            log.error("no further connection is opened: %s", printable(str(error)))


def _nothing(_: Reconnecting) -> None:
    """Nobody wants to know."""
