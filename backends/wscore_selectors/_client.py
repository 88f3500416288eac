"""A client's way to a session: names, TCP, proxy, TLS, handshake, redirects; step by step, never waiting.

Looking up a name and speaking with a proxy are done by a thread for a while; everything else in the loop. The
core exists from the first step on, and its opening deadline covers all of them.
"""

import os
import socket
import ssl as ssl_module
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from time import monotonic
from typing import Any, Final, cast, final

from wscore import (
    Closed,
    Config,
    Connection,
    Endpoint,
    Event,
    HandshakeRefused,
    Opened,
    Refused,
    Role,
    TimedOut,
    Timer,
)
from wscore.policy import Plan, follow, interleave, opening_failure, printable
from wscore_sockets import dial, look_up
from wscore_tls import TLSFilter, client_context, client_filter

from ._dial import Dial, Found
from ._link import Link
from ._loop import Loop, log
from ._session import Session
from ._timers import TimerHandle
from ._workers import Workers

_trusting_the_system: Final = cache(client_context)  # to read all its authorities takes long


@dataclass(frozen=True, slots=True)
class Options:
    """What `Reactor.connect` was asked for, apart from the address."""

    config: Config
    subprotocols: Sequence[str]
    ssl: ssl_module.SSLContext | None
    server_hostname: str | None
    unix: str | None
    sock: socket.socket | None
    local_address: tuple[str, int] | None

    def filter(self, plan: Plan, outer: TLSFilter | None) -> Any:
        """Return what stands between core and socket; None: nothing."""
        if not plan.address.secure:
            return client_filter(None, None, outer)
        return client_filter(
            self.server_hostname or plan.address.host, self.ssl or _trusting_the_system(), outer
        )


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
        plan: Plan,
        endpoint: Endpoint,
        options: Options,
        on_failure: Callable[[Exception], object] | None,
    ) -> None:
        self._loop = loop
        self._workers = workers
        self._endpoint = endpoint
        self._options = options
        self._on_failure = on_failure
        self._failed = False
        self._link: Link | None = None
        self._dial: Dial | None = None
        self._timer: TimerHandle | None = None
        self.session: Session | None = None
        self.opened_at = 0.0
        self.on_over: Callable[[], object] = _nothing
        self._begin(plan)

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
        elif self._options.sock is not None:
            self._options.sock.close()

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

    def _begin(self, plan: Plan) -> None:
        """Begin the way to where plan leads; what the caller got wrong raises here."""
        options, now = self._options, monotonic()
        core = Connection(Role.CLIENT, options.config, now=now)
        core.send_request(plan.address, headers=plan.headers, subprotocols=options.subprotocols, now=now)
        deadline = core.next_deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._fail, TimedOut(Timer.OPEN))
        connected = partial(self._connected, plan, core)
        address = plan.address
        if options.sock is not None:
            self._loop.call_soon_threadsafe(connected, options.sock, None)
        elif options.unix is not None:
            place = int(socket.AF_UNIX), int(socket.SOCK_STREAM), 0, "", options.unix
            self._dial_one_of(connected, [place])
        elif plan.proxy is not None:
            through = partial(
                dial, plan, options.config, local_address=options.local_address, deadline=deadline
            )
            self._workers.call(through, partial(self._dialed, connected))
        elif (places := _numbers(address.host, address.port)) is not None:
            self._dial_one_of(connected, places)
        else:
            self._workers.call(
                partial(look_up, address.host, address.port, None), partial(self._looked_up, connected)
            )

    def _looked_up(self, connected: Callable[..., None], found: Any, error: Exception | None) -> None:
        if self._failed:
            return
        if error is None:
            self._dial_one_of(connected, interleave(cast(list[Found], found)))
        else:
            self._fail(error)

    def _dial_one_of(self, connected: Callable[..., None], places: Sequence[Found]) -> None:
        def done(sock: socket.socket | None, error: Exception | None) -> None:
            if sock is not None:
                connected(sock, None)
            elif error is not None:
                self._fail(error)

        self._dial = Dial(self._loop, places, self._options.local_address, done)

    def _dialed(self, connected: Callable[..., None], result: Any, error: Exception | None) -> None:
        """A thread has come back with a socket."""
        if error is None:
            connected(*result)
        elif not self._failed:
            self._fail(error)

    def _connected(self, plan: Plan, core: Connection, sock: socket.socket, outer: TLSFilter | None) -> None:
        """TCP is there: now TLS and the handshake, which the link drives."""
        if self._failed:
            sock.close()
            return
        self._leave_dialing()
        try:
            addresses = sock.getsockname(), sock.getpeername()
            link = Link(self._loop, core, sock, self._options.filter(plan, outer))
        except Exception as error:
            sock.close()
            self._fail(error)
            return
        self._link = link
        link.deliver = partial(self._take, plan, link, addresses)
        link.pump_soon()

    def _take(self, plan: Plan, link: Link, addresses: tuple[Any, Any], event: Event) -> None:
        """Act on the server's answer."""
        if isinstance(event, Opened):
            self.session = Session(link, addresses=addresses, secure=plan.address.secure)
            self.opened_at = monotonic()
            link.on_over = self._over
            self.session.begin(self._endpoint, event)
        elif isinstance(event, Refused):
            self._refused(plan, link, event)
        elif isinstance(event, Closed):
            self._fail(opening_failure(event, link.error))

    def _refused(self, plan: Plan, link: Link, refused: Refused) -> None:
        """Follow a redirect, if that was asked for."""
        link.deliver, self._link = _nothing, None  # it ends on its own
        try:
            following = follow(plan, refused.response, os.environ)
            if following is None:
                raise HandshakeRefused(refused.response)
            self._begin(following)
        except Exception as error:
            self._fail(error)

    def _over(self) -> None:
        """Tell who wants to know, once, and let go of them."""
        over, self.on_over = self.on_over, _nothing
        over()


def _numbers(host: str, port: int) -> Sequence[Found] | None:
    """Return the address that host already is; None: it is a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return None
    return cast(list[Found], found)


def _nothing(*_: object) -> None:
    """Nobody wants to know."""
