"""The stories of events, by themselves: which calls there are, in which order, and what is made of what
they raise. Each is told twice, to who calls and to who awaits.
"""

from collections.abc import Callable, Generator
from typing import Any, final

import pytest

from support.deliveries import (
    CLEAN,
    LOST,
    OPENED,
    REQUEST,
    RESPONSE,
    SESSION,
    Call,
    ControlRecorder,
    FragmentRecorder,
    Recorder,
)
from wscore import CloseError, ConnectionClosed, ConnectionLost, Fragment, LocalProtocolError
from wscore._endpoint import Endpoint
from wscore._events import CloseReceived, PingReceived, PongReceived, Refused, RequestReceived
from wscore._story import (
    Story,
    refuse_coroutine,
    run,
    run_awaiting,
    story_of,
    story_of_error,
    story_of_room,
)
from wscore._typing import override

BOOM = ValueError("boom")
ENOUGH = CloseError(4000, "enough")
BEHIND_CLOSE = LocalProtocolError("after our Close")


class Listener:
    """The audience of a story, and what it was asked to do."""

    def __init__(
        self, endpoint: Endpoint, *, sending: bool = True, connected: bool = True, failed: bool = False
    ) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.endpoint = endpoint
        self.session: object = SESSION
        self.close: Callable[[int, str], object] = lambda *said: self.asked.append(("close", *said))
        self.report: Callable[[str, Exception], object] = lambda *said: self.asked.append(("report", *said))
        self.may_send: Callable[[], bool] = lambda: sending
        self.connected = connected
        self.failed = failed


def run_by_hand(story: Story) -> None:
    """Drive the coroutine, which has nothing to wait for."""
    with pytest.raises(StopIteration):
        run_awaiting(story).send(None)


RUNNERS = pytest.mark.parametrize("runner", [run, run_by_hand])
Runner = Callable[[Story], None]


class Writer(Recorder):
    """Hears of room for output."""

    def on_writable(self, session: object) -> None:
        self._called("on_writable", session)


@RUNNERS
@pytest.mark.parametrize(
    ("event", "recorder", "calls"),
    [
        (OPENED, Recorder, [("on_connect",)]),
        ("text", Recorder, [("on_message", "text")]),
        (b"binary", Recorder, [("on_message", b"binary")]),
        (PingReceived(b"i"), ControlRecorder, [("on_ping", b"i")]),
        (PongReceived(b"o"), ControlRecorder, [("on_pong", b"o")]),
        (PingReceived(b"i"), Recorder, []),
        (PongReceived(b"o"), Recorder, []),
        (Fragment("a", True), FragmentRecorder, [("on_fragment", "a", True)]),
        (CLEAN, Recorder, [("on_close", 1000, "bye")]),
        (RequestReceived(REQUEST), Recorder, []),
        (Refused(RESPONSE), Recorder, []),
        (CloseReceived(1000, ""), Recorder, []),
    ],
)
def test_each_event_calls_its_hook_if_there_is_one(
    runner: Runner, event: Any, recorder: type[Recorder], calls: list[Call]
) -> None:
    to = Listener(recorder())
    runner(story_of(to, event))
    assert isinstance(to.endpoint, Recorder) and to.endpoint.calls == calls
    assert to.asked == []


@RUNNERS
def test_an_abnormal_end_is_an_error_and_then_a_close(runner: Runner) -> None:
    recorder = Recorder()
    runner(story_of(Listener(recorder), LOST))
    assert [call[0] for call in recorder.calls] == ["on_error", "on_close"]
    assert isinstance(recorder.calls[0][1], ConnectionLost)


@RUNNERS
def test_there_is_no_session_before_it_opened(runner: Runner) -> None:
    recorder = Writer()
    to = Listener(recorder, connected=False)
    runner(story_of(to, CLEAN))
    runner(story_of_room(to))
    assert (recorder.calls, to.connected) == ([], False)
    runner(story_of(to, OPENED))
    runner(story_of_room(to))
    assert (recorder.calls, to.connected) == ([("on_connect",), ("on_writable",)], True)


def test_an_event_of_an_unknown_kind_has_no_story() -> None:
    event: Any = object()
    with pytest.raises(AssertionError):
        story_of(Listener(Recorder()), event)


