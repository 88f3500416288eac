"""A client's way to a session: names, TCP, proxy, TLS, handshake, redirects; step by step, never waiting.

Looking up a name and speaking with a proxy are done by a thread for a while; everything else in the loop. The
core exists from the first step on, and its opening deadline covers all of them.
"""

from collections.abc import Callable
from functools import cache, partial
from time import monotonic
from typing import Any, Final, final

from wscore import Closed, Connection, Endpoint, Event, HandshakeRefused, Opened, Refused, TimedOut, Timer
from wscore.policy import opening_failure, printable
from wscore_sockets import Dialed, Opening, stream_to
from wscore_tls import client_context

from ._dial import Dial
from ._link import Link
from ._loop import Loop, log
from ._session import Session
from ._timers import TimerHandle
from ._workers import Workers

_trusting_the_system: Final = cache(client_context)  # to read all its authorities takes long


@final
class Dialing:
    """A connection that is being opened; get it from `Reactor.connect`.

    Attributes:
        session: once it is open; None: not yet, or never.
        opened_at: when that was, as `time.monotonic` counts.
        on_over: called when the session's socket is closed, or there will never be a session.
    """

    def __init__(
        self,
        loop: Loop,
        workers: Workers,
        opening: Opening,
        endpoint: Endpoint,
        on_failure: Callable[[Exception], object] | None,
    ) -> None:
        self._loop = loop
        self._workers = workers
        self._endpoint = endpoint
        self._on_failure = on_failure
        self._failed = False
        self._link: Link | None = None
        self._dial: Dial | None = None
        self._timer: TimerHandle | None = None
        self.session: Session | None = None
        self.opened_at = 0.0
        self.on_over: Callable[[], object] = _nothing
        try:
            self._begin(opening)
        except BaseException:
            self._stop()
            raise

    def cancel(self) -> bool:
        """Do not open the connection; neither hooks nor ``on_failure`` are called.

        Returns:
            False: too late: it is open, or has failed.
        """
        if self._failed or self.session is not None:
            return False
        self._stop()
        self._over()
        return True

    def abort(self) -> None:
        """End it, whatever has become of it."""
        if not self.cancel() and self.session is not None:
            self.session.abort()

    def _stop(self) -> None:
        """Leave everything; what still comes is not ours any more."""
        self._failed = True
        self._leave_dialing()
        if self._link is not None:
            self._link.deliver = self._link.on_over = _nothing
            self._link.abort()
        elif self._opening.way.sock is not None:
            self._opening.way.sock.close()

    def _fail(self, error: Exception) -> None:
        """There will be no session."""
        self._stop()
        try:
            if self._on_failure is not None:
                self._on_failure(error.with_traceback(None))
            else:
                log.error("no connection was opened: %s", printable(str(error)))
        finally:
            self._over()

    def _leave_dialing(self) -> None:
        if self._dial is not None:
            self._dial.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._dial = self._timer = None

    # One step after the other.

    def _begin(self, opening: Opening) -> None:
        """Begin the way to where opening leads; what the caller got wrong raises here."""
        self._opening = opening
        core = opening.begin(monotonic())
        deadline = core.next_deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._fail, TimedOut(Timer.OPEN))
        self._dial = Dial(
            self._loop, self._workers, stream_to(opening), deadline, partial(self._dialed, core)
        )

    def _dialed(self, core: Connection, dialed: Dialed | None, error: Exception | None) -> None:
        """TCP is there: now TLS and the handshake, which the link drives."""
        self._leave_dialing()
        if dialed is None:
            assert error is not None
            self._fail(error)
            return
        sock, outer = dialed
        try:
            addresses = sock.getsockname(), sock.getpeername()
            link = Link(self._loop, core, sock, self._opening.filter(outer, _trusting_the_system))
        except Exception as error:
            sock.close()
            self._fail(error)
            return
        self._link = link
        link.deliver = partial(self._take, link, addresses)
        link.pump_soon()

    def _take(self, link: Link, addresses: tuple[Any, Any], event: Event) -> None:
        """Act on the server's answer."""
        if isinstance(event, Opened):
            self.session = Session(link, addresses=addresses, secure=self._opening.secure)
            self.opened_at = monotonic()
            link.on_over = self._over
            self.session.begin(self._endpoint, event)
        elif isinstance(event, Refused):
            self._refused(link, HandshakeRefused(event.response))
        elif isinstance(event, Closed):
            self._fail(opening_failure(event, link.error))

    def _refused(self, link: Link, refused: HandshakeRefused) -> None:
        """Follow a redirect, if that was asked for."""
        link.deliver, self._link = _nothing, None  # it ends on its own
        try:
            self._begin(self._opening.after(refused))
        except Exception as error:
            self._fail(error)

    def _over(self) -> None:
        """Tell who wants to know, once, and let go of them."""
        over, self.on_over = self.on_over, _nothing
        over()


def _nothing(*_: object) -> None:
    """Nobody wants to know."""
