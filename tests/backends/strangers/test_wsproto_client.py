"""wsproto as a client against our server."""

import pytest

from support.our_server_suite import *  # noqa: F403  # the tests that every client gets
from support.our_servers_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_wsproto import dial_wsproto
from support.strangers import Dial

pytestmark = pytest.mark.strangers


@pytest.fixture
def dial() -> Dial:
    return dial_wsproto
