"""A server: what it listens on, how it answers requests, how many it serves, how it stops."""

import logging
import threading
from collections.abc import Iterable

import pytest

from support.eventually import PATIENCE, background, eventually
from support.handshakes import Message, plus, read_message, request
from support.raw import dial
from support.threaded import echo, echo_server, url_of
from support.wire import TEXT
from wscore import ANY_ORIGIN, Config, HandshakeRefused, Headers, Request, Response
from wscore.policy import ProcessRequest
from wscore_threading import connect, serve

PLAIN = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"


def _ask(port: int, data: bytes) -> Message:
    """Send a request and read the response, which must end the connection."""
    with dial(port) as peer:
        peer.send(data)
        return read_message(peer.read_to_end())


def _answers(process_request: ProcessRequest | None, requests: Iterable[bytes]) -> list[Message]:
    """Run a server with process_request and ask it one thing after the other."""
    with serve(echo, "127.0.0.1", process_request=process_request) as server:
        return [_ask(server.port, data) for data in requests]


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


# Requests.


def test_plain_http_gets_426_unless_it_is_answered() -> None:
    (message,) = _answers(None, [PLAIN])
    assert message.status == 426
    assert message.values(b"upgrade") == [b"websocket"]


def test_process_request_may_answer_plain_http() -> None:
    seen: list[Request] = []

    def page(received: Request) -> Response | None:
        seen.append(received)
        return Response(200, Headers([("Content-Type", "text/html")]), b"<p>hello")

    (message,) = _answers(page, [PLAIN])
    assert (message.status, message.body) == (200, b"<p>hello")
    assert message.values(b"content-type") == [b"text/html"]
    assert (seen[0].method, seen[0].target, seen[0].is_upgrade) == ("GET", "/page", False)


def test_process_request_may_refuse_an_upgrade() -> None:
    def refuse(received: Request) -> Response | None:
        return None if received.headers.get("x-ticket") == "valid" else Response(401, body=b"who are you?")

    with serve(echo, "127.0.0.1", process_request=refuse) as server:
        with pytest.raises(HandshakeRefused) as caught:
            connect(url_of(server))
        assert caught.value.response.status == 401 and caught.value.response.body == b"who are you?"
        with connect(url_of(server), headers=[("X-Ticket", "valid")]) as session:
            assert session.request.headers.get("x-ticket") == "valid"


def test_process_request_that_raises_is_a_500_without_details_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(received: Request) -> Response | None:
        raise RuntimeError("the secret")

    for message in _answers(broken, [PLAIN, request()]):
        assert message.status == 500 and b"secret" not in message.body
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_process_request_that_answers_nonsense_costs_one_connection_and_not_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[Response | None] = [Response(101), None]

    with serve(echo, "127.0.0.1", process_request=lambda _: answers.pop(0)) as server:
        with dial(server.port) as peer:
            peer.send(request())
            try:
                refusal = peer.read_to_end()
            except ConnectionResetError:
                refusal = b""
            assert not refusal or read_message(refusal).status == 500
        with connect(url_of(server)) as session:
            assert session.ping() > 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_response_bigger_than_the_kernels_buffer_arrives_whole() -> None:
    body = bytes(range(256)) * 4096 * 8
    with (
        serve(echo, "127.0.0.1", process_request=lambda _: Response(200, body=body)) as server,
        dial(server.port, receive_buffer=4096) as peer,
    ):
        peer.send(PLAIN)
        assert read_message(peer.read_to_end()).body == body


def test_the_servers_order_of_preference_chooses_the_subprotocol() -> None:
    with serve(echo, "127.0.0.1", subprotocols=["v3", "v2", "v1"]) as server:
        for offered, chosen in ((["v1", "v2"], "v2"), (["v1"], "v1"), (["v9"], None), ([], None)):
            with connect(url_of(server), subprotocols=offered) as session:
                assert session.subprotocol == chosen


def test_other_origins_are_refused_unless_they_are_allowed() -> None:
    foreign = plus(b"Origin: https://evil.example")
    assert [message.status for message in _answers(None, [foreign])] == [403]
    with serve(echo, "127.0.0.1", config=Config(origins=ANY_ORIGIN)) as server, dial(server.port) as peer:
        peer.upgrade(foreign)


# Sessions.


def test_sessions_are_those_that_are_open_now() -> None:
    with echo_server() as server:
        assert server.sessions == []
        with connect(url_of(server)) as one:
            one.ping()
            with connect(url_of(server)) as two:
                two.ping()
                assert {session.remote_address for session in server.sessions} == {
                    one.local_address,
                    two.local_address,
                }
                for session in server.sessions:
                    session.send("to all")
                assert one.recv(timeout=10) == two.recv(timeout=10) == "to all"
            eventually(lambda: len(server.sessions) == 1)
        eventually(lambda: not server.sessions)


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
