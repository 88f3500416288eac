"""Tokens, lists and extension offers: read every byte or refuse."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._grammar import (
    ExtensionOffer,
    format_extensions,
    has_token,
    is_field_value,
    is_token,
    parse_extensions,
    parse_tokens,
)

# RFC 9110 section 5.6.2.
TCHAR = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters

tokens = st.text(alphabet=TCHAR, min_size=1, max_size=8)
offers = st.builds(
    ExtensionOffer, tokens, st.lists(st.tuples(tokens, st.none() | tokens), max_size=4).map(tuple)
)


@pytest.mark.parametrize("byte", range(256))
def test_a_token_is_made_of_tchar_alone(byte: int) -> None:
    expected = chr(byte) in TCHAR
    assert is_token(bytes([byte])) is expected
    assert is_token(b"a" + bytes([byte]) + b"a") is expected


def test_a_token_is_not_empty() -> None:
    assert not is_token(b"")


@pytest.mark.parametrize("byte", range(256))
def test_a_field_value_has_no_control_but_tab_inside(byte: int) -> None:
    # RFC 9110 section 5.5: VCHAR, obs-text, and blanks between them.
    assert is_field_value(b"a" + bytes([byte]) + b"a") is (byte == 9 or 32 <= byte <= 126 or byte >= 128)
    assert is_field_value(bytes([byte])) is (33 <= byte <= 126 or byte >= 128)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (b"", True),
        (b"a b\tc", True),
        (b" a", False),
        (b"a ", False),
        (b"\ta", False),
        (b"a\t", False),
        (b"\x85a\xa0", True),  # bytes of obs-text are not blanks
        (b"a\r\nb", False),
        (b"a\n", False),
    ],
)
def test_a_field_value_has_no_outer_blanks(value: bytes, good: bool) -> None:
    assert is_field_value(value) is good


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b" \t", []),
        (b"chat", ["chat"]),
        (b"chat, superchat", ["chat", "superchat"]),
        (b"chat,superchat", ["chat", "superchat"]),
        (b" \tchat\t ,\tsuperchat ", ["chat", "superchat"]),
        (b",, chat, ,superchat,", ["chat", "superchat"]),  # 5.6.1.2: empty elements are ignored
        (b"b, a, b", ["b", "a", "b"]),
        (b"Chat", ["Chat"]),
        (b"a b", None),
        (b"a;b", None),
        (b'"a"', None),
        (b"a,\x0bb", None),
        (b"a,\xa0", None),
        (b"\x85", None),
        (b"a,b\x00", None),
    ],
)
def test_a_list_of_tokens(value: bytes, expected: list[str] | None) -> None:
    assert parse_tokens(value, 32, 1024) == expected


def test_a_list_of_tokens_has_a_limit_that_empty_elements_do_not_touch() -> None:
    assert parse_tokens(b"a,b,c", 3, 8) == ["a", "b", "c"]
    assert parse_tokens(b"a,b,c,,", 3, 8) == ["a", "b", "c"]
    assert parse_tokens(b"a,b,c,d", 3, 8) is None
    assert parse_tokens(b"a", 0, 8) is None


def test_a_token_in_a_list_has_a_longest_length() -> None:
    assert parse_tokens(b" abcd ", 3, 4) == ["abcd"]
    assert parse_tokens(b"abcde", 3, 4) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(tokens, max_size=10), st.sampled_from([",", ", ", "\t,,  "]))
def test_a_list_of_tokens_survives_a_round_trip(names: list[str], separator: str) -> None:
    assert parse_tokens(separator.join(names).encode("ascii"), 10, 8) == names


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"websocket", True),
        (b"WebSocket", True),
        (b"h2c, WEBSOCKET", True),
        (b"\twebsocket ,x", True),
        (b"notwebsocket", False),
        (b"websocket/13", False),
        (b"web socket", False),
        (b"websoc\xe2\x84\xaaet", False),  # the Kelvin sign is not a k
        (b"websocket\xa0", False),
        (b"websocket\x0b", False),
        (b"", False),
        (b",", False),
    ],
)
def test_a_list_names_a_token_whole_and_without_case(value: bytes, found: bool) -> None:
    assert has_token(value, b"websocket") is found


def _offer(name: str, *parameters: tuple[str, str | None]) -> ExtensionOffer:
    return ExtensionOffer(name, parameters)


DEFLATE = "permessage-deflate"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"foo", [_offer("foo")]),
        (b" \tfoo\t ", [_offer("foo")]),
        (b"foo, bar", [_offer("foo"), _offer("bar")]),
        (b"foo;a", [_offer("foo", ("a", None))]),
        (b"foo ; a ; b = 1 ;c=\t2", [_offer("foo", ("a", None), ("b", "1"), ("c", "2"))]),
        (b"foo;a=1;a=1;a", [_offer("foo", ("a", "1"), ("a", "1"), ("a", None))]),
        # RFC 6455 section 9.1: a quoted value, once unescaped, must be a token.
        (b'foo; a="1"', [_offer("foo", ("a", "1"))]),
        (b'foo; a=" 1"', None),
        (b'foo; a="1" ; b, bar', [_offer("foo", ("a", "1"), ("b", None)), _offer("bar")]),
        (b'foo; a="\\1\\0"', [_offer("foo", ("a", "10"))]),
        (b'foo; a="1,2"', None),
        (b'foo; a="1;2"', None),
        (b'foo; a=""', None),
        (b'foo; a="\\""', None),
        (b'foo; a="\\\xff"', None),
        (b'foo; a="\\\n"', None),
        (b'foo; a="1', None),
        (b'foo; a="1\\"', None),
        (b'foo; a="1"2', None),
        # RFC 7692 section 7.1.
        (
            b"permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
            [
                _offer(DEFLATE, ("client_max_window_bits", None), ("server_max_window_bits", "10")),
                _offer(DEFLATE),
            ],
        ),
        # RFC 9110 section 5.6.1.2: empty elements are ignored, but a list of them alone is no list.
        (b"foo,", [_offer("foo")]),
        (b", ,foo", [_offer("foo")]),
        (b"foo;a , ,\t,bar ,, ", [_offer("foo", ("a", None)), _offer("bar")]),
        (b"", None),
        (b" ", None),
        (b",", None),
        (b" ,\t, ", None),
        (b";a", None),
        (b"foo;", None),
        (b"foo; ;a", None),
        (b"foo;=1", None),
        (b"foo;a=", None),
        (b"foo;a= ,bar", None),
        (b"foo;a=1=2", None),
        (b"foo bar", None),
        (b"foo;a b", None),
        (b"foo\xa0", None),
        (b"foo\x00", None),
        (b"foo\x0b;a", None),
        (b'"foo"', None),
    ],
)
def test_a_field_of_extensions(value: bytes, expected: list[ExtensionOffer] | None) -> None:
    assert parse_extensions(value, 16, 1024) == expected


def test_extensions_have_a_limit() -> None:
    assert parse_extensions(b"a,b", 2, 8) == [_offer("a"), _offer("b")]
    assert parse_extensions(b",a,,b,,", 2, 8) == [_offer("a"), _offer("b")]
    assert parse_extensions(b"a,b,c", 2, 8) is None


def test_one_extension_has_a_longest_length_with_its_parameters() -> None:
    assert parse_extensions(b"foo;a=12", 2, 8) == [_offer("foo", ("a", "12"))]
    assert parse_extensions(b"foo;a=123", 2, 8) is None
    assert parse_extensions(b"foo;a=12,bar;a=12", 2, 8) == [
        _offer("foo", ("a", "12")),
        _offer("bar", ("a", "12")),
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(offers, min_size=1, max_size=5))
def test_extensions_survive_a_round_trip(written: list[ExtensionOffer]) -> None:
    assert parse_extensions(format_extensions(written).encode("ascii"), 5, 1024) == written


def test_offers_are_written_as_rfc_7692_writes_them() -> None:
    written = [
        _offer(DEFLATE, ("client_max_window_bits", None), ("server_max_window_bits", "10")),
        _offer("x"),
    ]
    assert format_extensions(written) == (
        "permessage-deflate; client_max_window_bits; server_max_window_bits=10, x"
    )


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet='ab,;=" \t\\\x00\x0b\xa0\xff', max_size=24))
def test_whatever_is_read_can_be_written_and_read_again(text: str) -> None:
    read = parse_extensions(text.encode("latin-1"), 24, 24)
    if read is not None:
        assert parse_extensions(format_extensions(read).encode("ascii"), 24, 1024) == read
