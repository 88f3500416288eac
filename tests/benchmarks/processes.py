"""Contestants in processes of their own, and what the kernel says that they cost.

The process under test gets one core and everything else another, where there are two. Its processor time is
read from the kernel's clock for that process (user and system time of all its threads, in nanoseconds), so it
need not be asked, and asking costs it nothing. A contestant ends when its input does: none outlives the run.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, final

if sys.platform != "win32":
    import resource

HERE: Final = Path(__file__).resolve().parent
_PATIENCE: Final = 20.0
_FILES: Final = 65536  # descriptors, more than any work needs
_CLOCK_OF_ALL_THREADS: Final = 2  # CPUCLOCK_SCHED; a process's clock is ~pid << 3 | 2


class Unavailable(Exception):
    """A contestant cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that is measured.

    Attributes:
        name: as the program that runs it knows it.
        pure: run with the pure Python build of wscore.
        compress: the zlib module to compress with; "" for no compression.
    """

    name: str
    pure: bool = False
    compress: str = ""

    @property
    def label(self) -> str:
        """Its name in tables."""
        return " ".join(filter(None, (self.name, self.compress, "(pure)" if self.pure else "")))


@final
class Process:
    """A running contestant.

    Attributes:
        answer: the line that it printed when it was ready.
        at_start: the seconds of processor time that it had used by then.
    """

    def __init__(self, process: "subprocess.Popen[str]", answer: str) -> None:
        self.pid = process.pid
        self.answer = answer
        self._clock = ~process.pid << 3 | _CLOCK_OF_ALL_THREADS
        self.at_start = self.cpu()

    def cpu(self) -> float:
        """Return the seconds of processor time that it has used, user and system."""
        return time.clock_gettime(self._clock)

    def resident(self) -> int:
        """Return the bytes of memory that it has."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()


@final
class Lab:
    """Where contestants run.

    Args:
        path: folders for wscore contestants to import from, before all others; "" for none.
        pure_path: the same for those that run the pure Python build; None: there is no such build.
    """

    def __init__(self, path: str = "", pure_path: str | None = None) -> None:
        if platform.system() != "Linux":
            raise Unavailable("the benchmarks need Linux: epoll, and the kernel's clock for each process")
        self._path = path
        self._pure_path = pure_path
        cores = sorted(os.sched_getaffinity(0))
        self._core = cores[1] if len(cores) > 1 else None
        self._home = cores[0]

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Keep this process on a core of its own, and let it have many connections."""
        cores, files = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE)
        if self._core is not None:
            os.sched_setaffinity(0, {self._home})
        allow_many_files()
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)
            resource.setrlimit(resource.RLIMIT_NOFILE, files)

    def has(self, contestant: Contestant) -> bool:
        """Tell whether contestant's build of wscore is there."""
        return not contestant.pure or self._pure_path is not None

    @contextmanager
    def start(self, program: str, contestant: Contestant, *arguments: str) -> Iterator[Process]:
        """Run a contestant until the block is left.

        Raises:
            Unavailable: it did not begin.
        """
        options = ["--compress", contestant.compress] if contestant.compress else []
        command = [sys.executable, str(HERE / f"{program}.py"), contestant.name, *options, *arguments]
        with TemporaryFile("w+", encoding="utf-8") as errors:  # a pipe that nobody reads would fill up
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                env=self._environment(pure=contestant.pure),
            )
            try:
                yield self._begun(process, errors)
            finally:
                process.kill()
                process.communicate()

    def _begun(self, process: "subprocess.Popen[str]", errors: IO[str]) -> Process:
        """Put a process in its place, and wait until it is ready."""
        if self._core is not None:
            os.sched_setaffinity(process.pid, {self._core})
        assert process.stdout is not None
        answer = process.stdout.readline().strip()
        if not answer:
            process.wait(_PATIENCE)
            errors.seek(0)
            raise Unavailable((errors.read().strip() or "it ended without a word").splitlines()[-1])
        return Process(process, answer)

    def ask(self, program: str, contestant: Contestant, *arguments: str) -> str:
        """Run a contestant that answers with one line."""
        with self.start(program, contestant, *arguments) as process:
            return process.answer

    def _environment(self, *, pure: bool) -> dict[str, str]:
        """Return an environment in which the wanted build of wscore is imported."""
        first = self._pure_path if pure else self._path
        folders: Sequence[str | None] = (first, os.environ.get("PYTHONPATH"))
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders)), "PYTHONHASHSEED": "0"}


def allow_many_files() -> int:
    """Let this process open as many files as it may, within reason; return how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
