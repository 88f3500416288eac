"""The selectors backend as a `Driver`: a reactor that runs in a thread, and endpoints that feed queues.

Its sessions do not wait, so what waiting means is made here of what it offers for that: a suspended session
whose messages are let out one by one, ``on_writable``, and the properties that tell when something is over.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, TypeVar, final

import wscore_selectors
from support.eventually import PATIENCE, eventually
from wscore import Config, ConnectionClosed, Endpoint, Fragment, Handler, PreparedMessage, State
from wscore._typing import override

from .facade import Driver, Facade, Kept, Part, Served, Serving, url_of

T = TypeVar("T")

_OWN: Final = 1  # descriptors that a reactor watches when it has nothing to do


@final
class ReactorThread:
    """A reactor in a thread of its own."""

    def __init__(self) -> None:
        self.reactor = wscore_selectors.Reactor()
        self._thread = threading.Thread(target=self.reactor.run, name="conformance-reactor")

    def start(self) -> None:
        """Let it turn."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self.reactor.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.reactor.close()

    def call(self, function: Callable[[], T]) -> T:
        """Call function in the reactor's thread, from any thread, and return its result."""
        if threading.current_thread() is self._thread:
            return function()
        outcome: Future[T] = Future()

        def called() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(error)

        self.reactor.call_soon_threadsafe(called)
        return outcome.result(PATIENCE)


class Inbox(Endpoint):
    """Keeps messages until they are asked for; meanwhile the session is suspended.

    Attributes:
        arrived: messages that were let out, and None for the end.
        room: set unless there is too much to write.
    """

    def __init__(self, on_open: Callable[["Inbox"], object]) -> None:
        self.arrived: queue.SimpleQueue[str | bytes | Fragment | None] = queue.SimpleQueue()
        self.room = threading.Event()
        self.native: Any = None
        self._on_open = on_open

    def _keep(self, message: str | bytes | Fragment | None) -> None:
        self.arrived.put(message)
        self.native.suspend()

    @override
    def on_connect(self, session: Any) -> None:
        self.native = session
        session.suspend()
        self._on_open(self)

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self._keep(message)

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self._keep(None)
        self.room.set()

    def on_writable(self, session: Any) -> None:
        self.room.set()


class StreamingInbox(Inbox):
    """The same for messages in parts."""

    def on_fragment(self, session: Any, data: str | bytes, final: bool) -> None:
        self._keep(Fragment(data, final))


def inbox_for(config: Config | None, on_open: Callable[[Inbox], object]) -> Inbox:
    """Return an inbox of the kind that config asks for."""
    return (StreamingInbox if config is not None and config.stream else Inbox)(on_open)


@final
class SelectorsFacade(Facade):
    """A session of the selectors backend.

    Args:
        inbox: None: an endpoint of the test receives.
    """

    def __init__(
        self, native: Any, thread: ReactorThread, inbox: Inbox | None, config: Config | None
    ) -> None:
        super().__init__(native)
        self._thread = thread
        self._inbox = inbox
        self._high = (config or Config()).limits.outbox_high

    @override
    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        self._send(lambda: self.native.send(message, compress=compress))

    @override
    def send_fragments(self, parts: Iterable[Part]) -> None:
        self._send(lambda: self.native.send_fragments(parts))

    def _send(self, send: Callable[[], object]) -> None:
        """Send, and wait for room as an application would that looks at ``buffered_amount``."""

        def send_and_look() -> threading.Event | None:
            send()
            if self._inbox is None or self.native.buffered_amount <= self._high:
                return None
            self._inbox.room.clear()
            return self._inbox.room

        room = self._thread.call(send_and_look)
        if room is not None:
            eventually(lambda: room.is_set() or self.closed is not None)

    @override
    def recv(self, timeout: float = PATIENCE) -> str | bytes:
        message = self._next(timeout)
        assert not isinstance(message, Fragment)
        return message

    @override
    def recv_fragment(self, timeout: float = PATIENCE) -> Fragment:
        message = self._next(timeout)
        assert isinstance(message, Fragment)
        return message

    def _next(self, timeout: float) -> str | bytes | Fragment:
        """Let one message out and wait for it."""
        assert self._inbox is not None
        self._thread.call(self.native.resume)
        try:
            message = self._inbox.arrived.get(timeout=timeout)
        except queue.Empty:
            self._thread.call(self.native.suspend)
            if self._inbox.arrived.empty():
                raise TimeoutError from None
            message = self._inbox.arrived.get()
        if message is None:
            self._inbox.arrived.put(None)
            raise ConnectionClosed(self.end)
        return message

    @override
    def rest(self) -> list[str | bytes]:
        messages = []
        while True:
            try:
                messages.append(self.recv())
            except ConnectionClosed as end:
                if end.closed.clean:
                    return messages
                raise

    @override
    def ping(self, payload: bytes | None = None, timeout: float = PATIENCE) -> float:
        ping = self._thread.call(lambda: self.native.ping(payload))
        try:
            eventually(lambda: ping.latency is not None or self.closed is not None, timeout)
        except AssertionError:
            raise TimeoutError from None
        if ping.latency is None:
            raise ConnectionClosed(self.end)
        seconds: float = ping.latency
        return seconds

    @override
    def flush(self) -> None:
        self._thread.call(self.native.flush)

    @override
    def close(self, code: int = 1000, reason: str = "", *, wait: bool = True) -> None:
        self._thread.call(lambda: self.native.close(code, reason, discard=wait))
        if wait:
            eventually(lambda: self.state is State.CLOSED)

    @override
    def abort(self) -> None:
        self._thread.call(self.native.abort)
        if self._inbox is not None:
            self._thread.call(self.native.resume)  # the last hook is waiting


