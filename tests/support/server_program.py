"""A program: one server of one backend, as an application would run it, that answers questions about itself.

Its argument is a plan in JSON (see `support.servers`). It prints its port; then, for each line that it reads,
a line of JSON. It ends in good order by SIGTERM or SIGINT, or with its input; then its last line tells what
became of its handlers.

Questions are answered by a thread beside the server, so a server that stands still can be asked, too; what
belongs to a loop is done in that loop.
"""

import asyncio
import gc
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, final

from support.certificates import make_certificates
from support.eventually import PATIENCE
from support.services import TALLY, service
from wscore import Config, Deflate, Handler, Limits, Timeouts
from wscore._typing import override

_BEAT: Final = 0.002  # seconds between beats
_STACK: Final = 256 * 1024  # of a thread, where memory is scarce


class Host(Protocol):
    """A backend that serves until a signal comes.

    Attributes:
        server: once it listens.
    """

    server: Any

    def run(self, ready: Callable[[], object]) -> None:
        """Serve; ready is called when the server listens."""

    def call(self, function: Callable[[], Any]) -> Any:
        """Call function where the backend's own calls belong, and return its result."""

    def beat(self, note: Callable[[], object]) -> None:
        """Call note again and again, as somebody who has to share the thread with the server."""


@final
class Threads(Host):
    """wscore_threading."""

    def __init__(self, plan: dict[str, Any], keywords: dict[str, Any]) -> None:
        import wscore_threading

        TALLY.broadcast = wscore_threading.broadcast
        self._drain = plan["drain"]
        self.server = wscore_threading.serve(service(plan["service"], "threading"), "127.0.0.1", **keywords)

    @override
    def run(self, ready: Callable[[], object]) -> None:
        ready()
        self.server.serve_until_signal(timeout=self._drain)

    @override
    def call(self, function: Callable[[], Any]) -> Any:
        return function()

    @override
    def beat(self, note: Callable[[], object]) -> None:
        def run() -> None:
            while True:
                time.sleep(_BEAT)
                note()

        threading.Thread(target=run, daemon=True).start()


@final
class Loop(Host):
    """wscore_asyncio, on either loop."""

    def __init__(self, plan: dict[str, Any], keywords: dict[str, Any]) -> None:
        import wscore_asyncio

        TALLY.broadcast = wscore_asyncio.broadcast
        self._plan = plan
        self._serve: Callable[[Handler], Any] = lambda handler: wscore_asyncio.serve(
            handler, "127.0.0.1", **keywords
        )
        self._loop: asyncio.AbstractEventLoop

    @override
    def run(self, ready: Callable[[], object]) -> None:
        with asyncio.Runner(loop_factory=self._factory()) as runner:
            runner.run(self._main(ready))

    def _factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        if self._plan["backend"] == "asyncio":
            return None
        factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
        return factory

    async def _main(self, ready: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._serve(service(self._plan["service"], "asyncio")) as self.server:
            ready()
            await self.server.serve_until_signal(timeout=self._plan["drain"])

    @override
    def call(self, function: Callable[[], Any]) -> Any:
        return _call_there(self._loop.call_soon_threadsafe, function)

    @override
    def beat(self, note: Callable[[], object]) -> None:
        def again() -> None:
            note()
            self._loop.call_later(_BEAT, again)

        self._loop.call_soon_threadsafe(again)


@final
class Reactor(Host):
    """wscore_selectors."""

    def __init__(self, plan: dict[str, Any], keywords: dict[str, Any]) -> None:
        import wscore_selectors

        TALLY.broadcast = wscore_selectors.broadcast
        self._drain = plan["drain"]
        self._reactor = wscore_selectors.Reactor()
        handler = service(plan["service"], "selectors")
        self.server = self._reactor.serve(handler, "127.0.0.1", **keywords)

    @override
    def run(self, ready: Callable[[], object]) -> None:
        ready()
        with self._reactor:
            self._reactor.run_until_signal(timeout=self._drain)

    @override
    def call(self, function: Callable[[], Any]) -> Any:
        return _call_there(self._reactor.call_soon_threadsafe, function)

    @override
    def beat(self, note: Callable[[], object]) -> None:
        def again() -> None:
            note()
            self._reactor.call_later(_BEAT, again)

        self._reactor.call_soon_threadsafe(again)


_HOSTS: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], Host]]] = {
    "threading": Threads,
    "asyncio": Loop,
    "uvloop": Loop,
    "selectors": Reactor,
}


