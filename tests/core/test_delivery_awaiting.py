"""Hooks that are awaited, and room for output: the same order and the same consequences as for plain hooks.

The coroutines are driven by hand: there is no loop, and nothing runs but what is sent to.
"""

from collections.abc import Coroutine, Generator
from typing import Any, final

import pytest

from support.deliveries import (
    CLEAN,
    LOST,
    OPENED,
    REQUEST,
    Backend,
    Call,
    ControlRecorder,
    FragmentRecorder,
    Recorder,
)
from wscore import (
    CloseError,
    ConnectionClosed,
    Delivery,
    Event,
    Fragment,
    LocalProtocolError,
    PingReceived,
    PongReceived,
    RequestReceived,
)
from wscore._typing import override


def finish(coroutine: Coroutine[Any, None, None]) -> None:
    """Send to a coroutine that must then be done."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


# Room for output.


class Writer(Recorder):
    """Hears of room for output."""

    def on_writable(self, session: object) -> None:
        self._called("on_writable", session)


def notify(delivery: Delivery) -> None:
    """Say in the one way and in the other that there is room."""
    delivery.notify_writable()
    finish(delivery.notify_writable_awaiting())


def test_room_for_output_is_told_to_those_who_have_a_hook_for_it() -> None:
    for recorder, calls in ((Writer(), [("on_writable",)] * 2), (Recorder(), [])):
        backend = Backend()
        delivery = backend.delivery(recorder)
        delivery.deliver(OPENED)
        notify(delivery)
        assert recorder.calls[1:] == calls
        assert (backend.closes, backend.reports) == ([], [])


def test_room_for_output_is_no_news_before_the_session() -> None:
    recorder = Writer()
    delivery = Backend().delivery(recorder)
    notify(delivery)
    delivery.deliver(RequestReceived(REQUEST))
    notify(delivery)
    assert recorder.calls == []


def test_a_hook_for_room_that_raises_is_called_no_more() -> None:
    boom = ValueError("boom")
    recorder, backend = Writer({"on_writable": boom}), Backend()
    delivery = backend.delivery(recorder)
    delivery.deliver(OPENED)
    notify(delivery)
    assert recorder.calls[1:] == [("on_writable",), ("on_error", boom)]
    assert backend.closes == [(1011, "")]


# Hooks that are awaited.


@final
class Pause:
    """What a hook waits for: suspends until it is sent to, or thrown into."""

    def __await__(self) -> Generator["Pause", None, None]:
        yield self


class Awaited(ControlRecorder):
    """Each hook calls the recorder's, waits, and says that it is done."""

    @override
    def __getattribute__(self, name: str) -> Any:
        hook = super().__getattribute__(name)
        if not name.startswith("on_"):
            return hook

        async def wait(session: object, *arguments: object) -> None:
            self.calls.append((f"{name} begins",))
            await Pause()
            hook(session, *arguments)

        return wait

    def on_writable(self, session: object) -> None:
        self._called("on_writable", session)

    def on_fragment(self, session: object, data: str | bytes, final: bool) -> None:
        self._called("on_fragment", session, data, final)


EVERY_EVENT: list[tuple[Event, Call]] = [
    (OPENED, ("on_connect",)),
    ("text", ("on_message", "text")),
    (b"binary", ("on_message", b"binary")),
    (Fragment("a", False), ("on_fragment", "a", False)),
    (PingReceived(b"i"), ("on_ping", b"i")),
    (PongReceived(b"o"), ("on_pong", b"o")),
    (CLEAN, ("on_close", 1000, "bye")),
]


def test_a_hook_that_is_awaited_is_over_before_the_delivery_is() -> None:
    recorder, backend = Awaited(), Backend()
    delivery = backend.delivery(recorder)
    for event, call in EVERY_EVENT:
        recorder.calls.clear()
        delivering = delivery.deliver_awaiting(event)
        assert recorder.calls == []  # nothing runs before somebody drives it
        assert isinstance(delivering.send(None), Pause)
        assert recorder.calls == [(f"{call[0]} begins",)]
        finish(delivering)
        assert recorder.calls[1:] == [call]
    assert (backend.closes, backend.reports) == ([], [])


def test_room_for_output_is_awaited() -> None:
    recorder = Awaited()
    delivery = Backend().delivery(recorder)
    finish(delivery.notify_writable_awaiting())  # not before the session
    opening = delivery.deliver_awaiting(OPENED)
    opening.send(None)
    finish(opening)
    notifying = delivery.notify_writable_awaiting()
    assert isinstance(notifying.send(None), Pause)
    finish(notifying)
    assert recorder.calls[2:] == [("on_writable begins",), ("on_writable",)]


