"""What every session shows: the facts of its core, what the gate has said, and the broadcasts it missed."""

from typing import Any

import pytest

from support.clock import only
from wscore import (
    BatchMode,
    Closed,
    Config,
    Connection,
    ConnectionClosed,
    Deflate,
    Limits,
    PreparedMessage,
    RequestReceived,
    Role,
    State,
)
from wscore.policy._accept import Accept
from wscore.policy._session import SessionInfo
from wscore.policy._slow import Offered, SlowConsumer
from wscore.testing import Pair

ADDRESSES = (("127.0.0.1", 80), ("192.0.2.7", 50000))
MESSAGE = PreparedMessage(bytes(1000))


def session_of(core: Connection, **settings: Any) -> SessionInfo:
    return SessionInfo(core, **{"addresses": ADDRESSES, "secure": False, **settings})


def crowded(policy: SlowConsumer) -> tuple[SessionInfo, Connection]:
    """Return a session that has no room for another message."""
    core = Connection.established(Role.SERVER, Config(limits=Limits(outbox_high=500, outbox_low=0)), now=0.0)
    core.send_bytes(bytes(1000))
    assert not core.writable
    return session_of(core, slow_consumer=policy), core


def test_a_session_shows_what_was_agreed_on() -> None:
    config = Config(timeouts=only().timeouts, compression=Deflate())
    pair = Pair(config, config)
    pair.open("ws://localhost/chat", subprotocols=["superchat", "chat"])
    client, server = session_of(pair.client), session_of(pair.server)
    assert client.request == pair.client.request and client.request.target == "/chat"
    assert server.request == pair.server.request and server.request.target == "/chat"
    assert client.response.status == server.response.status == 101
    assert client.subprotocol == server.subprotocol == "superchat"
    assert client.extensions == server.extensions and "permessage-deflate" in client.extensions


def test_a_session_without_agreements_says_so() -> None:
    pair = Pair(only(), only())
    pair.open()
    assert (session_of(pair.client).subprotocol, session_of(pair.client).extensions) == (None, "")


def test_a_session_follows_its_core() -> None:
    pair = Pair(only(), only())
    pair.open()
    session = session_of(pair.client)
    assert (session.state, session.closed, session.latency) == (State.OPEN, None, None)

    pair.client.send_ping(now=pair.now)
    pair.client.send_text("hello")
    assert session.buffered_amount == pair.client.buffered_amount > len("hello")
    pair.settle()
    assert (session.latency, session.buffered_amount, session.stats.messages_sent) == (0.0, 0, 1)
    assert session.stats is pair.client.stats

    pair.client.close(4000, "enough", now=pair.now)
    states = [session.state]
    pair.settle()
    assert [*states, session.state] == [State.LOCAL_CLOSING, State.CLOSED]
    assert isinstance(session.closed, Closed) and session.closed.code == 4000


def test_a_session_is_not_shown_before_the_handshake() -> None:
    core = Connection(Role.SERVER, now=0.0)
    session = session_of(core)
    for name in ("request", "response"):
        with pytest.raises(AssertionError):
            getattr(session, name)


def test_every_session_has_a_number_of_its_own() -> None:
    core = Connection.established(Role.SERVER, now=0.0)
    numbers = [session_of(core).id for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_what_the_transport_knows_is_passed_on() -> None:
    core = Connection.established(Role.SERVER, now=0.0)
    session = session_of(core, secure=True)
    assert (session.local_address, session.remote_address, session.is_secure) == (*ADDRESSES, True)
    assert session_of(core).is_secure is False


def test_what_the_gate_has_said_is_passed_on() -> None:
    core = Connection.established(Role.SERVER, now=0.0)
    plain = session_of(core)
    assert (plain.user, dict(plain.path_parameters), plain.user_data) == (None, {}, None)
    told = session_of(core, accepted=Accept(user="alice", path_parameters={"room": "blue", "seat": 5}))
    assert (told.user, told.path_parameters) == ("alice", {"room": "blue", "seat": 5})


def test_the_application_may_change_what_is_its_own_and_add_nothing() -> None:
    session = session_of(Connection.established(Role.SERVER, now=0.0))
    assert (session.batch_mode, session.slow_consumer) == (BatchMode.AUTO, SlowConsumer.WAIT)
    session.batch_mode, session.slow_consumer, session.user_data = BatchMode.ON, SlowConsumer.DROP, [1]
    with pytest.raises(AttributeError):
        session.usr_data = 5  # type: ignore[attr-defined]


def test_a_broadcast_is_sent_at_once_where_there_is_room() -> None:
    session = session_of(Connection.established(Role.SERVER, now=0.0), slow_consumer=SlowConsumer.DROP)
    assert session._offer(MESSAGE, 0.0) is Offered.SENT
    assert (session.stats.messages_sent, session.broadcasts_dropped) == (1, 0)


@pytest.mark.parametrize(
    ("policy", "offered", "dropped"),
    [
        (SlowConsumer.WAIT, Offered.FULL, 0),
        (SlowConsumer.DROP, Offered.DROPPED, 1),
        (SlowConsumer.DROP_OLDEST, Offered.KEPT, 0),
        (SlowConsumer.CLOSE, Offered.CLOSED, 0),
    ],
)
def test_a_broadcast_without_room_is_treated_as_the_session_says(
    policy: SlowConsumer, offered: Offered, dropped: int
) -> None:
    session, _ = crowded(policy)
    assert session._offer(MESSAGE, 0.0) is offered
    assert session.broadcasts_dropped == dropped


def test_the_broadcasts_that_a_session_missed_are_counted_on_after_it_has_room_again() -> None:
    session, core = crowded(SlowConsumer.DROP)
    for _ in range(3):
        session._offer(MESSAGE, 0.0)
    while core.data_to_send(0.0):
        pass
    assert session._offer(MESSAGE, 0.0) is Offered.FULL  # sent; the next would find no room
    assert session._offer(MESSAGE, 0.0) is Offered.DROPPED
    assert (session.broadcasts_dropped, session.stats.messages_sent) == (4, 2)


def test_a_request_that_waits_is_no_session_yet() -> None:
    pair = Pair(only(), only(), accept=False)
    pair.open()
    assert isinstance(pair.server_events[-1], RequestReceived)
    session = session_of(pair.server)
    assert session.request.target == "/" and session.state is State.CONNECTING
    with pytest.raises(AssertionError):
        _ = session.response


def test_a_ping_has_a_latency_or_the_connection_has_ended() -> None:
    pair = Pair(only(), only())
    pair.open()
    session = session_of(pair.client)
    ping = pair.client.send_ping(now=pair.now)
    pair.settle()
    assert session._latency_of(ping) == 0.0
    unanswered = pair.client.send_ping(now=pair.now)
    pair.client.receive_eof(pair.now)
    pair.client.receive_eof(pair.now)
    with pytest.raises(ConnectionClosed) as raised:
        session._latency_of(unanswered)
    assert raised.value.closed is session.closed


def test_broadcasts_that_were_kept_follow_when_there_is_room() -> None:
    session, core = crowded(SlowConsumer.DROP_OLDEST)
    session_of(core)._release()  # nothing was kept
    session._offer(MESSAGE, 0.0)
    while core.data_to_send(0.0):
        pass
    session._release()
    assert session.stats.messages_sent == 2