@final
class SelectorsServed(Served):
    """A running server of the selectors backend."""

    def __init__(
        self, native: wscore_selectors.Server, serving: Serving, kept: Kept, thread: ReactorThread
    ) -> None:
        self._native = native
        self._kept = kept
        self._thread = thread
        self.port = native.port
        self.url = url_of(native.port, serving.ssl)

    @override
    def accept(self, client: Any = None) -> Facade:
        return self._kept.take(client)

    @property
    @override
    def sessions(self) -> list[Any]:
        return self._thread.call(lambda: list(self._native.sessions))

    @override
    def shutdown(self, code: int = 1001, reason: str = "", *, timeout: float = 10.0) -> None:
        self._thread.call(lambda: self._native.shutdown(code, reason, timeout=timeout))
        eventually(lambda: self._native.closed)


@final
class SelectorsDriver(Driver):
    """wscore_selectors."""

    name = "selectors"
    runs_functions = False
    parts_at_once = True

    def __init__(self) -> None:
        self._thread = ReactorThread()

    @override
    def start(self) -> None:
        self._thread.start()

    @override
    def stop(self) -> None:
        self._thread.stop()

    @override
    @contextmanager
    def serve(self, serving: Serving) -> Iterator[Served]:
        assert serving.script is None
        kept = Kept()

        def keep(inbox: Inbox) -> None:
            kept.put(SelectorsFacade(inbox.native, self._thread, inbox, serving.config))

        handler = serving.endpoint
        if handler is None:
            handler = Endpoint.factory(lambda: inbox_for(serving.config, keep))
        reactor = self._thread.reactor
        native = self._thread.call(lambda: reactor.serve(handler, "127.0.0.1", **serving.keywords))
        served = SelectorsServed(native, serving, kept, self._thread)
        try:
            yield served
        finally:
            kept.abort_all()
            served.shutdown()

    @override
    def connect(self, url: str, endpoint: Handler | None = None, **keywords: Any) -> Facade:
        config = keywords.get("config")
        inbox = inbox_for(config, lambda _: None) if endpoint is None else None
        handler = endpoint or inbox
        assert handler is not None
        failures: list[Exception] = []
        dialing = self._thread.call(
            lambda: self._thread.reactor.connect(url, handler, on_failure=failures.append, **keywords)
        )
        eventually(lambda: dialing.session is not None or failures)
        if failures:
            raise failures[0]
        return SelectorsFacade(dialing.session, self._thread, inbox, config)

    @override
    def left_behind(self) -> list[str]:
        watched = self._thread.call(self._thread.reactor.wants)
        threads = [thread.name for thread in threading.enumerate() if thread.name == "wscore-worker"]
        return threads + [f"descriptor {number}" for number in list(watched)[_OWN:]]
