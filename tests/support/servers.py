"""Servers in processes of their own: where limits of a process are set, or its memory and work are measured.

::

    with running("selectors", "echo", timeouts={"open": 1.0}) as server:
        with dial_upgraded(server.port) as peer: ...
        assert server.measure()["sessions"] == 1

The process is `support.server_program`, the services are in `support.services`. Leaving ends it, if the test
has not done that, and checks that it ended in good order.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, final

from .eventually import PATIENCE, eventually

_PROGRAM: Final = Path(__file__).with_name("server_program.py")
_MODULES: Final = {
    "threading": "wscore_threading",
    "asyncio": "wscore_asyncio",
    "uvloop": "uvloop",
    "selectors": "wscore_selectors",
}
_LOG: Final = 10_000  # characters of a log that are of interest
_GUARD: Final = 240.0  # seconds after which a process is killed, whatever it does

BACKENDS: Final = tuple(name for name, module in _MODULES.items() if find_spec(module) is not None)
ON_LOOPS: Final = tuple(name for name in BACKENDS if name != "threading")


@final
class Running:
    """A server in a process of its own.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self._log = log
        first = self._stdout.readline()
        assert first, self.log
        self.port = int(first)

    @property
    def log(self) -> str:
        """What it has logged, at level WARNING and above, or the beginning of that."""
        return self._log.read_text()[:_LOG]

    def ask(self, question: str) -> Any:
        """Ask one of `support.server_program.Questions`."""
        self._stdin.write(question + "\n")
        self._stdin.flush()
        assert select.select([self._stdout], [], [], PATIENCE)[0], f"no answer; its log: {self.log}"
        answer = self._stdout.readline()
        assert answer, self.log
        return json.loads(answer)

    def measure(self) -> dict[str, Any]:
        """Ask how things are."""
        found: dict[str, Any] = self.ask("measure")
        return found

    def wait_for_sessions(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many are open."""
        eventually(lambda: self.measure()["sessions"] == number, timeout)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until it has ended, in good order; return its last words."""
        assert self._process.wait(timeout) == 0, self.log
        words: dict[str, Any] = json.loads(self._stdout.read())
        return words

    def leave(self) -> None:
        """Let it end, if it has not."""
        if self._process.poll() is None:
            self._stdin.close()
            self.end()


@contextmanager
def running(
    backend: str,
    service: str = "echo",
    *,
    limits: Mapping[str, Any] | None = None,
    timeouts: Mapping[str, Any] | None = None,
    compressed: bool = False,
    secure: bool = False,
    files: int | None = None,
    room: int | None = None,
    drain: float = 0.5,
    **options: Any,
) -> Iterator[Running]:
    """Run a server.

    Args:
        backend: of `BACKENDS`.
        service: of `support.services`.
        limits, timeouts: as in `Limits` and `Timeouts`.
        compressed: with permessage-deflate.
        secure: with TLS, for 127.0.0.1.
        files: how many it may have open.
        room: bytes of address space that it may take beyond those that it has when it listens.
        drain: seconds that its end may take.
        options: more keyword arguments for the backend's ``serve``.
    """
    plan = {
        "backend": backend,
        "service": service,
        "limits": limits or {},
        "timeouts": timeouts or {},
        "compressed": compressed,
        "secure": secure,
        "files": files,
        "room": room,
        "drain": drain,
        "options": options,
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with _process(plan, log) as process:
            server = Running(process, log)
            yield server
            server.leave()


@contextmanager
def _process(plan: dict[str, Any], log: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start the program; kill it in the end, if it is still there. -P: import what these tests import."""
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="ascii",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    guard = threading.Timer(_GUARD, process.kill)
    guard.daemon = True
    guard.start()
    try:
        with process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        guard.cancel()
        guard.join()
