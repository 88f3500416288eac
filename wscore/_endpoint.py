"""The application's side: four hooks, and the shapes that a handler has.

The model is Jetty's: On Connect hands over a session, On Message brings complete messages, On Error tells
what went wrong, On Close comes exactly once, last. A handler comes in four shapes, and `endpoint_for` tells
them apart:

- a subclass of `Endpoint`: every connection gets an instance of its own;
- an instance: stateless, it serves every connection, and the session comes with each event;
- ``Endpoint.factory(function)``: the function makes the endpoint of each connection;
- any other function: run once per connection with its session, it receives and iterates itself.

How events become calls of them is told in `_delivery`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias, final

from ._config import Config

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
