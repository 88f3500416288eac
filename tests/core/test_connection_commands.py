"""Every command in every state: it does what it says, or raises and changes nothing at all."""

from collections.abc import Callable
from typing import Any

import pytest

from support.counters import counters
from support.wire import (
    CLOSE,
    PING,
    REQUEST,
    RESPONSE,
    TEXT,
    URL,
    connecting,
    feed,
    from_peer,
    opened,
    status,
)
from wscore import (
    Config,
    Connection,
    ConnectionClosed,
    InvalidURL,
    Limits,
    LocalProtocolError,
    PreparedMessage,
    Role,
    State,
    WriteBufferFull,
)

PREPARED = PreparedMessage("x")
FAR = 1e9  # a refused command must not even move the clock

Call = Callable[[Connection], object]
Outcome = type[Exception] | None

COMMANDS: dict[str, Call] = {
    "send_request": lambda c: c.send_request(URL, now=FAR),
    "accept": lambda c: c.accept(now=FAR),
    "respond": lambda c: c.respond(403, now=FAR),
    "send_text": lambda c: c.send_text("x"),
    "send_bytes": lambda c: c.send_bytes(b"x"),
    "send_fragment": lambda c: c.send_fragment("x", False),
    "send_last_fragment": lambda c: c.send_fragment("x", True),
    "send_prepared": lambda c: c.send_prepared(PREPARED),
    "send_ping": lambda c: c.send_ping(b"x", now=FAR),
    "send_random_ping": lambda c: c.send_ping(now=FAR),
    "send_pong": lambda c: c.send_pong(b"x"),
    "close": lambda c: c.close(now=FAR),
    "close_and_discard": lambda c: c.close(1001, "x", now=FAR, discard=True),
}
SENDING = (
    *("send_text", "send_bytes", "send_fragment", "send_last_fragment", "send_prepared"),
    *("send_ping", "send_random_ping", "send_pong"),
)
CLOSING = ("close", "close_and_discard")


def with_request(role: Role, request: bytes = REQUEST) -> Connection:
    """Return a server with a request that waits; a client has nothing like it."""
    connection = connecting(role)
    connection.receive_data(request, 0.0)
    return connection


def stuffed(role: Role) -> Connection:
    """Return a connection that has more waiting than it may."""
    connection = opened(role, Config(limits=Limits(outbox_limit=10)))
    connection.send_text("x" * 10)
    return connection


def local_closing(role: Role) -> Connection:
    """Return a connection that has sent its Close."""
    connection = opened(role)
    connection.close(now=0.0)
    return connection


def remote_closing(role: Role) -> Connection:
    """Return a connection whose peer's Close waits behind a message."""
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"x") + from_peer(role, CLOSE, status(1000)), 0.0)
    return connection


def draining(role: Role) -> Connection:
    """Return a connection with both Closes exchanged."""
    connection = opened(role)
    feed(connection, (CLOSE, status(1000)))
    return connection


def closed(role: Role) -> Connection:
    """Return a connection whose stream has ended."""
    connection = opened(role)
    connection.receive_eof(0.0)
    return connection


STATES: dict[str, tuple[State, Callable[[Role], Connection], tuple[Role, ...]]] = {
    "new": (State.CONNECTING, lambda role: Connection(role, now=0.0), tuple(Role)),
    "request sent": (State.CONNECTING, connecting, (Role.CLIENT,)),
    "request waits": (State.CONNECTING, with_request, (Role.SERVER,)),
    "plain request waits": (
        State.CONNECTING,
        lambda role: with_request(role, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Role.SERVER,),
    ),
    "open": (State.OPEN, opened, tuple(Role)),
    "too much waits": (State.OPEN, stuffed, tuple(Role)),
    "local closing": (State.LOCAL_CLOSING, local_closing, tuple(Role)),
    "remote closing": (State.REMOTE_CLOSING, remote_closing, tuple(Role)),
    "draining": (State.DRAINING, draining, tuple(Role)),
    "closed": (State.CLOSED, closed, tuple(Role)),
}

