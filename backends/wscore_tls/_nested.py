"""TLS within TLS: to a server through a proxy that is itself spoken to over TLS.

The outer filter belongs to the proxy, the inner one to the server. From outside both together look like one.
What the inner filter has to say is the outer one's plaintext. So the end goes from inside to outside: the
outer close_notify may leave only behind the inner one, which itself waits for the inner handshake. And the
end of the outer stream, clean or not, is where the inner one is cut.
"""

import ssl
from typing import final

from ._context import client_context
from ._filter import TLSFilter


@final
class NestedTLS:
    """Two filters, one around the other; what a backend uses of `TLSFilter`.

    Args:
        outer: established, with the proxy.
        inner: with the server; None: the server speaks no TLS.
    """

    __slots__ = ("_closing", "_inner", "_outer", "_outer_closed")

    def __init__(self, outer: TLSFilter, inner: TLSFilter | None) -> None:
        self._outer = outer
        self._inner = inner
        self._closing = False
        self._outer_closed = False

    def receive_data(self, data: bytes) -> list[bytes]:
        """As `TLSFilter.receive_data`."""
        pieces = self._outer.receive_data(data)
        if self._inner is None:
            return pieces
        try:
            # In one go: then a bad record does not cost what came before it.
            plaintext = self._inner.receive_data(b"".join(pieces))
            if self._outer.eof and self._inner.error is None:
                self._inner.receive_eof()
        finally:
            self._pass_on()
        return plaintext

    def receive_eof(self) -> list[bytes]:
        """As `TLSFilter.receive_eof`."""
        self._outer.receive_eof()
        if self._inner is not None:
            self._inner.receive_eof()
            self._pass_on()
        return []

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """As `TLSFilter.send`."""
        (self._inner or self._outer).send(data)

    def close(self) -> None:
        """As `TLSFilter.close`: first the inner one."""
        self._closing = True
        if self._inner is not None:
            self._inner.close()
        self._pass_on()

    def data_to_send(self) -> bytes:
        """As `TLSFilter.data_to_send`."""
        self._pass_on()
        return self._outer.data_to_send()

    @property
    def has_data_to_send(self) -> bool:
        """As `TLSFilter.has_data_to_send`."""
        return self._outer.has_data_to_send or (self._inner is not None and self._inner.has_data_to_send)

    @property
    def eof(self) -> bool:
        """As `TLSFilter.eof`."""
        return self._outer.eof or (self._inner is not None and self._inner.eof)

    @property
    def error(self) -> ssl.SSLError | None:
        """As `TLSFilter.error`, of either."""
        return self._outer.error or (None if self._inner is None else self._inner.error)

    def _pass_on(self) -> None:
        """Wrap what the inner filter wants to send, and close the outer one when that was all."""
        inner = self._inner
        data = b"" if inner is None else inner.data_to_send()
        if data and not self._outer_closed:  # behind the outer close_notify nobody would hear it
            self._outer.send(data)
        if self._closing and not self._outer_closed and (inner is None or inner.established or inner.eof):
            self._outer_closed = True
            self._outer.close()


def client_filter(
    host: str | None, context: ssl.SSLContext | None, outer: TLSFilter | None
) -> TLSFilter | NestedTLS | None:
    """Return what stands between a client and its transport.

    Args:
        host: whom to ask for and whose certificate to expect; None: no TLS with the server.
        context: None: `client_context`.
        outer: TLS with a proxy, through which everything goes; None: there is none.
    """
    inner = None
    if host is not None:
        inner = TLSFilter(context or client_context(), server_side=False, server_hostname=host)
    return inner if outer is None else NestedTLS(outer, inner)
