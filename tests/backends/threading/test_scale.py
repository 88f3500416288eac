"""Many connections at once, and more than there is room for."""

import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import pytest

from support.eventually import PATIENCE, eventually, stays
from support.handshakes import request
from support.raw import RawPeer, dial, dial_upgraded
from support.stopwatch import within
from support.threaded import echo, echo_server, url_of
from support.wire import CLOSE, TEXT, frame, status
from wscore import State
from wscore_threading import connect, serve

_PROGRAM = Path(__file__).parents[2] / "support" / "scarce_server.py"


def _read_all(waiting: dict[socket.socket, bytes]) -> None:
    """Read from every socket exactly what it waits for, whichever has it first."""
    received = dict.fromkeys(waiting, b"")
    deadline = monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        for sock in waiting:
            selector.register(sock, selectors.EVENT_READ)
        while selector.get_map():
            assert monotonic() < deadline, f"{len(selector.get_map())} still wait"
            for key, _ in selector.select(1):
                assert isinstance(key.fileobj, socket.socket)
                received[key.fileobj] += key.fileobj.recv(65536)
                if len(received[key.fileobj]) >= len(waiting[key.fileobj]):
                    selector.unregister(key.fileobj)
    assert received == waiting


def _open_many(stack: ExitStack, port: int, number: int) -> list[RawPeer]:
    """Open connections one after the other, and do their handshakes all at once."""
    peers = [stack.enter_context(dial(port)) for _ in range(number)]
    for peer in peers:
        peer.send(request())
    for peer in peers:
        assert peer.read_head().startswith(b"HTTP/1.1 101")
    return peers


@pytest.fixture
def many_files() -> Iterator[None]:
    """Allow this process to open as many files as a thousand connections have ends."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("the system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if soft < wanted else soft, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_connections_at_once_are_served_each_by_its_thread() -> None:
    """Every one gets its own echo, three times, while all of them wait at the same time."""
    base = threading.active_count()
    with serve(echo, "127.0.0.1", max_connections=1000) as server, ExitStack() as stack:
        peers = _open_many(stack, server.port, 1000)
        eventually(lambda: len(server.sessions) == 1000)
        assert threading.active_count() - base <= 1000 + 2
        for turn in range(3):
            for number, peer in enumerate(peers):
                peer.send_frame(TEXT, b"%d of %d" % (turn, number))
            _read_all(
                {
                    peer.socket: frame(TEXT, b"%d of %d" % (turn, number), masked=False)
                    for number, peer in enumerate(peers)
                }
            )
        for peer in peers:
            peer.send_close()
        _read_all({peer.socket: frame(CLOSE, status(1000), masked=False) for peer in peers})
        for peer in peers:
            peer.close()
        eventually(lambda: not server.sessions)


def test_shutdown_with_hundreds_of_connections_that_nobody_drives_is_quick() -> None:
    with echo_server() as server:
        sessions = [connect(url_of(server)) for _ in range(200)]
        eventually(lambda: len(server.sessions) == 200)
        with within(5):
            server.shutdown()
        for session in sessions:
            assert session.closed is not None and (session.closed.code, session.closed.clean) == (1001, True)
        eventually(lambda: all(session.state is State.CLOSED for session in sessions))


# Too few descriptors.


class _Scarce:
    """A server in a process with few descriptors."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self.port = int(self._stdout.readline())

    def ask(self) -> tuple[float, int]:
        """Return its processor time in seconds, and how many files it has open; -1: too many to tell."""
        self._stdin.write("?\n")
        self._stdin.flush()
        used, files = self._stdout.readline().split()
        return float(used), int(files)


@contextmanager
def _scarce_server(files: int, log: Path) -> Iterator[_Scarce]:
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="ascii",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        guard = threading.Timer(3 * PATIENCE, process.kill)
        guard.start()
        try:
            with process:
                yield _Scarce(process)
                assert process.stdin is not None
                process.stdin.close()
                assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            guard.cancel()
            guard.join()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_running_out_of_descriptors_pauses_the_server_and_does_not_end_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _scarce_server(40, log) as server, dial_upgraded(server.port) as early, ExitStack() as stack:
        _, before = server.ask()
        for _ in range(100):
            stack.enter_context(dial(server.port))
        eventually(lambda: server.ask()[1] == -1)  # none is left
        used, _ = server.ask()
        begun = monotonic()
        early.send_frame(TEXT, b"served as ever")
        assert early.read_frame() == (0x80 | TEXT, b"served as ever")
        stays(lambda: True, 1.5)
        assert server.ask()[0] - used < 0.2 * (monotonic() - begun)
        stack.close()
        with within(2), connect(f"ws://127.0.0.1:{server.port}") as session:
            assert session.ping() > 0
        eventually(lambda: server.ask()[1] == before)
    assert 0 < len(log.read_text().splitlines()) <= 5, log.read_text()
