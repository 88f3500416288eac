"""A message that is made once and sent on many connections: its frames, and the contexts of who gets it."""

import threading
from collections.abc import Hashable
from typing import Any

import pytest

from support.run_length import NAME, RunLength, RunLengthCodec, pack
from support.wire import mask, opened, read_frames
from wscore import (
    Config,
    Connection,
    Deflate,
    Limits,
    LocalProtocolError,
    PreparedMessage,
    Role,
    WriteBufferFull,
)
from wscore._codes import Opcode
from wscore._prepared import encode_bytes, encode_message, encode_text
from wscore.testing import Pair, drain

TEXT = "gr\xfc\xdfe, gr\xfc\xdfe, gr\xfc\xdfe"


# What goes in.


@pytest.mark.parametrize(
    ("message", "opcode", "payload"),
    [
        ("", Opcode.TEXT, b""),
        ("gr\xfc\xdfe \U0001f600", Opcode.TEXT, b"gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80"),
        (b"", Opcode.BINARY, b""),
        (b"\xff\x00", Opcode.BINARY, b"\xff\x00"),
        (bytearray(b"ab"), Opcode.BINARY, b"ab"),
        (memoryview(b"abcdef")[::2], Opcode.BINARY, b"ace"),
    ],
)
def test_text_and_bytes_become_a_payload(message: Any, opcode: Opcode, payload: bytes) -> None:
    prepared = PreparedMessage(message)
    assert (prepared.opcode, prepared.payload, prepared.compress) == (opcode, payload, None)
    assert encode_message(message) == (opcode, payload)
    assert type(prepared.payload) is bytes


@pytest.mark.parametrize("message", [None, 5, [1, 2]], ids=repr)
def test_anything_else_has_a_wrong_type(message: Any) -> None:
    with pytest.raises(TypeError):
        PreparedMessage(message)


@pytest.mark.parametrize("message", ["\ud800", "ok \udfff"], ids=ascii)
def test_lone_surrogates_are_the_callers_mistake(message: str) -> None:
    with pytest.raises(LocalProtocolError, match="lone surrogates"):
        PreparedMessage(message)


@pytest.mark.parametrize("choice", [0, 1, "yes"])
def test_whether_to_compress_is_yes_or_no_or_not_said(choice: Any) -> None:
    with pytest.raises(TypeError):
        PreparedMessage("a", compress=choice)


@pytest.mark.parametrize("text", [b"x", None, 5])
def test_text_must_be_text(text: Any) -> None:
    with pytest.raises(TypeError):
        encode_text(text)


def test_bytes_must_be_bytes_like() -> None:
    wrong: Any = "x"
    with pytest.raises(TypeError):
        encode_bytes(wrong)


def test_what_was_prepared_does_not_change_with_the_callers_buffer() -> None:
    buffer = bytearray(b"abc")
    prepared = PreparedMessage(buffer)
    buffer[:] = b"xyz"
    assert prepared.payload == b"abc"


# The frames.


def test_a_servers_frames_are_made_once_for_each_size_and_are_not_copied() -> None:
    prepared = PreparedMessage(bytes(50_000))
    taken = []
    for _ in range(100):
        connection = opened(Role.SERVER)
        connection.send_prepared(prepared)
        taken += connection.data_to_send(0.0)
    big = [piece for piece in taken if len(piece) == 50_000]
    assert len(big) == 100 and all(piece is prepared.payload for piece in big)
    assert len({id(piece) for piece in taken}) == 2  # it, and its header
    for size in (20_000, 20_000, 30_000):
        other = opened(Role.SERVER, Config(fragment_size=size))
        other.send_prepared(prepared)
        assert len(read_frames(drain(other, 0.0).sent)) == (3 if size == 20_000 else 2)
        assert prepared.frames(None, size) is prepared.frames(None, size)


def test_frames_are_made_when_they_are_needed_first() -> None:
    prepared = PreparedMessage("x")
    assert not prepared._frames
    assert prepared.frames(None, None) == [[b"\x81\x01x"]]
    assert prepared.frames(None, None) is prepared.frames(None, None)


def test_a_client_masks_each_time_anew() -> None:
    connection, prepared = opened(Role.CLIENT), PreparedMessage("Hello")
    for number in range(2, 5):  # it has drawn once, for the handshake
        connection.send_prepared(prepared)
        key = number.to_bytes(4, "big")
        assert drain(connection, 0.0).sent == b"\x81\x85" + key + mask(b"Hello", key)


@pytest.mark.parametrize("role", Role)
def test_it_counts_like_any_message_and_is_refused_like_one(role: Role) -> None:
    connection = opened(role, Config(limits=Limits(outbox_limit=20)))
    connection.send_prepared(PreparedMessage(bytes(30)))
    assert (connection.stats.messages_sent, connection.stats.payload_sent) == (1, 30)
    before = connection.buffered_amount
    with pytest.raises(WriteBufferFull):
        connection.send_prepared(PreparedMessage(b"x"))
    assert (connection.buffered_amount, connection.stats.messages_sent) == (before, 1)
    assert read_frames(drain(connection, 0.0).sent) == [(0x82, bytes(30))]


# An extension.


def using(extension: RunLength) -> Connection:
    """Return an open server that uses extension."""
    config = Config(compression=extension)
    connection = Connection.established(Role.SERVER, config, extensions=NAME, now=0.0)
    drain(connection, 0.0)
    return connection


