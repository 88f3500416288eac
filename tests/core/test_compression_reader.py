"""The reader and the writer of `support`, by which compression is judged, judged by zlib and by RFC 1951."""

import random
import zlib

import pytest

from support.deflate_reader import BlockType, DeflateError, MessageReader, read
from support.deflate_writer import DeflateWriter
from support.deflated import deflate, whole_stream

CHOOSER = random.Random(11)
SAMPLES = {
    "nothing": b"",
    "a byte": b"x",
    "a run": b"z" * 1000,
    "words": b" ".join(CHOOSER.choice([b"some", b"words", b"again"]) for _ in range(400)),
    "noise": CHOOSER.randbytes(3000),
    "a mixture": b"".join(CHOOSER.randbytes(20) + b"between " * CHOOSER.randrange(4) for _ in range(150)),
}
STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("level", [0, 1, 9])
def test_the_reader_reads_what_zlib_writes(data: bytes, strategy: int, level: int) -> None:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -12, 1, strategy)
    written = compressor.compress(data) + compressor.flush()
    reading = read(written)
    assert reading.data == data and reading.ended and reading.used == len(written)
    assert reading.farthest <= min(len(data), 4096) and reading.into_history == 0
    if strategy == zlib.Z_FIXED and level:
        assert BlockType.DYNAMIC not in reading.blocks
    if level == 0:
        assert set(reading.blocks) == {BlockType.STORED}


def test_zlib_reads_what_the_writer_writes() -> None:
    for distance in [*range(1, 300), 511, 512, 513, 4095, 4096, 4097, 16385, 24577, 32767, 32768]:
        data = random.Random(distance).randbytes(distance)
        length = 3 + distance % 8
        parts = [data[at : at + 60_000] for at in range(0, len(data), 60_000)]
        writer = DeflateWriter()
        for part in parts:
            writer.stored(part)
        written = writer.fixed(0, 143, 144, 255, (length, distance + 4), last=True).done()
        whole = bytearray(data + bytes([0, 143, 144, 255]))
        for _ in range(length):
            whole.append(whole[-distance - 4])
        if distance + 4 > 32768:
            break
        assert zlib.decompressobj(-15).decompress(written) == bytes(whole)
        reading = read(written)
        assert reading.data == bytes(whole) and reading.farthest == distance + 4


def test_references_into_what_was_before_are_counted() -> None:
    written = DeflateWriter().fixed(b"ab", (3, 2), (4, 12)).flush().done()
    reading = read(written, b"0123456789")
    assert reading.data == b"abaab"[:0] + b"ab" + b"aba" + b"3456"
    assert (reading.farthest, reading.into_history) == (12, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"\x07",
        b"\x00\x05\x00\x00\x00word",
        b"\x00\x05\x00\xfa\xffword",
        deflate(SAMPLES["words"])[:40],
        DeflateWriter().fixed((3, 1)).done(),
        b"\x05\x00",
        bytes.fromhex("fc00"),
    ],
)
def test_what_is_not_deflate_is_noticed(data: bytes) -> None:
    with pytest.raises(DeflateError):
        read(data)


def test_messages_are_read_in_their_context() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    reader, alone = MessageReader(), MessageReader(takeover=False)
    for number in range(4):
        text = SAMPLES["words"] + b"%d" % number
        payload = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        payload = payload.removesuffix(b"\x00\x00\xff\xff")
        assert reader.read(payload) == text
        if number:
            with pytest.raises(DeflateError):
                alone.read(payload)
    assert reader.into_history > 0 and reader.farthest > 100
    assert reader.read(b"") == reader.read(b"\x00") == b""
    assert reader.read(whole_stream(b"one") + whole_stream(b"two") + b"\x00") == b"onetwo"
