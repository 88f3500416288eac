"""picows's client against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_picows import picows_dial
from support.strangers import Dial, LoopThread

pytestmark = pytest.mark.strangers

_NO_DEFLATE = "picows cannot compress"
LACKS = {
    "test_sixteen_mebibytes_come_back[compression offered]": _NO_DEFLATE,
    "test_compression_is_declined_and_messages_come_as_they_are": _NO_DEFLATE,
    "test_each_backend_echoes_compressed_messages": _NO_DEFLATE,
    "test_compressed_messages_come_back_as_they_were_sent": _NO_DEFLATE,
}


@pytest.fixture
def dial(loop: LoopThread) -> Dial:
    return picows_dial(loop)
