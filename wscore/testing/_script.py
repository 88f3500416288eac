"""One real connection, and a peer that is a script.

Each call is one step: the peer sends something, or expects something, and what it expects must be the next
thing that came. Nothing is skipped: a frame, an event or an end that no step has named is still there for the
next one, which then fails and says what came instead. So a script reads as the conversation it describes.

The two sides are joined by links, as a `Pair` is; by default everything arrives at once and whole.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar, final, overload

from wscore import Config, Connection, Event, Opened, RequestReceived, Role

from ._clock import Clock
from ._driver import Driver, earliest, settle, until_rest
from ._frame import Frame, frame_words, read_frame, same_frame
from ._head import Head, read_head, write_request, write_response
from ._link import Link, Mark
from ._pair import connection_for
from ._words import connection_words, event_words, payload_words

_HEADS: Final = (b"HTTP/1.1 ", b"GET /")  # no frame of our connection can begin like this
_PATIENCE: Final = 600.0  # seconds of the virtual clock that bytes may travel

_E = TypeVar("_E", bound=Event)


@final
class ScriptedPeer:
    """The peer of one connection, played by a test.

    Args:
        role: of the real connection; the script plays the other one.
        connection: its Config, or the connection itself.
        clock: shared with others; by default a new one, which starts at 0.

    Attributes:
        clock: the time that both live in.
        connection: the real one; give it commands at any time.
        to_connection, from_connection: the two directions; change their settings at any time.
        events: all that came out of the connection, expected or not.

    Raises:
        ValueError: a connection that has the other role.

    ::

        >>> peer = ScriptedPeer(Role.SERVER)
        >>> peer.open()
        >>> peer.send(Frame.text("hel", final=False), Frame.ping(b"?"), Frame.continuation("lo"))
        >>> peer.expect(Frame.pong(b"?"))
        >>> peer.expect_event("hello")
        'hello'
    """

    def __init__(
        self,
        role: Role = Role.SERVER,
        connection: Config | Connection | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.clock = Clock() if clock is None else clock
        self.connection = connection_for(role, connection, self.clock)
        self.to_connection, self.from_connection = Link(capacity=None), Link()
        self.to_connection.attach(self.clock)
        self.from_connection.attach(self.clock)
        self._role = Role.CLIENT if role is Role.SERVER else Role.SERVER
        self._driver = Driver(
            self.connection,
            self.clock,
            outgoing=self.from_connection,
            incoming=self.to_connection,
            react=lambda event: None,
        )
        self.events: list[Event] = self._driver.events
        self._expected_events = 0
        self._came = b""
        self._mark: Mark | None = None
        self._key = ""
        self.clock.attach(self)

    # The script speaks.

    def send(self, *items: Frame | bytes) -> None:
        """Send frames and raw bytes, all at once.

        Raises:
            AssertionError: you have set a capacity, and they do not fit.
        """
        data = b"".join(item if isinstance(item, bytes) else item.encode(self._role) for item in items)
        sent = self.to_connection.send(memoryview(data))
        if sent < len(data):
            raise AssertionError(f"only {sent} of {len(data)} bytes fit into the capacity of the link")
        self._settle()

    def send_request(self, target: str = "/", *, headers: Mapping[str, str | None] | None = None) -> None:
        """Send an upgrade request.

        Args:
            target: what to ask for.
            headers: more fields, or other values for those that it has; None leaves one out.
        """
        self.send(write_request(target, headers or {}))

    def send_response(
        self, status: int = 101, *, headers: Mapping[str, str | None] | None = None, body: bytes = b""
    ) -> None:
        """Answer the request that `expect_head` gave last.

        Args:
            status: 101 has all that it needs.
            headers: more fields, or other values for those that it has; None leaves one out.
            body: what follows the head.
        """
        self.send(write_response(status, self._key, headers or {}, body))

    def eof(self) -> None:
        """End our direction of the stream in good order."""
        self.to_connection.end()
        self._settle()

    def reset(self) -> None:
        """Let the connection be lost."""
        self.to_connection.reset()
        self._settle()

    def wait(self, seconds: float) -> None:
        """Let time pass; timers fire at their moments.

        Raises:
            ValueError: seconds is not a number of at least 0.
        """
        self.clock.advance(seconds)

    def open(
        self,
        url: str = "ws://localhost/",
        *,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str | None] | None = None,
    ) -> None:
        """Do the whole opening handshake; the events that belong to it count as expected.

        Args:
            url: what a client is told to connect to; of no use to a server.
            subprotocols: what the client offers; the first of them is agreed on.
            headers: of the peer's head, be it request or response; None leaves one out.

        Raises:
            AssertionError: the connection did not open.
        """
        offered = ", ".join(subprotocols) or None
        first = subprotocols[0] if subprotocols else None
        fields = {
            "Sec-WebSocket-Protocol": offered if self._role is Role.CLIENT else first,
            **(headers or {}),
        }
        if self._role is Role.CLIENT:
            self.send_request(headers=fields)
            self.expect_event(RequestReceived)
            self.connection.accept(subprotocol=first, now=self.clock.now)
            self.expect_head()
        else:
            self.connection.send_request(url, subprotocols=subprotocols, now=self.clock.now)
            self.expect_head()
            self.send_response(headers=fields)
        self.expect_event(Opened)

    # The script expects.

    def expect(self, *frames: Frame) -> None:
        """Expect these frames next; of the masking key, any will do.

        Raises:
            AssertionError: something else came, or nothing.
        """
        for frame in frames:
            wanted = frame_words(frame, self.connection.role)
            came, size = self._read_frame(wanted)
            if not same_frame(frame, came, self.connection.role):
                raise self._failure(wanted, frame_words(came, self.connection.role))
            self._came = self._came[size:]

    def next_frame(self) -> Frame:
        """Return the next frame, whatever it is.

        Raises:
            AssertionError: none came.
        """
        frame, size = self._read_frame("a frame")
        self._came = self._came[size:]
        return frame

    def expect_head(self) -> Head:
        """Expect a whole HTTP head next, and return it.

        Raises:
            AssertionError: something else came, or nothing.
        """
        self._settle()
        read = read_head(self._came)
        if read is None:
            raise self._failure("an HTTP head", self._rest_words())
        head, size = read
        self._came = self._came[size:]
        self._key = head.headers.get("Sec-WebSocket-Key", self._key)
        return head

    def expect_bytes(self, data: bytes) -> None:
        """Expect these bytes next: the body of a refusal, say.

        Raises:
            AssertionError: something else came, or nothing.
        """
        self._settle()
        if not self._came.startswith(data):
            raise self._failure(f"the bytes {payload_words(data)}", self._rest_words())
        self._came = self._came[len(data) :]

    def expect_nothing(self) -> None:
        """Expect that nothing more has come, neither bytes nor the end.

        Raises:
            AssertionError: something came.
        """
        self._settle()
        if self._came or self._mark is not None:
            raise self._failure("nothing", self._rest_words())

    def expect_eof(self) -> None:
        """Expect the end of the stream, in good order, behind all that was expected before.

        Raises:
            AssertionError: something else came, or nothing.
        """
        self._expect_mark(Mark.END, "the end of the stream")

    def expect_reset(self) -> None:
        """Expect that the connection was aborted.

        Raises:
            AssertionError: something else came, or nothing.
        """
        self._expect_mark(Mark.RESET, "a reset")

    @overload
    def expect_event(self, expected: type[_E]) -> _E: ...
    @overload
    def expect_event(self, expected: _E) -> _E: ...
    def expect_event(self, expected: _E | type[_E]) -> Event:
        """Expect this event next, or one of this class, and return it.

        Raises:
            AssertionError: the connection gave another one, or none.
        """
        self._settle()
        if isinstance(expected, type):
            wanted = f"an event {expected.__name__}"
        else:
            wanted = event_words(expected)
        if self._expected_events == len(self.events):
            raise self._failure(wanted, "no event")
        event = self.events[self._expected_events]
        if not (isinstance(event, expected) if isinstance(expected, type) else _same_event(event, expected)):
            raise self._failure(wanted, event_words(event))
        self._expected_events += 1
        return event

    def expect_no_event(self) -> None:
        """Expect that every event was expected.

        Raises:
            AssertionError: there are more.
        """
        self._settle()
        if self._expected_events < len(self.events):
            raise self._failure("no event", event_words(self.events[self._expected_events]))

    # What a Clock asks for.

    def next_due(self) -> float | None:
        """Return when the next bytes arrive or the next timer fires; None: no time changes anything."""
        return earliest(self._driver.next_due(), self.from_connection.next_due())

    def run(self) -> None:
        """Do what is due now: bytes first, then timers."""
        until_rest(self._round)
        self._driver.handle_deadline()
        until_rest(self._round)

    def _round(self) -> bool:
        moved = self._driver.pump()
        moved |= self._driver.deliver()
        return self._take() or moved

    def _take(self) -> bool:
        """Take what has arrived at the script."""
        moved = False
        while (arrived := self.from_connection.receive()) is not None:
            moved = True
            if isinstance(arrived, bytes):
                self._came += arrived
            else:
                self._mark = arrived
        return moved

    def _settle(self) -> None:
        settle(self.clock, self._next_arrival, _PATIENCE)

    def _next_arrival(self) -> float | None:
        return earliest(self._driver.next_arrival(), self.from_connection.next_due())

    def _read_frame(self, wanted: str) -> tuple[Frame, int]:
        """Return the frame that came next and its size on the wire."""
        self._settle()
        read = None if self._came.startswith(_HEADS) else read_frame(self._came)
        if read is None:
            raise self._failure(wanted, self._rest_words())
        return read

    def _expect_mark(self, mark: Mark, wanted: str) -> None:
        self._settle()
        if self._came or self._mark is not mark:
            raise self._failure(wanted, self._rest_words())

    def _rest_words(self) -> str:
        """Describe what came and was not expected yet."""
        if self._came.startswith(_HEADS):
            line = self._came.partition(b"\r\n")[0]
            return f"the head {payload_words(line.decode('latin-1'))}"
        if not self._came:
            return {None: "nothing", Mark.END: "the end of the stream", Mark.RESET: "a reset"}[self._mark]
        read = read_frame(self._came)
        if read is None:
            return f"a part of a frame, {payload_words(self._came)},"
        return frame_words(read[0], self.connection.role)

    def _failure(self, wanted: str, came: str) -> AssertionError:
        """Say what was expected, what came, and where the connection stands."""
        return AssertionError(f"expected {wanted}, but {came} came; {connection_words(self.connection)}")


def _same_event(event: Event, expected: Event) -> bool:
    """Tell whether two events are the same; a text is never the same as bytes."""
    return type(event) is type(expected) and event == expected
