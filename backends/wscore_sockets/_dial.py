"""From a plan to a connected socket, blocking: names, Happy Eyeballs, proxies; nothing of WebSocket yet.

`wscore.policy` says what to try when; here it is waited for. Every step is bounded by one deadline. Looking
up a name is bounded by the system alone, so that is done in a thread of its own when there is a deadline, and
so is speaking SOCKS.
"""

import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, Final, TypeVar

from wscore import Config, LocalProtocolError
from wscore.policy import ConnectTunnel, DialPlan, Plan, Proxy, interleave
from wscore_tls import TLSFilter, client_context

from ._connecting import begin_connecting, finish_connecting

_READ_SIZE: Final = 4096
_NO_LIMIT: Final = 86_400.0  # seconds, for who takes None for a limit of its own

T = TypeVar("T")
Found = tuple[int, int, int, str, Any]
LocalAddress = tuple[str, int] | None


def dial(
    plan: Plan, config: Config, *, local_address: LocalAddress = None, deadline: float | None
) -> tuple[socket.socket, TLSFilter | None]:
    """Connect to where the plan leads, through its proxy if it has one.

    Args:
        plan: where to.
        config: its limits count for what a proxy answers.
        local_address: host and port to connect from.
        deadline: when to give up, as `time.monotonic` counts; None: never.

    Returns:
        The socket, blocking, and the TLS that is spoken with the proxy itself, if any.

    Raises:
        TimeoutError: the deadline has come.
        OSError: no connection.
        ProxyRefused, RemoteProtocolError, ConnectionLost: the proxy opened no tunnel.
        LocalProtocolError: a SOCKS proxy, and python-socks is not installed.
    """
    proxy = plan.proxy
    if proxy is None:
        return dial_host(plan.address.host, plan.address.port, local_address, deadline), None
    if not proxy.is_http:
        return _dial_socks(plan, proxy, local_address, deadline), None
    sock = dial_host(proxy.host, proxy.port, local_address, deadline)
    try:
        tls = None
        if proxy.secure:
            tls = TLSFilter(client_context(), server_side=False, server_hostname=proxy.host)
        tunnel = ConnectTunnel(plan.address, proxy, limits=config.limits, agent=config.agent)
        _open_tunnel(sock, tls, tunnel, deadline)
    except BaseException:
        sock.close()
        raise
    return sock, tls


def dial_unix(path: str, deadline: float | None) -> socket.socket:
    """Connect to a path."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(_left(deadline))
        sock.connect(path)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


def dial_host(host: str, port: int, local_address: LocalAddress, deadline: float | None) -> socket.socket:
    """Connect to the first address of host that answers (RFC 8305)."""
    places = interleave(look_up(host, port, deadline))
    plan = DialPlan(len(places), now=monotonic())
    with _Attempts(places, plan, local_address) as attempts:
        while plan.winner is None and not plan.over:
            attempts.begin()
            if not plan.over:  # otherwise each has failed at once, and there is nothing to wait for
                attempts.wait(deadline)
        if plan.winner is None:
            raise plan.failure([f"{place[4][0]} port {port}" for place in places])
        return attempts.take(plan.winner)


class _Attempts:
    """The sockets that are connecting; leaving closes those that were not taken."""

    def __init__(self, places: list[Found], plan: DialPlan, local_address: LocalAddress) -> None:
        self._places = places
        self._plan = plan
        self._local_address = local_address
        self._sockets: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()

    def begin(self) -> None:
        """Begin every attempt that is due."""
        plan = self._plan
        while plan.winner is None and (index := plan.next_attempt(monotonic())) is not None:
            try:
                sock = begin_connecting(self._places[index], self._local_address)
            except OSError as error:
                plan.failed(index, error, monotonic())
            else:
                self._sockets[index] = sock
                self._selector.register(sock, selectors.EVENT_WRITE, index)

    def wait(self, deadline: float | None) -> None:
        """Wait until an attempt has ended, or the next one is due."""
        due = self._plan.next_deadline()
        limit = min((moment for moment in (due, deadline) if moment is not None), default=None)
        found = self._selector.select(None if limit is None else max(limit - monotonic(), 0.0))
        for key, _ in found:
            self._selector.unregister(key.fileobj)
            try:
                finish_connecting(self._sockets[key.data])
            except OSError as error:
                self._sockets.pop(key.data).close()
                self._plan.failed(key.data, error, monotonic())
            else:
                self._plan.connected(key.data, monotonic())
        if not found:
            _left(deadline)  # raises when it has come

    def take(self, index: int) -> socket.socket:
        """Return a connected socket, blocking."""
        sock = self._sockets.pop(index)
        sock.setblocking(True)
        return sock

    def __enter__(self) -> "_Attempts":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for sock in self._sockets.values():
            sock.close()


def look_up(host: str, port: int, deadline: float | None) -> list[Found]:
    """Return the addresses of host; a lookup that takes too long is left to itself."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        pass
    return _in_time(
        lambda: list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)), deadline, lambda late: None
    )


