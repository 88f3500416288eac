"""The same bytes lead to the same events, output and state, however the network cut them.

Every stream of `support.streams` runs whole, byte by byte, in random cuttings, and, when it is short, with
one cut at every place. The application answers each message, so that the order of replies counts, too.
"""

from collections.abc import Iterable

import pytest

from support.counters import counters
from support.streams import LIMITS, Stream, answer, first_cut, streams
from support.wire import connecting
from wscore import Config, Event, Opened, Role
from wscore.testing import cuttings

pytestmark = pytest.mark.exhaustive

STREAMS = streams()
SHORT = 300  # up to this size, every single cut is tried
RANDOM = 20

CONFIG = Config(limits=LIMITS, control_events=True)


def run(stream: Stream, chunks: Iterable[bytes]) -> list[object]:
    """Let the chunks arrive, with an application that accepts and answers, and tell all that was seen.

    Events are taken after each chunk as a backend would. Output is taken once, at the end: which of several
    pings are answered depends on when output leaves, and that is no business of the input.
    """
    connection = connecting(stream.role, CONFIG)
    events: list[Event] = []
    for chunk in chunks:
        connection.receive_data(chunk, 0.0)
        while (event := connection.next_event()) is not None:
            events.append(event)
            if not answer(connection, event):
                events.append("refused: it has ended")
    seen: list[object] = [connection.state, connection.closed, connection.wants_read]
    seen += [connection.request, connection.response, connection.subprotocol]
    sent = b""
    while pieces := connection.data_to_send(0.0):
        sent += b"".join(pieces)
    seen += [sent, connection.transport_action(), connection.next_deadline()]
    connection.receive_eof(1.0)
    while (event := connection.next_event()) is not None:
        events.append(event)
    while pieces := connection.data_to_send(1.0):
        sent += b"".join(pieces)
    # A connection that ends in the middle of a segment has received all of it, so this one count may differ.
    names = set(counters()) - {"wire_received"}
    seen += [(name, getattr(connection.stats, name)) for name in sorted(names)]
    return [events, *seen, sent, connection.state, connection.closed, connection.transport_action()]


def test_there_are_enough_streams_of_all_kinds() -> None:
    assert len({stream.name for stream in STREAMS}) == len(STREAMS) >= 180
    short = [stream for stream in STREAMS if len(stream.data) <= SHORT]
    assert len(short) >= 100
    opened = dict.fromkeys(Role, 0)
    for stream in STREAMS:
        events = run(stream, [stream.data])[0]
        assert isinstance(events, list)
        opened[stream.role] += any(isinstance(event, Opened) for event in events)
    assert min(opened.values()) >= 60


@pytest.mark.parametrize("stream", STREAMS, ids=[stream.name for stream in STREAMS])
def test_how_a_stream_is_cut_changes_nothing(stream: Stream) -> None:
    data = stream.data
    whole = run(stream, [data])
    for chunks in cuttings(data, seed=len(data), count=RANDOM):
        assert run(stream, chunks) == whole, [len(chunk) for chunk in chunks]
    if len(data) <= SHORT:
        for cut in range(first_cut(data), len(data)):
            assert run(stream, [data[:cut], data[cut:]]) == whole, cut


@pytest.mark.parametrize("stream", STREAMS[::7], ids=[stream.name for stream in STREAMS[::7]])
def test_the_same_inputs_give_the_same_outputs_twice(stream: Stream) -> None:
    assert run(stream, [stream.data]) == run(stream, [stream.data])
