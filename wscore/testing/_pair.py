"""Two connections back to back."""

from collections.abc import Sequence

from wscore import Config, Connection, Event, HeadersLike, RequestReceived, Role, TransportAction

from ._drain import drain, repeatable_entropy

_ROUNDS = 10_000  # more than any exchange takes; a loop beyond it is a bug


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
