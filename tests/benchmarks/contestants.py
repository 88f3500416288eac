"""What the programs of contestants share: how they begin, how they end, and how an asyncio one is run.

A contestant answers with one line on its output once it is ready, and ends as soon as its input ends, so none
is left over when the run is interrupted. Its log is off: nothing may cost time that the work does not.
"""

import argparse
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.processes import allow_many_files


@dataclass(frozen=True, slots=True)
class Options:
    """What a contestant is told.

    Attributes:
        compress: the zlib module to compress with; "" for no compression.
        broadcast: send each message to everybody instead of back.
        port: of the server, for clients.
        connections: how many a client opens.
    """

    compress: str = ""
    broadcast: bool = False
    port: int = 0
    connections: int = 0


Program = Callable[[Options], None]


def main(programs: Mapping[str, Program]) -> None:
    """Run the program that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(programs))
    parser.add_argument("--compress", default="", choices=("zlib", "isal", "zlib-ng"))
    parser.add_argument("--broadcast", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--connections", type=int, default=0)
    arguments = vars(parser.parse_args())
    logging.disable(logging.CRITICAL)
    allow_many_files()
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    programs[arguments.pop("name")](Options(**arguments))


def answer(line: object) -> None:
    """Say that this contestant is ready."""
    print(line, flush=True)


def _end_with_the_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def on_uvloop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run work in a uvloop."""
    import uvloop

    uvloop.run(work())


def zlib_module(name: str) -> Any:
    """Return the module that stands for zlib."""
    modules = {"zlib": "zlib", "isal": "isal.isal_zlib", "zlib-ng": "zlib_ng.zlib_ng"}
    return importlib.import_module(modules[name])
