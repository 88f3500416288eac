"""How fast and how small the threaded backend is, beside websockets.sync: ``python threading_echo.py``.

Each server echoes in a process of its own, on a core of its own where there are two. The load is a bare
socket that sends ready-made masked frames of 100 bytes of text and counts bytes, so it is never the
bottleneck. What a message costs is the processor time of the server's process over the messages that it
echoed. The servers take turns, each run begins with a fresh process, and what is printed are medians:
machines are noisy, and only ratios of one run count.

Needs Linux, and a wscore and a websockets that can be imported. Compression is off on both sides.
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import IO, Any, Final, final

RUNS: Final = 5
ROUND_TRIPS: Final = 10_000
IN_FLIGHT: Final = 64
BLOCKS: Final = 600
IDLE_CONNECTIONS: Final = 500

_PATIENCE: Final = 30.0
_PAYLOAD: Final = b"x" * 100
_KEY: Final = b"\x37\xfa\x21\x3d"
_MASKED: Final = bytes(octet ^ _KEY[index % 4] for index, octet in enumerate(_PAYLOAD))
_FRAME: Final = bytes([0x81, 0x80 | len(_PAYLOAD)]) + _KEY + _MASKED
_ECHO: Final = bytes([0x81, len(_PAYLOAD)]) + _PAYLOAD
_CLOSE: Final = bytes([0x88, 0x80]) + _KEY
_REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


# The servers.


def _echo(session: Any) -> None:
    """Send everything back; the same words in both libraries."""
    for message in session:
        session.send(message)


def _start_wscore() -> int:
    import wscore_threading

    return wscore_threading.serve(_echo, "127.0.0.1").port


def _start_websockets() -> int:
    from websockets.sync.server import serve

    server = serve(_echo, "127.0.0.1", 0, compression=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port: int = server.socket.getsockname()[1]
    return port


SERVERS: Final[dict[str, Callable[[], int]]] = {
    "wscore_threading": _start_wscore,
    "websockets.sync": _start_websockets,
}


def run_server(name: str) -> None:
    """Serve until the input ends; for each line of it print seconds of processor time and bytes in memory."""
    print(SERVERS[name](), flush=True)
    for _ in sys.stdin:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/statm", encoding="ascii") as statm:
            resident = int(statm.read().split()[1]) * resource.getpagesize()
        print(usage.ru_utime + usage.ru_stime, resident, flush=True)


@final
class ServerProcess:
    """A running server and what it says about itself."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None and process.stdout is not None
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self.port = int(self._stdout.readline())

    def usage(self) -> tuple[float, int]:
        """Return its seconds of processor time and its bytes in memory."""
        self._stdin.write("\n")
        self._stdin.flush()
        seconds, resident = self._stdout.readline().split()
        return float(seconds), int(resident)


@contextmanager
def server_process(name: str, core: int | None) -> Iterator[ServerProcess]:
    """Run a server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="ascii",
    )
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield ServerProcess(process)
    finally:
        process.kill()
        process.communicate()


# The load.


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """Connect, do the opening handshake, and in the end the closing one."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(_REQUEST)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(65536)
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield sock
        sock.sendall(_CLOSE)
        while sock.recv(65536):
            pass


def exchange(sock: socket.socket, block: bytes, expected: int, turns: int) -> None:
    """Send the block and read its echo, over and over."""
    for _ in range(turns):
        sock.sendall(block)
        missing = expected
        while missing:
            missing -= len(sock.recv(missing))


@dataclass(frozen=True)
class Rate:
    """What echoing cost."""

    messages_per_second: float
    microseconds: float  # of the server's processor time, for each message


def measure_rate(server: ServerProcess, in_flight: int, turns: int) -> Rate:
    """Echo over one connection, with so many messages on their way at a time."""
    block, expected = _FRAME * in_flight, len(_ECHO) * in_flight
    with connected(server.port) as sock:
        exchange(sock, block, expected, max(turns // 10, 1))  # warm up
        used, begun = server.usage()[0], perf_counter()
        exchange(sock, block, expected, turns)
        elapsed, used = perf_counter() - begun, server.usage()[0] - used
    messages = in_flight * turns
    return Rate(messages / elapsed, used / messages * 1e6)


def measure_memory(server: ServerProcess) -> float:
    """Return the KiB of the server's memory that one idle connection takes, after one message."""
    before = server.usage()[1]
    with ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            exchange(stack.enter_context(connected(server.port)), _FRAME, len(_ECHO), 1)
        return (server.usage()[1] - before) / IDLE_CONNECTIONS / 1024


# The table.

MEASURES: Final = (
    # name, digits, whether more is better
    ("ping-pong, messages/s", 0, True),
    ("ping-pong, CPU µs/message", 1, False),
    (f"{IN_FLIGHT} in flight, messages/s", 0, True),
    (f"{IN_FLIGHT} in flight, CPU µs/message", 2, False),
    ("idle connection, KiB", 1, False),
)


def measure(name: str, core: int | None) -> list[float]:
    """Measure everything once, in the order of MEASURES."""
    with server_process(name, core) as server:
        single = measure_rate(server, 1, ROUND_TRIPS)
        many = measure_rate(server, IN_FLIGHT, BLOCKS)
    with server_process(name, core) as server:
        memory = measure_memory(server)
    return [
        single.messages_per_second,
        single.microseconds,
        many.messages_per_second,
        many.microseconds,
        memory,
    ]


def print_table(results: dict[str, list[list[float]]]) -> None:
    """Print the median of each measure for each server, and how many times better the first one is."""
    ours, theirs = results
    print(f"{'medians of ' + str(RUNS):32}{ours:>18}{theirs:>18}{'times better':>14}")
    for index, (title, digits, more_is_better) in enumerate(MEASURES):
        first = median(run[index] for run in results[ours])
        second = median(run[index] for run in results[theirs])
        ratio = first / second if more_is_better else second / first
        print(f"{title:32}{first:>18,.{digits}f}{second:>18,.{digits}f}{ratio:>14.2f}")


def main() -> None:
    """Run the servers in turns and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        run_server(arguments.serve)
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[0]})
    results: dict[str, list[list[float]]] = {name: [] for name in SERVERS}
    for _ in range(RUNS):
        for name, runs in results.items():
            runs.append(measure(name, cores[1] if len(cores) > 1 else None))
    print_table(results)


if __name__ == "__main__":
    main()
