"""One blocking face for every backend, so that one suite can hold them all to the same behaviour.

A `Driver` is a backend in the hands of a test. It hides how the backend waits: every call here blocks, for
`PATIENCE` seconds at most, whether a thread waits in the kernel, a coroutine in a loop that runs in another
thread, or callbacks feed a queue. It hides nothing else: endpoints, arguments, errors and properties reach
the backend and come from it as they are::

    with driver.serve() as served, driver.connect(served.url) as ours:
        theirs = served.accept(ours)           # the server's session of the same connection
        ours.send("hello")
        assert theirs.recv() == "hello"

A server either has an endpoint, or a script (a function of the facade that blocks; only where the backend
runs functions), or neither: then it keeps its sessions for the test to take with `Served.accept`.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Self

from support.eventually import PATIENCE, eventually
from wscore import Closed, Config, Fragment, Handler, PreparedMessage, Request, State, Stats

LOOK_EVERY: Final = 0.02  # seconds between looks at whether a session that a server keeps has ended

Part = str | bytes | bytearray | memoryview


class Facade(ABC):
    """One session, of whichever backend.

    Attributes:
        native: the backend's own session.
    """

    def __init__(self, native: Any) -> None:
        self.native = native

    @abstractmethod
    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        """Send a message, and wait for room if the backend's own way of sending does."""

    @abstractmethod
    def send_fragments(self, parts: Iterable[Part]) -> None:
        """Send one message in parts."""

    @abstractmethod
    def recv(self, timeout: float = PATIENCE) -> str | bytes:
        """Receive a message; raises TimeoutError or ConnectionClosed."""

    @abstractmethod
    def recv_fragment(self, timeout: float = PATIENCE) -> Fragment:
        """Receive a part of a message."""

    @abstractmethod
    def rest(self) -> list[str | bytes]:
        """Receive every message until the end; raises ConnectionClosed when that was not clean."""

    @abstractmethod
    def ping(self, payload: bytes | None = None, timeout: float = PATIENCE) -> float:
        """Ping, and wait for the pong."""

    @abstractmethod
    def flush(self) -> None:
        """Write what batch mode holds back."""

    @abstractmethod
    def close(self, code: int = 1000, reason: str = "", *, wait: bool = True) -> None:
        """Close, and wait for the end."""

    @abstractmethod
    def abort(self) -> None:
        """End at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    # What every backend's session shows.

    @property
    def state(self) -> State:
        """Where the connection stands."""
        state: State = self.native.state
        return state

    @property
    def closed(self) -> Closed | None:
        """How it ended."""
        closed: Closed | None = self.native.closed
        return closed

    @property
    def end(self) -> Closed:
        """How it ended, which it must have."""
        assert self.closed is not None
        return self.closed

    @property
    def stats(self) -> Stats:
        """Its counters."""
        stats: Stats = self.native.stats
        return stats

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait for the peer."""
        amount: int = self.native.buffered_amount
        return amount


class Served(ABC):
    """A running server.

    Attributes:
        port: where.
        url: where, for a client.
    """

    port: int
    url: str

    @abstractmethod
    def accept(self, client: Any = None) -> Facade:
        """Take a session that was kept: the newest, or the one whose client this is.

        Args:
            client: a facade, or a port; None: whichever comes next.
        """

    @property
    @abstractmethod
    def sessions(self) -> list[Any]:
        """The backend's own sessions that are open now."""

    @abstractmethod
    def shutdown(self, code: int = 1001, reason: str = "", *, timeout: float = 10.0) -> None:
        """Stop, and wait until that is done."""


Script = Callable[[Facade], object]
ProcessRequest = Callable[[Request], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a server is to do.

    Attributes:
        endpoint: serves every connection.
        script: or this, in a thread for each.
        options: more keyword arguments for the backend's ``serve``.
    """

    endpoint: Handler | None = None
    script: Script | None = None
    config: Config | None = None
    ssl: SSLContext | None = None
    subprotocols: Sequence[str] = ()
    process_request: ProcessRequest | None = None

    @property
    def keywords(self) -> dict[str, Any]:
        """The same for a backend's ``serve``, apart from the handler."""
        return {
            "config": self.config,
            "ssl": self.ssl,
            "subprotocols": self.subprotocols,
            "process_request": self.process_request,
        }


class Driver(ABC):
    """A backend in the hands of a test.

    Attributes:
        name: of the backend.
        logger: what the names of its loggers begin with.
        runs_functions: a handler may be a function of the session.
        parts_at_once: the parts of a message are all taken before the first of them leaves.
        complete: it has everything that a backend should have; an example need not.
    """

    name: str
    logger = "wscore"
    runs_functions = True
    parts_at_once = False
    complete = True

    @abstractmethod
    def start(self) -> None:
        """Start what the backend needs to run in; once for all tests."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it."""

    @abstractmethod
    def serve(self, serving: Serving) -> AbstractContextManager[Served]:
        """Run a server on 127.0.0.1."""

    @abstractmethod
    def connect(self, url: str, endpoint: Handler | None = None, **keywords: Any) -> Facade:
        """Connect; endpoint and keywords are the backend's own."""

    @abstractmethod
    def left_behind(self) -> list[str]:
        """Return what of this backend still runs although no connection and no server is open."""

    def in_a_thread(self, decide: ProcessRequest) -> ProcessRequest:
        """Return a ``process_request`` that may block, as far as this backend has such."""
        return decide

    def complaints(self) -> list[str]:
        """Return, and forget, what went wrong where nobody waited for it."""
        return []


class Kept:
    """Sessions that a server has accepted and nobody has taken yet.

    Attributes:
        leaving: the server is being shut down.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._news = threading.Condition()
        self._waiting: dict[int, Facade] = {}  # by the port of the client, the oldest first
        self._all: list[Facade] = []

    def put(self, session: Facade) -> None:
        """Add one; from any thread."""
        with self._news:
            self._all.append(session)
            self._waiting[session.native.remote_address[1]] = session
            self._news.notify_all()

    def take(self, client: Any) -> Facade:
        """Wait for the one that belongs to client, or for the next."""
        port = client if isinstance(client, int | None) else client.native.local_address[1]
        with self._news:
            found = self._news.wait_for(
                lambda: self._waiting if port is None else port in self._waiting, PATIENCE
            )
            assert found, "no such session has been accepted"
            return self._waiting.pop(next(iter(self._waiting)) if port is None else port)

    def abort_all(self) -> None:
        """End what is still open."""
        for session in self._all:
            session.abort()


def url_of(port: int, ssl: SSLContext | None) -> str:
    """Return the address of a server on 127.0.0.1."""
    return f"{'ws' if ssl is None else 'wss'}://127.0.0.1:{port}/"


def wait_closed(session: Facade) -> Closed:
    """Wait until it is settled how a session has ended."""
    return eventually(lambda: session.closed) or session.end


__all__ = [
    "LOOK_EVERY",
    "Driver",
    "Facade",
    "Kept",
    "Part",
    "ProcessRequest",
    "Script",
    "Served",
    "Serving",
    "url_of",
    "wait_closed",
]