def _call_there(ask: Callable[[Callable[[], None]], object], function: Callable[[], Any]) -> Any:
    """Call function in a loop, and wait for what it returns."""
    outcome: Future[Any] = Future()

    def call() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    ask(call)
    return outcome.result(3 * PATIENCE)


@final
class Heart:
    """How long others who share the thread had to wait, at most, in processor time: see `Questions`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None
        self.longest = 0.0

    def beat(self) -> None:
        now = self._clock()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last)
        self._last = now


@final
class Questions:
    """Answers what the parent asks.

    Times are those of the processor, which do not depend on what else the machine does. A loop's gap is what
    its thread has worked between two beats; where there is a thread for each connection, what all have.
    """

    def __init__(self, host: Host, plan: dict[str, Any]) -> None:
        self._host = host
        self._heart = Heart(time.process_time if plan["backend"] == "threading" else time.thread_time)
        self._files = os.open("/proc/self/fd", os.O_RDONLY)  # while there are descriptors to be had
        self._status = os.open("/proc/self/status", os.O_RDONLY)

    def answer_all(self) -> None:
        """Answer until the input ends; then end the process in good order."""
        for line in sys.stdin:
            print(json.dumps(getattr(self, line.strip())()), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def measure(self) -> dict[str, Any]:
        """Tell how things are; memory in KiB, times in seconds."""
        status = _memory(os.pread(self._status, 65536, 0))
        return {
            "cpu": time.process_time(),
            "resident": status["VmRSS"],
            "peak": status["VmHWM"],
            "threads": threading.active_count(),
            "files": self._open_files(),
            "sessions": self._host.call(lambda: len(self._host.server.sessions)),
            **TALLY.summary(),
        }

    def _open_files(self) -> int:
        """Count them; listing takes a descriptor, so -1 when there is none."""
        try:
            return len(os.listdir(self._files))
        except OSError:
            return -1

    def buffered(self) -> list[int]:
        """Tell how much each session has to send."""

        def look() -> list[int]:
            return [session.buffered_amount for session in self._host.server.sessions]

        found: list[int] = self._host.call(look)
        return found

    def begin_beating(self) -> None:
        """Begin to look how long others have to wait."""
        self._host.beat(self._heart.beat)

    def longest_gap(self) -> float:
        """Tell how long that was at most, and forget it."""
        longest, self._heart.longest = self._heart.longest, 0.0
        return longest

    def begin_tracing(self) -> None:
        """Count what Python's allocator is asked for from now on, and let garbage pile up."""
        gc.collect()
        gc.disable()
        tracemalloc.start()

    def garbage(self) -> list[str]:
        """Tell which of our objects only the cyclic collector frees; asyncio needs it itself."""
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [repr(found) for found in gc.garbage if type(found).__module__.startswith(("wscore", "h11"))]
        gc.set_debug(0)
        gc.garbage.clear()
        return ours

    def traced(self) -> int:
        """Tell how many bytes are allocated that were not when tracing began.

        Collecting also clears Python's free lists, which would count as memory in use.
        """
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def release(self) -> None:
        """Let those take messages who did not up to now."""
        TALLY.released.set()
        self._host.call(lambda: [session.resume() for session in self._host.server.sessions])


def _memory(status: bytes) -> dict[str, int]:
    """Return how much memory this process has, in KiB."""
    pairs = (line.split(":", 1) for line in status.decode().splitlines() if line.startswith("Vm"))
    return {name: int(value.split()[0]) for name, value in pairs}


def _keywords(plan: dict[str, Any]) -> dict[str, Any]:
    """Return what the plan says for the backend's ``serve``."""
    config = Config(
        limits=Limits(**plan["limits"]),
        timeouts=Timeouts(**plan["timeouts"]),
        compression=Deflate() if plan["compressed"] else None,
    )
    ssl = make_certificates().server_context() if plan["secure"] else None
    return {"config": config, "ssl": ssl, **plan["options"]}


def main() -> None:
    """Serve as planned."""
    plan = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it would be ignored
    if plan["files"] is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (plan["files"], plan["files"]))
    if plan["room"] is not None:
        threading.stack_size(_STACK)
    host = _HOSTS[plan["backend"]](plan, _keywords(plan))
    TALLY.sessions = lambda: list(host.server.sessions)

    def ready() -> None:
        questions = Questions(host, plan)
        threading.Thread(target=questions.answer_all, daemon=True).start()
        if plan["room"] is not None:
            limit = _memory(Path("/proc/self/status").read_bytes())["VmSize"] * 1024 + plan["room"]
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        print(host.server.port, flush=True)

    host.run(ready)
    print(json.dumps(TALLY.summary()), flush=True)


if __name__ == "__main__":
    main()
