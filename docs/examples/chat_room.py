"""A chat room as a stateless endpoint: one object serves every connection."""

import threading

import wscore_threading
from wscore import ConnectionClosed, Endpoint, LocalProtocolError


class Room(Endpoint):
    """Everybody hears what anybody says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # hooks of different sessions run in different threads
        self._members: set[wscore_threading.Session] = set()

    def on_connect(self, session: wscore_threading.Session) -> None:
        """Let the newcomer in."""
        with self._lock:
            self._members.add(session)
        self._tell(f"{len(self._members)} here")

    def on_message(self, session: wscore_threading.Session, message: str | bytes) -> None:
        """Pass it on."""
        self._tell(message)

    def on_close(self, session: wscore_threading.Session, code: int, reason: str) -> None:
        """Forget who left."""
        with self._lock:
            self._members.discard(session)

    def _tell(self, message: str | bytes) -> None:
        with self._lock:
            members = list(self._members)
        for member in members:
            try:
                member.send(message)
            except (ConnectionClosed, LocalProtocolError):
                pass  # it is about to leave


if __name__ == "__main__":
    with wscore_threading.serve(Room(), "127.0.0.1", 8765) as server:
        print(f"the room is at ws://127.0.0.1:{server.port}")
        server.serve_until_signal()
