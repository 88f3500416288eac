"""JSON in text messages: compact and exact going out, and strict as RFC 8259 coming in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscore import LocalProtocolError
from wscore.policy._json import decode_json, encode_json

VALUES: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (-1.5, "-1.5"),
    ("grüße \U0001f600", '"grüße \U0001f600"'),  # not escaped: a text message is UTF-8
    ('"\\\n\x00', r'"\"\\\n\u0000"'),
    ([1, 2, [3]], "[1,2,[3]]"),
    ((1, 2), "[1,2]"),
    ({"a": 1, "b": {}}, '{"a":1,"b":{}}'),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_values_are_written_without_a_superfluous_character(value: object, text: str) -> None:
    assert encode_json(value) == text


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def in_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        [float("-inf")],
        object(),
        {1, 2},
        b"bytes",
        {(1, 2): 3},
        in_itself(),
        nested(100_000),
        10**10_000,  # more digits than Python writes
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_has_no_form_for_is_the_callers_mistake(value: object) -> None:
    with pytest.raises(LocalProtocolError, match="not representable as JSON") as raised:
        encode_json(value)
    assert raised.value.__suppress_context__  # the story of the encoder is no help


@pytest.mark.parametrize("encode", [str, str.encode], ids=["text", "binary"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"grüße \U0001f600"', "grüße \U0001f600"),
        (' { "a" : [ 1 , 2.5e3 , null , false ] } \r\n', {"a": [1, 2500.0, None, False]}),
        (r'"\ud83d\ude00"', "\U0001f600"),
        ("-0", 0),
    ],
)
def test_text_and_utf_8_are_read_alike(text: str, value: object, encode: Any) -> None:
    assert decode_json(encode(text)) == value


MALFORMED = ["", "{", "[1,]", "{'a':1}", "1 2", "\ufeff1", '"\n"', "01", "NaN", "Infinity", "[-Infinity]"]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    for message in (text, text.encode()):
        with pytest.raises(ValueError):  # noqa: PT011  # of many kinds; the class is the promise
            decode_json(message)


@pytest.mark.parametrize(
    "message",
    [
        '"a"'.encode("utf-16"),
        '"a"'.encode("utf-16-le"),
        '"a"'.encode("utf-32-be"),
        b'"\xff"',
        b'"\xed\xa0\x80"',  # a surrogate
        b'"\xc0\x80"',  # longer than need be
    ],
)
def test_a_binary_message_in_another_encoding_is_not_guessed_at(message: bytes) -> None:
    """RFC 8259 section 8.1: between systems JSON is UTF-8."""
    with pytest.raises(ValueError):  # noqa: PT011
        decode_json(message)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_bomb_of_brackets_is_a_value_error(opening: str, closing: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json(opening * 100_000 + "1" + closing * 100_000)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(documents)
def test_what_was_written_is_read_again(value: object) -> None:
    text = encode_json(value)
    assert decode_json(text) == value
    assert decode_json(text.encode()) == value
