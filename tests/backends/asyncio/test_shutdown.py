"""How a server stops: everybody is told, nobody can hold it up, and a signal is enough."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from support.looped import echo, eventually, soon, turns, url_of
from support.raw import RawPeer, dial, dial_upgraded
from support.recorder import Recorder
from support.wire import CLOSE, REQUEST, TEXT
from wscore_asyncio import Session, connect, serve

GUARD = 60.0  # seconds after which a process that hangs is killed


async def test_shutdown_closes_all_with_its_code_and_stops_listening() -> None:
    async with serve(echo, "127.0.0.1") as server:
        sessions = [await soon(connect(url_of(server))) for _ in range(3)]
        receiving = [asyncio.ensure_future(session.__anext__()) for session in sessions]
        forever = asyncio.ensure_future(server.serve_forever())
        await soon(server.shutdown(1012, "back soon"))
        await soon(forever)
        for task in receiving:
            with suppress(StopAsyncIteration):
                await soon(task)
        for session in sessions:
            assert session.closed is not None and session.closed.clean
            assert (session.closed.code, session.closed.reason) == (1012, "back soon")
        with pytest.raises(ConnectionRefusedError):
            dial(server.port)
        assert server.sessions == []
        await soon(server.shutdown())  # once more, and once more when the block ends


async def test_a_code_that_may_not_be_sent_stops_nothing() -> None:
    async with serve(echo, "127.0.0.1") as server:
        with pytest.raises(ValueError, match="sent"):
            await server.shutdown(1005)
        async with connect(url_of(server)) as session:
            await session.send("hello")
            assert await soon(session.recv()) == "hello"


async def test_serve_forever_shuts_down_when_it_is_cancelled() -> None:
    async with serve(echo, "127.0.0.1") as server:
        session = await soon(connect(url_of(server)))
        forever = asyncio.ensure_future(server.serve_forever())
        await turns()
        receiving = asyncio.ensure_future(session.next_event())
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(forever)
        await soon(receiving)
        await eventually(lambda: session.closed)
        assert session.closed is not None and session.closed.code == 1001


async def test_handlers_have_time_to_finish_and_no_more_than_that() -> None:
    ended: list[str] = []

    async def tidy(session: Session) -> None:
        async for _ in session:
            pass
        await asyncio.sleep(0.05)
        ended.append("tidy")

    async def stubborn(session: Session) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    for handler in (tidy, stubborn):
        async with serve(handler, "127.0.0.1") as server:
            session = await soon(connect(url_of(server), Recorder()))
            begun = monotonic()
            await soon(server.shutdown(timeout=0.3))
            assert monotonic() - begun < 3
            await eventually(lambda: session.closed)  # noqa: B023 - awaited within the turn
    assert ended == ["tidy", "cancelled"]


async def test_a_handler_may_stop_its_own_server() -> None:
    async def stop(session: Session) -> None:
        await session.recv()
        await server.shutdown()

    async with serve(stop, "127.0.0.1") as server:
        session = await soon(connect(url_of(server), Recorder()))
        await session.send("stop")
        await soon(server.serve_forever())
        await eventually(lambda: session.closed)


async def test_peers_that_say_nothing_and_peers_that_never_answer_do_not_hold_it_up() -> None:
    async with serve(Recorder(), "127.0.0.1") as server:
        with dial(server.port) as silent, await asyncio.to_thread(dial_upgraded, server.port) as mute:
            await eventually(lambda: len(server.sessions) == 1)
            begun = monotonic()
            await soon(server.shutdown(timeout=0.3))
            assert monotonic() - begun < 3
            assert await asyncio.to_thread(silent.is_lost)
            assert await asyncio.to_thread(mute.read_close) == 1001


async def test_who_comes_while_it_stops_is_turned_away() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def think(request: Any) -> None:
        asked.set()
        await go_on.wait()

    async with serve(echo, "127.0.0.1", process_request=think) as server:
        with dial(server.port) as peer:
            peer.send(REQUEST)
            await soon(asked.wait())
            stopping = asyncio.ensure_future(server.shutdown())
            await turns()
            go_on.set()
            head = await asyncio.to_thread(peer.read_head)
            assert head.startswith(b"HTTP/1.1 503 ") and b"retry-after" in head.lower()
            peer.close()
        await soon(stopping)


# Signals.


@pytest.fixture
def handlers() -> Iterator[list[Any]]:
    """What SIGTERM and SIGINT mean before the test, and again after it: functions of ours."""
    wanted = [signal.SIGTERM, signal.SIGINT]
    before = [signal.signal(number, _heed) for number in wanted]
    yield [_heed, _heed]
    for number, handler in zip(wanted, before, strict=True):
        signal.signal(number, handler)


def _heed(number: int, frame: object) -> None:
    """Stand for a handler of the application."""


def _installed() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


async def test_nobody_waits_for_a_signal_when_the_server_has_stopped(handlers: list[Any]) -> None:
    async with serve(echo, "127.0.0.1") as server:
        waiting = asyncio.ensure_future(server.serve_until_signal())
        await turns()
        assert not waiting.done() and _installed() != handlers
        await soon(server.shutdown())
        await soon(waiting)
        assert _installed() == handlers


@pytest.mark.parametrize("end", ["signal", "cancelled"])
async def test_signals_mean_afterwards_what_they_meant_before(handlers: list[Any], end: str) -> None:
    async with serve(echo, "127.0.0.1") as server:
        waiting = asyncio.ensure_future(server.serve_until_signal(timeout=1.0))
        await turns()
        if end == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
            await soon(waiting)
        else:
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await soon(waiting)
    assert _installed() == handlers


async def test_a_signal_that_was_the_loops_is_not_left_deaf(handlers: list[Any]) -> None:
    """The loop does not tell which function it has called so far, so that cannot be given back."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    async with serve(echo, "127.0.0.1") as server:
        waiting = asyncio.ensure_future(server.serve_until_signal())
        await turns()
        await soon(server.shutdown())
        await soon(waiting)
    assert _installed() == [signal.SIG_DFL, handlers[1]]


