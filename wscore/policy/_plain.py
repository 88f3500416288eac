"""Handlers for backends that await nothing: a coroutine function there would be called and never run."""

from inspect import iscoroutinefunction
from typing import Final
from weakref import WeakKeyDictionary

from wscore._endpoint import Endpoint, EndpointFactory, Handler

from ._router import Router

_HOOKS: Final = (
    "on_connect",
    "on_message",
    "on_fragment",
    "on_error",
    "on_close",
    "on_ping",
    "on_pong",
)
_CLASSES: Final[WeakKeyDictionary[type[Endpoint], bool]] = WeakKeyDictionary()


def awaits(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint has hooks that must be awaited."""
    kind, own = type(endpoint), getattr(endpoint, "__dict__", ())
    known = _CLASSES.get(kind)
    if known is None:  # to look at all hooks of every connection would take a part of its handshake's time
        known = _CLASSES[kind] = _has_coroutines(kind)
    return known or (any(name in own for name in _HOOKS) and _has_coroutines(endpoint))


def _has_coroutines(endpoint: Endpoint | type[Endpoint]) -> bool:
    return any(iscoroutinefunction(getattr(endpoint, name, None)) for name in _HOOKS)


def check_plain(handler: Handler | Router) -> None:
    """Raise unless handler can be called by a backend without a loop of coroutines.

    What an `EndpointFactory` makes is not known before.

    Raises:
        TypeError: it is a coroutine function, or has one among its hooks.
    """
    for each in handler.handlers if isinstance(handler, Router) else (handler,):
        if isinstance(each, EndpointFactory):
            continue
        is_endpoint = isinstance(each, (Endpoint, type))
        functions = (
            [getattr(each, name, None) for name in (*_HOOKS, "on_writable")] if is_endpoint else [each]
        )
        if any(iscoroutinefunction(function) for function in functions):
            raise TypeError("a coroutine function would never be run here: use wscore_asyncio")
