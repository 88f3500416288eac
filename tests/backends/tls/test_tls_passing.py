"""Input and output as backends pass them: plaintext for the core, the end of the stream, and failures."""

import ssl

import pytest

from support.certificates import Certificates
from support.tls_link import make_link
from wscore_tls import TLSFilter, pass_input, pass_output


class Core:
    """Writes down what it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.ends = 0

    def receive_data(self, data: bytes, now: float) -> None:
        assert now == 5.0
        self.data += data

    def receive_eof(self, now: float) -> None:
        assert now == 5.0
        self.ends += 1


Sides = tuple[TLSFilter, TLSFilter]


@pytest.fixture
def sides(certificates: Certificates, version: ssl.TLSVersion) -> Sides:
    link = make_link(certificates, version=version)
    return link.client, link.server


def test_pieces_leave_as_one_and_arrive(sides: Sides) -> None:
    client, server = sides
    core = Core()
    (encrypted,) = pass_output(client, [b"one", b"two"])
    assert pass_input(server, encrypted[:4], core, 5.0) is None
    assert (core.data, core.ends) == (b"", 0)
    assert pass_input(server, encrypted[4:], core, 5.0) is None
    assert (core.data, core.ends) == (b"onetwo", 0)
    assert pass_output(server, []) == []


def test_what_tls_itself_has_to_say_leaves_without_pieces(sides: Sides) -> None:
    client, server = sides
    client.close()
    (close_notify,) = pass_output(client, [])
    core = Core()
    assert pass_input(server, close_notify, core, 5.0) is None
    assert (core.data, core.ends) == (b"", 1)


def test_the_end_of_the_transport_is_the_end(sides: Sides) -> None:
    core = Core()
    assert pass_input(sides[1], b"", core, 5.0) is None
    assert (core.data, core.ends) == (b"", 1)


def damaged(records: bytes) -> bytes:
    return records[:-1] + bytes([records[-1] ^ 1])


@pytest.mark.parametrize(("before", "data"), [(b"", b""), (b"good", b"good")], ids=["at once", "later"])
def test_a_failure_is_returned_behind_what_was_readable(sides: Sides, before: bytes, data: bytes) -> None:
    client, server = sides
    first = b"".join(pass_output(client, [before] if before else []))
    second = b"".join(pass_output(client, [b"bad"]))
    core = Core()
    failed = pass_input(server, first + damaged(second), core, 5.0)
    assert isinstance(failed, ssl.SSLError)
    assert (core.data, core.ends) == (data, 1)
    (alert,) = pass_output(server, [])
    other = Core()
    assert isinstance(pass_input(client, alert, other, 5.0), ssl.SSLError)
    assert (other.data, other.ends) == (b"", 1)
    assert isinstance(pass_input(server, second, core, 5.0), ssl.SSLError)
