"""aiohttp's client against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_aiohttp import aiohttp_dial
from support.strangers import Dial, LoopThread

pytestmark = pytest.mark.strangers

_NO_FRAGMENTS = "aiohttp sends a message in one frame"
LACKS = {
    "test_fragments_come_back_as_one_message": _NO_FRAGMENTS,
    "test_each_backend_echoes_fragments_as_one_message": _NO_FRAGMENTS,
}


@pytest.fixture
def dial(loop: LoopThread) -> Dial:
    return aiohttp_dial(loop)
