"""Rows 39 to 42 and 45 to 47: requests that are not what they seem."""

import re

import pytest

import wscore_threading
from support.handshakes import (
    REQUEST_FIELDS,
    SECOND_REQUEST,
    assert_refused,
    client,
    client_frame,
    head,
    instead,
    minus,
    plus,
    read_message,
    request,
    response,
    server,
)
from support.measure import KIB, memory
from support.raw import dial
from support.threaded import echo
from wscore import (
    Closed,
    Opcode,
    Opened,
    RequestReceived,
    State,
    TransportAction,
    Violation,
)
from wscore.testing import cuttings

LATE = client_frame(Opcode.TEXT, b"hello")


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"content-length: 0, 0",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Expect: 100-continue",
    ],
)
def test_row_39_a_body_never_becomes_a_second_request(field: bytes) -> None:
    """Cause: the body of a refused upgrade was left unread and parsed as the next request. Correct: 400,
    Connection: close, and not another byte is parsed."""
    stream = plus(field) + b"0\r\n\r\n" + SECOND_REQUEST
    for pieces in cuttings(stream):
        run = server().feed(pieces)
        assert_refused(run, 400)
        assert run.requests() == []
        assert b"/second" not in run.sent
        sent = run.sent
        run.feed([SECOND_REQUEST, b"\r\n" * 10])
        assert (run.sent, len(run.events)) == (sent, 1)
        assert run.action is TransportAction.SHUTDOWN_WRITE


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (instead(b"Sec-WebSocket-Version: 8"), 426),
        (instead(b"Sec-WebSocket-Version: 1337"), 426),
        (minus(b"sec-websocket-version"), 426),
        (minus(b"sec-websocket-key"), 400),
        (instead(b"Sec-WebSocket-Key: short"), 400),
        (minus(b"host"), 400),
        (minus(b"connection"), 400),
        (request(b"POST /chat HTTP/1.1"), 405),
        (request(b"GET /chat HTTP/1.0"), 505),
        (request(b"GET /chat HTTP/2.0"), 505),
    ],
)
def test_row_40_no_proxy_can_believe_that_an_upgrade_happened(stream: bytes, status: int) -> None:
    """Cause: a refusal that kept the connection open; what followed passed for WebSocket. Correct: never
    101 unless every check passed, Connection: close, and the end of TCP."""
    run = server().feed([stream, SECOND_REQUEST])
    assert_refused(run, status)
    connection = read_message(run.sent).values(b"connection")
    assert b"close" in re.split(rb"[, ]+", connection[0]) and len(connection) == 1
    assert run.sent.count(b"HTTP/1.1 ") == 1
    assert run.action is TransportAction.SHUTDOWN_WRITE
    assert run.connection.closed is not None and run.connection.state is State.DRAINING


def test_row_40_a_plain_get_gets_426_and_the_end_of_tcp() -> None:
    """The same over a socket, from a server that nobody has told how to answer plain HTTP."""
    with wscore_threading.serve(echo, "127.0.0.1") as running, dial(running.port) as peer:
        peer.send(head(b"GET / HTTP/1.1", [b"Host: localhost"]) + SECOND_REQUEST)
        message = read_message(peer.read_to_end())
        assert message.status == 426
        assert message.values(b"upgrade") == [b"websocket"]


def test_row_41_frames_that_came_too_early_are_delivered_after_the_answer() -> None:
    """Cause: what came in one segment with the request was lost. Correct: held, delivered behind Opened."""
    for pieces in cuttings(request() + LATE + LATE):
        run = server().feed(pieces)
        assert [type(event) for event in run.events] == [RequestReceived]
        run.connection.accept(now=0.0)
        run.take()
        assert isinstance(run.events[1], Opened) and run.events[2:] == ["hello", "hello"]


def test_row_41_what_came_too_early_is_bounded_and_dropped_with_a_refusal() -> None:
    """Correct: above 64 KiB it is refused with 400; behind a refusal nothing of it is parsed."""
    run = server().feed([request(), bytes(64 * KIB)])
    assert run.connection.closed is None
    assert_refused(run.feed([b"x"]), 400)
    run = server().feed([request() + LATE])
    run.connection.respond(403, now=0.0)
    run.take().feed([LATE])
    assert [type(event) for event in run.events] == [RequestReceived, Closed]


