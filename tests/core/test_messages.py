"""From fragments to messages: size limits, and text that is valid or fails."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._codes import Opcode
from wscore._config import Limits
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
    assert parts.size == len(payload)
    assert parts.message == message
    assert type(parts.take()) is type(message)
    assert parts.message is None
    assert parts.take() is None


def test_fragments_make_one_message_of_the_first_frames_kind() -> None:
    for opcode, message in ((TEXT, "Hello"), (BINARY, b"Hello")):
        parts = assembler()
        assert feed(parts, opcode, False, b"Hel")
        assert feed(parts, CONTINUATION, False, b"")
        assert parts.message is None
        assert feed(parts, CONTINUATION, True, b"l", b"o")
        assert parts.size == 5
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
        assert parts.size == len(payload)
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
    assert parts.message is None


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
    assert parts.message is None


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
