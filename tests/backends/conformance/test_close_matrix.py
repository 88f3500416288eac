"""The close matrix: the end comes in time and with the right code, whatever the peer does meanwhile."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from support.conformance.facade import Driver
from support.conformance.matrix import ROWS, Row, Situation, play
from support.conformance.setting import Contexts, Setting
from support.eventually import background, eventually
from support.raw import RawListener, RawPeer
from support.stopwatch import within
from support.wire import REQUEST
from wscore import Config, Role, Timeouts, WSCoreError

_DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(params=["wss-and-ws", pytest.param("ws-and-wss", marks=pytest.mark.slow)], name="crossed")
def crossed_fixture(
    request: pytest.FixtureRequest, driver: Driver, contexts: Contexts
) -> tuple[Setting, Setting]:
    """We as a server and as a client; one of them with TLS."""
    server, client = (contexts, None) if request.param == "wss-and-ws" else (None, contexts)
    return Setting(driver, Role.SERVER, server), Setting(driver, Role.CLIENT, client)


def _descriptors() -> int:
    return len(os.listdir(_DESCRIPTORS)) if _DESCRIPTORS.exists() else 0


def test_every_row_of_the_matrix_ends_in_time_and_leaves_nothing_behind(
    crossed: tuple[Setting, Setting],
) -> None:
    play(crossed, ROWS[:1], at_once=1)  # so that what comes with the first connection is there
    eventually(lambda: not crossed[0].driver.left_behind())
    before = _descriptors()
    play(crossed, ROWS, at_once=24)
    eventually(lambda: _descriptors() <= before)


@pytest.mark.slow
@pytest.mark.parametrize("situation", Situation, ids=lambda situation: situation.name.lower())
def test_every_row_alone_ends_within_half_a_second_of_its_time(
    setting: Setting, situation: Situation
) -> None:
    rows: tuple[Row, ...] = tuple(row for row in ROWS if row.situation is situation)
    play([setting], rows, at_once=1)


# Before the connection is open.

OPEN_TIMEOUT = 0.3


def _flood(peer: RawPeer) -> None:
    never = threading.Event()
    while not never.wait(0.001):
        peer.send(b"\0" * 1000)


WAYS: dict[str, Callable[[RawPeer], object]] = {
    "silent": lambda _: None,
    "begins": lambda peer: peer.send(b"GET / HTTP/1.1\r\n" if peer.masks else b"HTTP/1.1 101 Switching"),
    "fin": RawPeer.close,
    "half": RawPeer.end_writing,
    "rst": RawPeer.reset,
    "garbage": lambda peer: peer.send(b"\xff" * 100),
    "flood": _flood,
}


def test_a_client_gives_up_in_time_whatever_the_server_does(dialling: Setting) -> None:
    config = Config(timeouts=Timeouts(open=OPEN_TIMEOUT))

    def act(setting: Setting, listener: RawListener, way: Callable[[RawPeer], object]) -> None:
        peer = setting.secured(listener.accept())
        peer.read_head()
        way(peer)

    def try_one(way: Callable[[RawPeer], object]) -> None:
        with RawListener() as listener:
            with within(OPEN_TIMEOUT + 0.5):
                opening = background(lambda: dialling.connect(dialling.url(listener), config=config))
                acting = background(lambda: act(dialling, listener, way))
                error = opening.error()
            assert isinstance(error, WSCoreError | OSError), error
        assert isinstance(acting.error(), OSError | None)  # the listener has closed what it accepted

    for task in [background(lambda way=way: try_one(way)) for way in WAYS.values()]:  # type: ignore[misc]
        task.result()


def test_a_server_gives_up_in_time_whatever_the_client_does(serving: Setting) -> None:
    config = Config(timeouts=Timeouts(open=OPEN_TIMEOUT))

    def try_one(port: int, way: Callable[[RawPeer], object]) -> None:
        with serving.dial_bare(port) as peer:
            acting = background(lambda: way(peer))
            with within(OPEN_TIMEOUT + 1.0 + 0.5), suppress(OSError):  # it was reset, or has left itself
                assert b" 101 " not in peer.read_to_end()
            peer.close()
            assert isinstance(acting.error(), OSError | None)

    with serving.serve(config=config) as served:
        tasks = [background(lambda way=way: try_one(served.port, way)) for way in WAYS.values()]  # type: ignore[misc]
        for task in tasks:
            task.result()
        with serving.dial_bare(served.port) as peer:
            peer.upgrade(REQUEST)
            served.accept(None)
