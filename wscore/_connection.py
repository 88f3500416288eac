"""The connection: routes inputs and commands to the parts that own the rules, and owns no rule itself.

Theory of operation. Every call does four things in this order: it moves the clock forward, it feeds one
part, it lets the consequences happen (an event queued, bytes queued, the state moved), and it returns.
Nothing is called back. **After any input or command, drain the outputs**: events with `next_event`, bytes
with `data_to_send`, then look at the levels: `transport_action`, `wants_read`, `next_deadline`.

The story of an end is told in one place each: `_fail` when the peer broke a rule, `_receive_close` and
`_answer_close` for the close handshake, `_input_ended` when the stream is gone, `handle_deadline` for
time. Each leads through `_settle`, which makes the one `Closed`, to DRAINING or CLOSED.
"""

from collections.abc import Callable, Sequence
from typing import Final, assert_never, final

from ._codes import CloseCode, Opcode, Role, member_of
from ._config import Config
from ._ending import Ending, code_of, read_close, write_close
from ._entropy import system_entropy
from ._errors import ConnectionClosed, LocalProtocolError, WriteBufferFull
from ._events import Closed, CloseReceived, CloseStatus, Event, Opened, PingReceived, PongReceived
from ._flood import ControlBudget
from ._handshake import HeadersLike
from ._http import Headers, Request, Response
from ._inbox import Inbox
from ._keepalive import Ping
from ._lifecycle import TRANSITIONS, State, Step, TransportAction
from ._negotiation import NOTHING, agree
from ._opening import Opening
from ._outbox import Outbox
from ._prepared import PreparedMessage, check_choice, encode_bytes, encode_message, encode_text
from ._receiver import Arrival, Receiver
from ._sender import Sender
from ._stats import Stats
from ._timers import TIMERS, Timer
from ._url import Address, parse_url
from ._violations import Violation
from ._watch import Verdict, Watch

_CONTROL_LIMIT: Final = 125

_REASONS: Final = {Timer.IDLE: "no message for a long time", Timer.LIFETIME: "the greatest age is reached"}

_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY
_CONNECTING: Final = State.CONNECTING
_OPEN: Final = State.OPEN
_LOCAL_CLOSING: Final = State.LOCAL_CLOSING
_REMOTE_CLOSING: Final = State.REMOTE_CLOSING
_DRAINING: Final = State.DRAINING
_CLOSED: Final = State.CLOSED