def test_it_is_encoded_once_for_all_that_would_encode_it_alike() -> None:
    extension, prepared = RunLength(), PreparedMessage(b"aaab")
    for _ in range(5):
        connection = using(extension)
        connection.send_prepared(prepared)
        assert drain(connection, 0.0).sent == b"\xc2\x04\x03a\x01b"
    calls = [call for codec in extension.made for call in codec.calls]
    assert (calls.count("encode alone"), calls.count("sent alone"), len(calls)) == (1, 5, 6)
    # Whoever does not want it encoded, or has no extension, gets it as it is.
    for connection in (using(RunLength(threshold=5)), opened(Role.SERVER)):
        connection.send_prepared(prepared)
        assert drain(connection, 0.0).sent == b"\x82\x04aaab"


@pytest.mark.parametrize(("compress", "first"), [(None, 0x81), (True, 0xC1), (False, 0x81)])
def test_its_own_wish_counts_on_every_connection(compress: bool | None, first: int) -> None:
    prepared = PreparedMessage("aa", compress=compress)
    assert prepared.compress is compress
    for _ in range(2):
        connection = using(RunLength(threshold=100))
        connection.send_prepared(prepared)
        assert drain(connection, 0.0).sent[0] == first


def test_what_is_encoded_is_kept_for_each_set_of_parameters() -> None:
    class Keyed:
        """Stands for a codec: tells what it depends on, and counts."""

        def __init__(self, key: Hashable) -> None:
            self.key = key
            self.count = 0

        def alone(self) -> Hashable:
            return self.key

        def encode_alone(self, data: bytes) -> bytes:
            self.count += 1
            return repr(self.key).encode() + data

    prepared = PreparedMessage(b"x")
    codecs: list[Any] = [Keyed(key) for key in (1, 2, 1, (1, 2), (1, 2))]
    assert [prepared.encoded(codec) for codec in codecs] == [b"1x", b"2x", b"1x", b"(1, 2)x", b"(1, 2)x"]
    assert [codec.count for codec in codecs] == [1, 1, 0, 1, 0]
    frames = [prepared.frames(codec, None) for codec in codecs]
    assert [read_frames(b"".join(made[0])) for made in frames] == [
        [(0xC2, payload)] for payload in (b"1x", b"2x", b"1x", b"(1, 2)x", b"(1, 2)x")
    ]
    assert frames[0] is frames[2] and frames[3] is frames[4]
    assert prepared.frames(codecs[0], 1)[1:] == [[b"\x80\x01x"]]


# Compression with contexts: what the other side makes of it.


DEFLATES = [
    Deflate(threshold=0),
    Deflate(threshold=0, server_no_context_takeover=True),
    Deflate(threshold=0, server_no_context_takeover=True, client_no_context_takeover=True),
    Deflate(threshold=0, server_max_window_bits=9, client_max_window_bits=9),
    Deflate(threshold=0, server_max_window_bits=15, client_max_window_bits=15),
]


@pytest.mark.parametrize("deflate", DEFLATES)
@pytest.mark.parametrize("fragment_size", [None, 7])
def test_ordinary_messages_before_and_behind_are_still_decoded(
    deflate: Deflate, fragment_size: int | None
) -> None:
    config = Config(compression=deflate, fragment_size=fragment_size)
    pair, prepared = Pair(config, config), PreparedMessage(TEXT)
    pair.open()
    for sender in (pair.server, pair.client):
        sender.send_text(TEXT)
        sender.send_prepared(prepared)
        sender.send_text(TEXT)
        sender.send_prepared(prepared)
        sender.send_prepared(PreparedMessage(b"", compress=True))
        sender.send_bytes(TEXT.encode())
        sender.send_fragment(TEXT, False)
        sender.send_prepared(prepared)  # it waits
        sender.send_fragment(TEXT, True)
        sender.send_text(TEXT)
    pair.exchange()
    expected = [TEXT, TEXT, TEXT, TEXT, b"", TEXT.encode(), TEXT * 2, TEXT, TEXT]
    assert pair.client_events[1:] == expected
    assert pair.server_events[2:] == expected


def test_connections_with_different_parameters_get_frames_of_their_own() -> None:
    prepared = PreparedMessage(TEXT * 50)
    frames = set()
    for bits in (9, 15, 9, 15):
        deflate = Deflate(server_max_window_bits=bits)
        pair = Pair(Config(compression=deflate), Config(compression=deflate))
        pair.open()
        before = len(pair.server_wire)
        pair.server.send_prepared(prepared)
        pair.exchange()
        assert pair.client_events[-1] == TEXT * 50
        frames.add(pair.server_wire[before:])
    assert 1 <= len(frames) <= 2
    assert len(prepared._frames) == 2


# Threads.


def test_threads_may_share_it() -> None:
    prepared = PreparedMessage(b"aaab" * 1000)
    extension = RunLength()
    plain, encoded = prepared.payload, pack(prepared.payload)
    barrier, wrong = threading.Barrier(8), list[object]()

    def send(number: int) -> None:
        connections = [using(extension) if number % 2 else opened(Role.SERVER) for _ in range(5)]
        barrier.wait(30)
        for connection in connections:
            connection.send_prepared(prepared)
            [(first, payload)] = read_frames(drain(connection, 0.0).sent)
            if (first, payload) != ((0xC2, encoded) if number % 2 else (0x82, plain)):
                wrong.append((number, first, len(payload)))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (wrong, [thread for thread in threads if thread.is_alive()]) == ([], [])


def test_a_codec_that_repeats_nothing_is_asked_each_time() -> None:
    extension, prepared = RunLength(repeatable=False), PreparedMessage(b"aaa")
    connection = using(extension)
    codec = extension.made[0]
    assert isinstance(codec, RunLengthCodec)
    for _ in range(3):
        connection.send_prepared(prepared)
    assert codec.calls == ["encode the end"] * 3
    assert drain(connection, 0.0).sent == b"\xc2\x02\x03a" * 3
