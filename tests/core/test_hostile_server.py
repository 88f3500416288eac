"""A client against a server that means harm: one clean outcome, little kept, and never later than allowed."""

import gc
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from support.handshakes import Run, client, head, response
from support.response_rows import BODY, BROKEN, OPENED, REFUSED
from wscore import (
    Closed,
    Config,
    Connection,
    ConnectionClosed,
    Headers,
    Limits,
    Opened,
    Refused,
    Response,
    Role,
    State,
    Timeouts,
    Timer,
    TransportAction,
    Violation,
)
from wscore.testing import cuttings

OFFERED = ("chat", "superchat")
MOST_KEPT = 128 * 1024
READ = 16 * 1024  # a backend's read
LOST = Closed(1006, "", clean=False)


def assert_over(run: Run) -> None:
    """Check that nothing more comes out or is wanted, whatever still arrives."""
    events = list(run.events)
    assert run.connection.state is State.CLOSED
    assert not run.connection.wants_read
    assert run.connection.next_deadline() is None
    run.feed([response(), b"\x81\x05hello", b"\xff" * 1000])
    run.connection.receive_eof(run.now)
    run.connection.handle_deadline(run.now + 1000.0)
    run.take()
    assert run.events == events
    with pytest.raises(ConnectionClosed):
        run.connection.send_text("hello")


@pytest.mark.parametrize("data", OPENED.values(), ids=OPENED.keys())
def test_a_good_response_opens_the_connection_however_it_is_cut(data: bytes) -> None:
    for pieces in cuttings(data + b"\x81\x05hello"):
        run = client(subprotocols=OFFERED).feed(pieces)
        opened, message = run.events
        assert isinstance(opened, Opened) and message == "hello"
        assert run.connection.state is State.OPEN
        assert (
            opened.subprotocol
            == run.connection.subprotocol
            == opened.response.headers.get("sec-websocket-protocol")
        )


@pytest.mark.parametrize(
    ("violation", "data"),
    [pytest.param(v, d, id=f"{v.name}-{n}") for v, rows in BROKEN.items() for n, d in rows.items()],
)
def test_a_broken_response_ends_the_connection_without_a_word(violation: Violation, data: bytes) -> None:
    for pieces in cuttings(data + b"\x81\x05hello"):
        run = client(subprotocols=OFFERED)
        sent = run.sent
        run.feed(pieces)
        assert run.events == [Closed(1006, "", clean=False, violation=violation)]
        assert (run.sent, run.action) == (sent, TransportAction.CLOSE)
        assert run.connection.response is None
        assert_over(run)


