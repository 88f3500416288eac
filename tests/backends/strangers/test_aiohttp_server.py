"""Our client against aiohttp's server."""

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.stranger_aiohttp import aiohttp_play
from support.strangers import LoopThread, Play

pytestmark = pytest.mark.strangers


@pytest.fixture
def play(loop: LoopThread) -> Play:
    return aiohttp_play(loop)