@final
class Connection:
    """One side of one WebSocket connection, without I/O.

    Args:
        role: which side this is.
        config: limits, timeouts and the rest; shared between connections at will.
        now: seconds of any monotonic clock, the same in every call; an older value counts as the
            newest one seen. The open timeout starts here.
        half_close: False where the transport cannot end its sending direction alone.
        entropy: a function from a number to as many unpredictable bytes; pass your own to make a
            run repeatable.
    """

    def __init__(
        self,
        role: Role,
        config: Config | None = None,
        *,
        now: float,
        half_close: bool = True,
        entropy: Callable[[int], bytes] = system_entropy,
    ) -> None:
        config = Config() if config is None else config
        _check_types(role, config)
        self._role: Role = role
        self._config: Config = config
        self._half_close: bool = half_close
        self._entropy: Callable[[int], bytes] = entropy
        self._now: float = now
        self._state: State = State.CONNECTING
        self._stats: Stats = Stats()
        self._opening: Opening = Opening(role, config)
        self._inbox: Inbox = Inbox(config.limits)
        self._receiver: Receiver = Receiver(
            role, config.limits, self._inbox, self._stats, streaming=config.stream
        )
        self._outbox: Outbox = Outbox(config.limits, config.fragment_size)
        self._sender: Sender = Sender(role, self._outbox, self._stats, entropy, config.fragment_size)
        self._watch: Watch = Watch(config.timeouts, now)
        self._budget: ControlBudget = ControlBudget(config.limits.max_control_rate, now)
        self._ending: Ending = Ending()
        self._action: TransportAction = TransportAction.KEEP
        self._broken: Violation | None = None  # the rule that the peer broke
        self._eof: bool = False  # nothing more will be received
        self._held_back: bool = False  # input waits for the application to take events
        self._in_hand: bool = False  # an event is being handed out
        self._suspended: bool = False  # the application wants no events now

    @staticmethod
    def established(
        role: Role,
        config: Config | None = None,
        *,
        subprotocol: str | None = None,
        extensions: str = "",
        request: Request | None = None,
        response: Response | None = None,
        now: float,
        half_close: bool = True,
        entropy: Callable[[int], bytes] = system_entropy,
    ) -> "Connection":
        """Take over a stream that was upgraded elsewhere: by another HTTP server, or over HTTP/2 (RFC 8441).

        The result is open, and its first event is `Opened`. Who did the handshake has checked it, the origin
        included. Then pass on what came behind the handshake with `receive_data`.

        Args:
            role: which side this is.
            config: as for a new connection; origins and the limits of heads have no use any more.
            subprotocol: what was agreed on.
            extensions: the agreed Sec-WebSocket-Extensions value; its extension must be in
                `Config.compression`.
            request, response: what `Opened` will show; by default a GET of "/" and an empty 101.
            now, half_close, entropy: as for a new connection.

        Raises:
            LocalProtocolError: extensions names what config does not have, or cannot be read.
            TypeError: not a Role, not a Config, extensions not str.
        """
        connection = Connection(role, config, now=now, half_close=half_close, entropy=entropy)
        connection._take_over(
            request or Request("GET", "/", Headers()), response or Response(101), subprotocol, extensions
        )
        return connection

    # A. Queries: they change nothing and may be asked at any time.

    @property
    def role(self) -> Role:
        """Which side this is."""
        return self._role

    @property
    def streams(self) -> bool:
        """Whether messages come as `Fragment`, as they arrive: `Config.stream`."""
        return self._config.stream

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

    @property
    def request(self) -> Request | None:
        """The opening request: sent by a client, or received and found good by a server."""
        return self._opening.request

    @property
    def response(self) -> Response | None:
        """The answer to it; None while there is none."""
        return self._opening.response

    @property
    def subprotocol(self) -> str | None:
        """What was agreed on in the opening handshake; None: nothing."""
        return self._opening.subprotocol

    @property
    def extensions(self) -> str:
        """The extension agreed on, as the response names it: "permessage-deflate; …"; "" for none."""
        return self._opening.agreement.field

    @property
    def closed(self) -> Closed | None:
        """How the connection ended, from the moment that is settled; its event may still wait."""
        return self._ending.closed

    @property
    def latency(self) -> float | None:
        """Seconds that the newest answered ping took; None before the first pong."""
        return self._watch.keepalive.latency

    @property
    def stats(self) -> Stats:
        """Counters; live, not a copy: what is sent counts there when it is taken, or when this is read."""
        self._sender.settle_counts()
        return self._stats

    @property
    def wants_read(self) -> bool:
        """Whether to read on: False while the inbox is full and after the end of the stream."""
        if self._eof or self._state is _CLOSED:
            return False
        return not (self._receiver.paused and (self._state is _OPEN or self._state is _LOCAL_CLOSING))

    @property
    def writable(self) -> bool:
        """False from the outbox's high mark down to its low one: let senders wait. True once closed."""
        return self._outbox.writable or self._state is _CLOSED

    @property
    def events_waiting(self) -> int:
        """How many events `next_event` can hand out without further input; 0 while suspended."""
        if self._suspended:
            return 0
        fault = self._state is _REMOTE_CLOSING and self._broken is not None  # becomes `Closed` when it is due
        return len(self._inbox) + fault

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait, and bytes given out that have not yet left the caller's hands."""
        return self._outbox.buffered

    def next_deadline(self) -> float | None:
        """Return when to call `handle_deadline`; None: never, as things stand."""
        return self._watch.next_deadline()

    def transport_action(self) -> TransportAction:
        """Return what to do with the transport: a level, to be acted on once."""
        if self._state is not _DRAINING:
            return self._action
        if not self._outbox.idle:
            return TransportAction.KEEP
        if self._role is Role.CLIENT and self._ending.clean:
            return TransportAction.KEEP  # RFC 6455 7.1.1: the server closes TCP first
        return TransportAction.SHUTDOWN_WRITE if self._half_close else TransportAction.KEEP

    # B. Inputs.

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes of the stream. Then drain.

        Never raises for what the peer sent; bytes that come after the outcome are discarded.

        Raises:
            TypeError: data is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"expected bytes, not {type(data).__name__}")
        if now > self._now:
            self._now = now
        if self._eof or not data or self._state is _CLOSED:
            return
        self._stats.wire_received += len(data)
        self._watch.keepalive.note_received(self._now)
        if self._state is _CONNECTING:
            self._receive_handshake(data)
        elif self._state is _OPEN or self._state is _LOCAL_CLOSING:
            self._receiver.feed(data)
            self._parse()
        if self._state is not _OPEN:
            self._arm_close()

    def receive_eof(self, now: float) -> None:
        """Take note that the stream has ended, in good order or not. Then drain.

        A second call says that nothing can be sent either; so for a lost connection a backend may call
        it as often as it likes.
        """
        self._tick(now)
        if self._eof:
            self._lose()
            return
        self._eof = True
        if self._state is _CONNECTING:
            self._handshake_ended(None)
        elif self._state is _DRAINING:
            self._check_drained()
        elif self._state is not _CLOSED:
            self._parse()

    def handle_deadline(self, now: float) -> None:
        """Let every timer fire whose deadline has come. Then drain.

        Early and late calls are harmless. Read what the transport has before calling this.
        """
        self._tick(now)
        for _ in TIMERS:  # each at most once, also where times are too large for a timeout to matter
            timer = self._watch.pop_expired(self._now)
            if timer is None:
                break
            self._fire(timer)
        self._arm_close()

    def handle_progress(self, now: float) -> None:
        """Take note that bytes given out earlier are still moving."""
        self._tick(now)
        self._watch.note_progress(self._now)

    # C. Commands: each raises before anything has changed, or does what it says. Then drain.

    def send_request(
        self,
        address: Address | str,
        *,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        now: float,
    ) -> None:
        """Client: start the opening handshake (RFC 6455 section 4.1).

        Args:
            address: a ws:// or wss:// URL, or the result of `parse_url`.
            headers: more fields for the request: pairs or a mapping.
            subprotocols: names to offer, in order of preference.
            now: the time.

        Raises:
            LocalProtocolError: not a client, done before, or something that may not be sent.
            TypeError: an argument of another type.
            InvalidURL: the address is not usable.
            ConnectionClosed: it has ended.
        """
        self._check_not_closed()
        target = _check_address(address)
        later = self._later(now)
        request = self._opening.start(target, headers, subprotocols, self._entropy)
        self._now = later
        self._outbox.put_head(request)

    def accept(self, *, subprotocol: str | None = None, headers: HeadersLike = (), now: float) -> None:
        """Server: complete the opening handshake with a 101 response (RFC 6455 section 4.2.2).

        Args:
            subprotocol: one of ``request.subprotocols``, or None.
            headers: more fields for the response: pairs or a mapping.
            now: the time.

        Raises:
            LocalProtocolError: no upgrade request waits, or something that may not be sent.
            TypeError: an argument of another type.
            ConnectionClosed: it has ended.
        """
        self._check_not_closed()
        later = self._later(now)
        head, opened = self._opening.accept(subprotocol, headers)
        self._now = later
        self._outbox.put_head(head)
        self._open(opened)
        self._arm_close()

    def respond(self, status: int, *, headers: HeadersLike = (), body: bytes = b"", now: float) -> None:
        """Server: refuse the upgrade, or answer a plain HTTP request; the connection ends with it.

        Args:
            status: 200 to 599.
            headers: more fields; Content-Length and Connection are written by the library.
            body: any size.
            now: the time.

        Raises:
            LocalProtocolError: no request waits, or something that may not be sent.
            TypeError: an argument of another type.
            ConnectionClosed: it has ended.
        """
        self._check_not_closed()
        later = self._later(now)
        response = self._opening.respond(status, headers, body)
        self._now = later
        self._outbox.put_head(response)
        self._settle()
        self._step(Step.FAILED)
        self._arm_close()

    def send(
        self, message: str | bytes | bytearray | memoryview | PreparedMessage, compress: bool | None = None
    ) -> None:
        """Send a message of any kind: ``str`` as text, bytes-like as binary, or one that was prepared.

        Args:
            message: what to send.
            compress: as for `send_text`; a prepared message has its own choice.

        Raises:
            TypeError: none of these.
            LocalProtocolError, WriteBufferFull, ConnectionClosed: as `send_text`.
        """
        if isinstance(message, str):
            self.send_text(message, compress=compress)
        elif isinstance(message, PreparedMessage):
            self.send_prepared(message)
        else:
            self.send_bytes(message, compress=compress)

    def send_text(self, text: str, *, compress: bool | None = None) -> None:
        """Send a text message (RFC 6455 section 5.6).

        Args:
            text: without lone surrogates.
            compress: True or False: whether to, if compression was agreed on; None: as `Config` says.

        Raises:
            LocalProtocolError: not encodable, not open, or our Close was sent.
            TypeError: not str.
            WriteBufferFull: more than `Limits.outbox_limit` waits already.
            ConnectionClosed: it has ended.
        """
        payload = encode_text(text)
        if compress is not None:
            check_choice(compress)
        if self._state is not _OPEN or not self._outbox.roomy:
            self._check_can_send()
        self._sender.message(_TEXT, payload, compress)

    def send_bytes(self, data: bytes | bytearray | memoryview, *, compress: bool | None = None) -> None:
        """Send a binary message (RFC 6455 section 5.6); data may be changed afterwards.

        Args:
            data: anything bytes-like.
            compress: True or False: whether to, if compression was agreed on; None: as `Config` says.

        Raises:
            LocalProtocolError: not open, or our Close was sent.
            TypeError: not bytes-like.
            WriteBufferFull: more than `Limits.outbox_limit` waits already.
            ConnectionClosed: it has ended.
        """
        payload = encode_bytes(data)
        if compress is not None:
            check_choice(compress)
        if self._state is not _OPEN or not self._outbox.roomy:
            self._check_can_send()
        self._sender.message(_BINARY, payload, compress)

    def send_fragment(
        self, data: str | bytes | bytearray | memoryview, final: bool, *, compress: bool | None = None
    ) -> None:
        """Send a message part by part (RFC 6455 section 5.4): the first call begins it, final ends it.

        Whole messages that are sent meanwhile wait behind it, in their order; control frames pass. They count
        in `buffered_amount` and against `Limits.outbox_limit`, but not for these parts, nor in `writable`. A
        close in between leaves the message unfinished, and what waits behind it is never sent.

        Args:
            data: the next part; ``str`` in all parts of a text message, bytes-like in all of a binary one.
            final: this is the last part; data may be empty then.
            compress: in the first part, for the whole message: True or False; None: compress, if that
                was agreed on, any message of more than one part.

        Raises:
            TypeError: neither text nor bytes-like.
            LocalProtocolError: not of the kind of the message under way,
                not encodable, not open, or our Close was sent.
            WriteBufferFull: more than `Limits.outbox_limit` waits already.
            ConnectionClosed: it has ended.
        """
        opcode, payload = encode_message(data)
        check_choice(compress)
        self._check_open()
        self._check_room(self._outbox.on_the_way)  # what is held waits for this message
        self._sender.check_fragment(opcode)
        self._sender.fragment(opcode, payload, final=bool(final), compress=compress)

    def send_prepared(self, message: PreparedMessage) -> None:
        """Send a message that was made for many connections; its frames are made once.

        Raises:
            LocalProtocolError: not open, or our Close was sent.
            TypeError: not a PreparedMessage.
            WriteBufferFull: more than `Limits.outbox_limit` waits already.
            ConnectionClosed: it has ended.
        """
        if not isinstance(message, PreparedMessage):
            raise TypeError(f"expected a PreparedMessage, not {type(message).__name__}")
        if self._state is not _OPEN or not self._outbox.roomy:
            self._check_can_send()
        self._sender.prepared(message)

    def send_ping(self, payload: bytes | None = None, *, now: float) -> Ping:
        """Send a ping (RFC 6455 section 5.5.2); its pong sets ``latency`` of the result.

        Args:
            payload: at most 125 bytes; None: four random ones.
            now: the time.

        Raises:
            LocalProtocolError: payload is too long, not open, or our Close was sent.
            TypeError: payload is not bytes.
            WriteBufferFull: more than `Limits.outbox_limit` waits already.
            ConnectionClosed: it has ended.
        """
        if payload is not None:
            _check_control(payload)
        self._check_can_send()
        self._tick(now)
        return self._ping(payload, automatic=False)

    def send_pong(self, payload: bytes = b"") -> None:
        """Send an unsolicited pong (RFC 6455 section 5.5.3); pings are answered without it.

        Raises:
            LocalProtocolError: payload is too long, not open, or our Close was sent.
            TypeError: payload is not bytes.
            WriteBufferFull: more than `Limits.outbox_limit` waits already.
            ConnectionClosed: it has ended.
        """
        _check_control(payload)
        self._check_can_send()
        self._sender.pong(payload)

    def close(
        self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float, discard: bool = False
    ) -> None:
        """Start the close handshake, or answer the peer's Close at once (RFC 6455 section 7.1.2).

        Afterwards nothing more may be sent; messages of the peer still arrive until its Close. Harmless
        when our Close was sent before, and when the connection has ended. Before the opening handshake
        is complete it abandons the connection.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999.
            reason: at most 123 bytes of UTF-8.
            now: the time.
            discard: read on at any cost: once a message does not fit into the inbox, drop it and
                all that follow, and count them in ``Closed.dropped``.

        Raises:
            LocalProtocolError: a code or reason that may not be sent; nothing has changed.
            TypeError: not int and str.
        """
        write_close(code, reason)  # raises before anything changes
        self._tick(now)
        if self._state is _CONNECTING:
            self._settle()
            self._end(TransportAction.ABORT)
        elif self._state is _OPEN or self._state is _REMOTE_CLOSING:
            self._send_close(CloseStatus(member_of(self._config.close_codes, int(code)), reason))
        if discard and self._state is _LOCAL_CLOSING:
            self._receiver.discarding = True
            self._parse()
        self._arm_close()

    def suspend(self) -> None:
        """Hand out no events until `resume`: `next_event` gives None. What arrives waits, within the limits.

        Reading stops when the inbox is full; pings are answered and timers run on. A peer's Close is answered
        although nobody has seen it: at once, or after a second if messages wait before it; but one that is
        held back behind a full inbox is not seen before `resume`.
        """
        self._suspended = True

    def resume(self) -> None:
        """Hand out events again. Then drain."""
        self._suspended = False

    # D. Outputs: each takes what is there and removes it.

    def next_event(self) -> Event | None:
        """Take the next event; None: nothing for now, or nothing any more after `Closed`."""
        if self._suspended:
            return None
        event = self._inbox.next()
        if self._state is _OPEN and not self._held_back:
            return event
        return self._after(event)

    def _after(self, event: Event | None) -> Event | None:
        """Do what taking an event makes possible: parse on, answer a Close that waited behind it."""
        if self._held_back and not self._inbox.full:
            self._in_hand = event is not None  # not answered yet: a Close behind it waits
            self._parse()
            self._in_hand = False
        if self._state is _REMOTE_CLOSING and (isinstance(event, CloseReceived) or event is None):
            self._answer()
            event = event or self._inbox.next()
        return event

    def data_to_send(self, now: float) -> list[bytes]:
        """Take what waits for the wire: small pieces joined, big payloads as they are.

        It need not be everything: a long payload that must be masked comes in parts. Ask again, but only
        when all that was taken before has left your hands: asking says that it has.

        Returns:
            Pieces to be sent in order; [] when there is nothing.
        """
        if now > self._now:
            self._now = now
        outbox, sender, watch = self._outbox, self._sender, self._watch
        if outbox.given:
            outbox.note_departed()
            watch.note_departed(self._now)
        if not outbox.waiting:
            if self._state is not _OPEN:
                self._check_drained()
                self._arm_close()
            return []
        pieces = sender.take()
        if sender.close_queued and not outbox.waiting:
            watch.restart_close()  # it counts from here
        if watch.keepalive.unsent and not outbox.urgent_waits:
            watch.note_ping_given(self._now, state=self._state, paused=not self.wants_read)
        watch.note_given(self._now, data_included=sender.data_queued)
        if not outbox.waiting:
            sender.data_queued = sender.close_queued = False
        elif not outbox.data_waits:
            sender.data_queued = False
        if self._state is not _OPEN:
            self._arm_close()
        return pieces

    # The opening handshake.

    def _receive_handshake(self, data: bytes) -> None:
        """Feed the handshake and let what it found happen."""
        result = self._opening.receive(data)
        if isinstance(result, Violation):
            self._fail_handshake(result)
        elif isinstance(result, Opened):
            self._open(result)
        elif result is not None:
            self._inbox.put(result)
            if self._role is Role.CLIENT:  # refused
                self._settle()
                self._end(TransportAction.CLOSE)
        if self._opening.overflow:
            self._fail_handshake(Violation.EARLY_DATA)

    def _handshake_ended(self, timer: Timer | None) -> None:
        """The stream or the time ended before the handshake did."""
        refused = self._opening.finish()
        if refused is not None:
            self._inbox.put(refused)
        self._settle(timer=timer)
        self._end(TransportAction.CLOSE if timer is None else TransportAction.ABORT)

    def _fail_handshake(self, violation: Violation) -> None:
        """A server refuses with a status, a client leaves without a word."""
        refusal = self._opening.refuse(violation)
        self._broken = violation
        self._settle()
        if refusal:
            self._outbox.put_head(refusal)
            self._step(Step.FAILED)
        else:
            self._end(TransportAction.CLOSE)

    def _open(self, opened: Opened) -> None:
        """Both sides agreed: frames flow from here, beginning with what came behind the head."""
        self._step(Step.OPENED)
        codec = self._opening.take_codec()
        if codec is not None:
            self._receiver.use(codec)
            self._sender.use(codec)
        self._inbox.put(opened)
        self._watch.note_opened(self._now)
        self._receiver.feed(self._opening.take_rest())
        self._parse()

    def _take_over(
        self, request: Request, response: Response, subprotocol: str | None, extensions: str
    ) -> None:
        """Open without a handshake."""
        agreement = NOTHING
        if not isinstance(extensions, str):
            raise TypeError(f"extensions must be str, not {type(extensions).__name__}")
        if extensions:
            config, field = self._config, extensions.encode("ascii", "replace")
            read = agree(config.extensions, field, self._role, config.limits)
            if isinstance(read, Violation):
                raise LocalProtocolError(f"not an extension that config has: {extensions[:32]!r}")
            agreement = read
        self._open(self._opening.skip(request, response, subprotocol, agreement))

    # Frames and messages.

    def _parse(self) -> None:
        """Parse until the data is used up, the inbox is full, or no more frames are wanted."""
        self._held_back = False
        while self._state is _OPEN or self._state is _LOCAL_CLOSING:
            arrival = self._receiver.advance()
            if arrival is Arrival.CONTROL:
                self._receive_control(self._receiver.opcode, self._receiver.payload)
            elif arrival is Arrival.FAILED:
                assert self._receiver.violation is not None
                self._fail(self._receiver.violation)
            elif arrival is Arrival.PAUSED:
                self._held_back = self._watch.keepalive.was_paused = True
                break
            else:
                if self._eof:
                    self._input_ended()
                break
        if self._receiver.data_arrived:
            self._receiver.data_arrived = False
            self._watch.note_data(self._now)

    def _receive_control(self, opcode: Opcode, payload: bytes) -> None:
        """Act on a control frame (RFC 6455 section 5.5)."""
        if opcode is Opcode.CLOSE:
            self._receive_close(payload)
        elif opcode is Opcode.PONG:
            self._receive_pong(payload)
        elif not self._budget.spend(self._now):
            self._fail(Violation.CONTROL_FLOOD)
        else:
            self._stats.pings_received += 1
            if self._state is _OPEN:  # after our Close nothing may be sent
                self._outbox.put_pong(payload)
            if self._config.control_events:
                self._inbox.put(PingReceived(payload))

    def _receive_pong(self, payload: bytes) -> None:
        """Act on a pong; one that nobody asked for counts as flood (RFC 6455 section 5.5.3)."""
        self._stats.pongs_received += 1
        ping = self._watch.receive_pong(payload, self._now)
        if ping is None and not self._budget.spend(self._now):
            self._fail(Violation.CONTROL_FLOOD)
        elif self._config.control_events and (ping is None or not ping.automatic):
            self._inbox.put(PongReceived(payload))

    def _ping(self, payload: bytes | None, *, automatic: bool) -> Ping:
        """Queue a ping and expect its pong."""
        ping = self._sender.ping(payload, automatic=automatic)
        self._watch.keepalive.remember(ping)
        return ping

    def _check_not_closed(self) -> None:
        if self._ending.closed is not None:
            raise ConnectionClosed(self._ending.closed)

    def _check_can_send(self) -> None:
        """Raise unless a frame may be queued now."""
        self._check_open()
        self._check_room(self._outbox.buffered)

    def _check_open(self) -> None:
        """Raise unless frames may leave in this state."""
        self._check_not_closed()
        if self._state is _CONNECTING:
            raise LocalProtocolError("the opening handshake is not complete")
        if self._state is _LOCAL_CLOSING:
            raise LocalProtocolError("nothing may be sent after our Close")  # 5.5.1

    def _check_room(self, waiting: int) -> None:
        if waiting > self._outbox.limit:
            raise WriteBufferFull(f"{waiting} bytes wait for the peer already")

    # The close handshake and every other end.

    def _receive_close(self, payload: bytes) -> None:
        """The peer's Close (RFC 6455 section 5.5.1): answer it in its place, or be done."""
        status = read_close(payload, self._config.close_codes)
        if isinstance(status, Violation):
            self._fail(status)
            return
        self._ending.note_received(status)
        self._receiver.release()
        self._watch.begin_end()
        self._inbox.put(CloseReceived(code_of(status), status.reason))
        self._step(Step.CLOSE_RECEIVED)
        if self._state is _DRAINING:
            self._settle()
        elif not self._messages_wait():
            self._answer()

    def _send_close(self, status: CloseStatus) -> None:
        """Queue our Close: the last thing that leaves."""
        self._sender.close(status)
        self._ending.note_sent(status)
        self._watch.begin_end()
        self._watch.restart_close()  # a second for the answer, or none yet, becomes the whole timeout
        self._step(Step.CLOSE_SENT)
        if self._state is _DRAINING:
            self._settle()

    def _fail(self, violation: Violation) -> None:
        """Fail the WebSocket connection: the peer broke a rule (RFC 6455 section 7.1.7)."""
        self._broken = violation
        self._receiver.release()
        if self._state is _OPEN:
            self._watch.begin_end()
            self._step(Step.BROKEN)
            if not self._messages_wait():
                self._answer()
        else:  # our Close was sent before
            if not self._half_close:
                self._watch.restart_close()  # for the shorter time that a failure lingers then
            self._settle()
            self._step(Step.FAILED)

    def _messages_wait(self) -> bool:
        """Tell whether the application has messages to take, or to reply to, before the end."""
        return self._in_hand or self._inbox.messages > 0

    def _answer(self) -> None:
        """In REMOTE_CLOSING: send the Close that the peer's Close, or its fault, has made due."""
        if self._broken is None:
            self._send_close(self._ending.answer())
            return
        assert self._broken.close_code is not None
        self._send_close(CloseStatus(self._broken.close_code, self._broken.sentence))

    def _input_ended(self) -> None:
        """The stream ended before the peer's Close: the connection is lost."""
        self._settle()
        self._end(TransportAction.CLOSE)

    def _parse_the_rest(self) -> None:
        """The end is near: look at what was held back, whatever waits before it."""
        if self._held_back:
            self._receiver.finishing = True
            self._parse()

    def _lose(self) -> None:
        """Nothing can be sent any more: what waits is dropped, and what was held back is looked at now."""
        self._parse_the_rest()
        if self._state is _DRAINING or self._state is _REMOTE_CLOSING:
            self._settle()
            self._end(TransportAction.CLOSE)
        self._sender.clear()

    def _settle(self, *, timer: Timer | None = None) -> None:
        """The outcome is known: queue the one `Closed`, the last event."""
        closed = self._ending.settle(self._broken, timer, self._receiver.dropped)
        if closed is not None:
            self._inbox.put(closed)
            self._watch.begin_end()

    def _end(self, action: TransportAction) -> None:
        """Nothing will be sent or received any more."""
        self._step(Step.ENDED)
        self._action = TransportAction.ABORT if self._outbox.given else action
        self._watch.stop()
        self._sender.clear()
        self._receiver.release()

    def _check_drained(self) -> None:
        """In DRAINING: close TCP when all has left and the peer has ended, or need not be waited for."""
        if self._state is not _DRAINING or not self._outbox.idle:
            return
        need_not_wait = self._role is Role.SERVER and self._ending.clean and not self._half_close
        if self._eof or need_not_wait:
            self._end(TransportAction.CLOSE)

    def _step(self, step: Step) -> None:
        """Move the state; the table says where to."""
        self._state = TRANSITIONS[self._state, step]

    # Time.

    def _tick(self, now: float) -> None:
        """Move the clock forward; it never goes back."""
        if now > self._now:
            self._now = now

    def _later(self, now: float) -> float:
        """Return where `_tick` would move the clock; for commands that may still be refused."""
        return max(self._now, now)

    def _arm_close(self) -> None:
        """Give what is left of the end its deadline; only calls that know the time come here."""
        if self._state is _OPEN or self._state is _CONNECTING:
            return  # it has not begun
        self._watch.note_ending(self._now, state=self._state, half_close_missing=self._half_close_missing())

    def _half_close_missing(self) -> bool:
        """Tell whether a refusal or failure lingers on a transport that cannot send FIN."""
        return not self._half_close and self._state is _DRAINING and not self._ending.clean

    def _fire(self, timer: Timer) -> None:
        """Carry out the verdict on a timer that fired."""
        verdict = self._watch.judge(
            timer,
            self._now,
            state=self._state,
            paused=not self.wants_read,
            given=self._outbox.given,
            idle=self._outbox.idle,
        )
        match verdict:
            case Verdict.WAIT:
                pass
            case Verdict.PING:
                self._ping(None, automatic=True)
            case Verdict.GO_AWAY:
                self._ending.cause = timer
                self._send_close(CloseStatus(CloseCode.GOING_AWAY.value, _REASONS[timer]))
            case Verdict.ANSWER_CLOSE:
                self._answer()
            case Verdict.HANG_UP:
                self._end(TransportAction.CLOSE)
            case Verdict.GIVE_UP:
                self._give_up(timer)
            case _:
                assert_never(verdict)

    def _give_up(self, timer: Timer) -> None:
        """Time is up: the connection is lost; what has arrived is not."""
        if self._state is _CONNECTING:
            self._handshake_ended(timer)
            return
        self._parse_the_rest()
        if self._state is _CLOSED:
            return  # the end of the stream was among the rest
        if self._state is _DRAINING and self._ending.clean and self._outbox.idle:
            self._end(TransportAction.CLOSE)  # the peer's Close was: nothing is lost any more
            return
        self._settle(timer=timer)
        self._end(TransportAction.ABORT)


def _check_types(role: object, config: object) -> None:
    if not isinstance(role, Role) or not isinstance(config, Config):
        raise TypeError("expected a Role and a Config")


def _check_address(address: object) -> Address:
    """Return address, parsed if it is a URL."""
    if isinstance(address, Address):
        return address
    if isinstance(address, str):
        return parse_url(address)
    raise TypeError(f"expected a URL or an Address, not {type(address).__name__}")


def _check_control(payload: bytes) -> None:
    """Raise unless payload may stand in a control frame (RFC 6455 section 5.5)."""
    if not isinstance(payload, bytes):
        raise TypeError(f"a control payload must be bytes, not {type(payload).__name__}")
    if len(payload) > _CONTROL_LIMIT:
        raise LocalProtocolError(f"a control payload has at most 125 bytes, not {len(payload)}")
