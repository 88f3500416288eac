"""Events become calls of hooks: one at a time, in order, none before `Opened`, `on_close` once and last."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from support.deliveries import (
    CLEAN,
    LOST,
    OPENED,
    REQUEST,
    Backend,
    ControlRecorder,
    FragmentRecorder,
    Recorder,
)
from wscore import (
    Closed,
    CloseError,
    CloseReceived,
    ConnectionClosed,
    ConnectionLost,
    Delivery,
    Endpoint,
    Event,
    Fragment,
    LocalProtocolError,
    PingReceived,
    PongReceived,
    Refused,
    RemoteProtocolError,
    RequestReceived,
    Response,
    TimedOut,
    Timer,
    Violation,
)
from wscore._typing import override


@pytest.mark.parametrize("may_send", [False, True])
def test_a_hook_that_sends_after_our_close_has_done_nothing_wrong(may_send: bool) -> None:
    class Talker(Endpoint):
        """Sends when it may not."""

        @override
        def on_message(self, session: object, message: str | bytes) -> None:
            """Meet a Close that another thread has sent."""
            raise LocalProtocolError

    backend = Backend()
    backend.deliver(Talker(), OPENED, "one", "two", CLEAN, may_send=may_send)
    assert backend.closes == ([(1011, "")] if may_send else [])
    assert [name for name, _ in backend.reports] == (["on_message"] if may_send else [])


def test_a_session_runs_from_connect_over_messages_to_close() -> None:
    recorder, backend = Recorder(), Backend()
    backend.deliver(
        recorder, RequestReceived(REQUEST), OPENED, "text", b"binary", CloseReceived(1000, "bye"), CLEAN
    )
    assert recorder.calls == [
        ("on_connect",),
        ("on_message", "text"),
        ("on_message", b"binary"),
        ("on_close", 1000, "bye"),
    ]
    assert (backend.closes, backend.reports) == ([], [])


def test_pings_and_pongs_go_to_those_who_have_a_hook_for_them() -> None:
    deaf, hearing = Recorder(), ControlRecorder()
    for recorder in (deaf, hearing):
        Backend().deliver(recorder, OPENED, PingReceived(b"i"), PongReceived(b"o"), CLEAN)
    assert deaf.calls == [("on_connect",), ("on_close", 1000, "bye")]
    assert hearing.calls[1:3] == [("on_ping", b"i"), ("on_pong", b"o")]


def test_parts_of_messages_go_to_those_who_have_a_hook_for_them() -> None:
    recorder = FragmentRecorder()
    parts: list[Event] = [Fragment("a", False), Fragment("", True), Fragment(b"b", True)]
    Backend().deliver(recorder, OPENED, *parts, CLEAN)
    assert recorder.calls == [
        ("on_connect",),
        ("on_fragment", "a", False),
        ("on_fragment", "", True),
        ("on_fragment", b"b", True),
        ("on_close", 1000, "bye"),
    ]


def test_a_hook_for_parts_that_raises_is_called_no_more() -> None:
    boom = ValueError("boom")
    recorder, backend = FragmentRecorder({"on_fragment": boom}), Backend()
    backend.deliver(recorder, OPENED, Fragment("a", False), Fragment("b", True), CLEAN)
    assert recorder.calls[1:] == [("on_fragment", "a", False), ("on_error", boom), ("on_close", 1000, "bye")]
    assert backend.closes == [(1011, "")]


def test_an_endpoint_that_knows_no_parts_is_closed_rather_than_left_without_its_messages() -> None:
    recorder, backend = Recorder(), Backend()
    backend.deliver(recorder, OPENED, Fragment("a", False), Fragment("b", True), CLEAN)
    assert [call[0] for call in recorder.calls] == ["on_connect", "on_error", "on_close"]
    assert "on_fragment" in str(recorder.calls[1][1])
    assert backend.closes == [(1011, "")]


@pytest.mark.parametrize(
    "events",
    [
        [LOST],
        [RequestReceived(REQUEST), Closed(1006, "", False, violation=Violation.EARLY_DATA)],
        [Refused(Response(403)), LOST],
    ],
)
def test_no_hook_is_called_for_a_session_that_never_opened(events: list[Event]) -> None:
    recorder, backend = Recorder(), Backend()
    backend.deliver(recorder, *events)
    assert (recorder.calls, backend.closes, backend.reports) == ([], [], [])


@pytest.mark.parametrize(
    ("closed", "kind", "attribute"),
    [
        (LOST, ConnectionLost, None),
        (Closed(1006, "", False, timer=Timer.PONG), TimedOut, Timer.PONG),
        (
            Closed(1006, "", False, violation=Violation.INVALID_UTF8),
            RemoteProtocolError,
            Violation.INVALID_UTF8,
        ),
    ],
)
def test_an_abnormal_end_is_an_error_first_and_then_the_close(
    closed: Closed, kind: type[Exception], attribute: object
) -> None:
    recorder, backend = Recorder(), Backend()
    backend.deliver(recorder, OPENED, closed)
    (name, error), close = recorder.calls[1:]
    assert (name, type(error)) == ("on_error", kind)
    assert attribute in (None, getattr(error, "violation", None), getattr(error, "timer", None))
    assert close == ("on_close", 1006, "")
    assert (backend.closes, backend.reports) == ([], [])


@pytest.mark.parametrize("hook", ["on_connect", "on_message", "on_ping", "on_pong"])
def test_a_hook_that_raises_brings_on_error_and_1011_and_no_further_message(hook: str) -> None:
    boom = ValueError("boom")
    recorder, backend = ControlRecorder({hook: boom}), Backend()
    events: list[Event] = [OPENED, "one", PingReceived(b""), PongReceived(b""), "two", b"three"]
    backend.deliver(recorder, *events, CLEAN)
    at = next(index for index, call in enumerate(recorder.calls) if call[0] == hook)
    assert recorder.calls[at + 1 :] == [("on_error", boom), ("on_close", 1000, "bye")]
    assert backend.closes == [(1011, "")]
    assert backend.reports == []  # on_error has heard of it


def test_a_hook_may_choose_the_close_code() -> None:
    error = CloseError(4000, "enough")
    recorder, backend = Recorder({"on_message": error}), Backend()
    backend.deliver(recorder, OPENED, "x", CLEAN)
    assert ("on_error", error) in recorder.calls
    assert (backend.closes, backend.reports) == ([(4000, "enough")], [])


def test_what_a_hook_raises_is_reported_where_no_on_error_is_defined() -> None:
    class Silent(Endpoint):
        @override
        def on_message(self, session: object, message: str | bytes) -> None:
            raise ValueError(message)

    backend = Backend()
    backend.deliver(Silent(), OPENED, "x", CLEAN)
    assert [(name, error.args) for name, error in backend.reports] == [("on_message", ("x",))]
    assert backend.closes == [(1011, "")]


def test_an_on_error_that_only_one_instance_has_is_heard() -> None:
    boom, heard = ValueError("boom"), list[tuple[object, Exception]]()
    recorder, backend = Recorder({"on_message": boom}), Backend()
    endpoint = Endpoint()
    vars(endpoint)["on_message"] = recorder.on_message
    vars(endpoint)["on_error"] = lambda session, error: heard.append((session, error))
    backend.deliver(endpoint, OPENED, "x", CLEAN)
    assert [error for _, error in heard] == [boom]
    assert (backend.closes, backend.reports) == ([(1011, "")], [])


def test_a_chosen_close_code_is_no_fault_worth_a_report() -> None:
    class Choosing(Endpoint):
        @override
        def on_message(self, session: object, message: str | bytes) -> None:
            raise CloseError(1008)

    backend = Backend()
    backend.deliver(Choosing(), OPENED, "x", CLEAN)
    assert (backend.closes, backend.reports) == ([(1008, "")], [])


@pytest.mark.parametrize("hook", ["on_connect", "on_message"])
def test_a_connection_that_ends_under_a_hook_is_no_error(hook: str) -> None:
    recorder, backend = Recorder({hook: ConnectionClosed(LOST)}), Backend()
    backend.deliver(recorder, OPENED, "x", CLEAN)
    assert recorder.calls == [("on_connect",), ("on_message", "x"), ("on_close", 1000, "bye")]
    assert (backend.closes, backend.reports) == ([], [])


@pytest.mark.parametrize(("hook", "events"), [("on_error", [OPENED, LOST]), ("on_close", [OPENED, CLEAN])])
def test_what_the_last_hooks_raise_is_reported_and_never_delivered(hook: str, events: list[Event]) -> None:
    boom = ValueError("boom")
    recorder, backend = Recorder({hook: boom}), Backend()
    backend.deliver(recorder, *events)
    assert backend.reports == [(hook, boom)]
    assert recorder.calls[-1][0] == "on_close"
    assert [call[0] for call in recorder.calls].count("on_close") == 1
    assert backend.closes == []


def test_an_on_error_that_raises_does_not_stop_the_close() -> None:
    recorder = Recorder({"on_message": ValueError("first"), "on_error": ValueError("second")})
    backend = Backend()
    backend.deliver(recorder, OPENED, "x", CLEAN)
    assert [(name, str(error)) for name, error in backend.reports] == [("on_error", "second")]
    assert backend.closes == [(1011, "")]
    assert recorder.calls[-1] == ("on_close", 1000, "bye")


def test_an_exception_that_stops_the_program_is_not_swallowed() -> None:
    class Interrupted(Endpoint):
        @override
        def on_message(self, session: object, message: str | bytes) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Backend().deliver(Interrupted(), OPENED, "x")


def test_an_event_of_an_unknown_kind_is_an_error_of_this_library() -> None:
    unknown: Callable[[], Event] = object  # type: ignore[assignment]
    with pytest.raises(AssertionError):
        Backend().deliver(Endpoint(), unknown())


def test_a_message_for_a_coroutine_function_is_an_error_and_does_not_vanish() -> None:
    errors: list[Exception] = []

    class Waiting(Endpoint):
        """Has a hook that somebody would have to await."""

        @override
        async def on_message(self, session: object, message: str | bytes) -> None:
            raise AssertionError("nobody runs this")

        @override
        def on_error(self, session: object, error: Exception) -> None:
            errors.append(error)

    backend = Backend()
    backend.deliver(Waiting(), OPENED, "one", "two", CLEAN)
    assert [type(error) for error in errors] == [TypeError]
    assert backend.closes == [(1011, "")]


def test_a_hook_may_return_anything_else() -> None:
    messages: list[str | bytes] = []

    class Counting(Endpoint):
        """Returns what its caller has no use for."""

        @override
        def on_message(self, session: object, message: str | bytes) -> int:
            messages.append(message)
            return len(messages)

    backend = Backend()
    backend.deliver(Counting(), OPENED, "one", "two", CLEAN)
    assert messages == ["one", "two"]
    assert (backend.closes, backend.reports) == ([], [])


class Stop(BaseException):
    """What a backend throws into hooks to end them, and a hook may raise on its own."""


def _stopped_in_vain(error: BaseException) -> BaseException:
    return ValueError("nobody has stopped it") if isinstance(error, Stop) else error


def _drive(delivery: Delivery, awaited: bool) -> None:
    """Deliver what a session may be."""
    for event in (OPENED, "one", "two", CLEAN):
        if awaited:
            with suppress(StopIteration):
                delivery.deliver_awaiting(event).send(None)
        else:
            delivery.deliver(event)


@pytest.mark.parametrize("awaited", [False, True])
def test_a_backend_may_judge_that_an_exception_of_its_own_is_a_mistake_of_the_hook(awaited: bool) -> None:
    recorder, backend = Recorder({"on_message": Stop()}), Backend()
    delivery = backend.delivery(recorder)
    delivery.judge = _stopped_in_vain
    _drive(delivery, awaited)
    assert [call[0] for call in recorder.calls] == ["on_connect", "on_message", "on_error", "on_close"]
    assert isinstance(recorder.calls[2][1], ValueError)
    assert backend.closes == [(1011, "")]


@pytest.mark.parametrize("awaited", [False, True])
def test_what_is_no_exception_of_a_hook_goes_through(awaited: bool) -> None:
    recorder = Recorder({"on_message": Stop()})
    with pytest.raises(Stop):
        _drive(Backend().delivery(recorder), awaited)
    assert [call[0] for call in recorder.calls] == ["on_connect", "on_message"]
