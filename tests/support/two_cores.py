"""Two cores, joined by a faulty link, on a virtual clock: the whole of a connection without a network.

Each `End` is what a backend and an application are to a core: it holds the bytes that were given out and do
not fit into the link yet, acts on the levels, and takes events or does not. A `Lane` carries bytes one way.
It may hold them up (frozen), take no more (blocked), lose all that comes (lost), or be at an end, in good
order or torn. It never alters or reorders a byte: below a WebSocket is TCP.

`TwoCores` has one method for each thing that can happen: a command, right or wrong, in any state; a few bytes
that move; a fault; time that passes. Whoever drives it chooses; it checks. Besides what `Watched` demands of
each core, messages must come out as they went in: in order, complete, none twice.
"""

from collections.abc import Callable
from typing import Any, Final

from support.choices import PREPARED
from support.watched_core import Watched, make_core
from wscore import (
    Closed,
    Config,
    Event,
    Fragment,
    PreparedMessage,
    RequestReceived,
    Role,
    State,
    TransportAction,
)

URL: Final = "ws://localhost/chat"
_ROUNDS: Final = 5000  # more than any exchange takes
_FIRINGS: Final = 5000  # more deadlines than any end takes


class Lane:
    """One direction of the link.

    Attributes:
        hands: given out by the core, not in the link yet.
        wire: in the link.
        ended: nothing follows what is in it.
        torn: nobody will read it: writing fails.
        frozen: nothing arrives for now.
        blocked: nothing can be written for now.
        lost: what is written never arrives, nor does the end.
    """

    def __init__(self) -> None:
        self.hands = b""
        self.wire = bytearray()
        self.ended = self.torn = self.frozen = self.blocked = self.lost = False


class Message:
    """What was sent as one message, as far as it was."""

    __slots__ = ("complete", "data", "text")

    def __init__(self, data: str | bytes, *, complete: bool) -> None:
        self.text = isinstance(data, str)
        self.data = _octets(data)
        self.complete = complete


class End:
    """One core with its backend and its application.

    Attributes:
        out, into: the lanes that it writes to and reads from.
        sent: its messages, in the order of the wire.
        under_way: the one that is being sent in fragments.
        received: how many messages have come, all of them compared.
        gone: its transport is closed.
        fin_given: its sending direction is ended.
        closed: the event, once it was taken.
        answers: accept a request as soon as it is seen.
    """

    def __init__(
        self, role: Role, config: Config, half_close: bool, seed: int, out: Lane, into: Lane
    ) -> None:
        self.role, self.config, self.half_close = role, config, half_close
        self.watched = Watched(lambda: make_core(role, config, half_close=half_close, seed=seed), config)
        self.core = self.watched.core
        self.out, self.into = out, into
        self.sent: list[Message] = []
        self.under_way: Message | None = None
        self.received = 0
        self.partial = b""
        self.request: RequestReceived | None = None
        self.gone = False
        self.fin_given = False
        self.closed: Closed | None = None
        self.answers = True

    def deliverable(self) -> int:
        """Return how many messages were sent completely and leave before our Close."""
        for index, message in enumerate(self.sent):
            if not message.complete:
                return index
        return len(self.sent)

    def note_sent(self, data: str | bytes) -> None:
        """A whole message was sent; it comes behind the one that is under way."""
        self.sent.append(Message(data, complete=True))

    def note_fragment(self, data: str | bytes, final: bool) -> None:
        """A part of a message was sent."""
        if self.under_way is None:
            self.under_way = Message(data, complete=False)
            self.sent.append(self.under_way)
        else:
            self.under_way.data += _octets(data)
        if final:
            self.under_way.complete = True
            self.under_way = None


