"""Events as a `Delivery` gets them, endpoints that write their calls down, and what a backend does for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wscore import (
    Closed,
    CloseStatus,
    Delivery,
    Endpoint,
    Event,
    Headers,
    Opened,
    Request,
    Response,
)
from wscore._typing import override

REQUEST = Request("GET", "/", Headers())
RESPONSE = Response(101)
OPENED = Opened(REQUEST, RESPONSE, None)
CLEAN = Closed(1000, "bye", True, CloseStatus(1000, "bye"), CloseStatus(1000, ""))
LOST = Closed(1006, "", False)
SESSION = object()

Call = tuple[object, ...]


class Recorder(Endpoint):
    """Writes every call down; the hook named in ``failing`` raises what stands there."""

    def __init__(self, failing: Mapping[str, BaseException] | None = None) -> None:
        self.calls: list[Call] = []
        self.failing = failing or {}

    def _called(self, name: str, session: object, *arguments: object) -> None:
        assert session is SESSION
        self.calls.append((name, *arguments))
        if name in self.failing:
            raise self.failing[name]

    @override
    def on_connect(self, session: object) -> None:
        self._called("on_connect", session)

    @override
    def on_message(self, session: object, message: str | bytes) -> None:
        self._called("on_message", session, message)

    @override
    def on_error(self, session: object, error: Exception) -> None:
        self._called("on_error", session, error)

    @override
    def on_close(self, session: object, code: int, reason: str) -> None:
        self._called("on_close", session, code, reason)


class ControlRecorder(Recorder):
    """Hears of pings and pongs, too."""

    def on_ping(self, session: object, payload: bytes) -> None:
        self._called("on_ping", session, payload)

    def on_pong(self, session: object, payload: bytes) -> None:
        self._called("on_pong", session, payload)


class FragmentRecorder(Recorder):
    """Hears of messages in parts."""

    def on_fragment(self, session: object, data: str | bytes, final: bool) -> None:
        self._called("on_fragment", session, data, final)


@dataclass
class Backend:
    """The two things that a backend does for a delivery, written down."""

    closes: list[tuple[int, str]] = field(default_factory=list)
    reports: list[tuple[str, Exception]] = field(default_factory=list)

    def deliver(self, endpoint: Endpoint, *events: Event, may_send: bool = True) -> None:
        delivery = self.delivery(endpoint, may_send=may_send)
        for event in events:
            delivery.deliver(event)

    def delivery(self, endpoint: Endpoint, *, may_send: bool = True) -> Delivery:
        return Delivery(
            endpoint,
            SESSION,
            close=lambda code, reason: self.closes.append((code, reason)),
            report=lambda name, error: self.reports.append((name, error)),
            may_send=lambda: may_send,
        )
