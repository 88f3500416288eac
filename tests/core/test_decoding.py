import random
from collections.abc import Iterable

import pytest

from support.deflated import deflate
from support.run_length import RunLength, RunLengthCodec, pack
from wscore import Codec, Deflate, ExtensionOffer, Role, Violation
from wscore._decoding import PayloadDecoder
from wscore._typing import override

BLOCK = 4096
NOISE = random.Random(3).randbytes(3 * BLOCK)


class Copying(Codec):
    """Gives what it takes and writes down what it was asked.

    Args:
        fault: what `end_message` answers.
        last_words: what `finish` gives.
    """

    def __init__(self, *, fault: Violation | None = None, last_words: bytes = b"") -> None:
        self.pending = False
        self.blocks: list[bytes] = []
        self.limits: list[int] = []
        self.calls: list[str] = []
        self._fault = fault
        self._last_words = last_words

    @override
    def wants(self, size: int, choice: bool | None) -> bool:
        """Encode nothing."""
        return False

    @override
    def encode(self, data: bytes, *, final: bool) -> bytes:
        """Leave data as they are."""
        return data

    @override
    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        """Leave data as they are."""
        self.blocks.append(data)
        self.limits.append(limit)
        return data

    @override
    def finish(self, limit: int) -> bytes | Violation:
        """Say the last words."""
        self.calls.append("finish")
        self.limits.append(limit)
        return self._last_words

    @override
    def end_message(self) -> Violation | None:
        """Find the fault."""
        self.calls.append("end")
        return self._fault


def take(decoder: PayloadDecoder, room: int | None = None) -> bytes:
    """Take everything that there is."""
    output = b""
    while decoder.busy:
        step = decoder.step(room)
        assert isinstance(step, bytes)
        output += step
    return output


def frame(decoder: PayloadDecoder, chunks: Iterable[bytes], *, last: bool) -> bytes:
    """Feed one frame in chunks and take everything."""
    output = b""
    chunks = list(chunks)
    for index, chunk in enumerate(chunks):
        done = index == len(chunks) - 1
        decoder.feed(chunk, done, last and done)
        output += take(decoder)
    return output


def chunked(data: bytes, size: int) -> list[bytes]:
    """Cut data."""
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


def test_a_new_decoder_has_nothing_to_do() -> None:
    decoder = PayloadDecoder(Copying())
    assert not decoder.busy and not decoder.ended
    assert decoder.step(None) == b""


@pytest.mark.parametrize("size", [1, 2, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK - 5])
def test_a_codec_gets_blocks_that_depend_on_the_frame_alone(size: int, length: int) -> None:
    codec = Copying()
    decoder = PayloadDecoder(codec)
    data = NOISE[:length]
    assert frame(decoder, chunked(data, size), last=True) == data
    assert codec.blocks == [data[at : at + BLOCK] for at in range(0, length, BLOCK)]
    assert codec.calls == ["finish", "end"]
    assert decoder.ended and not decoder.busy


def test_a_block_ends_where_a_frame_ends() -> None:
    codec = Copying()
    decoder = PayloadDecoder(codec)
    frame(decoder, [b"one"], last=False)
    assert not decoder.ended
    frame(decoder, [b"two ", b"pieces"], last=False)
    frame(decoder, [b""], last=False)
    assert codec.calls == []
    frame(decoder, [b"", b"four"], last=True)
    assert codec.blocks == [b"one", b"two pieces", b"four"]
    assert codec.calls == ["finish", "end"]


def test_half_a_block_waits_for_the_rest_of_the_frame() -> None:
    codec = Copying()
    decoder = PayloadDecoder(codec)
    decoder.feed(NOISE[: BLOCK - 1], False, False)
    assert decoder.busy and decoder.step(None) == b""
    assert not decoder.busy and codec.blocks == []
    decoder.feed(NOISE[BLOCK - 1 : BLOCK + 1], False, False)
    assert take(decoder) == NOISE[:BLOCK]
    decoder.feed(b"", True, True)
    assert take(decoder) == NOISE[BLOCK : BLOCK + 1]


def test_the_next_message_begins_anew() -> None:
    codec = Copying()
    decoder = PayloadDecoder(codec)
    assert frame(decoder, [b"first"], last=True) == b"first"
    decoder.feed(b"second", True, True)
    assert not decoder.ended
    assert take(decoder) == b"second"
    assert decoder.ended and codec.calls == ["finish", "end"] * 2


@pytest.mark.parametrize(
    ("room", "limit"),
    [
        (0, 1),
        (1, 2),
        (1000, 1001),
        (32766, 32767),
        (32767, 32768),
        (32768, 32768),
        (10**9, 32768),
        (None, 32768),
    ],
)
def test_a_step_asks_for_what_there_is_room_for_and_one_byte_but_never_for_much(
    room: int | None, limit: int
) -> None:
    codec = Copying()
    decoder = PayloadDecoder(codec)
    decoder.feed(b"x", True, True)
    take(decoder, room)
    assert codec.limits == [limit, limit]


def test_one_step_gives_one_thing_and_goes_on_where_it_was() -> None:
    codec = RunLength().codec(ExtensionOffer("x-run-length"), Role.SERVER)
    assert isinstance(codec, RunLengthCodec)
    decoder = PayloadDecoder(codec)
    decoder.feed(pack(b"a" * 10 + b"b"), True, True)
    assert [decoder.step(3) for _ in range(3)] == [b"aaaa", b"aaaa", b"aab"]
    assert decoder.busy and not decoder.ended  # the end of the message is still to come
    assert decoder.step(3) == b""
    assert decoder.ended and not decoder.busy
    assert codec.calls == ["decode"] * 3 + ["finish", "end"]


def test_a_codec_may_have_last_words() -> None:
    decoder = PayloadDecoder(Copying(last_words=b"."))
    assert frame(decoder, [b"words"], last=True) == b"words."
    assert frame(decoder, [b""], last=True) == b"."


def test_what_is_wrong_with_a_message_as_a_whole_comes_at_its_end() -> None:
    decoder = PayloadDecoder(Copying(fault=Violation.COMPRESSED_DATA))
    decoder.feed(b"words", True, True)
    assert decoder.step(None) == b"words"
    assert decoder.step(None) is Violation.COMPRESSED_DATA


def test_a_fault_is_told_at_the_step_that_finds_it() -> None:
    codec = Deflate().codec(ExtensionOffer("permessage-deflate"), Role.SERVER)
    assert codec is not None
    decoder = PayloadDecoder(codec)
    decoder.feed(b"\x07", True, False)
    assert decoder.step(None) is Violation.COMPRESSED_DATA


def test_many_steps_that_give_nothing_are_one() -> None:
    codec = Deflate().codec(ExtensionOffer("permessage-deflate"), Role.SERVER)
    assert codec is not None
    decoder = PayloadDecoder(codec)
    decoder.feed(b"\x03\x00" * 500 + deflate(b"at last"), True, True)  # 500 streams of nothing
    assert decoder.step(None) == b"at last"


def test_what_waits_can_be_released() -> None:
    decoder = PayloadDecoder(Copying())
    decoder.feed(b"words", False, False)
    decoder.forget()
    assert not decoder.busy and decoder.step(None) == b""
    assert frame(decoder, [b"other"], last=True) == b"other"


def test_an_idle_decoder_holds_less_than_a_block() -> None:
    codec = Copying()
    decoder = PayloadDecoder(codec)
    decoder.feed(NOISE[: 2 * BLOCK + 10], False, False)
    take(decoder)
    assert len(decoder._input) == 10
    decoder.feed(b"", True, True)
    take(decoder)
    assert decoder._input == b""
