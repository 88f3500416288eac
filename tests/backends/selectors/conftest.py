"""A reactor that the test itself drives, turn by turn: one thread plays both sides.

So nothing here has to be waited for in another thread, and what happened "between two turns" is well defined.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic
from typing import Any, final

import pytest

from support.certificates import Certificates, make_certificates
from support.eventually import PATIENCE
from support.raw import RawPeer, dial
from support.recorder import Recorder
from support.wire import REQUEST
from wscore import Config, Handler
from wscore_selectors import Reactor, Session


@final
class Stage:
    """A reactor, and what a test opens around it; leaving closes everything.

    Attributes:
        reactor: to be driven.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.reactor = stack.enter_context(Reactor())

    def drive(self, until: Callable[[], object]) -> None:
        """Take turns until something holds; fail when it never does."""
        deadline = monotonic() + PATIENCE
        while not until():
            assert monotonic() < deadline, "it never came to pass"
            self.reactor.run_once(0.05)

    def turns(self, number: int) -> None:
        """Take that many turns, without waiting."""
        for _ in range(number):
            self.reactor.run_once(0)

    def peer_of(
        self, recorder: Recorder, config: Config | None = None, *, receive_buffer: int | None = None
    ) -> tuple[RawPeer, Session]:
        """Serve recorder to one bare client; return both ends."""
        server = self.reactor.serve(recorder, "127.0.0.1", config=config)
        peer = self._stack.enter_context(dial(server.port, receive_buffer=receive_buffer))
        peer.send(REQUEST)
        self.drive(lambda: recorder.session is not None)
        peer.read_head()
        session: Session = recorder.session
        return peer, session

    def dial(self, port: int) -> RawPeer:
        """Return a bare client, which has said nothing yet."""
        return self._stack.enter_context(dial(port))

    def pair(
        self, handler: Handler, *, config: Config | None = None, **options: Any
    ) -> tuple[Session, Recorder]:
        """Serve handler to a client of the same reactor; return the client's session and its endpoint."""
        server = self.reactor.serve(handler, "127.0.0.1", config=config, ssl=options.pop("server_ssl", None))
        client = Recorder()
        scheme = "wss" if "ssl" in options else "ws"
        self.reactor.connect(f"{scheme}://127.0.0.1:{server.port}", client, config=config, **options)
        self.drive(lambda: client.session is not None)
        session: Session = client.session
        return session, client


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A reactor of the platform's best kind."""
    with ExitStack() as stack:
        yield Stage(stack)


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()
