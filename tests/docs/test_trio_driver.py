"""The trio backend of the guide: what is special about it. What all backends share is tested for all of them.

Both sides run in one loop, and time is trio's: where a test is about timeouts, a `MockClock` lets them pass.
"""

import runpy
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import hypothesis  # noqa: F401  # it wants to know trio's scheduler, before the collector's memory is frozen
import pytest
import trio
import trio.testing

import wscore_threading
from support.certificates import Certificates, make_certificates
from support.raw import answer
from support.threaded import echo_server
from support.wire import CLOSE, REQUEST, TEXT, frame, status
from wscore import (
    Closed,
    CloseReceived,
    Config,
    ConnectionClosed,
    Endpoint,
    HandshakeRefused,
    Limits,
    LocalProtocolError,
    Response,
    State,
    TimedOut,
    Timeouts,
    Timer,
)
from wscore._typing import override

PATIENCE: Final = 20.0
EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "examples" / "trio_driver.py"

trio_driver: Any = SimpleNamespace(**runpy.run_path(str(EXAMPLE), run_name="trio_driver"))


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    """An authority that this module's servers and clients share."""
    return make_certificates()


def run(main: Callable[[], Awaitable[None]], clock: trio.abc.Clock | None = None) -> None:
    """Run a test's coroutine function, for a bounded time."""

    async def bounded() -> None:
        with trio.fail_after(PATIENCE if clock is None else 1000 * PATIENCE):
            await main()

    trio.run(bounded, clock=clock)


@asynccontextmanager
async def serving(handler: Any, **options: Any) -> AsyncIterator[Any]:
    """Run a server, and shut it down afterwards."""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(trio_driver.serve, handler, "127.0.0.1", 0, **options))
        yield server
        await server.shutdown()


def url_of(server: Any, *, secure: bool = False) -> str:
    """Return its address."""
    return f"{'wss' if secure else 'ws'}://127.0.0.1:{server.port}/"


async def echo(session: Any) -> None:
    """Send everything back."""
    async for message in session:
        await session.send(message)


