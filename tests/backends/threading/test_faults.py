"""Bad requests, as a bare socket sees the answers."""

import pytest

from support.bad_requests import GROUPS
from support.handshakes import SECOND_REQUEST, read_message
from support.raw import dial
from support.threaded import echo_server


@pytest.mark.parametrize("group", GROUPS)
def test_each_bad_request_gets_its_status_and_the_end_and_nothing_behind_it_is_read(group: str) -> None:
    expected, rows = GROUPS[group]
    with echo_server() as server:
        for name, data in rows.items():
            with dial(server.port) as peer:
                peer.send(data + SECOND_REQUEST)
                response = read_message(peer.read_to_end())
                assert response.status == expected.status, name
                assert b"close" in b", ".join(response.values(b"connection")), name
