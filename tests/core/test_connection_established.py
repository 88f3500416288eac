"""A connection whose handshake took place elsewhere: open from the first moment, and then like any other."""

from collections.abc import Callable
from typing import Any

import pytest

from support.clock import only
from support.run_length import NAME, RunLength
from support.wire import (
    CLOSE,
    PING,
    REQUEST,
    TEXT,
    URL,
    feed,
    frame,
    from_peer,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    ANY_ORIGIN,
    Closed,
    CloseReceived,
    Config,
    Connection,
    ConnectionClosed,
    Deflate,
    Headers,
    Limits,
    LocalProtocolError,
    Opened,
    Request,
    Response,
    Role,
    State,
    TransportAction,
    Violation,
)
from wscore.testing import cuttings, drain, repeatable_entropy

ROLES = list(Role)


def taken_over(role: Role, config: Config | None = None, **settings: Any) -> Connection:
    """Return a connection that was just taken over, with nothing taken from it."""
    return Connection.established(role, config, now=0.0, **settings)


@pytest.mark.parametrize("role", ROLES)
def test_it_is_open_and_has_nothing_to_send(role: Role) -> None:
    connection = taken_over(role)
    assert (connection.role, connection.state, connection.closed) == (role, State.OPEN, None)
    assert (connection.wants_read, connection.writable, connection.buffered_amount) == (True, True, 0)
    assert connection.data_to_send(0.0) == []
    assert connection.transport_action() is TransportAction.KEEP
    assert (connection.stats.wire_received, connection.stats.wire_sent) == (0, 0)


@pytest.mark.parametrize("role", ROLES)
def test_it_opens_first_of_all_and_shows_a_plain_request_by_default(role: Role) -> None:
    connection = taken_over(role)
    assert connection.events_waiting == 1
    event = connection.next_event()
    assert isinstance(event, Opened)
    assert (event.request.method, event.request.target, len(event.request.headers)) == ("GET", "/", 0)
    assert (event.response.status, event.response.body) == (101, b"")
    assert (event.subprotocol, event.extensions) == (None, "")
    assert (connection.request, connection.response) == (event.request, event.response)
    assert (connection.subprotocol, connection.extensions) == (None, "")
    assert connection.next_event() is None


@pytest.mark.parametrize("role", ROLES)
def test_it_shows_what_it_was_told_of_the_handshake(role: Role) -> None:
    request = Request("CONNECT", "/chat", Headers([("Origin", "https://elsewhere.example")]))
    response = Response(200, Headers([("x-a", "b")]))  # RFC 8441 section 5: over HTTP/2 a 200
    connection = taken_over(role, request=request, response=response, subprotocol="chat")
    assert connection.next_event() == Opened(request, response, "chat", "")
    assert connection.request is request and connection.response is response
    assert connection.subprotocol == "chat"


@pytest.mark.parametrize("role", ROLES)
def test_what_came_behind_the_handshake_is_read_behind_its_opening(role: Role) -> None:
    data = (
        from_peer(role, TEXT, b"early") + from_peer(role, PING, b"p") + from_peer(role, CLOSE, status(1000))
    )
    for chunks in cuttings(data):
        connection = taken_over(role)
        for chunk in chunks:
            connection.receive_data(chunk, 0.0)
        output = drain(connection, 0.0)
        assert isinstance(output.events[0], Opened)
        assert output.events[1:3] == ["early", CloseReceived(1000, "")]
        assert the_end(output.events).clean
        assert read_frames(output.sent) == [(0x8A, b"p"), (0x88, status(1000))]


@pytest.mark.parametrize("role", ROLES)
def test_it_goes_on_like_one_that_shook_hands_itself(role: Role) -> None:
    config = Config(limits=Limits(max_message_size=10), control_events=True, agent=None)
    one, other = taken_over(role, config, entropy=repeatable_entropy()), opened(role, config)
    assert [type(event) for event in drain(one, 0.0).events] == [Opened]
    script: list[Callable[[Connection], object]] = [
        lambda c: feed(c, (TEXT, b"one"), (PING, b"p")).events,
        lambda c: c.send_text("reply"),
        lambda c: read_frames(drain(c, 1.0).sent),
        lambda c: c.next_deadline(),
        lambda c: c.handle_deadline(100.0),
        lambda c: [first for first, _ in read_frames(drain(c, 100.0).sent)],
        lambda c: c.next_deadline(),
        lambda c: feed(c, (TEXT, b"more than ten"), now=101.0).events,
        lambda c: (c.state, c.closed, c.transport_action(), c.next_deadline()),
    ]
    for step in script:
        assert step(one) == step(other)
    assert one.closed is not None and one.closed.violation is Violation.MESSAGE_TOO_BIG


def test_a_client_masks_and_a_server_does_not() -> None:
    for role in ROLES:
        connection = taken_over(role, entropy=repeatable_entropy())
        connection.send_text("Hello")
        # RFC 6455 section 5.7
        example = "818537fa213d7f9f4d5158" if role is Role.CLIENT else "810548656c6c6f"
        assert drain(connection, 0.0).sent == bytes.fromhex(example)
        connection.receive_data(frame(TEXT, b"x", masked=role is Role.CLIENT), 0.0)
        broken = the_end(drain(connection, 0.0).events).violation
        assert broken is (Violation.MASKED_FRAME if role is Role.CLIENT else Violation.UNMASKED_FRAME)


@pytest.mark.parametrize("role", ROLES)
def test_the_handshake_cannot_be_done_again(role: Role) -> None:
    connection = taken_over(role)
    commands: list[Callable[[], object]] = [
        lambda: connection.send_request(URL, now=1.0),
        lambda: connection.accept(now=1.0),
        lambda: connection.respond(403, now=1.0),
    ]
    for command in commands:
        with pytest.raises(LocalProtocolError):
            command()
    assert (connection.state, connection.data_to_send(0.0)) == (State.OPEN, [])
    connection.receive_data(REQUEST, 0.0)  # that is no frame
    assert the_end(drain(connection, 0.0).events).violation is not None


