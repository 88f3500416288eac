"""Our client against picows's server."""

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.our_clients_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_picows import picows_play
from support.strangers import LoopThread, Play

pytestmark = pytest.mark.strangers

LACKS = {
    "test_compressed_messages_come_back_as_we_sent_them": "picows cannot compress",
    "test_each_backend_gets_compressed_messages_back": "picows cannot compress",
}


@pytest.fixture
def play(loop: LoopThread) -> Play:
    return picows_play(loop)
