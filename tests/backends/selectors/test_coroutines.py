"""Coroutine functions are refused before anything is opened: nobody would ever run them."""

from typing import Any

import pytest

from wscore import Endpoint
from wscore._typing import override
from wscore_selectors import Reactor


async def handler(session: Any) -> None: ...


class Awaited(Endpoint):
    @override
    async def on_message(self, session: Any, message: str | bytes) -> None: ...


@pytest.mark.parametrize("each", [handler, Awaited, Awaited()], ids=["function", "class", "instance"])
def test_neither_server_nor_client_takes_a_coroutine_function(each: Any) -> None:
    with Reactor() as reactor:
        with pytest.raises(TypeError):
            reactor.serve(each, "127.0.0.1")
        with pytest.raises(TypeError):
            reactor.connect("ws://127.0.0.1:1", each)
