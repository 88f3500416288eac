"""One real connection, and a peer that is a script: what it can do, and how it says what went wrong."""

from collections.abc import Callable

import pytest

from support.clock import only
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Connection,
    Opcode,
    Opened,
    PingReceived,
    Refused,
    RequestReceived,
    Role,
    State,
    Timer,
    Violation,
)
from wscore.testing import Clock, Frame, Head, Pair, ScriptedPeer

ROLES = list(Role)


def opened(role: Role) -> ScriptedPeer:
    peer = ScriptedPeer(role, only())
    peer.open()
    return peer


@pytest.mark.parametrize("role", ROLES)
def test_the_script_speaks_and_hears_frames(role: Role) -> None:
    peer = opened(role)
    assert peer.connection.role is role and peer.connection.state is State.OPEN
    peer.send(Frame.text("hel", final=False), Frame.ping(b"?"), Frame.continuation("lo"))
    peer.expect(Frame.pong(b"?"))
    assert peer.expect_event("hello") == "hello"
    peer.connection.send_bytes(b"\1\2")
    peer.connection.send_text("three")
    peer.expect(Frame.binary(b"\1\2"), Frame.text("three"))
    peer.expect_nothing()
    peer.expect_no_event()


@pytest.mark.parametrize("role", ROLES)
def test_the_script_closes_to_the_end_of_tcp(role: Role) -> None:
    peer = opened(role)
    peer.send(Frame.close(1000, "bye"))
    peer.expect(Frame.close(1000, "bye"))
    assert peer.expect_event(CloseReceived).reason == "bye"
    assert peer.expect_event(Closed).clean
    if role is Role.SERVER:
        peer.expect_eof()  # RFC 6455 7.1.1: the server closes TCP first
        peer.eof()
    else:
        peer.expect_nothing()
        peer.eof()
        peer.expect_eof()
    assert peer.connection.state is State.CLOSED


@pytest.mark.parametrize("role", ROLES)
def test_the_script_breaks_rules_and_sees_what_follows(role: Role) -> None:
    peer = opened(role)
    peer.send(Frame(Opcode.TEXT, b"hello", masked=role is Role.CLIENT))
    frame = peer.next_frame()
    assert (frame.opcode, frame.payload[:2]) == (Opcode.CLOSE, (1002).to_bytes(2, "big"))
    violation = peer.expect_event(Closed).violation
    assert violation is (Violation.MASKED_FRAME if role is Role.CLIENT else Violation.UNMASKED_FRAME)
    peer.expect_eof()


def test_a_server_under_test_is_asked_in_any_words() -> None:
    peer = ScriptedPeer(Role.SERVER, only())
    peer.send_request("/chat?room=1", headers={"origin": "http://evil.example", "host": "example.com"})
    head = peer.expect_head()
    assert (head.status, head.start_line) == (403, "HTTP/1.1 403 Forbidden")
    peer = ScriptedPeer(Role.SERVER, only())
    peer.send_request("/chat?room=1", headers={"host": "example.com", "X-More": "yes"})
    request = peer.expect_event(RequestReceived).request
    assert (request.target, request.host, request.headers["x-more"]) == ("/chat?room=1", "example.com", "yes")
    peer.connection.respond(404, body=b"nothing here", now=peer.clock.now)
    assert peer.expect_head().headers["content-length"] == "12"
    peer.expect_bytes(b"nothing ")
    peer.expect_bytes(b"here")
    peer.expect_eof()


def test_a_field_may_be_left_out() -> None:
    peer = ScriptedPeer(Role.SERVER, only())
    peer.send_request(headers={"sec-websocket-version": None})
    assert peer.expect_head().status != 101
    peer.expect_event(Closed)


