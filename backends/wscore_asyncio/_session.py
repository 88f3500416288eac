"""A session: what an application holds of one connection, from the upgrade on.

Everything happens in the loop's own thread. Any task may send, ping and close; one task at a time may
receive. Whatever waits can be cancelled: a message that was not returned is still there for the next who
asks, and one that was queued is sent.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import aclosing
from time import monotonic
from typing import Any, Final, Self, Unpack, final

from wscore import (
    BatchMode,
    CloseCode,
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

from ._link import TAKEN_AT_ONCE, Link
from ._waiting import for_events, for_pong, for_room, until_over

log = logging.getLogger("wscore_asyncio")

_PING_TIMEOUT: Final = 20.0
_AT_ONCE: Final = BatchMode.OFF


@final
class _Sent:
    """What `send` returns when there is room: awaiting it takes no time."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]  # await asks for no more, and a generator costs more


@final
class _Room:
    """What `send` and `broadcast` return else: awaiting it waits until these links have room."""

    __slots__ = ("_links",)

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links

    def __await__(self) -> Generator[Any, None, None]:
        for link in self._links:
            yield from for_room(link).__await__()


_SENT: Final[Awaitable[None]] = _Sent()


@final
class Session(SessionInfo):
    """One open connection. Get it from `connect`, or as the argument of a handler or hook.

    Attributes:
        task: runs the handler, or awaits the hooks of an endpoint; None where hooks are called directly, and
            when it is done.
        claimed: an endpoint gets the events.
    """

    __slots__ = ("__weakref__", "_in_parts", "_in_parts_of", "_link", "_receiving", "claimed", "task")

    def __init__(self, link: Link, **facts: Unpack[SessionFacts]) -> None:
        super().__init__(link.core, **facts)
        self._link = link
        self._receiving = False
        self._in_parts: asyncio.Lock | None = None  # held while a message is sent in parts
        self._in_parts_of: asyncio.Task[Any] | None = None  # by this task
        self.claimed = False
        link.on_writable = self.note_room
        self.task: asyncio.Task[None] | None = None

    @property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger whose lines carry the session's id."""
        return logging.LoggerAdapter(log, {"session": self.id})

    def close_unserved(self, error: Exception) -> None:
        """There is no endpoint: close."""
        self.logger.error("no endpoint could be made", exc_info=error)
        self.start_closing(CloseCode.INTERNAL_ERROR, "")

    # Sending.

    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> Awaitable[None]:
        """Send a message: ``str`` as text, bytes-like as binary, a `PreparedMessage` as what it holds.

        The message is queued when this returns. Awaiting the result waits only when more than
        `Limits.outbox_high` bytes wait for the peer, until there is room again; a cancelled wait takes
        nothing back.

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
        has_room = self._link.send(message, compress, self.batch_mode)
        return _SENT if has_room else _Room((self._link,))

    def send_json(self, value: object, *, compress: bool | None = None) -> Awaitable[None]:
        """Send value as a JSON text; otherwise as `send`."""
        return self.send(encode_json(value), compress=compress)

    async def send_fragments(
        self, parts: Iterable[Part] | AsyncIterable[Part], *, compress: bool | None = None
    ) -> None:
        """Send one message in parts, each as soon as parts gives it (RFC 6455 section 5.4).

        What other tasks send meanwhile follows behind it. If parts raises, or this is
        cancelled, the message can neither be finished nor taken back: the connection is closed with 1011.

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
        if self._in_parts is None:
            self._in_parts = asyncio.Lock()
        if self._in_parts_of is asyncio.current_task():
            raise LocalProtocolError("a message in parts cannot hold another one")
        async with self._in_parts:
            self._in_parts_of = asyncio.current_task()
            try:
                async with aclosing(_each(parts)) as each:
                    async for part in each:
                        mode = self._mode()
                        message.send(part)
                        await self._depart(mode)
                mode = self._mode()
                message.finish()
                await self._depart(mode)
            except BaseException:
                if message.is_torn:
                    self.start_closing(CloseCode.INTERNAL_ERROR, "")
                raise
            finally:
                self._in_parts_of = None

    def _mode(self) -> BatchMode:
        """Return how what is queued next is to leave."""
        return self._link.hold() if self.batch_mode is BatchMode.ON else self.batch_mode

    def _depart(self, mode: BatchMode) -> Awaitable[None]:
        """See to it that what was queued leaves."""
        return _SENT if self._link.depart(mode) else _Room((self._link,))

    def take_broadcast(self, message: PreparedMessage, now: float) -> Link | None:
        """Take a message of `broadcast`; return where whoever sends it should wait for room."""
        link = self._link
        if self._backlog is None and link.is_quiet:  # the usual case, in one call
            full = not link.send(message, None, _AT_ONCE)
        else:
            outcome = self._offer(message, now)
            if outcome.is_queued:
                link.flush()
            full = outcome is Offered.FULL
        return link if full and self.slow_consumer is SlowConsumer.WAIT else None

    def note_room(self, tell: Callable[[], None] | None = None) -> None:
        """Go on with what waited for room; then tell whoever else waits, if there is any left."""
        self._release()
        if tell is not None and self._core.writable:
            tell()

    def flush(self) -> None:
        """Write what was held back."""
        self._link.flush()

    async def ping(self, payload: bytes | None = None, timeout: float | None = _PING_TIMEOUT) -> float:
        """Ping the peer and wait for its pong (RFC 6455 section 5.5.2).

        Args:
            payload: at most 125 bytes; None: four random ones.
            timeout: seconds; None: as long as the connection lives. While unread messages fill the
                inbox nothing is read, so the pong cannot be seen.

        Returns:
            Seconds from the ping's leaving to its pong.

        Raises:
            TimeoutError: no pong in time; the connection goes on.
            LocalProtocolError, TypeError, WriteBufferFull, ConnectionClosed: as `send`.
        """
        ping = self._core.send_ping(payload, now=monotonic())
        self._link.flush()
        async with asyncio.timeout(timeout):
            await for_pong(self._link, ping)
        return self._latency_of(ping)

    # Receiving.

    async def recv(self) -> str | bytes:
        """Receive the next message: ``str`` for text, ``bytes`` for binary.

        Messages that arrived before the end are still returned after it.

        Raises:
            ConnectionClosed: there will be no more messages.
            LocalProtocolError: another task is receiving on this session; it streams: use `recv_fragment`.
        """
        expect_whole(self._core)
        message = self._message_at_once()
        return whole(await self._next_message() if message is None else message)

    async def recv_json(self) -> Any:
        """Receive the next message as JSON.

        Raises:
            ValueError: it is not JSON; it has been taken.
            ConnectionClosed, LocalProtocolError: as `recv`.
        """
        return decode_json(await self.recv())

    async def recv_fragment(self) -> Fragment:
        """Receive the next part of a message, as it arrived; only with ``Config(stream=True)``.

        Raises:
            ConnectionClosed, LocalProtocolError: as `recv`.
        """
        expect_parts(self._core)
        return in_part(await self._next_message())

    async def _next_message(self) -> Received:
        """Receive the next message, or part of one."""
        message = self._message_at_once()
        while message is None:
            message = received(await self.await_event())
        return message

    def _message_at_once(self) -> Received | None:
        """Return the next message if it is here and others have had their turn: then no coroutine is needed.

        Raises:
            ConnectionClosed, LocalProtocolError: as `recv`.
        """
        if self._receiving or self.claimed:
            raise _somebody_else()
        while (event := self._link.take_at_once()) is not None:
            if isinstance(event, (str, bytes)):
                return event
            if (message := received(event)) is not None:
                return message
        return None

    async def next_event(self) -> Event:
        """Receive the next event of any kind; after the end, `Closed` again and again.

        Raises:
            LocalProtocolError: another task is receiving on this session, or an endpoint is.
        """
        if self._receiving or self.claimed:
            raise _somebody_else()
        return await self.await_event()

    async def await_event(self) -> Event:
        """Receive the next event; for the one who does."""
        link = self._link
        event = link.take_at_once()
        if event is not None:
            return event
        self._receiving = True
        try:
            if link.in_a_row == TAKEN_AT_ONCE:
                await asyncio.sleep(0)  # there may be more; others have their turn first
            link.in_a_row = 0
            while (event := link.take()) is None:
                await for_events(link)
            return event
        finally:
            self._receiving = False

    def __aiter__(self) -> Self:
        """Iterate over messages until the close handshake is complete.

        Raises:
            LocalProtocolError: it streams: use `recv_fragment`.
        """
        expect_whole(self._core)
        return self

    async def __anext__(self) -> str | bytes:
        """Receive the next message.

        Raises:
            ConnectionClosed: the connection ended without a close handshake.
        """
        try:
            message = self._message_at_once()
            return whole(await self._next_message() if message is None else message)
        except ConnectionClosed as end:
            if end.closed.clean:
                raise StopAsyncIteration from None
            raise

    def suspend(self) -> None:
        """Deliver nothing until `resume`; when much has arrived, reading stops, too."""
        self._core.suspend()

    def resume(self) -> None:
        """Deliver again."""
        self._core.resume()
        self._link.pump_soon()

    # Ending.

    async def close(
        self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, wait: bool = True
    ) -> None:
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
        self.start_closing(code, reason, discard=wait)
        if wait:
            await until_over(self._link)

    def start_closing(self, code: int, reason: str, *, discard: bool = False) -> None:
        """Close without waiting; otherwise as `close`."""
        self._core.close(code, reason, now=monotonic(), discard=discard)
        self._link.flush()

    def abort(self) -> None:
        """End the connection at once, without a close handshake; the peer sees it as lost."""
        self._link.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            await self.close(CloseCode.NORMAL_CLOSURE if error is None else CloseCode.INTERNAL_ERROR)
        finally:  # cancelled, too
            self._link.insist()  # an endpoint that has suspended hears of the end
        if self.task is not None and self.task is not asyncio.current_task():
            await asyncio.wait([self.task])  # until on_close has returned


def _somebody_else() -> LocalProtocolError:
    return LocalProtocolError("somebody else is receiving on this session")


async def _each(parts: Iterable[Part] | AsyncIterable[Part]) -> AsyncGenerator[Part, None]:
    """Iterate over either kind of iterable."""
    if isinstance(parts, AsyncIterable):
        async for part in parts:
            yield part
    else:
        for part in parts:
            yield part


def broadcast(
    sessions: Iterable[Session], message: Part | PreparedMessage, *, compress: bool | None = None
) -> Awaitable[None]:
    """Send one message to many sessions; it is framed once for all that agreed on the same.

    The message is queued when this returns; sessions that are closing are left out. What happens to one
    whose peer reads too slowly, its ``slow_consumer`` says. Awaiting the result waits for those that wait.

    Args:
        sessions: to whom; the collection may change afterwards.
        message: as for `Session.send`.
        compress: as for `Session.send`.

    Raises:
        LocalProtocolError: text with lone surrogates.
        TypeError: neither text nor bytes.
    """
    prepared, now = prepare(message, compress), monotonic()
    full = [link for session in list(sessions) if (link := session.take_broadcast(prepared, now)) is not None]
    return _Room(full)
