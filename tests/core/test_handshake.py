"""What both sides of the opening handshake share: tokens, one head through h11, and what may be sent."""

from types import MappingProxyType
from typing import Any

import h11
import pytest

from support.handshakes import ACCEPT, KEY, head
from wscore import Headers, HeadersLike, Limits, LocalProtocolError
from wscore._handshake import (
    accept_token,
    agent_field,
    as_text,
    by_name,
    check_outgoing_size,
    has_duplicates,
    is_key,
    joined,
    outgoing_fields,
    outgoing_text,
    read_event,
    reason_phrase,
    select_subprotocol,
    single,
)

LIMITS = Limits(max_line=20, max_head=100, max_headers=3)


def read_request(*lines: bytes) -> h11.Event | None:
    """Give a server's h11 one request with these lines."""
    return read_event(h11.Connection(h11.SERVER), head(b"GET / HTTP/1.1", [b"Host: h", *lines]))


def good_request(*lines: bytes) -> h11.Request:
    """Return a request that is good."""
    event = read_request(*lines)
    assert isinstance(event, h11.Request)
    return event


def client_h11() -> h11.Connection:
    """Return a client's h11 that has asked for an upgrade."""
    connection = h11.Connection(h11.CLIENT)
    fields = [("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    connection.send(h11.Request(method="GET", target="/", headers=fields))
    return connection


def test_the_accept_token_is_that_of_rfc_6455_section_1_3() -> None:
    assert accept_token(KEY) == ACCEPT


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (KEY, True),
        (b"A" * 22 + b"==", True),
        (b"/" * 21 + b"Q==", True),
        (b"+" * 21 + b"w==", True),
        (b"", False),
        (b"A" * 21 + b"B==", False),  # the last four bits of 16 bytes are zero
        (b"A" * 22, False),
        (b"A" * 24, False),
        (b"A" * 26 + b"==", False),
        (b" " + KEY, False),
        (KEY + b"\n", False),
        (b"-" * 21 + b"A==", False),
    ],
)
def test_a_key_is_sixteen_bytes_in_base64(value: bytes, good: bool) -> None:
    assert is_key(value) is good


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        ((), (), None),
        (("a",), (), None),
        ((), ("a",), None),
        (("a",), ("b",), None),
        (("a", "b"), ("b", "a"), "b"),
        (("Chat",), ("chat",), None),
    ],
)
def test_the_server_s_order_of_subprotocols_decides(
    offered: tuple[str, ...], supported: tuple[str, ...], chosen: str | None
) -> None:
    assert select_subprotocol(offered, supported) == chosen


def test_a_field_that_must_be_single_is_found_twice() -> None:
    singles = (b"host", b"origin")
    for name in singles:
        assert has_duplicates([name, b"cookie", name], singles)
        assert not has_duplicates([name, b"cookie", b"cookie"], singles)
    assert not has_duplicates([b"host", b"host"], (b"origin",))


def test_a_request_is_read() -> None:
    event = good_request(b"X-Name: caf\xe9")
    assert (event.method, event.target) == (b"GET", b"/")
    assert (b"x-name", b"caf\xe9") in list(event.headers)


@pytest.mark.parametrize(
    "line", [b"X: a\x01b", b"X: a\x1bb", b"X: a\x1cb", b"X: a\x7fb", b"no colon", b"X : y"]
)
def test_a_malformed_head_gives_nothing(line: bytes) -> None:
    assert read_request(line) is None


@pytest.mark.parametrize(
    ("start_line", "kind"),
    [
        (b"HTTP/1.1 101 Switching Protocols", h11.InformationalResponse),
        (b"HTTP/1.1 103 Early Hints", h11.InformationalResponse),
        (b"HTTP/1.1 404 Not Found", h11.Response),
        (b"HTTP/1.1 200 caf\xe9 \ta", h11.Response),
        (b"HTTP/1.1 200", h11.Response),
    ],
)
def test_a_response_is_read(start_line: bytes, kind: type[h11.Event]) -> None:
    assert isinstance(read_event(client_h11(), head(start_line, [b"Content-Length: 0"])), kind)


@pytest.mark.parametrize("control", [b"\x01", b"\x08", b"\x0b", b"\x1b", b"\x1c", b"\x7f"])
def test_a_reason_phrase_with_a_control_character_is_malformed(control: bytes) -> None:
    # RFC 9112 section 4: tabs, blanks, visible characters and obs-text.
    start_line = b"HTTP/1.1 401 a" + control + b"b"
    assert read_event(client_h11(), head(start_line, [b"Content-Length: 0"])) is None


def test_half_a_head_gives_nothing() -> None:
    assert read_event(h11.Connection(h11.SERVER), b"GET / HTTP/1.1\r\nHost: h\r\n") is None


def test_the_lines_of_a_list_are_joined_in_order() -> None:
    event = good_request(b"Connection: a, b", b"X: -", b"connection: c")
    found = by_name(event)
    assert joined(found, b"connection") == b"a, b, c"
    assert joined(found, b"upgrade") is None
    assert joined(by_name(good_request(b"Upgrade:")), b"upgrade") == b""


def test_a_single_value_is_found() -> None:
    event = good_request(b"Origin: http://h", b"X:")
    found = by_name(event)
    assert single(found, b"origin") == b"http://h"
    assert single(found, b"x") == b""
    assert single(found, b"cookie") is None


