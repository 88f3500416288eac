"""Our client against aiohttp's server."""

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.our_clients_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_aiohttp import aiohttp_play
from support.strangers import LoopThread, Play

pytestmark = pytest.mark.strangers

_NO_FRAGMENTS = "aiohttp sends a message in one frame"
LACKS = {
    "test_fragments_arrive_as_one_message": _NO_FRAGMENTS,
    "test_each_backend_receives_fragments_as_one_message": _NO_FRAGMENTS,
}


@pytest.fixture
def play(loop: LoopThread) -> Play:
    return aiohttp_play(loop)
