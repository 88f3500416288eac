"""tornado's client against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_tornado import tornado_dial
from support.strangers import Dial, LoopThread

pytestmark = pytest.mark.strangers

_NO_FLAGS = "tornado overlooks parameters without a value, client_no_context_takeover among them"
LACKS = {
    "test_fragments_come_back_as_one_message": "tornado sends a message in one frame",
    "test_each_backend_echoes_fragments_as_one_message": "tornado sends a message in one frame",
    "test_its_pings_and_unasked_pongs_are_shown_to_an_endpoint": "tornado cannot send a pong unasked",
}
DEFECTS = {
    "test_compressed_messages_come_back_as_they_were_sent[no contexts]": _NO_FLAGS,
}


@pytest.fixture
def dial(loop: LoopThread) -> Dial:
    return tornado_dial(loop)
