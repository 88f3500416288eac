"""UTF-8 is refused at the first impossible byte, wherever the stream was cut."""

from collections.abc import Iterator
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._utf8 import Utf8Validator

# The oracle: RFC 3629 section 4 (Unicode table 3-7) as an automaton, written out by hand. For each
# state, the ranges of bytes that may follow and the state they lead to; "" is between code points.
T1, T2, T3 = "one to come", "two to come", "three to come"
RULES: dict[str, list[tuple[int, int, str]]] = {
    "": [
        (0x00, 0x7F, ""),
        (0xC2, 0xDF, T1),
        (0xE0, 0xE0, "after E0"),
        (0xE1, 0xEC, T2),
        (0xED, 0xED, "after ED"),
        (0xEE, 0xEF, T2),
        (0xF0, 0xF0, "after F0"),
        (0xF1, 0xF3, T3),
        (0xF4, 0xF4, "after F4"),
    ],
    T1: [(0x80, 0xBF, "")],
    T2: [(0x80, 0xBF, T1)],
    T3: [(0x80, 0xBF, T2)],
    "after E0": [(0xA0, 0xBF, T1)],
    "after ED": [(0x80, 0x9F, T1)],
    "after F0": [(0x90, 0xBF, T2)],
    "after F4": [(0x80, 0x8F, T2)],
}

# Both ends of every class of bytes that the table tells apart.
ENDS = bytes.fromhex("00 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")
ONE_OF_EACH = bytes.fromhex("41 80 90 a0 c1 c2 e0 e1 ed ee f0 f1 f4 f5")


def first_impossible(data: bytes) -> tuple[int | None, bool]:
    """Return where data stops being the start of valid text, or None and whether it is complete."""
    state = ""
    for index, byte in enumerate(data):
        following = [then for low, high, then in RULES[state] if low <= byte <= high]
        if not following:
            return index, False
        state = following[0]
    return None, state == ""


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Cut data in every possible way."""
    for cutting in product([False, True], repeat=len(data) - 1):
        chunks = [data[:1]]
        for index, cut in enumerate(cutting, 1):
            if cut:
                chunks.append(b"")
            chunks[-1] += data[index : index + 1]
        yield chunks


def starts(values: bytes) -> list[bytes]:
    """Return every pair of values that is the start of a longer code point.

    Any other pair is over, for good or for bad, and what follows it is a sequence of its own.
    """
    pairs = [bytes(pair) for pair in product(values, repeat=2)]
    return [pair for pair in pairs if first_impossible(pair) == (None, False) and pair[0] > 0x7F]


def check(chunks: list[bytes]) -> None:
    """Feed chunks and compare each answer with the oracle's."""
    place, complete = first_impossible(b"".join(chunks))
    validator = Utf8Validator()
    taken = 0
    for chunk in chunks:
        taken += len(chunk)
        possible = place is None or taken <= place
        assert validator.feed(chunk) is possible, chunks
        if not possible:
            return
    assert validator.finish() is complete, chunks


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_short_sequence_in_every_cutting(length: int) -> None:
    for values in product(ENDS, repeat=length):
        for chunks in cuts(bytes(values)):
            check(chunks)


def test_every_sequence_of_four_classes_in_every_cutting() -> None:
    for start in starts(ONE_OF_EACH):
        for rest in product(ONE_OF_EACH, repeat=2):
            for chunks in cuts(start + bytes(rest)):
                check(chunks)


def test_every_end_of_every_class_in_sequences_of_four() -> None:
    for start in starts(ENDS):
        for rest in product(ENDS, repeat=2):
            check([start + bytes(rest)])
            check([start, bytes(rest)])


def test_every_code_point_is_valid() -> None:
    validator = Utf8Validator()
    for start in range(0, 0x110000, 0x800):
        if start != 0xD800:  # the surrogates
            text = "".join(map(chr, range(start, start + 0x800)))
            assert validator.feed(text.encode("utf-8"))
            assert validator.finish()


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12),  # above U+10FFFF
        (b"\xed\xa0\x80", 1),  # a surrogate
        (b"ab\xed\xbf\xbf", 3),
        (b"\xc0\xaf", 0),  # overlong
        (b"\xe0\x80\xaf", 1),
        (b"\xf0\x80\x80\xaf", 1),
        (b"\xe2\x28\xa1", 1),
        (b"a\x80", 1),
    ],
)
def test_well_known_attacks_fail_at_their_first_impossible_byte(data: bytes, place: int) -> None:
    assert first_impossible(data)[0] == place  # the oracle knows them, too
    validator = Utf8Validator()
    assert all(validator.feed(data[index : index + 1]) for index in range(place))
    assert not validator.feed(data[place : place + 1])


def test_an_empty_chunk_changes_nothing() -> None:
    validator = Utf8Validator()
    for chunk in (b"", b"\xe2", b"", b"\x82", b"", b"\xac", b""):
        assert validator.feed(chunk)
    assert validator.finish()


def test_after_the_end_of_a_text_the_next_one_starts_clean() -> None:
    validator = Utf8Validator()
    assert validator.feed(b"a\xf0\x9f")
    assert not validator.finish()
    assert validator.finish()
    assert not validator.feed(b"\x98")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 160), max_size=6))
def test_valid_text_passes_in_any_cutting(text: str, places: list[int]) -> None:
    data = text.encode("utf-8")
    borders = sorted({0, len(data), *(place for place in places if place < len(data))})
    check([data[start:end] for start, end in pairwise(borders)])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=6))
def test_any_bytes_are_judged_like_the_table_judges_them(chunks: list[bytes]) -> None:
    check(chunks)


@pytest.mark.parametrize(
    ("chunks", "texts", "valid"),
    [
        ([b"ab", b"", b"c"], ["ab", "", "c"], True),
        ([b"a\xe2", b"\x98", b"\x83b"], ["a", "", "\u2603b"], True),
        ([b"\xf0\x9f", b"\x98\x80\xc3", b"\xa9"], ["", "\U0001f600", "\xe9"], True),
        ([b"ab\xff", b"cd"], ["ab"], False),
        ([b"\xff"], [""], False),
        ([b"a\xe2", b"\x98\x83x\x80"], ["a", "\u2603x"], False),
        ([b"a\xe2", b"b"], ["a", ""], False),
        ([b"a\xed", b"\xa0"], ["a", ""], False),
        ([b"ab\xed\xa0"], ["ab"], False),
        ([b"ab\xed\xa0\x80"], ["ab"], False),
    ],
)
def test_each_chunk_gives_the_text_that_it_completes_up_to_the_first_impossible_byte(
    chunks: list[bytes], texts: list[str], valid: bool
) -> None:
    validator, given, good = Utf8Validator(), list[str](), True
    assert validator.text == ""
    for chunk in chunks:
        good = validator.feed(chunk)
        given.append(validator.text)
        if not good:
            break
    assert (given, good) == (texts, valid)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=6))
def test_the_text_of_all_chunks_is_what_the_table_calls_complete(chunks: list[bytes]) -> None:
    data, validator, text = b"".join(chunks), Utf8Validator(), ""
    for chunk in chunks:
        good = validator.feed(chunk)
        text += validator.text
        if not good:
            break
    valid = data[: first_impossible(data)[0]]
    while first_impossible(valid) == (None, False):
        valid = valid[:-1]  # an unfinished code point is still to come
    assert text == valid.decode("utf-8")
