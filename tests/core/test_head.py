"""One head at a time, under limits that do not depend on how the bytes were cut."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.build import only_pure
from wscore._config import Limits
from wscore._head import HeadReader
from wscore._violations import Violation

KIB = 1024
START = b"GET /chat HTTP/1.1"
RFC_REQUEST = (  # RFC 6455 section 1.2
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Result(NamedTuple):
    """What reading a stream came to; rest counts what was not fed any more, too."""

    violation: Violation | None
    head: bytes | None
    rest: bytes | None
    start_line: bytes | None
    names: tuple[bytes, ...]


def chunks_of(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(chunks: list[bytes], limits: Limits | None = None, **keywords: Violation) -> Result:
    """Feed chunks until the reader has come to a result."""
    reader = HeadReader(limits or Limits(), **keywords)
    for number, chunk in enumerate(chunks, 1):
        reader.feed(chunk)
        if reader.violation is not None:
            assert reader.head is None
            return Result(reader.violation, None, None, None, ())
        if reader.head is not None:
            rest = reader.rest + b"".join(chunks[number:])
            return Result(None, reader.head, rest, reader.start_line, tuple(reader.names))
    return Result(None, None, None, reader.start_line, tuple(reader.names))


def in_all_cuttings(data: bytes, limits: Limits | None = None, **keywords: Violation) -> Result:
    """Read data whole, in chunks of 4 KiB, and byte by byte; the result must be the same."""
    result = read([data], limits, **keywords)
    for size in (4 * KIB, 1):
        assert read(chunks_of(data, size), limits, **keywords) == result
    return result


def head_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def sized_head(size: int) -> bytes:
    """Return a good head of size bytes, each of its lines far within the limit."""
    fields = [b"a: " + b"x" * 6000] * 5
    missing = size - len(head_of(START, *fields)) - len(b"b: \r\n")
    head = head_of(START, *fields, b"b: " + b"y" * missing)
    assert len(head) == size
    return head


@pytest.mark.parametrize(
    "rest", [b"", b"\r\n", b"\x81\x80\x00\x00\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\n" * 99]
)
def test_exactly_one_head_comes_out_and_the_rest_stays_raw(rest: bytes) -> None:
    names = (b"host", b"upgrade", b"connection", b"sec-websocket-key", b"origin")
    expected = Result(
        None, RFC_REQUEST, rest, START, (*names, b"sec-websocket-protocol", b"sec-websocket-version")
    )
    stream = RFC_REQUEST + rest
    assert in_all_cuttings(stream) == expected
    for cut in range(len(stream) + 1):
        assert read([stream[:cut], stream[cut:]]) == expected


def test_an_unfinished_head_gives_nothing_yet() -> None:
    for length in range(len(RFC_REQUEST)):
        result = read([RFC_REQUEST[:length]])
        assert (result.violation, result.head) == (None, None)


# T-H5: each row is fed whole, in 4 KiB chunks and byte by byte.
LONG = b"x" * (8 * KIB)
SIZES = [
    ("100 headers", head_of(START, *[b"A: b"] * 100), None),
    ("101 headers", head_of(START, *[b"A: b"] * 101), Violation.TOO_MANY_HEADERS),
    ("5,000 headers", head_of(START, *[b"A:b"] * 5000), Violation.TOO_MANY_HEADERS),
    ("head of 32,768 bytes", sized_head(32_768), None),
    ("head of 32,769 bytes", sized_head(32_769), Violation.HEAD_TOO_LARGE),
    ("head of 38,000 bytes", sized_head(38_000), Violation.HEAD_TOO_LARGE),
    ("first line of 8,192 bytes", head_of(LONG, b"A: b"), None),
    ("first line of 8,193 bytes", head_of(LONG + b"x", b"A: b"), Violation.TARGET_TOO_LONG),
    ("header line of 8,192 bytes", head_of(START, LONG[4:] + b"z: x", b"A: b"), None),
    ("header line of 8,193 bytes", head_of(START, LONG[4:] + b"z: xx", b"A: b"), Violation.LINE_TOO_LONG),
    ("endless first line", b"x" * 100_000, Violation.TARGET_TOO_LONG),
    ("endless header line", START + b"\r\n" + b"x" * 100_000, Violation.LINE_TOO_LONG),
    ("four full lines", head_of(*[LONG] * 4)[:-2], Violation.HEAD_TOO_LARGE),
    # Of two broken rules the one that is met first counts.
    ("long line after 101", head_of(START, *[b"A: b"] * 101, LONG * 2), Violation.TOO_MANY_HEADERS),
    ("101 after a long line", head_of(START, LONG * 2, *[b"A: b"] * 101), Violation.LINE_TOO_LONG),
    ("bare LF before a long line", START + b"\r\nA: b\n" + LONG * 2, Violation.BARE_LF),
    ("long line with a bare LF", START + b"\r\n" + LONG + b"xx\n", Violation.LINE_TOO_LONG),
    ("bare LF in the last place", START + b"\r\n" + LONG + b"x\n", Violation.BARE_LF),
]


@pytest.mark.parametrize(("stream", "violation"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_limits_hold_however_the_bytes_were_cut(stream: bytes, violation: Violation | None) -> None:
    for rest in (b"", b"trailing bytes" * 5000):
        result = in_all_cuttings(stream + rest, first_line_violation=Violation.TARGET_TOO_LONG)
        assert result.violation is violation
        if violation is None:
            assert (result.head, result.rest) == (stream, rest)


def test_a_client_knows_no_request_line() -> None:
    assert in_all_cuttings(head_of(LONG + b"x")).violation is Violation.LINE_TOO_LONG


@pytest.mark.parametrize("size", [16, 17, 18, 19, 30])
def test_when_the_head_ends_before_the_line_may_the_head_is_too_large(size: int) -> None:
    limits = Limits(max_line=17, max_head=size)
    stream = b"x" * 50
    # A line of 17 bytes and its CR LF takes 19; the byte that makes the violation certain names it.
    expected = Violation.HEAD_TOO_LARGE if size < 19 else Violation.LINE_TOO_LONG
    assert in_all_cuttings(stream, limits).violation is expected


def test_a_violation_shows_at_the_first_byte_that_makes_it_certain() -> None:
    reader = HeadReader(Limits())
    reader.feed(b"x" * (8 * KIB) + b"\r")  # an LF would still end it in time
    assert reader.violation is None
    reader.feed(b"x")
    assert reader.violation is Violation.LINE_TOO_LONG

    reader = HeadReader(Limits())
    stream = sized_head(33_000)
    reader.feed(stream[: 32 * KIB - 1])
    assert reader.violation is None
    reader.feed(stream[32 * KIB - 1 : 32 * KIB])
    assert reader.violation is Violation.HEAD_TOO_LARGE


FORMS = [
    # RFC 9112 section 2.2: lines end with CR LF; a bare CR is no line end.
    (b"GET / HTTP/1.1\nHost: h\r\n\r\n", Violation.BARE_LF),
    (b"GET / HTTP/1.1\r\nHost: h\n\r\n", Violation.BARE_LF),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\n", Violation.BARE_LF),
    (b"GET / HTTP/1.1\r\nHost: h\n\n", Violation.BARE_LF),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n", Violation.BARE_LF),
    (b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", Violation.BARE_LF),
    (b"GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\r\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\n\rHost: h\r\n\r\n", Violation.MALFORMED_HEAD),
    # RFC 9110 section 5.5: NUL makes a field invalid.
    (b"GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\nHo\x00st: h\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\nHost: h\x00\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"GET / HTTP/1.1\r\n\x00\r\n\r\n", Violation.MALFORMED_HEAD),
    # RFC 9112 section 5.2: folded lines; section 2.2: blanks before the first field.
    (b"GET / HTTP/1.1\r\nHost: h\r\n i\r\n\r\n", Violation.OBS_FOLD),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\ti: j\r\n\r\n", Violation.OBS_FOLD),
    (b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", Violation.OBS_FOLD),
    (b"GET / HTTP/1.1\r\nHost: h\r\n \r\n\r\n", Violation.OBS_FOLD),
    # A blank first line, and blanks before it.
    (b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"\r\n\r\n", Violation.MALFORMED_HEAD),
    (b" GET / HTTP/1.1\r\nHost: h\r\n\r\n", Violation.MALFORMED_HEAD),
    (b"\tGET / HTTP/1.1\r\nHost: h\r\n\r\n", Violation.MALFORMED_HEAD),
]


@pytest.mark.parametrize(("stream", "violation"), FORMS)
def test_a_broken_form_is_named_in_every_cutting(stream: bytes, violation: Violation) -> None:
    assert in_all_cuttings(stream).violation is violation
    for cut in range(1, len(stream)):
        assert read([stream[:cut], stream[cut:]]).violation is violation


@pytest.mark.parametrize("control", [b"\x0b", b"\x0c", b"\x1c", b"\x1e", b"\x85", b"\xe2\x80\xa8"])
def test_nothing_but_lf_ends_a_line(control: bytes) -> None:
    result = in_all_cuttings(b"GET / HTTP/1.1\r\nA: b" + control + b"Host: h\r\n\r\n")
    assert (result.violation, result.names) == (None, (b"a",))


def test_names_are_lower_case_and_repeated_names_are_kept() -> None:
    result = in_all_cuttings(head_of(START, b"HOST: a", b"Host:b", b"no colon", b": none", b"\xc0: d"))
    assert result.names == (b"host", b"host", b"no colon\r", b"", b"\xc0")


def test_a_head_may_have_no_fields() -> None:
    assert in_all_cuttings(START + b"\r\n\r\n") == Result(None, START + b"\r\n\r\n", b"", START, ())


pieces = st.sampled_from(
    [b"GET", b" ", b"A: b", b"\r\n", b"\n", b"\r", b"\x00", b"\t", b"\r\n\r\n", b"xxxxxxxx"]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(pieces, max_size=16), st.lists(st.integers(1, 100), max_size=8))
def test_any_stream_gives_the_same_result_in_any_cutting(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    limits = Limits(max_line=12, max_head=40, max_headers=3)
    borders = sorted({0, len(stream), *(place for place in places if place < len(stream))})
    cut = [stream[start:end] for start, end in pairwise(borders)]
    assert read(cut, limits) == read([stream], limits) == read(chunks_of(stream, 1), limits)


class CountingBuffer:
    """What the reader needs of a bytearray; counts the bytes that are looked at or copied."""

    touched = 0

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def __iadd__(self, data: bytes) -> "CountingBuffer":
        CountingBuffer.touched += len(data)
        self._data += data
        return self

    def find(self, wanted: bytes, start: int) -> int:
        place = self._data.find(wanted, start)
        CountingBuffer.touched += (place if place >= 0 else len(self._data)) - start
        return place

    def __getitem__(self, key: slice) -> bytearray:
        taken = self._data[key]
        CountingBuffer.touched += len(taken)
        return taken


@only_pure("native code makes its own buffer, and the one that counts is not used")
@pytest.mark.parametrize("line", [b"A:b", b"x" * 500, b"x" * 40_000])
@pytest.mark.parametrize("size", [1, 7])
def test_small_chunks_cost_no_more_than_each_byte_a_few_times(
    monkeypatch: pytest.MonkeyPatch, line: bytes, size: int
) -> None:
    monkeypatch.setattr("wscore._head.bytearray", CountingBuffer, raising=False)
    limits = Limits(max_line=10**6, max_head=10**6, max_headers=10**6)
    stream = head_of(START, *[line] * (40_000 // len(line)))
    CountingBuffer.touched = 0
    assert read(chunks_of(stream, size), limits).head == stream
    assert len(stream) <= CountingBuffer.touched <= 5 * len(stream)


def test_no_more_than_the_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wscore._head.bytearray", CountingBuffer, raising=False)
    reader, fed = HeadReader(Limits()), 0
    CountingBuffer.touched = 0
    while reader.violation is None:
        reader.feed(b"A: b\r\n" if fed else b"GET / HTTP/1.1\r\n")
        fed += 1
    assert fed == 1 + 100 + 1
    assert reader.rest == b""
    assert CountingBuffer.touched < 5 * 32 * KIB
