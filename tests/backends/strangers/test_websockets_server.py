"""Our client against the servers of the `websockets` library; they can send any part in a fragment."""

import socket
from contextlib import suppress

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.our_client_suite import with_limit
from support.our_clients_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_cases import BIG
from support.stranger_websockets import WebsocketsPeer, asyncio_play, play_sync
from support.strangers import PATIENCE, Ended, LoopThread, Play, Stranger, end_of
from wscore import ConnectionClosed, Violation
from wscore_threading import connect

pytestmark = pytest.mark.strangers


@pytest.fixture(params=["sync", "asyncio"])
def play(request: pytest.FixtureRequest, loop: LoopThread) -> Play:
    return play_sync if request.param == "sync" else asyncio_play(loop)


def test_sixteen_mebibytes_in_fragments_arrive_and_a_ping_between_is_answered(play: Play) -> None:
    parts = [bytes([number]) * 65536 for number in range(256)]

    def script(server: Stranger) -> None:
        assert isinstance(server, WebsocketsPeer)
        server.send_fragments(parts, ping=b"between")
        server.send("answered")

    with play(script) as place, connect(f"ws://{place}", config=with_limit(BIG)) as session:
        assert session.recv(PATIENCE) == b"".join(parts)
        assert session.recv(PATIENCE) == "answered"


def test_a_character_may_be_cut_by_fragments(play: Play) -> None:
    def script(server: Stranger) -> None:
        assert isinstance(server, WebsocketsPeer)
        server.send_fragments([b"\xe2", b"\x82", b"\xac\xf0\x9f", b"", b"\x98\x80"], text=True)

    with play(script) as place, connect(f"ws://{place}") as session:
        assert session.recv(PATIENCE) == "\u20ac\U0001f600"


def test_text_that_is_not_utf8_ends_with_1007(play: Play) -> None:
    def script(server: Stranger) -> None:
        assert isinstance(server, WebsocketsPeer)
        with suppress(Ended):  # our answer may come before the call has returned
            server.send_fragments([b"fine so far", b"\xff"], text=True)
        assert end_of(server) == (1007, Violation.INVALID_UTF8.sentence)

    with play(script) as place, connect(f"ws://{place}") as session:
        with pytest.raises(ConnectionClosed) as end:
            session.recv(PATIENCE)
        assert end.value.closed.violation is Violation.INVALID_UTF8


def test_where_nobody_listens_the_connection_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # keeps the port from others, and does not listen
        with pytest.raises(ConnectionRefusedError):
            connect(f"ws://127.0.0.1:{bound.getsockname()[1]}/")
