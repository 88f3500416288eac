"""Rows 43, 44, 48, 49, 51, 52 and 53: what goes out, what a server may say, and who may speak to whom."""

import logging
import re
import tomllib
from pathlib import Path

import pytest

import wscore_threading
from support.eventually import background
from support.handshakes import (
    Run,
    assert_refused,
    client,
    head,
    plus,
    request,
    response,
    server,
)
from support.raw import RawListener, answer, dial
from support.threaded import echo
from wscore import (
    ANY_ORIGIN,
    Closed,
    Config,
    Connection,
    HandshakeRefused,
    LocalProtocolError,
    Refused,
    RemoteProtocolError,
    Response,
    Role,
    TransportAction,
    Violation,
)
from wscore_cli._failures import closed_text
from wscore_cli._text import message_text, one_line

SPLITTERS = [
    "a\r\nSet-Cookie: x=y",
    "a\nb",
    "a\rb",
    "a\x00b",
    "a\r\n\r\n<html>",
    "\r\n",
    "a\x0bb",
    "a\u2028b\u010d\u010a",
]


@pytest.mark.parametrize("poison", SPLITTERS)
def test_row_43_nothing_that_goes_out_splits_a_message(poison: str) -> None:
    """Cause: a path, a reason or a header value was written as it was given. Correct: an error from the
    core before a byte is written, for everything that can stand in a head."""
    run = server().feed([plus(b"Sec-WebSocket-Protocol: chat")])
    for headers in ([(poison, "x")], [("X", poison)], [("Location", poison)], {"Set-Cookie": poison}):
        with pytest.raises(LocalProtocolError):
            run.connection.respond(302, headers=headers, now=0.0)
        with pytest.raises(LocalProtocolError):
            run.connection.accept(headers=headers, now=0.0)
    with pytest.raises(LocalProtocolError):
        run.connection.accept(subprotocol=poison, now=0.0)
    assert run.take().sent == b""
    fresh = Run(Connection(Role.CLIENT, now=0.0))
    for headers in ([(poison, "x")], [("X", poison)], [("Upgrade", "x")], [("Host", "x")]):
        with pytest.raises(LocalProtocolError):
            fresh.connection.send_request("ws://localhost/", headers=headers, now=0.0)
    with pytest.raises(LocalProtocolError):
        fresh.connection.send_request("ws://localhost/", subprotocols=[poison], now=0.0)
    assert fresh.take().sent == b""


@pytest.mark.parametrize(
    "chunk",
    [b"0x1\r\nx\r\n", b"-1\r\nx\r\n", b"1_0\r\n" + b"x" * 16 + b"\r\n", b"+1\r\nx\r\n", b"g\r\n", b"1\nx\n"],
)
def test_row_44_a_chunk_that_is_framed_loosely_ends_the_body(chunk: bytes) -> None:
    """Cause: chunk sizes and ends were read laxly. Correct: what came before is kept, and no more."""
    run = client().feed([head(b"HTTP/1.1 403 x", [b"Transfer-Encoding: chunked"]) + b"2\r\nok\r\n" + chunk])
    run.feed([b"0\r\n\r\n" + response()])
    run.connection.receive_eof(0.0)
    refused, closed = run.take().events
    assert isinstance(refused, Refused) and refused.response.body == b"ok"
    assert isinstance(closed, Closed)


