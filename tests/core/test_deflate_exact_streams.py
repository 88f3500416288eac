"""permessage-deflate to the letter: how contexts are used, and for how long (RFC 7692 section 7.2)."""

import zlib
from typing import Any

import pytest

from support.deflate_parameters import CLIENT_ALONE as CT
from support.deflate_parameters import FREE, Parameter, offer
from support.deflate_parameters import SERVER_ALONE as ST
from support.deflate_parameters import client_bits as cb
from support.deflate_parameters import server_bits as sb
from support.deflated import TAIL, WatchedZlib, deflate, inflate, whole_stream
from wscore import Deflate, Role, Violation
from wscore._deflate import DeflateCodec
from wscore._typing import override

Parameters = tuple[Parameter, ...]
TEXT = b"to be or not to be, that is the question; " * 20


# Compressing.


def a_codec(*answer: Parameter, zlib: Any = zlib, role: Role = Role.SERVER, **settings: Any) -> DeflateCodec:
    codec = Deflate(**FREE | settings, zlib=zlib).codec(offer(*answer), role)
    assert codec is not None
    assert not codec.pending
    return codec


@pytest.mark.parametrize(
    ("size", "choice", "wanted"),
    [
        (256, None, True),
        (255, None, False),
        (1, None, False),
        (255, True, True),
        (1, True, True),
        (256, False, False),
        (0, True, False),
        (0, None, False),
    ],
)
def test_messages_from_the_threshold_on_are_compressed_or_as_is_wished(
    size: int, choice: bool | None, wanted: bool
) -> None:
    assert a_codec().wants(size, choice) is wanted


@pytest.mark.parametrize(("bits", "wanted"), [(8, False), (9, True)])
@pytest.mark.parametrize("role", Role)
def test_nothing_is_compressed_with_a_window_that_zlib_cannot_use(
    role: Role, bits: int, wanted: bool
) -> None:
    codec = a_codec(cb(bits) if role is Role.CLIENT else sb(bits), role=role, threshold=0)
    assert codec.wants(1000, None) is wanted
    assert codec.wants(1000, True) is wanted
    assert codec.wants(0, None) is False  # and never nothing at all


def test_a_message_may_refer_to_the_one_before_unless_that_was_ruled_out() -> None:
    for answer, refers in (((), True), ((ST,), False)):
        codec = a_codec(*answer)
        first, second = (codec.encode(TEXT, final=True) for _ in range(2))
        assert (len(second) < len(first)) is refers
        assert (second == first) is not refers
        reader = zlib.decompressobj(-15)
        assert reader.decompress(first + TAIL) == TEXT
        reader = reader if refers else zlib.decompressobj(-15)
        assert reader.decompress(second + TAIL) == TEXT


@pytest.mark.parametrize("answer", [(), (ST,)], ids=["takeover", "no takeover"])
def test_the_pieces_of_a_message_share_a_context_and_only_the_last_lacks_its_tail(
    answer: Parameters,
) -> None:
    codec = a_codec(*answer)
    pieces = [codec.encode(TEXT, final=final) for final in (False, False, True)]
    assert pieces[0].endswith(TAIL) and pieces[1].endswith(TAIL) and not pieces[2].endswith(TAIL)
    assert len(pieces[1]) < len(pieces[0])  # it refers to it
    assert inflate(b"".join(pieces)) == TEXT * 3


def test_a_piece_without_any_output_ends_with_an_empty_block() -> None:
    # Some modules give nothing for a second flush in a row: section 7.2.3.6 names the octet for that.
    class Sparing:
        error = zlib.error
        Z_DEFAULT_COMPRESSION = zlib.Z_DEFAULT_COMPRESSION
        decompressobj = staticmethod(zlib.decompressobj)

        def compressobj(self, *_: int) -> "Sparing":
            return self

        def compress(self, data: bytes, /) -> bytes:
            return b""

        def flush(self, mode: int, /) -> bytes:
            assert mode == zlib.Z_SYNC_FLUSH
            return b""

    codec = a_codec(zlib=Sparing())
    assert codec.encode(b"", final=False) == b""
    assert codec.encode(b"", final=True) == b"\x00"
    assert inflate(b"\x00") == b""


