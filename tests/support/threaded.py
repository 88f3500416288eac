"""Short ways to start what most tests of the threaded backend need: a server, a client, a pair of both."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import wscore_threading
from wscore import Config
from wscore_threading import Server, Session

from .eventually import PATIENCE, background
from .raw import RawListener, RawPeer


def url_of(server: Server) -> str:
    """Return the address of a server on 127.0.0.1."""
    return f"ws://127.0.0.1:{server.port}/"


def echo(session: Session) -> None:
    """Send everything back."""
    for message in session:
        session.send(message)


def send_all(session: Session, messages: Iterable[str | bytes]) -> None:
    """Send one message after the other."""
    for message in messages:
        session.send(message)


@contextmanager
def echo_server(config: Config | None = None) -> Iterator[Server]:
    """Run a server that sends everything back."""
    with wscore_threading.serve(echo, "127.0.0.1", config=config) as server:
        yield server


@contextmanager
def pair(
    *,
    client: Config | None = None,
    server: Config | None = None,
    subprotocols: tuple[str, ...] = (),
) -> Iterator[tuple[Session, Session]]:
    """Connect two sessions and hand out both: the client's and the server's, each for the test to drive.

    Afterwards both are aborted if they are still open.
    """
    accepted: queue.SimpleQueue[Session] = queue.SimpleQueue()
    done = threading.Event()

    def keep(session: Session) -> None:
        accepted.put(session)
        done.wait(3 * PATIENCE)

    with wscore_threading.serve(keep, "127.0.0.1", config=server, subprotocols=subprotocols) as running:
        ours = wscore_threading.connect(url_of(running), config=client, subprotocols=subprotocols)
        theirs = accepted.get(timeout=PATIENCE)
        try:
            yield ours, theirs
        finally:
            ours.abort()
            theirs.abort()
            done.set()


@contextmanager
def client_of_raw_server(config: Config | None = None) -> Iterator[tuple[Session, RawPeer]]:
    """Connect a session to a server made of a bare socket; afterwards it is aborted if still open."""
    with RawListener() as listener:
        opening = background(lambda: wscore_threading.connect(listener.url, config=config))
        peer = listener.accept_upgrade()
        session = opening.result()
        try:
            yield session, peer
        finally:
            session.abort()
