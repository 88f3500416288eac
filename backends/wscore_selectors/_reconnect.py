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
        try:
            delay = self._delay_after(error)
        except Exception as raised:  # in the application's own judgement
            delay, error = None, raised
        if delay is not None:
            self._timer = self._loop.call_later(delay, self._again)
        else:
            assert error is not None  # or it would go on
            self._give_up(error)

    def _delay_after(self, error: Exception | None) -> float | None:
        """Return how long to pause; None: there is no point in trying again."""
        now = time.monotonic()
        if error is not None:
            return self._retries.failed(error, now, time.time())
        self._retries.opened(self._dialing.opened_at)
        return self._retries.ended(now)

    def _again(self) -> None:
        try:
            self._dialing = self._dial()
        except Exception as error:  # no endpoint could be made, for one
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._end()
        if self._on_failure is not None:
            self._on_failure(error)
        else:
            log.error("no further connection is opened: %s", printable(str(error)))


def _nothing(_: Reconnecting) -> None:
    """Nobody wants to know."""
