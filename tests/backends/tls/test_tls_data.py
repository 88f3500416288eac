"""Application data: all of it, in order, in both directions, at a price that grows with its length alone."""

import gc
import random
import ssl
from array import array
from time import process_time

import pytest

from support.certificates import Certificates
from support.tls_link import SPLITS, Link, Split, make_link, random_pieces, single_bytes
from wscore_tls import TLSFilter

MEBIBYTE = 1 << 20


def noise(length: int) -> bytes:
    return random.Random(length).randbytes(length)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("length", [1, 16383, 16384, 16385, 100_000])
def test_data_arrives_however_the_wire_cuts(
    certificates: Certificates, version: ssl.TLSVersion, split: Split, length: int
) -> None:
    link = make_link(certificates, version=version, split=split)
    link.client.send(noise(length))
    link.settle()
    link.server.send(noise(length + 1))
    link.settle()
    assert link.server_received == noise(length)
    assert link.client_received == noise(length + 1)


@pytest.mark.parametrize("split", SPLITS)
def test_data_sent_before_the_handshake_follows_it_in_order(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    link = make_link(certificates, version=version, split=split, established=False)
    for side, name in ((link.client, b"client"), (link.server, b"server")):
        side.send(name)
        side.send(b"")
        side.send(b" and more")
    link.settle()
    link.client.send(b", then this")
    link.settle()
    assert link.server_received == b"client and more, then this"
    assert link.client_received == b"server and more"


def test_held_data_is_what_it_was_when_it_was_sent(certificates: Certificates) -> None:
    link = make_link(certificates, established=False)
    data = bytearray(b"before")
    link.client.send(memoryview(data))
    data[:] = b"after!"
    link.settle()
    assert link.server_received == b"before"


@pytest.mark.parametrize("established", [True, False])
def test_every_kind_of_bytes_can_be_sent(certificates: Certificates, established: bool) -> None:
    link = make_link(certificates, established=established)
    numbers = array("I", [1, 2, 3])
    for data in (b"bytes", bytearray(b"bytearray"), memoryview(b"-view-")[1:5], memoryview(numbers)):
        link.client.send(data)
    link.settle()
    assert link.server_received == b"bytesbytearrayview" + numbers.tobytes()


def test_empty_send_makes_no_record(certificates: Certificates) -> None:
    link = make_link(certificates)
    link.client.send(b"")
    assert not link.client.has_data_to_send
    assert link.server.receive_data(b"") == []


def test_pieces_are_never_empty_and_one_for_each_record(certificates: Certificates) -> None:
    link = make_link(certificates)
    for data in (b"one", b"two", b"three"):
        link.client.send(data)
    assert link.server.receive_data(link.client.data_to_send()) == [b"one", b"two", b"three"]


def test_plaintext_before_a_bad_record_is_returned_and_then_the_error_raised(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    link = make_link(certificates, version=version)
    link.client.send(b"good")
    good = link.client.data_to_send()
    link.client.send(b"evil")
    bad = bytearray(link.client.data_to_send())
    bad[-1] ^= 1
    assert link.server.receive_data(good + bytes(bad)) == [b"good"]
    assert link.server.error is not None
    assert link.server.eof
    assert link.server.truncated
    with pytest.raises(ssl.SSLError, match="DECRYPTION_FAILED_OR_BAD_RECORD_MAC"):
        link.server.receive_data(b"")
    link.to_client()
    assert link.client.error is not None
    assert link.client.error.reason == "SSLV3_ALERT_BAD_RECORD_MAC"


def test_after_a_failure_sending_and_closing_are_silent(certificates: Certificates) -> None:
    link = make_link(certificates)
    with pytest.raises(ssl.SSLError):
        link.server.receive_data(b"this is no record")
    link.server.data_to_send()
    link.server.send(b"nobody reads this")
    link.server.close()
    assert not link.server.has_data_to_send


@pytest.mark.parametrize("seed", range(50))
def test_no_damage_of_the_ciphertext_yields_wrong_plaintext(
    certificates: Certificates, version: ssl.TLSVersion, seed: int
) -> None:
    source = random.Random(seed)
    link = make_link(certificates, version=version, split=random_pieces)
    messages = [noise(source.randrange(1, 300)) for _ in range(5)]
    for message in messages:
        link.client.send(message)
    wire = bytearray(link.client.data_to_send())
    wire[source.randrange(len(wire))] ^= 1 << source.randrange(8)
    received = b""
    try:
        for piece in random_pieces(bytes(wire)):
            received += b"".join(link.server.receive_data(piece))
    except ssl.SSLError:
        assert link.server.has_data_to_send  # the alert
    assert len(received) < len(b"".join(messages))
    assert b"".join(messages).startswith(received)


def test_large_transfers_both_ways_at_once(certificates: Certificates, version: ssl.TLSVersion) -> None:
    def pieces(data: bytes) -> list[bytes]:
        return [data[start : start + 10_007] for start in range(0, len(data), 10_007)]

    link = make_link(certificates, version=version, split=pieces)
    for part in range(4):
        link.client.send(noise(MEBIBYTE + part))
        link.server.send(noise(MEBIBYTE - part))
        link.settle()
    assert link.server_received == b"".join(noise(MEBIBYTE + part) for part in range(4))
    assert link.client_received == b"".join(noise(MEBIBYTE - part) for part in range(4))


def seconds_for(link: Link, sends: int, length: int, split: Split) -> float:
    """The best of three: seconds to encrypt, carry and decrypt sends times length bytes."""
    link.split = split
    best = float("inf")
    for _ in range(3):
        link.server_received.clear()
        start = process_time()
        for _ in range(sends):
            link.client.send(bytes(length))
        link.settle()
        best = min(best, process_time() - start)
        assert len(link.server_received) == sends * length
    return best


@pytest.mark.parametrize(
    ("sends", "length", "split"),
    [
        pytest.param(1, 16 * MEBIBYTE, lambda data: [data], id="one long send"),
        pytest.param(20_000, 16, lambda data: [data], id="many records at once"),
        pytest.param(1, 60_000, single_bytes, id="byte by byte"),
    ],
)
def test_twice_as_much_takes_about_twice_as_long(
    certificates: Certificates, sends: int, length: int, split: Split
) -> None:
    link = make_link(certificates)
    more_sends, more_length = (sends, 2 * length) if sends == 1 else (2 * sends, length)
    # Three attempts, since the machine may be busy; what is quadratic gives 4 each time.
    ratios = []
    for _ in range(3):
        once = seconds_for(link, sends, length, split)
        ratios.append(seconds_for(link, more_sends, more_length, split) / once)
        if ratios[-1] < 3.0:
            return
    pytest.fail(f"twice as much took {ratios} times as long")


def refuse(tls: ssl.SSLObject, data: object) -> int:
    """Stand in for `ssl.SSLObject.write`, and do what it does when a key is used up or memory is short."""
    raise ssl.SSLError(1, "no more records")


def test_failure_to_encrypt_raises_and_stays(certificates: Certificates) -> None:
    context = certificates.client_context()
    context.sslobject_class = type("FullObject", (ssl.SSLObject,), {"write": refuse})
    client = TLSFilter(context, server_side=False, server_hostname="localhost")
    link = Link(client, TLSFilter(certificates.server_context(), server_side=True))
    link.settle()
    with pytest.raises(ssl.SSLError, match="no more records"):
        client.send(b"data")
    assert client.eof
    with pytest.raises(ssl.SSLError, match="no more records"):
        client.receive_data(b"")
    client.send(b"data")  # silent from here on


def test_failed_filter_is_freed_without_the_garbage_collector(certificates: Certificates) -> None:
    def alive() -> int:
        return sum(isinstance(thing, TLSFilter) for thing in gc.get_objects())

    def fail() -> None:
        server = TLSFilter(certificates.server_context(), server_side=True)
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                server.receive_data(b"this is no record")

    gc.collect()
    before = alive()
    gc.disable()
    try:
        fail()
        assert alive() == before
    finally:
        gc.enable()
