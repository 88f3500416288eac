"""The command ``wscore`` as a user starts it: a process with pipes, or with a terminal.

Nothing here waits by sleeping: a test reads until it has seen what it waits for. Against a hang each process
has a guard, which kills it after a time that no healthy run comes near; then the read ends, and the test
fails.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, final

# A run in the background of a shell ignores SIGINT, and so would every program that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GUARD: Final = 60.0  # seconds; a machine under load starts a program slowly

_ON_TERMINAL: Final = """
import os, sys
inherited = int(sys.argv[1])
terminal = os.open(os.ttyname(inherited), os.O_RDWR)  # the first one that a session opens becomes its own
for number in range(3):
    os.dup2(terminal, number)
os.close(inherited)
os.execv(sys.executable, [sys.executable, "-P", "-m", "wscore_cli", *sys.argv[2:]])
"""


def command(*arguments: str) -> list[str]:
    """Return the command line that runs ``wscore`` with this interpreter."""
    return [sys.executable, "-P", "-m", "wscore_cli", *arguments]


def run(
    *arguments: str, typed: str | bytes = b"", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``wscore`` with typed as its whole input, and wait for its end."""
    data = typed.encode() if isinstance(typed, str) else typed
    done = subprocess.run(
        command(*arguments),
        input=data,
        capture_output=True,
        timeout=GUARD,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def guarded(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill process when it is still running long after it should have ended."""
    guard = threading.Timer(GUARD, process.kill)
    guard.start()
    try:
        yield
    finally:
        guard.cancel()
        guard.join()


def first_match(pattern: str, lines: IO[str]) -> str:
    """Read lines until one matches, and return what its first group holds; "" at the end of the lines."""
    for line in lines:
        if match := re.search(pattern, line):
            return match[1]
    return ""


@final
class Serving:
    """A running ``wscore serve``.

    Attributes:
        process: the process.
        url: the address for WebSocket clients.
        page: the address for browsers.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = self.wait_for(r"(wss?://\S+)")
        self.page = self.wait_for(r"(https?://\S+)")

    def wait_for(self, pattern: str) -> str:
        """Read what the server prints until a line matches, and return what its first group holds."""
        assert self.process.stdout is not None
        found = first_match(pattern, self.process.stdout)
        assert found, f"the server ended without printing {pattern}"
        return found


@contextmanager
def serving(*arguments: str, port: str = "0") -> Iterator[Serving]:
    """Run ``wscore serve``, on a free port unless told otherwise, and end it afterwards."""
    process = subprocess.Popen(
        command("serve", "--port", port, *arguments), stdout=subprocess.PIPE, encoding="utf-8"
    )
    with process, guarded(process):
        try:
            yield Serving(process)
        finally:
            process.terminate()
            if process.stdout is not None:
                process.stdout.read()


@final
class Terminal:
    """``wscore`` with a person at a terminal.

    Attributes:
        process: the process.
        shown: everything that the terminal has shown so far.
    """

    def __init__(self, process: subprocess.Popen[str], keyboard: int) -> None:
        self.process = process
        self.shown = ""
        self._keyboard = keyboard
        self._seen = 0

    def type(self, keys: str) -> None:
        """Press keys; "\\r" is Enter, "\\x03" Ctrl-C, "\\x04" Ctrl-D."""
        os.write(self._keyboard, keys.encode())

    def wait_for(self, text: str) -> None:
        """Read on until the terminal shows text, behind what was waited for before."""
        while (place := self.shown.find(text, self._seen)) < 0:
            assert self._read(), f"{text!r} never came: {self.shown!r}"
        self._seen = place + len(text)

    def wait_for_end(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        return self.process.wait()

    def _read(self) -> bool:
        """Read once; False at the end."""
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:  # how Linux reports that nobody has the terminal open any more
            return False
        self.shown += data.decode()
        return bool(data)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    """Run ``wscore`` on a terminal of its own."""
    keyboard, screen = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_TERMINAL, str(screen), *arguments],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        encoding="utf-8",
        start_new_session=True,
        pass_fds=[screen],  # or the terminal would be gone before it is opened by name
    )
    os.close(screen)
    with process, guarded(process):
        try:
            yield Terminal(process, keyboard)
        finally:
            process.kill()
            os.close(keyboard)
