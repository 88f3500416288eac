"""A connection through its public API: the opening, what is sent, what a peer's mistake leads to, and that
a refused command changes nothing. Closing, timers and flow control have files of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from support.wire import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    REQUEST,
    RESPONSE,
    TEXT,
    URL,
    connecting,
    frame,
    from_peer,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Connection,
    Limits,
    LocalProtocolError,
    Opened,
    PreparedMessage,
    Refused,
    RequestReceived,
    Role,
    State,
    TransportAction,
    Violation,
    parse_url,
)
from wscore.testing import drain, repeatable_entropy

ROLES = list(Role)
SMALL = Limits(max_message_size=300, max_fragments=4, max_empty_fragments=2, max_control_rate=2)


@pytest.mark.parametrize(("role", "config"), [("client", None), (Role.CLIENT, Limits()), (None, None)])
def test_a_connection_is_made_of_a_role_and_a_config(role: Any, config: Any) -> None:
    with pytest.raises(TypeError):
        Connection(role, config, now=0.0)


@pytest.mark.parametrize("role", ROLES)
def test_a_new_connection_has_nothing_to_tell(role: Role) -> None:
    connection = Connection(role, now=0.0)
    assert connection.role is role
    assert connection.state is State.CONNECTING
    for nothing in (connection.request, connection.response, connection.subprotocol):
        assert nothing is None
    assert connection.closed is None and connection.latency is None
    assert (connection.wants_read, connection.writable, connection.buffered_amount) == (True, True, 0)
    assert connection.events_waiting == 0
    assert connection.transport_action() is TransportAction.KEEP
    assert (connection.next_event(), connection.data_to_send(0.0)) == (None, [])


# The opening.


@pytest.mark.parametrize("address", [URL, parse_url(URL)], ids=["text", "Address"])
def test_a_client_sends_the_request_of_the_rfc_and_believes_its_response(address: Any) -> None:
    connection = Connection(Role.CLIENT, now=0.0, entropy=repeatable_entropy(b"the sample nonce"))
    connection.send_request(address, headers=[("X-A", "b")], subprotocols=["chat"], now=0.0)
    sent = drain(connection, 0.0).sent
    assert sent.startswith(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n")
    assert b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in sent
    assert b"\r\nX-A: b\r\n" in sent
    assert connection.request is not None and connection.request.target == "/chat"
    assert connection.response is None
    connection.receive_data(RESPONSE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"), 0.0)
    assert connection.state is State.OPEN
    assert connection.response is not None and connection.response.status == 101
    assert connection.subprotocol == "chat"
    assert connection.next_event() == Opened(connection.request, connection.response, "chat")


def test_a_server_shows_the_request_and_accepts_it_with_the_response_of_the_rfc() -> None:
    connection = Connection(Role.SERVER, now=0.0)
    connection.receive_data(REQUEST, 0.0)
    event = connection.next_event()
    assert isinstance(event, RequestReceived)
    assert event.request.subprotocols == ("chat", "superchat")
    assert (connection.request, connection.response) == (event.request, None)
    connection.accept(subprotocol="superchat", headers={"X-A": "b"}, now=0.0)
    sent = drain(connection, 0.0)
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in sent.sent
    assert b"\r\nX-A: b\r\n" in sent.sent
    assert connection.response is not None
    assert sent.events == [Opened(event.request, connection.response, "superchat")]
    assert (connection.subprotocol, connection.state) == ("superchat", State.OPEN)


@pytest.mark.parametrize("role", ROLES)
def test_frames_that_come_right_behind_the_head_are_read_once_the_connection_is_open(role: Role) -> None:
    connection = connecting(role)
    early = from_peer(role, TEXT, b"early") + from_peer(role, PING, b"p")
    connection.receive_data((RESPONSE if role is Role.CLIENT else REQUEST) + early[:3], 0.0)
    connection.receive_data(early[3:], 0.0)
    if role is Role.SERVER:
        assert [type(event) for event in drain(connection, 0.0).events] == [RequestReceived]
        connection.accept(now=0.0)
    output = drain(connection, 0.0)
    assert isinstance(output.events[0], Opened)
    assert output.events[1:] == ["early"]
    # Nothing may stand before the response, or the client cannot read it (RFC 6455 section 4.2.2).
    assert output.sent.startswith(b"HTTP/1.1 101 ") is (role is Role.SERVER)
    assert read_frames(output.sent.rpartition(b"\r\n\r\n")[2]) == [(0x8A, b"p")]


def test_a_client_reports_a_refusal_with_its_body() -> None:
    connection = connecting(Role.CLIENT)
    connection.receive_data(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno and more", 0.0)
    refused, closed = drain(connection, 0.0).events
    assert isinstance(refused, Refused)
    assert (refused.response.status, refused.response.body) == (403, b"no")
    assert closed == Closed(1006, "", False)
    assert connection.response == refused.response


def test_a_server_refuses_and_then_reads_nothing_more() -> None:
    connection = connecting(Role.SERVER)
    connection.receive_data(REQUEST, 0.0)
    connection.respond(403, headers={"X-A": "b"}, body=b"no", now=0.0)
    output = drain(connection, 0.0)
    assert output.sent.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert output.sent.endswith(b"\r\n\r\nno")
    assert the_end(output.events) == Closed(1006, "", False)
    assert connection.state is State.DRAINING
    connection.receive_data(REQUEST + frame(TEXT, b"x", masked=True), 0.0)
    assert drain(connection, 0.0).events == []
    assert connection.response is not None and connection.response.status == 403


def test_a_plain_request_can_only_be_responded_to() -> None:
    connection = connecting(Role.SERVER)
    connection.receive_data(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", 0.0)
    event = connection.next_event()
    assert isinstance(event, RequestReceived) and not event.request.is_upgrade
    with pytest.raises(LocalProtocolError):
        connection.accept(now=0.0)
    connection.respond(200, body=b"ok", now=0.0)
    assert drain(connection, 0.0).sent.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    ("role", "data", "violation", "answer"),
    [
        (Role.SERVER, b"GET / HTTP/1.1\n", Violation.BARE_LF, b"HTTP/1.1 400 "),
        (Role.SERVER, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", Violation.HTTP_VERSION, b"HTTP/1.1 505 "),
        (Role.CLIENT, RESPONSE.replace(b"s3p", b"S3P"), Violation.WEBSOCKET_ACCEPT, b""),
        (Role.CLIENT, b"HTTP/1.1 101 x\n", Violation.BARE_LF, b""),
    ],
)
def test_a_server_refuses_a_bad_request_and_a_client_leaves_a_bad_response_without_a_word(
    role: Role, data: bytes, violation: Violation, answer: bytes
) -> None:
    connection = connecting(role)
    connection.receive_data(data, 0.0)
    output = drain(connection, 0.0)
    assert output.sent.startswith(answer) and bool(output.sent) is bool(answer)
    assert output.events == [Closed(1006, "", False, violation=violation)]
    assert connection.closed == output.events[0]
    if role is Role.CLIENT:
        assert (connection.state, output.action) == (State.CLOSED, TransportAction.CLOSE)


def test_too_much_early_data_is_refused_even_while_the_request_waits() -> None:
    connection = connecting(Role.SERVER, Config(limits=Limits(early_data=10)))
    connection.receive_data(REQUEST + bytes(10), 0.0)
    assert [type(event) for event in drain(connection, 0.0).events] == [RequestReceived]
    connection.receive_data(b"x", 0.0)
    output = drain(connection, 0.0)
    assert output.sent.startswith(b"HTTP/1.1 400 ")
    assert the_end(output.events).violation is Violation.EARLY_DATA


# What is sent.

SENDS: list[tuple[str, Callable[[Connection], object], tuple[int, bytes]]] = [
    ("text", lambda c: c.send_text("h\xe9"), (0x81, b"h\xc3\xa9")),
    ("empty text", lambda c: c.send_text(""), (0x81, b"")),
    ("bytes", lambda c: c.send_bytes(b"\x00\xff"), (0x82, b"\x00\xff")),
    ("bytearray", lambda c: c.send_bytes(bytearray(b"ab")), (0x82, b"ab")),
    ("memoryview", lambda c: c.send_bytes(memoryview(b"abcdef")[::2]), (0x82, b"ace")),
    ("long", lambda c: c.send_bytes(bytes(70_000)), (0x82, bytes(70_000))),
    ("ping", lambda c: c.send_ping(b"p" * 125, now=0.0), (0x89, b"p" * 125)),
    ("pong", lambda c: c.send_pong(), (0x8A, b"")),
    ("full pong", lambda c: c.send_pong(b"p" * 125), (0x8A, b"p" * 125)),
    ("close", lambda c: c.close(now=0.0), (0x88, b"\x03\xe8")),
    (
        "close with reason",
        lambda c: c.close(4000, "\u20ac" * 41, now=0.0),
        (0x88, status(4000, b"\xe2\x82\xac" * 41)),
    ),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("command", "sent"), [row[1:] for row in SENDS], ids=[row[0] for row in SENDS])
def test_a_command_becomes_one_frame(
    role: Role, command: Callable[[Connection], object], sent: tuple[int, bytes]
) -> None:
    connection = opened(role)
    command(connection)
    data = b"".join(connection.data_to_send(0.0))
    assert read_frames(data) == [sent]
    assert bool(data[1] & 0x80) is (role is Role.CLIENT)  # RFC 6455 section 5.1


def test_a_ping_without_payload_gets_four_random_bytes() -> None:
    connection = Connection(Role.SERVER, now=0.0, entropy=repeatable_entropy(b"abcdefgh"))
    connection.receive_data(REQUEST, 0.0)
    connection.accept(now=0.0)
    drain(connection, 0.0)
    pings = connection.send_ping(now=0.0), connection.send_ping(now=0.0)
    assert [ping.payload for ping in pings] == [b"abcd", b"efgh"]
    assert read_frames(drain(connection, 0.0).sent) == [(0x89, b"abcd"), (0x89, b"efgh")]


def test_a_client_masks_every_frame_with_a_fresh_key_even_an_empty_one() -> None:
    connection = opened(Role.CLIENT)
    for _ in range(3):
        connection.send_text("")
    sent = drain(connection, 0.0).sent
    assert len({sent[at + 2 : at + 6] for at in (0, 6, 12)}) == 3


def test_what_was_sent_does_not_change_with_the_callers_buffer() -> None:
    connection = opened(Role.SERVER)
    buffer = bytearray(b"x" * 100_000)
    connection.send_bytes(buffer)
    connection.send_bytes(memoryview(buffer))
    buffer[:] = b"y" * len(buffer)
    assert b"y" not in b"".join(connection.data_to_send(0.0))


def test_output_leaves_in_order_in_few_pieces() -> None:
    connection = opened(Role.SERVER)
    for _ in range(10):
        connection.send_text("x")
    connection.send_bytes(bytes(50_000))
    connection.send_text("y")
    pieces = connection.data_to_send(0.0)
    assert len(pieces) == 3
    assert b"".join(pieces) == b"\x81\x01x" * 10 + b"\x82\x7e\xc3\x50" + bytes(50_000) + b"\x81\x01y"


def test_the_counters_count() -> None:
    connection = opened(Role.SERVER)
    stats = connection.stats
    before, sent = stats.wire_received, stats.wire_sent
    assert before == len(REQUEST)
    data = b"".join(
        from_peer(Role.SERVER, opcode, payload)
        for opcode, payload in [(TEXT, b"h\xc3\xa9"), (BINARY, b"xy"), (PING, b"1"), (PONG, b"2")]
    )
    connection.receive_data(data, 0.0)
    connection.send_text("\u20ac")
    connection.send_bytes(b"z")
    output = drain(connection, 0.0)
    assert (stats.messages_received, stats.payload_received) == (2, 5)
    assert stats.wire_received - before == len(data)
    assert (stats.messages_sent, stats.payload_sent, stats.wire_sent - sent) == (2, 4, len(output.sent))
    assert (stats.pings_received, stats.pongs_received) == (1, 1)
    assert connection.stats is stats


@pytest.mark.parametrize("role", ROLES)
def test_a_frame_in_100_000_reads_arrives(role: Role) -> None:
    size = 100_000
    connection = opened(role)
    data = from_peer(role, BINARY, bytes(size))
    for index in range(len(data)):
        assert connection.wants_read
        connection.receive_data(data[index : index + 1], 0.0)
    assert connection.next_event() == bytes(size)


@pytest.mark.parametrize("role", ROLES)
def test_events_are_counted_while_they_wait(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(b"".join(from_peer(role, op, b"") for op in (TEXT, BINARY, CLOSE)), 0.0)
    taken = []
    while connection.events_waiting:
        taken.append(connection.next_event())
    assert taken[:3] == ["", b"", CloseReceived(1005, "")]
    assert isinstance(taken[-1], Closed)
    assert connection.next_event() is None


@pytest.mark.parametrize("role", ROLES)
def test_a_message_of_any_kind_is_sent_as_what_it_is(role: Role) -> None:
    connection = opened(role)
    for message in ("text", b"bytes", bytearray(b"more"), memoryview(b"view"), PreparedMessage("prepared")):
        connection.send(message)
    connection.send("plain", False)
    frames = read_frames(drain(connection, 0.0).sent)
    expected = [
        (TEXT, b"text"),
        (BINARY, b"bytes"),
        (BINARY, b"more"),
        (BINARY, b"view"),
        (TEXT, b"prepared"),
        (TEXT, b"plain"),
    ]
    assert frames == [(0x80 | opcode, payload) for opcode, payload in expected]
    with pytest.raises(TypeError):
        connection.send(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ROLES)
def test_times_too_large_for_a_timeout_to_matter_end_no_call_late(role: Role) -> None:
    connection = opened(role)
    connection.handle_deadline(1e30)  # 1e30 + 20.0 is 1e30: whatever is armed again is due at once
    assert connection.next_deadline() == 1e30
