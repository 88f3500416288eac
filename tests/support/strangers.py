"""WebSocket libraries of others behind one face, so that one suite tries them all.

A `Stranger` is one open connection in the hands of another library, be it a client or a server. Every call
blocks, for `PATIENCE` seconds at most; where the library wants an event loop, a `LoopThread` runs it. Two
things make strangers: a `Dial` connects one to a server of ours, a `Play` starts a server of theirs which
runs a script with each client. A script that raises fails the test, when its server is stopped.
"""

import asyncio
import ssl as ssl_module
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar, final, runtime_checkable

from .stranger_cases import MEBIBYTE, Refusal

T = TypeVar("T")

PATIENCE: Final = 20.0  # seconds that anything may take before the test has failed
_SCRIPTS_AT_ONCE: Final = 32  # more than any test has connections


class Ended(Exception):
    """The connection has ended; with the code and reason that our side sent, or 1006."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Refused(Exception):
    """Our server answered with another status than 101; body is None where the library drops it.

    Headers are found by their names in lower case.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class Stranger(Protocol):
    """One open connection in the hands of another library."""

    @property
    def subprotocol(self) -> str | None:
        """What was agreed on."""

    @property
    def compressed(self) -> bool:
        """Whether permessage-deflate was agreed on."""

    def send(self, message: str | bytes) -> None:
        """Send a message in one frame; raises Ended."""

    def recv(self) -> str | bytes:
        """Receive a message; raises Ended."""

    def ping(self, payload: bytes) -> None:
        """Ping, and wait for the pong with the same payload."""

    def pong(self, payload: bytes) -> None:
        """Send a pong that nobody asked for."""

    def close(self, code: int, reason: str) -> None:
        """Close, and wait for the end."""


@runtime_checkable
class Fragmenter(Protocol):
    """A stranger that can send a message in several frames."""

    def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        """Send each of parts in a frame of its own; raises Ended."""


class Dial(Protocol):
    """Connect a stranger to a server of ours; raises Refused or ssl.SSLError."""

    def __call__(
        self,
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        deflate: bool = False,
    ) -> AbstractContextManager[Stranger]: ...


Script = Callable[[Stranger], object]


class Play(Protocol):
    """Start a server of a stranger, which runs script with each client; gives its address without scheme.

    It compresses when the client offers that, if the library can.
    """

    def __call__(
        self,
        script: Script,
        *,
        subprotocols: Sequence[str] = (),
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        refusal: Refusal | None = None,
    ) -> AbstractContextManager[str]: ...


def echo(stranger: Stranger) -> None:
    """Script: send every message back until the end."""
    with suppress(Ended):
        while True:
            stranger.send(stranger.recv())


def end_of(stranger: Stranger) -> tuple[int, str]:
    """Read on until the connection has ended; return what our Close said."""
    while True:
        try:
            stranger.recv()
        except Ended as end:
            return end.code, end.reason


@final
class Mailbox:
    """What the callbacks of a library bring, until somebody asks for it."""

    def __init__(self) -> None:
        self._messages: SimpleQueue[str | bytes | Ended] = SimpleQueue()
        self._pongs: SimpleQueue[bytes] = SimpleQueue()
        self._over = threading.Event()
        self._end: Ended | None = None

    def put(self, message: str | bytes) -> None:
        """Take a message."""
        self._messages.put(message)

    def put_pong(self, payload: bytes) -> None:
        """Take a pong."""
        self._pongs.put(payload)

    def put_end(self, code: int, reason: str) -> None:
        """Take the end; only the first one counts."""
        if not self._over.is_set():
            self._messages.put(Ended(code, reason))
            self._over.set()

    @property
    def over(self) -> bool:
        """Whether the connection has ended, whatever is still unread."""
        return self._over.is_set()

    def recv(self) -> str | bytes:
        """Wait for the next message; raises Ended."""
        if self._end is None:
            message = self._messages.get(timeout=PATIENCE)
            if not isinstance(message, Ended):
                return message
            self._end = message
        raise self._end

    def wait_for_pong(self, payload: bytes) -> None:
        """Wait for a pong, which must have this payload."""
        assert self._pongs.get(timeout=PATIENCE) == payload

    def wait_for_end(self) -> None:
        """Wait until the connection has ended."""
        assert self._over.wait(PATIENCE)


@final
class Stage:
    """Where scripts are played; at the end it raises what they raised."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._failures: list[Exception] = []

    def play(self, stranger: Stranger) -> None:
        """Run the script, in the thread of a connection."""
        try:
            self._script(stranger)
        except Exception as error:
            self._failures.append(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._failures:
            raise ExceptionGroup("a script failed", self._failures)


@final
class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._stay()), name="strangers' loop")

    async def _stay(self) -> None:
        """Keep the loop until it is asked to end."""
        self._loop = asyncio.get_running_loop()
        # Scripts block a thread each: the default number of threads would let some wait for others.
        self._loop.set_default_executor(ThreadPoolExecutor(_SCRIPTS_AT_ONCE))
        self._stop = asyncio.Event()
        self._started.set()
        await self._stop.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run coroutine in the loop, from any other thread, and return its result."""
        limited = asyncio.wait_for(coroutine, PATIENCE)
        return asyncio.run_coroutine_threadsafe(limited, self._loop).result(2 * PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
