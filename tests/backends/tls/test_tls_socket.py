"""The filter against the standard library's TLS sockets, driven as the package's docstring shows."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from support.certificates import Certificates
from wscore_tls import TLSFilter

TIMEOUT = 20.0
REQUEST = b"request " * 100_000


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(TIMEOUT)
        theirs.settimeout(TIMEOUT)
        yield ours, theirs


def start(peer: Callable[[], bytes]) -> "Future[bytes]":
    """Run peer in a thread; the result has what it returned or raised."""
    result: Future[bytes] = Future()

    def run() -> None:
        try:
            result.set_result(peer())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result


def run_filter(tls: TLSFilter, sock: socket.socket) -> bytes:
    received = b""
    while not tls.eof:
        sock.sendall(tls.data_to_send())
        data = sock.recv(65536)
        received += b"".join(tls.receive_data(data) if data else tls.receive_eof())
    tls.close()
    sock.sendall(tls.data_to_send())
    return received


def read_all(sock: ssl.SSLSocket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += sock.recv(65536)
    return data


def test_client_talks_to_a_tls_socket(
    certificates: Certificates, version: ssl.TLSVersion, sockets: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = sockets

    def serve() -> bytes:
        context = certificates.server_context(version=version)
        with context.wrap_socket(theirs, server_side=True) as peer:
            request = read_all(peer, len(REQUEST))
            peer.sendall(request.upper())
            peer.unwrap().close()
            return request

    served = start(serve)
    context = certificates.client_context(version=version)
    tls = TLSFilter(context, server_side=False, server_hostname="localhost")
    tls.send(REQUEST)
    assert run_filter(tls, ours) == REQUEST.upper()
    assert not tls.truncated
    assert served.result(TIMEOUT) == REQUEST


def test_server_talks_to_a_tls_socket(
    certificates: Certificates, version: ssl.TLSVersion, sockets: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = sockets

    def dial() -> bytes:
        context = certificates.client_context(version=version)
        with context.wrap_socket(theirs, server_hostname="localhost") as peer:
            answer = read_all(peer, len(REQUEST))
            peer.sendall(b"thanks")
            peer.unwrap().close()
            return answer

    dialled = start(dial)
    tls = TLSFilter(certificates.server_context(version=version), server_side=True)
    tls.send(REQUEST)
    assert run_filter(tls, ours) == b"thanks"
    assert not tls.truncated
    assert dialled.result(TIMEOUT) == REQUEST


def test_tls_socket_that_just_disappears_is_a_truncation(
    certificates: Certificates, version: ssl.TLSVersion, sockets: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = sockets

    def serve() -> bytes:
        context = certificates.server_context(version=version)
        with context.wrap_socket(theirs, server_side=True) as peer:
            peer.sendall(b"and then")
            peer.shutdown(socket.SHUT_WR)  # ends TCP, and says nothing in TLS
            return socket.socket.recv(peer, 1)  # wait until the other side has gone, or spoken

    start(serve)
    context = certificates.client_context(version=version)
    tls = TLSFilter(context, server_side=False, server_hostname="localhost")
    assert run_filter(tls, ours) == b"and then"
    assert tls.truncated
