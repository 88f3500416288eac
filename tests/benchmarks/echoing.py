"""The work that most rows are about: messages come back as they were sent, to a server or to a client.

A server under test is dialled by the load generator; a client under test dials the generator, which then
begins, as a server, and the client echoes. Either way the generator sends blocks and counts, and the
contestant does for each message what an echo costs: receive one, send one. Before anything is counted, one
message is compared byte by byte.
"""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from benchmarks import wire
from benchmarks.figures import Figures, figures
from benchmarks.lanes import FrameLane, Lane, dial, prepare, read_head
from benchmarks.load import Load
from benchmarks.processes import Contestant, Lab, Process

_WARM_UP: Final = 0.1  # of the time
_PATIENCE: Final = 20.0


@dataclass(frozen=True)
class Echo:
    """Messages are sent back as they come.

    Attributes:
        title: its name.
        connections: at the same time.
        in_flight: messages on their way on each of them; 1 is ping-pong.
        size: bytes of a message.
        opcode: wire.TEXT or wire.BINARY.
        client: the contestants are clients, and the load generator is the server.
        compressed: the messages are JSON of about 1 KiB, compressed both ways.
    """

    title: str
    connections: int = 10
    in_flight: int = 1
    size: int = 100
    opcode: int = wire.TEXT
    client: bool = False
    compressed: bool = False

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Keep messages in flight for a while."""
        with self.open(lab, contestant) as (_, load):
            load.run(seconds * _WARM_UP)
            tally = load.run(seconds)
        return figures(tally, tally.blocks * self.in_flight)

    @contextmanager
    def open(self, lab: Lab, contestant: Contestant) -> Iterator[tuple[Process, Load]]:
        """Start a contestant and connect to it, or let it connect."""
        if self.client:
            opened = self._open_client(lab, contestant)
        else:
            opened = self._open_server(lab, contestant)
        with opened as (process, sockets):
            if not self.compressed:
                self._check(sockets[0], contestant)
            lanes = [self._lane(sock, contestant) for sock in sockets]
            with closing(Load(lanes, process.cpu)) as load:
                yield process, load

    @contextmanager
    def _open_server(self, lab: Lab, contestant: Contestant) -> Iterator[tuple[Process, list[socket.socket]]]:
        with lab.start("server", contestant) as process:
            port = int(process.answer)
            request = None if contestant.name == "raw" else wire.request(port, compressed=self.compressed)
            yield process, [dial(port, request) for _ in range(self.connections)]

    @contextmanager
    def _open_client(self, lab: Lab, contestant: Contestant) -> Iterator[tuple[Process, list[socket.socket]]]:
        listener = socket.create_server(("127.0.0.1", 0), backlog=self.connections)
        listener.settimeout(_PATIENCE)
        with listener, Acceptances(listener, self.connections, shake=contestant.name != "raw") as accepted:
            arguments = f"--port={listener.getsockname()[1]}", f"--connections={self.connections}"
            with lab.start("client", contestant, *arguments) as process:
                yield process, accepted.wait()

    @cached_property
    def block(self) -> bytes:
        """What is sent at a time."""
        if self.compressed:
            messages = [wire.deflate(message) for message in wire.json_payloads()]
            return b"".join(wire.frame(wire.TEXT, each, masked=True, compressed=True) for each in messages)
        return self._frame(masked=not self.client) * self.in_flight

    def _frame(self, *, masked: bool) -> bytes:
        return wire.frame(self.opcode, wire.payload(self.opcode, self.size), masked=masked)

    def _lane(self, sock: socket.socket, contestant: Contestant) -> Lane:
        if contestant.name == "raw":
            return Lane(sock, self.block, len(self.block))
        if self.compressed:
            return FrameLane(sock, self.block, self.in_flight)
        return Lane(sock, self.block, len(self._frame(masked=self.client)) * self.in_flight)

    def _check(self, sock: socket.socket, contestant: Contestant) -> None:
        """Send one message and look at what comes back."""
        sent = self._frame(masked=not self.client)
        back = sent if contestant.name == "raw" else self._frame(masked=self.client)
        sock.sendall(sent)
        got = b""
        while len(got) < len(back):
            got += sock.recv(len(back) - len(got)) or _closed()
        if self.client and contestant.name != "raw":  # its masking key is its own
            start = len(got) - self.size
            pattern = int.from_bytes((got[start - 4 : start] * (self.size // 4 + 1))[: self.size], "little")
            plain = int.from_bytes(got[start:], "little") ^ pattern
            got = got[: start - 4] + plain.to_bytes(self.size, "little")
            back = back[: start - 4] + wire.payload(self.opcode, self.size)
        if got != back:
            raise ConnectionError(f"not the echo that was expected: {got[:32]!r}")


def _closed() -> bytes:
    raise ConnectionError("the contestant has closed a connection")


class Acceptances:
    """Accepts a contestant's connections while it opens them one by one, in a thread.

    Args:
        listener: where they come.
        count: how many.
        shake: do the opening handshake.
    """

    def __init__(self, listener: socket.socket, count: int, *, shake: bool) -> None:
        self._executor = ThreadPoolExecutor(1)
        self._accepted = self._executor.submit(self._accept, listener, count, shake)

    @staticmethod
    def _accept(listener: socket.socket, count: int, shake: bool) -> list[socket.socket]:
        sockets = []
        for _ in range(count):
            sock = prepare(listener.accept()[0])
            if shake:
                sock.sendall(wire.response(read_head(sock)))
            sockets.append(sock)
        return sockets

    def wait(self) -> list[socket.socket]:
        """Return the connections once all are open."""
        return self._accepted.result(_PATIENCE)

    def __enter__(self) -> "Acceptances":
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
