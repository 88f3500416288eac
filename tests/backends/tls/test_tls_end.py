"""The end of a connection: what is clean, what is cut, and what still flows when one side has closed."""

import ssl

import pytest

from support.certificates import Certificates
from support.tls_link import SPLITS, Split, make_link
from wscore_tls import TLSFilter


@pytest.mark.parametrize("split", SPLITS)
def test_both_sides_close_and_neither_is_truncated(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    link = make_link(certificates, version=version, split=split)
    link.client.send(b"goodbye")
    link.client.close()
    link.settle()
    assert link.server_received == b"goodbye"
    assert link.server.eof
    assert not link.client.eof
    link.server.close()
    link.settle()
    for side in (link.client, link.server):
        assert side.receive_eof() == []
        assert side.eof
        assert not side.truncated
        assert side.error is None


@pytest.mark.parametrize("split", SPLITS)
def test_after_our_close_the_peer_is_still_heard(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    link = make_link(certificates, version=version, split=split)
    link.client.close()
    link.settle()
    for part in (b"late", b" and ", b"later"):
        link.server.send(part)
        link.settle()
    assert not link.client.eof
    link.server.close()
    link.settle()
    assert link.client_received == b"late and later"
    assert link.client.eof
    assert not link.client.truncated


def test_close_in_the_middle_of_a_record_loses_nothing(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    message = b"a record in two parts"
    for cut in range(len(message)):  # within the record's header, and behind it
        link = make_link(certificates, version=version)
        link.server.send(message)
        record = link.server.data_to_send()
        assert link.client.receive_data(record[:cut]) == []
        link.client.close()
        assert link.client.receive_data(record[cut:]) == [message]
        assert link.client.error is None


@pytest.mark.parametrize("split", SPLITS)
def test_close_before_session_tickets_arrive_loses_nothing(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    link = make_link(certificates, version=version, established=False, split=split)
    while not link.server.established:
        link.to_server()
        if not link.server.established:
            link.to_client()
    # TLS 1.3: the tickets are under way, as plain data behind the handshake would be.
    link.server.send(b"behind the tickets")
    link.client.close()
    link.settle()
    link.server.close()
    link.settle()
    assert link.client_received == b"behind the tickets"
    assert link.client.eof
    assert not link.client.truncated


def test_simultaneous_close_is_clean(certificates: Certificates, version: ssl.TLSVersion) -> None:
    link = make_link(certificates, version=version)
    link.client.close()
    link.server.close()
    link.settle()
    for side in (link.client, link.server):
        assert side.eof
        assert not side.truncated
        assert side.error is None


@pytest.mark.parametrize("split", SPLITS)
def test_close_before_the_handshake_waits_behind_held_data(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    link = make_link(certificates, version=version, split=split, established=False)
    link.server.send(b"hello")
    link.client.send(b"only this")
    link.client.close()
    link.server.close()
    link.settle()
    assert link.server_received == b"only this"
    assert link.client_received == b"hello"
    for side in (link.client, link.server):
        assert side.eof
        assert not side.truncated
        assert side.error is None


def test_close_is_idempotent_and_refuses_later_data(certificates: Certificates) -> None:
    link = make_link(certificates)
    link.client.close()
    assert link.client.data_to_send()
    link.client.close()
    assert not link.client.has_data_to_send
    with pytest.raises(ValueError, match="after close"):
        link.client.send(b"too late")


def test_close_after_the_transport_ended_is_harmless(certificates: Certificates) -> None:
    link = make_link(certificates)
    link.client.receive_eof()
    link.client.send(b"you may still read")
    link.client.close()
    link.to_server()
    assert link.server_received == b"you may still read"
    assert link.server.eof
    assert not link.server.truncated


def test_what_follows_a_close_notify_is_discarded(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    link = make_link(certificates, version=version)
    link.server.send(b"last")
    link.server.close()
    wire = link.server.data_to_send()
    assert link.client.receive_data(wire + b"this is no record" + bytes(200_000)) == [b"last"]
    assert link.client.receive_data(b"nor is this") == []
    assert link.client.eof
    assert not link.client.truncated
    assert link.client.error is None
    link.client.send(b"answer")
    link.client.close()
    link.to_server()
    assert link.server_received == b"answer"
    assert link.server.eof


def record_stream(client: TLSFilter, messages: list[bytes]) -> tuple[bytes, list[int]]:
    """Send messages and close; return the ciphertext and where each message's record ends in it."""
    stream, ends = b"", []
    for message in messages:
        client.send(message)
        stream += client.data_to_send()
        ends.append(len(stream))
    client.close()
    return stream + client.data_to_send(), ends


def test_a_stream_cut_at_any_byte_is_truncated_and_gives_whole_records_only(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    messages = [b"first", b"the second one", b"3"]
    sample, _ = record_stream(make_link(certificates, version=version).client, messages)
    for cut in range(len(sample) + 1):
        link = make_link(certificates, version=version)
        stream, ends = record_stream(link.client, messages)
        assert link.server.receive_data(stream[:cut]) == messages[: sum(end <= cut for end in ends)]
        assert link.server.receive_eof() == []
        assert link.server.eof
        assert link.server.truncated is (cut < len(stream))


def test_data_after_a_truncation_is_ignored(certificates: Certificates) -> None:
    link = make_link(certificates)
    link.client.send(b"never seen")
    assert link.server.receive_eof() == []
    assert link.server.receive_eof() == []
    assert link.server.receive_data(link.client.data_to_send()) == []
    assert link.server.truncated
