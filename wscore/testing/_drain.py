"""One connection: what it has to give, and the entropy that makes it repeatable."""

from collections.abc import Callable
from dataclasses import dataclass, field

from wscore import Connection, Event, TransportAction


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
