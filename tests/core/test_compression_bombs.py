"""T-C3: a few bytes that stand for many take no more memory and no more work than the limits allow."""

import random
import zlib
from collections.abc import Callable, Iterator

import pytest

from support.attacks import received
from support.deflated import TAIL, WatchedZlib, deflate, deflating, fragments, marked, whole_stream
from support.measure import KIB, MIB, memory, peak
from support.wire import BINARY, CLOSE, PING, TEXT, from_peer, status, the_end
from wscore import Closed, Config, Connection, Deflate, Event, Fragment, Limits, Role, State, Violation
from wscore._deflate import DeflateCodec
from wscore.testing import Pair, drain

ALONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
ROLE = Role.CLIENT  # nothing is masked then: a mask would need memory for the whole segment
SLACK = 256 * KIB
SIZES = [0, 1, 125, 126, 65535, 65536, MIB]
BOMB = deflate(bytes(32 * MIB), level=9)


def connection(
    limit: int | None = MIB,
    answer: str = "permessage-deflate",
    *,
    stream: bool = False,
    watched: WatchedZlib | None = None,
) -> Connection:
    """Return an open client that takes messages of limit bytes."""
    compression = Deflate() if watched is None else Deflate(zlib=watched)
    limits = Limits(max_message_size=limit, max_fragments=None)
    return deflating(ROLE, Config(compression=compression, limits=limits, stream=stream), answer)


def assert_too_big(events: list[Event]) -> None:
    """Check that a message was refused because of its size."""
    closed = the_end(events)
    assert closed.violation is Violation.MESSAGE_TOO_BIG
    assert closed.sent is not None and closed.sent.code == 1009


def test_the_bomb_has_the_greatest_ratio_there_is() -> None:
    assert 32 * MIB / len(BOMB) > 1020


def in_one_frame() -> list[bytes]:
    """All of it at once."""
    return [marked(ROLE, BOMB, opcode=BINARY)]


def in_fragments() -> list[bytes]:
    """In frames of a thousand bytes."""
    return fragments(ROLE, BOMB, 1000, opcode=BINARY)


def in_segments() -> list[bytes]:
    """In segments of a few bytes, at first."""
    wire = in_one_frame()[0]
    return [*(wire[at : at + 7] for at in range(0, 7000, 7)), wire[7000:]]


