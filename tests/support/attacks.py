"""What a peer that means harm can send: the rule that it broke, and the work that it made."""

from collections.abc import Callable
from typing import Final

from wscore import Connection, Event, Limits, Violation
from wscore.testing import drain

from .measure import calls
from .wire import the_end

LIMITLESS: Final = Limits(
    max_message_size=None, max_fragments=None, max_empty_fragments=None, max_control_rate=None
)


def failed_with(connection: Connection, data: bytes) -> Violation | None:
    """Feed data in one segment, and return the rule that it broke so far."""
    connection.receive_data(data, 0.0)
    closed = connection.closed
    if closed is None:
        drain(connection, 0.0)
        connection.receive_eof(0.0)
        closed = the_end(drain(connection, 0.0).events)
    return closed.violation


def received(connection: Connection, *segments: bytes) -> list[Event]:
    """Feed segments and return every event up to now."""
    events: list[Event] = []
    for segment in segments:
        connection.receive_data(segment, 0.0)
        events += drain(connection, 0.0).events
    return events


def broken(connection: Connection, *segments: bytes) -> Violation | None:
    """Feed segments and the end, and return the rule that was broken."""
    events = received(connection, *segments)
    connection.receive_eof(0.0)
    return the_end([*events, *drain(connection, 0.0).events]).violation


def linear(work: Callable[[int], Callable[[], object]], size: int) -> None:
    """Check that twice the size is about twice the work."""
    once, twice = calls(work(size)), calls(work(2 * size))
    assert once > 0
    assert twice / once <= 2.3, (once, twice)
