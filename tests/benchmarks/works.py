"""All other works: opening, memory, broadcasts, the core alone, and growth; see `figures` and `echoing`."""

import json
import socket
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from benchmarks import wire
from benchmarks.echoing import Echo
from benchmarks.figures import Figures, figures
from benchmarks.lanes import FrameLane, Lane, check_accepted, dial, prepare, read_head
from benchmarks.load import Load, Watch
from benchmarks.processes import Contestant, Lab, allow_many_files

_FILES_LEFT: Final = 100  # descriptors that are not for connections
_PATIENCE: Final = 20.0


@dataclass(frozen=True)
class Handshakes:
    """Connections are opened one after the other, and stay open until the end."""

    title: str
    most: int = 5000

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Open as many as the time allows."""
        most = min(self.most, allow_many_files() - _FILES_LEFT)
        with lab.start("server", contestant) as process:
            port = int(process.answer)
            request = wire.request(port, compressed=False)
            sockets = [dial(port, request) for _ in range(10)]
            watch, before = Watch(process.cpu), len(sockets)
            while watch.elapsed < seconds and len(sockets) < most:
                sockets += _open_together(port, request)
            tally = watch.tally(len(sockets) - before)
            for sock in sockets:
                sock.close()
        return figures(tally, tally.blocks)


def _open_together(port: int, request: bytes, count: int = 16) -> list[socket.socket]:
    """Open connections whose handshakes overlap, so that the server need not wait for us."""
    sockets = [prepare(socket.create_connection(("127.0.0.1", port), _PATIENCE)) for _ in range(count)]
    for sock in sockets:
        sock.sendall(request)
    for sock in sockets:
        check_accepted(read_head(sock), request)
    return sockets


@dataclass(frozen=True)
class Idle:
    """Many connections that have had one message each: ``kib`` is what one of them takes of memory."""

    title: str
    connections: int = 2000

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Open the connections; those of the first tenth only bring the process to its ordinary size."""
        count = max(50, int(self.connections * min(seconds, 1.0)))
        compressed = bool(contestant.compress)
        message = wire.frame(wire.TEXT, wire.payload(wire.TEXT, 100), masked=True)
        echo = wire.frame(wire.TEXT, wire.payload(wire.TEXT, 100), masked=False)
        with lab.start("server", contestant) as process:
            port = int(process.answer)
            raw = contestant.name == "raw"
            request = None if raw else wire.request(port, compressed=compressed)
            expected = len(message) if raw else len(echo)
            sockets = [_greeted(port, request, message, expected) for _ in range(count // 10)]
            before = process.resident()
            sockets += [_greeted(port, request, message, expected) for _ in range(count)]
            grown = process.resident() - before
            for sock in sockets:
                sock.close()
        return {"kib": grown / count / 1024}


def _greeted(port: int, request: bytes | None, message: bytes, expected: int) -> socket.socket:
    sock = dial(port, request)
    sock.sendall(message)
    # A contestant that compresses even short messages gives fewer bytes; none gives them in two pieces.
    if not 0 < len(sock.recv(4096)) <= expected:
        raise ConnectionError("not the echo that was expected")
    return sock


@dataclass(frozen=True)
class Broadcast:
    """A message that one connection sends goes to all; figures are for each receiver."""

    title: str
    connections: int = 1000
    compressed: bool = False

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Send one message after the other, each when all have the one before."""
        with lab.start("server", contestant, "--broadcast") as process:
            port = int(process.answer)
            raw = contestant.name == "raw"
            request = None if raw else wire.request(port, compressed=self.compressed)
            block = self._block(raw=raw)
            lanes = [self._lane(dial(port, request), block) for _ in range(self.connections)]
            if raw:
                self._await_greetings(lanes)
            with closing(Load(lanes, process.cpu)) as load:
                load.kick()
                load.settle()
                watch, turns = Watch(process.cpu), 0
                while not turns or watch.elapsed < seconds:
                    load.kick()
                    load.settle()
                    turns += 1
                tally = watch.tally(turns)
        return figures(tally, turns * self.connections)

    @staticmethod
    def _await_greetings(lanes: list[Lane]) -> None:
        """Wait until a raw server knows all connections; those of the others are known by the handshake."""
        for lane in lanes:
            lane.sock.recv(1)

    def _payload(self) -> bytes:
        return wire.json_payloads()[0] if self.compressed else wire.payload(wire.TEXT, 100)

    def _block(self, *, raw: bool) -> bytes:
        """Return the message; raw servers pass on the very bytes that the others make of it."""
        payload = wire.deflate(self._payload()) if self.compressed else self._payload()
        return wire.frame(wire.TEXT, payload, masked=not raw, compressed=self.compressed)

    def _lane(self, sock: socket.socket, block: bytes) -> Lane:
        if self.compressed:
            return FrameLane(sock, block, 1)
        return Lane(sock, block, len(wire.frame(wire.TEXT, self._payload(), masked=False)))


@dataclass(frozen=True)
class CoreAlone:
    """A block goes through the protocol core in memory: see `core`."""

    title: str

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Return nanoseconds a message, in blocks of 64 and one by one."""
        answer = json.loads(lab.ask("core", contestant, f"--seconds={seconds}"))
        return {
            "block": answer["block"],
            "single": answer["single"],
            "core_rate": 1e9 / answer["block"],
        }


@dataclass(frozen=True)
class Growth:
    """A work and one of twice its size: ``growth`` is the ratio of processor times.

    Attributes:
        title: its name.
        echo: the work of size n.
        doubled: of size 2n.
        opening: count the opening of the connections, too, and only one message on each.
        blocks: on each connection, otherwise.
    """

    title: str
    echo: Echo
    doubled: Echo
    opening: bool = False
    blocks: int = 10

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Do both, in fresh processes."""
        first, second = (self._spend(lab, contestant, echo, seconds) for echo in (self.echo, self.doubled))
        return {"growth": second / first, "cpu_n": first, "cpu_2n": second}

    def _spend(self, lab: Lab, contestant: Contestant, echo: Echo, seconds: float) -> float:
        """Return the seconds of processor time that the work takes."""
        if self.opening:
            smaller = replace(echo, connections=max(20, int(echo.connections * min(seconds, 1.0))))
            with smaller.open(lab, contestant) as (process, load):
                load.run(0.0)
                return process.cpu() - process.at_start
        with echo.open(lab, contestant) as (_, load):
            load.run(0.0, 1)
            return load.run(0.0, max(2, int(self.blocks * min(seconds, 1.0)))).cpu
