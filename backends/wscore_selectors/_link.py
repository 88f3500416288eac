"""One core over one non-blocking socket: reads, pumps, writes, and never waits.

The pump is the same after every input, timer and command: deliver events, write, act on the transport, watch
the socket for what is wanted now, set the timer. Hooks run inside it alone, so a command of the application
never finds one of its hooks called under its hands; output that a hook has queued leaves when it is done.

Two things keep a message cheap. The selector hears only of changes. And the timer stays where it is when the
deadline moves away: when it fires early, it looks again.

A failed write is not the end: what the peer sent before it left can still be read, and there will be the end.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from socket import SHUT_WR, socket
from time import monotonic
from typing import Final, TypeVar, final

from wscore import BatchMode, Closed, Connection, Event, PreparedMessage, State, TransportAction
from wscore_sockets import drop, tune
from wscore_tls import NestedTLS, TLSFilter, pass_input, pass_output

from ._loop import READ, WRITE, Loop
from ._timers import TimerHandle

_LATE: Final = 0.05  # seconds: the loop was busy with something else when a timer should have fired
_READ_SIZE: Final = 65536
_EVENTS_AT_ONCE: Final = 1000
_BUFFERS_AT_ONCE: Final = 64  # well below IOV_MAX everywhere
_AUTO: Final = BatchMode.AUTO
_ON: Final = BatchMode.ON
_OPEN: Final = State.OPEN

Result = TypeVar("Result")


@final
class Link:
    """The engine of a session.

    Attributes:
        core: what it drives.
        deliver: takes each event as it comes.
        on_writable: called, like `deliver`, when there is room for output again.
        on_over: called when the socket is closed and the last event was delivered.
        error: what TLS or the socket raised when the connection was lost, or None.
        corked: output is held until the application flushes.
        lingers_since: when FIN was sent; from then on only the peer's FIN is waited for.
        over: the socket is closed; events may still wait.
        queued: the loop will pump it.
    """

    __slots__ = (
        "__weakref__",
        "_full",
        "_insists",
        "_loop",
        "_pumping",
        "_room_is_new",
        "_socket",
        "_timer",
        "_timer_at",
        "_tls",
        "_unsent",
        "_watched",
        "_write_ended",
        "_write_failed",
        "core",
        "corked",
        "deliver",
        "error",
        "lingers_since",
        "on_over",
        "on_writable",
        "over",
        "queued",
    )

    def __init__(self, loop: Loop, core: Connection, sock: socket, tls: TLSFilter | NestedTLS | None) -> None:
        self.core = core
        self.deliver: Callable[[Event], object] = _nothing
        self.on_writable: Callable[[], object] = _nothing
        self.on_over: Callable[[], object] = _nothing
        self.error: Exception | None = None
        self.corked = False
        self.lingers_since: float | None = None
        self.over = False
        self.queued = False
        self._loop = loop
        self._socket = sock
        self._tls = tls
        self._unsent: list[memoryview] = []  # taken from the core; the kernel had no room for it
        self._watched = 0
        self._timer: TimerHandle | None = None
        self._timer_at = inf
        self._pumping = False
        self._full = False  # the core had no room for output
        self._insists = False  # it ends, and nobody can suspend any more
        self._room_is_new = False  # it has now, and the application must hear of it
        self._write_ended = False  # FIN was sent
        self._write_failed = False  # what the core wants to send goes nowhere
        sock.setblocking(False)
        tune(sock)

    # What the loop says.

    def ready(self, events: int) -> None:
        """Read and write what is possible."""
        if self.over:
            return  # it was closed in this very turn
        try:
            if events & WRITE:
                self._write_rest()
            if events & READ:
                self._read()
            self.pump()
        except BaseException:
            self._loop.pump_soon(self)  # a program that goes on finds the rest done
            raise

    def fail(self) -> None:
        """Give up after a fault of this library."""
        self.abort()

    def _read(self) -> None:
        """Read once, and hand it to the core."""
        try:
            data = self._socket.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if self._tls is None and data and not self.corked:
            self.core.receive_data(data, monotonic())  # the usual case
        else:
            self._uncorked_by(partial(self._take, data))

    def _take(self, data: bytes) -> None:
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

    def _uncorked_by(self, act: Callable[[], Result]) -> Result:
        """Act; if the connection itself must write then, what is held goes along."""
        before = self.core.buffered_amount
        result = act()
        if self.core.buffered_amount > before:
            self.corked = False
        return result

    def _note(self, error: Exception) -> None:
        """Keep the first error: what follows is its consequence."""
        if self.error is None:
            self.error = error.with_traceback(None)  # which would keep everything alive that it passed

    def _lose(self, error: Exception) -> None:
        """The socket is of no use any more."""
        now = monotonic()
        self._note(error)
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
                self._room_is_new = False
                if self.core.closed is None:
                    self.on_writable()
            self._deliver()
            self._write()
        except BaseException:
            self._loop.pump_soon(self)  # a program that goes on finds the rest done
            raise
        finally:
            self._pumping = False
        self._settle()

    def _deliver(self) -> None:
        """Give events to the application while there is room for its replies."""
        core = self.core
        for _ in range(_EVENTS_AT_ONCE):
            if not core.writable and core.closed is None:
                self._full = True
                return
            event = self._next() if self.corked or self._insists else core.next_event()
            if event is None:
                return
            self.deliver(event)
            if event.__class__ is Closed:
                self.deliver = self.on_writable = _nothing  # who was served is free to go
                self._take_leave()
        self._loop.pump_soon(self)  # there may be more; others have their turn first

    def _next(self) -> Event | None:
        """Take an event, if need be from under a suspension; what is held goes along with an answer."""
        if self._insists:
            self.core.resume()
        return self._uncorked_by(self.core.next_event)

    def _write(self) -> None:
        """Write until nothing is left, or the kernel has no room."""
        while not self._unsent and not self.corked:
            pieces: Sequence[bytes] = self.core.data_to_send(monotonic())
            if self._tls is not None:
                pieces = pass_output(self._tls, pieces)
            if not pieces:
                return
            if not self._write_failed and not self._write_ended and not self.over:
                self._send(pieces)

    def _send(self, pieces: Sequence[bytes | memoryview]) -> int:
        """Write once; what there was no room for is kept. Return how many bytes there was room for."""
        try:
            if len(pieces) == 1 or not hasattr(self._socket, "sendmsg"):
                sent = self._socket.send(pieces[0])
            else:
                sent = self._socket.sendmsg(pieces[:_BUFFERS_AT_ONCE])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._note(error)
            self._write_failed = True
            return 0
        if len(pieces) > 1 or sent < len(pieces[0]):
            self._unsent = _behind(pieces, sent)
        return sent

    def _write_rest(self) -> None:
        """Write what there was no room for."""
        if self._unsent and not self._write_failed:
            rest, self._unsent = self._unsent, []
            if self._send(rest):
                self.core.handle_progress(monotonic())

    def _settle(self) -> None:
        """Act on the transport, and ask the loop for what is wanted now."""
        core = self.core
        if not core.writable:
            self._full = True
        elif self._full:
            self._full = False
            self._room_is_new = True
            self._loop.pump_soon(self)  # what was not delivered for want of room follows there, too
        if core.state is not _OPEN:
            self._act()
        if self.over:
            return
        wanted = (READ if core.wants_read else 0) | (WRITE if self._unsent else 0)
        if wanted != self._watched:
            self._loop.watch(self._socket, wanted, self, before=self._watched)
            self._watched = wanted
        deadline = core.next_deadline()
        if deadline is not None and deadline < self._timer_at:
            self._set_timer(deadline)

    # The transport.

    def _act(self) -> None:
        """Do to the transport what the core asks for."""
        action = self.core.transport_action()
        if action is TransportAction.KEEP or self.over:
            return
        if action is TransportAction.SHUTDOWN_WRITE:
            self._end_writing()
        else:
            self._release(abort=action is TransportAction.ABORT)

    def _end_writing(self) -> None:
        """Say that nothing more will come: close_notify, then FIN."""
        if self._write_ended or self._unsent:
            return
        self._say_goodbye()
        self._unsent = []  # no room for 30 bytes: then the peer does without close_notify
        self._write_ended = True
        self.lingers_since = monotonic()
        with suppress(OSError):  # the peer is gone already
            self._socket.shutdown(SHUT_WR)

    def _say_goodbye(self) -> None:
        """Send what TLS still has to say, an alert or close_notify, if it can be sent at once."""
        if self._tls is None or self._write_ended or self._write_failed:
            return
        self._tls.close()
        last = self._tls.data_to_send()
        if self._unsent or last:
            self._send([*self._unsent, last])

    def _release(self, *, abort: bool) -> None:
        """Close the socket; abort: what the kernel still holds is dropped."""
        self.over = True
        if abort:
            drop(self._socket)
        else:
            self._say_goodbye()
        self._unsent = []
        if self._watched:
            self._loop.watch(self._socket, 0, self, before=self._watched)
        self._socket.close()
        if self._timer is not None:
            self._timer.cancel()
        self._take_leave()

    def _take_leave(self) -> None:
        """Say that all is over, once the last event was delivered: who is suspended has not had it yet."""
        if self.over and self.deliver is _nothing:
            over, self.on_over = self.on_over, _nothing
            over()

    # Time.

    def _set_timer(self, deadline: float) -> None:
        before, self._timer = self._timer, self._loop.call_at(deadline, self._time_is_up)
        self._timer_at = deadline  # now that it is set: who is interrupted before that tries again
        if before is not None:
            before.cancel()

    def _time_is_up(self) -> None:
        """Let timers fire; if they come late, what has arrived, or found room, may be what they wait for."""
        self._timer, self._timer_at = None, inf
        deadline, now = self.core.next_deadline(), monotonic()
        if deadline is not None and deadline <= now:
            if deadline <= now - _LATE:
                self._write_rest()
                if self.core.wants_read:
                    self._read()
            if self._write_failed and not self.core.wants_read:
                self._lose(ConnectionError("the peer is gone"))  # nobody will read that it is
            self._uncorked_by(partial(self.core.handle_deadline, monotonic()))
        self.pump()

    # Commands of a session.

    def send(
        self,
        message: str | bytes | bytearray | memoryview | PreparedMessage,
        compress: bool | None,
        mode: BatchMode,
    ) -> None:
        """Queue a message, and see to it that it leaves; in one call, as there is one for each message."""
        if mode is _ON:
            mode = self.joining(mode)
        self.core.send(message, compress)
        self.depart(mode)

    def joining(self, mode: BatchMode) -> BatchMode:
        """Return how what is queued next departs: what a pong, for one, is on its way before goes along."""
        if mode is _ON and not self.corked and self.core.buffered_amount:
            return _AUTO
        return mode

    def depart(self, mode: BatchMode) -> None:
        """See to it that what was just queued leaves, when mode says."""
        if not self.core.writable:
            self._full = True
            self.flush()
        elif mode is _AUTO:
            self.corked = False  # it may have been ON
            if self._loop.in_turn:
                if not self._pumping:
                    self._loop.pump_soon(self)
            else:
                self.flush()
        elif mode is _ON:
            self.corked = True
        else:
            self.flush()

    def flush(self) -> None:
        """Write what waits, held back or not; hooks that follow from it are called later."""
        self.corked = False
        self._write()
        if not self._pumping:
            self._settle()
            if self.core.state is not _OPEN:
                self._loop.pump_soon(self)

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is open and nothing waits for the peer."""
        return self.core.state is _OPEN and not self.core.buffered_amount

    def pump_soon(self) -> None:
        """Pump when the others had their turn."""
        self._loop.pump_soon(self)

    def abort(self) -> None:
        """End the connection without a close handshake; who is suspended hears of it, too."""
        self._insists = True
        self._lose(ConnectionAbortedError("the connection was aborted here"))
        if not self.over:
            self._release(abort=True)
        self._loop.pump_soon(self)


def _behind(pieces: Sequence[bytes | memoryview], sent: int) -> list[memoryview]:
    """Return what is left of pieces behind so many bytes."""
    rest: list[memoryview] = []
    for piece in pieces:
        if sent < len(piece):
            rest.append(memoryview(piece)[sent:])
        sent = max(sent - len(piece), 0)
    return rest


def _nothing(*_: object) -> None:
    """Nobody wants to know."""
