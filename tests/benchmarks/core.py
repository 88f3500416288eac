"""The protocol alone, without sockets: ``core.py NAME --seconds S`` prints what a message in and out costs.

A block of masked frames of 100 bytes of text goes into a server's side, each message comes out and is sent
again, and the output is taken: what an echo server asks of its core. The cores are wscore's `Connection`,
websockets' `ServerProtocol` and wsproto's `Connection`.

The answer is JSON: nanoseconds for each message, with 64 and with one in a block, the median of many batches;
and for wscore its version, and whether its core is compiled.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import wire

_BLOCK: Final = 64
_BATCH: Final = 0.01  # seconds, about
_FRAME: Final = wire.frame(wire.TEXT, wire.payload(wire.TEXT, 100), masked=True)
_ECHO: Final = wire.frame(wire.TEXT, wire.payload(wire.TEXT, 100), masked=False)

Turn = Callable[[bytes], bytes]


def wscore() -> Turn:
    """Return what echoes a block with wscore's core."""
    from wscore import Connection, Role

    core = Connection.established(Role.SERVER, now=0.0)
    core.next_event()

    def turn(block: bytes) -> bytes:
        core.receive_data(block, 0.0)
        while (event := core.next_event()) is not None:
            assert isinstance(event, str)
            core.send_text(event)
        return b"".join(core.data_to_send(0.0))

    return turn


def websockets() -> Turn:
    """Return what echoes a block with websockets' core."""
    from websockets.frames import Frame
    from websockets.server import ServerProtocol

    core = ServerProtocol()
    core.receive_data(wire.request(80, compressed=False))
    [request] = core.events_received()
    core.send_response(core.accept(request))  # type: ignore[arg-type]
    core.data_to_send()

    def turn(block: bytes) -> bytes:
        core.receive_data(block)
        for event in core.events_received():
            assert isinstance(event, Frame)
            core.send_text(event.data)
        return b"".join(core.data_to_send())

    return turn


def wsproto() -> Turn:
    """Return what echoes a block with wsproto's core."""
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import TextMessage

    core = Connection(ConnectionType.SERVER)

    def turn(block: bytes) -> bytes:
        core.receive_data(block)
        output = []
        for event in core.events():
            assert isinstance(event, TextMessage)
            output.append(core.send(TextMessage(event.data)))
        return b"".join(output)

    return turn


def nanoseconds(turn: Turn, size: int, seconds: float) -> float:
    """Return what a message costs in blocks of so many: the median of batches."""
    block, echo = _FRAME * size, _ECHO * size
    if turn(block) != echo:
        raise ValueError("this core does not echo what it was sent")
    begun = perf_counter()
    turns = 0
    while perf_counter() < begun + _BATCH:
        turn(block)
        turns += 1
    costs: list[float] = []
    deadline = perf_counter() + seconds
    while not costs or perf_counter() < deadline:
        begun = perf_counter()
        for _ in range(turns):
            turn(block)
        costs.append((perf_counter() - begun) / turns / size)
    return median(costs) * 1e9


def identity() -> dict[str, str | float]:
    """Tell wscore's version, and whether its core is compiled."""
    import wscore

    interpreted = hasattr(wscore.Connection.receive_data, "__code__")
    return {"build": "pure" if interpreted else "compiled", "version": wscore.__version__}


def main() -> None:
    """Measure the core that the command line names."""
    cores = {"wscore": wscore, "websockets": websockets, "wsproto": wsproto}
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=cores)
    parser.add_argument("--seconds", type=float, default=1.0, help="0: tell the build only")
    options = parser.parse_args()
    answer: dict[str, str | float] = identity() if options.name == "wscore" else {}
    if options.seconds:
        turn = cores[options.name]()
        answer["block"] = nanoseconds(turn, _BLOCK, options.seconds / 2)
        answer["single"] = nanoseconds(turn, 1, options.seconds / 2)
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
