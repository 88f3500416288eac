"""Our client against tornado's server."""

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.our_clients_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_tornado import tornado_play
from support.strangers import LoopThread, Play

pytestmark = pytest.mark.strangers

LACKS = {
    "test_fragments_arrive_as_one_message": "tornado sends a message in one frame",
    "test_each_backend_receives_fragments_as_one_message": "tornado sends a message in one frame",
    "test_its_pings_and_unasked_pongs_are_shown_to_an_endpoint": "tornado cannot send a pong unasked",
}


@pytest.fixture
def play(loop: LoopThread) -> Play:
    return tornado_play(loop)
