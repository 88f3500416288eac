"""Tools to test what is built on the core: no socket, no thread, no waiting.

- `Pair`: a client and a server joined back to back on one virtual clock. Bytes travel when you say so,
  time passes when you say so, and the events of both sides are kept in lists.
- `drain`: takes every output of one connection.
- `cuttings`: one stream, cut in every way that has broken a parser before; `feed`: a connection that must
  give the same whichever way it was cut.
- `repeatable_entropy`: a source of "random" bytes that gives the same ones in every run.

::

    >>> pair = Pair()
    >>> pair.open()
    >>> pair.client.send_text("hello")
    >>> pair.exchange()
    >>> pair.server_events[-1]
    'hello'
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ._codes import Role
from ._config import Config
from ._connection import Connection
from ._events import Event, RequestReceived
from ._handshake import HeadersLike
from ._lifecycle import TransportAction

_ROUNDS = 10_000  # more than any exchange takes; a loop beyond it is a bug


def repeatable_entropy(seed: bytes = b"\x37\xfa\x21\x3d") -> Callable[[int], bytes]:
    """Return a source that gives seed over and over, cut to the sizes asked for.

    The default is the masking key of the examples in RFC 6455 section 5.7.
    """
    position = 0

    def take(size: int) -> bytes:
        nonlocal position
        taken = bytes(seed[(position + index) % len(seed)] for index in range(size))
        position += size
        return taken

    return take


@dataclass(slots=True)
class Output:
    """What `drain` took from a connection.

    Attributes:
        events: in order.
        sent: all bytes for the wire, joined.
        action: the level of `Connection.transport_action` at the end.
    """

    events: list[Event] = field(default_factory=list)
    sent: bytes = b""
    action: TransportAction = TransportAction.KEEP


def drain(connection: Connection, now: float) -> Output:
    """Take every event and every byte that connection has to give; the bytes count as gone."""
    output = Output()
    progress = True
    while progress:
        progress = False
        while (event := connection.next_event()) is not None:
            output.events.append(event)
            progress = True
        while pieces := connection.data_to_send(now):
            output.sent += b"".join(pieces)
            progress = True
    output.action = connection.transport_action()
    return output


def cuttings(data: bytes, *, seed: int = 0, count: int = 3) -> Iterator[list[bytes]]:
    """Cut data whole, byte by byte, and count times at random places.

    Args:
        data: the stream.
        seed: of the random cuts; the same seed gives the same cuts.
        count: how many random cuttings to give.
    """
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    chooser = random.Random(seed)
    for _ in range(count):
        places = sorted(chooser.sample(range(len(data) + 1), min(len(data), chooser.randint(1, 12))))
        yield [
            data[start:end]
            for start, end in zip([0, *places], [*places, len(data)], strict=True)
            if start < end
        ]


def feed(
    make: Callable[[], Connection], data: bytes, now: float = 0.0, *, seed: int = 0, count: int = 3
) -> Output:
    """Feed data to fresh connections, each time cut another way, and return what all of them gave.

    Args:
        make: makes a connection in the state to start from, always the same one.
        data: what the peer sends.
        now: the time.
        seed, count: of the random cuts; see `cuttings`.

    Raises:
        AssertionError: one way to cut data gave something else than data as a whole.
    """
    outputs: list[Output] = []
    for pieces in cuttings(data, seed=seed, count=count):
        connection = make()
        for piece in pieces:
            connection.receive_data(piece, now)
        outputs.append(drain(connection, now))
        if outputs[-1] != outputs[0]:
            sizes = [len(piece) for piece in pieces]
            raise AssertionError(f"cut into {sizes}, data gave {outputs[-1]}, not {outputs[0]}")
    return outputs[0]


class Pair:
    """A client and a server joined back to back.

    Args:
        client: the client's Config.
        server: the server's Config.
        accept: answers the request by itself, with the first subprotocol offered; False: call
            ``pair.server.accept`` or ``respond`` in the test.

    Attributes:
        now: the virtual clock, in seconds.
        client, server: the two connections.
        client_events, server_events: what came out of them so far.
        client_wire, server_wire: every byte that each has sent.
    """

    def __init__(
        self, client: Config | None = None, server: Config | None = None, *, accept: bool = True
    ) -> None:
        self.now = 0.0
        self._accept = accept
        self.client = Connection(Role.CLIENT, client, now=0.0, entropy=repeatable_entropy())
        self.server = Connection(Role.SERVER, server, now=0.0, entropy=repeatable_entropy())
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []
        self.client_wire = b""
        self.server_wire = b""

    def open(
        self,
        url: str = "ws://localhost/",
        *,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
    ) -> None:
        """Send the request and exchange until nothing moves."""
        self.client.send_request(url, headers=headers, subprotocols=subprotocols, now=self.now)
        self.exchange()

    def exchange(self) -> None:
        """Carry bytes both ways, and do what the levels ask for, until nothing moves."""
        for _ in range(_ROUNDS):
            moved = self._carry(self.client, self.server, self.client_events, from_client=True)
            if not self._carry(self.server, self.client, self.server_events, from_client=False) and not moved:
                return
        raise AssertionError("the two sides never came to rest")

    def _carry(
        self, source: Connection, target: Connection, events: list[Event], *, from_client: bool
    ) -> bool:
        """Move what source has to give; tell whether anything moved."""
        output = drain(source, self.now)
        events.extend(output.events)
        if from_client:
            self.client_wire += output.sent
        else:
            self.server_wire += output.sent
        if self._accept:
            self._answer(source, output.events)
        if output.sent:
            target.receive_data(output.sent, self.now)
        ends = output.action is not TransportAction.KEEP and target.wants_read
        if ends:
            target.receive_eof(self.now)
        return bool(output.events or output.sent or ends)

    def _answer(self, source: Connection, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, RequestReceived) and event.request.is_upgrade:
                offered = event.request.subprotocols
                source.accept(subprotocol=offered[0] if offered else None, now=self.now)

    def advance(self, seconds: float) -> None:
        """Let time pass, deadline by deadline, and exchange after each."""
        end = self.now + seconds
        while True:
            deadlines = [
                d for d in (self.client.next_deadline(), self.server.next_deadline()) if d is not None
            ]
            due = min(deadlines, default=end)
            if due > end:
                break
            self.now = max(self.now, due)
            self._handle_deadlines()
            if due == end:
                break
        self.now = end
        self._handle_deadlines()

    def _handle_deadlines(self) -> None:
        self.client.handle_deadline(self.now)
        self.server.handle_deadline(self.now)
        self.exchange()
