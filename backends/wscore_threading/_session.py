"""A session: what an application holds of one connection, from the upgrade on.

Any thread may send, ping and close; one thread at a time may receive. Every call that waits also drives the
connection (see `_link`), so nothing depends on a thread of our own.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, final

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
from wscore.policy import Accept, Offered, SessionInfo, SlowConsumer, decode_json, encode_json

from ._housekeeper import housekeeper
from ._link import Link

log = logging.getLogger("wscore_threading")

_PING_TIMEOUT: Final = 20.0
_NOTHING_SPECIAL: Final = Accept()


@final
class Session(SessionInfo):
    """One open connection. Get it from `connect`, or as the argument of a handler or hook."""

    __slots__ = ("__weakref__", "_ended", "_link", "_receiving", "runner")

    def __init__(
        self,
        link: Link,
        *,
        addresses: tuple[Any, Any],
        secure: bool,
        accepted: Accept = _NOTHING_SPECIAL,
        slow_consumer: SlowConsumer = SlowConsumer.WAIT,
    ) -> None:
        super().__init__(
            link.core, addresses=addresses, secure=secure, accepted=accepted, slow_consumer=slow_consumer
        )
        self._link = link
        self._receiving = False
        self._ended = False  # the Closed event has been taken
        self.runner: threading.Thread | None = None  # delivers to a client's endpoint

    @property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger whose lines carry the session's id."""
        return logging.LoggerAdapter(log, {"session": self.id})

    # Sending.

    def send(
        self, message: str | bytes | bytearray | memoryview | PreparedMessage, *, compress: bool | None = None
    ) -> None:
        """Send a message: ``str`` as text, bytes-like as binary, a `PreparedMessage` as what it holds.

        Returns at once unless more than `Limits.outbox_high` bytes wait for the peer; then it waits
        until they have left, and messages that arrive meanwhile are received.

        Args:
            message: what to send.
            compress: True or False: whether to, if compression was agreed on; None: as `Config` says. A
                prepared message has its own choice.

        Raises:
            LocalProtocolError: neither text nor bytes, or our Close was sent.
            WriteBufferFull: more than `Limits.outbox_limit` bytes wait already.
            ConnectionClosed: the connection has ended.
        """
        core = self._link.core
        with self._link.state:
            if isinstance(message, str):
                core.send_text(message, compress=compress)
            elif isinstance(message, PreparedMessage):
                core.send_prepared(message)
            else:
                core.send_bytes(message, compress=compress)
            wait, hold = self._see_off()
        self._depart(wait=wait, hold=hold)

    def send_json(self, value: object, *, compress: bool | None = None) -> None:
        """Send value as a JSON text; otherwise as `send`."""
        self.send(encode_json(value), compress=compress)

    def send_fragments(
        self, parts: Iterable[str | bytes | bytearray | memoryview], *, compress: bool | None = None
    ) -> None:
        """Send one message in parts, each as soon as parts gives it (RFC 6455 section 5.4).

        Whole messages that other threads send meanwhile follow behind it. If parts raises, the message can
        neither be finished nor taken back: the connection is closed with 1011 and the error goes on.

        Args:
            parts: ``str`` for a text message, bytes-like for a binary one; at least one.
            compress: for the whole message, as for `send`; None: compress, if that was agreed on.

        Raises:
            LocalProtocolError: parts of different kinds, or none; as `send`.
            WriteBufferFull, ConnectionClosed: as `send`.
        """
        if isinstance(parts, (str, bytes, bytearray, memoryview)):
            raise LocalProtocolError("expected an iterable of parts, not one part")
        kind: type[str] | type[bytes] | None = None
        try:
            for part in parts:
                kind = str if isinstance(part, str) else bytes
                self._send_part(part, final=False, compress=compress)
            if kind is None:
                raise LocalProtocolError("a message needs at least one part")
            self._send_part(kind(), final=True, compress=compress)
        except BaseException:
            if kind is not None and self.closed is None:
                self.close(CloseCode.INTERNAL_ERROR, wait=False)
            raise

    def _send_part(
        self, part: str | bytes | bytearray | memoryview, *, final: bool, compress: bool | None
    ) -> None:
        with self._link.state:
            self._link.core.send_fragment(part, final, compress=compress)
            wait, hold = self._see_off()
        self._depart(wait=wait, hold=hold)

    def _see_off(self) -> tuple[bool, bool]:
        """Look at what was just queued, holding the lock: must its sender wait, and may it be held back."""
        wait = not self._link.core.writable
        return wait, not wait and self._may_hold()

    def _depart(self, *, wait: bool, hold: bool) -> None:
        """Write what was queued, unless it is held back."""
        if wait:
            self._link.wait_writable()
        elif not hold:
            self._link.flush()

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
        if outcome is Offered.SENT or outcome is Offered.FULL or outcome is Offered.CLOSED:
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
            LocalProtocolError, WriteBufferFull, ConnectionClosed: as `send`.
        """
        link = self._link
        with link.state:
            ping = link.core.send_ping(payload, now=monotonic())
            link.corked = False  # what is held goes along
        answered = link.wait_until(lambda: ping.latency is not None or link.core.closed is not None, timeout)
        if ping.latency is not None:
            return ping.latency
        if not answered:
            raise TimeoutError("no pong in time")
        assert link.core.closed is not None
        raise ConnectionClosed(link.core.closed)

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
        message = self._next_message(timeout)
        if isinstance(message, Fragment):
            raise LocalProtocolError("with Config(stream=True) messages come from recv_fragment")
        return message

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
        message = self._next_message(timeout)
        if not isinstance(message, Fragment):
            raise LocalProtocolError("without Config(stream=True) messages come from recv")
        return message

    def _next_message(self, timeout: float | None) -> str | bytes | Fragment:
        """Receive the next message, or part of one."""
        while True:
            event = self.next_event(timeout)
            if isinstance(event, (str, bytes, Fragment)):
                return event
            if isinstance(event, Closed):
                raise ConnectionClosed(event)

    def next_event(self, timeout: float | None = None) -> Event:
        """Receive the next event of any kind; after the end, `Closed` again and again.

        Raises:
            TimeoutError, LocalProtocolError: as `recv`.
        """
        with self._link.state:
            if self._receiving:
                raise LocalProtocolError("another thread is receiving on this session")
            event = self._take_event()
            self._receiving = event is None
        if event is None:
            event = self._wait_for_event(timeout)
        if not isinstance(event, (str, bytes, Fragment)):
            self._link.flush()  # taking the peer's Close has let the answer out
        return event

    def _wait_for_event(self, timeout: float | None) -> Event:
        """Drive the connection until there is an event."""
        try:
            event = self._link.wait_for_event(self._take_event, timeout)
        finally:
            self._receiving = False
        if event is None:
            raise TimeoutError("no message in time")
        return event

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(CloseCode.NORMAL_CLOSURE if error is None else CloseCode.INTERNAL_ERROR)
        if self.runner is not None and self.runner is not threading.current_thread():
            self.runner.join()  # until on_close has returned


def broadcast(
    sessions: Iterable[Session],
    message: str | bytes | bytearray | memoryview | PreparedMessage,
    *,
    compress: bool | None = None,
) -> None:
    """Send one message to many sessions; it is framed once for all that agreed on the same.

    Sessions that are closing are left out. What happens to one whose peer reads too slowly, its
    ``slow_consumer`` says; those that wait are waited for when all others have the message.

    Args:
        sessions: to whom; the collection may change meanwhile.
        message: as for `Session.send`.
        compress: as for `Session.send`.

    Raises:
        LocalProtocolError: neither text nor bytes.
    """
    prepared = (
        message if isinstance(message, PreparedMessage) else PreparedMessage(message, compress=compress)
    )
    now = monotonic()
    full = [session for session in list(sessions) if session.take_broadcast(prepared, now)]
    for session in full:
        session.wait_for_room()
