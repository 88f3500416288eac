"""One core over one asyncio transport: it is told what happens, tells the core, then pumps.

The pump is the same after every input, timer and command: deliver events, write, act on the transport, set
reading, arm the timer, wake whoever waits. It never waits itself, and nothing here makes a task.

Output that a command has queued leaves once per turn of the loop, or at once when a reader is about to wait.
The transport's own buffer is kept at nothing (a high-water mark of 0): "writing is not paused" then means
that the kernel has everything, and that is when the core may be asked for more.

TLS is a filter between core and transport, as in the other backends, and not asyncio's own: that cannot end
the sending direction alone, and hides how much waits.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, cast, final

from wscore import BatchMode, Closed, Connection, Event, Ping, PreparedMessage, State, TransportAction
from wscore_sockets import drop
from wscore_tls import NestedTLS, TLSFilter, pass_input, pass_output

TAKEN_AT_ONCE: Final = 250
_EVENTS_AT_ONCE: Final = 1000
_READ_SIZE: Final = 64 * 1024
_LATE: Final = 0.05  # seconds: the loop was busy with something else when a timer should have fired
_READ_FIRST: Final = 0.001  # seconds: what has arrived may be what a timer waits for
_LOOK_EVERY: Final = 1.0  # seconds: how often to look whether output moves that the kernel has no room for
_AUTO: Final = BatchMode.AUTO
_ON: Final = BatchMode.ON
_OPEN: Final = State.OPEN
_JOIN_BELOW: Final = 128 * 1024  # bytes; bigger output is not worth a copy to save a system call


@final
class Link:
    """The engine of a session: an `asyncio.Protocol` by its methods, but compiled, and so not by its base.

    Attributes:
        core: what it drives.
        deliver: takes each event as it comes; None: they wait for whoever receives.
        on_writable: called when there is room for output again, until the connection has ended.
        on_over: called when the transport is gone.
        error: what TLS or the socket raised when the connection was lost, or None.
        corked: output is held until the application flushes.
        in_a_row: how many events whoever receives has taken since the loop had its turn.
        lingers_since: when FIN was sent; from then on only the peer's FIN is waited for.
        reader: done when there may be an event; None: nobody waits for one.
        pings: those whose pongs are waited for, and what is done when they come.
        waiting: done when there is room for output, or the transport is gone.
    """

    __slots__ = (
        "__weakref__",
        "_deadline",
        "_ended",
        "_full",
        "_insists",
        "_left_over",
        "_looked_at",
        "_loop",
        "_over",
        "_pump_queued",
        "_pumping",
        "_reading",
        "_room_is_new",
        "_stuck",
        "_timer",
        "_tls",
        "_transport",
        "_write_ended",
        "core",
        "corked",
        "deliver",
        "error",
        "in_a_row",
        "lingers_since",
        "on_over",
        "on_writable",
        "pings",
        "reader",
        "waiting",
    )

    def __init__(
        self, core: Connection, tls: TLSFilter | NestedTLS | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.core = core
        self.deliver: Callable[[Event], None] | None = None
        self.on_writable: Callable[[], None] | None = None
        self.on_over: Callable[[], None] | None = None
        self.error: Exception | None = None
        self.corked = False
        self.lingers_since: float | None = None
        self.in_a_row = 0
        self._ended = False  # `Closed` has been taken
        self._loop = loop
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._stuck = False  # the transport has not given everything to the kernel
        self._left_over = 0  # how much it still had when it was looked at last
        self._looked_at = 0.0  # when that was
        self._full = False  # the core had no room for output
        self._insists = False  # it ends, and nobody can suspend any more
        self._room_is_new = False  # it has now, and the application must hear of it
        self._write_ended = False  # FIN was sent
        self._over = False
        self._pumping = False
        self._pump_queued = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0  # when it fires
        self.reader: asyncio.Future[None] | None = None
        self.waiting: list[asyncio.Future[None]] = []
        self.pings: list[tuple[Ping, asyncio.Future[None]]] = []

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: a client's request, or TLS's first words, may wait already."""
        transport = cast(asyncio.Transport, transport)  # uvloop's own are no subclasses
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        if hasattr(transport, "max_size"):
            transport.max_size = _READ_SIZE  # asyncio's: no read asks the kernel for memory
        if self.core.state is State.CLOSED:  # it was aborted before it began
            transport.abort()
        self.pump()

    def data_received(self, data: bytes) -> None:
        """Hand input to the core."""
        before = self.core.buffered_amount if self.corked else 0
        self._take_in(data)
        if self.corked and self.core.buffered_amount > before:
            self.corked = False  # the connection itself must write; what is held goes along
        self.pump()

    def eof_received(self) -> bool:
        """The peer has ended its sending direction; ours stays open."""
        self._take_in(b"")
        self.pump()
        return True

    def _take_in(self, data: bytes) -> None:
        """Hand input to the core, through TLS if there is TLS; b"" says that the stream has ended."""
        now = monotonic()
        if self._tls is not None:
            failed = pass_input(self._tls, data, self.core, now)
            if failed is not None:
                self._note(failed)
        elif data:
            self.core.receive_data(data, now)
        else:
            self.core.receive_eof(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone: nothing more can be received or sent."""
        self._over = True
        if isinstance(exc, OSError):
            self._read_rest()
        if exc is not None:
            self._note(exc)
        self._lose()
        self.pump()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._take_leave()

    def _read_rest(self) -> None:
        """Read what the peer has sent before it left: a failed write ends a transport with that unread."""
        with suppress(OSError, AttributeError):  # nothing is left; a loop with other transports
            descriptor = cast(asyncio.Transport, self._transport).get_extra_info("socket").fileno()
            with socket.socket(fileno=os.dup(descriptor)) as rest:
                rest.setblocking(False)  # whatever the default timeout is
                while self.core.wants_read:
                    self._take_in(rest.recv(_READ_SIZE))

    def _take_leave(self) -> None:
        """Say that all is over, once the last event was delivered: who is suspended has not had it yet."""
        if not self._over or (self.deliver is not None and self.deliver is not _nobody):
            return
        over = self.on_over
        # What is over must not be kept alive by those it knows, nor they by it.
        self.on_over = self.on_writable = None
        if over is not None:
            over()

    def pause_writing(self) -> None:
        """The transport could not give everything to the kernel."""
        self._stuck = True

    def resume_writing(self) -> None:
        """The kernel has everything."""
        self._stuck = False
        self.pump()

    def _note(self, error: Exception) -> None:
        """Keep the first error: what follows is its consequence."""
        if self.error is None:
            self.error = error.with_traceback(None)  # which would keep everything alive that it passed

    def _lose(self) -> None:
        now = monotonic()
        self.core.receive_eof(now)
        self.core.receive_eof(now)  # twice: nothing can be sent either

    # The pump.

    def pump(self) -> None:
        """Do everything that has become possible; harmless at any time."""
        if self._pumping:
            return  # a hook has brought us here: the pump that called it goes on
        self._pumping = True
        try:
            if self._room_is_new:
                self._tell_of_room()
            if self.deliver is not None:
                self._deliver()
            self._write()
            if self.core.state is not _OPEN:
                self._act()
        finally:
            self._pumping = False
        self._set_reading()
        self._set_timer()
        self._wake()

    def _tell_of_room(self) -> None:
        self._room_is_new = False
        if self.on_writable is not None and self.core.closed is None:
            self.on_writable()

    def _deliver(self) -> None:
        """Give events to the application while there is room for its replies."""
        core = self.core
        for _ in range(_EVENTS_AT_ONCE):
            if self.deliver is None:
                return
            if not core.writable and core.closed is None:
                self._full = True  # what comes next is delivered when there is room
                return
            event = self._next() if self.corked or self._insists else core.next_event()
            if event is None:
                return
            self.deliver(event)
            if event.__class__ is Closed:
                self.deliver = _nobody  # who was served is free to go
                self._take_leave()
                return
        self._loop.call_soon(self.pump)  # there may be more; others have their turn first

    def _write(self) -> None:
        """Write until nothing is left, or the kernel has no room."""
        transport = self._transport
        if transport is None or self._over:
            return
        while not self._stuck and not self.corked:
            pieces = self.core.data_to_send(monotonic())
            if self._tls is not None:
                pieces = pass_output(self._tls, pieces)
            if not pieces or self._write_ended:
                return
            if len(pieces) == 1:
                transport.write(pieces[0])
            elif sum(map(len, pieces)) < _JOIN_BELOW:
                transport.write(b"".join(pieces))
            else:
                for piece in pieces:
                    transport.write(piece)
            if self._stuck:
                self._left_over = transport.get_write_buffer_size()
                self._looked_at = monotonic()

    def _act(self) -> None:
        """Do to the transport what the core asks for."""
        action = self.core.transport_action()
        transport = self._transport
        if action is TransportAction.KEEP or transport is None or self._over:
            return
        if action is TransportAction.SHUTDOWN_WRITE:
            self._end_writing(transport)
        elif action is TransportAction.ABORT or self._stuck:
            self._reset(transport)
        elif not transport.is_closing():
            self._say_goodbye(transport)
            if self._stuck:
                transport.abort()  # no room for 30 bytes: the peer does without, what it was sent stays
            else:
                transport.close()

    def _end_writing(self, transport: asyncio.Transport) -> None:
        """Say that nothing more will come: close_notify, then FIN."""
        if self._write_ended or self._stuck:
            return
        self._say_goodbye(transport)
        self._write_ended = True
        self.lingers_since = monotonic()
        with suppress(OSError):  # the peer is gone already
            transport.write_eof()

    def _say_goodbye(self, transport: asyncio.Transport) -> None:
        """Send what TLS still has to say: an alert, or close_notify."""
        if self._tls is None or self._write_ended:
            return
        self._tls.close()
        last = self._tls.data_to_send()
        if last:
            transport.write(last)

    def _reset(self, transport: asyncio.Transport) -> None:
        """End TCP at once; what the kernel still holds is dropped."""
        drop(transport.get_extra_info("socket"))
        transport.abort()

    def _set_reading(self) -> None:
        wanted = self.core.wants_read
        transport = self._transport
        if wanted is self._reading or transport is None or self._over:
            return
        self._reading = wanted
        if transport.is_closing():
            return
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    # Time.

    def _set_timer(self) -> None:
        """See to it that a timer fires no later than the deadline; one that fires early does no harm."""
        deadline = self.core.next_deadline()
        if deadline is not None and self._stuck:
            deadline = min(deadline, self._looked_at + _LOOK_EVERY)
        if deadline is None or self._over or (self._timer is not None and self._deadline <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = deadline
        self._timer = self._loop.call_later(max(deadline - monotonic(), 0.0), self._time_is_up)

    def _time_is_up(self) -> None:
        """Let the loop read first if it comes late: there may be input that is older than the deadline."""
        self._look_at_progress()
        deadline, now = self.core.next_deadline(), monotonic()
        if deadline is None or deadline > now:
            self._timer = None
            self._set_timer()
        elif deadline > now - _LATE:
            self._keep_time()
        else:
            self._timer = self._loop.call_later(_READ_FIRST, self._keep_time)

    def _keep_time(self) -> None:
        self._timer = None
        self._look_at_progress()
        before = self.core.buffered_amount
        self.core.handle_deadline(monotonic())
        if self.core.buffered_amount > before:
            self.corked = False
        self.pump()

    def _look_at_progress(self) -> None:
        """Tell the core when the kernel has taken some of what waits for it: nobody else does."""
        if not self._stuck or self._transport is None:
            return
        self._looked_at = monotonic()
        left = self._transport.get_write_buffer_size()
        if left < self._left_over:
            self._left_over = left
            self.core.handle_progress(self._looked_at)

    # Commands of a session.

    def flush(self) -> None:
        """Write what waits, held back or not, also from within a hook."""
        self.corked = False
        if not self.core.writable:
            self._full = True
        if self._pumping:
            self._write()
        else:
            self.pump()

    def send(
        self,
        message: str | bytes | bytearray | memoryview | PreparedMessage,
        compress: bool | None,
        mode: BatchMode,
    ) -> bool:
        """Queue a message, and see to it that it leaves; in one call, as there is one for each message."""
        if mode is _ON:
            mode = self.hold()
        self.core.send(message, compress)
        return self.depart(mode)

    def hold(self) -> BatchMode:
        """Return how what is sent now leaves in mode ON: with what is on its way already, a pong for one."""
        return _AUTO if self.core.buffered_amount and not self.corked else _ON

    def depart(self, mode: BatchMode) -> bool:
        """See to it that what was queued leaves; False: whoever sends on should wait for room."""
        if not self.core.writable:
            self.flush()
            return False
        if mode is _AUTO:
            self.corked = False  # it may have been ON
            self.pump_soon()
        elif mode is _ON:
            self.corked = True
        else:
            self.flush()
        return True

    def pump_soon(self) -> None:
        """Pump when this turn of the loop is over: what it has queued leaves in one write."""
        if not self._pump_queued and not self._pumping:
            self._pump_queued = True
            self._loop.call_soon(self._pump_later)

    def _pump_later(self) -> None:
        self._pump_queued = False
        self.pump()

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is open and nothing waits for the peer."""
        return self.core.state is _OPEN and not self.core.buffered_amount

    @property
    def is_over(self) -> bool:
        """Whether the transport is gone."""
        return self._over

    def abort(self) -> None:
        """End the connection without a close handshake; who is suspended hears of it, too."""
        self._insists = True
        self._note(ConnectionAbortedError("the connection was aborted here"))
        self._lose()
        if self._transport is not None and not self._over:
            self._reset(self._transport)
        self.pump()

    def insist(self) -> None:
        """Deliver what is still to come, also to whom has suspended."""
        self._insists = True
        self.pump()

    def abandon(self) -> bool:
        """Abort, and forget the transport; tell whether there was one, which then owns the socket.

        uvloop never says that a transport is gone when opening it was cancelled at the last moment.
        """
        self.abort()
        attached = self._transport is not None
        if attached:
            self.connection_lost(None)
            self._transport = None
        return attached

    def take_at_once(self) -> Event | None:
        """Take an event, unless so many were taken in a row that others should have their turn first."""
        if self.in_a_row == TAKEN_AT_ONCE:
            return None
        self.in_a_row += 1
        return self.take()

    def take(self) -> Event | None:
        """Take an event, and do what became possible by that; after the last one, that one again."""
        event = self.core.closed if self._ended else self._take()
        if event.__class__ is Closed:
            self._ended = True
        return event

    def _take(self) -> Event | None:
        core = self.core
        event = self._next() if self.corked or self._insists else core.next_event()
        # Taking the peer's Close lets the answer out; whatever was not read may have been looked at now.
        if not self._reading or (core.state is not _OPEN and not isinstance(event, (str, bytes))):
            self.pump()
        return event

    def _next(self) -> Event | None:
        """Take an event; if the connection itself must write because of that, what is held goes along."""
        if self._insists:
            self.core.resume()
        before = self.core.buffered_amount
        event = self.core.next_event()
        if self.core.buffered_amount > before:
            self.corked = False
        return event

    # Waiting: the coroutines are in `_waiting`.

    def expect_events(self) -> "asyncio.Future[None]":
        """Write what waits, and return what is done when the core may have an event."""
        if self.core.buffered_amount and not self.corked:
            self._write()
        self.reader = self._loop.create_future()
        return self.reader

    def _wake(self) -> None:
        """Wake those whose condition may hold now; they look again."""
        core = self.core
        if self.reader is not None and (core.events_waiting or core.closed is not None):
            _done(self.reader)
        if self.waiting and (core.writable or self._over):
            waiting, self.waiting = self.waiting, []
            for future in waiting:
                _done(future)
        if self.pings:
            for ping, future in self.pings:
                if ping.latency is not None or core.closed is not None:
                    _done(future)
        if not core.writable:
            self._full = True
        elif self._full:
            self._full = False
            self._room_is_new = True
            self.pump_soon()  # what was not delivered for want of room follows there, too


def as_protocol(link: Link) -> asyncio.BaseProtocol:
    """Tell a type checker what a link is to a transport."""
    return cast(asyncio.BaseProtocol, link)


def _nobody(event: Event) -> None:
    """Take the events of a connection that has had its last one: there are none."""


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
