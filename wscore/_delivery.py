"""How events become calls of an application's hooks.

`Delivery` holds the order for one session: one event at a time, no hook before `Opened`, and after a hook
has raised no further message. It calls hooks and nothing else: backends say how to close and where to
report what nobody handles. What is to be called, and what follows when it raises, is told by one generator
for each kind of event; plain hooks and those that must be awaited differ only in who runs it.
"""

from collections.abc import Callable, Generator
from functools import partial
from inspect import isawaitable
from typing import TypeAlias, assert_never, final

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


@final
class Delivery:
    """Brings one session's events to its endpoint, in order.

    Args:
        endpoint: whose hooks are called.
        session: what the hooks get.
        close: starts closing with a code and a reason; must not wait and must not raise.
        report: takes a hook's name and what it raised, where no `on_error` would hear of it.
        may_send: tells whether our Close has not been sent yet. A hook that meets it unawares, because
            another thread has begun to close, has done nothing wrong.
    """

    __slots__ = (
        "_close",
        "_connected",
        "_endpoint",
        "_failed",
        "_may_send",
        "_report",
        "_session",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        session: object,
        *,
        close: Callable[[int, str], object],
        report: Callable[[str, Exception], object],
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._endpoint = endpoint
        self._session = session
        self._close = close
        self._report = report
        self._may_send = may_send
        self._connected = False
        self._failed = False

    def deliver(self, event: Event) -> None:
        """Call the hook that event is for, if any; never raises what a hook raised."""
        if isinstance(event, (str, bytes)) and not self._failed:  # the usual case, without the machinery
            try:
                self._endpoint.on_message(self._session, event)
            except Exception as error:
                _run(self._raised("on_message", error))
        else:
            _run(self._story(event))

    async def deliver_awaiting(self, event: Event) -> None:
        """As `deliver`, and await what a hook returns if that is awaitable."""
        await _run_awaiting(self._story(event))

    def notify_writable(self) -> None:
        """Call ``on_writable``, if there is one: there is room for output again."""
        if self._connected:
            _run(self._hook("on_writable"))

    async def notify_writable_awaiting(self) -> None:
        """As `notify_writable`, and await what the hook returns if that is awaitable."""
        if self._connected:
            await _run_awaiting(self._hook("on_writable"))

    def _story(self, event: Event) -> "_Story":
        """Yield what is to be called for event, in order; what a call raised is thrown in."""
        match event:
            case str() | bytes():
                return self._hook("on_message", event)
            case Fragment(data, final):
                return self._fragment(data, final)
            case Opened():
                self._connected = True
                return self._hook("on_connect")
            case Closed():
                return self._end(event)
            case PingReceived(payload):
                return self._hook("on_ping", payload)
            case PongReceived(payload):
                return self._hook("on_pong", payload)
            case RequestReceived() | Refused() | CloseReceived():
                return _nothing()  # a backend's business; the peer's Close is reported when all is settled
            case _:
                assert_never(event)

    def _hook(self, name: str, *arguments: object) -> "_Story":
        """Call one hook, if there is one and none has failed before."""
        hook = getattr(self._endpoint, name, None)
        if hook is None or self._failed:
            return
        try:
            yield partial(hook, self._session, *arguments)
        except Exception as error:
            yield from self._raised(name, error)

    def _fragment(self, data: str | bytes, final: bool) -> "_Story":
        """Call on_fragment; an endpoint that a factory made may not know what to do with a fragment."""
        if hasattr(self._endpoint, "on_fragment"):
            yield from self._hook("on_fragment", data, final)
        elif not self._failed:
            missing = TypeError("a fragment came, and the endpoint has no hook on_fragment")
            yield from self._fail("on_fragment", missing)

    def _raised(self, name: str, error: Exception) -> "_Story":
        """A hook raised: is it its fault?"""
        if isinstance(error, ConnectionClosed):
            return  # the connection ended under the hook's hands: on_close will tell
        if isinstance(error, LocalProtocolError) and not self._may_send():
            return
        yield from self._fail(name, error)

    def _fail(self, name: str, error: Exception) -> "_Story":
        """Tell on_error what a hook raised, or report it, and close."""
        self._failed = True
        unheard = getattr(self._endpoint.on_error, "__func__", None) is Endpoint.on_error
        if unheard and not isinstance(error, CloseError):
            self._report(name, error)
        yield from self._last_word("on_error", error)
        if isinstance(error, CloseError):
            self._close(error.code, error.reason)
        else:
            self._close(CloseCode.INTERNAL_ERROR.value, "")

    def _last_word(self, name: str, *arguments: object) -> "_Story":
        """Call on_error or on_close; what they raise is nobody's to hear."""
        try:
            yield partial(getattr(self._endpoint, name), self._session, *arguments)
        except Exception as unhandled:
            self._report(name, unhandled)

    def _end(self, closed: Closed) -> "_Story":
        """The last event: what went wrong, if anything did, and the close."""
        if not self._connected:
            return
        error = error_from(closed)
        if error is not None:
            yield from self._last_word("on_error", error)
        yield from self._last_word("on_close", closed.code, closed.reason)


_Call: TypeAlias = Callable[[], object]
_Story: TypeAlias = Generator[_Call, None, None]


def _nothing() -> _Story:
    yield from ()


def _run(story: _Story) -> None:
    """Make the calls of story, one after the other."""
    call = next(story, None)
    while call is not None:
        try:
            call()
        except Exception as error:
            call = _throw(story, error)
        else:
            call = next(story, None)


async def _run_awaiting(story: _Story) -> None:
    """Make the calls of story, and await what they return if that is awaitable."""
    call = next(story, None)
    while call is not None:
        try:
            result = call()
            if isawaitable(result):
                await result
        except Exception as error:
            call = _throw(story, error)
        else:
            call = next(story, None)


def _throw(story: _Story, error: Exception) -> _Call | None:
    """Tell story that its call has raised; return the next one."""
    try:
        return story.throw(error)
    except StopIteration:
        return None
    finally:
        del error  # its traceback may know this frame: together they would outlive the session
