"""What comes out of a connection: plain values that never change."""

import dataclasses
from typing import get_args

import pytest

from wscore._codes import Side
from wscore._events import (
    Closed,
    CloseReceived,
    CloseStatus,
    Event,
    Fragment,
    Opened,
    PingReceived,
    PongReceived,
    Refused,
    RequestReceived,
)
from wscore._http import Headers, Request, Response
from wscore._timers import Timer
from wscore._violations import Violation

REQUEST = Request("GET", "/", Headers([("Host", "h")]))
RESPONSE = Response(101)

VALUES = [
    RequestReceived(REQUEST),
    Opened(REQUEST, RESPONSE, "chat"),
    Refused(Response(403, body=b"no")),
    PingReceived(b"a"),
    PongReceived(b"a"),
    CloseReceived(1000, "bye"),
    CloseStatus(1000, "bye"),
    Closed(1000, "bye", True),
]

FIELDS = {
    RequestReceived: ["request"],
    Opened: ["request", "response", "subprotocol", "extensions"],
    Refused: ["response"],
    PingReceived: ["payload"],
    PongReceived: ["payload"],
    CloseReceived: ["code", "reason"],
    CloseStatus: ["code", "reason"],
    Closed: ["code", "reason", "clean", "received", "sent", "initiator", "violation", "timer", "dropped"],
}


def test_the_kinds_of_events_are_a_closed_set_with_bare_messages() -> None:
    assert set(get_args(Event)) == {str, bytes, Fragment, *FIELDS} - {CloseStatus}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_an_event_has_its_fields_and_never_changes(value: Closed) -> None:
    assert [field.name for field in dataclasses.fields(value)] == FIELDS[type(value)]
    for name in FIELDS[type(value)]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_events_are_compared_by_what_they_say(value: Closed) -> None:
    assert value == dataclasses.replace(value)
    assert hash(value) == hash(dataclasses.replace(value))
    assert [other for other in VALUES if other == value] == [value]


def test_a_fragment_is_plain_data_and_cheap_so_it_is_not_frozen() -> None:
    fragment = Fragment("part", False)
    assert [field.name for field in dataclasses.fields(fragment)] == ["data", "final"]
    assert not hasattr(fragment, "__dict__")
    assert fragment == Fragment("part", False)
    assert fragment not in (Fragment("part", True), Fragment(b"part", False), Fragment("", False))
    assert Fragment("", True) != Fragment(b"", True)  # the kind of the message counts also when it is empty


def test_nothing_is_agreed_on_unless_it_is_named() -> None:
    assert Opened(REQUEST, RESPONSE, None).extensions == ""
    assert Opened(REQUEST, RESPONSE, None, "x").extensions == "x"


def test_a_ping_is_not_a_pong_with_the_same_payload() -> None:
    ping: object = PingReceived(b"a")
    received: object = CloseReceived(1000, "")
    assert ping != PongReceived(b"a")
    assert received != CloseStatus(1000, "")


def test_an_outcome_with_nothing_more_to_tell() -> None:
    closed = Closed(1006, "", False)
    assert (closed.received, closed.sent, closed.initiator) == (None, None, None)
    assert (closed.violation, closed.timer, closed.dropped) == (None, None, 0)


def test_an_outcome_can_tell_everything() -> None:
    status = CloseStatus(1002, "reserved opcode")
    closed = Closed(
        1006,
        "",
        False,
        sent=status,
        initiator=Side.LOCAL,
        violation=Violation.RESERVED_OPCODE,
        timer=Timer.CLOSE,
    )
    assert closed.sent is status
    assert closed.initiator is Side.LOCAL
    assert closed.violation is Violation.RESERVED_OPCODE
    assert closed.timer is Timer.CLOSE
