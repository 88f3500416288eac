"""Where servers listen and what clients connect with: paths, several addresses, existing sockets."""

import socket
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Certificates
from support.clients import Driver, Echo
from support.eventually import eventually
from support.names import has_ipv6
from support.raw import RawListener
from support.recorder import Recorder
from wscore import HandshakeRefused, LocalProtocolError

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def greet(driver: Driver, url: str, **options: Any) -> None:
    """Connect and see that there is an echo."""
    with driver.connect(url, **options) as client:
        assert client.ask("hello") == "hello"


# Unix sockets.


def test_a_path_may_take_the_place_of_host_and_port(driver: Driver, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with driver.serve(unix=path) as server:
        assert server.addresses == [path] and server.port == 0
        with driver.connect("ws://where.example:81/path?query", unix=path) as client:
            assert client.ask("hello") == "hello"
            assert client.session.request.host == "where.example:81"
            assert client.session.request.target == "/path?query"
            assert client.session.remote_address == path


def test_tls_works_over_a_path(driver: Driver, tmp_path: Path, certificates: Certificates) -> None:
    path = str(tmp_path / "socket")
    with driver.serve(unix=path, ssl=certificates.server_context()):
        greet(driver, "wss://localhost/", unix=path, ssl=certificates.client_context())


def test_a_path_that_a_dead_server_left_behind_is_taken_over(driver: Driver, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    with driver.serve(unix=path):
        greet(driver, "ws://localhost/", unix=path)


def test_a_path_that_somebody_listens_on_is_not_taken_away(driver: Driver, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with driver.serve(unix=path):
        with pytest.raises(OSError, match="in use"):
            driver.start_server(Echo, unix=path)
        greet(driver, "ws://localhost/", unix=path)


def test_a_file_that_is_no_socket_is_left_alone(driver: Driver, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        driver.start_server(Echo, unix=str(path))
    assert path.read_text() == "precious"


def test_a_path_where_nobody_listens_is_an_os_error(driver: Driver, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        driver.connect("ws://localhost/", unix=str(tmp_path / "missing"))


def test_connections_over_a_path_are_not_counted_by_address(driver: Driver, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with (
        driver.serve(unix=path, max_per_address=1),
        driver.connect("ws://localhost/", unix=path),
    ):
        greet(driver, "ws://localhost/", unix=path)


# Sockets of the client's own.


@pytest.mark.parametrize("blocking", [True, False])
def test_a_client_may_bring_its_own_socket(driver: Driver, blocking: bool) -> None:
    with driver.serve() as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.setblocking(blocking)
        with driver.connect("ws://where.example/", sock=sock) as client:
            assert client.ask(100_000 * "x") == 100_000 * "x"
            assert client.session.request.host == "where.example"
            assert client.session.local_address == ("127.0.0.1", client.session.local_address[1])
        eventually(lambda: sock.fileno() == -1)


def test_a_socket_with_a_timeout_of_its_own_loses_it(driver: Driver) -> None:
    with driver.serve() as server:
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=0.02)
        with driver.connect("ws://where.example/", sock=sock) as client:
            client.session.user_data = "still here"
            assert not client.wait_a_moment(0.1)
            assert client.ask("hello") == "hello"


def test_one_end_of_a_socket_pair_will_do(driver: Driver) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(HandshakeRefused):
            driver.connect("ws://where.example/", sock=ours)
        eventually(lambda: ours.fileno() == -1)


def test_a_socket_that_is_not_connected_is_an_error_and_closed(driver: Driver) -> None:
    sock = socket.socket()
    with pytest.raises(OSError, match=r"not connected|pipe"):
        driver.connect("ws://where.example/", sock=sock)
    eventually(lambda: sock.fileno() == -1)


@pytest.mark.parametrize("wrong", [{"subprotocols": ["no token"]}, {"headers": [("Upgrade", "mine")]}])
def test_a_socket_is_closed_when_the_request_may_not_be_sent(driver: Driver, wrong: dict[str, Any]) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with pytest.raises(LocalProtocolError):
            driver.connect("ws://where.example/", sock=ours, **wrong)
        eventually(lambda: ours.fileno() == -1)


def test_tls_is_spoken_over_a_socket_that_was_given(driver: Driver, certificates: Certificates) -> None:
    with driver.serve(ssl=certificates.server_context()) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        greet(driver, "wss://localhost/", sock=sock, ssl=certificates.client_context())


def test_a_client_may_choose_where_it_connects_from(driver: Driver) -> None:
    recorder = Recorder(replies=True)
    with socket.create_server(("127.0.0.2", 0)) as chosen:
        port = chosen.getsockname()[1]
    with driver.serve(recorder) as server:
        options = {"local_address": ("127.0.0.2", port)}
        with driver.connect(f"ws://127.0.0.1:{server.port}/", **options) as client:
            assert client.ask("hello") == "hello"
            assert client.session.local_address == ("127.0.0.2", port)
            assert recorder.session.remote_address == ("127.0.0.2", port)


def test_an_address_that_is_not_ours_is_an_os_error(driver: Driver) -> None:
    with driver.serve() as server, pytest.raises(OSError, match="assign"):
        driver.connect(f"ws://127.0.0.1:{server.port}/", local_address=("192.0.2.1", 0))


# Several addresses, and sockets of the server's own.


def test_a_server_listens_on_several_hosts_with_one_port(driver: Driver) -> None:
    with driver.serve(host=["127.0.0.1", "127.0.0.2"]) as server:
        assert server.addresses == [("127.0.0.1", server.port), ("127.0.0.2", server.port)]
        for host in ("127.0.0.1", "127.0.0.2"):
            greet(driver, f"ws://{host}:{server.port}/")


@needs_ipv6
@pytest.mark.parametrize("host", [None, ["127.0.0.1", "::1"]])
def test_a_server_listens_on_both_families(driver: Driver, host: Any) -> None:
    with driver.serve(host=host) as server:
        for each in ("127.0.0.1", "[::1]", "localhost"):
            greet(driver, f"ws://{each}:{server.port}/")


@needs_ipv6
def test_an_address_of_ipv6_is_written_in_brackets(driver: Driver) -> None:
    with (
        driver.serve(host="::1") as server,
        driver.connect(f"ws://[::1]:{server.port}/") as client,
    ):
        assert client.session.request.host == f"[::1]:{server.port}"
        assert client.session.remote_address[:2] == ("::1", server.port)


def test_a_server_takes_sockets_that_listen_already(driver: Driver, tmp_path: Path) -> None:
    tcp = socket.create_server(("127.0.0.1", 0))
    path = str(tmp_path / "socket")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(path)
    unix.listen()
    with driver.serve(sockets=[tcp, unix]) as server:
        assert server.port == tcp.getsockname()[1]
        assert server.addresses == [tcp.getsockname(), path]
        greet(driver, f"ws://127.0.0.1:{server.port}/")
        greet(driver, "ws://localhost/", unix=path)
    eventually(lambda: (tcp.fileno(), unix.fileno()) == (-1, -1))


def test_an_address_in_use_is_an_os_error_and_leaves_nothing_open(driver: Driver) -> None:
    with RawListener() as other, pytest.raises(OSError, match="in use"):
        driver.start_server(Echo, ["127.0.0.2", "127.0.0.1"], other.port)


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no such option")
def test_two_servers_share_a_port_if_both_want_to(driver: Driver) -> None:
    recorders = Recorder(replies=True), Recorder(replies=True)
    with driver.serve(recorders[0], reuse_port=True) as first:
        with driver.serve(recorders[1], port=first.port, reuse_port=True) as second:
            assert second.port == first.port
            for _ in range(32):  # the kernel spreads them by a hash: all to one server is as likely as 2**-31
                greet(driver, f"ws://127.0.0.1:{first.port}/")
            counts = [recorder.names.count("connect") for recorder in recorders]
        assert sum(counts) == 32 and min(counts) > 0
        greet(driver, f"ws://127.0.0.1:{first.port}/")  # all to the one that is left


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no such option")
def test_a_port_is_not_shared_with_who_does_not_want_to(driver: Driver) -> None:
    with driver.serve() as server, pytest.raises(OSError, match="in use"):
        driver.start_server(Echo, "127.0.0.1", server.port, reuse_port=True)
