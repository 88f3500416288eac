"""Proxies, apart from waiting for them: the talk with one that speaks HTTP, and what python-socks needs.

A `Tunnel` is bytes in, bytes out, with TLS or without::

    tunnel = Tunnel(plan, proxy, config)
    while not tunnel.is_open:
        send_all(tunnel.data_to_send())
        tunnel.receive_data(receive())          # b"" at the end of the stream
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final, final

from wscore import Config, LocalProtocolError
from wscore.policy import ConnectTunnel, Plan, Proxy
from wscore_tls import TLSFilter, client_context

TUNNEL_READ: Final = 4096  # bytes at a time; what a proxy answers is short


@final
class Tunnel:
    """A way through an HTTP proxy that is asked for.

    Args:
        plan: where to.
        proxy: through which.
        config: its limits count for the answer.

    Attributes:
        tls: what is spoken with the proxy itself, if any.
        is_open: from now on the bytes are the server's.
    """

    def __init__(self, plan: Plan, proxy: Proxy, config: Config) -> None:
        self.tls: TLSFilter | None = None
        self.is_open = False
        self._tunnel = ConnectTunnel(plan.address, proxy, limits=config.limits, agent=config.agent)
        self._request = self._tunnel.request
        if proxy.secure:
            self.tls = TLSFilter(client_context(), server_side=False, server_hostname=proxy.host)
            self.tls.send(self._request)

    def data_to_send(self) -> bytes:
        """Take what is to be sent now; there may be nothing."""
        if self.tls is not None:
            return self.tls.data_to_send()
        request, self._request = self._request, b""
        return request

    def receive_data(self, data: bytes) -> None:
        """Take what the proxy has sent; b"": the end of the stream.

        Raises:
            ProxyRefused, RemoteProtocolError, ConnectionLost: there will be no tunnel.
            ssl.SSLError: TLS with the proxy failed.
        """
        if not data:
            self._tunnel.receive_eof()
        for piece in [data] if self.tls is None else self.tls.receive_data(data):
            self.is_open = self._tunnel.receive_data(piece)


def socks_proxy(module: str, proxy: Proxy) -> Any:
    """Make what python-socks speaks to a SOCKS proxy with.

    Args:
        module: of python-socks: for one way to wait.
        proxy: which.

    Raises:
        LocalProtocolError: python-socks is not installed.
    """
    try:
        kinds, maker = import_module("python_socks").ProxyType, import_module(module).Proxy
    except ImportError:
        raise LocalProtocolError("a SOCKS proxy needs python-socks: install python-wscore[socks]") from None
    kind = kinds.SOCKS4 if proxy.scheme.startswith("socks4") else kinds.SOCKS5
    return maker(kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=proxy.resolves_names)


@contextmanager
def socks_errors() -> Iterator[None]:
    """Raise what python-socks raises as the errors that all others raise."""
    package = import_module("python_socks")  # which is only there where it is needed
    try:
        yield
    except package.ProxyTimeoutError:
        raise TimeoutError("the SOCKS proxy took too long") from None
    except package.ProxyError as error:
        raise ConnectionError(f"the SOCKS proxy opened no connection: {error}") from error
