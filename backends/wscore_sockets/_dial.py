"""From a plan to a connected socket, blocking: names, Happy Eyeballs, proxies; nothing of WebSocket yet.

`stream_to` says what to do next; here it is done. Every step is bounded by one deadline. Looking
up a name is bounded by the system alone, so that is done in a thread of its own when there is a deadline, and
so is speaking SOCKS.
"""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any, Final, TypeVar

from wscore import Config, TimedOut, Timer
from wscore.policy import Plan

from ._connecting import Found, LocalAddress, Wait, connect_to_one, numeric_places, path_of_unix
from ._opening import Opening, Way
from ._proxies import TUNNEL_READ, socks_errors, socks_proxy
from ._story import Dialed, LookUp, Socks, Step, Story, stream_to

_NO_LIMIT: Final = 86_400.0  # seconds, for who takes None for a limit of its own

T = TypeVar("T")


def dial(plan: Plan, config: Config, *, local_address: LocalAddress = None, deadline: float | None) -> Dialed:
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
    way = Way(ssl=None, server_hostname=None, unix=None, sock=None, local_address=local_address)
    return _tell(stream_to(Opening(plan, way, config, ())), deadline)


def dial_for(opening: Opening, deadline: float | None) -> Dialed:
    """Have a connected socket for what a client was asked for; otherwise as `dial`.

    Raises:
        TimedOut: the deadline has come.
    """
    with _timing_out(deadline):
        return _tell(stream_to(opening), deadline)


def perform(step: Step, deadline: float | None) -> Any:
    """Do what a story asks for, blocking, and return the answer.

    Raises:
        TimedOut: the deadline has come.
    """
    with _timing_out(deadline):
        return _perform(step, deadline)


@contextmanager
def _timing_out(deadline: float | None) -> Iterator[None]:
    """Tell a deadline that has come from limits of the system's own."""
    try:
        yield
    except TimeoutError:
        if deadline is not None and monotonic() >= deadline:
            raise TimedOut(Timer.OPEN) from None
        raise


def _tell(story: Story, deadline: float | None) -> Dialed:
    """Tell a story to its end; the socket is blocking then."""
    with closing(story):
        answer: Any = None
        while True:
            try:
                step = story.send(answer)
            except StopIteration as end:
                sock, tls = end.value
                sock.settimeout(None)
                return sock, tls
            answer = _perform(step, deadline)


def _perform(step: Step, deadline: float | None) -> Any:
    if isinstance(step, Wait):
        return _wait(step, deadline)
    if isinstance(step, LookUp):
        return look_up(step.host, step.port, deadline)
    if isinstance(step, Socks):
        return _dial_socks(step, deadline)
    step.sock.settimeout(_left(deadline))
    step.sock.sendall(step.data)
    return step.sock.recv(TUNNEL_READ)


def _wait(step: Wait, deadline: float | None) -> None:
    """Wait until a socket is ready, or a moment has come."""
    limit = min((moment for moment in (step.until, deadline) if moment is not None), default=None)
    with selectors.DefaultSelector() as selector:
        for sock in step.sockets:
            selector.register(sock, selectors.EVENT_WRITE)
        found = selector.select(None if limit is None else max(limit - monotonic(), 0.0))
    if not found:
        _left(deadline)  # raises when it has come


def dial_unix(path: str, deadline: float | None) -> socket.socket:
    """Connect to a path."""
    return _tell(_unix(path), deadline)[0]


def _unix(path: str) -> Story:
    return (yield from connect_to_one([path_of_unix(path)], None)), None


def look_up(host: str, port: int, deadline: float | None) -> list[Found]:
    """Return the addresses of host; a lookup that takes too long is left to itself."""
    return numeric_places(host, port) or _in_time(
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


def _dial_socks(step: Socks, deadline: float | None) -> socket.socket:
    """Connect through a SOCKS proxy, which python-socks speaks to; it bounds each step, but not their sum."""
    socks = socks_proxy("python_socks.sync", step.proxy)
    timeout = _left(deadline) or _NO_LIMIT

    def connect() -> socket.socket:
        host, port = step.address.host, step.address.port
        sock: socket.socket = socks.connect(host, port, timeout=timeout, local_addr=step.local_address)
        return sock

    with socks_errors():
        return _in_time(connect, deadline, socket.socket.close)


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
