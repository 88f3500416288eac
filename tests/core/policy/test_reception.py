"""The visitors of a server: who comes in, what they are answered, and who goes when it shuts down."""

import asyncio
from typing import Any

import pytest

from wscore import Closed, Connection, Endpoint, Opened, Request, RequestReceived, Response, Role, State
from wscore.policy._accept import Accept
from wscore.policy._admission import Admission, Entry
from wscore.policy._gate import SERVER_FULL, Gate
from wscore.policy._reception import LAST_WORDS, Reception, Visitor, target_of
from wscore.policy._session import SessionInfo
from wscore.policy._slow import SlowConsumer
from wscore.testing import drain

PEER = ("192.0.2.7", 50000)
ADDRESSES = (("127.0.0.1", 80), PEER)
REFUSED = Response(403, (), b"")


class Link:
    """What drives a connection, as far as a reception cares."""

    def __init__(self, core: Connection) -> None:
        self.core = core
        self.error: Exception | None = None
        self.lingers_since: float | None = None
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Session(SessionInfo):
    """What an application holds of it."""

    def __init__(self, core: Connection, **facts: Any) -> None:
        super().__init__(core, **facts)
        self.told: list[tuple[int, str]] = []

    def close(self, code: int, reason: str) -> None:
        self.told.append((code, reason))


class House:
    """A server without sockets."""

    def __init__(self, *, max_connections: int = 5, max_pending: int = 5, **settings: Any) -> None:
        self.gate = Gate(Endpoint, report=print, **settings)
        self.admission = Admission(
            max_connections=max_connections, max_pending=max_pending, max_per_address=2
        )
        self.reception: Reception[Link, Session] = Reception(
            self.gate, self.admission, secure=True, slow_consumer=SlowConsumer.DROP
        )

    def come(self) -> Visitor[Link, Session]:
        assert self.reception.admit(None) is Entry.ADMIT
        return self.reception.welcome(Link(self.reception.begin(0.0)), (ADDRESSES[0], None))

    def ask(self, visitor: Visitor[Link, Session]) -> Request:
        """Let a request arrive."""
        client = Connection(Role.CLIENT, now=0.0)
        client.send_request("ws://localhost/", now=0.0)
        visitor.link.core.receive_data(drain(client, 0.0).sent, 0.0)
        event = visitor.link.core.next_event()
        assert isinstance(event, RequestReceived)
        return event.request

    def open(self) -> Visitor[Link, Session]:
        """Let somebody come and have a session."""
        visitor = self.come()
        request = self.ask(visitor)
        assert self.reception.answer(visitor, request, self.reception.decide(request), 0.0)
        assert isinstance(visitor.link.core.next_event(), Opened)
        self.reception.open(visitor, Session(visitor.link.core, **self.reception.facts(visitor)))
        return visitor


def test_a_visitor_has_a_core_a_request_and_at_last_a_session() -> None:
    house = House()
    visitor = house.come()
    assert visitor.link.core.role is Role.SERVER
    assert (visitor.session, house.reception.sessions, house.admission.pending) == (None, [], 1)
    opened = house.open()
    assert opened.accepted.handler is Endpoint
    assert house.reception.sessions == [opened.session]
    assert (house.admission.pending, house.admission.connections) == (1, 1)
    assert house.reception.visitors == {visitor, opened}


def test_a_session_is_told_what_is_known() -> None:
    house = House()
    visitor: Visitor[Link, Session] = Visitor(Link(house.reception.begin(0.0)), ADDRESSES)
    visitor.accepted = Accept(user="alice")
    assert house.reception.facts(visitor) == {
        "addresses": ADDRESSES,
        "secure": True,
        "accepted": visitor.accepted,
        "slow_consumer": SlowConsumer.DROP,
    }


def test_who_leaves_makes_room() -> None:
    house = House()
    for visitor in (house.come(), house.open()):
        house.reception.leave(visitor)
    assert (house.admission.pending, house.admission.connections) == (0, 0)
    assert house.reception.visitors == set()


def test_who_could_not_be_welcomed_makes_room() -> None:
    reception = House(max_pending=2).reception
    assert [reception.admit(PEER) for _ in range(3)] == [Entry.ADMIT, Entry.ADMIT, Entry.REFUSE]
    reception.turn_away(PEER)
    assert reception.admit(PEER) is Entry.ADMIT