async def test_a_signal_that_cannot_be_caught_leaves_the_others_as_they_were(handlers: list[Any]) -> None:
    async with serve(echo, "127.0.0.1") as server:
        with pytest.raises((RuntimeError, OSError)):
            await server.serve_until_signal(signal.SIGTERM, signal.SIGKILL)
    assert _installed() == handlers


# Signals, in a process of its own.

_PROGRAM = """
import asyncio, os, signal, sys
import wscore_asyncio
from support.looped import loop_factory

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it would be ignored

async def handler(session):
    async for message in session:
        if message == "work":
            await asyncio.sleep(100)
        if message == "storm":
            for _ in range(20):
                os.kill(os.getpid(), signal.SIGINT)
            continue
        await session.send(message)

async def main():
    async with wscore_asyncio.serve(handler, "127.0.0.1") as server:
        print(server.port, flush=True)
        await (server.serve_until_signal(timeout=100) if sys.argv[2] == "until" else server.serve_forever())
    print("in good order", flush=True)

with asyncio.Runner(debug=True, loop_factory=loop_factory(sys.argv[1])) as runner:
    runner.get_loop().slow_callback_duration = 60
    runner.run(main())
"""


class _Child:
    """A server in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process = process
        self._output = process.stdout
        self.port = int(self._output.readline())

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end; return the status and what it wrote."""
        output = self._output.read()
        return self._process.wait(), output

    @property
    def runs(self) -> bool:
        return self._process.poll() is None


@contextmanager
def _child(request: pytest.FixtureRequest, how: str) -> Iterator[_Child]:
    kind = request.node.callspec.params["new_loop"]
    process = subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", _PROGRAM, kind, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
    )
    guard = threading.Timer(GUARD, process.kill)
    guard.start()
    try:
        with process:
            yield _Child(process)
    finally:
        guard.cancel()
        process.kill()


def _answer_close(peer: RawPeer) -> None:
    """Do a client's part of the close handshake."""
    first, payload = peer.read_frame()
    assert first == 0x80 | CLOSE and payload[:2] == b"\x03\xe9"  # 1001
    peer.send_frame(CLOSE, payload[:2])
    assert peer.read_to_end() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_all_with_1001_and_the_process_ends_in_good_order(
    request: pytest.FixtureRequest, number: signal.Signals
) -> None:
    with _child(request, "until") as child:
        peers = [dial_upgraded(child.port) for _ in range(5)]
        peers[0].send_frame(TEXT, b"hello")
        assert peers[0].read_frame() == (0x81, b"hello")
        child.signal(number)
        for peer in peers:
            _answer_close(peer)
            peer.close()
        assert child.end() == (0, "in good order\n")


def test_a_second_signal_cuts_short_the_wait_for_busy_handlers(request: pytest.FixtureRequest) -> None:
    with (
        _child(request, "until") as child,
        dial_upgraded(child.port) as idle,
        dial_upgraded(child.port) as busy,
    ):
        busy.send_frame(TEXT, b"work")
        child.signal(signal.SIGTERM)
        _answer_close(idle)
        assert busy.read_close() == 1001
        with pytest.raises(ConnectionRefusedError):
            dial(child.port)
        assert child.runs
        child.signal(signal.SIGTERM)
        assert child.end() == (0, "in good order\n")


def test_a_storm_of_signals_does_no_harm(request: pytest.FixtureRequest) -> None:
    with _child(request, "until") as child, dial_upgraded(child.port) as peer:
        peer.send_frame(TEXT, b"storm")  # twenty at once: it is told to stop, and to make haste
        assert peer.read_close() == 1001
        assert child.end() == (0, "in good order\n")


def test_ctrl_c_stops_serve_forever_and_everybody_is_told(request: pytest.FixtureRequest) -> None:
    with _child(request, "forever") as child, dial_upgraded(child.port) as peer:
        peer.send_frame(TEXT, b"hello")
        assert peer.read_frame() == (0x81, b"hello")
        child.signal(signal.SIGINT)
        _answer_close(peer)
        status, output = child.end()
        assert status != 0 and "KeyboardInterrupt" in output and "never" not in output