class TwoCores:
    """A client and a server on one clock.

    Args:
        client, server: their Configs.
        half_close: of the client's and the server's transport.

    Attributes:
        now: the time, in seconds.
        ends: the client and the server.
    """

    def __init__(
        self, client: Config, server: Config, *, half_close: tuple[bool, bool] = (True, True)
    ) -> None:
        self.now = 0.0
        up, down = Lane(), Lane()
        self.ends = (
            End(Role.CLIENT, client, half_close[0], 1, up, down),
            End(Role.SERVER, server, half_close[1], 2, down, up),
        )

    def peer(self, end: End) -> End:
        """Return the other one."""
        return self.ends[1] if end is self.ends[0] else self.ends[0]

    # Commands. Each may be refused; what was done is remembered.

    def request(self, end: End, subprotocols: tuple[str, ...] = ()) -> None:
        """Start the opening handshake."""
        end.watched.call("send_request", URL, subprotocols=subprotocols, now=self.now)

    def answer(self, end: End, status: int = 101, body: bytes = b"", headers: Any = ()) -> None:
        """Answer the request: accept it, or respond with another status."""
        if status != 101:
            end.watched.call("respond", status, body=body, headers=headers, now=self.now)
            return
        offered = end.request.request.subprotocols if end.request is not None else ()
        end.watched.call("accept", subprotocol=offered[0] if offered else None, headers=headers, now=self.now)

    def send(self, end: End, data: str | bytes, compress: bool | None = None) -> None:
        """Send a whole message."""
        name = "send_text" if isinstance(data, str) else "send_bytes"
        if end.watched.call(name, data, compress=compress) is None:
            end.note_sent(data)

    def send_fragment(self, end: End, data: str | bytes, final: bool, compress: bool | None = None) -> None:
        """Send a part of a message."""
        if end.watched.call("send_fragment", data, final, compress=compress) is None:
            end.note_fragment(data, final)

    def send_prepared(self, end: End, which: int) -> None:
        """Send one of the messages that were prepared for everybody."""
        message: PreparedMessage = PREPARED[which % len(PREPARED)]
        if end.watched.call("send_prepared", message) is None:
            text = message.opcode.name == "TEXT"
            end.note_sent(message.payload.decode() if text else message.payload)

    def ping(self, end: End, payload: bytes | None) -> None:
        """Send a ping."""
        end.watched.call("send_ping", payload, now=self.now)

    def pong(self, end: End, payload: bytes) -> None:
        """Send a pong."""
        end.watched.call("send_pong", payload)

    def close(self, end: End, code: int = 1000, reason: str = "", *, discard: bool = False) -> None:
        """Close; it is never refused."""
        refused = end.watched.call("close", code, reason, now=self.now, discard=discard)
        assert refused is None, f"close was refused: {refused!r}"
        assert end.core.state not in (State.CONNECTING, State.OPEN, State.REMOTE_CLOSING)

    def err(self, end: End, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Make a mistake."""
        named = {key: self.now if key == "now" else value for key, value in named.items()}
        refused = end.watched.err(name, args, named)
        harmless = name == "close" and end.core.closed is not None
        assert isinstance(refused, Exception) or harmless, f"{name}{args}{named} was not refused"

    # Events.

    def take_event(self, end: End) -> Event | None:
        """Take an event and look at it."""
        event = end.watched.next_event()
        if isinstance(event, (str, bytes)):
            assert not end.config.stream
            self._compare(end, _octets(event), isinstance(event, str), final=True)
        elif isinstance(event, Fragment):
            assert end.config.stream
            data = _octets(event.data)
            self._compare(end, data, isinstance(event.data, str), final=event.final)
        elif isinstance(event, RequestReceived):
            end.request = event
            if end.answers:
                self.answer(end)
        elif isinstance(event, Closed):
            self._look_at_end(end, event)
        return event

    def _compare(self, end: End, data: bytes, text: bool, *, final: bool) -> None:
        """A message, or a part of one, must be what the peer sent next."""
        message = self.peer(end).sent[end.received]
        end.partial += data
        assert text is message.text
        if not final:
            assert message.data.startswith(end.partial), "a message came out changed"
            return
        assert message.complete and message.data == end.partial, "a message came out changed"
        end.partial = message.data = b""
        end.received += 1

    def _look_at_end(self, end: End, closed: Closed) -> None:
        """After a clean close nothing is missing but what was dropped and counted."""
        end.closed = closed
        sender = self.peer(end)
        if not closed.clean:
            return
        assert closed.violation is None and closed.received is not None
        complete = sender.deliverable()
        unfinished = end.config.stream and complete < len(sender.sent)  # may be dropped, too
        missing = complete - end.received - closed.dropped
        assert missing == 0 or (unfinished and closed.dropped and missing == -1), f"{missing} are missing"

    # The backend: bytes and levels.

    def write(self, end: End, size: int = 1 << 30) -> bool:
        """Take bytes from the core if none are in hand, and let size of them into the link."""
        if end.gone:
            return False
        lane = end.out
        if not lane.hands:
            lane.hands = end.watched.take_bytes(self.now)
        if lane.torn:
            return self._fail_to_write(end)
        moved = b"" if lane.blocked or end.fin_given else lane.hands[:size]
        if moved:
            lane.hands = lane.hands[len(moved) :]
            if not lane.lost:
                lane.wire += moved
            end.watched.call("handle_progress", self.now)
        self.act(end)
        return bool(moved)

    def _fail_to_write(self, end: End) -> bool:
        """The peer's transport is gone: that is seen when something is written."""
        if not end.out.hands:
            self.act(end)
            return False
        end.out.hands = b""
        end.watched.end_input(self.now)
        end.watched.end_input(self.now)
        self.act(end)
        return True

    def act(self, end: End) -> None:
        """Act on the transport action."""
        action = end.core.transport_action()
        if action is TransportAction.KEEP or end.gone:
            return
        if action is not TransportAction.ABORT:
            assert not end.out.hands, "bytes are in hand, and TCP is to end in good order"
        if action is TransportAction.SHUTDOWN_WRITE:
            assert end.half_close
            end.fin_given = end.out.ended = True
            return
        end.gone = end.out.ended = end.into.torn = True
        end.out.hands = b""
        if action is TransportAction.ABORT:
            end.out.blocked = False

    def read(self, end: End, size: int = 1 << 30, *, wanted: bool = True) -> bool:
        """Let up to size bytes arrive, or the end of the stream; with wanted, only if the core wants them."""
        lane = end.into
        if end.gone or lane.frozen or end.watched.eof or (wanted and not end.core.wants_read):
            return False
        data = bytes(lane.wire[:size])
        del lane.wire[:size]
        if data:
            end.watched.receive(data, self.now)
        elif lane.ended and not lane.lost:
            end.watched.end_input(self.now)
        else:
            return False
        self.act(end)
        return True

    # The link and its faults.

    def cut(self, *, at_once: bool) -> None:
        """Tear both lanes; at_once: what is in them is lost, and both sides are told that nothing works."""
        for end in self.ends:
            end.out.ended = end.out.torn = True
            end.out.frozen = end.out.lost = False
            if at_once:
                end.out.wire, end.out.hands = bytearray(), b""
                if not end.gone:
                    end.watched.end_input(self.now)
                    end.watched.end_input(self.now)
        for end in self.ends:
            self.act(end)

    def mend(self) -> None:
        """Let everything move again that only waited."""
        for end in self.ends:
            end.out.frozen = end.out.blocked = False

    def stop(self) -> None:
        """Let nothing move any more."""
        for end in self.ends:
            end.out.frozen = end.out.blocked = True

    # Time.

    def exchange(self, *, taking: Callable[[End], bool] = lambda end: True) -> None:
        """Move bytes and take events until nothing moves; taking tells whose application takes events."""
        for _ in range(_ROUNDS):
            moved = False
            for end in self.ends:
                while taking(end) and self.take_event(end) is not None:
                    moved = True
                while self.write(end):
                    moved = True
                moved = self.read(end) or moved
            if not moved:
                return
        raise AssertionError("the two sides never come to rest")

    def tick(self, now: float) -> None:
        """Let the clock stand at now, and handle what is due."""
        self.now = now
        for end in self.ends:
            if not end.gone:
                end.watched.handle_deadline(now)
                self.act(end)

    def next_deadline(self) -> float | None:
        """Return the earliest deadline of both."""
        found = [end.core.next_deadline() for end in self.ends if not end.gone]
        return min((deadline for deadline in found if deadline is not None), default=None)

    def advance(self, until: float, *, taking: Callable[[End], bool] = lambda end: True) -> None:
        """Let time pass, deadline by deadline, and things move after each."""
        self.exchange(taking=taking)
        for _ in range(_FIRINGS):
            due = self.next_deadline()
            if due is None or due > until:
                break
            self.tick(max(due, self.now))
            self.exchange(taking=taking)
        else:
            raise AssertionError("time stands still")
        self.tick(max(until, self.now))
        self.exchange(taking=taking)

    def replay(self) -> None:
        """Make both cores do it again."""
        for end in self.ends:
            end.watched.replay()


def _octets(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