def test_a_client_under_test_is_answered_in_any_words() -> None:
    peer = ScriptedPeer(Role.CLIENT, only())
    peer.connection.send_request("ws://example.com/chat", now=peer.clock.now)
    head = peer.expect_head()
    assert (head.start_line, head.status) == ("GET /chat HTTP/1.1", None)
    assert head.headers["host"] == "example.com"
    peer.send_response(404, headers={"X-More": "yes"}, body=b"nothing here")
    response = peer.expect_event(Refused).response
    assert (response.status, response.headers["x-more"], response.body) == (404, "yes", b"nothing here")
    peer.expect_event(Closed)
    peer.expect_eof()


def test_a_status_without_a_name_is_sent_all_the_same() -> None:
    peer = ScriptedPeer(Role.CLIENT, only())
    peer.connection.send_request("ws://example.com/", now=peer.clock.now)
    peer.expect_head()
    peer.send_response(499)
    assert peer.expect_event(Refused).response.status == 499


def test_a_wrong_token_is_no_handshake() -> None:
    peer = ScriptedPeer(Role.CLIENT, only())
    with pytest.raises(AssertionError, match="expected an event Opened"):
        peer.open(headers={"Sec-WebSocket-Accept": "wrong"})
    assert peer.expect_event(Closed).violation is Violation.WEBSOCKET_ACCEPT


@pytest.mark.parametrize("role", ROLES)
def test_a_handshake_agrees_on_the_first_subprotocol(role: Role) -> None:
    peer = ScriptedPeer(role, only())
    peer.open("ws://example.com/", subprotocols=["first", "second"])
    assert peer.connection.subprotocol == "first"
    assert [type(event) for event in peer.events][-1] is Opened
    assert peer.connection.request is not None
    assert peer.connection.request.subprotocols == ("first", "second")


def test_time_passes_for_the_script() -> None:
    clock = Clock()
    peer = ScriptedPeer(Role.SERVER, only(keepalive=5.0, pong=2.0), clock=clock)
    peer.open()
    peer.wait(5.0)
    peer.send(Frame.pong(peer.next_frame().payload))
    peer.wait(7.0)
    assert peer.next_frame().opcode == Opcode.PING
    peer.expect_reset()
    assert peer.expect_event(Closed).timer is Timer.PONG
    assert clock.now == 12.0


def test_the_stream_can_end_or_be_lost() -> None:
    for fault in (ScriptedPeer.eof, ScriptedPeer.reset):
        peer = opened(Role.SERVER)
        fault(peer)
        assert peer.expect_event(Closed).code == 1006


def test_the_links_of_a_script_may_be_slow_and_cut_the_stream() -> None:
    peer = opened(Role.SERVER)
    peer.to_connection.latency = 1.0
    peer.to_connection.split = 1
    peer.from_connection.latency = 0.5
    peer.send(Frame.text("hello"), Frame.ping(b"?"))
    peer.expect_event("hello")
    peer.expect(Frame.pong(b"?"))
    assert peer.clock.now == 1.5


def test_what_does_not_fit_into_a_link_is_not_passed_over() -> None:
    peer = opened(Role.SERVER)
    peer.to_connection.capacity = 3
    with pytest.raises(AssertionError, match="only 3 of 11 bytes fit"):
        peer.send(Frame.text("hello"))


def test_a_script_shares_its_clock_and_takes_a_connection() -> None:
    pair = Pair(only(), only())
    connection = Connection(Role.SERVER, Config(control_events=True), now=0.0)
    peer = ScriptedPeer(Role.SERVER, connection, clock=pair.clock)
    peer.open()
    peer.send(Frame.ping(b"?"))
    assert peer.expect_event(PingReceived(b"?")).payload == b"?"
    pair.advance(3.0)
    assert peer.clock.now == 3.0
    with pytest.raises(ValueError, match="expected a client, not a server"):
        ScriptedPeer(Role.CLIENT, connection)


def expecting(peer: ScriptedPeer, step: Callable[[ScriptedPeer], object]) -> str:
    """Return what a failing step says."""
    with pytest.raises(AssertionError) as caught:
        step(peer)
    return str(caught.value)


