"""One core under watch: what must hold whatever is called on it, in whatever order.

`Watched` passes calls on and checks, around each of them, what the core promises at any moment:

- nothing but the documented errors is raised, and a refused command leaves every level as it was;
- the state moves along `TRANSITIONS`, never back;
- there is exactly one `Closed`, it is the last event, and it is what `closed` says;
- what leaves are whole frames, and none behind our Close;
- once CLOSED there is nothing to send, to read or to wait for, and what to do with TCP does not change;
- the levels fit together, and a deadline that was handled is not due any more.

Besides, all calls that were not refused are kept in a journal. `replay` makes a second core repeat them: it
must give the same, so refused commands have changed nothing, not even the course of the entropy, and the same
inputs always have the same outputs.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from wscore import (
    Closed,
    Config,
    Connection,
    ConnectionClosed,
    Event,
    InvalidURL,
    LocalProtocolError,
    Ping,
    Role,
    State,
    TransportAction,
    WriteBufferFull,
)
from wscore._lifecycle import TRANSITIONS

from .counters import counters

SENDING: Final = frozenset(
    {"send_text", "send_bytes", "send_fragment", "send_prepared", "send_ping", "send_pong"}
)
_MAY_NOT_RAISE: Final = frozenset(
    {
        "data_to_send",
        "handle_deadline",
        "handle_progress",
        "next_event",
        "receive_data",
        "receive_eof",
        "resume",
        "suspend",
    }
)
_REFUSALS: Final = (LocalProtocolError, ConnectionClosed, InvalidURL)
_ENDED: Final = (State.DRAINING, State.CLOSED)
_UNCOUNTED: Final = 16 * 127 + 64 * 1024  # pongs and handshake heads do not make a sender wait


def _reachable() -> dict[State, frozenset[State]]:
    """Return where each state may lead, itself included."""
    reached = {state: {state} for state in State}
    for _ in State:
        for (start, _step), target in TRANSITIONS.items():
            for known in reached.values():
                if start in known:
                    known.add(target)
    return {state: frozenset(targets) for state, targets in reached.items()}


REACHABLE: Final = _reachable()


def levels(core: Connection) -> dict[str, object]:
    """Return everything that can be asked without changing anything."""
    found: dict[str, object] = {
        name: getattr(core, name)
        for name in (
            "state",
            "closed",
            "wants_read",
            "writable",
            "events_waiting",
            "buffered_amount",
            "latency",
            "request",
            "response",
            "subprotocol",
            "extensions",
        )
    }
    found["deadline"] = core.next_deadline()
    found["action"] = core.transport_action()
    found["stats"] = [getattr(core.stats, name) for name in counters()]
    return found


def seeded_entropy(seed: int) -> Callable[[int], bytes]:
    """Return a repeatable source without visible pattern."""
    return Random(seed).randbytes


class Watched:
    """A core and what was seen of it.

    Args:
        make: makes the core; called once more by `replay`, and must give the same then.
        config: the core's.

    Attributes:
        core: ask it for levels, but call inputs, commands and outputs through `call`.
        ended: its `Closed` was taken.
        suspended: it hands out no events.
        eof: it was told that the stream has ended.
        frames: how many it gave to the wire.
    """

    def __init__(self, make: Callable[[], Connection], config: Config) -> None:
        self._make = make
        self._config = config
        self._journal: list[tuple[str, tuple[Any, ...], dict[str, Any], object]] = []
        self._last_action: TransportAction | None = None
        self.core = make()
        self.ended = False
        self.suspended = False
        self.eof = False
        self.frames = 0
        self._close_left = False
        self._under_way = False
        self.check()

    def call(self, name: str, *args: Any, **named: Any) -> Any:
        """Call a method of the core; return what it returns, or the error with which it refused."""
        return self._call(name, args, named, _REFUSALS)

    def err(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a method with what may have a wrong type; otherwise as `call`."""
        return self._call(name, args, named, (*_REFUSALS, TypeError))

    def _call(
        self,
        name: str,
        args: tuple[Any, ...],
        named: dict[str, Any],
        refusals: tuple[type[Exception], ...],
    ) -> Any:
        before = None if name in _MAY_NOT_RAISE else levels(self.core)
        state = self.core.state
        try:
            result = getattr(self.core, name)(*args, **named)
        except refusals as error:
            self._check_refusal(name, error, before)
            return error
        self._journal.append((name, args, named, _plain(result)))
        assert self.core.state in REACHABLE[state], f"{name}: {state} became {self.core.state}"
        if name == "send_fragment":
            self._under_way = not args[1]
        if name in SENDING:
            assert state is State.OPEN or state is State.REMOTE_CLOSING, f"{name} succeeded in {state}"
        self.check()
        return result

    def _check_refusal(self, name: str, error: Exception, before: dict[str, object] | None) -> None:
        assert before is not None, f"{name} raised {error!r}"
        after = levels(self.core)
        changed = [key for key, value in after.items() if before[key] != value]
        assert not changed, f"{name} was refused and changed {changed}"
        if isinstance(error, ConnectionClosed):
            assert error.closed is self.core.closed is not None
        elif isinstance(error, WriteBufferFull):
            assert self.core.buffered_amount > self._config.limits.outbox_limit
        elif isinstance(error, InvalidURL):
            assert name == "send_request"

    # Inputs and outputs that leave a mark here.

    def receive(self, data: bytes, now: float) -> None:
        """Let bytes arrive."""
        self.call("receive_data", data, now)

    def end_input(self, now: float) -> None:
        """Let the stream end."""
        self.eof = True
        self.call("receive_eof", now)
        assert not self.core.wants_read

    def suspend(self, suspended: bool) -> None:
        """Stop handing out events, or go on."""
        self.suspended = suspended
        self.call("suspend" if suspended else "resume")

    def next_event(self) -> Event | None:
        """Take an event."""
        waiting = self.core.events_waiting
        event: Event | None = self.call("next_event")
        assert (event is not None) == (waiting > 0), f"{waiting} events waited, {event!r} came"
        if event is None:
            return None
        assert not self.ended, f"{event!r} came after Closed"
        if isinstance(event, Closed):
            assert event == self.core.closed
            self.ended = True
        return event

    def take_bytes(self, now: float) -> bytes:
        """Take what may leave; all that was taken before has left."""
        state = self.core.state
        sent_before = self.core.stats.wire_sent
        data = b"".join(self.call("data_to_send", now))
        assert self.core.stats.wire_sent - sent_before == len(data)
        if state is State.CLOSED:
            assert not data, "bytes came out of a closed connection"
        self._read_frames(data)
        if self._close_left and not data:
            assert self.core.buffered_amount == 0, "our Close has left, and something waits behind it"
        return data

    def _read_frames(self, data: bytes) -> None:
        """Whole frames come out, none behind our Close."""
        position = 0
        if data.startswith((b"GET ", b"HTTP/1.1 ")):
            upgrade = data.startswith((b"GET ", b"HTTP/1.1 101 "))
            position = data.index(b"\r\n\r\n") + 4 if upgrade else len(data)
        while position < len(data):
            assert not self._close_left, "a frame left behind our Close"
            self._close_left = data[position] == 0x88
            length = data[position + 1]
            start = position + 2 + (4 if length & 0x80 else 0)
            size = {126: 2, 127: 8}.get(length & 0x7F, 0)
            if size:
                position = start + size + int.from_bytes(data[position + 2 : position + 2 + size], "big")
            else:
                position = start + (length & 0x7F)
            self.frames += 1
        assert position == len(data), "a frame was cut"

    def handle_deadline(self, now: float) -> None:
        """Let time work."""
        due, before = self.core.next_deadline(), self.core.state
        waited = self.core.buffered_amount
        self.call("handle_deadline", now)
        later = self.core.next_deadline()
        assert later is None or later > now, f"the deadline {later} is still due at {now}"
        if due is None or due > now:
            assert self.core.state is before and self.core.buffered_amount == waited, "it was too early"

    # What holds at any moment.

    def check(self) -> None:
        """Check that the levels fit together."""
        core = self.core
        assert (core.closed is not None) == (core.state in _ENDED)
        assert core.buffered_amount >= 0
        if self.eof:
            assert not core.wants_read
        if self.suspended:
            assert core.events_waiting == 0
        elif not core.wants_read and not self.eof and core.state is not State.CLOSED:
            assert core.events_waiting > 0, "nothing can be taken, and yet it does not want to read"
        if not core.writable:
            assert core.state is not State.CLOSED
            assert core.buffered_amount > 0, "senders wait for nothing"
        elif core.state is not State.CLOSED and not self._under_way:  # behind one under way others are held
            assert core.buffered_amount <= self._config.limits.outbox_high + _UNCOUNTED
        self._check_action()

    def _check_action(self) -> None:
        core, action = self.core, self.core.transport_action()
        if core.state is State.CLOSED:
            assert core.buffered_amount == 0 and core.writable and not core.wants_read
            assert core.next_deadline() is None
            assert action in (TransportAction.CLOSE, TransportAction.ABORT)
            assert self._last_action in (None, action), "what to do with TCP changed after the end"
            self._last_action = action
        elif core.state is State.DRAINING:
            assert action in (TransportAction.KEEP, TransportAction.SHUTDOWN_WRITE)
            assert action is TransportAction.KEEP or core.buffered_amount == 0
        else:
            assert action is TransportAction.KEEP

    def replay(self) -> None:
        """Let a second core repeat all that was not refused, and compare."""
        twin = self._make()
        for name, args, named, expected in self._journal:
            result = _plain(getattr(twin, name)(*args, **named))
            assert result == expected, f"{name}{args} gave {result!r} the second time, not {expected!r}"
        assert levels(twin) == levels(self.core)


def _plain(result: object) -> object:
    """Return what can be compared of a result, and does not change later."""
    if isinstance(result, Ping):
        return result.payload
    if isinstance(result, list):
        return b"".join(result)
    return result


def make_core(
    role: Role, config: Config, *, now: float = 0.0, half_close: bool = True, seed: int = 0
) -> Connection:
    """Make a core whose entropy repeats."""
    return Connection(role, config, now=now, half_close=half_close, entropy=seeded_entropy(seed))
