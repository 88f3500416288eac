"""What is called for an event, and what follows when a hook raises.

One generator for each kind of event yields the calls, in order; what a call raised is thrown in. So plain
hooks and those that must be awaited differ only in who runs the story.
"""

from collections.abc import Callable, Generator
from functools import partial
from inspect import isawaitable, iscoroutine
from typing import Protocol, TypeAlias, assert_never

from ._codes import CloseCode
from ._endpoint import Endpoint
from ._errors import CloseError, ConnectionClosed, LocalProtocolError, error_from
from ._events import (
    Closed,
    CloseReceived,
    Event,
    Fragment,
    Opened,
    PingReceived,
    PongReceived,
    Refused,
    RequestReceived,
)

Call: TypeAlias = Callable[[], object]
Judge: TypeAlias = Callable[[BaseException], BaseException]
Story: TypeAlias = Generator[Call, None, None]


class Audience(Protocol):
    """Whom a story is about: see `Delivery`."""

    endpoint: Endpoint
    session: object
    close: Callable[[int, str], object]
    report: Callable[[str, Exception], object]
    may_send: Callable[[], bool]
    connected: bool
    failed: bool


def story_of(to: Audience, event: Event) -> Story:
    """Yield what is to be called for event, in order; what a call raised is thrown in."""
    match event:
        case str() | bytes():
            return _hook(to, "on_message", event)
        case Fragment(data, final):
            return _fragment(to, data, final)
        case Opened():
            to.connected = True
            return _hook(to, "on_connect")
        case Closed():
            return _end(to, event)
        case PingReceived(payload):
            return _hook(to, "on_ping", payload)
        case PongReceived(payload):
            return _hook(to, "on_pong", payload)
        case RequestReceived() | Refused() | CloseReceived():
            return _nothing()  # a backend's business; the peer's Close is reported when all is settled
        case _:
            assert_never(event)


def story_of_room(to: Audience) -> Story:
    """Yield what is to be called when there is room for output again."""
    return _hook(to, "on_writable") if to.connected else _nothing()


def _hook(to: Audience, name: str, *arguments: object) -> Story:
    """Call one hook, if there is one and none has failed before."""
    hook = getattr(to.endpoint, name, None)
    if hook is None or to.failed:
        return
    try:
        yield partial(hook, to.session, *arguments)
    except Exception as error:
        yield from story_of_error(to, name, error)


def _fragment(to: Audience, data: str | bytes, final: bool) -> Story:
    """Call on_fragment; an endpoint that a factory made may not know what to do with a fragment."""
    if hasattr(to.endpoint, "on_fragment"):
        yield from _hook(to, "on_fragment", data, final)
    elif not to.failed:
        missing = TypeError("a fragment came, and the endpoint has no hook on_fragment")
        yield from _fail(to, "on_fragment", missing)


def story_of_error(to: Audience, name: str, error: Exception) -> Story:
    """A hook raised: is it its fault?"""
    if isinstance(error, ConnectionClosed):
        return  # the connection ended under the hook's hands: on_close will tell
    if isinstance(error, LocalProtocolError) and not to.may_send():
        return
    yield from _fail(to, name, error)


def _fail(to: Audience, name: str, error: Exception) -> Story:
    """Tell on_error what a hook raised, or report it, and close."""
    to.failed = True
    unheard = getattr(to.endpoint.on_error, "__func__", None) is Endpoint.on_error
    if unheard and not isinstance(error, CloseError):
        to.report(name, error)
    yield from _last_word(to, "on_error", error)
    if isinstance(error, CloseError):
        to.close(error.code, error.reason)
    else:
        to.close(CloseCode.INTERNAL_ERROR.value, "")


def _last_word(to: Audience, name: str, *arguments: object) -> Story:
    """Call on_error or on_close; what they raise is nobody's to hear."""
    try:
        yield partial(getattr(to.endpoint, name), to.session, *arguments)
    except Exception as unhandled:
        to.report(name, unhandled)


def _end(to: Audience, closed: Closed) -> Story:
    """The last event: what went wrong, if anything did, and the close."""
    if not to.connected:
        return
    error, interrupt = error_from(closed), None
    try:
        if error is not None:
            yield from _last_word(to, "on_error", error)
    except GeneratorExit:
        raise
    except BaseException as raised:  # a task was cancelled, for one
        interrupt = raised
    yield from _last_word(to, "on_close", closed.code, closed.reason)
    if interrupt is not None:
        raise interrupt


def _nothing() -> Story:
    yield from ()


def as_it_is(error: BaseException) -> BaseException:
    """Judge that error is what it looks like: an Exception is the hook's fault, all else ends the program."""
    return error


def run(story: Story, judge: Judge = as_it_is) -> None:
    """Make the calls of story, one after the other; a hook that returns a coroutine has failed."""
    call = next(story, None)
    while call is not None:
        try:
            refuse_coroutine(call())
        except BaseException as error:
            call = _throw(story, judge(error))
        else:
            call = next(story, None)


def refuse_coroutine(result: object) -> None:
    """Look at what a hook has returned where nobody awaits it.

    Raises:
        TypeError: a coroutine: the hook has done nothing, and would never do anything.
    """
    if iscoroutine(result):
        result.close()
        raise TypeError("a hook is a coroutine function, which would never be run: use wscore_asyncio")


async def run_awaiting(story: Story, judge: Judge = as_it_is) -> None:
    """Make the calls of story, and await what they return if that is awaitable."""
    call = next(story, None)
    while call is not None:
        try:
            result = call()
            if isawaitable(result):
                await result
        except BaseException as error:
            call = _throw(story, judge(error))
        else:
            call = next(story, None)


def _throw(story: Story, error: BaseException) -> Call | None:
    """Tell story that its call has raised, or was interrupted; return the next one."""
    try:
        return story.throw(error)
    except StopIteration:
        return None
    finally:
        del error  # its traceback may know this frame: together they would outlive the session
