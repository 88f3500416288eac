"""Counting what comes back, and the frames that are sent."""

import socket
import zlib
from collections.abc import Iterator

import pytest

from benchmarks import wire
from benchmarks.lanes import FrameLane, Lane
from wscore import Config as Settings
from wscore import Connection, Deflate, Role


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


def frames() -> bytes:
    """Frames with each of the three forms of length."""
    sizes = (0, 1, 125, 126, 300, 65535, 65536, 5)
    return b"".join(wire.frame(wire.BINARY, bytes(size), masked=False) for size in sizes)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 128, 4096, 65536, 1_000_000])
def test_frames_are_counted_however_they_are_cut(sock: socket.socket, step: int) -> None:
    lane, data = FrameLane(sock, b"", 8), frames()
    lane.await_one()
    buffer = bytearray(step)
    done = []
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        buffer[: len(piece)] = piece
        done.append(lane.take(buffer, len(piece)))

    assert done[-1] and not any(done[:-1])


def test_bytes_are_counted_down_and_more_than_expected_is_an_error(sock: socket.socket) -> None:
    lane = Lane(sock, b"block", 10)
    lane.begin()

    assert not lane.take(bytearray(9), 9)
    assert lane.take(bytearray(1), 1)
    with pytest.raises(ConnectionError, match="1 bytes more"):
        lane.take(bytearray(1), 1)


def test_what_the_kernel_has_no_room_for_is_sent_later(sock: socket.socket) -> None:
    sock.setblocking(False)
    lane = Lane(sock, bytes(10_000_000), 1)

    assert not lane.begin()
    assert lane.rest is not None and 0 < len(lane.rest) < 10_000_000


@pytest.mark.parametrize("size", [0, 100, 126, 65536])
def test_a_core_reads_the_frames(size: int) -> None:
    payload = wire.payload(wire.TEXT, size)
    core = Connection.established(Role.SERVER, now=0.0)
    core.next_event()
    core.receive_data(wire.frame(wire.TEXT, payload, masked=True), 0.0)

    assert core.next_event() == payload.decode()


def test_compressed_messages_can_be_sent_again_and_again() -> None:
    config = Settings(compression=Deflate())
    extensions = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    core = Connection.established(Role.SERVER, config, extensions=extensions, now=0.0)
    core.next_event()
    payloads = wire.json_payloads()[:4]
    block = b"".join(
        wire.frame(wire.TEXT, wire.deflate(each), masked=True, compressed=True) for each in payloads
    )
    core.receive_data(block * 2, 0.0)

    assert [core.next_event() for _ in range(8)] == [each.decode() for each in payloads] * 2


def test_json_messages_are_about_1_kib_and_can_be_compressed_but_not_to_nothing() -> None:
    payloads = wire.json_payloads()

    assert payloads == wire.json_payloads()
    assert len(set(payloads)) == wire.JSON_MESSAGES
    assert all(900 < len(each) < 1150 for each in payloads)
    assert all(0.3 < len(zlib.compress(each)) / len(each) < 0.8 for each in payloads)


def test_an_opening_request_is_answered_as_rfc_6455_shows() -> None:
    answer = wire.response(wire.request(80, compressed=False))

    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
