"""The client's side of the opening handshake; the long tables are in support.response_rows."""

import re

import pytest

from support.handshakes import (
    ACCEPT,
    KEY,
    NONCE,
    Message,
    head,
    plus,
    read_message,
    response,
)
from support.response_rows import BODY, BROKEN, OPENED, REFUSED
from support.run_length import NAME, RunLength
from wscore import Address, Config, Headers, HeadersLike, Limits, LocalProtocolError, Violation, parse_url
from wscore._client_handshake import ClientHandshake
from wscore.testing import cuttings, repeatable_entropy

ADDRESS = parse_url("ws://example.com/chat")
PROTOCOLS = ("chat", "superchat")

SEVERAL_CUTTINGS = 6


class Draws:
    """A source of entropy that counts what was drawn."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, size: int) -> bytes:
        self.sizes.append(size)
        return NONCE[:size]


def started(
    url: str = "ws://example.com/chat",
    headers: HeadersLike = (),
    subprotocols: tuple[str, ...] = (),
    config: Config | None = None,
) -> tuple[ClientHandshake, Message]:
    """Start a handshake with the key of RFC 6455 section 1.3, and read what is sent."""
    handshake = ClientHandshake(config or Config())
    sent = handshake.start(parse_url(url), headers, subprotocols, repeatable_entropy(NONCE))
    message = read_message(sent)
    assert message.body == b""
    return handshake, message


def feed(handshake: ClientHandshake, pieces: list[bytes]) -> Violation | None:
    """Feed pieces until something has come of them."""
    for piece in pieces:
        violation = handshake.receive(piece)
        if violation is not None or handshake.response is not None:
            return violation
    return None


# The request.


def test_a_request_is_what_rfc_6455_section_4_1_asks_for() -> None:
    handshake = ClientHandshake(Config(agent=None))
    sent = handshake.start(ADDRESS, (), (), repeatable_entropy(NONCE))
    assert sent == plus()
    assert handshake.request is not None
    assert (handshake.request.method, handshake.request.target) == ("GET", "/chat")
    assert handshake.request.is_upgrade


def test_a_request_offers_subprotocols_in_order_on_one_line() -> None:
    handshake, message = started(subprotocols=PROTOCOLS)
    assert message.values(b"sec-websocket-protocol") == [b"chat, superchat"]
    assert handshake.request is not None and handshake.request.subprotocols == PROTOCOLS


def test_a_request_offers_nothing_unasked() -> None:
    names = [name.lower() for name, _ in started()[1].fields]
    assert b"sec-websocket-protocol" not in names
    assert b"sec-websocket-extensions" not in names
    assert b"origin" not in names


def test_the_key_is_sixteen_bytes_of_entropy_and_new_for_each_connection() -> None:
    draws = Draws()
    sent = ClientHandshake(Config()).start(ADDRESS, (), (), draws)
    assert draws.sizes == [16]
    assert read_message(sent).values(b"sec-websocket-key") == [KEY]
    other = ClientHandshake(Config()).start(ADDRESS, (), (), repeatable_entropy(bytes(16)))
    assert read_message(other).values(b"sec-websocket-key") == [b"A" * 22 + b"=="]


@pytest.mark.parametrize(
    ("url", "start_line", "host"),
    [
        ("ws://example.com", b"GET / HTTP/1.1", b"example.com"),
        ("ws://example.com:80/", b"GET / HTTP/1.1", b"example.com"),
        ("wss://example.com:443/", b"GET / HTTP/1.1", b"example.com"),
        ("ws://example.com:443/", b"GET / HTTP/1.1", b"example.com:443"),
        ("wss://example.com:80/", b"GET / HTTP/1.1", b"example.com:80"),
        ("ws://example.com:8765/chat?a=1&b", b"GET /chat?a=1&b HTTP/1.1", b"example.com:8765"),
        ("ws://[::1]/", b"GET / HTTP/1.1", b"[::1]"),
        ("wss://[2001:db8::1]:8765/", b"GET / HTTP/1.1", b"[2001:db8::1]:8765"),
        ("ws://127.0.0.1:8080/", b"GET / HTTP/1.1", b"127.0.0.1:8080"),
        ("ws://example.com/caf\xe9", b"GET /caf%C3%A9 HTTP/1.1", b"example.com"),
        ("ws://b\xfccher.example/", b"GET / HTTP/1.1", b"xn--bcher-kva.example"),
    ],
)
def test_the_address_becomes_request_line_and_host(url: str, start_line: bytes, host: bytes) -> None:
    message = started(url)[1]
    assert message.start_line == start_line
    assert message.fields[0] == (b"Host", host)  # RFC 9110 section 7.2: first is good practice
    assert len(message.values(b"host")) == 1


@pytest.mark.parametrize(
    ("config", "headers", "agents"),
    [
        (Config(), (), [b"wscore"]),
        (Config(agent="me/1.0"), (), [b"me/1.0"]),
        (Config(agent=None), (), []),
        (Config(), {"user-agent": "mine"}, [b"mine"]),
        (Config(agent=None), {"User-Agent": "mine"}, [b"mine"]),
    ],
)
def test_one_user_agent_at_most_is_sent(config: Config, headers: HeadersLike, agents: list[bytes]) -> None:
    assert started(headers=headers, config=config)[1].values(b"user-agent") == agents


def test_more_fields_keep_their_order_and_repetition_and_come_last() -> None:
    headers = [("Origin", "https://app"), ("Cookie", "a=1"), ("X-A", "caf\xe9"), ("Cookie", "b=2")]
    handshake, message = started(headers=headers)
    assert message.fields[-4:] == [(name.encode(), value.encode("latin-1")) for name, value in headers]
    assert handshake.request is not None
    assert handshake.request.origin == "https://app"
    assert handshake.request.headers.get_all("cookie") == ["a=1", "b=2"]


def test_the_longest_request_line_is_sent() -> None:
    target = "/" + "x" * (8192 - len("GET / HTTP/1.1"))
    assert len(started("ws://h" + target)[1].start_line) == 8192
    with pytest.raises(LocalProtocolError):
        started("ws://h" + target + "x")


MISTAKES: dict[str, tuple[Address, HeadersLike, object]] = {
    "a subprotocol twice": (ADDRESS, (), ("a", "b", "a")),
    "a subprotocol that is no token": (ADDRESS, (), ("a b",)),
    "an empty subprotocol": (ADDRESS, (), ("",)),
    "a header that is no token": (ADDRESS, [("a b", "x")], ()),
    "a header with a line end": (ADDRESS, [("X", "a\r\nY: b")], ()),
    "too many headers": (ADDRESS, [("X", "y")] * 100, ()),
    "a header that is too long": (ADDRESS, [("X", "y" * 8190)], ()),
    "a head that is too long": (ADDRESS, [("X", "y" * 8000)] * 5, ()),
    "a target with a blank": (Address("h", 80, False, "/a b"), (), ()),
    "a target with obs-text": (Address("h", 80, False, "/caf\xe9"), (), ()),
    "a target with a line end": (Address("h", 80, False, "/ HTTP/1.1\r\nX: y"), (), ()),
    "no target": (Address("h", 80, False, ""), (), ()),
    "a host with a path": (Address("h/x", 80, False, "/"), (), ()),
    "a host with a user": (Address("u@h", 80, False, "/"), (), ()),
    "a port out of range": (Address("h", 65_536, False, "/"), (), ()),
    "a port of nothing": (Address("h", 0, False, "/"), (), ()),
    "a target with a fragment": (Address("h", 80, False, "/a#b"), (), ()),
    "a target without a slash": (Address("h", 80, False, "a"), (), ()),
    "a host with a line end": (Address("h\r\nX: y", 80, False, "/"), (), ()),
} | {
    f"its own {name}": (ADDRESS, {name: "x"}, ())
    for name in (
        *("Host", "upgrade", "CONNECTION", "Sec-WebSocket-Key", "Sec-WebSocket-Version"),
        *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding"),
    )
}


@pytest.mark.parametrize(("address", "headers", "subprotocols"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_changes_nothing(address: Address, headers: HeadersLike, subprotocols: object) -> None:
    assert_refused(LocalProtocolError, address, headers, subprotocols)


@pytest.mark.parametrize("subprotocols", [(b"chat",), (5,), "chat", 5, None], ids=repr)
def test_subprotocols_of_a_wrong_type_change_nothing(subprotocols: object) -> None:
    assert_refused(TypeError, ADDRESS, (), subprotocols)


def assert_refused(
    error: type[Exception], address: Address, headers: HeadersLike, subprotocols: object
) -> None:
    handshake, draws = ClientHandshake(Config(agent=None)), Draws()
    with pytest.raises(error):
        handshake.start(address, headers, subprotocols, draws)  # type: ignore[arg-type]
    assert handshake.request is None
    assert draws.sizes == []
    assert handshake.start(ADDRESS, (), (), draws) == plus()


def test_a_request_is_sent_once() -> None:
    handshake, _ = started()
    with pytest.raises(LocalProtocolError, match="already"):
        handshake.start(ADDRESS, (), (), repeatable_entropy())


# The response.


@pytest.mark.parametrize("data", OPENED.values(), ids=OPENED.keys())
def test_a_good_response_is_believed(data: bytes) -> None:
    for pieces in cuttings(data, count=SEVERAL_CUTTINGS):
        handshake, _ = started(subprotocols=PROTOCOLS)
        assert feed(handshake, pieces) is None
        assert handshake.response is not None and handshake.response.status == 101
        assert handshake.response.headers["Sec-WebSocket-Accept"] == ACCEPT.decode()
        chosen = handshake.response.headers.get("sec-websocket-protocol")
        assert handshake.subprotocol == chosen


@pytest.mark.parametrize(
    ("violation", "data"),
    [pytest.param(v, d, id=f"{v.name}-{n}") for v, rows in BROKEN.items() for n, d in rows.items()],
)
def test_a_broken_response_is_named_by_its_rule(violation: Violation, data: bytes) -> None:
    for pieces in cuttings(data, count=SEVERAL_CUTTINGS):
        handshake, _ = started(subprotocols=PROTOCOLS)
        assert feed(handshake, pieces) is violation
        assert handshake.response is None


def test_no_subprotocol_is_believed_that_was_not_offered() -> None:
    handshake, _ = started()
    assert handshake.receive(response(b"Sec-WebSocket-Protocol: chat")) is Violation.UNOFFERED_SUBPROTOCOL


def test_no_response_is_believed_before_the_request_was_sent() -> None:
    assert ClientHandshake(Config()).receive(response()) is Violation.MALFORMED_HEAD


def test_bytes_behind_a_good_response_are_kept() -> None:
    for pieces in cuttings(response() + b"frames", count=SEVERAL_CUTTINGS):
        handshake, _ = started()
        for piece in pieces:
            assert handshake.receive(piece) is None
        assert handshake.rest == b"frames"


def test_what_a_response_says_is_kept_byte_for_byte() -> None:
    handshake, _ = started()
    handshake.receive(
        response(b"Set-Cookie: a=\xe9", b"Set-Cookie: b", start_line=b"HTTP/1.1 101 caf\xe9 au")
    )
    assert handshake.response is not None
    assert handshake.response.reason == "caf\xe9 au"
    assert handshake.response.headers.get_all("SET-COOKIE") == ["a=\xe9", "b"]


def test_informational_responses_are_limited_to_the_configured_number() -> None:
    hints = head(b"HTTP/1.1 103 Early Hints", [])
    handshake, _ = started(config=Config(limits=Limits(max_informational=0)))
    assert handshake.receive(hints) is Violation.TOO_MANY_INFORMATIONAL


# Refusals.


@pytest.mark.parametrize(("status", "data", "ends"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_kept_with_its_body_however_it_is_framed(status: int, data: bytes, ends: bool) -> None:
    for pieces in cuttings(data, count=SEVERAL_CUTTINGS):
        handshake, _ = started()
        assert feed(handshake, pieces) is None
        assert (handshake.response is None) is ends
        handshake.finish()
        assert handshake.response is not None
        assert (handshake.response.status, handshake.response.body) == (status, BODY)


@pytest.mark.parametrize("data", [data for _, data, ends in REFUSED.values() if not ends])
def test_a_refusal_is_complete_with_the_last_byte_of_its_body(data: bytes) -> None:
    handshake, _ = started()
    end = re.search(BODY + b"|0\r\nX: y\r\n\r\n", data)
    assert end is not None
    for index in range(end.end()):
        assert handshake.response is None, f"complete after {index} bytes of {end.end()}"
        handshake.receive(data[index : index + 1])
    assert handshake.response is not None


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_refusal_that_cannot_have_a_body_needs_no_more_bytes(status: bytes) -> None:
    handshake, _ = started()
    assert handshake.receive(head(b"HTTP/1.1 " + status, [])) is None
    assert handshake.response is not None and handshake.response.body == b""


def test_a_refusal_is_kept_with_its_words_and_headers() -> None:
    handshake, _ = started()
    handshake.receive(
        head(b"HTTP/1.1 401 Bitte anmelden", [b"WWW-Authenticate: Basic", b"Content-Length: 0"])
    )
    assert handshake.response is not None
    assert handshake.response.reason == "Bitte anmelden"
    assert handshake.response.headers == Headers([("www-authenticate", "Basic"), ("content-length", "0")])


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ([b"Content-Length: 2147483648"], b"x" * 200),
        ([b"Transfer-Encoding: chunked"], b"a\r\n0123456789\r\n" * 20),
        ([], b"x" * 200),
    ],
)
def test_at_most_the_configured_part_of_a_body_is_kept(fields: list[bytes], body: bytes) -> None:
    for pieces in cuttings(head(b"HTTP/1.1 500 x", fields) + body, count=SEVERAL_CUTTINGS):
        handshake, _ = started(config=Config(limits=Limits(refusal_body=100)))
        assert feed(handshake, pieces) is None
        assert handshake.response is not None, "no more of the body is waited for"
        assert handshake.response.body == (b"0123456789" * 10 if body[:1] == b"a" else b"x" * 100)


@pytest.mark.parametrize("size", [b"0x1", b"-1", b"1_0", b"+1", b" 1", b"", b"g", b"1 1", b"\xb2", b"1" * 21])
def test_a_chunk_with_a_bad_size_ends_the_body(size: bytes) -> None:
    start = head(b"HTTP/1.1 500 x", [b"Transfer-Encoding: chunked"])
    for pieces in cuttings(start + b"4\r\nkept\r\n" + size + b"\r\nx\r\n0\r\n\r\n", count=SEVERAL_CUTTINGS):
        handshake, _ = started()
        assert feed(handshake, pieces) is None
        assert handshake.response is not None
        assert (handshake.response.status, handshake.response.body) == (500, b"kept")


def test_a_refusal_is_kept_with_as_much_of_its_body_as_came() -> None:
    handshake, _ = started()
    handshake.receive(head(b"HTTP/1.1 500 x", [b"Content-Length: 9"]) + b"half")
    assert handshake.response is None
    handshake.finish()
    assert handshake.response is not None and handshake.response.body == b"half"
    assert handshake.receive(b"more") is None
    handshake.finish()
    assert handshake.response.body == b"half"


def test_an_end_before_any_response_gives_none() -> None:
    handshake, _ = started()
    handshake.finish()
    assert handshake.response is None


def test_a_compressed_body_is_kept_as_it_came() -> None:
    handshake, _ = started()
    handshake.receive(
        head(b"HTTP/1.1 500 x", [b"Content-Encoding: gzip", b"Content-Length: 4"]) + b"\x1f\x8b\x08\x00"
    )
    assert handshake.response is not None and handshake.response.body == b"\x1f\x8b\x08\x00"


# Extensions.

FIELD = b"Sec-WebSocket-Extensions: "


@pytest.mark.parametrize(
    ("config", "offered"),
    [
        (Config(), []),
        (Config(compression=()), []),
        (Config(compression=RunLength()), [NAME]),
        (Config(compression=(RunLength(), RunLength())), [f"{NAME}, {NAME}"]),
    ],
)
def test_a_request_offers_what_config_names_on_one_line(config: Config, offered: list[str]) -> None:
    _, message = started(config=config)
    assert message.values(b"sec-websocket-extensions") == [value.encode() for value in offered]


def test_an_answer_to_an_offer_is_agreed_on() -> None:
    extension = RunLength()
    for pieces in cuttings(response(FIELD + NAME.encode()), count=SEVERAL_CUTTINGS):
        handshake, _ = started(config=Config(compression=extension))
        assert feed(handshake, pieces) is None
        assert handshake.response is not None
        assert (handshake.agreement.codec, handshake.agreement.field) == (extension.made[-1], NAME)


def test_a_server_may_decline() -> None:
    handshake, _ = started(config=Config(compression=RunLength()))
    assert handshake.receive(response()) is None
    assert handshake.response is not None
    assert (handshake.agreement.codec, handshake.agreement.field) == (None, "")


@pytest.mark.parametrize(
    ("value", "violation"),
    [
        (NAME + "; a=1", Violation.EXTENSION_PARAMETERS),
        (NAME + "; a", Violation.EXTENSION_PARAMETERS),
        ("x-other", Violation.UNOFFERED_EXTENSION),
        (NAME + ", " + NAME, Violation.UNOFFERED_EXTENSION),  # only one may use RSV1
        (NAME + ", x-other", Violation.UNOFFERED_EXTENSION),
        ("", Violation.INVALID_EXTENSIONS),
        (",", Violation.INVALID_EXTENSIONS),
        (NAME + "; ", Violation.INVALID_EXTENSIONS),
        (", ".join([NAME] * 17), Violation.INVALID_EXTENSIONS),
        (NAME + "; a=" + "b" * 1024, Violation.INVALID_EXTENSIONS),
    ],
)
def test_an_answer_to_no_offer_is_not_believed(value: str, violation: Violation) -> None:
    for pieces in cuttings(response(FIELD + value.encode()), count=SEVERAL_CUTTINGS):
        handshake, _ = started(config=Config(compression=RunLength()))
        assert feed(handshake, pieces) is violation
        assert (handshake.response, handshake.agreement.codec) == (None, None)