def test_a_refusal_is_no_upgrade() -> None:
    house = House()
    visitor = house.come()
    assert not house.reception.answer(visitor, house.ask(visitor), REFUSED, 0.0)
    assert visitor.accepted == Accept()
    assert drain(visitor.link.core, 0.0).sent.startswith(b"HTTP/1.1 403 ")


def test_a_request_that_finds_no_place_is_refused() -> None:
    house = House(max_connections=1)
    request = house.ask(house.come())
    house.open()
    assert not house.reception.has_room
    assert house.reception.decide(request) is SERVER_FULL
    assert asyncio.run(house.reception.decide_awaiting(request)) is SERVER_FULL


@pytest.mark.parametrize(("said", "verdict"), [(None, SERVER_FULL), (REFUSED, REFUSED)])
def test_a_place_may_be_gone_when_the_application_has_decided(
    said: Response | None, verdict: Response
) -> None:
    async def process_request(request: Request) -> Response | None:
        house.gate._process_request = None
        house.open()
        return said

    house = House(max_connections=1)
    house.gate._process_request = process_request
    request = house.ask(house.come())
    assert asyncio.run(house.reception.decide_awaiting(request)) is verdict


def test_the_application_decides_in_its_time() -> None:
    house = House(process_request=lambda request: None)
    assert house.reception.asks
    assert not House().reception.asks
    verdict = asyncio.run(house.reception.decide_awaiting(house.ask(house.come())))
    assert isinstance(verdict, Accept)


def test_why_there_was_no_handshake_can_be_said() -> None:
    visitor = House().come()
    visitor.link.error = ConnectionResetError("gone\naway")
    assert visitor.sentence(Closed(1006, "", False)) == r"no handshake: gone\naway"


def test_a_farewell_that_cannot_be_sent_changes_nothing() -> None:
    reception = House().reception
    with pytest.raises(ValueError, match="code"):
        reception.close(1005, "")
    assert not reception.closing


def test_at_the_end_sessions_are_closed_and_the_silent_are_cut_off() -> None:
    house = House()
    silent, asking, opened = house.come(), house.come(), house.open()
    house.ask(asking)
    assert house.reception.close(4000, "closing time")
    assert house.reception.closing
    assert not house.reception.close(1001, "")  # the first farewell counts
    house.reception.say_goodbye(Session.close)
    assert [each.link.aborted for each in (silent, asking, opened)] == [True, False, False]
    assert opened.session is not None and opened.session.told == [(4000, "closing time")]


def test_a_session_that_opens_late_is_closed_as_well() -> None:
    house = House()
    session = house.open().session
    assert session is not None
    house.reception.say_goodbye_if_closing(session, Session.close)
    assert session.told == []
    house.reception.close(1001, "")
    house.reception.say_goodbye_if_closing(session, Session.close)
    assert session.told == [(1001, "")]


def test_who_only_waits_for_its_peer_is_cut_off_after_a_second() -> None:
    house = House()
    busy, fresh, old = house.come(), house.come(), house.come()
    fresh.link.lingers_since, old.link.lingers_since = 5.0, 4.9
    house.reception.cut_lingering(5.0 + LAST_WORDS)
    assert [each.link.aborted for each in (busy, fresh, old)] == [False, False, True]


def test_who_shuts_down_spares_the_connection_that_it_serves() -> None:
    house = House()
    own, other, nobodys = house.come(), house.come(), house.come()
    own.owner, other.owner = "me", "another"
    assert set(house.reception.others("me")) == {other, nobodys}
    house.reception.abort(but="me")
    assert [each.link.aborted for each in (own, other, nobodys)] == [False, True, True]
    house.reception.abort()
    assert own.link.aborted


def test_each_connection_gets_an_endpoint() -> None:
    failures: list[Exception] = []
    made = [target_of(Accept(handler=Endpoint), failures.append) for _ in range(2)]
    assert isinstance(made[0], Endpoint) and made[0] is not made[1]
    assert failures == []


def test_an_endpoint_that_cannot_be_made_is_reported_and_replaced() -> None:
    class Broken(Endpoint):
        def __init__(self) -> None:
            raise RuntimeError("broken")

    failures: list[Exception] = []
    assert type(target_of(Accept(handler=Broken), failures.append)) is Endpoint
    assert [str(each) for each in failures] == ["broken"]


def test_a_visitor_whose_core_has_ended_is_still_there_until_it_leaves() -> None:
    house = House()
    visitor = house.open()
    visitor.link.core.receive_eof(0.0)
    visitor.link.core.receive_eof(0.0)
    assert visitor.link.core.state is State.CLOSED
    assert house.reception.sessions == [visitor.session]
