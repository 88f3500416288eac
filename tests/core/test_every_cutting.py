"""The same bytes lead to the same events, output and state, however they were cut: with compression, and cut
in two places wherever that can be tried exhaustively.

`test_split_invariance` does this for handshakes and plain frames with one cut; here are the streams of
compressed messages, and, among the slow tests, every pair of cuts in every short stream.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations

import pytest

from support import compressed_streams
from support.deflated import deflating
from support.streams import LIMITS, Stream, answer, first_cut
from support.streams import streams as plain_streams
from support.wire import connecting
from wscore import Config, Connection, Deflate, Event
from wscore.testing import cuttings

COMPRESSED = compressed_streams.streams()
PLAIN = plain_streams()
SHORT = 300  # up to this size, cuts are tried exhaustively
WHOLE = Config(limits=LIMITS, control_events=True, compression=Deflate())
STREAMED = Config(limits=LIMITS, control_events=True, compression=Deflate(), stream=True)
PLAIN_CONFIG = Config(limits=LIMITS, control_events=True)

Make = Callable[[], Connection]


def run(make: Make, chunks: Iterable[bytes]) -> list[object]:
    """Let the chunks arrive, answer what can be answered, and tell all that was seen."""
    connection = make()
    events: list[Event] = []
    for chunk in chunks:
        connection.receive_data(chunk, 0.0)
        while (event := connection.next_event()) is not None:
            events.append(event)
            answer(connection, event)
    seen: list[object] = [connection.state, connection.closed, connection.wants_read, connection.extensions]
    sent = b"".join(connection.data_to_send(0.0))
    connection.receive_eof(1.0)
    while (event := connection.next_event()) is not None:
        events.append(event)
    while pieces := connection.data_to_send(1.0):
        sent += b"".join(pieces)
    return [events, *seen, sent, connection.state, connection.closed, connection.transport_action()]


def compressed(stream: Stream, config: Config = WHOLE) -> Make:
    """Return what makes the connection for a compressed stream."""
    return lambda: deflating(stream.role, config)


def plain(stream: Stream) -> Make:
    """Return what makes the connection for a stream that begins with a handshake."""
    return lambda: connecting(stream.role, PLAIN_CONFIG)


def texts(events: list[object]) -> list[object]:
    """Join the fragments of a streaming connection, which may differ, to what must not."""
    joined: list[object] = []
    for event in events:
        data = getattr(event, "data", None)
        if data is None:
            joined.append(event)
        elif joined and isinstance(joined[-1], list) and not joined[-1][1]:
            joined[-1] = [joined[-1][0] + data, event.final]  # type: ignore[attr-defined]
        else:
            joined.append([data, event.final])  # type: ignore[attr-defined]
    return joined


def two_cuts(data: bytes, begin: int) -> Iterator[list[bytes]]:
    """Cut data in two places, in every way, from begin on."""
    for first, second in combinations(range(begin, len(data)), 2):
        yield [data[:first], data[first:second], data[second:]]


def compare(make: Make, data: bytes, ways: Iterable[list[bytes]]) -> None:
    """Check that every way to cut data gives what data gives as a whole."""
    whole = run(make, [data])
    for chunks in ways:
        assert run(make, chunks) == whole, [len(chunk) for chunk in chunks]


def test_there_are_four_hundred_streams() -> None:
    everything = [*PLAIN, *COMPRESSED]
    assert len({stream.name for stream in everything}) == len(everything) >= 400
    assert len([stream for stream in everything if len(stream.data) <= SHORT]) >= 350


@pytest.mark.parametrize("stream", COMPRESSED, ids=[stream.name for stream in COMPRESSED])
def test_how_a_compressed_stream_is_cut_changes_nothing(stream: Stream) -> None:
    data = stream.data
    compare(compressed(stream), data, cuttings(data, seed=len(data), count=5))
    if len(data) <= 80:
        compare(compressed(stream), data, ([data[:cut], data[cut:]] for cut in range(1, len(data))))


@pytest.mark.parametrize("stream", COMPRESSED[::3], ids=[stream.name for stream in COMPRESSED[::3]])
def test_how_a_compressed_stream_is_cut_changes_only_the_parts_that_are_streamed(stream: Stream) -> None:
    make = compressed(stream, STREAMED)
    whole = run(make, [stream.data])
    assert isinstance(whole[0], list)
    for chunks in cuttings(stream.data, seed=len(stream.data), count=3):
        seen = run(make, chunks)
        assert isinstance(seen[0], list)
        assert texts(seen[0]) == texts(whole[0])
        assert seen[1:2] + seen[5:] == whole[1:2] + whole[5:]


@pytest.mark.slow
@pytest.mark.parametrize("stream", PLAIN, ids=[stream.name for stream in PLAIN])
def test_every_pair_of_cuts_changes_nothing(stream: Stream) -> None:
    data = stream.data
    if len(data) <= SHORT:
        compare(plain(stream), data, two_cuts(data, first_cut(data)))
    else:
        compare(plain(stream), data, cuttings(data, seed=1, count=400))


@pytest.mark.slow
@pytest.mark.parametrize("stream", COMPRESSED, ids=[stream.name for stream in COMPRESSED])
def test_every_pair_of_cuts_of_a_compressed_stream_changes_nothing(stream: Stream) -> None:
    data = stream.data
    if len(data) <= SHORT:
        compare(compressed(stream), data, two_cuts(data, 1))
    else:
        compare(compressed(stream), data, cuttings(data, seed=1, count=400))