def test_row_44_no_h11_that_reads_chunks_loosely_can_be_installed() -> None:
    """Correct: the dependency begins with the release that was repaired."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    [requirement] = [each for each in project["project"]["dependencies"] if each.startswith("h11")]
    lowest = re.search(r">=(\d+)\.(\d+)", requirement)
    assert lowest and (int(lowest[1]), int(lowest[2])) >= (0, 16)


@pytest.mark.parametrize(
    ("data", "violation"),
    [
        (response(b"Sec-WebSocket-Accept: x", drop=b"sec-websocket-accept"), Violation.WEBSOCKET_ACCEPT),
        (response(drop=b"sec-websocket-accept"), Violation.WEBSOCKET_ACCEPT),
        (response(b"Sec-WebSocket-Protocol: other"), Violation.UNOFFERED_SUBPROTOCOL),
        (response(b"Sec-WebSocket-Extensions: permessage-deflate"), Violation.UNOFFERED_EXTENSION),
        (response(start_line=b"HTTP/1.0 101 Switching Protocols"), Violation.RESPONSE_VERSION),
        (response(b"Content-Length: 0"), Violation.RESPONSE_BODY),
        (head(b"HTTP/1.1 103 Early Hints", []) * 9 + response(), Violation.TOO_MANY_INFORMATIONAL),
    ],
)
def test_row_48_a_client_believes_nothing_that_it_did_not_ask_for(data: bytes, violation: Violation) -> None:
    """Cause: a 101 was enough. Correct: every field is checked, and a failure sends nothing."""
    run = client(subprotocols=("chat",))
    sent = run.sent
    run.feed([data + b"\x81\x05hello"])
    assert run.events == [Closed(1006, "", clean=False, violation=violation)]
    assert (run.sent, run.action) == (sent, TransportAction.CLOSE)


def test_row_48_a_200_is_a_refusal() -> None:
    """Correct: it is handed out as one, and no frame behind it is read."""
    run = client().feed([head(b"HTTP/1.1 200 OK", [b"Content-Length: 0"]) + b"\x81\x05hello"])
    assert [type(event) for event in run.events] == [Refused, Closed]


CROSS_SITE = [
    b"http://evil.example",
    b"http://example.com.evil.example",
    b"http://evilexample.com",
    b"http://example.com@evil.example",
    b"http://example.com:81",
    b"null",
    b"file://",
    b"http://example.com/",
    b"http://sub.example.com",
    b"",
]


@pytest.mark.parametrize("origin", CROSS_SITE)
def test_row_49_a_page_of_another_site_is_refused_by_default(origin: bytes) -> None:
    """Cause: Origin was not looked at, so any page could use a visitor's cookies. Correct: 403 for every
    origin but the host's own; a request without Origin passes."""
    assert_refused(server().feed([plus(b"Origin: " + origin)]), 403)
    assert len(server().feed([request()]).requests()) == 1
    assert len(server().feed([plus(b"Origin: http://example.com")]).requests()) == 1


def test_row_49_a_pattern_must_match_all_of_an_origin() -> None:
    """Cause: a pattern that matched the beginning. Correct: fullmatch, and null only if all are let in."""
    config = Config(origins=(re.compile(r"https://[a-z]+\.example\.com"), "https://good.example"))
    for origin, good in (
        (b"https://a.example.com", True),
        (b"https://good.example", True),
        (b"https://a.example.com.evil.example", False),
        (b"https://evil.example/https://a.example.com", False),
        (b"http://good.example", False),
        (b"null", False),
    ):
        run = server(config).feed([plus(b"Origin: " + origin)])
        assert bool(run.requests()) is good, origin
    assert server(Config(origins=ANY_ORIGIN)).feed([plus(b"Origin: null")]).requests()


def test_row_51_a_redirect_is_a_refusal_and_is_not_followed() -> None:
    """Cause: credentials went along to wherever a redirect pointed. Correct: nothing is sent anywhere; the
    caller gets the response and decides."""
    with RawListener() as first, RawListener() as second:
        location = f"Location: {second.url}".encode()

        def answer() -> None:
            peer = first.accept()
            peer.read_head()
            peer.send(head(b"HTTP/1.1 302 Found", [location, b"Content-Length: 0"]))

        answering = background(answer)
        with pytest.raises(HandshakeRefused) as refusal:
            wscore_threading.connect(first.url, headers={"Authorization": "Basic c2VjcmV0"})
        answering.result()
        assert refusal.value.response.status == 302
        second._socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            second.accept()


def test_row_51_a_followed_redirect_takes_no_credentials_to_another_origin() -> None:
    """Cause: only the first field of a name was left out, or another port counted as the same server.
    Correct: none of them reaches another origin, and nothing is followed unless that was asked for."""
    secrets = [
        ("Authorization", "Basic c2VjcmV0"),
        ("authorization", "more c2VjcmV0"),
        ("Cookie", "c2VjcmV0"),
    ]
    with RawListener() as first, RawListener() as second:

        def redirect() -> None:
            with first.accept() as peer:
                assert peer.read_head().count(b"c2VjcmV0") == 3
                location = f"Location: {second.url}".encode()
                peer.send(head(b"HTTP/1.1 307 Elsewhere", [location, b"Content-Length: 0"]))

        def accept() -> bytes:
            peer = second.accept()
            request_head = peer.read_head()
            peer.send(answer(request_head))
            return request_head

        redirecting, accepting = background(redirect), background(accept)
        session = wscore_threading.connect(first.url, headers=secrets, redirects=1, proxy=None)
        session.abort()
        redirecting.result()
        assert b"c2VjcmV0" not in accepting.result()


