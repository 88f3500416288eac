"""One core over one socket, shared by threads: who reads, who writes, who waits.

There is no reader thread. *Who waits becomes the reader if nobody is*; everybody else waits on one
condition, which the reader notifies after each batch of input. So a session that one thread uses costs that
thread alone, and one that many use is read by whichever of them waits.

Locks, always taken in this order, and never one of the first two while holding the last:

- the *reader* flag: held by whoever reads from the socket, in the kernel, too. It is taken holding
  ``_state``, and given back without it;
- ``_writing``: held by whoever writes to the socket, in the kernel, too. Its holder drains until nothing is
  left and looks again after releasing, so a thread that finds it taken can go away. Bytes are taken from the
  core under it: otherwise two senders could swap batches;
- ``_state``: the core and the TLS filter; never held across a system call.

Ctrl-C, which comes between any two lines of the main thread, must leave no flag set and no lock taken. So a
flag is set within the ``try`` whose ``finally`` clears it, first of all, and a local says that it is ours.

Deadlines belong to the housekeeper (see there), which also reads for sessions that nobody reads. A thread in
the kernel is woken in one way only: by shutting the socket down.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import final

from wscore import Connection, Event, State, TransportAction
from wscore_tls import NestedTLS, TLSFilter, pass_input, pass_output

from ._wire import Wire

_HOLD_BYTES = 16 * 1024  # held replies leave when there are so many bytes, whatever waits
_STALL = 0.5  # seconds that a deadline is seen too late: two ticks, so nothing of this process has run


@final
class Link:
    """The engine of a session: drives a core with a wire.

    Attributes:
        core: to be used holding `state`.
        state: the lock of the core.
        error: what TLS or the socket raised when the connection was lost, or None.
        on_writable: called, holding `state`, when there is room for output again.
        flush_at: when held output must leave; None when none is held.
        corked: output is held until the application flushes.
        lingers_since: when FIN was sent; from then on only the peer's FIN is waited for.
    """

    def __init__(self, core: Connection, wire: Wire, tls: TLSFilter | NestedTLS | None) -> None:
        self.core = core
        self.state = threading.Lock()
        self._changed = threading.Condition(self.state)
        self.error: Exception | None = None
        self.flush_at: float | None = None
        self.on_writable: Callable[[], object] = _nothing
        self._wire = wire
        self._tls = tls
        self._writing = threading.Lock()
        self._take_writing = partial(self._writing.acquire, blocking=False)
        self._unsent: list[memoryview] = []  # taken from the core, not yet written; guarded by _writing
        self._read_by_someone = False
        self._unread_ticks = 0
        self.corked = False
        self.lingers_since: float | None = None
        self._stuck = False  # the kernel had no room for what waits
        self._room_is_new = False  # and the endpoint has not heard of it
        self._write_ended = False  # FIN was sent
        self._write_failed = False  # what the core wants to send goes nowhere
        self._aborted = False
        self._insists = False  # it ends, and nobody can suspend any more
        self._woken = False  # the socket was shut down, so nobody stays in the kernel
        self._released = False
        self._waited_for: float | None = None  # the deadline that waited for a reader

    @property
    def released(self) -> bool:
        """Whether the descriptor has been given back."""
        return self._released

    # Waiting.

    def wait_until(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Drive the connection until ready() holds.

        Args:
            ready: looked at holding `state`; must hold once the core is closed.
            timeout: seconds; None: as long as it takes.

        Returns:
            False when the time was up first.
        """
        deadline = None if timeout is None else monotonic() + timeout
        looked = False  # even without any time, look at what is there
        while True:
            reading, left = False, None
            try:
                with self.state:
                    done, work = ready(), self._has_work()
                    if not done and not work:
                        left = None if deadline is None else deadline - monotonic()
                        if left is not None and left <= 0 and looked:
                            return False
                        looked = True
                        reading = self._become_reader()
                        if not reading:
                            self._changed.wait(left if left is None else max(left, 0.0))
                if work:
                    self.flush()
                elif reading:
                    self._read_once(left)
            finally:
                if reading:
                    self._read_by_someone = False
                    self._leave_reading()
            if done:
                return True

    def _become_reader(self) -> bool:
        """Take the reader flag if it is free and there is something to read; holding `state`."""
        if self._read_by_someone or self._woken or not self.core.wants_read:
            return False
        self._read_by_someone = True
        self._unread_ticks = 0
        return True

    def _leave_reading(self) -> None:
        self._offer_reading()
        self._release_if_over()

    def _offer_reading(self) -> None:
        """Tell who waits that the reader flag is free."""
        with self.state:
            self._changed.notify_all()

    def _read_once(self, timeout: float | None) -> None:
        """Read once, waiting for input, or for room while output is stuck."""
        if timeout is None and not self._stuck:
            self._take(self._receive(self._wire.receive))
        elif self._wire.wait(read=True, write=self._stuck, timeout=timeout):
            self._take(self._receive(self._wire.receive_now))
        self._stuck = False  # try again

    def _receive(self, read: Callable[[], bytes | None]) -> bytes | None:
        """Read; a lost connection reads as the end of the stream."""
        try:
            return read()
        except OSError as error:
            self._lose(error)
            return b""

    def _take(self, data: bytes | None) -> None:
        """Hand what was read to the core, through TLS if there is TLS; None: nothing was there."""
        if data is None:
            return
        with self.state:
            now = monotonic()
            before = self.core.buffered_amount
            if self._tls is not None:
                failed = pass_input(self._tls, data, self.core, now)
                if failed is not None:
                    self._note(failed)
            elif data:
                self.core.receive_data(data, now)
            else:
                self.core.receive_eof(now)
            self._uncork(before)
            self._changed.notify_all()

    def _uncork(self, before: int) -> None:
        """If the connection itself must write more than before, what is held goes along. Holding `state`."""
        if self.core.buffered_amount > before:
            self.corked = False

    # Writing.

    def flush(self) -> None:
        """Write what waits, as far as there is room; if another thread is writing, it will."""
        self.flush_at = None
        self.corked = False
        for _ in iter(self._take_writing, False):  # in one step, which Ctrl-C cannot divide from `try`
            try:
                self._stuck = not self._drain()
            finally:
                self._writing.release()
            with self.state:
                # Look again: what was queued while the lock was still held found it taken.
                if not self._has_work():
                    break
        self._release_if_over()

    def _has_work(self) -> bool:
        """Tell whether there is something to write, and nobody who is writing. Holding `state`."""
        if self._stuck or self.corked or self._writing.locked():
            return False
        if self.core.buffered_amount > 0 or self._acts_on_writing():
            return True
        return self._tls is not None and self._tls.has_data_to_send

    def wait_writable(self) -> None:
        """Write until the core has room again; read meanwhile if nobody does, so that two full sides meet."""
        while not self.core.writable:
            with self._writing:
                if not self._drain():
                    self._wait_for_room()
        self.flush()

    def _wait_for_room(self) -> None:
        """Wait until the kernel has room, or until something could be read. Holding ``_writing``."""
        reading = False
        try:
            with self.state:
                reading = self._become_reader()
            if self._wire.wait(read=reading, write=True, timeout=None) and reading:
                self._take(self._receive(self._wire.receive_now))
        finally:
            if reading:
                self._read_by_someone = False
                self._offer_reading()

    def _drain(self) -> bool:
        """Write until nothing is left: True, or the kernel has no room: False. Holding ``_writing``."""
        while True:
            if not self._unsent:
                with self.state:
                    self._unsent = self._take_output()
                    ends = not self._unsent and self._acts_on_writing()
                if ends:
                    self._end_writing()
                if not self._unsent:
                    return True
            if not self._write():
                return False

    def _take_output(self) -> list[memoryview]:
        """Take what the core has to send, encrypted if there is TLS. Holding ``_writing`` and `state`."""
        was_writable = self.core.writable
        pieces: Sequence[bytes] = self.core.data_to_send(monotonic())
        if self.core.writable and not was_writable:
            self.on_writable()
            self._room_is_new = True
            self._changed.notify_all()
        if self._tls is not None:
            pieces = pass_output(self._tls, pieces)
        if self._write_failed:
            return []
        return [memoryview(piece) for piece in pieces]

    def _write(self) -> bool:
        """Write once; False when there is no room."""
        try:
            written = self._wire.send_now(self._unsent)
        except OSError as error:
            # What the peer sent before it left can still be read; the reader will find the end.
            self._note(error)
            self._write_failed = True
            self._unsent = []
            return True
        if written is None:
            return False
        while self._unsent and written >= len(self._unsent[0]):
            written -= len(self._unsent.pop(0))
        if self._unsent:
            self._unsent[0] = self._unsent[0][written:]
            with self.state:
                self.core.handle_progress(monotonic())
        return True

    def _acts_on_writing(self) -> bool:
        """Tell whether the time has come to end the sending direction. Holding `state`."""
        return not self._write_ended and self.core.transport_action() is TransportAction.SHUTDOWN_WRITE

    def _end_writing(self) -> None:
        """Say that nothing more will come: close_notify, then FIN. Holding ``_writing``."""
        self._write_ended = True
        self.lingers_since = monotonic()
        if self._tls is not None:
            self._close_tls(self._tls)
            self._unsent = []  # no room for 30 bytes: then the peer does without close_notify
        self._wire.end_writing()

    # Ends.

    def _note(self, error: Exception) -> None:
        """Keep the first error: what follows is its consequence."""
        if self.error is None:
            self.error = error

    def _lose(self, error: Exception) -> None:
        """The socket is of no use any more."""
        with self.state:
            now = monotonic()
            self._note(error)
            self.core.receive_eof(now)
            self.core.receive_eof(now)  # twice: nothing can be sent either
            self._changed.notify_all()

    def abort(self) -> None:
        """End the connection without a close handshake."""
        with self.state:
            self._aborted = self._insists = True  # who is suspended hears of it, too
        self._lose(ConnectionAbortedError("the connection was aborted here"))
        self._release_if_over()

    def _release_if_over(self) -> None:
        """When the core says so, wake everyone in the kernel; the last to leave closes the descriptor."""
        if self.core.state is not State.CLOSED and not self._aborted:
            return
        with self.state:
            action = TransportAction.ABORT if self._aborted else self.core.transport_action()
            if action is not TransportAction.CLOSE and action is not TransportAction.ABORT:
                return
            first = not self._woken
            self._woken = True
        if first:
            if action is TransportAction.CLOSE:
                self._finish_tls()
                self._wire.wake()
            else:
                self._wire.wake(to_abort=not self._writing.locked())
        if not self._writing.acquire(blocking=False):
            return  # the writer comes here when it leaves
        try:
            with self.state:
                if self._released or self._read_by_someone:
                    return  # the reader comes here when it leaves
                self._released = True
                self._changed.notify_all()
            self._wire.close(abort=action is TransportAction.ABORT)
        finally:
            self._writing.release()

    def _finish_tls(self) -> None:
        """Send what TLS still has to say, an alert or close_notify, if it can be sent at once."""
        if self._tls is None or not self._writing.acquire(blocking=False):
            return
        try:
            self._close_tls(self._tls)
        finally:
            self._writing.release()

    def _close_tls(self, tls: TLSFilter | NestedTLS) -> None:
        """Write close_notify behind what is left, as far as there is room. Holding ``_writing``."""
        with self.state:
            tls.close()
            self._unsent += self._take_output()
        while self._unsent and self._write():
            pass

    # What the housekeeper does; nothing of it blocks.

    def keep_time(self, now: float) -> None:
        """Let timers fire, and write what found no room before."""
        if self._write_failed and not self.core.wants_read:
            self._lose(ConnectionError("the peer is gone"))  # nobody will read that it is
        deadline = self.core.next_deadline()
        if deadline is not None and deadline <= now:
            self.read_if_nobody_does()  # what has arrived may be what a timer waits for
        if deadline is not None and deadline <= now and not self._reader_lags(deadline, now):
            with self.state:
                before = self.core.buffered_amount
                self.core.handle_deadline(monotonic())
                self._uncork(before)
                self._changed.notify_all()
        self._stuck = False
        if self._has_work():
            self.flush()
        else:
            self._release_if_over()

    def _reader_lags(self, deadline: float, now: float) -> bool:
        """Tell whether somebody may be about to read what a timer waits for; each deadline waits for it once.

        After a stall of the whole process, or of the machine, this may come before the thread that reads:
        what has arrived is in the kernel, or already in that thread's hands.
        """
        with self.state:
            if not self._read_by_someone or self._waited_for == deadline:
                return False
            self._waited_for = deadline
            return now > deadline + _STALL or self._wire.wait(read=True, write=False, timeout=0.0)

    def count_tick(self) -> bool:
        """Tell whether nobody has read for a whole tick, although there may be something to read."""
        self._unread_ticks += 1
        return self._unread_ticks > 1 and self.core.wants_read

    def read_if_nobody_does(self) -> None:
        """Read once what is there, and answer it."""
        with self.state:
            reading = self._become_reader()
        if not reading:
            return
        try:
            self._take(self._receive(self._wire.receive_now))
        finally:
            self._read_by_someone = False
            self._leave_reading()
        if self._has_work():
            self.flush()

    def wait_for_event(
        self, take: Callable[[], Event | None] | None = None, timeout: float | None = None
    ) -> Event | None:
        """Drive the connection until there is an event, and take it.

        Args:
            take: takes an event, holding `state`; None: `next_event`.
            timeout: seconds; None: as long as it takes.

        Returns:
            None when the time was up first.
        """
        taken: list[Event] = []
        take = self.next_event if take is None else take

        def ready() -> bool:
            event = take()
            if event is not None:
                taken.append(event)
            return event is not None

        return taken[0] if self.wait_until(ready, timeout) else None

    def run_to_the_end(self) -> None:
        """Drive the connection until TCP is over, which the core bounds."""
        self.wait_until(lambda: self.core.state is State.CLOSED)

    # Commands of a session.

    def next_event(self) -> Event | None:
        """Take an event from the core, holding `state`; whoever waited for room to read may go on."""
        if self._insists:
            self.core.resume()
        wanted = self.core.wants_read
        event = self.core.next_event()
        if self.core.wants_read is not wanted:
            self._changed.notify_all()
        return event

    def take_room(self) -> bool:
        """Tell whether there is room for output that was not there before; each time once."""
        with self.state:
            is_new, self._room_is_new = self._room_is_new, False
            return is_new and self.core.writable and self.core.closed is None

    def resume(self) -> None:
        """Hand out events again, and wake whoever waits for them."""
        with self.state:
            self.core.resume()
            self._changed.notify_all()

    def insist(self) -> None:
        """Hand out what is still to come, also to whom has suspended."""
        with self.state:
            self._insists = True
            self._changed.notify_all()

    def hold(self) -> bool:
        """Tell whether output may wait for more to join it: while input is at hand. Holding `state`."""
        return bool(self.core.events_waiting) and self.core.buffered_amount < _HOLD_BYTES


def _nothing() -> None:
    """Nobody has waited for room."""
