"""Our client against wsproto as a server."""

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.our_clients_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_wsproto import play_wsproto
from support.strangers import Play

pytestmark = pytest.mark.strangers


@pytest.fixture
def play() -> Play:
    return play_wsproto