def test_row_52_credentials_for_a_proxy_reach_the_proxy_alone() -> None:
    """Cause: Proxy-Authorization was one of the fields of every request. Correct: it is in CONNECT, and in
    nothing that goes through the tunnel; what is for the server is not in CONNECT."""
    with RawListener() as proxy:

        def be_both() -> tuple[bytes, bytes]:
            peer = proxy.accept()
            connect = peer.read_head()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            inside = peer.read_head()
            peer.send(answer(inside))
            return connect, inside

        being = background(be_both)
        through = proxy.url.replace("ws://", "http://proxyuser:proxypass@")
        session = wscore_threading.connect("ws://user:pass@server.invalid/", proxy=through)
        session.abort()
        connect, inside = (each.lower() for each in being.result())
        assert connect.startswith(b"connect server.invalid:80 ")
        assert b"proxy-authorization: basic" in connect and b"\r\nauthorization:" not in connect
        assert b"proxy" not in inside and b"\r\nauthorization: basic" in inside


def test_row_52_bytes_behind_the_answer_of_a_proxy_are_refused() -> None:
    """Cause: what a proxy sent too early was taken for the server's. Correct: nothing can come before the
    server was asked, so the connection ends."""
    with RawListener() as proxy:

        def answer_too_much() -> None:
            peer = proxy.accept()
            peer.read_head()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n")
            peer.read_to_end()

        answering = background(answer_too_much)
        with pytest.raises(RemoteProtocolError):
            wscore_threading.connect("ws://server.invalid/", proxy=proxy.url.replace("ws://", "http://"))
        answering.result()


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nroot logged in\x00\x9b31m\u202egnp.exe\u2028\x7f"


def _is_harmless(text: str) -> bool:
    """Tell whether text is one line that no terminal takes for a command."""
    return all(character.isprintable() for character in text)


def test_row_53_what_a_peer_says_cannot_command_a_terminal() -> None:
    """Cause: a path or a reason was printed as it came. Correct: controls are shown as escapes, in full
    and on one line, and long texts are cut."""
    assert _is_harmless(one_line(HOSTILE))
    assert len(one_line("x" * 10**6)) <= 201
    assert _is_harmless(message_text(HOSTILE).replace("\n", "").replace("\t", ""))
    assert _is_harmless(message_text(bytes(range(256))))
    assert _is_harmless(closed_text(Closed(1000, HOSTILE[:50], clean=True)))
    assert len(closed_text(Closed(1000, "x" * 10**5, clean=True))) < 400


def test_row_53_logs_hold_nothing_of_what_a_peer_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Cause: request lines and headers went to the log. Correct: sentences of our own, short, printable;
    no header and no cookie."""

    def refuse(_: object) -> Response | None:
        raise ValueError("of the application")

    secret = b"Cookie: session=hunter2"
    poisons = [
        plus(secret, b"X: \x1b[2J"),
        request(b"GET /\x1b[2Jhunter2 HTTP/1.1"),
        request(b"GET /" + b"hunter2" * 2000 + b" HTTP/1.1"),
        plus(secret, b"Origin: http://hunter2.example"),
        b"\x16\x03\x01hunter2\r\n\r\n",
    ]
    with (
        caplog.at_level(logging.INFO),
        wscore_threading.serve(echo, "127.0.0.1", process_request=refuse) as running,
    ):
        for poison in [*poisons, plus(secret)]:
            with dial(running.port) as peer:
                peer.send(poison)
                assert peer.read_to_end().startswith(b"HTTP/1.1 ")
    assert caplog.records
    for record in caplog.records:
        text = record.getMessage()
        assert _is_harmless(text) and len(text) < 1000
        assert "hunter2" not in caplog.text