def test_what_is_compressed_alone_is_the_same_everywhere_and_leaves_no_trace() -> None:
    codec = a_codec()
    codec.encode(TEXT, final=True)
    alone = codec.encode_alone(TEXT)
    assert alone == a_codec().encode(TEXT, final=True) == codec.encode_alone(TEXT)
    assert not alone.endswith(TAIL) and inflate(alone) == TEXT


def test_after_a_message_from_elsewhere_a_new_context_begins() -> None:
    codec = a_codec()
    first = codec.encode(TEXT, final=True)
    codec.sent_alone()
    assert codec.encode(TEXT, final=True) == first


def test_two_codecs_give_the_same_alone_when_everything_that_matters_is_the_same() -> None:
    same = a_codec(level=6).alone()
    assert same is not None
    assert a_codec(level=6, threshold=1, client_max_window_bits=9).alone() == same
    for other in (
        a_codec(level=5),
        a_codec(level=6, memory_level=6),
        a_codec(sb(14), level=6),
        a_codec(level=6, zlib=WatchedZlib()),
    ):
        assert other.alone() != same


# Decompressing.


def test_output_comes_in_steps_that_the_limit_bounds_and_nothing_is_lost() -> None:
    codec = a_codec()
    data = deflate(TEXT)
    given: list[bytes] = []
    for piece in (data[:20], data[20:]):
        step = codec.decode(piece, 100)
        while True:
            assert isinstance(step, bytes) and len(step) <= 100
            given.append(step)
            if not codec.pending:
                break
            step = codec.decode(b"", 100)
    step = codec.finish(100)
    assert isinstance(step, bytes) and not codec.pending
    assert codec.end_message() is None
    assert b"".join([*given, step]) == TEXT


def test_more_is_pending_exactly_when_a_step_was_full_or_input_is_left() -> None:
    codec = a_codec()
    data = deflate(b"0123456789")
    assert codec.decode(data, 10) == b"0123456789"
    assert codec.pending  # nobody can know yet
    assert codec.decode(b"", 10) == b""
    assert not codec.pending
    codec = a_codec()
    assert codec.decode(data, 11) == b"0123456789"
    assert not codec.pending
    codec = a_codec()
    assert codec.decode(data, 4) == b"0123"
    assert codec.pending


def test_a_message_without_any_octet_is_empty_and_changes_nothing() -> None:
    watched = WatchedZlib()
    codec = a_codec(CT, zlib=watched)
    for _ in range(2):
        assert codec.finish(100) == b""
        assert codec.end_message() is None
    assert watched.fed == 0
    assert codec.decode(deflate(b"x"), 100) == b"x"
    assert codec.finish(100) == b""
    fed = watched.fed
    assert codec.end_message() is None
    assert codec.finish(100) == b""  # the next message, without an octet again
    assert codec.end_message() is None
    assert watched.fed - fed <= 5  # the end of the one before


@pytest.mark.parametrize("answer", [(), (CT,)], ids=["takeover", "no takeover"])
def test_what_is_no_stream_is_refused(answer: Parameters) -> None:
    assert a_codec(*answer).decode(b"\x07", 100) is Violation.COMPRESSED_DATA  # a block of type 3
    codec = a_codec(*answer)
    stored = b"\x00\x01\x00\x00\x00x"  # 3.2.4 of RFC 1951: the length and its complement must agree
    assert codec.decode(stored, 100) is Violation.COMPRESSED_DATA


