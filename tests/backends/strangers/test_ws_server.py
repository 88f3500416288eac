"""Our client against the server of npm's ws."""

import pytest

from support.our_client_suite import *  # noqa: F403  # the tests that every server gets
from support.our_clients_in_brief import *  # noqa: F403  # and those of every backend
from support.stranger_ws import NodeProcess, ws_play
from support.strangers import Play

pytestmark = pytest.mark.strangers

_NO_TLS = "the key of an SSLContext cannot be told to another process"
LACKS = {
    "test_each_backend_speaks_tls_to_the_end": _NO_TLS,
    "test_each_backend_leaves_whom_it_does_not_trust": _NO_TLS,
    "test_over_tls_everything_arrives_and_it_sees_our_close": _NO_TLS,
    "test_over_tls_its_close_reaches_us": _NO_TLS,
    "test_a_certificate_of_an_unknown_authority_is_not_accepted": _NO_TLS,
    "test_without_a_context_only_the_authorities_of_the_system_count": _NO_TLS,
    "test_a_certificate_for_another_name_is_not_accepted": _NO_TLS,
}


@pytest.fixture
def play(node: NodeProcess) -> Play:
    return ws_play(node)