FAILING: dict[str, tuple[dict[str, Exception], bool, list[Call], list[Call]]] = {
    # what the hooks raise; may we send; the calls behind on_message; what is asked for
    "an error": ({"on_message": BOOM}, True, [("on_error", BOOM)], [("close", 1011, "")]),
    "a chosen code": ({"on_message": ENOUGH}, True, [("on_error", ENOUGH)], [("close", 4000, "enough")]),
    "the end of the connection": ({"on_message": ConnectionClosed(LOST)}, True, [], []),
    "a send behind our Close": ({"on_message": BEHIND_CLOSE}, False, [], []),
    "a misuse": ({"on_message": BEHIND_CLOSE}, True, [("on_error", BEHIND_CLOSE)], [("close", 1011, "")]),
    "an error in on_error": (
        {"on_message": ENOUGH, "on_error": BOOM},
        True,
        [("on_error", ENOUGH)],
        [("report", "on_error", BOOM), ("close", 4000, "enough")],
    ),
}


@RUNNERS
@pytest.mark.parametrize(("raised", "sending", "calls", "asked"), FAILING.values(), ids=FAILING.keys())
def test_what_follows_when_a_hook_raises(
    runner: Runner, raised: dict[str, Exception], sending: bool, calls: list[Call], asked: list[Call]
) -> None:
    recorder = Recorder(raised)
    to = Listener(recorder, sending=sending)
    runner(story_of(to, "x"))
    assert recorder.calls == [("on_message", "x"), *calls]
    assert (to.asked, to.failed) == (asked, calls != [])


@RUNNERS
def test_who_failed_gets_only_its_close(runner: Runner) -> None:
    recorder = FragmentRecorder({"on_close": BOOM})
    to = Listener(recorder, failed=True)
    for event in ("x", Fragment("a", True), CLEAN):
        runner(story_of(to, event))
    assert recorder.calls == [("on_close", 1000, "bye")]
    assert to.asked == [("report", "on_close", BOOM)]


@RUNNERS
@pytest.mark.parametrize("failed", [False, True])
def test_an_endpoint_that_knows_no_parts_fails_once(runner: Runner, failed: bool) -> None:
    recorder = Recorder()
    to = Listener(recorder, failed=failed)
    runner(story_of(to, Fragment("a", False)))
    assert [call[0] for call in recorder.calls] == ([] if failed else ["on_error"])
    assert to.asked == ([] if failed else [("close", 1011, "")])


@RUNNERS
@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (BOOM, [("report", "on_message", BOOM), ("close", 1011, "")]),
        (ENOUGH, [("close", 4000, "enough")]),
    ],
)
def test_what_no_on_error_hears_of_is_reported(runner: Runner, error: Exception, asked: list[Call]) -> None:
    to = Listener(Endpoint())
    runner(story_of_error(to, "on_message", error))
    assert to.asked == asked


@final
class Pause:
    """What a hook waits for."""

    def __await__(self) -> Generator["Pause", None, None]:
        yield self


def test_what_a_hook_returns_is_awaited_before_the_next_call() -> None:
    class Waiting(Recorder):
        """Waits in on_error."""

        @override
        def on_error(self, session: object, error: Exception) -> Any:
            super().on_error(session, error)
            return Pause()

    recorder = Waiting()
    telling = run_awaiting(story_of(Listener(recorder), LOST))
    assert isinstance(telling.send(None), Pause)
    assert [call[0] for call in recorder.calls] == ["on_error"]
    with pytest.raises(StopIteration):
        telling.send(None)
    assert [call[0] for call in recorder.calls] == ["on_error", "on_close"]


def test_a_coroutine_function_has_failed_where_nobody_would_run_it() -> None:
    errors: list[Exception] = []

    class Waiting(Endpoint):
        """Has a hook that somebody would have to await."""

        @override
        async def on_connect(self, session: object) -> None:
            raise AssertionError("nobody runs this")

        @override
        def on_error(self, session: object, error: Exception) -> None:
            errors.append(error)

    to = Listener(Waiting())
    run(story_of(to, OPENED))
    [error] = errors
    assert isinstance(error, TypeError) and "coroutine" in str(error)
    assert (to.asked, to.failed) == ([("close", 1011, "")], True)


def test_whatever_else_a_hook_returns_is_nobodys_business() -> None:
    for result in (None, 7, Pause()):
        refuse_coroutine(result)


@RUNNERS
def test_who_is_interrupted_in_on_error_hears_of_the_close_all_the_same(runner: Runner) -> None:
    closes: list[int] = []

    class Interrupted(Endpoint):
        """Is cancelled, or stopped by Ctrl-C."""

        @override
        def on_error(self, session: object, error: Exception) -> None:
            raise KeyboardInterrupt

        @override
        def on_close(self, session: object, code: int, reason: str) -> None:
            closes.append(code)

    with pytest.raises(KeyboardInterrupt):
        runner(story_of(Listener(Interrupted()), LOST))
    assert closes == [1006]


def test_an_end_that_is_not_told_to_its_end_is_given_up() -> None:
    telling = story_of(Listener(Recorder()), LOST)
    next(telling)
    telling.close()
    assert list(telling) == []
