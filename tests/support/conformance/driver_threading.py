"""The threaded backend as a `Driver`: it blocks by itself."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, final

import wscore_threading
from support.eventually import PATIENCE
from wscore import Fragment, Handler, PreparedMessage
from wscore._typing import override
from wscore_threading import _housekeeper

from .facade import LOOK_EVERY, Driver, Facade, Kept, Part, Served, Serving, url_of

_OFTEN: Final = 0.05  # seconds


@final
class ThreadingFacade(Facade):
    """A session of the threaded backend."""

    @override
    def send(self, message: Part | PreparedMessage, *, compress: bool | None = None) -> None:
        self.native.send(message, compress=compress)

    @override
    def send_fragments(self, parts: Iterable[Part]) -> None:
        self.native.send_fragments(parts)

    @override
    def recv(self, timeout: float = PATIENCE) -> str | bytes:
        message: str | bytes = self.native.recv(timeout)
        return message

    @override
    def recv_fragment(self, timeout: float = PATIENCE) -> Fragment:
        fragment: Fragment = self.native.recv_fragment(timeout)
        return fragment

    @override
    def rest(self) -> list[str | bytes]:
        return list(self.native)

    @override
    def ping(self, payload: bytes | None = None, timeout: float = PATIENCE) -> float:
        seconds: float = self.native.ping(payload, timeout)
        return seconds

    @override
    def flush(self) -> None:
        self.native.flush()

    @override
    def close(self, code: int = 1000, reason: str = "", *, wait: bool = True) -> None:
        self.native.close(code, reason, wait=wait)

    @override
    def abort(self) -> None:
        self.native.abort()


@final
class ThreadingServed(Served):
    """A running server of the threaded backend."""

    def __init__(self, native: wscore_threading.Server, serving: Serving, kept: Kept) -> None:
        self._native = native
        self._kept = kept
        self.port = native.port
        self.url = url_of(native.port, serving.ssl)

    @override
    def accept(self, client: Any = None) -> Facade:
        return self._kept.take(client)

    @property
    @override
    def sessions(self) -> list[Any]:
        return list(self._native.sessions)

    @override
    def shutdown(self, code: int = 1001, reason: str = "", *, timeout: float = 10.0) -> None:
        self._native.shutdown(code, reason, timeout=timeout)


@final
class ThreadingDriver(Driver):
    """wscore_threading."""

    name = "threading"

    @override
    def start(self) -> None:
        """Let the housekeeper look more often than it does in earnest: nothing depends on it but time."""
        self._tick = _housekeeper._TICK
        _housekeeper._TICK = _OFTEN

    @override
    def stop(self) -> None:
        _housekeeper._TICK = self._tick

    @override
    @contextmanager
    def serve(self, serving: Serving) -> Iterator[Served]:
        kept = Kept()
        done = threading.Event()

        def keep(session: wscore_threading.Session) -> None:
            kept.put(ThreadingFacade(session))
            while session.closed is None and not done.wait(LOOK_EVERY):
                pass

        handler: Handler = serving.endpoint or keep
        if serving.script is not None:
            script = serving.script

            def handler(session: wscore_threading.Session) -> None:
                script(ThreadingFacade(session))

        with wscore_threading.serve(handler, "127.0.0.1", **serving.keywords) as native:
            try:
                yield ThreadingServed(native, serving, kept)
            finally:
                kept.abort_all()
                done.set()

    @override
    def connect(self, url: str, endpoint: Handler | None = None, **keywords: Any) -> Facade:
        return ThreadingFacade(wscore_threading.connect(url, endpoint, **keywords))

    @override
    def left_behind(self) -> list[str]:
        names = [thread.name for thread in threading.enumerate()]
        return [name for name in names if name.startswith("wscore") and name != "wscore-housekeeper"]
