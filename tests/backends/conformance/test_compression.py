"""Compression (RFC 7692) through sessions: exact, short on the wire, and its sender's choice."""

import zlib

from support.conformance.frames import frame_from, read_message
from support.conformance.setting import Setting
from support.eventually import background
from support.handshakes import plus
from support.wire import PING, PONG, TEXT
from wscore import Config, ConnectionClosed, Deflate, Limits

COMPRESSED = Config(compression=Deflate())
OFFER = plus(b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover")
RSV1 = 0x40


def deflated(data: bytes) -> bytes:
    """Compress a message as RFC 7692 section 7.2.1 says."""
    compress = zlib.compressobj(wbits=-12)
    return (compress.compress(data) + compress.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_messages_are_exact_and_short_on_the_wire(serving: Setting) -> None:
    with serving.pair(client=COMPRESSED, server=COMPRESSED) as (ours, theirs):
        assert ours.native.extensions.startswith("permessage-deflate")
        assert theirs.native.extensions == ours.native.extensions
        for message in ("ä" * 100_000, b"\x00" * 500_000, "short", b""):
            ours.send(message)
            assert theirs.recv() == message
            theirs.send(message)
            assert ours.recv() == message
        assert ours.stats.wire_received < 10_000 and theirs.stats.wire_received < 10_000


def test_the_sender_of_a_message_decides_whether_it_is_compressed(backend: Setting) -> None:
    with backend.pair(client=COMPRESSED, server=COMPRESSED) as (ours, theirs):
        ours.send(b"a" * 50_000, compress=False)
        assert theirs.recv() == b"a" * 50_000
        plain = theirs.stats.wire_received
        assert plain > 50_000
        ours.send(b"a" * 50_000, compress=True)
        assert theirs.recv() == b"a" * 50_000
        assert theirs.stats.wire_received - plain < 1_000


def test_without_an_agreement_messages_are_plain(backend: Setting) -> None:
    with backend.pair(client=COMPRESSED) as (ours, theirs):
        assert ours.native.extensions == theirs.native.extensions == ""
        ours.send(b"a" * 50_000)
        assert theirs.recv() == b"a" * 50_000
        assert theirs.stats.wire_received > 50_000


def test_a_compressed_message_in_fragments_around_a_ping_is_whole(serving: Setting) -> None:
    with serving.serve(config=COMPRESSED) as served, serving.dial_bare(served.port) as peer:
        assert b"permessage-deflate" in peer.upgrade(OFFER)
        session = served.accept()
        data = deflated(b"hello " * 1000)
        peer.send(frame_from(peer, TEXT, data[:5], final=False, rsv=RSV1))
        peer.send_frame(PING, b"?")
        assert peer.read_frame() == (0x80 | PONG, b"?")
        peer.send(frame_from(peer, 0, data[5:]))
        assert session.recv() == "hello " * 1000
        session.send("hello " * 1000)
        first, payload = peer.read_frame()
        assert first == 0x80 | RSV1 | TEXT
        assert zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff") == b"hello " * 1000
        session.send("short", compress=False)
        assert read_message(peer) == (TEXT, b"short")


def test_a_bomb_ends_with_1009(serving: Setting) -> None:
    config = Config(compression=Deflate(), limits=Limits(max_message_size=100_000))
    with serving.serve(config=config) as served, serving.dial_bare(served.port) as peer:
        peer.upgrade(OFFER)
        receiving = background(served.accept().recv)
        peer.send(frame_from(peer, TEXT, deflated(b"\0" * 10_000_000), rsv=RSV1))
        assert peer.read_close() == 1009
        peer.send_close(1009)
        assert isinstance(receiving.error(), ConnectionClosed)
