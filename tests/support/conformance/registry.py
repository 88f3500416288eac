"""Which backends the suite holds to the same behaviour."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from .facade import Driver


def _threading() -> Driver:
    from .driver_threading import ThreadingDriver

    return ThreadingDriver()


def _asyncio() -> Driver:
    import asyncio

    from .driver_asyncio import AsyncioDriver

    return AsyncioDriver("asyncio", asyncio.new_event_loop)


def _uvloop() -> Driver:
    import uvloop

    from .driver_asyncio import AsyncioDriver

    return AsyncioDriver("uvloop", uvloop.new_event_loop)


def _selectors() -> Driver:
    from .driver_selectors import SelectorsDriver

    return SelectorsDriver()


def _trio() -> Driver:
    from .driver_trio import TrioDriver

    return TrioDriver()


# Imported when used: one backend can be tested where what another needs is missing.
_MAKERS: Final[dict[str, tuple[str, Callable[[], Driver]]]] = {
    "threading": ("wscore_threading", _threading),
    "asyncio": ("wscore_asyncio", _asyncio),
    "uvloop": ("uvloop", _uvloop),
    "selectors": ("wscore_selectors", _selectors),
    "trio": ("trio", _trio),
}

BACKENDS: Final = tuple(name for name, (module, _) in _MAKERS.items() if find_spec(module) is not None)


def make_driver(name: str) -> Driver:
    """Return a backend, not yet started."""
    return _MAKERS[name][1]()