def _in_time(call: Callable[[], T], deadline: float | None, discard: Callable[[T], object]) -> T:
    """Call what cannot be bounded itself; what takes too long is left alone, and discard gets its result."""
    if deadline is None:
        return call()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            result = call()
        except Exception as error:
            if outcome.set_running_or_notify_cancel():
                outcome.set_exception(error)
        else:
            if outcome.set_running_or_notify_cancel():
                outcome.set_result(result)
            else:
                discard(result)

    threading.Thread(target=run, name="wscore-lookup", daemon=True).start()
    try:
        return outcome.result(_left(deadline))
    except TimeoutError:
        if outcome.cancel():
            raise TimeoutError("the time to connect is up") from None
        return outcome.result()  # it was not this wait that raised
    finally:
        outcome.cancel()  # an interrupt has ended the wait


def _open_tunnel(
    sock: socket.socket, tls: TLSFilter | None, tunnel: ConnectTunnel, deadline: float | None
) -> None:
    """Ask an HTTP proxy for a tunnel, and wait for its answer."""
    request = tunnel.request
    if tls is not None:
        tls.send(request)
        request = tls.data_to_send()
    is_open = False
    while not is_open:
        sock.settimeout(_left(deadline))
        sock.sendall(request)
        data = sock.recv(_READ_SIZE)
        if not data:
            tunnel.receive_eof()
        pieces, request = [data], b""
        if tls is not None:
            pieces, request = tls.receive_data(data), tls.data_to_send()
        for piece in pieces:
            is_open = tunnel.receive_data(piece)
    sock.settimeout(None)


def _dial_socks(
    plan: Plan, proxy: Proxy, local_address: LocalAddress, deadline: float | None
) -> socket.socket:
    """Connect through a SOCKS proxy, which python-socks speaks to; it bounds each step, but not their sum."""
    try:
        from python_socks import ProxyError, ProxyTimeoutError, ProxyType
        from python_socks.sync import Proxy as SocksProxy
    except ImportError:
        raise LocalProtocolError("a SOCKS proxy needs python-socks: install python-wscore[socks]") from None
    kind = ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5
    socks = SocksProxy(
        kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=proxy.resolves_names
    )
    timeout = _left(deadline) or _NO_LIMIT

    def connect() -> socket.socket:
        host, port = plan.address.host, plan.address.port
        sock: socket.socket = socks.connect(host, port, timeout=timeout, local_addr=local_address)
        return sock

    try:
        sock = _in_time(connect, deadline, socket.socket.close)
    except ProxyTimeoutError:
        raise TimeoutError("the SOCKS proxy took too long") from None
    except ProxyError as error:
        raise ConnectionError(f"the SOCKS proxy opened no connection: {error}") from error
    sock.settimeout(None)
    return sock


def _left(deadline: float | None) -> float | None:
    """Return the seconds until deadline; at least a millisecond.

    Raises:
        TimeoutError: it has come.
    """
    if deadline is None:
        return None
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the time to connect is up")
    return max(left, 0.001)
