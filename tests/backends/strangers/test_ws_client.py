"""The client of npm's ws against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_ws import NodeProcess, ws_dial
from support.strangers import Dial

pytestmark = pytest.mark.strangers

_WANTS_ONE = "ws leaves when none of the subprotocols that it offered is chosen, as browsers do"
DEFECTS = {
    "test_a_subprotocol_is_agreed_on[nothing known]": _WANTS_ONE,
    "test_a_subprotocol_is_agreed_on[nothing in common]": _WANTS_ONE,
    "test_a_subprotocol_is_agreed_on[names are told apart by case]": _WANTS_ONE,
}


@pytest.fixture
def dial(node: NodeProcess) -> Dial:
    return ws_dial(node)