@pytest.mark.parametrize(
    ("came", "step", "words"),
    [
        ("", lambda peer: peer.expect(Frame.text("x")), "expected text 'x', but nothing came"),
        ("", lambda peer: peer.next_frame(), "expected a frame, but nothing came"),
        ("", lambda peer: peer.expect_head(), "expected an HTTP head, but nothing came"),
        ("", lambda peer: peer.expect_bytes(b"x"), "expected the bytes 78, but nothing came"),
        ("", lambda peer: peer.expect_eof(), "expected the end of the stream, but nothing came"),
        ("", lambda peer: peer.expect_reset(), "expected a reset, but nothing came"),
        ("", lambda peer: peer.expect_event(str), "expected an event str, but no event came"),
        ("", lambda peer: peer.expect_event("x"), "expected the text message 'x', but no event came"),
        ("hello", lambda peer: peer.expect(Frame.text("x")), "expected text 'x', but text 'hello' came"),
        ("hello", lambda peer: peer.expect_nothing(), "expected nothing, but text 'hello' came"),
        ("hello", lambda peer: peer.expect_eof(), "expected the end of the stream, but text 'hello' came"),
        ("hello", lambda peer: peer.expect_bytes(b"x"), "expected the bytes 78, but text 'hello' came"),
    ],
)
def test_a_failed_step_says_what_was_expected_and_what_came(
    came: str, step: Callable[[ScriptedPeer], object], words: str
) -> None:
    peer = opened(Role.SERVER)
    if came:
        peer.connection.send_text(came)
    assert expecting(peer, step) == f"{words}; the server is open"


def test_a_failed_step_takes_nothing_away() -> None:
    peer = opened(Role.SERVER)
    peer.connection.send_text("hello")
    peer.send(Frame.text("hello"))
    expecting(peer, lambda peer: peer.expect(Frame.text("x")))
    expecting(peer, lambda peer: peer.expect_event(b"hello"))
    peer.expect(Frame.text("hello"))
    peer.expect_event("hello")


def test_a_failed_step_says_which_event_came_and_how_the_connection_ended() -> None:
    peer = opened(Role.SERVER)
    peer.send(Frame.binary(b"\1"), Frame(3))
    said = expecting(peer, lambda peer: peer.expect_event(b"\2"))
    assert said.startswith("expected the binary message 02, but the binary message 01 came")
    said = expecting(peer, lambda peer: peer.expect_no_event())
    assert said.startswith("expected no event, but the binary message 01 came")
    peer.expect_event(b"\1")
    assert "expected an event str, but Closed(" in expecting(peer, lambda peer: peer.expect_event(str))
    assert expecting(peer, lambda peer: peer.expect(Frame.pong())).endswith(
        "; the server is draining (1006, RESERVED_OPCODE)"
    )


def test_a_failed_step_says_where_the_stream_stands() -> None:
    peer = opened(Role.SERVER)
    peer.connection.send_text("hello")
    peer.expect_bytes(b"\x81\x05h")
    assert "but a part of a frame, 656c6c6f, came" in expecting(peer, lambda peer: peer.next_frame())
    peer = opened(Role.SERVER)
    peer.reset()
    assert "but a reset came" in expecting(peer, lambda peer: peer.expect_eof())
    peer = opened(Role.SERVER)
    peer.eof()
    assert "but the end of the stream came" in expecting(peer, lambda peer: peer.expect_nothing())
    peer = ScriptedPeer(Role.SERVER, only())
    peer.send_request(headers={"sec-websocket-version": "12"})
    assert "but the head 'HTTP/1.1 4" in expecting(peer, lambda peer: peer.expect(Frame.text("x")))


def test_a_head_is_a_value() -> None:
    peer = ScriptedPeer(Role.CLIENT, only())
    peer.connection.send_request("ws://example.com/", now=0.0)
    head = peer.expect_head()
    assert head == Head(head.start_line, head.headers)
