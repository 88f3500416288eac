"""The ``websocket-client`` library against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_websocket_client import dial_websocket_client
from support.strangers import Dial

pytestmark = pytest.mark.strangers

_NO_DEFLATE = "websocket-client cannot compress"
LACKS = {
    "test_sixteen_mebibytes_come_back[compression offered]": _NO_DEFLATE,
    "test_compression_is_declined_and_messages_come_as_they_are": _NO_DEFLATE,
    "test_each_backend_echoes_compressed_messages": _NO_DEFLATE,
    "test_compressed_messages_come_back_as_they_were_sent": _NO_DEFLATE,
    "test_a_message_over_its_limit_ends_with_1009": "websocket-client has no limit",
}

_WANTS_ONE = "websocket-client leaves when none of the subprotocols that it offered is chosen"
DEFECTS = {
    "test_a_subprotocol_is_agreed_on[nothing known]": _WANTS_ONE,
    "test_a_subprotocol_is_agreed_on[nothing in common]": _WANTS_ONE,
    "test_a_subprotocol_is_agreed_on[names are told apart by case]": _WANTS_ONE,
}


@pytest.fixture
def dial() -> Dial:
    return dial_websocket_client
