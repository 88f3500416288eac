"""Counts the bytecode instructions that the pure core executes for fixed works: ``opcodes.py [--update]``.

Times are noisy; instructions are not. The same work on the same Python takes the same number of them, on any
machine and under any load, so a test can notice that a frame has become dearer by a few per cent. It says
nothing about what runs in C, and an instruction is not a unit of time: it is an alarm, and the benchmarks are
the measure.

Only instructions of wscore's own modules count, not those of h11 or the standard library. Python 3.12 and
later report them to `sys.monitoring`; 3.11 to a trace function. Numbers differ from one minor version to the
next, so `opcodes.json` has a set for each. A compiled core executes no bytecode: there is nothing to count.
"""

import argparse
import gc
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import wscore
from benchmarks import wire
from wscore import Connection, Opened, RequestReceived, Role

TOLERANCE: Final = 0.03
RECORDED: Final = Path(__file__).with_name("opcodes.json")
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"

_HOME: Final = str(Path(wscore.__file__).parent)
_REPEAT: Final = 8
_TOOL: Final = 4  # of sys.monitoring's numbers one that nobody claims

Turn = Callable[[], object]


def is_interpreted() -> bool:
    """Tell whether the core executes bytecode, masking included."""
    modules = [module for name, module in sys.modules.items() if name.startswith("wscore.")]
    return all((module.__file__ or "").endswith(".py") for module in modules)


# Works: each returns what is done once, and how many messages that is.


def _entropy(count: int) -> bytes:
    return bytes(range(1, count + 1))


def _echo(role: Role, data: bytes, *, pieces: int = 1) -> Turn:
    """Return what receives data, in pieces, and sends back each message that comes of it."""
    core = Connection.established(role, now=0.0, entropy=_entropy)
    core.next_event()
    step = -(-len(data) // pieces)
    parts = [data[start : start + step] for start in range(0, len(data), step)]

    def turn() -> None:
        for part in parts:
            core.receive_data(part, 1.0)
            while (event := core.next_event()) is not None:
                if isinstance(event, str):
                    core.send_text(event)
                else:
                    assert isinstance(event, bytes)
                    core.send_bytes(event)
            core.data_to_send(1.0)

    return turn


def _fragments(count: int) -> bytes:
    """Return a message of 100 bytes in each of so many frames."""
    payload = wire.payload(wire.TEXT, 100)
    frames = [wire.frame(0, payload, masked=True) for _ in range(count)]
    first, last = wire.frame(wire.TEXT, payload, masked=True), frames[-1]
    return b"".join(
        [bytes([first[0] & 0x7F]) + first[1:], *(b"\0" + each[1:] for each in frames[1:-1]), last]
    )


def _opened() -> None:
    """Do an opening handshake, both sides."""
    client = Connection(Role.CLIENT, now=0.0, entropy=_entropy)
    server = Connection(Role.SERVER, now=0.0, entropy=_entropy)
    client.send_request("ws://example.com/chat", now=0.0)
    server.receive_data(b"".join(client.data_to_send(0.0)), 0.0)
    assert isinstance(server.next_event(), RequestReceived)
    server.accept(now=0.0)
    client.receive_data(b"".join(server.data_to_send(0.0)), 0.0)
    assert isinstance(server.next_event(), Opened) and isinstance(client.next_event(), Opened)


def works() -> dict[str, tuple[Turn, int]]:
    """Return all works by name."""
    text = wire.payload(wire.TEXT, 100)
    to_server = wire.frame(wire.TEXT, text, masked=True)
    to_client = wire.frame(wire.TEXT, text, masked=False)
    big = wire.frame(wire.BINARY, wire.payload(wire.BINARY, 65536), masked=True)
    return {
        "server: a message in and out": (_echo(Role.SERVER, to_server), 1),
        "server: each of 64 messages in and out": (_echo(Role.SERVER, to_server * 64), 64),
        "client: a message in and out": (_echo(Role.CLIENT, to_client), 1),
        "client: each of 64 messages in and out": (_echo(Role.CLIENT, to_client * 64), 64),
        "server: 64 KiB in and out": (_echo(Role.SERVER, big), 1),
        "server: 64 KiB in four pieces and out": (_echo(Role.SERVER, big, pieces=4), 1),
        "server: each of 16 fragments in": (_echo(Role.SERVER, _fragments(16)), 16),
        "both: opening handshake": (_opened, 1),
    }


# Counting.


def count(turn: Turn) -> int:
    """Return how many instructions of wscore one turn takes, once everything is warm."""
    turn()
    turn()
    gc.collect()  # what somebody else left is not this work
    gc.disable()
    try:
        if sys.version_info >= (3, 12):
            return _monitored(turn) // _REPEAT
        return _traced(turn) // _REPEAT
    finally:
        gc.enable()


def _repeat(turn: Turn) -> None:
    for _ in range(_REPEAT):
        turn()


def _traced(turn: Turn) -> int:
    """Count with a trace function."""
    counted = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal counted
        counted += event == "opcode"
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_HOME):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return local

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        _repeat(turn)
    finally:
        sys.settrace(before)
    return counted


if sys.version_info >= (3, 12):

    def _monitored(turn: Turn) -> int:
        """Count with sys.monitoring."""
        counted = 0
        monitoring, here = sys.monitoring, threading.get_ident()

        def note(code: CodeType, offset: int) -> object:
            nonlocal counted
            if not code.co_filename.startswith(_HOME):
                return monitoring.DISABLE
            counted += threading.get_ident() == here  # it hears of all threads
            return None

        monitoring.use_tool_id(_TOOL, "opcodes")
        try:
            monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, note)
            monitoring.set_events(_TOOL, monitoring.events.INSTRUCTION)
            _repeat(turn)
        finally:
            monitoring.set_events(_TOOL, 0)
            monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, None)
            monitoring.free_tool_id(_TOOL)
        return counted


def measure() -> dict[str, float]:
    """Return the instructions of each work, for each message."""
    return {name: round(count(turn) / messages, 1) for name, (turn, messages) in works().items()}


# Comparing.


def read() -> dict[str, dict[str, float]]:
    """Return the recorded numbers, by version of Python."""
    recorded: dict[str, dict[str, float]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return recorded


def compare(recorded: dict[str, float], measured: dict[str, float]) -> list[str]:
    """Return a sentence for everything that is not as recorded."""
    found = [f"{name}: not recorded" for name in measured if name not in recorded]
    for name, before in recorded.items():
        now = measured.get(name)
        if now is None:
            found.append(f"{name}: recorded, but no such work")
        elif now > before * (1 + TOLERANCE):
            found.append(f"{name}: {now:g} instructions, where it took {before:g}")
        elif now < before * (1 - TOLERANCE):
            found.append(
                f"{name}: only {now:g} instructions instead of {before:g}: record them with --update"
            )
    return found


def main() -> int:
    """Print the numbers; record them if asked to."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="record the numbers for this version of Python")
    options = parser.parse_args()
    if not is_interpreted():
        print("this core is compiled: there is nothing to count", file=sys.stderr)
        return 2
    measured, everything = measure(), read() if RECORDED.exists() else {}
    for name, number in measured.items():
        before = everything.get(VERSION, {}).get(name)
        print(f"{name:42}{number:>10,.1f}{'' if before is None else f'   recorded: {before:,.1f}'}")
    if options.update:
        everything[VERSION] = measured
        ordered = dict(
            sorted(everything.items(), key=lambda item: [int(part) for part in item[0].split(".")])
        )
        RECORDED.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
        return 0
    return 1 if compare(everything.get(VERSION, {}), measured) else 0


if __name__ == "__main__":
    sys.exit(main())