def in_streams() -> list[bytes]:
    """Each mebibyte is a stream of its own."""
    return [marked(ROLE, whole_stream(bytes(MIB // 2)) * 60 + b"\x00", opcode=BINARY)]


def behind_others() -> list[bytes]:
    """Messages first, into which the bomb refers."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    segments = []
    for size in (1000, 1000, 8 * MIB):
        payload = compressor.compress(bytes(size)) + compressor.flush(zlib.Z_SYNC_FLUSH)
        segments.append(marked(ROLE, payload.removesuffix(TAIL), opcode=BINARY))
    return segments


SHAPES = {
    make.__name__: make for make in (in_one_frame, in_fragments, in_segments, in_streams, behind_others)
}


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("limit", [0, 64 * KIB, MIB])
def test_a_bomb_takes_no_more_memory_than_the_limit_and_ends_the_connection(
    make: Callable[[], list[bytes]], limit: int
) -> None:
    segments = make()
    if limit < 1000 and make is behind_others:
        segments = segments[-1:]
    core = connection(limit)
    events: list[Event] = []

    def run() -> None:
        for segment in segments:
            core.receive_data(segment, 0.0)
            while (event := core.next_event()) is not None:
                events.append(event)

    assert peak(run) <= limit + SLACK
    core.data_to_send(0.0)
    assert_too_big([event for event in events if not isinstance(event, bytes)])


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
def test_no_more_is_inflated_than_the_limit_and_one_step(make: Callable[[], list[bytes]]) -> None:
    watched = WatchedZlib()
    core = connection(MIB, watched=watched)
    received(core, *make())
    assert watched.given <= MIB + 2000 + 1
    assert watched.longest <= 64 * KIB


@pytest.mark.parametrize("limit", [0, 1, 1000, 64 * KIB, MIB])
def test_the_work_is_bounded_by_the_limit(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    decode = DeflateCodec.decode

    def counted(self: DeflateCodec, data: bytes, room: int) -> bytes | Violation:
        nonlocal steps
        steps += 1
        return decode(self, data, room)

    monkeypatch.setattr(DeflateCodec, "decode", counted)
    assert_too_big(received(connection(limit), *in_one_frame()))
    assert steps <= limit / (32 * KIB) + 3
    steps = 0
    assert_too_big(received(connection(limit), *in_fragments()))
    # A fragment of 1,000 bytes stands for a mebibyte: no more fragments are looked at than it takes.
    assert steps <= limit / (32 * KIB) + 6


def test_many_connections_hold_no_more_than_their_contexts() -> None:
    limit, count = 64 * KIB, 40
    cores = [connection(limit) for _ in range(count)]
    wire = in_one_frame()[0][:5000]

    def run() -> None:
        for core in cores:
            core.receive_data(wire, 0.0)
            assert_too_big(list(iter(core.next_event, None)))

    assert peak(run) <= count * 48 * KIB + limit + SLACK  # they come one by one


def end(core: Connection, ending: str) -> None:
    """Use both contexts, and let the connection end."""
    core.send_text("x" * 1000)
    wire = marked(ROLE, deflate(b"words"))
    if ending == "a fault":
        received(core, wire + marked(ROLE, b"\x07"))
    elif ending == "a close":
        received(core, wire + from_peer(ROLE, CLOSE, status(1000)))
    else:
        received(core, wire)
        core.receive_eof(0.0)
    drain(core, 0.0)
    assert core.closed is not None


@pytest.mark.parametrize("ending", ["a fault", "a close", "a loss"])
def test_contexts_are_freed_when_the_stream_has_ended_whoever_holds_the_connection(ending: str) -> None:
    watched = WatchedZlib()
    core = connection(MIB, watched=watched)
    end(core, ending)
    core.receive_eof(0.0)
    drain(core, 0.0)
    assert core.state is State.CLOSED and watched.living == 0


@pytest.mark.parametrize("ending", ["a fault", "a close"])
def test_contexts_are_freed_when_nothing_more_will_be_sent_or_read(ending: str) -> None:
    watched = WatchedZlib()
    core = connection(MIB, watched=watched)
    end(core, ending)
    assert core.state is State.DRAINING and watched.living == 0


def test_messages_that_fit_do_not_fill_more_than_the_inbox_however_small_they_travel() -> None:
    core = connection(60 * KIB)
    wire = marked(ROLE, deflate(bytes(60 * KIB), level=9), opcode=BINARY) * 500  # 30 MiB in 40 KiB

    assert peak(lambda: core.receive_data(wire, 0.0)) <= 3 * 60 * KIB + SLACK
    assert not core.wants_read
    count = 0
    while (event := core.next_event()) is not None:
        assert event == bytes(60 * KIB)
        count += 1
    assert count == 500 and core.wants_read


# Exactly the limit.


def exact(size: int) -> Iterator[tuple[str, list[bytes], bytes]]:
    """Give messages of size bytes: compressible and not, in one frame, in many, in streams, byte by byte."""
    for kind, data in (("zeros", bytes(size)), ("noise", random.Random(size).randbytes(size))):
        for level in (0, 9):
            yield f"{kind}, level {level}", [marked(ROLE, deflate(data, level=level), opcode=BINARY)], data
        payload = deflate(data)
        yield f"{kind} in frames", fragments(ROLE, payload, max(100, size // 50), opcode=BINARY), data
        half = size // 2
        yield (
            f"{kind} in streams",
            [marked(ROLE, whole_stream(data[:half]) + whole_stream(data[half:]) + b"\x00", opcode=BINARY)],
            data,
        )
        yield f"{kind} and empty blocks", [marked(ROLE, payload + (TAIL + b"\x00") * 50, opcode=BINARY)], data
        if size <= 126:
            wire = marked(ROLE, payload, opcode=BINARY)
            yield f"{kind} byte by byte", [wire[at : at + 1] for at in range(len(wire))], data


@pytest.mark.parametrize("limit", SIZES)
@pytest.mark.parametrize("answer", ["permessage-deflate", ALONE], ids=["takeover", "alone"])
def test_a_message_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(limit: int, answer: str) -> None:
    for size in {max(0, limit - 1), limit, limit + 1}:
        for name, segments, data in exact(size):
            core = connection(limit, answer)
            events = received(core, *segments)
            if size <= limit:
                assert events == [data], (size, name)
            else:
                assert_too_big(events)


@pytest.mark.parametrize("limit", [125, 65535, 65536])
def test_a_text_of_exactly_the_limit_is_counted_in_bytes(limit: int) -> None:
    text = ("\u2603" * limit)[: limit // 3] + "x" * (limit % 3)
    assert received(connection(limit), marked(ROLE, deflate(text.encode()))) == [text]
    assert_too_big(received(connection(limit - 1), marked(ROLE, deflate(text.encode()))))


@pytest.mark.parametrize("limit", [64 * KIB, MIB])
@pytest.mark.parametrize("size", [100, 1000, 16 * KIB])
def test_incompressible_data_of_the_limit_may_come_in_many_flushed_fragments(limit: int, size: int) -> None:
    # A sender that streams flushes behind each fragment, which costs some bytes each time.
    data = random.Random(limit).randbytes(limit)
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    core = connection(limit)
    parts = [data[at : at + size] for at in range(0, limit, size)]
    for index, part in enumerate(parts):
        payload = compressor.compress(part) + compressor.flush(zlib.Z_SYNC_FLUSH)
        final = index == len(parts) - 1
        payload = payload.removesuffix(TAIL) if final else payload
        wire = (
            marked(ROLE, payload, opcode=BINARY, final=final)
            if not index
            else from_peer(ROLE, 0, payload, final=final)
        )
        assert received(core, wire) == ([data] if final else [])


def test_what_is_much_longer_on_the_wire_than_it_may_be_is_refused_before_it_is_looked_at() -> None:
    watched = WatchedZlib()
    core = connection(1000, watched=watched)
    assert_too_big(received(core, b"\xc2\x7f" + (10**9).to_bytes(8, "big")))
    assert watched.fed == 0


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_each_kind_has_its_own_limit(kind: int) -> None:
    limits = Limits(max_text_size=100, max_binary_size=200)
    limit = 100 if kind == TEXT else 200
    for size in (limit, limit + 1):
        core = deflating(ROLE, Config(compression=Deflate(), limits=limits))
        events = received(core, marked(ROLE, deflate(b"x" * size), opcode=kind))
        assert isinstance(events[0], Closed) is (size > limit)


# Streaming.


@pytest.mark.parametrize("limit", [None, 64 * MIB])
def test_what_streams_never_fills_more_than_the_inbox(limit: int | None) -> None:
    core = connection(limit, stream=True)
    received = 0
    wire = in_one_frame()[0]

    def run() -> None:
        nonlocal received
        core.receive_data(wire, 0.0)
        assert not core.wants_read
        while (event := core.next_event()) is not None:
            assert isinstance(event, Fragment) and len(event.data) <= 64 * KIB
            received += len(event.data)

    # The inbox's high mark, one step more, and what is still compressed.
    assert peak(run) <= 2 * 64 * KIB + len(wire) + SLACK
    assert received == 32 * MIB and core.wants_read


def test_what_streams_keeps_the_limit_of_a_message() -> None:
    core = connection(MIB, stream=True)
    events = received(core, *in_one_frame())
    assert sum(len(event.data) for event in events if isinstance(event, Fragment)) <= MIB
    assert_too_big([event for event in events if not isinstance(event, Fragment)])


# Messages that nobody takes.


@pytest.mark.parametrize("stream", [False, True])
def test_discarding_drops_what_does_not_fit_in_little_memory(stream: bool) -> None:
    core = connection(32 * MIB, stream=stream)
    small = marked(ROLE, deflate(bytes(30 * KIB)), opcode=BINARY)
    big = marked(ROLE, deflate(bytes(MIB), level=9), opcode=BINARY)
    core.receive_data(small * 4, 0.0)
    assert not core.wants_read
    held: list[Event] = []

    def run() -> None:
        core.close(now=0.0, discard=True)
        for _ in range(20):
            core.receive_data(big + from_peer(ROLE, PING, b""), 0.0)
        core.receive_data(small + from_peer(ROLE, CLOSE, status(1000)), 0.0)
        held.extend(iter(core.next_event, None))

    # The fourth is decoded to see that it does not fit; those behind it are not looked at.
    assert peak(run) <= 64 * KIB + SLACK
    closed = held[-1]
    assert isinstance(closed, Closed) and closed.clean
    whole = sum(isinstance(event, bytes) or (isinstance(event, Fragment) and event.final) for event in held)
    assert whole == (2 if stream else 3)  # of the third the last part did not fit
    assert whole + closed.dropped == 4 + 20 + 1


def test_after_the_first_that_is_dropped_nothing_is_inflated_any_more() -> None:
    watched = WatchedZlib()
    core = connection(MIB, watched=watched)
    core.close(now=0.0, discard=True)
    core.receive_data(marked(ROLE, deflate(bytes(100 * KIB)), opcode=BINARY), 0.0)
    given = watched.given
    for _ in range(100):
        core.receive_data(marked(ROLE, BOMB[:1000], opcode=BINARY), 0.0)
        core.receive_data(marked(ROLE, b"\x07", opcode=TEXT), 0.0)  # malformed, if anybody looked
    core.receive_data(from_peer(ROLE, CLOSE, status(1000)), 0.0)
    assert watched.given == given == 100 * KIB
    closed = the_end(drain(core, 0.0).events)
    assert closed.clean and closed.dropped == 201


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_held_back_when_the_connection_is_lost_is_looked_at_in_little_memory(stream: bool) -> None:
    watched = WatchedZlib()
    core = connection(MIB, stream=stream, watched=watched)
    message = marked(ROLE, deflate(bytes(50 * KIB), level=9), opcode=BINARY)
    core.receive_data(message * 500, 0.0)
    assert not core.wants_read

    def run() -> None:
        core.receive_eof(1.0)
        core.receive_eof(1.0)  # nothing can be sent any more, either: nobody must wait for the application

    assert core.closed is None
    assert peak(run) <= 64 * KIB + SLACK
    assert core.closed is not None and core.closed.code == 1006
    events = list(iter(core.next_event, None))
    closed = events[-1]
    assert isinstance(closed, Closed)
    whole = sum(not isinstance(event, Fragment) or event.final for event in events[:-1])
    assert whole + closed.dropped == 500 and whole >= 1
    assert watched.given <= 5 * 50 * KIB


def test_a_lone_end_of_the_stream_waits_for_the_application() -> None:
    core = connection(MIB)
    message = marked(ROLE, deflate(bytes(50 * KIB), level=9), opcode=BINARY)
    core.receive_data(message * 30, 0.0)
    core.receive_eof(1.0)
    events = list(iter(core.next_event, None))
    assert events[:-1] == [bytes(50 * KIB)] * 30
    closed = events[-1]
    assert isinstance(closed, Closed) and closed.dropped == 0


def test_an_idle_connection_holds_its_context_and_no_more() -> None:
    core = connection(MIB)

    def run() -> object:
        received(core, marked(ROLE, deflate(bytes(MIB), level=9), opcode=BINARY))
        return None

    assert memory(run)[0] <= 48 * KIB  # zlib: a window of 32 KiB and some 7 KiB


@pytest.mark.parametrize(("limit", "size", "count"), [(4096, 4, 1024), (1024, 1, 1024), (16384, 16, 1024)])
def test_what_fits_is_taken_however_finely_it_was_cut(limit: int, size: int, count: int) -> None:
    config = Config(compression=Deflate(), limits=Limits(max_message_size=limit))
    pair = Pair(config, config)
    pair.open()
    data = random.Random(limit).randbytes(size * count)
    for number in range(count):
        pair.client.send_fragment(data[number * size : (number + 1) * size], number == count - 1)
    pair.exchange()
    assert pair.server_events[-1] == data