# What each state allows; everything else is a LocalProtocolError there.
ALLOWED: dict[tuple[str, Role], tuple[str, ...]] = {
    ("new", Role.CLIENT): ("send_request",),
    ("new", Role.SERVER): (),
    ("request sent", Role.CLIENT): (),
    ("request waits", Role.SERVER): ("accept", "respond"),
    ("plain request waits", Role.SERVER): ("respond",),
    ("open", Role.CLIENT): SENDING,
    ("open", Role.SERVER): SENDING,
    ("too much waits", Role.CLIENT): (),
    ("too much waits", Role.SERVER): (),
    ("local closing", Role.CLIENT): (),
    ("local closing", Role.SERVER): (),
    ("remote closing", Role.CLIENT): SENDING,
    ("remote closing", Role.SERVER): SENDING,
}


def expected(state: str, role: Role, command: str) -> Outcome:
    """Say what a command leads to."""
    if command in CLOSING:
        return None  # always harmless
    if state in ("draining", "closed"):
        return ConnectionClosed
    if command in ALLOWED[state, role]:
        return None
    return WriteBufferFull if state == "too much waits" and command in SENDING else LocalProtocolError


CASES = [
    (state, role, command)
    for state, (_, _, roles) in STATES.items()
    for role in roles
    for command in COMMANDS
]
IDS = [f"{state}-{role.value}-{command}" for state, role, command in CASES]


def future(connection: Connection) -> list[object]:
    """Return all that can be seen of a connection now and in what happens to it next."""
    seen: list[object] = []
    now = 0.0

    def look() -> None:
        while (event := connection.next_event()) is not None:
            seen.append(event)
        seen.append((connection.buffered_amount, connection.writable, connection.wants_read))
        while pieces := connection.data_to_send(now):
            seen.append(pieces)
        seen.extend((connection.state, connection.closed, connection.transport_action()))
        seen.extend((connection.next_deadline(), connection.latency))
        seen.extend((connection.request, connection.response, connection.subprotocol))
        seen.append([getattr(connection.stats, name) for name in counters()])

    look()
    if connection.state is State.CONNECTING:
        connection.receive_data(RESPONSE if connection.role is Role.CLIENT else REQUEST, now)
        look()
    for opcode, payload in ((TEXT, b"y"), (PING, b"p"), (CLOSE, status(4000, b"bye"))):
        now += 1.0
        connection.receive_data(from_peer(connection.role, opcode, payload), now)
        look()
    while (deadline := connection.next_deadline()) is not None:
        now = max(now, deadline)
        connection.handle_deadline(now)
        look()
    connection.receive_eof(now)
    look()
    return seen


@pytest.mark.parametrize(("state", "role", "command"), CASES, ids=IDS)
def test_each_command_works_or_is_refused_as_its_state_says(state: str, role: Role, command: str) -> None:
    expected_state, make, _ = STATES[state]
    connection = make(role)
    assert connection.state is expected_state
    outcome = expected(state, role, command)
    if outcome is None:
        COMMANDS[command](connection)
        return
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the exact class is what is tested
        COMMANDS[command](connection)
    assert type(caught.value) is outcome
    assert getattr(caught.value, "closed", None) == connection.closed
    assert future(connection) == future(make(role))


# Those of a wrong type, and those of a wrong value.
WRONG_TYPES = {
    *("send_text(bytes)", "send_text(int)", "send_bytes(str)", "send_bytes(int)", "send_bytes(list)"),
    *("send_ping(str)", "send_ping(bytearray)", "send_pong(None)", "send_pong(str)", "send_pong(bytearray)"),
    *("close(float)", "close(str)", "close(None)", "close(reason bytes)", "respond(str body)"),
    *("send_request(int)", "send_request(no headers)", "send_request(no pairs)", "send_request(one str)"),
}