# Time.


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("timeouts", "deadline"),
    [
        ({"open": 5.0}, None),
        ({"keepalive": 5.0}, 12.0),
        ({"idle": 6.0}, 13.0),
        ({"lifetime": 8.0, "open": 1.0}, 15.0),
    ],
)
def test_its_time_begins_when_it_is_taken_over_and_no_opening_is_waited_for(
    role: Role, timeouts: dict[str, float], deadline: float | None
) -> None:
    connection = Connection.established(role, only(**timeouts), now=7.0)
    assert connection.next_deadline() == deadline


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("half_close", [False, True])
def test_a_transport_that_cannot_half_close_is_told_as_usual(role: Role, half_close: bool) -> None:
    connection = taken_over(role, half_close=half_close)
    connection.receive_data(b"\xff", 0.0)
    output = drain(connection, 0.0)
    assert the_end(output.events).violation is Violation.RESERVED_BITS
    expected = TransportAction.SHUTDOWN_WRITE if half_close else TransportAction.KEEP
    assert output.action is expected


@pytest.mark.parametrize("role", ROLES)
def test_a_lost_stream_is_lost(role: Role) -> None:
    connection = taken_over(role)
    connection.receive_eof(0.0)
    opening, closed = drain(connection, 0.0).events
    assert isinstance(opening, Opened)
    assert closed == Closed(1006, "", False)
    with pytest.raises(ConnectionClosed):
        connection.send_text("x")


# Extensions.

DEFLATE = "permessage-deflate"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("compression", "extensions", "agreed"),
    [
        (None, "", ""),
        (RunLength(), "", ""),
        (RunLength(), NAME, NAME),
        (RunLength(), f" {NAME} ,", NAME),
        ((Deflate(), RunLength()), NAME, NAME),
        (Deflate(), DEFLATE, DEFLATE),
        (
            Deflate(),
            f"{DEFLATE};server_max_window_bits=10;client_no_context_takeover",
            f"{DEFLATE}; server_max_window_bits=10; client_no_context_takeover",
        ),
    ],
)
def test_the_extension_that_was_agreed_on_elsewhere_is_in_use(
    role: Role, compression: Any, extensions: str, agreed: str
) -> None:
    connection = taken_over(role, Config(compression=compression), extensions=extensions)
    event = connection.next_event()
    assert isinstance(event, Opened)
    assert connection.extensions == event.extensions == agreed
    # RSV1 is allowed from here, or it is not.
    connection.receive_data(b"\xc1", 0.0)
    assert (connection.state is State.OPEN) is bool(agreed)
    if agreed:
        connection.send_text("aaaa", compress=True)
        [(first, _)] = read_frames(drain(connection, 0.0).sent)
        assert first == 0xC1


def test_both_sides_compress_what_the_other_reads() -> None:
    answer = f"{DEFLATE}; server_no_context_takeover"
    client, server = (
        taken_over(role, Config(compression=Deflate(threshold=0)), extensions=answer) for role in ROLES
    )
    text = "compress me, " * 20
    for source, target in ((client, server), (server, client)):
        for _ in range(3):
            source.send_text(text)
        sent = drain(source, 0.0).sent
        assert len(sent) < 3 * len(text) / 3
        target.receive_data(sent, 0.0)
        assert drain(target, 0.0).events[-3:] == [text] * 3


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("compression", "extensions"),
    [
        (None, NAME),
        (None, DEFLATE),
        (RunLength(), DEFLATE),
        (RunLength(), NAME + "; a"),
        (RunLength(), f"{NAME}, {NAME}"),
        (RunLength(), f"{NAME}, {DEFLATE}"),
        (Deflate(), f"{DEFLATE}; server_max_window_bits=7"),
        (Deflate(), f"{DEFLATE}; client_max_window_bits"),  # an offer, not an answer
        (Deflate(), f"{DEFLATE}; unknown"),
        (RunLength(), ","),
        (RunLength(), " "),
        (RunLength(), "not a token"),
        (RunLength(), NAME + ";"),
        (RunLength(), NAME + "\r\nX: y"),
        (RunLength(), "caf\xe9"),
        (RunLength(), "\ud800"),
    ],
)
def test_what_config_does_not_have_or_nobody_can_read_is_the_callers_mistake(
    role: Role, compression: Any, extensions: str
) -> None:
    with pytest.raises(LocalProtocolError):
        taken_over(role, Config(compression=compression), extensions=extensions)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("extensions", [NAME.encode(), 5, None, [NAME]], ids=repr)
def test_extensions_are_text(role: Role, extensions: Any) -> None:
    with pytest.raises(TypeError):
        taken_over(role, Config(compression=RunLength()), extensions=extensions)


def test_a_mistake_is_shown_in_part() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        taken_over(Role.SERVER, extensions="x" * 10_000)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(("role", "config"), [("server", None), (None, None), (Role.SERVER, Limits())])
def test_it_is_made_of_a_role_and_a_config(role: Any, config: Any) -> None:
    with pytest.raises(TypeError):
        Connection.established(role, config, now=0.0)


def test_origins_were_checked_by_whoever_shook_hands() -> None:
    foreign = Request("GET", "/", Headers([("Host", "here"), ("Origin", "https://elsewhere.example")]))
    for config in (Config(), Config(origins=()), Config(origins=ANY_ORIGIN)):
        assert taken_over(Role.SERVER, config, request=foreign).state is State.OPEN
