"""aiohttp's client against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.stranger_aiohttp import aiohttp_dial
from support.strangers import Dial, LoopThread

pytestmark = pytest.mark.strangers


@pytest.fixture
def dial(loop: LoopThread) -> Dial:
    return aiohttp_dial(loop)
