"""Options of connected sockets: what is set, what a reset looks like, and that odd transports do no harm."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from support.eventually import PATIENCE
from wscore_sockets import Shortage, drop, is_out_of_resources, tune

HAS_USER_TIMEOUT = hasattr(socket, "TCP_USER_TIMEOUT")
needs_user_timeout = pytest.mark.skipif(not HAS_USER_TIMEOUT, reason="the system has no such option")
needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no unix sockets")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two sockets that are connected over TCP."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        far, _ = listener.accept()
    far.settimeout(PATIENCE)
    with near, far:
        yield near, far


def option(sock: socket.socket, name: str) -> int:
    value: int = sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
    return value


def test_small_writes_leave_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    assert option(near, "TCP_NODELAY") == 0
    tune(near)
    assert option(near, "TCP_NODELAY") != 0


@needs_user_timeout
@pytest.mark.parametrize(
    ("silence", "milliseconds"),
    [(None, 0), (0.25, 250), (30, 30_000), (1e9, 2**31 - 1), (float(2**31), 2**31 - 1)],
)
def test_a_silence_is_told_to_the_kernel_in_milliseconds(
    pair: tuple[socket.socket, socket.socket], silence: float | None, milliseconds: int
) -> None:
    near, _ = pair
    tune(near, silence)
    assert option(near, "TCP_USER_TIMEOUT") == milliseconds
    assert option(near, "TCP_NODELAY") != 0


def test_a_system_that_cannot_watch_for_silence_does_without(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    near, _ = pair
    tune(near, 30.0)
    assert option(near, "TCP_NODELAY") != 0


def test_a_dropped_connection_is_reset(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    drop(near)
    near.sendall(b"may be lost")
    near.close()
    with pytest.raises(ConnectionResetError):
        read_to_the_end(far)


def test_a_connection_that_is_not_dropped_ends_in_good_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    tune(near, 30.0)
    near.sendall(b"arrives")
    near.close()
    assert (far.recv(100), far.recv(100)) == (b"arrives", b"")


def read_to_the_end(sock: socket.socket) -> None:
    while sock.recv(100):
        pass


def closed() -> socket.socket:
    sock = socket.socket()
    sock.close()
    return sock


@pytest.mark.parametrize("transport", [None, object(), closed()], ids=["none", "no socket", "closed"])
def test_what_is_no_socket_any_more_is_left_alone(transport: Any) -> None:
    tune(transport, 30.0)
    drop(transport)


@needs_unix
def test_a_unix_socket_has_nothing_to_tune_and_still_works() -> None:
    near, far = socket.socketpair(socket.AF_UNIX)
    with near, far:
        tune(near, 30.0)
        drop(near)
        near.sendall(b"x")
        assert far.recv(10) == b"x"


@pytest.mark.parametrize(
    ("number", "passes"),
    [
        (errno.EMFILE, True),
        (errno.ENFILE, True),
        (errno.ENOBUFS, True),
        (errno.ENOMEM, True),
        (errno.ECONNABORTED, False),
        (errno.EBADF, False),
        (errno.EAGAIN, False),
        (errno.EINVAL, False),
    ],
)
def test_a_want_of_resources_passes_and_other_errors_do_not(number: int, passes: bool) -> None:
    assert is_out_of_resources(OSError(number, "why")) is passes


def test_an_error_without_a_number_does_not_pass() -> None:
    assert is_out_of_resources(OSError("why")) is False


def test_a_shortage_is_said_once_until_it_ends() -> None:
    said: list[str] = []
    shortage = Shortage(said.append)
    short = OSError(errno.EMFILE, "too many open files")
    assert not shortage.begins(OSError(errno.ECONNABORTED, "gone"))
    assert shortage.begins(short) and shortage.begins(short)
    assert said == [f"accepting pauses until there are resources again: {short}"]
    shortage.ends()
    assert shortage.begins(short)
    assert len(said) == 2
