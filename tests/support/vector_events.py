"""Events as the vector format writes them: plain values that can stand in JSON.

`describe` writes an event with every key, `same_event` compares one of a vector with it, and `add_event`
keeps what was taken, with fragments joined: how a message is cut into them follows from how the stream was
cut into segments, which a vector does not say.
"""

from typing import Any, Final, assert_never

from support.vector_specs import characters, octets
from wscore import (
    Closed,
    CloseReceived,
    CloseStatus,
    Event,
    Fragment,
    Headers,
    Opened,
    PingReceived,
    PongReceived,
    Refused,
    Request,
    RequestReceived,
    Response,
)

# What `closed` says where a vector does not.
_CLOSED: Final[dict[str, Any]] = {
    "reason": "",
    "clean": False,
    "received": None,
    "sent": None,
    "initiator": None,
    "violation": None,
    "timer": None,
    "dropped": 0,
}


def describe(event: Event) -> dict[str, Any]:
    """Write an event as the README says, with every key."""
    match event:
        case str():
            return {"text": event}
        case bytes():
            return {"bytes": event}
        case RequestReceived():
            return {"request": _describe_request(event.request)}
        case Opened():
            return {"opened": _describe_opened(event)}
        case Fragment():
            return {"fragment": {**describe(event.data), "final": event.final}}
        case Refused():
            return {"refused": _describe_response(event.response)}
        case PingReceived():
            return {"ping": event.payload}
        case PongReceived():
            return {"pong": event.payload}
        case CloseReceived():
            return {"close": {"code": event.code, "reason": event.reason}}
        case Closed():
            return {"closed": _describe_closed(event)}
    assert_never(event)


def add_event(events: list[Event], event: Event) -> None:
    """Append an event; a fragment is joined to the one before it, if that leaves the message open."""
    last = events[-1] if events else None
    if isinstance(event, Fragment) and isinstance(last, Fragment) and not last.final:
        if isinstance(event.data, str) and isinstance(last.data, str):
            events[-1] = Fragment(last.data + event.data, event.final)
            return
        if isinstance(event.data, bytes) and isinstance(last.data, bytes):
            events[-1] = Fragment(last.data + event.data, event.final)
            return
    events.append(event)


def _pairs(headers: Headers) -> list[list[str]]:
    return [[name.lower(), value] for name, value in headers]


def _describe_opened(opened: Opened) -> dict[str, Any]:
    return {
        "subprotocol": opened.subprotocol,
        "extensions": opened.extensions,
        "headers": _pairs(opened.response.headers),
    }


def _describe_request(request: Request) -> dict[str, Any]:
    return {
        "target": request.target,
        "upgrade": request.is_upgrade,
        "subprotocols": list(request.subprotocols),
        "headers": _pairs(request.headers),
    }


def _describe_response(response: Response) -> dict[str, Any]:
    return {
        "status": response.status,
        "reason": response.reason,
        "headers": _pairs(response.headers),
        "body": response.body,
    }


def _describe_status(status: CloseStatus | None) -> dict[str, Any] | None:
    return None if status is None else {"code": status.code, "reason": status.reason}


def _describe_closed(closed: Closed) -> dict[str, Any]:
    return {
        "code": closed.code,
        "reason": closed.reason,
        "clean": closed.clean,
        "received": _describe_status(closed.received),
        "sent": _describe_status(closed.sent),
        "initiator": closed.initiator and closed.initiator.name,
        "violation": closed.violation and closed.violation.name,
        "timer": closed.timer and closed.timer.name,
        "dropped": closed.dropped,
    }


def same_event(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """Compare an event of a vector with one that came out."""
    ((kind, value),) = expected.items()
    if kind not in actual:
        return False
    found: Any = actual[kind]
    if kind == "text":
        return bool(characters(value) == found)
    if kind in ("bytes", "ping", "pong"):
        return bool(octets(value) == found)
    if kind == "fragment":
        ((part, data),) = ((key, value[key]) for key in value if key != "final")
        return found["final"] is value["final"] and same_event({part: data}, found)
    if kind == "close":
        return bool(value == found)
    if kind == "closed":
        return bool({**_CLOSED, **value} == found)
    if "body" in value:
        value = {**value, "body": octets(value["body"])}
    return all(found[key] == value[key] for key in value)  # a vector names the fields that it is about
