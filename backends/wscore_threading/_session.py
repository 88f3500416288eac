"""A session: what an application holds of one connection, from the upgrade on.

Any thread may send, ping and close; one thread at a time may receive. Every call that waits also drives the
connection (see `_link`), so nothing depends on a thread of our own.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import Any, Final, Self, Unpack, final

from wscore import (
    BatchMode,
    CloseCode,
    Closed,
    ConnectionClosed,
    Event,
    Fragment,
    LocalProtocolError,
    PreparedMessage,
)
from wscore.policy import (
    InParts,
    Offered,
    Part,
    Received,
    SessionFacts,
    SessionInfo,
    SlowConsumer,
    decode_json,
    encode_json,
    expect_parts,
    expect_whole,
    in_part,
    prepare,
    received,
    whole,
)

from ._housekeeper import housekeeper
from ._link import Link

log = logging.getLogger("wscore_threading")

_PING_TIMEOUT: Final = 20.0
_LOOK_FOR_ROOM: Final = 0.25  # seconds: who reads in the kernel does not hear what others have written


@final
class Session(SessionInfo):
    """One open connection. Get it from `connect`, or as the argument of a handler or hook."""

    __slots__ = ("__weakref__", "_ended", "_in_parts", "_in_parts_of", "_link", "_receiving", "runner")

    def __init__(self, link: Link, **facts: Unpack[SessionFacts]) -> None:
        super().__init__(link.core, **facts)
        self._link = link
        self._receiving = False
        self._in_parts = threading.Lock()  # held while a message is sent in parts
        self._in_parts_of: int | None = None  # by this thread
        self._ended = False  # the Closed event has been taken
        self.runner: threading.Thread | None = None  # delivers to a client's endpoint

    @property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger whose lines carry the session's id."""
        return logging.LoggerAdapter(log, {"session": self.id})

    def close_unserved(self, error: Exception) -> None:
        """There is no endpoint: close."""
        self.logger.error("no endpoint could be made", exc_info=error)
        self.close(CloseCode.INTERNAL_ERROR, wait=False)

    # Sending.

    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        """Send a message: ``str`` as text, bytes-like as binary, a `PreparedMessage` as what it holds.

        Returns at once unless more than `Limits.outbox_high` bytes wait for the peer; then it waits
        until they have left, and messages that arrive meanwhile are received.

        Args:
            message: what to send.
            compress: True or False: whether to, if compression was agreed on; None: as `Config` says. A
                prepared message has its own choice.

        Raises:
            LocalProtocolError: text with lone surrogates, or our Close was sent.
            TypeError: neither text nor bytes.
            WriteBufferFull: more than `Limits.outbox_limit` bytes wait already.
            ConnectionClosed: the connection has ended.
        """
        with self._link.state:
            self._core.send(message, compress)
            leave = self._way_out()
        leave()

    def send_json(self, value: object, *, compress: bool | None = None) -> None:
        """Send value as a JSON text; otherwise as `send`."""
        self.send(encode_json(value), compress=compress)

    def send_fragments(self, parts: Iterable[Part], *, compress: bool | None = None) -> None:
        """Send one message in parts, each as soon as parts gives it (RFC 6455 section 5.4).

        Whatever other threads send meanwhile follows behind it. If parts raises, the message can
        neither be finished nor taken back: the connection is closed with 1011 and the error goes on.

        Args:
            parts: ``str`` for a text message, bytes-like for a binary one; at least one.
            compress: for the whole message, as for `send`; None: compress, if that was agreed on.

        Raises:
            LocalProtocolError: parts of different kinds, none, or another message in parts among them; as
                `send`.
            TypeError: one part in place of several, or a part that is neither text nor bytes.
            WriteBufferFull, ConnectionClosed: as `send`.
        """
        message = InParts(self._core, parts, compress)
        with self._alone_in_parts():
            try:
                for part in parts:
                    self._send_part(partial(message.send, part))
                self._send_part(message.finish)
            except BaseException:
                if message.is_torn:
                    self.close(CloseCode.INTERNAL_ERROR, wait=False)
                raise

    @contextmanager
    def _alone_in_parts(self) -> Iterator[None]:
        """Keep two messages in parts from becoming one."""
        if self._in_parts_of == threading.get_ident():
            raise LocalProtocolError("a message in parts cannot hold another one")
        with self._in_parts:
            self._in_parts_of = threading.get_ident()
            try:
                yield
            finally:
                self._in_parts_of = None

    def _send_part(self, queue: Callable[[], None]) -> None:
        with self._link.state:
            queue()
            leave = self._way_out()
        leave()

    def _way_out(self) -> Callable[[], None]:
        """Return what lets leave what was just queued, to be called without the lock. Holding it."""
        if not self._core.writable:
            return self._link.wait_writable
        return _nothing if self._may_hold() else self._link.flush

    def _may_hold(self) -> bool:
        """Tell whether what was just queued may wait for more, and see to it that it does not wait long."""
        link = self._link
        if self.batch_mode is BatchMode.ON:
            link.corked = True
            return True
        if self.batch_mode is BatchMode.OFF or not link.hold():
            return False
        housekeeper.flush_soon(link)
        return True

    def take_broadcast(self, message: PreparedMessage, now: float) -> bool:
        """Take a message of `broadcast`; True when whoever sends it should wait for room."""
        link = self._link
        with link.state:
            outcome = self._offer(message, now)
            if self._backlog is not None:
                link.on_writable = partial(self._backlog.release, self._core)
        if outcome.is_queued:
            link.flush()
        return outcome is Offered.FULL and self.slow_consumer is SlowConsumer.WAIT

    def wait_for_room(self) -> None:
        """Wait until less than `Limits.outbox_low` bytes wait for the peer, or the connection has ended."""
        self._link.wait_writable()

    def flush(self) -> None:
        """Write what was held back."""
        self._link.flush()

    def ping(self, payload: bytes | None = None, timeout: float | None = _PING_TIMEOUT) -> float:
        """Ping the peer and wait for its pong (RFC 6455 section 5.5.2).

        Args:
            payload: at most 125 bytes; None: four random ones.
            timeout: seconds; None: as long as the connection lives. While unread messages fill the
                inbox nothing is read, so the pong cannot be seen.

        Returns:
            Seconds between the ping leaving and its pong arriving.

        Raises:
            TimeoutError: no pong in time; the connection goes on.
            LocalProtocolError, TypeError, WriteBufferFull, ConnectionClosed: as `send`.
        """
        link = self._link
        with link.state:
            ping = link.core.send_ping(payload, now=monotonic())
            link.corked = False  # what is held goes along
        answered = link.wait_until(lambda: ping.latency is not None or link.core.closed is not None, timeout)
        if not answered and ping.latency is None:
            raise TimeoutError("no pong in time")
        return self._latency_of(ping)

    # Receiving.

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Receive the next message: ``str`` for text, ``bytes`` for binary.

        Messages that arrived before the end are still returned after it.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            TimeoutError: no message in time; nothing is lost.
            ConnectionClosed: there will be no more messages.
            LocalProtocolError: another thread is receiving on this session; it streams: use `recv_fragment`.
        """
        expect_whole(self._core)
        return whole(self._next_message(timeout))

    def recv_json(self, timeout: float | None = None) -> Any:
        """Receive the next message as JSON.

        Raises:
            ValueError: it is not JSON; it has been taken.
            TimeoutError, ConnectionClosed, LocalProtocolError: as `recv`.
        """
        return decode_json(self.recv(timeout))

    def recv_fragment(self, timeout: float | None = None) -> Fragment:
        """Receive the next part of a message, as it arrived; only with ``Config(stream=True)``.

        Raises:
            TimeoutError, ConnectionClosed, LocalProtocolError: as `recv`.
        """
        expect_parts(self._core)
        return in_part(self._next_message(timeout))

    def _next_message(self, timeout: float | None) -> Received:
        """Receive the next message, or part of one."""
        while (message := received(self.next_event(timeout))) is None:
            pass
        return message

    def next_event(self, timeout: float | None = None) -> Event:
        """Receive the next event of any kind; after the end, `Closed` again and again.

        Raises:
            TimeoutError, LocalProtocolError: as `recv`.
        """
        waiting = False
        try:
            with self._link.state:
                if self._receiving:
                    raise LocalProtocolError("another thread is receiving on this session")
                event = self._take_event()
                waiting = self._receiving = event is None
            if waiting:
                event = self._link.wait_for_event(self._take_event, timeout)
        finally:
            if waiting:  # Ctrl-C may come at any line
                self._receiving = False
        if event is None:
            raise TimeoutError("no message in time")
        if not isinstance(event, (str, bytes, Fragment)):
            self._link.flush()  # taking the peer's Close has let the answer out
        return event

    def next_event_or_room(self) -> Event | None:
        """Receive the next event; None: there is room for output again. For an endpoint's own thread."""
        while not self._link.take_room():
            with suppress(TimeoutError):  # look again
                return self.next_event(_LOOK_FOR_ROOM)
        return None

    def _take_event(self) -> Event | None:
        """Take an event from the core; once it has none left, what ended it."""
        if self._ended:
            return self._link.core.closed
        event = self._link.next_event()
        if isinstance(event, Closed):
            self._ended = True
        return event

    def __iter__(self) -> Iterator[str | bytes]:
        """Iterate over messages until the close handshake is complete.

        Raises:
            ConnectionClosed: the connection ended without a close handshake.
        """
        while True:
            try:
                message = self.recv()
            except ConnectionClosed as end:
                if end.closed.clean:
                    return
                raise
            yield message

    def suspend(self) -> None:
        """Deliver nothing until `resume`; when much has arrived, reading stops, too."""
        with self._link.state:
            self._core.suspend()

    def resume(self) -> None:
        """Deliver again."""
        self._link.resume()

    # Ending.

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, wait: bool = True) -> None:
        """Close the connection (RFC 6455 section 7.1.2).

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999.
            reason: at most 123 bytes of UTF-8.
            wait: True: return when the connection is over, within `Timeouts.close`, or three times
                that while the peer still reads what was sent before. Unread messages do not delay it:
                those that fit are kept for `recv`, the others dropped and counted in
                ``closed.dropped``. False: only say so; the peer may go on until its own Close.

        Raises:
            LocalProtocolError: a code or reason that may not be sent.
            TypeError: not int and str.
        """
        link = self._link
        with link.state:
            link.core.close(code, reason, now=monotonic(), discard=wait)
        link.flush()
        if wait:
            link.run_to_the_end()

    def abort(self) -> None:
        """End the connection at once, without a close handshake; the peer sees it as lost."""
        self._link.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.close(CloseCode.NORMAL_CLOSURE if error is None else CloseCode.INTERNAL_ERROR)
        self._link.insist()  # an endpoint that has suspended hears of the end
        if self.runner is not None and self.runner is not threading.current_thread():
            self.runner.join()  # until on_close has returned


def _nothing() -> None:
    """It is held back, and the housekeeper knows."""


def broadcast(
    sessions: Iterable[Session], message: Part | PreparedMessage, *, compress: bool | None = None
) -> None:
    """Send one message to many sessions; it is framed once for all that agreed on the same.

    Sessions that are closing are left out. What happens to one whose peer reads too slowly, its
    ``slow_consumer`` says; those that wait are waited for when all others have the message.

    Args:
        sessions: to whom; the collection may change meanwhile.
        message: as for `Session.send`.
        compress: as for `Session.send`.

    Raises:
        LocalProtocolError: text with lone surrogates.
        TypeError: neither text nor bytes.
    """
    prepared, now = prepare(message, compress), monotonic()
    full = [session for session in list(sessions) if session.take_broadcast(prepared, now)]
    for session in full:
        session.wait_for_room()
