"""The modules that can stand for the standard library's zlib, as far as they are installed."""

import importlib
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from wscore import Config, Connection, Deflate, Role
from wscore._deflate import Compressor, Decompressor
from wscore.testing import drain, repeatable_entropy

NAMES = ("zlib", "isal.isal_zlib", "zlib_ng.zlib_ng")


def _load(name: str) -> Any:
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


FOUND = {name: _load(name) for name in NAMES}
MODULES = [
    pytest.param(
        FOUND[name], id=name, marks=pytest.mark.skipif(FOUND[name] is None, reason=f"{name} is not installed")
    )
    for name in NAMES
]


class Substitute:
    """Compresses as zlib does, and decompresses with objects that the test makes.

    Args:
        decompressobj: makes one for a number of window bits.
    """

    error = zlib.error
    Z_DEFAULT_COMPRESSION = zlib.Z_DEFAULT_COMPRESSION

    def __init__(self, decompressobj: Callable[[int], Decompressor]) -> None:
        self._decompressobj = decompressobj

    def compressobj(self, level: int, method: int, wbits: int, memory: int, /) -> Compressor:
        return zlib.compressobj(level, method, wbits, memory)

    def decompressobj(self, wbits: int, /) -> Decompressor:
        return self._decompressobj(wbits)


def levels(module: Any) -> list[int | None]:
    """Return some of a module's levels, the extremes among them."""
    return [None, 0, 1, 2, 3] if module.__name__ == "isal.isal_zlib" else [None, 0, 1, 6, 9]


def two_ends(
    module: Any = zlib, answer: str = "permessage-deflate", config: Config | None = None, **settings: Any
) -> tuple[Connection, Connection]:
    """Return a client and a server that compress everything with module, as answer says, both drained."""
    chosen: dict[str, Any] = {
        "server_max_window_bits": 15,
        "client_max_window_bits": 15,
        "level": None,
        "threshold": 1,
        "zlib": module,
    }
    compression = Deflate(**(chosen | settings))
    base = Config() if config is None else config
    made: list[Connection] = []
    for role in (Role.CLIENT, Role.SERVER):
        connection = Connection.established(
            role,
            Config(
                limits=base.limits,
                stream=base.stream,
                fragment_size=base.fragment_size,
                compression=compression,
            ),
            extensions=answer,
            now=0.0,
            entropy=repeatable_entropy(),
        )
        drain(connection, 0.0)
        made.append(connection)
    return made[0], made[1]