def test_plain_hooks_do_not_suspend_who_would_await_them() -> None:
    recorder, backend = FragmentRecorder(), Backend()
    delivery = backend.delivery(recorder)
    events: list[Event] = [
        RequestReceived(REQUEST),
        OPENED,
        "x",
        Fragment("a", True),
        PingReceived(b""),
        CLEAN,
    ]
    for event in events:
        finish(delivery.deliver_awaiting(event))
    assert [call[0] for call in recorder.calls] == ["on_connect", "on_message", "on_fragment", "on_close"]


def test_what_follows_an_event_follows_the_end_of_its_hook() -> None:
    recorder = Awaited()
    delivery = Backend().delivery(recorder)
    for event in (OPENED, LOST):
        delivering = delivery.deliver_awaiting(event)
        while True:
            try:
                delivering.send(None)
            except StopIteration:
                break
    names = [call[0] for call in recorder.calls]
    assert names == [
        *("on_connect begins", "on_connect"),
        *("on_error begins", "on_error"),
        *("on_close begins", "on_close"),
    ]


@pytest.mark.parametrize("early", [True, False], ids=["at once", "after a while"])
def test_an_awaited_hook_that_raises_brings_on_error_and_1011_and_no_further_message(early: bool) -> None:
    boom = ValueError("boom")

    class Failing(Recorder):
        """Raises where it is called, or where it is awaited."""

        @override
        def on_message(self, session: object, message: str | bytes) -> Any:
            super().on_message(session, message)
            if early:
                raise boom
            return Pause()

    recorder, backend = Failing(), Backend()
    delivery = backend.delivery(recorder)
    finish(delivery.deliver_awaiting(OPENED))
    delivering = delivery.deliver_awaiting("one")
    if not early:
        delivering.send(None)
        assert backend.closes == []
        with pytest.raises(StopIteration):
            delivering.throw(boom)
    else:
        finish(delivering)
    assert recorder.calls[1:] == [("on_message", "one"), ("on_error", boom)]
    assert (backend.closes, backend.reports) == ([(1011, "")], [])
    finish(delivery.deliver_awaiting("two"))
    finish(delivery.deliver_awaiting(CLEAN))
    assert recorder.calls[3:] == [("on_close", 1000, "bye")]


def test_a_session_is_closed_only_when_an_awaited_on_error_is_over() -> None:
    recorder, backend = Awaited({"on_connect": CloseError(4000, "enough")}), Backend()
    delivering = backend.delivery(recorder).deliver_awaiting(OPENED)
    delivering.send(None)
    assert isinstance(delivering.send(None), Pause)  # on_error waits
    assert recorder.calls[-1] == ("on_error begins",) and backend.closes == []
    finish(delivering)
    assert backend.closes == [(4000, "enough")]


def test_an_awaited_on_error_that_raises_does_not_stop_the_close() -> None:
    recorder = Awaited({"on_connect": ValueError("first"), "on_error": ValueError("second")})
    backend = Backend()
    delivering = backend.delivery(recorder).deliver_awaiting(OPENED)
    for _ in range(2):
        delivering.send(None)
    finish(delivering)
    assert [(name, str(error)) for name, error in backend.reports] == [("on_error", "second")]
    assert backend.closes == [(1011, "")]


@pytest.mark.parametrize("error", [ConnectionClosed(LOST), LocalProtocolError("after our Close")])
def test_a_connection_that_ends_under_an_awaited_hook_is_no_error(error: Exception) -> None:
    recorder, backend = Awaited({"on_message": error}), Backend()
    delivering = backend.delivery(recorder, may_send=False).deliver_awaiting("x")
    delivering.send(None)
    finish(delivering)
    assert recorder.calls == [("on_message begins",), ("on_message", "x")]
    assert (backend.closes, backend.reports) == ([], [])


def test_who_is_cancelled_in_a_hook_is_not_held_up_and_no_hook_hears_of_it() -> None:
    """A cancellation is no `Exception`, in any framework."""

    class Cancelled(BaseException):
        """What a framework throws in."""

    recorder, backend = Awaited(), Backend()
    delivering = backend.delivery(recorder).deliver_awaiting("x")
    delivering.send(None)
    with pytest.raises(Cancelled):
        delivering.throw(Cancelled())
    assert recorder.calls == [("on_message begins",)]
    assert (backend.closes, backend.reports) == ([], [])
