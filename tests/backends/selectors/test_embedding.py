"""A reactor inside another loop: asyncio, and a plain poll."""

import asyncio
import select
import selectors
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from support.eventually import PATIENCE, background
from support.raw import RawListener, dial
from support.recorder import Recorder
from support.wire import PING, REQUEST, TEXT
from wscore import Config, Timeouts
from wscore_selectors import Reactor

from .conftest import Stage


async def _drive_in_asyncio(reactor: Reactor, until: Callable[[], object]) -> None:
    """Let asyncio's loop turn the reactor: its descriptor and its deadline are all that it knows of."""
    loop = asyncio.get_running_loop()
    turned = asyncio.Event()

    def turn() -> None:
        reactor.run_once(0)
        turned.set()

    loop.add_reader(reactor.fileno(), turn)
    try:
        while not until():
            turned.clear()
            deadline = reactor.next_deadline()
            timer = None if deadline is None else loop.call_later(max(deadline - monotonic(), 0), turn)
            await turned.wait()
            if timer is not None:
                timer.cancel()
    finally:
        loop.remove_reader(reactor.fileno())


def _drive_with_poll(reactor: Reactor, until: Callable[[], object]) -> None:
    """Let a plain poll turn the reactor: what it wants and its deadline are all that is known of it."""
    bits = {selectors.EVENT_READ: select.POLLIN, selectors.EVENT_WRITE: select.POLLOUT}
    bits[selectors.EVENT_READ | selectors.EVENT_WRITE] = select.POLLIN | select.POLLOUT
    while not until():
        poller = select.poll()
        for fd, events in reactor.wants().items():
            poller.register(fd, bits[events])
        deadline = reactor.next_deadline()
        poller.poll(None if deadline is None else max(deadline - monotonic(), 0.0) * 1000)
        reactor.run_once(0)


Drive = Callable[[Reactor, Callable[[], object]], None]


def _asyncio(reactor: Reactor, until: Callable[[], object]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            await _drive_in_asyncio(reactor, until)

    asyncio.run(main())


pytestmark = pytest.mark.skipif(not hasattr(select, "poll"), reason="there is no poll on this system")

EACH_LOOP = pytest.mark.parametrize("drive", [_asyncio, _drive_with_poll], ids=["asyncio", "poll"])


@EACH_LOOP
def test_both_sides_live_in_a_foreign_loop(drive: Drive) -> None:
    with Reactor() as reactor:
        echo, client = Recorder(replies=True), Recorder()
        server = reactor.serve(echo, "127.0.0.1")
        reactor.connect(f"ws://localhost:{server.port}", client)  # a thread looks the name up
        drive(reactor, lambda: client.session is not None)
        client.session.send("between two turns")
        client.session.send(bytes(900_000))  # more than the kernel takes at once
        drive(reactor, lambda: client.names.count("message") == 2)
        client.session.close()
        drive(reactor, lambda: client.names[-1] == echo.names[-1] == "close")
        assert client.calls[1:] == [
            ("message", "between two turns"),
            ("message", bytes(900_000)),
            ("close", 1000, ""),
        ]


@EACH_LOOP
def test_timers_of_the_protocol_fire_in_a_foreign_loop(drive: Drive) -> None:
    """Keepalive: the ping leaves although nothing but the deadline says that it is time."""
    with Reactor() as reactor, RawListener() as listener:
        client = Recorder()
        config = Config(timeouts=Timeouts(keepalive=0.05, pong=0.1))
        reactor.connect(listener.url, client, config=config)
        accepting = background(listener.accept_upgrade)
        drive(reactor, lambda: client.names[-1:] == ["close"])
        assert accepting.result().read_frame()[0] == 0x80 | PING
        assert client.calls[-1][:2] == ("close", 1006)


def test_what_is_sent_between_two_turns_leaves_at_once(stage: Stage) -> None:
    peer, session = stage.peer_of(Recorder())
    session.send("now")
    assert peer.read_frame() == (0x80 | TEXT, b"now")  # without another turn


@pytest.mark.parametrize("act", ["timer", "call", "abort", "resume"])
def test_what_is_begun_between_two_turns_makes_the_descriptor_readable(stage: Stage, act: str) -> None:
    """A foreign loop that sleeps would not ask for the deadline again."""
    recorder = Recorder()
    peer, session = stage.peer_of(recorder)
    session.suspend()
    peer.send_frame(TEXT, b"waits")
    stage.drive(lambda: session.stats.messages_received == 1)
    stage.turns(2)
    watched = select.poll()
    watched.register(stage.reactor.fileno(), select.POLLIN)
    assert not watched.poll(0)
    actions: dict[str, Callable[[], Any]] = {
        "timer": lambda: stage.reactor.call_later(1, print),
        "call": lambda: stage.reactor.call_soon_threadsafe(print),
        "abort": session.abort,
        "resume": session.resume,
    }
    actions[act]()
    assert watched.poll(1000)


def test_hooks_are_called_in_turns_alone(stage: Stage) -> None:
    """Whoever closes, aborts or sends between two turns finds no hook called under their hands."""
    recorder = Recorder()
    _, session = stage.peer_of(recorder)
    session.abort()
    assert recorder.names == ["connect"]
    stage.turns(1)
    assert recorder.names == ["connect", "error", "close"]


def test_what_the_reactor_wants_names_every_socket(stage: Stage) -> None:
    before = stage.reactor.wants()
    server = stage.reactor.serve(Recorder(), "127.0.0.1")
    listening = stage.reactor.wants()
    assert len(listening) == len(before) + 1
    with dial(server.port) as peer:
        peer.send(REQUEST)
        stage.drive(lambda: len(stage.reactor.wants()) == len(listening) + 1)
