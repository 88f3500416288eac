"""The application's side: four hooks, and how events become calls of them.

The model is Jetty's: On Connect hands over a session, On Message brings complete messages, On Error tells
what went wrong, On Close comes exactly once, last. A handler comes in four shapes, and `endpoint_for` tells
them apart:

- a subclass of `Endpoint`: every connection gets an instance of its own;
- an instance: stateless, it serves every connection, and the session comes with each event;
- ``Endpoint.factory(function)``: the function makes the endpoint of each connection;
- any other function: run once per connection with its session, it receives and iterates itself.

`Delivery` holds the order for one session: one event at a time, no hook before `Opened`, and after a hook
has raised no further message. It calls hooks and nothing else: backends say how to close and where to
report what nobody handles.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias, assert_never, final

from ._codes import CloseCode
from ._config import Config
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

_CONTROL_HOOKS: Final = ("on_ping", "on_pong")


class Endpoint:
    """The hooks of an application; override those you need.

    One event at a time per session: first `on_connect`, then messages and errors, last `on_close`.
    A hook that raises brings `on_error` and closes with 1011, or with the code of a `CloseError`.
    Define ``on_ping(session, payload)``, ``on_pong(session, payload)`` or ``on_writable(session)`` to
    hear of those, too; pings are answered without it. Define ``on_fragment(session, data, final)`` to get
    messages in parts, as they arrive, instead of whole.
    """

    def on_connect(self, session: Any) -> object:
        """The upgrade succeeded; session may be kept, and written to at once."""

    def on_message(self, session: Any, message: str | bytes) -> object:
        """A complete message came in: ``str`` for text, ``bytes`` for binary."""

    def on_error(self, session: Any, error: Exception) -> object:
        """Something went wrong: `ConnectionLost`, `TimedOut`, `RemoteProtocolError`, or your own error."""

    def on_close(self, session: Any, code: int, reason: str) -> object:
        """The connection has ended: exactly once, always last; 1006 when there was no Close."""

    @staticmethod
    def factory(make: "Callable[[], Endpoint]") -> "EndpointFactory":
        """Let make() create the endpoint of each connection."""
        return EndpointFactory(make)


@final
class EndpointFactory:
    """A function that makes endpoints, told apart from one that is a handler itself."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Endpoint]) -> None:
        self.make = make


Handler: TypeAlias = type[Endpoint] | Endpoint | EndpointFactory | Callable[[Any], object]


def endpoint_for(handler: Handler) -> Endpoint | Callable[[Any], object]:
    """Return what serves one new connection: an endpoint, or the function of the session itself."""
    if isinstance(handler, EndpointFactory):
        return handler.make()
    if isinstance(handler, type) and issubclass(handler, Endpoint):
        return handler()
    return handler


def config_for(handler: Handler, config: Config | None) -> Config:
    """Return the Config for connections of handler: the caller's, with the events that it has hooks for.

    An `EndpointFactory` tells nothing about its endpoints: with one, ask for fragments in the Config.

    Raises:
        TypeError: handler has none of the four shapes; an endpoint without ``on_fragment`` is to stream.
    """
    config = Config() if config is None else config
    if not callable(handler) and not isinstance(handler, (Endpoint, EndpointFactory)):
        raise TypeError(f"expected an Endpoint or a function, not {type(handler).__name__}")
    if isinstance(handler, type) and not issubclass(handler, Endpoint):
        raise TypeError(f"{handler.__name__} is a class but no Endpoint")
    if hasattr(handler, "on_fragment"):
        config = replace(config, stream=True)
    elif config.stream and isinstance(handler, (Endpoint, type)):
        raise TypeError("with Config(stream=True) an endpoint needs the hook on_fragment")
    wanted = isinstance(handler, EndpointFactory) or any(hasattr(handler, name) for name in _CONTROL_HOOKS)
    return replace(config, control_events=True) if wanted else config


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

    __slots__ = ("_close", "_connected", "_endpoint", "_failed", "_may_send", "_report", "_session")

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
        match event:
            case str() | bytes():
                self._call("on_message", event)
            case Fragment(data, final):
                self._check_streams()
                self._call("on_fragment", data, final)
            case Opened():
                self._connected = True
                self._call("on_connect")
            case Closed():
                self._end(event)
            case PingReceived(payload):
                self._call("on_ping", payload)
            case PongReceived(payload):
                self._call("on_pong", payload)
            case RequestReceived() | Refused() | CloseReceived():
                pass  # a backend's business; the peer's Close is reported when all is settled
            case _:
                assert_never(event)

    def _check_streams(self) -> None:
        """Fail for an endpoint, made by a factory, that does not know what to do with a fragment."""
        if not hasattr(self._endpoint, "on_fragment") and not self._failed:
            self._fail("on_fragment", TypeError("a fragment came, and the endpoint has no hook on_fragment"))

    def _call(self, name: str, *arguments: object) -> None:
        """Call one hook, if there is one and none has failed before."""
        hook = getattr(self._endpoint, name, None)
        if hook is None or self._failed:
            return
        try:
            hook(self._session, *arguments)
        except ConnectionClosed:
            pass  # the connection ended under the hook's hands: on_close will tell
        except LocalProtocolError as error:
            if self._may_send():
                self._fail(name, error)
        except Exception as error:
            self._fail(name, error)

    def _fail(self, name: str, error: Exception) -> None:
        """A hook raised: tell on_error, or report it, and close."""
        self._failed = True
        unheard = getattr(self._endpoint.on_error, "__func__", None) is Endpoint.on_error
        if unheard and not isinstance(error, CloseError):
            self._report(name, error)
        self._tell_error(error)
        if isinstance(error, CloseError):
            self._close(error.code, error.reason)
        else:
            self._close(CloseCode.INTERNAL_ERROR.value, "")

    def _tell_error(self, error: Exception) -> None:
        try:
            self._endpoint.on_error(self._session, error)
        except Exception as unhandled:
            self._report("on_error", unhandled)

    def _end(self, closed: Closed) -> None:
        """The last event: what went wrong, if anything did, and the close."""
        if not self._connected:
            return
        error = error_from(closed)
        if error is not None:
            self._tell_error(error)
        try:
            self._endpoint.on_close(self._session, closed.code, closed.reason)
        except Exception as unhandled:
            self._report("on_close", unhandled)
