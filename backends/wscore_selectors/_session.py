"""A session: what an application holds of one connection, from the upgrade on.

Nothing here waits: what cannot leave now is queued, and leaves when it can. All calls belong to the reactor's
thread; others use `Reactor.call_soon_threadsafe`.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, Final, Unpack, final

from wscore import BatchMode, CloseCode, Delivery, Endpoint, Opened, Ping, PreparedMessage
from wscore.policy import InParts, Part, SessionFacts, SessionInfo, encode_json, may_send, prepare

from ._link import Link
from ._loop import log

_AUTO: Final = BatchMode.AUTO


@final
class Session(SessionInfo):
    """One open connection. Get it as the argument of a hook."""

    __slots__ = ("__weakref__", "_link")

    def __init__(self, link: Link, **facts: Unpack[SessionFacts]) -> None:
        super().__init__(link.core, **facts)
        self._link = link

    @property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger whose lines carry the session's id."""
        return logging.LoggerAdapter(log, {"session": self.id})

    def begin(self, endpoint: Endpoint | Callable[[Any], object], opened: Opened) -> None:
        """Bring all events to endpoint from now on, beginning with opened."""
        if not isinstance(endpoint, Endpoint):
            self.close_unserved(TypeError("a reactor serves endpoints, and no functions of the session"))
            endpoint = Endpoint()
        delivery = Delivery(endpoint, self, close=self.close, report=self._report, may_send=self._may_send)
        self._link.deliver = delivery.deliver
        self._link.on_writable = partial(self._go_on, delivery.notify_writable)
        delivery.deliver(opened)

    def close_unserved(self, error: Exception) -> None:
        """There is no endpoint: close."""
        self.logger.error("no endpoint could be made", exc_info=error)
        self.close(CloseCode.INTERNAL_ERROR)

    def _go_on(self, notify: Callable[[], object]) -> None:
        """There is room for output: send what waited for it, then let the application go on."""
        self._release()
        if self._core.writable:
            notify()

    def _report(self, hook: str, error: Exception) -> None:
        self.logger.error("%s raised", hook, exc_info=error)

    def _may_send(self) -> bool:
        return may_send(self._core.state)

    # Sending.

    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        """Send a message: ``str`` as text, bytes-like as binary, a `PreparedMessage` as what it holds.

        Never waits. While more than `Limits.outbox_high` bytes wait for the peer no messages of this session
        are delivered; who sends on their own account looks at ``buffered_amount`` and goes on in
        ``on_writable``.

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
        self._link.send(message, compress, self.batch_mode)

    def send_json(self, value: object, *, compress: bool | None = None) -> None:
        """Send value as a JSON text; otherwise as `send`."""
        self.send(encode_json(value), compress=compress)

    def send_fragments(self, parts: Iterable[Part], *, compress: bool | None = None) -> None:
        """Send one message in parts (RFC 6455 section 5.4), all of them at once.

        If parts raises, the message can neither be finished nor taken back: the connection is closed with
        1011 and the error goes on.

        Args:
            parts: ``str`` for a text message, bytes-like for a binary one; at least one.
            compress: for the whole message, as for `send`; None: compress, if that was agreed on.

        Raises:
            LocalProtocolError: parts of different kinds, or none; as `send`.
            TypeError: one part in place of several, or a part that is neither text nor bytes.
            WriteBufferFull, ConnectionClosed: as `send`.
        """
        message = InParts(self._core, parts, compress)
        try:
            for part in parts:
                mode = self._link.joining(self.batch_mode)
                message.send(part)
                self._link.depart(mode)
            mode = self._link.joining(self.batch_mode)
            message.finish()
            self._link.depart(mode)
        except BaseException:
            if message.is_torn:
                self.close(CloseCode.INTERNAL_ERROR)
            raise

    def send_fragment(self, data: Part, final: bool, *, compress: bool | None = None) -> None:
        """Send a message part by part, in one hook after the other; final ends it.

        Whole messages that are sent meanwhile follow behind it.

        Args:
            data: the next part; ``str`` in all parts of a text message, bytes-like in all of a binary one.
            final: this is the last part; data may be empty then.
            compress: in the first part, for the whole message, as for `send_fragments`.

        Raises:
            LocalProtocolError, TypeError, WriteBufferFull, ConnectionClosed: as `send`.
        """
        mode = self._link.joining(self.batch_mode)
        self._core.send_fragment(data, final, compress=compress)
        self._link.depart(mode)

    def take_broadcast(self, message: PreparedMessage, now: float) -> None:
        """Take a message of `broadcast`."""
        if self._backlog is None and self._link.is_quiet:
            self._link.send(message, None, _AUTO)  # the usual case, in one call
        elif self._offer(message, now).is_queued:
            self._link.depart(_AUTO)

    def flush(self) -> None:
        """Write what was held back."""
        self._link.flush()

    def ping(self, payload: bytes | None = None) -> Ping:
        """Ping the peer (RFC 6455 section 5.5.2).

        Args:
            payload: at most 125 bytes; None: four random ones.

        Returns:
            What gets its ``latency`` when the pong is here; the hook ``on_pong`` hears of that, too.

        Raises:
            LocalProtocolError, TypeError, WriteBufferFull, ConnectionClosed: as `send`.
        """
        ping = self._core.send_ping(payload, now=monotonic())
        self._link.depart(BatchMode.AUTO if self.batch_mode is BatchMode.AUTO else BatchMode.OFF)
        return ping

    # Receiving.

    def suspend(self) -> None:
        """Deliver nothing until `resume`; when much has arrived, reading stops, too."""
        self._core.suspend()

    def resume(self) -> None:
        """Deliver again, in the next turn of the reactor."""
        self._core.resume()
        self._link.pump_soon()

    # Ending.

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, discard: bool = False) -> None:
        """Close the connection (RFC 6455 section 7.1.2); never waits.

        Messages are delivered until the peer's Close is here, within `Timeouts.close`; then ``on_close``
        is called.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999.
            reason: at most 123 bytes of UTF-8.
            discard: read on at any cost, also while suspended; messages that do not fit are dropped and
                counted in ``closed.dropped``.

        Raises:
            LocalProtocolError: a code or reason that may not be sent.
            TypeError: not int and str.
        """
        self._core.close(code, reason, now=monotonic(), discard=discard)
        self._link.corked = False
        self._link.depart(BatchMode.AUTO)

    def abort(self) -> None:
        """End the connection at once, without a close handshake; the peer sees it as lost."""
        self._link.abort()


def broadcast(
    sessions: Iterable[Session], message: Part | PreparedMessage, *, compress: bool | None = None
) -> None:
    """Send one message to many sessions; it is framed once for all that agreed on the same.

    Sessions that are closing are left out. What happens to one whose peer reads too slowly, its
    ``slow_consumer`` says; nothing waits here, so with WAIT the message is queued up to the hard limit.

    Args:
        sessions: to whom; the collection may change meanwhile.
        message: as for `Session.send`.
        compress: as for `Session.send`.

    Raises:
        LocalProtocolError: text with lone surrogates.
        TypeError: neither text nor bytes.
    """
    prepared, now = prepare(message, compress), monotonic()
    for session in list(sessions):
        session.take_broadcast(prepared, now)
