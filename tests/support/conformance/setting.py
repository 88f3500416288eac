"""A test's setting: which backend, which side of the connection is ours, with or without TLS.

The other side is a bare peer that writes frames by hand, so that nothing a test expects comes from the code
under test. `Setting.open` gives both ends of an open connection; whichever side is ours, the test reads the
same::

    with setting.open() as (session, peer):
        peer.send_frame(TEXT, b"hello")
        assert session.recv() == "hello"
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast, final

from support.certificates import Certificates, make_certificates
from support.eventually import PATIENCE, background
from support.raw import RawListener, RawPeer, answer
from support.wire import REQUEST
from wscore import Config, Handler, Role

from .facade import Driver, Facade, Served, Serving
from .secure import SecureSocket


@final
class Contexts:
    """The TLS contexts of all tests, made once: making one costs more than most tests."""

    def __init__(self) -> None:
        self.certificates: Certificates = make_certificates()
        self.server: ssl.SSLContext = self.certificates.server_context()
        self.client: ssl.SSLContext = self.certificates.client_context()


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """See the module.

    Attributes:
        driver: the backend.
        role: ours.
        contexts: for TLS; None: without TLS.
    """

    driver: Driver
    role: Role
    contexts: Contexts | None

    @property
    def client_context(self) -> ssl.SSLContext | None:
        """For a client of ours."""
        return None if self.contexts is None else self.contexts.client

    # Whichever side is ours.

    @property
    def masks(self) -> bool:
        """Whether the peer must mask what it sends."""
        return self.role is Role.SERVER

    @contextmanager
    def open(self, config: Config | None = None, **options: Any) -> Iterator[tuple[Facade, RawPeer]]:
        """Open a connection; give our session and the peer.

        Args:
            config: ours.
            options: receive_buffer: how little the kernel may hold for the peer;
                early: what the peer sends together with its half of the handshake.
        """
        if self.role is Role.SERVER:
            with self.serve(config=config) as served, self.dial(served.port, **options) as peer:
                yield served.accept(port_of(peer)), peer
        else:
            with self.accept_client(config=config, **options) as (session, peer):
                yield session, peer

    @contextmanager
    def run(self, endpoint: Handler, config: Config | None = None, **options: Any) -> Iterator[RawPeer]:
        """Open a connection whose our side is served by an endpoint; give the peer."""
        if self.role is Role.SERVER:
            with (
                self.serve(endpoint=endpoint, config=config) as served,
                self.dial(served.port, **options) as peer,
            ):
                yield peer
        else:
            with self.accept_client(endpoint=endpoint, config=config, **options) as (_, peer):
                yield peer

    @contextmanager
    def pair(
        self, *, client: Config | None = None, server: Config | None = None, **keywords: Any
    ) -> Iterator[tuple[Facade, Facade]]:
        """Connect two sessions of the same backend; give the client's and the server's."""
        with (
            self.serve(config=server, **keywords) as served,
            self.connect(served.url, config=client, **keywords) as ours,
        ):
            yield ours, served.accept(ours)

    # We serve.

    @contextmanager
    def serve(self, **keywords: Any) -> Iterator[Served]:
        """Run a server of ours; the arguments are those of `Serving`."""
        serving = Serving(**keywords)
        if self.contexts is not None:
            serving = replace(serving, ssl=self.contexts.server)
        with self.driver.serve(serving) as served:
            yield served

    @contextmanager
    def dial_bare(self, port: int, *, receive_buffer: int | None = None) -> Iterator[RawPeer]:
        """Connect a peer to a server of ours, as far as TLS."""
        bare = socket.socket(socket.AF_INET)
        try:
            if receive_buffer is not None:
                bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            bare.settimeout(PATIENCE)
            bare.connect(("127.0.0.1", port))
            yield self._secured(bare, masks=True)
        finally:
            bare.close()

    @contextmanager
    def dial(self, port: int, *, receive_buffer: int | None = None, early: bytes = b"") -> Iterator[RawPeer]:
        """Connect a peer to a server of ours, and do the opening handshake."""
        with self.dial_bare(port, receive_buffer=receive_buffer) as peer:
            peer.upgrade(REQUEST + early)
            yield peer

    # We connect.

    def connect(self, url: str, endpoint: Handler | None = None, **keywords: Any) -> Facade:
        """Connect to any server that trusts, or is trusted by, the contexts of this setting."""
        return self.driver.connect(url, endpoint, ssl=self.client_context, **keywords)

    def url(self, listener: RawListener) -> str:
        """Return the address of a bare server."""
        return listener.url if self.contexts is None else listener.url.replace("ws:", "wss:")

    @contextmanager
    def accept_client(
        self,
        *,
        endpoint: Handler | None = None,
        config: Config | None = None,
        receive_buffer: int | None = None,
        early: bytes = b"",
    ) -> Iterator[tuple[Facade, RawPeer]]:
        """Let a client of ours connect to a bare server."""
        with ExitStack() as stack:
            listener = stack.enter_context(RawListener(receive_buffer=receive_buffer))
            opening = background(lambda: self.connect(self.url(listener), endpoint, config=config))
            peer = self.secured(listener.accept())
            peer.send(answer(peer.read_head()) + early)
            yield stack.enter_context(opening.result()), peer

    # TLS.

    def secured(self, peer: RawPeer) -> RawPeer:
        """Do the TLS handshake on an accepted connection, if this setting has TLS."""
        return self._secured(peer.socket, masks=False) if self.contexts is not None else peer

    def _secured(self, bare: socket.socket, *, masks: bool) -> RawPeer:
        if self.contexts is None:
            return RawPeer(bare, masks=masks)
        context = self.contexts.client if masks else self.contexts.server
        name = "127.0.0.1" if masks else None
        secure = SecureSocket(bare, context, server_side=not masks, name=name)
        return RawPeer(cast(socket.socket, secure), masks=masks)


def port_of(peer: RawPeer) -> int:
    """Return the port that a peer of a server of ours has."""
    bare: Any = peer.socket
    port: int = getattr(bare, "bare", bare).getsockname()[1]
    return port
