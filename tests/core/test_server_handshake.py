"""The server's side of the opening handshake, with the tables of good and of bad requests."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
import pytest

from support import bad_requests, good_requests
from support.handshakes import (
    ACCEPT,
    KEY,
    REQUEST_FIELDS,
    SECOND_REQUEST,
    Expected,
    Message,
    head,
    instead,
    minus,
    plus,
    read_message,
    request,
)
from support.run_length import NAME, RunLength
from wscore import ANY_ORIGIN, Config, Headers, HeadersLike, Limits, LocalProtocolError, Request, Violation
from wscore._server_handshake import ServerHandshake, _make
from wscore.testing import cuttings

TABLE = [*good_requests.GROUPS.values(), *bad_requests.GROUPS.values()]
CORE_FIELDS = [
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Accept", ACCEPT),
]


def fed(data: bytes = request(), config: Config | None = None) -> ServerHandshake:
    """Return a handshake that has read a good request."""
    handshake = ServerHandshake(config or Config())
    assert handshake.receive(data) is None
    assert handshake.request is not None
    return handshake


def read(data: bytes) -> Request:
    """Return what a good request says."""
    found = fed(data).request
    assert found is not None
    return found


def accepted(
    handshake: ServerHandshake, subprotocol: str | None = None, headers: HeadersLike = ()
) -> Message:
    """Accept and read what is sent."""
    return read_message(handshake.accept(subprotocol, headers)[0])


def responded(
    status: int, headers: HeadersLike = (), body: bytes = b"", config: Config | None = None
) -> Message:
    """Respond to the good request and read what is sent."""
    return read_message(fed(config=config).respond(status, headers, body)[0])


# Requests.


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        (e, d)
        for e, rows in [*good_requests.GROUPS.values(), *bad_requests.GROUPS.values()]
        for d in rows.values()
    ],
)
def test_every_row_of_the_table_has_its_outcome(expected: Expected, data: bytes) -> None:
    handshake = ServerHandshake(Config())
    assert handshake.receive(data) is expected.violation
    assert (handshake.request is not None) is (expected.violation is None)
    if expected.violation is not None:
        assert read_message(handshake.refuse(expected.violation)).status == expected.status


def test_a_request_says_what_was_asked() -> None:
    found = read(plus(b"Sec-WebSocket-Protocol: chat, superchat", b"Origin: http://example.com"))
    assert (found.method, found.target, found.path, found.query) == ("GET", "/chat", "/chat", "")
    assert (found.host, found.origin) == ("example.com", "http://example.com")
    assert found.subprotocols == ("chat", "superchat")
    assert found.is_upgrade
    assert found.headers.get("sec-websocket-key") == KEY.decode()


@pytest.mark.parametrize(
    ("start_line", "target"),
    [
        (b"GET / HTTP/1.1", "/"),
        (b"GET /a%20b?c=%C3%A9&d HTTP/1.1", "/a%20b?c=%C3%A9&d"),
        (b"GET //a HTTP/1.1", "//a"),
        (b"GET http://example.com/a?b HTTP/1.1", "/a?b"),
        (b"GET WS://Example.COM HTTP/1.1", "/"),
        (b"GET ws://example.com?b=/ HTTP/1.1", "/?b=/"),
    ],
)
def test_the_target_is_handed_out_in_origin_form(start_line: bytes, target: str) -> None:
    assert read(request(start_line)).target == target


@pytest.mark.parametrize(
    ("lines", "subprotocols"),
    [
        ((), ()),
        ((b"",), ()),
        ((b"a",), ("a",)),
        ((b"b, a", b"c"), ("b", "a", "c")),
        ((b",,a ,\tb,",), ("a", "b")),
        ((b"chat", b"CHAT"), ("chat", "CHAT")),
    ],
)
def test_subprotocols_are_read_in_the_client_s_order(
    lines: tuple[bytes, ...], subprotocols: tuple[str, ...]
) -> None:
    assert read(plus(*[b"Sec-WebSocket-Protocol: " + line for line in lines])).subprotocols == subprotocols


@pytest.mark.parametrize("value", [b"a,, b", b", a", b"a,", b"a , , b; c=1 ,"])
def test_empty_elements_of_the_list_of_extensions_are_ignored(value: bytes) -> None:
    # RFC 9110 section 5.6.1.2: a recipient MUST parse and ignore a reasonable number of them.
    assert read(plus(b"Sec-WebSocket-Extensions: " + value)).is_upgrade


def test_a_plain_request_is_not_checked_for_what_only_an_upgrade_needs() -> None:
    found = read(head(b"GET /health HTTP/1.1", [b"Host: h", b"Origin: null", b"Sec-WebSocket-Version: 8"]))
    assert (found.is_upgrade, found.target, found.subprotocols) == (False, "/health", ())


def test_an_origin_passes_where_any_may() -> None:
    found = fed(plus(b"Origin: null"), Config(origins=ANY_ORIGIN)).request
    assert found is not None and found.origin == "null"


def test_a_list_of_origins_replaces_the_server_s_own() -> None:
    config = Config(origins=("https://app.example.com",))
    assert fed(plus(b"Origin: https://app.example.com"), config).request is not None
    assert ServerHandshake(config).receive(plus(b"Origin: http://example.com")) is Violation.ORIGIN


@pytest.mark.parametrize(
    ("limits", "good", "bad", "violation"),
    [
        (
            Limits(max_subprotocols=2),
            b"Sec-WebSocket-Protocol: a, b",
            b"Sec-WebSocket-Protocol: a, b, c",
            Violation.INVALID_SUBPROTOCOLS,
        ),
        (
            Limits(max_extensions=2),
            b"Sec-WebSocket-Extensions: a, b",
            b"Sec-WebSocket-Extensions: a, b, c",
            Violation.INVALID_EXTENSIONS,
        ),
        (
            Limits(max_offer=4),
            b"Sec-WebSocket-Protocol: abcd",
            b"Sec-WebSocket-Protocol: abcde",
            Violation.INVALID_SUBPROTOCOLS,
        ),
        (Limits(max_headers=6), b"X: y", b"X: y\r\nX: y", Violation.TOO_MANY_HEADERS),
    ],
)
def test_a_limit_is_the_configured_one(limits: Limits, good: bytes, bad: bytes, violation: Violation) -> None:
    assert fed(plus(good), Config(limits=limits)).request is not None
    assert ServerHandshake(Config(limits=limits)).receive(plus(bad)) is violation


@pytest.mark.parametrize(
    "pieces", list(cuttings(request())), ids=["whole", "byte by byte", "cut", "cut", "cut"]
)
def test_a_request_is_complete_with_its_last_byte_and_not_before(pieces: list[bytes]) -> None:
    handshake = ServerHandshake(Config())
    for piece in pieces:
        assert handshake.request is None
        assert handshake.receive(piece) is None
    assert handshake.request is not None


# Bytes that come too early.


def test_bytes_behind_the_head_are_kept() -> None:
    handshake = fed(request() + b"ab")
    assert handshake.receive(b"cd") is None
    assert handshake.rest == b"abcd"


@pytest.mark.parametrize("first", [0, 1, 4])
def test_bytes_behind_the_head_are_limited_to_the_byte(first: int) -> None:
    handshake = fed(request() + b"abcd"[:first], Config(limits=Limits(early_data=4)))
    assert handshake.receive(b"abcd"[first:]) is None
    assert not handshake.overflow
    assert handshake.receive(b"e") is None
    assert handshake.overflow and handshake.rest == b""
    assert handshake.receive(b"f") is None
    assert handshake.overflow and handshake.rest == b""


def test_too_many_bytes_in_one_piece_with_the_head_are_refused() -> None:
    handshake = ServerHandshake(Config(limits=Limits(early_data=4)))
    assert handshake.receive(request() + b"abcde") is None
    assert handshake.overflow and handshake.request is not None
    assert read_message(handshake.refuse(Violation.EARLY_DATA)).status == 400


# Acceptance.


def test_the_answer_is_that_of_rfc_6455_section_1_3() -> None:
    handshake = fed(plus(b"Sec-WebSocket-Protocol: chat, superchat"), Config(agent=None))
    sent, response = handshake.accept("chat", ())
    fields = [*CORE_FIELDS, (b"Sec-WebSocket-Protocol", b"chat")]
    assert sent == head(b"HTTP/1.1 101 Switching Protocols", [b"%b: %b" % field for field in fields])
    assert (response.status, response.reason, response.body) == (101, "Switching Protocols", b"")
    assert list(response.headers) == [(name.decode(), value.decode()) for name, value in fields]


def test_no_subprotocol_is_chosen_unasked() -> None:
    message = accepted(fed(plus(b"Sec-WebSocket-Protocol: chat")))
    assert message.fields == [*CORE_FIELDS, (b"Server", b"wscore")]


def test_more_fields_of_an_answer_keep_their_order_and_repetition() -> None:
    headers = [("X-B", "2"), ("Set-Cookie", "a=1"), ("X-A", "caf\xe9"), ("set-cookie", "b=2")]
    message = accepted(fed(config=Config(agent="me/1.0")), headers=headers)
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    assert message.fields == [*CORE_FIELDS, (b"Server", b"me/1.0"), *sent]


def _reserved(name: str) -> Callable[[ServerHandshake], object]:
    return lambda handshake: handshake.accept(None, [(name, "x")])


MISTAKES: dict[str, Callable[[ServerHandshake], object]] = {
    "accept: a subprotocol that was not offered": lambda handshake: handshake.accept("other", ()),
    "accept: a subprotocol in another case": lambda handshake: handshake.accept("CHAT", ()),
    "accept: no subprotocol at all": lambda handshake: handshake.accept("", ()),
    "accept: a value with a line end": lambda handshake: handshake.accept(None, [("X", "a\r\nY: b")]),
    "accept: a line that is too long": lambda handshake: handshake.accept(None, [("X", "y" * 8192)]),
    "accept: too many lines": lambda handshake: handshake.accept(None, [("X", "y")] * 100),
    "respond: switching": lambda handshake: handshake.respond(101, (), b""),
    "respond: informational": lambda handshake: handshake.respond(199, (), b""),
    "respond: beyond the classes": lambda handshake: handshake.respond(600, (), b""),
    "respond: a status that is a truth": lambda handshake: handshake.respond(True, (), b""),
    "respond: a body with 204": lambda handshake: handshake.respond(204, (), b"x"),
    "respond: a body with 205": lambda handshake: handshake.respond(205, (), b"x"),  # RFC 9110 15.3.6
    "respond: a body with 304": lambda handshake: handshake.respond(304, (), b"x"),
    "respond: its own length": lambda handshake: handshake.respond(403, [("content-length", "9")], b""),
    "respond: its own coding": lambda handshake: handshake.respond(403, [("Transfer-Encoding", "x")], b""),
    "respond: its own Connection": lambda handshake: handshake.respond(403, [("Connection", "x")], b""),
    "respond: a value with a line end": lambda handshake: handshake.respond(403, [("X", "a\nb")], b""),
    "respond: a line that is too long": lambda handshake: handshake.respond(403, [("X", "y" * 8192)], b""),
} | {
    f"accept: its own {name}": _reserved(name)
    for name in (
        *("Upgrade", "CONNECTION", "sec-websocket-accept", "Sec-WebSocket-Protocol"),
        *("Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding"),
    )
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_changes_nothing(mistake: Callable[[ServerHandshake], object]) -> None:
    assert_refused(LocalProtocolError, mistake)


WRONG_TYPES: dict[str, Callable[[Any], object]] = {
    "accept: a subprotocol in bytes": lambda handshake: handshake.accept(b"chat", ()),
    "respond: a status in words": lambda handshake: handshake.respond("403", (), b""),
    "respond: a status of nothing": lambda handshake: handshake.respond(None, (), b""),
    "respond: a body of text": lambda handshake: handshake.respond(403, (), "no"),
}


@pytest.mark.parametrize("mistake", WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_an_argument_of_a_wrong_type_changes_nothing(mistake: Callable[[ServerHandshake], object]) -> None:
    assert_refused(TypeError, mistake)


def assert_refused(error: type[Exception], mistake: Callable[[ServerHandshake], object]) -> None:
    handshake = fed(plus(b"Sec-WebSocket-Protocol: chat"))
    with pytest.raises(error):
        mistake(handshake)
    assert accepted(handshake, "chat").values(b"sec-websocket-protocol") == [b"chat"]


def test_a_plain_request_cannot_be_accepted_but_answered() -> None:
    handshake = fed(minus(b"upgrade"))
    with pytest.raises(LocalProtocolError, match="plain HTTP"):
        handshake.accept(None, ())
    message = read_message(handshake.respond(200, {"Content-Type": "text/html"}, b"<p>hello")[0])
    assert (message.status, message.body) == (200, b"<p>hello")
    assert message.values(b"content-type") == [b"text/html"]


# Responses.


def test_a_response_ends_the_connection_and_is_framed_by_its_length() -> None:
    message = responded(403, [("X-B", "2"), ("X-A", "1")], b"no\r\n\r\nway")
    assert message.start_line == b"HTTP/1.1 403 Forbidden"
    assert dict(message.fields) == {
        b"Connection": b"close",
        b"Content-Length": b"9",
        b"Content-Type": b"text/plain; charset=utf-8",
        b"Server": b"wscore",
        b"X-B": b"2",
        b"X-A": b"1",
    }
    assert [name for name, _ in message.fields if name.startswith(b"X-")] == [b"X-B", b"X-A"]
    assert message.body == b"no\r\n\r\nway"


@pytest.mark.parametrize("status", [403, HTTPStatus.FORBIDDEN])
def test_a_response_is_handed_out_as_the_caller_described_it(status: int) -> None:
    headers = [("X-B", "caf\xe9"), ("x-b", "2")]
    sent, response = fed().respond(status, iter(headers), b"no")
    assert (read_message(sent).status, read_message(sent).body) == (403, b"no")
    assert (response.status, type(response.status), response.body) == (403, int, b"no")
    assert [field for field in response.headers if field[0].lower() == "x-b"] == headers


def test_a_response_without_a_body_says_so() -> None:
    message = responded(401, [("WWW-Authenticate", "Basic realm=x")])
    assert message.values(b"content-length") == [b"0"]
    assert not message.values(b"content-type")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_has_no_body_has_no_length(status: int) -> None:
    assert not responded(status).values(b"content-length")  # RFC 9110 section 8.6


@pytest.mark.parametrize(
    ("status", "start_line"),
    [
        (200, b"HTTP/1.1 200 OK"),
        (302, b"HTTP/1.1 302 Found"),
        (503, b"HTTP/1.1 503 Service Unavailable"),
        (599, b"HTTP/1.1 599 "),
    ],
)
def test_the_status_line_has_a_blank_behind_the_status(status: int, start_line: bytes) -> None:
    assert responded(status).start_line == start_line  # RFC 9112 section 4


def test_the_caller_s_server_and_content_type_are_the_only_ones() -> None:
    message = responded(200, {"server": "mine", "content-TYPE": "application/json"}, b"{}")
    assert message.values(b"server") == [b"mine"]
    assert message.values(b"content-type") == [b"application/json"]


def test_no_server_is_named_where_none_is_wanted() -> None:
    assert not responded(403, config=Config(agent=None)).values(b"server")


def test_an_upgrade_that_is_offered_is_named_in_connection() -> None:
    # RFC 9110 section 7.8: a sender of Upgrade MUST also send the option in Connection.
    message = responded(426, {"Upgrade": "websocket"})
    (connection,) = message.values(b"connection")
    assert {option.lower() for option in connection.split(b", ")} == {b"close", b"upgrade"}


def test_a_status_of_the_standard_library_is_a_status() -> None:
    assert responded(HTTPStatus.FORBIDDEN).start_line == b"HTTP/1.1 403 Forbidden"


def test_a_body_of_any_size_is_sent() -> None:
    assert responded(200, body=b"x" * 3_000_000).body == b"x" * 3_000_000


@pytest.mark.parametrize("violation", [each for each in Violation if each.status is not None])
def test_a_refusal_says_nothing_but_the_table_s_sentence(violation: Violation) -> None:
    message = read_message(ServerHandshake(Config()).refuse(violation))
    assert message.status == violation.status
    assert message.body == violation.sentence.encode() + b"\n"
    assert message.values(b"content-length") == [b"%d" % len(message.body)]
    assert message.values(b"sec-websocket-version") == (
        [b"13"] if violation is Violation.WEBSOCKET_VERSION else []
    )
    assert message.values(b"allow") == ([b"GET"] if violation is Violation.METHOD else [])


@pytest.mark.parametrize("config", [Config(agent=None), Config(agent="x"), Config(limits=Limits(max_line=9))])
def test_a_refusal_never_fails(config: Config) -> None:
    handshake = ServerHandshake(config)
    assert handshake.receive(request(b"POST / HTTP/1.1") + SECOND_REQUEST) is not None
    assert read_message(handshake.refuse(Violation.METHOD)).status == 405


def test_h11_refuses_what_our_own_checks_might_let_through() -> None:
    with pytest.raises(LocalProtocolError, match="may not be sent"):
        _make(h11.Response, 200, [(b"X", b"a\r\nY: b")])


def test_headers_of_a_request_can_be_looked_up_without_case() -> None:
    headers = read(instead(b"CONNECTION: Upgrade")).headers
    assert isinstance(headers, Headers)
    assert headers["Connection"] == "Upgrade"
    assert len(headers) == len(REQUEST_FIELDS)


# Extensions.


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ([], None),
        ([NAME], NAME),
        ([NAME.upper()], None),
        ([NAME + "; a"], None),
        ([NAME + "; a", NAME], NAME),  # the first offer that can be met
        (["x-other, " + NAME], NAME),
        (["x-other"], None),
    ],
)
def test_the_first_offer_that_can_be_met_is_answered(offers: list[str], answer: str | None) -> None:
    extension = RunLength()
    handshake = fed(
        plus(*(b"Sec-WebSocket-Extensions: " + offer.encode() for offer in offers)),
        Config(compression=extension),
    )
    assert handshake.agreement.codec is None
    message = accepted(handshake)
    assert message.values(b"sec-websocket-extensions") == ([] if answer is None else [answer.encode()])
    assert handshake.agreement.field == (answer or "")
    assert handshake.agreement.codec is (extension.made[0] if answer else None)


def test_a_mistake_agrees_on_nothing() -> None:
    handshake = fed(plus(b"Sec-WebSocket-Extensions: " + NAME.encode()), Config(compression=RunLength()))
    with pytest.raises(LocalProtocolError):
        handshake.accept(None, [("X", "y" * 8192)])
    assert handshake.agreement.codec is None
    assert accepted(handshake).values(b"sec-websocket-extensions") == [NAME.encode()]


def test_an_extension_is_nobodys_header() -> None:
    with pytest.raises(LocalProtocolError):
        fed(config=Config(compression=RunLength())).accept(None, {"Sec-WebSocket-Extensions": NAME})
