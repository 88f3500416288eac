"""A server: what it listens on, and how many it serves."""

import threading

import pytest

from support.eventually import PATIENCE, background
from support.handshakes import request
from support.raw import dial
from support.threaded import echo, echo_server, url_of
from support.wire import TEXT
from wscore_threading import connect, serve

# Where.


def test_port_zero_is_a_free_port_and_known_at_once() -> None:
    with echo_server() as one, echo_server() as two:
        assert one.port != two.port
        assert one.addresses == [("127.0.0.1", one.port)]
        for server in (one, two):
            with connect(url_of(server)) as session:
                assert session.ping() > 0


def test_a_name_is_listened_on_with_every_address_and_one_port() -> None:
    with serve(echo, "localhost") as server:
        assert {address[1] for address in server.addresses} == {server.port}
        for address in server.addresses:
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            with connect(f"ws://{host}:{server.port}") as session:
                assert session.remote_address[:2] == (address[0], server.port)
        with connect(f"ws://localhost:{server.port}") as session:
            assert session.ping() > 0


def test_no_host_means_every_interface() -> None:
    with serve(echo, None) as server, connect(url_of(server)) as session:
        assert session.ping() > 0


def test_a_port_in_use_is_an_os_error_and_leaks_nothing() -> None:
    with echo_server() as server, pytest.raises(OSError, match="in use"):
        serve(echo, "127.0.0.1", server.port)


# Sessions.


def test_above_the_cap_connections_wait_until_one_leaves() -> None:
    with serve(echo, "127.0.0.1", max_connections=10) as server:
        served = [connect(url_of(server)) for _ in range(10)]
        assert all(session.ping() > 0 for session in served)
        with dial(server.port) as eleventh:
            eleventh.send(request())
            eleventh.socket.settimeout(0.4)
            with pytest.raises(TimeoutError):
                eleventh.read_head()
            assert len(server.sessions) == 10
            eleventh.socket.settimeout(PATIENCE)
            served.pop().close()
            assert eleventh.read_head().startswith(b"HTTP/1.1 101")
            eleventh.send_frame(TEXT, b"at last")
            assert eleventh.read_frame() == (0x80 | TEXT, b"at last")
            for session in served:
                session.close()


def test_the_number_of_threads_is_the_cap_and_two_more() -> None:
    before = threading.active_count()
    with serve(echo, "127.0.0.1", max_connections=20) as server:
        peers = [dial(server.port) for _ in range(60)]
        try:
            for peer in peers[:20]:
                peer.upgrade()
            assert threading.active_count() - before <= 20 + 2  # who accepts, who keeps time
        finally:
            for peer in peers:
                peer.close()


def test_many_clients_come_and_go_at_once() -> None:
    def visit(port: int) -> bool:
        with connect(f"ws://127.0.0.1:{port}") as session:
            session.send("hello")
            return session.recv(timeout=10) == "hello"

    with echo_server() as server:
        for _ in range(5):
            assert all(task.result() for task in [background(lambda: visit(server.port)) for _ in range(20)])
