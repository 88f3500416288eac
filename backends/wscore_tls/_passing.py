"""What a backend does with a filter for each read and each write: everything there is, in one call."""

import ssl
from collections.abc import Sequence
from typing import Protocol

from ._filter import TLSFilter
from ._nested import NestedTLS


class Reader(Protocol):
    """What the plaintext is for: a core, as a backend drives it."""

    def receive_data(self, data: bytes, now: float) -> None: ...
    def receive_eof(self, now: float) -> None: ...


def pass_input(tls: TLSFilter | NestedTLS, data: bytes, reader: Reader, now: float) -> Exception | None:
    """Decrypt what came and give it to reader, the end of the stream, too, as soon as it is reached.

    Args:
        tls: the filter; what it has to say afterwards waits in its ``data_to_send``.
        data: ciphertext; b"": the transport brings nothing more.
        reader: gets the plaintext, and the end also where TLS fails.
        now: seconds of the backend's clock, for reader.

    Returns:
        What made TLS fail, at this call or before; None: nothing has.
    """
    try:
        for piece in tls.receive_data(data) if data else tls.receive_eof():
            reader.receive_data(piece, now)
        failed = tls.error
    except ssl.SSLError as error:
        failed = error
    if tls.eof or failed is not None:
        reader.receive_eof(now)
    return failed


def pass_output(tls: TLSFilter | NestedTLS, pieces: Sequence[bytes]) -> list[bytes]:
    """Encrypt pieces; return what is to be written, behind what TLS itself had to say."""
    if pieces:
        tls.send(b"".join(pieces))
    encrypted = tls.data_to_send()
    return [encrypted] if encrypted else []