# Arguments that are never right, and the command's state where they would matter.
WRONG: list[tuple[str, str, Call]] = [
    ("send_text(bytes)", "open", lambda c: c.send_text(b"x")),  # type: ignore[arg-type]
    ("send_text(int)", "open", lambda c: c.send_text(5)),  # type: ignore[arg-type]
    ("send_text(lone surrogate)", "open", lambda c: c.send_text("a\ud800")),
    ("send_bytes(str)", "open", lambda c: c.send_bytes("x")),  # type: ignore[arg-type]
    ("send_bytes(int)", "open", lambda c: c.send_bytes(5)),  # type: ignore[arg-type]
    ("send_bytes(list)", "open", lambda c: c.send_bytes([1, 2])),  # type: ignore[arg-type]
    ("send_ping(str)", "open", lambda c: c.send_ping("x", now=FAR)),  # type: ignore[arg-type]
    ("send_ping(bytearray)", "open", lambda c: c.send_ping(bytearray(b"x"), now=FAR)),  # type: ignore[arg-type]
    ("send_ping(126 bytes)", "open", lambda c: c.send_ping(bytes(126), now=FAR)),
    ("send_pong(None)", "open", lambda c: c.send_pong(None)),  # type: ignore[arg-type]
    ("send_pong(str)", "open", lambda c: c.send_pong("x")),  # type: ignore[arg-type]
    ("send_pong(bytearray)", "open", lambda c: c.send_pong(bytearray(b"x"))),  # type: ignore[arg-type]
    ("send_pong(126 bytes)", "open", lambda c: c.send_pong(bytes(126))),
    ("close(True)", "open", lambda c: c.close(True, now=FAR)),
    ("close(float)", "open", lambda c: c.close(1000.0, now=FAR)),  # type: ignore[arg-type]
    ("close(str)", "open", lambda c: c.close("1000", now=FAR)),  # type: ignore[arg-type]
    ("close(None)", "open", lambda c: c.close(None, now=FAR)),  # type: ignore[arg-type]
    ("close(1005)", "open", lambda c: c.close(1005, now=FAR)),
    ("close(1005) before opening", "new", lambda c: c.close(1005, now=FAR)),
    ("close(1005) after ours", "local closing", lambda c: c.close(1005, now=FAR, discard=True)),
    ("close(1005) instead of an answer", "remote closing", lambda c: c.close(1005, now=FAR)),
    ("close(1005) at the end", "draining", lambda c: c.close(1005, now=FAR)),
    ("close(reason bytes)", "open", lambda c: c.close(1000, b"x", now=FAR)),  # type: ignore[arg-type]
    ("close(reason of 124 bytes)", "open", lambda c: c.close(1000, "x" * 124, now=FAR)),
    ("close(reason of 62 letters in 124 bytes)", "open", lambda c: c.close(1000, "\xe9" * 62, now=FAR)),
    ("close(reason with a lone surrogate)", "open", lambda c: c.close(1000, "\udfff", now=FAR)),
    ("send_request(int)", "new", lambda c: c.send_request(5, now=FAR)),  # type: ignore[arg-type]
    ("send_request(no headers)", "new", lambda c: c.send_request(URL, headers=None, now=FAR)),  # type: ignore[arg-type]
    ("send_request(no pairs)", "new", lambda c: c.send_request(URL, headers=["x"], now=FAR)),  # type: ignore[list-item]
    ("send_request(header)", "new", lambda c: c.send_request(URL, headers=[("X", "a\r\nb")], now=FAR)),
    ("send_request(own key)", "new", lambda c: c.send_request(URL, headers={"Host": "a"}, now=FAR)),
    ("send_request(one str)", "new", lambda c: c.send_request(URL, subprotocols="chat", now=FAR)),
    ("send_request(twice)", "new", lambda c: c.send_request(URL, subprotocols=["a", "a"], now=FAR)),
    ("send_request(no token)", "new", lambda c: c.send_request(URL, subprotocols=["a b"], now=FAR)),
    ("accept(unoffered)", "request waits", lambda c: c.accept(subprotocol="other", now=FAR)),
    ("accept(header)", "request waits", lambda c: c.accept(headers=[("X", "a\nb")], now=FAR)),
    ("accept(reserved)", "request waits", lambda c: c.accept(headers={"Upgrade": "x"}, now=FAR)),
    ("respond(101)", "request waits", lambda c: c.respond(101, now=FAR)),
    ("respond(600)", "request waits", lambda c: c.respond(600, now=FAR)),
    ("respond(True)", "request waits", lambda c: c.respond(True, now=FAR)),
    ("respond(str body)", "request waits", lambda c: c.respond(403, body="no", now=FAR)),  # type: ignore[arg-type]
    ("respond(204 with body)", "request waits", lambda c: c.respond(204, body=b"no", now=FAR)),
    ("respond(header)", "request waits", lambda c: c.respond(403, headers={"X": "\r"}, now=FAR)),
    ("respond(length)", "request waits", lambda c: c.respond(403, headers={"Content-Length": "5"}, now=FAR)),
]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("name", "state", "call"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_argument_is_refused_and_changes_nothing(
    role: Role, name: str, state: str, call: Call
) -> None:
    _, make, roles = STATES[state]
    if role not in roles or name.startswith("send_request"):
        role = roles[0]
    connection = make(role)
    with pytest.raises((LocalProtocolError, TypeError)) as caught:
        call(connection)
    assert type(caught.value) is (TypeError if name in WRONG_TYPES else LocalProtocolError)
    assert future(connection) == future(make(role))


@pytest.mark.parametrize(
    "url", ["http://a/", "ws://", "ws://a/#b", "ws://u@a/", "ws://a b/", "", "ws://a:0/"]
)
def test_an_unusable_address_is_refused_and_changes_nothing(url: str) -> None:
    connection = Connection(Role.CLIENT, now=0.0)
    with pytest.raises(InvalidURL):
        connection.send_request(url, now=FAR)
    assert connection.state is State.CONNECTING
    connection.send_request(URL, now=0.0)
    assert connection.next_deadline() == Connection(Role.CLIENT, now=0.0).next_deadline()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "data", [bytearray(b"x"), memoryview(b"x"), "x", None, 5], ids=lambda data: type(data).__name__
)
def test_input_that_is_not_bytes_is_refused_in_every_state_and_changes_nothing(state: str, data: Any) -> None:
    _, make, roles = STATES[state]
    connection = make(roles[-1])
    with pytest.raises(TypeError):
        connection.receive_data(data, FAR)
    assert future(connection) == future(make(roles[-1]))


@pytest.mark.parametrize("role", list(Role))
def test_above_the_hard_limit_sending_is_refused_until_the_peer_has_read(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(outbox_limit=100)))
    connection.send_bytes(bytes(94 if role is Role.CLIENT else 98))
    assert connection.buffered_amount == 100
    connection.send_bytes(bytes(200))  # at the limit, one more message may exceed it
    for send in ("send_text", "send_bytes", "send_ping", "send_random_ping", "send_pong"):
        before = connection.buffered_amount
        with pytest.raises(WriteBufferFull):
            COMMANDS[send](connection)
        assert connection.buffered_amount == before
    assert connection.data_to_send(0.0)
    with pytest.raises(WriteBufferFull):  # given out, not gone
        connection.send_text("x")
    assert connection.data_to_send(0.0) == []
    connection.send_text("x")


@pytest.mark.parametrize("role", list(Role))
def test_closing_is_never_refused_for_what_waits(role: Role) -> None:
    connection = stuffed(role)
    connection.close(now=0.0)
    assert connection.state is State.LOCAL_CLOSING