class Recorder(Endpoint):
    """Remembers what was called; echoes with a plain hook, and awaits in another one."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.over = trio.Event()

    @override
    async def on_connect(self, session: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.calls.append("connect")

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self.calls.append(message)
        session.send(message)

    @override
    def on_error(self, session: Any, error: Exception) -> None:
        self.calls.append(type(error).__name__)

    @override
    async def on_close(self, session: Any, code: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        self.calls.append(code)
        self.over.set()


# Both sides.


@pytest.mark.parametrize("secure", [False, True])
def test_messages_of_all_sizes_come_back(certificates: Certificates, secure: bool) -> None:
    async def main() -> None:
        async with serving(echo, ssl=certificates.server_context() if secure else None) as server:
            context = certificates.client_context() if secure else None
            async with trio_driver.connect(url_of(server, secure=secure), ssl=context) as session:
                for message in ("", "hello", b"\x00" * 500_000):
                    await session.send(message)
                    assert await session.recv() == message
                assert 0 < await session.ping(b"now") < PATIENCE
                assert session.is_secure is secure
            assert session.closed.clean

    run(main)


def test_it_talks_to_another_backend_in_both_roles() -> None:
    def ask(port: int) -> str | bytes:
        with wscore_threading.connect(f"ws://127.0.0.1:{port}/") as session:
            session.send("from a thread")
            return session.recv(PATIENCE)

    async def main() -> None:
        async with serving(echo) as server:
            assert await trio.to_thread.run_sync(ask, server.port) == "from a thread"
        with echo_server() as other:
            async with trio_driver.connect(url_of(other)) as session:
                await session.send("from a task")
                assert await session.recv() == "from a task"

    run(main)


def test_hooks_may_be_plain_or_not_and_the_last_one_is_called_once() -> None:
    server_side, client_side = Recorder(), Recorder()

    async def main() -> None:
        async with serving(server_side) as server:
            async with trio_driver.connect(url_of(server), Endpoint()) as session:
                await session.send("hello")
                with pytest.raises(LocalProtocolError):
                    await session.recv()  # it has an endpoint
                await session.ping()
            async with trio_driver.connect(url_of(server), client_side) as session:
                session.abort()
                await client_side.over.wait()

    run(main)
    assert server_side.calls[:3] == ["connect", "hello", 1000]
    assert server_side.calls[3:] in ([], ["connect", "ConnectionLost", 1006])
    assert client_side.calls == ["connect", "ConnectionLost", 1006]


def test_a_function_that_raises_closes_with_1011_and_the_server_goes_on() -> None:
    async def fail(session: Any) -> None:
        raise RuntimeError("on purpose")

    async def main() -> None:
        async with serving(fail) as server:
            for _ in range(2):
                async with trio_driver.connect(url_of(server)) as session:
                    assert [message async for message in session] == []
                    assert session.closed.code == 1011

    run(main)


def test_errors_come_out_as_they_are_and_not_in_groups() -> None:
    def refuse(request: Any) -> Response:
        return Response(403, (), b"no")

    async def main() -> None:
        async with serving(echo, process_request=refuse) as server:
            with pytest.raises(HandshakeRefused) as refused:
                async with trio_driver.connect(url_of(server)):
                    pass
            assert refused.value.response.status == 403
        async with serving(echo) as server:
            with pytest.raises(ZeroDivisionError):
                async with trio_driver.connect(url_of(server)) as session:
                    raise ZeroDivisionError
            assert session.closed.sent.code == 1011

    run(main)


# Cancellation.


def test_a_cancelled_recv_loses_no_message() -> None:
    async def count(session: Any) -> None:
        for number in range(500):
            await session.send(str(number))

    async def main() -> None:
        got: list[str] = []
        async with serving(count) as server, trio_driver.connect(url_of(server)) as session:
            while len(got) < 500:
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(cancel_soon, scope)
                        while len(got) < 500:
                            got.append(await session.recv())
        assert got == [str(number) for number in range(500)]

    async def cancel_soon(scope: trio.CancelScope) -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    run(main)


def test_a_cancelled_send_has_queued_its_message_whole() -> None:
    reading = trio.Event()
    got: list[str | bytes] = []

    async def slow(session: Any) -> None:
        await reading.wait()
        got.extend([message async for message in session])

    async def main() -> None:
        sent = 0
        async with (
            serving(slow) as server,
            trio_driver.connect(url_of(server), config=config) as session,
        ):
            waited = False
            while not waited:
                with trio.move_on_after(0.05) as scope:
                    await session.send(bytes([sent % 256]) * 100_000)
                waited = scope.cancelled_caught
                sent += 1
            reading.set()
            await session.send("last")
        assert got == [*(bytes([number % 256]) * 100_000 for number in range(sent)), "last"]

    config = Config(limits=Limits(outbox_limit=10_000_000))
    run(main)


def test_what_is_cancelled_as_a_whole_is_aborted_and_the_other_side_told() -> None:
    async def main() -> None:
        async with serving(endpoint) as server:
            with trio.CancelScope() as scope:
                async with trio_driver.connect(url_of(server)) as session:
                    await session.send("hello")
                    assert await session.recv() == "hello"
                    scope.cancel()
                    await session.recv()
            assert session.state is State.CLOSED
            await endpoint.over.wait()
            with trio.CancelScope() as scope:
                async with trio_driver.connect(url_of(server), ours):
                    scope.cancel()

    endpoint, ours = Recorder(), Recorder()
    run(main)
    assert endpoint.calls[:4] == ["connect", "hello", "ConnectionLost", 1006]
    assert ours.calls == ["ConnectionLost", 1006]


# Time.


def test_timeouts_are_those_of_the_loop_s_clock() -> None:
    async def deaf(stream: trio.SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        await stream.send_all(answer(request))
        await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, deaf, listeners)
            url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
            began = trio.current_time()
            async with trio_driver.connect(url, config=config) as session:
                with pytest.raises(ConnectionClosed):
                    await session.recv()
                assert session.closed.timer is Timer.PONG
            assert trio.current_time() - began == pytest.approx(900.0, abs=1.0)
            nursery.cancel_scope.cancel()

    config = Config(timeouts=Timeouts(keepalive=600.0, pong=300.0))
    run(main, trio.testing.MockClock(autojump_threshold=0.05))


def test_a_server_that_says_nothing_is_given_up() -> None:
    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        with pytest.raises(TimedOut) as late:
            async with trio_driver.connect(url):
                pass
        assert late.value.timer is Timer.OPEN
        await listeners[0].aclose()

    run(main, trio.testing.MockClock(autojump_threshold=0.05))


# Ends.


def test_tls_ends_with_close_notify_before_the_peer_has_left(certificates: Certificates) -> None:
    def visit(port: int) -> bytes:
        context = certificates.client_context()
        with (
            socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as tls,
        ):
            tls.sendall(REQUEST)
            data = b""
            while not data.endswith(frame(CLOSE, status(1000, b""), masked=False)):
                data += tls.recv(65536)
            tls.sendall(frame(CLOSE, status(1000, b""), masked=True))
            return data + tls.recv(65536)  # raises where close_notify is missing

    async def bye(session: Any) -> None:
        session.send("bye")

    async def main() -> None:
        async with serving(bye, ssl=certificates.server_context()) as server:
            data = await trio.to_thread.run_sync(visit, server.port)
            last = frame(TEXT, b"bye", masked=False) + frame(CLOSE, status(1000, b""), masked=False)
            assert data.endswith(last)

    run(main)


def test_a_shutdown_says_1001_to_all_and_ends_what_serves() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(trio_driver.serve, echo, "127.0.0.1")
            async with (
                trio_driver.connect(url_of(server)) as one,
                trio_driver.connect(url_of(server)) as other,
            ):
                for session in (one, other):
                    await session.ping()
                assert len(server.sessions) == 2
                await server.shutdown()
                for session in (one, other):
                    assert [message async for message in session] == []
                    assert session.closed.code == 1001
            with pytest.raises(OSError, match="all attempts to connect"):
                async with trio_driver.connect(url_of(server)):
                    pass

    run(main)


def test_a_handler_that_does_not_end_is_cancelled_when_the_shutdown_has_waited_long_enough() -> None:
    async def stubborn(session: Any) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(trio_driver.serve, stubborn, "127.0.0.1")
            async with trio_driver.connect(url_of(server)) as session:
                await session.ping()
                await server.shutdown(timeout=0.05)
                assert isinstance(await session.link.next_event(), CloseReceived)
                assert isinstance(await session.link.next_event(), Closed)

    run(main)


def test_a_peer_that_ends_its_stream_with_its_close_is_left_at_once() -> None:
    async def main() -> None:
        async with serving(echo) as server:
            with trio.fail_after(PATIENCE / 4):  # not when the close handshake's time is up
                stream = await trio.open_tcp_stream("127.0.0.1", server.port)
                await stream.send_all(REQUEST + frame(CLOSE, status(1000, b""), masked=True))
                await stream.send_eof()
                data = b"".join([data async for data in stream])
                assert data.endswith(frame(CLOSE, status(1000, b""), masked=False))
                await stream.aclose()

    run(main)
