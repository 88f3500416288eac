"""From fragments to messages: size limits, and text that is valid or fails.

What the parts of a message are when it streams, and what an extension's decoder is given, is in the second
half.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.run_length import RunLength, RunLengthCodec, pack
from wscore._codes import Opcode
from wscore._config import Limits
from wscore._events import Fragment
from wscore._messages import MessageAssembler
from wscore._violations import Violation

CONTINUATION, TEXT, BINARY = Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY


def assembler(
    size: int | None = 100_000, fragments: int | None = 1000, empty: int | None = 64
) -> MessageAssembler:
    return MessageAssembler(Limits(max_message_size=size, max_fragments=fragments, max_empty_fragments=empty))


def feed(parts: MessageAssembler, opcode: Opcode, final: bool, *chunks: bytes) -> bool:
    """Add one frame whose payload comes in chunks; False when a rule was broken."""
    if not parts.begin_frame(opcode, final, sum(map(len, chunks))):
        return False
    last = len(chunks) - 1
    return all(parts.add(chunk, number == last) for number, chunk in enumerate(chunks))


@pytest.mark.parametrize(
    ("opcode", "payload", "message"),
    [
        (TEXT, b"Hello", "Hello"),
        (TEXT, b"", ""),
        (TEXT, "κόσμε 😀".encode(), "κόσμε 😀"),
        (BINARY, b"Hello", b"Hello"),
        (BINARY, b"", b""),
        (BINARY, b"\xff\x00\xed\xa0\x80", b"\xff\x00\xed\xa0\x80"),
    ],
)
def test_one_frame_is_a_message(opcode: Opcode, payload: bytes, message: str | bytes) -> None:
    parts = assembler()
    assert feed(parts, opcode, True, payload)
    assert parts.ready_size == len(payload)
    assert parts.ready == message
    assert type(parts.take()) is type(message)
    assert parts.ready is None
    assert parts.take() is None


def test_fragments_make_one_message_of_the_first_frames_kind() -> None:
    for opcode, message in ((TEXT, "Hello"), (BINARY, b"Hello")):
        parts = assembler()
        assert feed(parts, opcode, False, b"Hel")
        assert feed(parts, CONTINUATION, False, b"")
        assert parts.ready is None
        assert feed(parts, CONTINUATION, True, b"l", b"o")
        assert parts.ready_size == 5
        assert parts.take() == message


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize(
    "sizes",
    [
        [1023],
        [1024],
        [1025],
        [1023, 1],
        [1023, 1023],
        [1024, 1024],
        [1, 1024, 1, 1, 5000, 1],
        [5000, 0, 7],
        [0, 0],
    ],
)
def test_chunks_of_any_size_are_joined_in_their_order(opcode: Opcode, sizes: list[int]) -> None:
    chunks = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    whole = b"".join(chunks)
    expected = whole if opcode is BINARY else whole.decode("ascii")
    in_one_frame = assembler()
    assert feed(in_one_frame, opcode, True, *chunks)
    assert in_one_frame.take() == expected
    in_frames = assembler()
    for number, chunk in enumerate(chunks):
        assert feed(in_frames, opcode if number == 0 else CONTINUATION, False, chunk)
    assert feed(in_frames, CONTINUATION, True, b"")
    assert in_frames.take() == expected


def test_one_message_after_another() -> None:
    parts = assembler()
    taken = []
    for opcode, payload in [(TEXT, b"one"), (BINARY, b"two"), (TEXT, b"three")]:
        assert feed(parts, opcode, False, payload[:2])
        assert feed(parts, CONTINUATION, True, payload[2:])
        assert parts.ready_size == len(payload)
        taken.append(parts.take())
    assert taken == ["one", b"two", "three"]


# Size.


@pytest.mark.parametrize("limit", [0, 1, 125, 126, 65_535, 65_536])
def test_a_message_may_be_as_long_as_the_limit_and_fails_at_the_header_above(limit: int) -> None:
    parts = assembler(size=limit)
    assert feed(parts, BINARY, True, bytes(limit))
    assert not parts.begin_frame(BINARY, True, limit + 1)
    assert parts.violation is Violation.MESSAGE_TOO_BIG


def test_all_fragments_count_together() -> None:
    parts = assembler(size=10)
    assert feed(parts, BINARY, False, bytes(6))
    assert feed(parts, CONTINUATION, False, bytes(4))
    assert feed(parts, CONTINUATION, False, b"")
    assert not parts.begin_frame(CONTINUATION, True, 1)
    assert parts.violation is Violation.MESSAGE_TOO_BIG


def test_the_next_message_counts_from_zero() -> None:
    parts = assembler(size=10)
    for _ in range(5):
        assert feed(parts, BINARY, True, bytes(10))


@pytest.mark.parametrize("declared", [2**31, 2**32 + 1, 2**63 - 1])
def test_a_huge_frame_is_refused_by_its_header(declared: int) -> None:
    parts = assembler(size=2**20)
    assert feed(parts, BINARY, False, bytes(100))
    assert not parts.begin_frame(CONTINUATION, True, declared)
    assert parts.violation is Violation.MESSAGE_TOO_BIG


def test_without_a_limit_no_sum_is_too_big() -> None:
    parts = assembler(size=None)
    assert parts.begin_frame(BINARY, False, 2**63 - 1)
    assert parts.begin_frame(CONTINUATION, False, 2**63 - 1)
    assert parts.violation is None


# Fragments.


def test_a_message_has_a_limited_number_of_fragments() -> None:
    parts = assembler(fragments=3)
    for _ in range(2):  # the count starts again with each message
        assert feed(parts, TEXT, False, b"a")
        assert feed(parts, CONTINUATION, False, b"b")
        assert feed(parts, CONTINUATION, True, b"c")
        assert parts.take() == "abc"
    assert feed(parts, TEXT, False, b"a")
    assert feed(parts, CONTINUATION, False, b"")
    assert feed(parts, CONTINUATION, False, b"c")
    assert not parts.begin_frame(CONTINUATION, True, 0)
    assert parts.violation is Violation.TOO_MANY_FRAGMENTS


def test_empty_fragments_in_a_row_are_limited() -> None:
    parts = assembler(empty=2)
    assert feed(parts, TEXT, False, b"")
    assert feed(parts, CONTINUATION, False, b"")
    assert feed(parts, CONTINUATION, False, b"x")  # the row ends
    assert feed(parts, CONTINUATION, False, b"")
    assert feed(parts, CONTINUATION, False, b"")
    assert not parts.begin_frame(CONTINUATION, False, 0)
    assert parts.violation is Violation.TOO_MANY_EMPTY_FRAGMENTS


def test_an_empty_last_fragment_is_no_flood_and_a_message_ends_the_row() -> None:
    parts = assembler(empty=2)
    for _ in range(3):
        assert feed(parts, TEXT, False, b"")
        assert feed(parts, CONTINUATION, False, b"")
        assert feed(parts, CONTINUATION, True, b"")
        assert parts.take() == ""


def test_fragments_without_limits_are_taken() -> None:
    parts = assembler(size=None, fragments=None, empty=None)
    assert feed(parts, BINARY, False, b"")
    for _ in range(20_000):
        assert feed(parts, CONTINUATION, False, b"")
    assert feed(parts, CONTINUATION, True, b"x")
    assert parts.take() == b"x"


def test_the_default_limits_leave_room_for_fine_fragments() -> None:
    parts = MessageAssembler(Limits())  # 1 MiB in fragments of 64 bytes: 16,384 of them
    assert feed(parts, BINARY, False, bytes(64))
    for _ in range(16_382):
        assert feed(parts, CONTINUATION, False, bytes(64))
    assert feed(parts, CONTINUATION, True, bytes(64))
    assert parts.take() == bytes(1_048_576)


# Text.


@pytest.mark.parametrize(
    "payload", [b"\xff", b"abc\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"x\xe2\x82"]
)
def test_text_in_one_piece_is_valid_or_fails(payload: bytes) -> None:
    parts = assembler()
    assert not feed(parts, TEXT, True, payload)
    assert parts.violation is Violation.INVALID_UTF8
    assert parts.ready is None


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xf4\x90\x80\x80edited", 8),
        (b"ab\xed\xa0\x80", 3),
        (b"\xc0\xaf", 0),
        (b"ab\xff", 2),
    ],
)
def test_text_fails_at_its_first_impossible_byte(data: bytes, place: int) -> None:
    in_one_frame = assembler()
    assert in_one_frame.begin_frame(TEXT, True, len(data))
    in_frames = assembler()
    for index in range(place + 1):
        byte, good = data[index : index + 1], index < place
        assert in_one_frame.add(byte, index + 1 == len(data)) is good
        assert feed(in_frames, CONTINUATION if index else TEXT, False, byte) is good
    assert in_one_frame.violation is in_frames.violation is Violation.INVALID_UTF8


def test_a_code_point_may_be_cut_by_chunks_and_frames_but_not_by_the_end() -> None:
    parts = assembler()
    assert feed(parts, TEXT, False, b"\xf0", b"\x9f")
    assert feed(parts, CONTINUATION, False, b"\x98")
    assert feed(parts, CONTINUATION, True, b"\x80")
    assert parts.take() == "\U0001f600"
    assert feed(parts, TEXT, False, b"\xf0\x9f")
    assert not feed(parts, CONTINUATION, True, b"\x98")
    assert parts.violation is Violation.INVALID_UTF8
    assert parts.ready is None


def test_an_unfinished_code_point_fails_at_an_empty_end_too() -> None:
    parts = assembler()
    assert feed(parts, TEXT, False, b"\xc3")
    assert not feed(parts, CONTINUATION, True, b"")
    assert parts.violation is Violation.INVALID_UTF8


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(max_size=40), st.binary(max_size=60)),
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=6),
)
def test_any_message_in_any_fragments_and_chunks_comes_out_as_it_was(
    message: str | bytes, plan: list[list[int]]
) -> None:
    data = message.encode("utf-8") if isinstance(message, str) else message
    parts, opcode = assembler(empty=None), TEXT if isinstance(message, str) else BINARY
    for sizes in plan:
        chunks = []
        for size in sizes:
            chunks.append(data[:size])
            data = data[size:]
        assert feed(parts, opcode, False, *chunks)
        opcode = CONTINUATION
    assert feed(parts, opcode, True, data)
    assert parts.take() == message


def test_what_is_forgotten_is_not_kept() -> None:
    parts = assembler()
    assert feed(parts, BINARY, False, bytes(5000), b"tail")
    parts.forget()
    assert feed(parts, BINARY, True, b"new")
    assert parts.take() == b"new"


# Text and binary messages may have limits of their own.

SIZES: list[tuple[int | None, int | None, int | None, int | None, int | None]] = [
    # max_message_size, max_text_size, max_binary_size: what a text and a binary message may have
    (100, None, None, 100, 100),
    (100, 10, None, 10, 100),
    (100, None, 10, 100, 10),
    (100, 10, 20, 10, 20),
    (100, 0, 0, 0, 0),
    (100, 200, 200, 100, 100),  # the common one counts as well
    (None, 10, None, 10, None),
    (None, None, 10, None, 10),
    (None, None, None, None, None),
]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize(("message", "text", "binary", "text_limit", "binary_limit"), SIZES)
def test_the_smaller_limit_counts_for_each_kind_of_message(
    streaming: bool,
    message: int | None,
    text: int | None,
    binary: int | None,
    text_limit: int | None,
    binary_limit: int | None,
) -> None:
    limits = Limits(max_message_size=message, max_text_size=text, max_binary_size=binary)
    parts = MessageAssembler(limits, streaming=streaming)
    for opcode, limit in ((TEXT, text_limit), (BINARY, binary_limit), (TEXT, text_limit)):
        if limit is None:
            assert parts.begin_frame(opcode, True, 2**40)
            continue
        assert feed(parts, opcode, False, bytes(limit // 2))
        assert feed(parts, CONTINUATION, True, bytes(limit - limit // 2))
        assert parts.take() is not None
        assert not parts.begin_frame(opcode, True, limit + 1)
        assert parts.violation is Violation.MESSAGE_TOO_BIG


# Streaming.

SNOWMAN, GRIN = "\u2603", "\U0001f600"
Frames = list[tuple[bool, list[bytes]]]  # FIN, and the chunks in which the payload comes
Parts = list[tuple[str | bytes, bool]]


def stream(opcode: Opcode, frames: Frames) -> tuple[Parts, MessageAssembler]:
    """Let a message come in frames and chunks; return its fragments, up to a fault if there is one."""
    parts, given, fits = MessageAssembler(Limits(max_empty_fragments=None), streaming=True), Parts(), True
    for final, chunks in frames:
        assert parts.begin_frame(opcode, final, sum(map(len, chunks)))
        opcode = CONTINUATION
        for number, chunk in enumerate(chunks, 1):
            assert fits
            fits = parts.add(chunk, number == len(chunks))
            fragment = parts.take()
            if fragment is not None:
                assert isinstance(fragment, Fragment)
                given.append((fragment.data, fragment.final))
    assert fits is (parts.violation is None)
    return given, parts


STREAMED: list[tuple[str, Opcode, Frames, Parts]] = [
    ("a frame", TEXT, [(True, [b"Hello"])], [("Hello", True)]),
    ("a binary frame", BINARY, [(True, [b"\xff\x00"])], [(b"\xff\x00", True)]),
    ("nothing", TEXT, [(True, [b""])], [("", True)]),
    ("nothing, binary", BINARY, [(True, [b""])], [(b"", True)]),
    ("chunks", TEXT, [(True, [b"Hel", b"lo"])], [("Hel", False), ("lo", True)]),
    ("binary chunks", BINARY, [(True, [b"a", b"b", b"c"])], [(b"a", False), (b"b", False), (b"c", True)]),
    ("frames", BINARY, [(False, [b"ab"]), (True, [b"c"])], [(b"ab", False), (b"c", True)]),
    ("an empty frame first", TEXT, [(False, [b""]), (True, [b"a"])], [("a", True)]),
    (
        "an empty frame between",
        TEXT,
        [(False, [b"a"]), (False, [b""]), (True, [b"b"])],
        [("a", False), ("b", True)],
    ),
    ("an empty frame last", TEXT, [(False, [b"a"]), (True, [b""])], [("a", False), ("", True)]),
    ("only empty frames", BINARY, [(False, [b""]), (False, [b""]), (True, [b""])], [(b"", True)]),
    ("not complete", BINARY, [(False, [b"ab", b"cd"])], [(b"ab", False), (b"cd", False)]),
    (
        "a code point in three chunks",
        TEXT,
        [(True, [b"a\xe2", b"\x98", b"\x83b"])],
        [("a", False), (SNOWMAN + "b", True)],
    ),
    (
        "a code point in four frames",
        TEXT,
        [(False, [b"\xf0"]), (False, [b"\x9f"]), (False, [b"\x98"]), (True, [b"\x80"])],
        [(GRIN, True)],
    ),
    (
        "a code point that ends before the message",
        TEXT,
        [(False, [b"\xe2\x98"]), (False, [b"\x83"]), (True, [b""])],
        [(SNOWMAN, False), ("", True)],
    ),
    ("half a code point", TEXT, [(False, [b"x\xe2\x98"])], [("x", False)]),
]


@pytest.mark.parametrize(
    ("opcode", "frames", "expected"), [row[1:] for row in STREAMED], ids=[row[0] for row in STREAMED]
)
def test_a_message_comes_out_in_parts_as_it_arrives(opcode: Opcode, frames: Frames, expected: Parts) -> None:
    given, parts = stream(opcode, frames)
    assert [(type(data), data, final) for data, final in given] == [
        (type(data), data, final) for data, final in expected
    ]
    assert parts.violation is None


FAULTS: list[tuple[str, Frames, Parts]] = [
    ("at once", [(True, [b"\xff"])], []),
    ("behind text", [(True, [b"ab\xff"])], [("ab", False)]),
    ("in a later chunk", [(True, [b"ab", b"c\xff"])], [("ab", False), ("c", False)]),
    ("in a later frame", [(False, [b"ab"]), (False, [b"\x80"])], [("ab", False)]),
    ("a surrogate", [(True, [b"a\xed\xa0\x80"])], [("a", False)]),
    ("a surrogate seen at its second byte", [(False, [b"a\xed", b"\xa0"])], [("a", False)]),
    ("a code point and half a one", [(True, [b"a\xe2", b"\x98\x83\xe2"])], [("a", False), (SNOWMAN, False)]),
    ("half a code point", [(True, [b"ab\xe2\x98"])], [("ab", False)]),
    ("half a code point and an empty end", [(False, [b"a\xc3"]), (True, [b""])], [("a", False)]),
]


@pytest.mark.parametrize(("frames", "expected"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_what_came_before_a_fault_is_given_and_never_called_complete(frames: Frames, expected: Parts) -> None:
    given, parts = stream(TEXT, frames)
    assert given == expected
    assert parts.violation is Violation.INVALID_UTF8


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(max_size=40), st.binary(max_size=60)),
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=6),
)
def test_any_message_in_any_fragments_and_chunks_can_be_joined_again(
    message: str | bytes, plan: list[list[int]]
) -> None:
    data = message.encode("utf-8") if isinstance(message, str) else message
    frames: Frames = []
    for sizes in plan:
        frames.append((False, []))
        for size in sizes:
            frames[-1][1].append(data[:size])
            data = data[size:]
    given, _ = stream(TEXT if isinstance(message, str) else BINARY, [*frames, (True, [data])])
    empty: Any = type(message)()
    assert empty.join(part for part, _ in given) == message
    assert [final for _, final in given] == [False] * (len(given) - 1) + [True]
    assert all(part for part, _ in given[:-1])  # nothing is given for nothing


def test_of_a_message_that_streams_nothing_is_kept() -> None:
    parts = MessageAssembler(Limits(max_message_size=None), streaming=True)
    assert parts.begin_frame(BINARY, True, 2**40)
    for _ in range(100):
        chunk = bytes(1000)
        assert parts.add(chunk, False)
        fragment = parts.take()
        assert isinstance(fragment, Fragment) and fragment.data is chunk
        assert (parts.ready, parts.ready_size) == (None, 1000)


@pytest.mark.parametrize(
    "chunks",
    [
        [b"a\xe2\x98\x83"],
        [b"a\xe2", b"\x98\x83"],
        [b"a", b"\xe2", b"\x98", b"\x83"],
    ],
)
def test_the_parts_of_a_text_are_charged_all_its_bytes(chunks: list[bytes]) -> None:
    parts, size = MessageAssembler(Limits(), streaming=True), 0
    assert parts.begin_frame(TEXT, True, 4)
    for number, chunk in enumerate(chunks, 1):
        assert parts.add(chunk, number == len(chunks))
        size += parts.ready_size if parts.take() is not None else 0
    assert size == 4


# Messages that an extension has marked.


def extended(
    limits: Limits | None = None, *, streaming: bool = False
) -> tuple[MessageAssembler, RunLengthCodec]:
    """Return an assembler that decodes runs, and its codec."""
    parts, extension = MessageAssembler(limits or Limits(), streaming=streaming), RunLength()
    codec = RunLengthCodec(extension)
    parts.use(codec)
    return parts, codec


def decode(
    parts: MessageAssembler, opcode: Opcode, *frames: bytes
) -> tuple[list[str | bytes | Fragment], bool]:
    """Let a marked message come, a chunk for each frame; return what came of it, and whether it was good."""
    given: list[str | bytes | Fragment] = []
    for number, payload in enumerate(frames, 1):
        final = number == len(frames)
        good = parts.begin_frame(opcode, final, len(payload), marked=opcode is not CONTINUATION)
        opcode = CONTINUATION
        good = good and parts.add(payload, True)
        while True:
            event = parts.take()
            given += [] if event is None else [event]
            if not good or not parts.decoding:
                break
            good = parts.step()
        if not good:
            return given, False
    return given, True


@pytest.mark.parametrize(
    ("opcode", "frames", "message"),
    [
        (TEXT, [b"\x03a\x02b"], "aaabb"),
        (BINARY, [b"\x03a\x02b"], b"aaabb"),
        (TEXT, [b""], ""),
        (TEXT, [b"\x03", b"a\x02", b"b"], "aaabb"),
        (TEXT, [b"\x01\xe2", b"\x01\x98\x01\x83"], SNOWMAN),
        (BINARY, [b"\xffa" * 400], b"a" * 255 * 400),  # 102,000 bytes: more than one step
    ],
)
def test_a_marked_message_is_decoded_and_one_that_is_not_stays_as_it_is(
    opcode: Opcode, frames: list[bytes], message: str | bytes
) -> None:
    parts, _ = extended()
    for _ in range(2):
        assert decode(parts, opcode, *frames) == ([message], True)
        assert parts.ready_size == len(message if isinstance(message, bytes) else message.encode())
        assert feed(parts, TEXT, True, b"\x03a")
        assert parts.take() == "\x03a"


def test_what_is_decoded_streams_in_bounded_parts() -> None:
    parts, _ = extended(Limits(max_message_size=None), streaming=True)
    given, good = decode(parts, BINARY, b"\xffa" * 600)
    assert good
    fragments = [part for part in given if isinstance(part, Fragment)]
    assert fragments == given
    assert max(len(fragment.data) for fragment in fragments) <= 65_536 < 255 * 600
    assert b"".join(part.data for part in fragments if isinstance(part.data, bytes)) == b"a" * (255 * 600)
    assert [fragment.final for fragment in fragments] == [False] * (len(fragments) - 1) + [True]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize(("opcode", "limit"), [(TEXT, 100), (BINARY, 300)])
def test_a_marked_message_counts_decoded(streaming: bool, opcode: Opcode, limit: int) -> None:
    parts, _ = extended(Limits(max_message_size=300, max_text_size=100), streaming=streaming)
    given, good = decode(parts, opcode, pack(b"a" * limit))
    assert good and given
    given, good = decode(parts, opcode, pack(b"a" * (limit + 1)))
    assert not good
    assert parts.violation is Violation.MESSAGE_TOO_BIG
    assert not any(not isinstance(event, Fragment) or event.final for event in given)


def test_a_marked_message_may_be_a_little_longer_on_the_wire_but_no_more() -> None:
    # Data that does not compress grows: by five bytes for 16 KiB, and by five more for each flush.
    for limit in (0, 100, 10_000):
        parts, _ = extended(Limits(max_message_size=limit))
        assert parts.begin_frame(BINARY, True, limit + limit // 4 + 1024, marked=True)
        assert not parts.begin_frame(BINARY, True, limit + limit // 4 + 1025, marked=True)
        assert parts.violation is Violation.MESSAGE_TOO_BIG
        assert parts.begin_frame(BINARY, True, limit)
        assert not parts.begin_frame(BINARY, True, limit + 1)  # it is not marked


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize(
    ("payload", "violation"),
    [
        (b"\x00a", Violation.COMPRESSED_DATA),
        (b"\x01a\x01", Violation.COMPRESSED_DATA),  # half a pair at the end
        (b"\x01\xff", Violation.INVALID_UTF8),
        (b"\x01\xe2", Violation.INVALID_UTF8),
    ],
)
def test_a_fault_in_a_marked_message_is_found(streaming: bool, payload: bytes, violation: Violation) -> None:
    parts, _ = extended(streaming=streaming)
    assert decode(parts, TEXT, payload)[1] is False
    assert parts.violation is violation


def test_what_nobody_will_see_is_not_decoded_but_its_end_is_told() -> None:
    parts, codec = extended()
    parts.skipping = True
    assert decode(parts, TEXT, b"\x00 not even valid", b"more") == ([b""], True)
    assert (parts.ready_size, codec.calls) == (0, [])
    assert not feed(parts, TEXT, True, b"\xff")  # what is not marked costs little to check


def test_what_was_forgotten_is_not_decoded_on() -> None:
    parts, codec = extended(Limits(max_message_size=None))
    assert parts.begin_frame(BINARY, True, 800, marked=True)
    assert parts.add(b"\xffa" * 400, True)
    assert parts.decoding
    parts.forget()
    assert not parts.decoding
    asked = list(codec.calls)
    assert not parts.decoding and codec.calls == asked


@pytest.mark.parametrize(
    ("limits", "streaming", "limit"),
    [
        (Limits(), False, 65535),
        (Limits(max_message_size=None), False, 65535),
        (Limits(max_message_size=10), False, 10),
        (Limits(max_message_size=10, max_text_size=7), False, 7),
        (Limits(max_message_size=None, max_binary_size=0), False, 0),
        (Limits(max_fragments=1), False, 65535),
        (Limits(max_fragments=0), False, -1),
        (Limits(), True, -1),
    ],
)
def test_how_long_a_message_in_one_frame_may_be_that_needs_no_assembly(
    limits: Limits, streaming: bool, limit: int
) -> None:
    assert MessageAssembler(limits, streaming=streaming).whole_limit() == limit
