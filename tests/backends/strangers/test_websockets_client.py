"""The clients of the `websockets` library against our server; it can send any part in a fragment."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_server_suite import HOST, Watched, echo, url_of, with_limit
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_cases import BIG
from support.stranger_websockets import WebsocketsPeer, asyncio_dial, dial_sync
from support.strangers import Dial, Ended, LoopThread, end_of
from wscore import Violation
from wscore_threading import serve

pytestmark = pytest.mark.strangers


@pytest.fixture(params=["sync", "asyncio"])
def dial(request: pytest.FixtureRequest, loop: LoopThread) -> Dial:
    return dial_sync if request.param == "sync" else asyncio_dial(loop)


def test_a_ping_between_fragments_is_answered(dial: Dial) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client:
        assert isinstance(client, WebsocketsPeer)
        client.send_fragments(["before", "after"], ping=b"between")
        assert client.recv() == "beforeafter"


def test_a_character_may_be_cut_by_fragments(dial: Dial) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client:
        assert isinstance(client, WebsocketsPeer)
        client.send_fragments([b"\xe2", b"\x82", b"\xac\xf0\x9f", b"", b"\x98\x80"], text=True)
        assert client.recv() == "\u20ac\U0001f600"


def test_text_that_ends_inside_a_character_ends_with_1007(dial: Dial) -> None:
    handler = Watched(echo)
    with serve(handler, HOST) as server, dial(url_of(server)) as client:
        assert isinstance(client, WebsocketsPeer)
        client.send_fragments([b"\xe2", b"\x82"], text=True)
        assert end_of(client) == (1007, Violation.INVALID_UTF8.sentence)
        assert handler.end().violation is Violation.INVALID_UTF8


def test_sixteen_mebibytes_in_fragments_come_back(dial: Dial) -> None:
    parts = [bytes([number]) * 65536 for number in range(256)]
    with (
        serve(echo, HOST, config=with_limit(BIG)) as server,
        dial(url_of(server), max_size=BIG) as client,
    ):
        assert isinstance(client, WebsocketsPeer)
        client.send_fragments(parts)
        assert client.recv() == b"".join(parts)


def test_fragments_that_add_up_to_more_than_our_limit_end_with_1009(dial: Dial) -> None:
    with serve(echo, HOST, config=with_limit(1024)) as server, dial(url_of(server)) as client:
        assert isinstance(client, WebsocketsPeer)
        try:
            client.send_fragments([b"x" * 100] * 11)
        except Ended:
            pass  # our Close may reach it while it sends
        assert end_of(client) == (1009, Violation.MESSAGE_TOO_BIG.sentence)
