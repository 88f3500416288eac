"""Coroutine functions are refused before anything is opened: nobody would ever run them."""

from typing import Any, ClassVar

import pytest

import wscore_threading
from support.raw import dial_upgraded
from wscore import Endpoint
from wscore._typing import override
from wscore.policy import Accept


async def handler(session: Any) -> None: ...


class Awaited(Endpoint):
    @override
    async def on_message(self, session: Any, message: str | bytes) -> None: ...


@pytest.mark.parametrize("each", [handler, Awaited, Awaited()], ids=["function", "class", "instance"])
def test_neither_server_nor_client_takes_a_coroutine_function(each: Any) -> None:
    with pytest.raises(TypeError, match="wscore_asyncio"):
        wscore_threading.serve(each, "127.0.0.1")
    with pytest.raises(TypeError, match="wscore_asyncio"):
        wscore_threading.connect("ws://127.0.0.1:1", each)


class HalfAwaited(Endpoint):
    """Has one hook that would be run, and one that would not."""

    connected: ClassVar[list[Any]] = []

    @override
    def on_connect(self, session: Any) -> None:
        self.connected.append(session)

    @override
    async def on_message(self, session: Any, message: str | bytes) -> None: ...


@pytest.mark.parametrize("each", [handler, HalfAwaited], ids=["function", "class"])
def test_what_process_request_chooses_is_looked_at_before_anything_of_it_runs(
    each: Any, caplog: pytest.LogCaptureFixture
) -> None:
    serving = wscore_threading.serve(
        Endpoint, "127.0.0.1", process_request=lambda request: Accept(handler=each)
    )
    with serving as server, dial_upgraded(server.port) as peer:
        assert peer.read_close() == 1011
        peer.send_close(1011)
    assert "wscore_asyncio" in caplog.text
    assert not HalfAwaited.connected
