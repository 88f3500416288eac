"""An endpoint that writes down which hooks are called, with what, for tests of any backend."""

import queue
import threading
from typing import Any

from wscore import Endpoint
from wscore._typing import override

from .eventually import PATIENCE


class Recorder(Endpoint):
    """Keeps every call of a hook; `replies` makes it an echo.

    Attributes:
        calls: name of the hook and its arguments, the session apart.
        session: of the newest connection.
        threads: which threads the hooks ran in.
    """

    def __init__(self, *, replies: bool = False) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.session: Any = None
        self.threads: set[threading.Thread] = set()
        self._replies = replies
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()

    def _note(self, name: str, *arguments: object) -> None:
        self.threads.add(threading.current_thread())
        self.calls.append((name, *arguments))
        self._news.put(name)

    def wait_for(self, name: str) -> None:
        """Wait until the hook has been called, since what was waited for last."""
        while self._news.get(timeout=PATIENCE) != name:
            pass

    @property
    def names(self) -> list[object]:
        """The names of the hooks that were called, in order."""
        return [call[0] for call in self.calls]

    @override
    def on_connect(self, session: Any) -> None:
        self.session = session
        self._note("connect")

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self._note("message", message)
        if self._replies:
            session.send(message)

    @override
    def on_error(self, session: Any, error: Exception) -> None:
        self._note("error", error)

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self._note("close", code, reason)
