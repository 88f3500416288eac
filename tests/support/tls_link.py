"""Two TLS filters and a wire between them that cuts what it carries into any pieces.

`Link.settle` carries bytes both ways until neither side has anything to say. A side that fails does not stop
the wire: its alert still travels, and its filter's `error` tells what happened, as in a real program.
"""

import random
import ssl
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import final

from wscore_tls import TLSFilter

from .certificates import Certificates

Split = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterable[bytes]:
    """One piece."""
    return [data]


def single_bytes(data: bytes) -> Iterable[bytes]:
    """Byte by byte."""
    return [data[i : i + 1] for i in range(len(data))]


def random_pieces(data: bytes) -> Iterable[bytes]:
    """Cut at random places, the same ones for the same length."""
    source = random.Random(len(data))
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(1 + len(data) // 50))
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


SPLITS: tuple[Split, ...] = (whole, single_bytes, random_pieces)


@final
class Link:
    """A client, a server, and the plaintext that each has received."""

    def __init__(self, client: TLSFilter, server: TLSFilter, split: Split = whole) -> None:
        self.client = client
        self.server = server
        self.split = split
        self.client_received = bytearray()
        self.server_received = bytearray()

    def to_server(self) -> None:
        """Carry what the client has to send."""
        self._carry(self.client.data_to_send(), self.server, self.server_received)

    def to_client(self) -> None:
        """Carry what the server has to send."""
        self._carry(self.server.data_to_send(), self.client, self.client_received)

    def settle(self) -> None:
        """Carry both ways until there is silence."""
        while self.client.has_data_to_send or self.server.has_data_to_send:
            self.to_server()
            self.to_client()

    def _carry(self, data: bytes, receiver: TLSFilter, received: bytearray) -> None:
        for piece in self.split(data):
            try:
                for plaintext in receiver.receive_data(piece):
                    received += plaintext
            except ssl.SSLError:
                assert receiver.error is not None


def make_link(
    certificates: Certificates,
    *,
    version: ssl.TLSVersion | None = None,
    split: Split = whole,
    established: bool = True,
) -> Link:
    """Link a client and a server that accept each other; established: with the handshake done."""
    client = TLSFilter(
        certificates.client_context(version=version), server_side=False, server_hostname="localhost"
    )
    server = TLSFilter(certificates.server_context(version=version), server_side=True)
    link = Link(client, server, split)
    if established:
        link.settle()
        assert client.established
        assert server.established
    return link