@pytest.mark.parametrize("separator", [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e"])
def test_row_42_only_crlf_ends_a_line(separator: bytes) -> None:
    """Cause: str.splitlines() ends lines at seven more characters. Correct: refused, in every place."""
    smuggled = b"X-Good: 1" + separator + b"X-Smuggled: 2"
    assert_refused(server().feed([plus(smuggled)]), 400)
    assert_refused(server().feed([request(b"GET /chat" + separator + b"x HTTP/1.1")]), 400)


@pytest.mark.parametrize("separator", [b"\x85", b"\xa0", b"\xe2\x80\xa8"])
def test_row_42_bytes_above_ascii_stay_inside_their_value(separator: bytes) -> None:
    """Cause: NEL and no-break space count as line end or blank in text. Correct: bytes like any other."""
    value = b"1" + separator + b"X-Smuggled: 2" + separator
    run = server().feed([plus(b"X-Good: " + value)])
    [received] = run.requests()
    assert received.request.headers.get("x-good") == value.decode("latin-1")
    assert received.request.headers.get("x-smuggled") is None


@pytest.mark.parametrize(
    "stream",
    [
        plus(b"Content-Length: 0_0"),
        plus(b"Content-Length: +0"),
        plus(b"Content-Length: -0"),
        instead(b"Sec-WebSocket-Version: 1_3"),
        instead(b"Sec-WebSocket-Version: +13"),
        instead(b"Sec-WebSocket-Version: 013"),
        instead(b"Sec-WebSocket-Version: \xb9\xb3"),
        instead(b"Connection: Upgrade\x85"),
        instead(b"Connection: \xa0Upgrade"),
        instead(b"Connection: Upgr\xe2\x84\xaade"),
    ],
)
def test_row_42_numbers_and_blanks_are_those_of_the_grammar(stream: bytes) -> None:
    """Cause: int("1_0") is 10, "\\u212a".lower() is "k", strip() takes NEL. Correct: bytes and grammar."""
    run = server().feed([stream])
    assert run.requests() == []
    assert read_message(run.sent).status in (400, 426)


@pytest.mark.parametrize("value", [b"websocket\x85", b"\xa0websocket", b"webso\xe2\x84\xaaet", b"web socket"])
def test_row_42_an_upgrade_to_something_like_websocket_is_none(value: bytes) -> None:
    """Correct: it is a plain request, which cannot be accepted."""
    run = server().feed([instead(b"Upgrade: " + value)])
    assert not any(received.request.is_upgrade for received in run.requests())


@pytest.mark.parametrize(
    "line",
    [
        b"Host: other.example",
        b"host: example.com",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Version: 8",
        b"Origin: http://example.com\r\nOrigin: http://evil.example",
    ],
)
def test_row_45_what_must_be_single_is_refused_when_repeated(line: bytes) -> None:
    """Cause: the last one won, or the first. Correct: 400."""
    assert_refused(server().feed([plus(line)]), 400)


@pytest.mark.parametrize(
    "line", [b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"Sec-WebSocket-Protocol: chat"]
)
def test_row_45_a_response_may_not_repeat_it_either(line: bytes) -> None:
    """Correct: a client leaves."""
    twice = response(line) if b"Accept" in line else response(line, line)
    run = client(subprotocols=("chat",)).feed([twice])
    assert run.events == [Closed(1006, "", clean=False, violation=Violation.DUPLICATE_HEADER)]


@pytest.mark.parametrize(
    "host",
    [
        b"\xff",
        b"xn--\xff",
        b"xn--a" * 20,
        b"a" * 300,
        b"caf\xc3\xa9.example",
        b"\xed\xa0\x80",
        b"a b",
        b"[",
        b"a:b:c",
    ],
)
def test_row_46_no_host_makes_anything_raise(host: bytes) -> None:
    """Cause: decoding a name raised UnicodeError in the reader's face. Correct: 400, or just a name."""
    for line in (b"Host: " + host, b"Origin: http://" + host):
        fields = [each for each in REQUEST_FIELDS if not each.startswith(line[:4])]
        run = server().feed([head(b"GET / HTTP/1.1", [*fields, line])])
        if not run.requests():
            assert read_message(run.sent).status in (400, 403)


@pytest.mark.parametrize(
    "value", [b"notwebsocket", b"websocket2", b"web,socket", b"h2c", b'"websocket"', b""]
)
def test_row_47_upgrade_is_compared_by_token(value: bytes) -> None:
    """Cause: a substring was enough. Correct: the token, in any case of ASCII letters."""
    run = server().feed([instead(b"Upgrade: " + value)])
    assert not any(received.request.is_upgrade for received in run.requests())
    for good in (b"websocket", b"WebSocket", b"h2c, WEBSOCKET"):
        [received] = server().feed([instead(b"Upgrade: " + good)]).requests()
        assert received.request.is_upgrade


@pytest.mark.parametrize("version", [b"0", b"7", b"8", b"12", b"14", b"13.0", b"13, 8", b"8, 13", b"x", b""])
def test_row_47_only_version_13_is_spoken(version: bytes) -> None:
    """Cause: older drafts were accepted. Correct: 426 that says 13."""
    run = server().feed([instead(b"Sec-WebSocket-Version: " + version)])
    assert_refused(run, 426)
    assert read_message(run.sent).values(b"sec-websocket-version") == [b"13"]


def test_row_39_nothing_of_a_refused_head_is_kept() -> None:
    """Correct: what follows a refusal costs no memory either."""
    run = server().feed([plus(b"Content-Length: 5")])
    segment = bytes(64 * KIB)

    def flood() -> None:
        for _ in range(50):
            run.connection.receive_data(segment, 0.0)

    assert memory(flood)[0] <= 8 * KIB
