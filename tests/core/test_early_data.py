"""Frames glued to the request, before it was answered: held within a limit, or dropped (RFC 6455 4.1)."""

import random
from itertools import pairwise

import pytest

from support.handshakes import Run, assert_refused, client_frame, read_message, request, server
from wscore import Closed, Config, Limits, Opcode, Opened, State, Violation
from wscore.testing import cuttings

LIMIT = 65_536
CHUNK = 16_384


def text_frames(size: int) -> tuple[bytes, list[str]]:
    """Return a stream of text frames that is exactly size bytes long, and its messages."""
    stream = b""
    messages: list[str] = []
    while size - len(stream) >= 6:
        room = size - len(stream)
        length = min(room - 6, 125) if room - 6 <= 125 else min(room - 8, CHUNK)
        if 0 < room - length - (6 if length <= 125 else 8) < 6:
            length = max(length - 6, 0)  # the next frame needs at least six bytes
        text = chr(97 + len(messages) % 26) * length
        stream += client_frame(Opcode.TEXT, text.encode())
        messages.append(text)
    return stream, messages


def accept_and_read(run: Run) -> list[object]:
    """Accept, and return the messages."""
    run.connection.accept(now=0.0)
    run.take()
    received = [event for event in run.events if isinstance(event, str)]
    assert isinstance(run.events[1], Opened), "no message comes before it"
    return list(received)


def cut_at(data: bytes, *places: int) -> list[bytes]:
    """Cut data at places."""
    edges = [0, *sorted(set(places)), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


@pytest.mark.parametrize("size", [0, 6, 7, 12, 131, 150])
def test_early_frames_are_delivered_after_the_answer_wherever_they_are_cut(size: int) -> None:
    stream, messages = text_frames(size)
    assert len(stream) == size
    data = request() + stream
    for place in range(len(data)):
        run = server().feed(cut_at(data, place))
        assert (len(run.events), run.sent) == (1, b"")
        assert accept_and_read(run) == messages


@pytest.mark.parametrize("size", [1000, 4096, 16_384, 65_535, LIMIT])
def test_many_early_frames_are_delivered_after_the_answer(size: int) -> None:
    stream, messages = text_frames(size)
    assert len(stream) == size
    data, head_size = request() + stream, len(request())
    chooser = random.Random(size)
    cuts = [[], [head_size], [head_size - 1, head_size + 1], list(range(0, len(data), 1460))]
    cuts += [[chooser.randrange(len(data)) for _ in range(10)] for _ in range(5)]
    for places in cuts:
        run = server().feed(cut_at(data, *places))
        assert (len(run.events), run.sent) == (1, b"")
        assert accept_and_read(run) == messages
        run.feed([client_frame(Opcode.TEXT, b"later")])
        assert run.events[-1] == "later"


def test_half_an_early_frame_is_completed_after_the_answer() -> None:
    frame = client_frame(Opcode.TEXT, b"hello")
    for place in range(len(frame) + 1):
        run = server().feed([request() + frame[:place]])
        run.connection.accept(now=0.0)
        run.take().feed([frame[place:]])
        assert run.events[-1] == "hello"


@pytest.mark.parametrize("size", [LIMIT + 1, 100_000, 131_072])
def test_too_much_early_data_is_refused(size: int) -> None:
    data, head_size = request() + bytes(size), len(request())
    for places in ([], [head_size], [head_size + LIMIT], list(range(0, len(data), 1000)), [len(data) - 1]):
        run = server().feed(cut_at(data, *places))
        assert run.events[-1] == Closed(1006, "", clean=False, violation=Violation.EARLY_DATA)
        assert len(run.events) - len(run.requests()) == 1 and len(run.requests()) <= 1
        assert_refused(run, 400)


def test_early_data_is_limited_to_the_byte() -> None:
    config = Config(limits=Limits(early_data=6))
    frame = client_frame(Opcode.TEXT, b"")
    assert accept_and_read(server(config).feed([request() + frame])) == [""]
    run = server(config).feed([request() + frame, b"x"])
    assert_refused(run, 400)


@pytest.mark.parametrize("size", [6, 1000, LIMIT])
def test_early_frames_behind_a_request_that_is_responded_to_are_dropped(size: int) -> None:
    data = request() + text_frames(size)[0]
    for pieces in (cut_at(data), cut_at(data, len(request())), cut_at(data, 1, size // 2, len(data) - 1)):
        run = server().feed(pieces)
        run.connection.respond(403, now=0.0)
        run.take().feed([bytes(LIMIT), client_frame(Opcode.TEXT, b"hello")])
        assert run.events[1:] == [Closed(1006, "", clean=False)]
        assert_refused(run, 403)
        assert run.connection.stats.messages_received == 0


def test_early_frames_behind_a_request_that_is_refused_are_dropped() -> None:
    data = request(b"GET / HTTP/1.0") + text_frames(200)[0]
    for pieces in cuttings(data):
        run = server().feed(pieces)
        assert run.events == [Closed(1006, "", clean=False, violation=Violation.HTTP_VERSION)]
        assert_refused(run, 505)


def test_a_rule_that_early_frames_break_is_broken_after_the_answer() -> None:
    run = server().feed([request() + b"\x81\x05hello"])
    assert run.connection.state is State.CONNECTING
    run.connection.accept(now=0.0)
    run.take()
    closed = run.events[-1]
    assert isinstance(closed, Closed) and closed.violation is Violation.UNMASKED_FRAME
    assert read_message(run.sent.partition(b"\x88")[0]).status == 101
