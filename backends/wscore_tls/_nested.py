"""TLS within TLS: to a server through a proxy that is itself spoken to over TLS.

The outer filter belongs to the proxy, the inner one to the server. From outside both together look like one.
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

    __slots__ = ("_inner", "_outer")

    def __init__(self, outer: TLSFilter, inner: TLSFilter | None) -> None:
        self._outer = outer
        self._inner = inner

    def receive_data(self, data: bytes) -> list[bytes]:
        """As `TLSFilter.receive_data`."""
        pieces = self._outer.receive_data(data)
        if self._inner is None:
            return pieces
        plaintext = [piece for record in pieces for piece in self._inner.receive_data(record)]
        if self._outer.eof:
            plaintext += self._inner.receive_eof()
        return plaintext

    def receive_eof(self) -> list[bytes]:
        """As `TLSFilter.receive_eof`."""
        self._outer.receive_eof()
        return [] if self._inner is None else self._inner.receive_eof()

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """As `TLSFilter.send`."""
        (self._inner or self._outer).send(data)

    def close(self) -> None:
        """As `TLSFilter.close`: first the inner one."""
        if self._inner is not None:
            self._inner.close()
            self._pass_on(self._inner)
        self._outer.close()

    def data_to_send(self) -> bytes:
        """As `TLSFilter.data_to_send`."""
        if self._inner is not None:
            self._pass_on(self._inner)
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

    def _pass_on(self, inner: TLSFilter) -> None:
        """Wrap what the inner filter wants to send."""
        data = inner.data_to_send()
        if data:
            self._outer.send(data)


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
