"""What a backend does for one connection, without a socket: the contract of the core, obeyed to the letter.

After every input: take the events; ask for bytes, but only when all that was given before has left these
hands; do what the level of the transport asks for, once. Bytes that the link does not accept stay in hand,
and moving them is progress. While the connection does not want to read nothing is delivered to it.

A socket that was closed answers with a reset: at once if it had not read everything, later to whatever still
arrives. That destroys what is in flight, as it does in the kernel; a core that closes too early is seen to.
"""

from collections.abc import Callable
from typing import Final, assert_never, final

from wscore import Connection, Event, TransportAction

from ._clock import Clock
from ._link import Link, Mark

_ROUNDS: Final = 100_000  # more than any exchange takes; a loop beyond it is a bug


@final
class Driver:
    """One connection, the link that it sends into and the link that it receives from.

    Attributes:
        connection: what is driven.
        events: all that came out of it.
        wire: all bytes that it has sent.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        *,
        outgoing: Link,
        incoming: Link,
        react: Callable[[Event], None],
    ) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self.wire = bytearray()
        self._clock = clock
        self._outgoing = outgoing
        self._incoming = incoming
        self._react = react
        self._in_hand = memoryview(b"")
        self._acted: TransportAction | None = None  # the level that was acted on
        self._closed = False

    def pump(self) -> bool:
        """Drain the connection; tell whether it gave anything."""
        moved = self._take_events()
        moved |= self._write()
        return self._act() or moved

    def deliver(self) -> bool:
        """Give the connection what has arrived, piece by piece; tell whether anything had."""
        moved = False
        while (arrived := self._incoming.receive(reading=self._reading)) is not None:
            self._receive(arrived)
            self.pump()
            moved = True
        return moved

    def handle_deadline(self) -> None:
        """Let the timers fire that are due."""
        self.connection.handle_deadline(self._clock.now)

    def next_arrival(self) -> float | None:
        """Return when `deliver` will have something; None: no time changes anything."""
        return self._incoming.next_due(reading=self._reading)

    def next_due(self) -> float | None:
        """Return the next arrival or deadline."""
        return earliest(self.next_arrival(), self.connection.next_deadline())

    @property
    def _reading(self) -> bool:
        """A closed socket takes everything, to no use."""
        return self._closed or self.connection.wants_read

    def _take_events(self) -> bool:
        moved = False
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            self._react(event)
            moved = True
        return moved

    def _write(self) -> bool:
        """Move bytes out of these hands, then ask for more, until the link or the connection has enough."""
        moved = self._move()
        while not self._in_hand:
            data = b"".join(self.connection.data_to_send(self._clock.now))
            if not data:
                break
            self.wire += data
            self._in_hand = memoryview(data)
            self._move()
            moved = True
        return moved

    def _move(self) -> bool:
        """Offer to the link what is in hand; a remainder that shrinks is progress."""
        sent = self._outgoing.send(self._in_hand)
        self._in_hand = self._in_hand[sent:]
        if sent and self._in_hand:
            self.connection.handle_progress(self._clock.now)
        return sent > 0

    def _act(self) -> bool:
        """Do with the transport what the level says, once for each level."""
        action = self.connection.transport_action()
        if self._closed or action is self._acted or (self._in_hand and action is not TransportAction.ABORT):
            return False
        self._acted = action
        match action:
            case TransportAction.KEEP:
                return False
            case TransportAction.SHUTDOWN_WRITE:
                self._outgoing.end()
            case TransportAction.CLOSE:
                self._close(unread=isinstance(self._incoming.receive(), bytes))
            case TransportAction.ABORT:
                self._close(unread=True)
            case _:
                assert_never(action)
        return True

    def _close(self, *, unread: bool) -> None:
        self._closed = True
        self._in_hand = memoryview(b"")
        if unread:
            self._outgoing.reset()
        else:
            self._outgoing.end()

    def _receive(self, arrived: bytes | Mark) -> None:
        """Act on what has arrived."""
        now = self._clock.now
        if isinstance(arrived, bytes):
            if self._closed:
                self._outgoing.reset()
            else:
                self.connection.receive_data(arrived, now)
        elif not self._closed:
            self.connection.receive_eof(now)
            if arrived is Mark.RESET:
                self._in_hand = memoryview(b"")
                self._outgoing.reset()  # nothing that was sent will be read
                self.connection.receive_eof(now)  # the second one says so


def earliest(*moments: float | None) -> float | None:
    """Return the first moment that will come; None: none will."""
    return min((moment for moment in moments if moment is not None), default=None)


def until_rest(step: Callable[[], bool]) -> None:
    """Call step until it says that nothing moved.

    Raises:
        AssertionError: that never happens.
    """
    for _ in range(_ROUNDS):
        if not step():
            return
    raise AssertionError("the two sides never came to rest")


def settle(clock: Clock, next_arrival: Callable[[], float | None], timeout: float) -> None:
    """Let time pass, from arrival to arrival, until nothing is on its way that will arrive.

    Raises:
        AssertionError: that takes longer than timeout.
    """
    end = clock.now + timeout
    clock.run()
    while (due := next_arrival()) is not None:
        if not clock.step(min(due, end)):
            raise AssertionError(f"after {timeout} s there are still bytes on their way")