def test_fields_become_text_byte_for_byte() -> None:
    every_byte = bytes(range(256))
    assert as_text([(b"X", every_byte)]) == Headers([("X", "".join(map(chr, range(256))))])


@pytest.mark.parametrize(
    "headers",
    [
        [("X-A", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b")],
        (pair for pair in [("X-A", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]),
        Headers([("X-A", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]),
    ],
    ids=["list", "generator", "Headers"],
)
def test_outgoing_fields_keep_order_case_and_repetition(headers: HeadersLike) -> None:
    assert outgoing_fields(headers, frozenset()) == [
        (b"X-A", b"1"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]


def test_outgoing_fields_can_be_a_mapping() -> None:
    assert outgoing_fields({"X-A": "caf\xe9", "X-B": ""}, frozenset()) == [
        (b"X-A", b"caf\xe9"),
        (b"X-B", b""),
    ]


def test_another_mapping_than_a_dictionary_is_read_by_its_items() -> None:
    fields = MappingProxyType({"X-A": "1", "X-B": "2"})
    assert outgoing_fields(fields, frozenset()) == [(b"X-A", b"1"), (b"X-B", b"2")]


@pytest.mark.parametrize(
    "headers",
    [
        7,
        None,
        "X-A: 1",
        b"X-A: 1",
        ["X-A: 1"],
        [("X-A",)],
        [("X-A", "1", "2")],
        [("X-A", "1"), None],
        [7],
        pytest.param(object(), id="an object"),
    ],
    ids=repr,
)
def test_headers_of_another_shape_are_the_callers_mistake(headers: Any) -> None:
    with pytest.raises(TypeError, match="must be a mapping or pairs of name and value"):
        outgoing_fields(headers, frozenset())


def test_any_two_in_a_row_are_a_pair() -> None:
    pairs: Any = [["X-A", "1"], ("X-B", "2")]
    assert outgoing_fields(pairs, frozenset()) == [(b"X-A", b"1"), (b"X-B", b"2")]


def test_no_outgoing_fields() -> None:
    assert outgoing_fields((), frozenset({b"upgrade"})) == []


@pytest.mark.parametrize("name", ["upgrade", "Upgrade", "UPGRADE"])
def test_a_reserved_name_is_refused_in_any_case(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="is set by the library"):
        outgoing_fields([(name, "x")], frozenset({b"upgrade"}))


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "caf\xe9", "a\r\nb", "\u2603", "(a)", " a", "a\x00", "a\x85"]
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        outgoing_fields([(name, "x")], frozenset())


@pytest.mark.parametrize(
    "value",
    ["a\rb", "a\nb", "a\r\nb", "a\x00b", "a\x0bb", "a\x1bb", "a\x7fb", " a", "a\t", "\u2603", "\ud800"],
)
def test_a_value_that_may_not_be_sent_is_refused(value: str) -> None:
    with pytest.raises(LocalProtocolError):
        outgoing_fields([("X", value)], frozenset())


@pytest.mark.parametrize("thing", [b"bytes", 1, None, ["list"]])
def test_what_is_no_text_is_refused(thing: object) -> None:
    with pytest.raises(TypeError):
        outgoing_text(thing, "thing")  # type: ignore[arg-type]


def test_text_is_encoded_as_latin_1() -> None:
    assert outgoing_text("a \t\x85\xe9\xff", "thing") == b"a \t\x85\xe9\xff"


def test_an_error_shows_at_most_a_little_of_the_text() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        outgoing_text("a\n" * 10_000, "thing")
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "first_line", "good"),
    [
        ([], 0, True),
        ([(b"X", b"y" * 17)], 0, True),  # "X: " and 17: a line of 20
        ([(b"X", b"y" * 18)], 0, False),
        ([(b"X" * 18, b"")], 0, True),
        ([(b"X" * 19, b"")], 0, False),
        ([], 20, True),
        ([], 21, False),
        ([(b"X", b"y")] * 3, 0, True),
        ([(b"X", b"y")] * 4, 0, False),
        ([(b"X", b"y" * 17)] * 3, 20, True),  # 3 * 22 + 20 + 4 = 90
    ],
)
def test_what_is_sent_is_held_to_the_limits_of_what_is_received(
    fields: list[tuple[bytes, bytes]], first_line: int, good: bool
) -> None:
    if good:
        check_outgoing_size(fields, LIMITS, first_line)
    else:
        with pytest.raises(LocalProtocolError, match="exceeds"):
            check_outgoing_size(fields, LIMITS, first_line)


def test_the_whole_head_is_limited_to_the_byte() -> None:
    fields = [(b"X", b"y" * 17)] * 4  # 88 bytes with their line ends; 4 for the two other line ends
    check_outgoing_size(fields, Limits(max_line=20, max_head=100), 8)
    with pytest.raises(LocalProtocolError, match="exceeds max_head"):
        check_outgoing_size(fields, Limits(max_line=20, max_head=100), 9)


def test_the_agent_is_a_field_or_none() -> None:
    assert agent_field(b"Server", "me/1.0") == [(b"Server", b"me/1.0")]
    assert agent_field(b"Server", None) == []


@pytest.mark.parametrize(
    ("status", "phrase"), [(101, b"Switching Protocols"), (404, b"Not Found"), (599, b""), (299, b"")]
)
def test_the_usual_words_for_a_status(status: int, phrase: bytes) -> None:
    assert reason_phrase(status) == phrase