@pytest.mark.parametrize(("status", "data", "ends"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_handed_out_with_its_body_however_it_is_cut(
    status: int, data: bytes, ends: bool
) -> None:
    for pieces in cuttings(data, count=6):
        run = client().feed(pieces)
        if ends:
            assert run.events == []
            run.connection.receive_eof(0.0)
            run.take()
        refused, closed = run.events
        assert isinstance(refused, Refused)
        assert (refused.response.status, refused.response.body) == (status, BODY)
        assert (closed, run.action) == (LOST, TransportAction.CLOSE)
        assert run.connection.response == refused.response
        assert_over(run)


@pytest.mark.parametrize("data", [response(), head(b"HTTP/1.1 401 No", [b"Content-Length: 4"]) + b"body"])
def test_an_end_at_any_byte_of_a_response_is_a_lost_connection(data: bytes) -> None:
    body_starts = data.index(b"\r\n\r\n") + 4
    for length in range(len(data)):
        run = client().feed([data[:length]])
        run.connection.receive_eof(0.0)
        run.take()
        assert run.events[-1] == LOST
        partial = [event for event in run.events if isinstance(event, Refused)]
        assert [event.response.body for event in partial] == (
            [data[body_starts:length]] if length >= body_starts else []
        )
        assert_over(run)


# Memory.


def trickle(piece: bytes, total: int) -> Iterator[bytes]:
    """Give total bytes of piece, repeated, as a backend would read them."""
    block = (
        (piece * (READ // len(piece) + 1))[: READ // len(piece) * len(piece)] if len(piece) < READ else piece
    )
    for _ in range(total // len(block)):
        yield block


FLOODS: dict[str, tuple[Iterable[bytes], type]] = {
    "2 GiB announced": ([head(b"HTTP/1.1 500 x", [b"Content-Length: 2147483648"])], Refused),
    "no length announced": ([head(b"HTTP/1.1 500 x", [])], Refused),
    "chunks of any size": (
        [head(b"HTTP/1.1 500 x", [b"Transfer-Encoding: chunked"]) + b"fffffff\r\n"],
        Refused,
    ),
    "a compressed body": (
        [head(b"HTTP/1.1 500 x", [b"Content-Encoding: gzip", b"Content-Length: 2147483648"])],
        Refused,
    ),
    "a header line without an end": ([b"HTTP/1.1 101 x\r\nX: "], Closed),
    "a status line without an end": ([b"HTTP/1.1 101 "], Closed),
}


def kept_by(run: Run, pieces: Iterable[bytes]) -> int:
    """Return how many more bytes are in use after run was fed pieces."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        run.feed(pieces)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("start", "outcome"), FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_is_cut_short_and_little_of_it_is_kept(start: Iterable[bytes], outcome: type) -> None:
    run = client()
    run.feed(start)
    kept = kept_by(run, trickle(b"x", 4 * 1024 * 1024))
    assert isinstance(run.events[0], outcome)
    assert isinstance(run.events[-1], Closed)
    assert kept <= MOST_KEPT
    if isinstance(run.events[0], Refused):
        assert run.events[0].response.body == b"x" * 65_536
    assert_over(run)


@pytest.mark.parametrize(("size", "most"), [(1, 4096), (2, 4096), (100, 65_536)])
def test_a_flood_of_small_chunks_is_cut_short_and_little_of_it_is_kept(size: int, most: int) -> None:
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
    run = client(Config(limits=Limits(refusal_body=most)))
    run.feed([head(b"HTTP/1.1 500 x", [b"Transfer-Encoding: chunked"])])
    kept = kept_by(run, trickle(chunk, 1024 * 1024))
    refused = run.events[0]
    assert isinstance(refused, Refused) and refused.response.body == b"x" * most
    assert kept <= most + MOST_KEPT - 65_536


@pytest.mark.parametrize("extension", [b";" + b"x" * 200_000, b"0" * 200_000])
def test_a_chunk_size_that_never_ends_is_cut_short(extension: bytes) -> None:
    run = client().feed([head(b"HTTP/1.1 500 x", [b"Transfer-Encoding: chunked"]) + b"4\r\nkept\r\n1"])
    kept = kept_by(run, [extension[index : index + READ] for index in range(0, len(extension), READ)])
    refused, closed = run.events
    assert isinstance(refused, Refused) and refused.response.body == b"kept"
    assert closed == LOST
    assert kept <= MOST_KEPT


def test_informational_responses_without_end_are_cut_short() -> None:
    hint = head(b"HTTP/1.1 103 Early Hints", [b"Link: " + b"x" * 8000] * 4)
    run = client()
    kept = kept_by(run, trickle(hint, 4 * 1024 * 1024))
    assert run.events == [Closed(1006, "", clean=False, violation=Violation.TOO_MANY_INFORMATIONAL)]
    assert kept <= MOST_KEPT


def test_frames_behind_a_refusal_are_not_read() -> None:
    run = client().feed([head(b"HTTP/1.1 400 x", [b"Content-Length: 0"]) + response() + b"\x81\x05hello"])
    refused, closed = run.events
    assert isinstance(refused, Refused) and refused.response.status == 400
    assert closed == LOST


# Time.


@pytest.mark.parametrize(
    "start",
    [
        head(b"HTTP/1.1 500 x", [b"Content-Length: 2147483648"]),
        head(b"HTTP/1.1 500 x", [b"Transfer-Encoding: chunked"]) + b"fffff\r\n",
        head(b"HTTP/1.1 500 x", []),
    ],
    ids=["length", "chunks", "until the end"],
)
def test_a_body_that_trickles_does_not_outlast_the_open_timeout(start: bytes) -> None:
    run = client(Config(timeouts=Timeouts(open=10.0)))
    run.feed([start])
    for second in range(1, 10):
        run.now = float(second)
        run.feed([b"x"])
        run.connection.handle_deadline(run.now)
        assert run.take().events == []
        assert run.connection.next_deadline() == 10.0, "traffic never moves it"
    run.now = 10.0
    run.connection.handle_deadline(10.0)
    refused, closed = run.take().events
    assert isinstance(refused, Refused)
    assert (refused.response.status, refused.response.body) == (500, b"x" * 9)
    assert closed == Closed(1006, "", clean=False, timer=Timer.OPEN)
    assert run.action is TransportAction.ABORT
    assert_over(run)


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 101 Switching", head(b"HTTP/1.1 100 Continue", []), response()[:-1]]
)
def test_a_head_that_trickles_does_not_outlast_the_open_timeout(data: bytes) -> None:
    run = client().feed([data])
    run.connection.handle_deadline(9.999)
    assert run.take().events == []
    run.connection.handle_deadline(10.0)
    assert run.take().events == [Closed(1006, "", clean=False, timer=Timer.OPEN)]
    assert run.action is TransportAction.ABORT


# Words.


@pytest.mark.parametrize("control", [b"\r", b"\x00", b"\x07", b"\x0b", b"\x1b[2J", b"\x7f"])
def test_no_control_character_comes_through_in_the_words_of_a_status(control: bytes) -> None:
    for status in (b"101", b"401"):
        data = head(b"HTTP/1.1 " + status + b" a" + control + b"b", [b"Content-Length: 0"])
        run = client().feed([data])
        assert run.events == [Closed(1006, "", clean=False, violation=Violation.MALFORMED_HEAD)]


def test_a_second_line_in_the_words_of_a_status_is_a_header_and_no_more() -> None:
    run = client().feed([head(b"HTTP/1.1 401 No\r\nX-Second: y", [b"Content-Length: 0"])])
    refused = run.events[0]
    assert isinstance(refused, Refused)
    assert refused.response.reason == "No"
    assert refused.response.headers["x-second"] == "y"


def test_a_response_before_the_request_is_not_believed() -> None:
    run = Run(Connection(Role.CLIENT, now=0.0)).feed([response()])
    assert run.events == [Closed(1006, "", clean=False, violation=Violation.MALFORMED_HEAD)]
    with pytest.raises(ConnectionClosed):
        run.connection.send_request("ws://example.com/", now=0.0)


def test_the_kept_part_of_a_body_is_the_configured_one() -> None:
    config = Config(limits=Limits(refusal_body=0))
    run = client(config).feed([head(b"HTTP/1.1 401 No", [b"Content-Length: 4"]), b"body"])
    assert run.events[0] == Refused(Response(401, Headers([("content-length", "4")]), b"", "No"))
