"""How a server stops, as far as that takes threads."""

from contextlib import ExitStack

from support.eventually import background, stays
from support.raw import dial
from support.stopwatch import within
from support.threaded import echo, echo_server, url_of
from wscore_threading import Session, connect, serve


def test_shutdown_twice_is_harmless() -> None:
    with echo_server() as server:
        server.shutdown()
        server.shutdown()


def test_shutdown_at_any_moment_of_a_connection_is_quick() -> None:
    for number in range(40):
        with ExitStack() as stack:
            server = stack.enter_context(serve(echo, "127.0.0.1"))
            for _ in range(1 + number % 4):
                stack.enter_context(dial(server.port))
            with within(1.0):
                server.shutdown()


def test_serve_forever_returns_after_shutdown() -> None:
    with echo_server() as server:
        serving = background(server.serve_forever)
        stays(lambda: not serving.done, 0.05)
        server.shutdown()
        serving.result()


def test_a_handler_may_shut_its_server_down() -> None:
    def last(session: Session) -> None:
        session.recv()
        server.shutdown()

    with serve(last, "127.0.0.1") as server:
        session = connect(url_of(server))
        session.send("stop")
        assert list(session) == []
        assert session.closed is not None and session.closed.code == 1001