def test_a_message_may_refer_back_into_the_one_before_unless_that_was_ruled_out() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    first, second = (
        (compressor.compress(TEXT) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL) for _ in range(2)
    )
    for answer, allowed in (((), True), ((CT,), False)):
        codec = a_codec(*answer)
        assert codec.decode(first, 10_000) == TEXT
        assert codec.finish(10_000) == b""
        assert codec.end_message() is None
        assert codec.decode(second, 10_000) == (TEXT if allowed else Violation.COMPRESSED_DATA)


@pytest.mark.parametrize("limit", [1, 100])
def test_a_message_that_is_cut_off_is_noticed_when_it_stands_alone(limit: int) -> None:
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = data.compress(TEXT) + data.flush(zlib.Z_SYNC_FLUSH)
    for payload, good in ((whole.removesuffix(TAIL), True), (whole[: len(whole) // 2], False)):
        codec = a_codec(CT)
        step = codec.decode(payload, limit)
        while codec.pending:
            assert isinstance(step, bytes)
            step = codec.decode(b"", limit)
        step = codec.finish(limit)
        while codec.pending and isinstance(step, bytes):
            step = codec.decode(b"", limit)
        ended = codec.end_message()
        assert (step is not Violation.COMPRESSED_DATA and ended is None) is good


def test_after_a_final_block_a_new_stream_begins_in_the_same_message() -> None:
    codec = a_codec()
    step = codec.decode(whole_stream(b"one, ") + whole_stream(b"two, ") + deflate(b"three"), 100)
    given = [step]
    while codec.pending:
        given.append(codec.decode(b"", 100))
    assert given == [b"one, ", b"two, ", b"three"]
    assert codec.finish(100) == b""
    assert not codec.pending
    assert codec.end_message() is None


def test_the_streams_of_a_message_are_counted_and_those_of_the_next_anew() -> None:
    codec = a_codec()
    stream = whole_stream(b"")
    for _ in range(2):
        for _ in range(1024):
            assert codec.decode(stream, 100) == b""
        assert codec.end_message() is None
    for _ in range(1024):
        assert codec.decode(stream, 100) == b""
    assert codec.decode(stream, 100) is Violation.TOO_MANY_STREAMS


def test_a_module_that_takes_nothing_and_gives_nothing_does_not_spin() -> None:
    class Stuck:
        eof, unused_data, unconsumed_tail = False, b"", b"abc"

        def decompress(self, data: bytes, limit: int, /) -> bytes:
            return b""

    class Module(WatchedZlib):  # type: ignore[misc]
        @override
        def decompressobj(self, wbits: int, /) -> Any:
            return Stuck()

    assert a_codec(zlib=Module()).decode(b"abc", 100) is Violation.COMPRESSED_DATA


def test_a_module_may_leave_input_though_it_has_room() -> None:
    class Slow:
        def __init__(self) -> None:
            self._real = zlib.decompressobj(-15)
            self.eof, self.unused_data, self.unconsumed_tail = False, b"", b""

        def decompress(self, data: bytes, limit: int, /) -> bytes:
            self.unconsumed_tail = data[1:]
            return self._real.decompress(data[:1], limit)

    class Module(WatchedZlib):  # type: ignore[misc]
        @override
        def decompressobj(self, wbits: int, /) -> Any:
            return Slow()

    codec, data = a_codec(zlib=Module()), deflate(b"slow")
    given = [codec.decode(data, 100)]
    for _ in data[1:]:
        assert codec.pending
        given.append(codec.decode(b"", 100))
    assert not codec.pending
    given.append(codec.finish(100))
    while codec.pending:
        given.append(codec.decode(b"", 100))
    assert b"".join(part for part in given if isinstance(part, bytes)) == b"slow"


@pytest.mark.parametrize("answer", [(), (CT,)], ids=["takeover", "no takeover"])
def test_a_message_without_any_octet_does_no_harm_between_others(answer: Parameters) -> None:
    codec = a_codec(*answer)
    for text in (b"one", b"", b"two", b"", b"", b"three"):
        if text:
            assert codec.decode(deflate(text), 100) == text
        assert codec.finish(100) == b""
        assert codec.end_message() is None
