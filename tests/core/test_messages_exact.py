"""How much an extension's decoder is ever asked for, and that the parts of a message are added up exactly."""

from typing import final

import pytest

from support.run_length import RunLength, RunLengthCodec, pack
from wscore._codes import Opcode
from wscore._config import Limits
from wscore._extension import Codec
from wscore._messages import MessageAssembler
from wscore._typing import override
from wscore._violations import Violation

CONTINUATION, TEXT, BINARY = Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY


@final
class Metered(Codec):
    """Decodes runs, and writes down how many bytes it was allowed to give each time."""

    __slots__ = ("_codec", "allowed", "pending")

    def __init__(self) -> None:
        self._codec = RunLengthCodec(RunLength())
        self.allowed: list[int] = []
        self.pending = False

    @override
    def wants(self, size: int, choice: bool | None) -> bool:
        return False

    @override
    def encode(self, data: bytes, *, final: bool) -> bytes:
        return self._codec.encode(data, final=final)

    @override
    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        self.allowed.append(limit)
        output = self._codec.decode(data, limit)
        self.pending = self._codec.pending
        return output

    @override
    def finish(self, limit: int) -> bytes | Violation:
        self.allowed.append(limit)
        return self._codec.finish(limit)

    @override
    def end_message(self) -> Violation | None:
        return self._codec.end_message()


def metered(limit: int | None, *, streaming: bool = False) -> tuple[MessageAssembler, Metered]:
    codec = Metered()
    parts = MessageAssembler(Limits(max_message_size=limit), streaming=streaming)
    parts.use(codec)
    return parts, codec


def send(parts: MessageAssembler, opcode: Opcode, payload: bytes, *, final: bool) -> bool:
    """Let a frame of a marked message come in one chunk, and decode all of it."""
    good = parts.begin_frame(opcode, final, len(payload), marked=opcode is not CONTINUATION)
    good = good and parts.add(payload, True)
    while good and parts.decoding:
        good = parts.step()
    return good


def test_an_assembler_that_was_given_nothing_has_nothing() -> None:
    parts = MessageAssembler(Limits())
    assert (parts.ready, parts.ready_size, parts.violation) == (None, 0, None)
    assert not parts.decoding and not parts.skipping
    assert parts.take() is None


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
def test_what_was_decoded_of_all_fragments_counts_together(streaming: bool) -> None:
    for last, good in ((100, True), (101, False)):
        parts, _ = metered(350, streaming=streaming)
        assert send(parts, BINARY, pack(b"a" * 150), final=False)
        assert send(parts, CONTINUATION, pack(b"b" * 100), final=False)
        assert send(parts, CONTINUATION, pack(b"c" * last), final=True) is good
        assert parts.violation is (None if good else Violation.MESSAGE_TOO_BIG)


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
def test_the_next_message_may_again_have_the_whole_limit_decoded(streaming: bool) -> None:
    parts, _ = metered(300, streaming=streaming)
    for _ in range(3):
        assert send(parts, BINARY, pack(b"a" * 300), final=True)
        assert parts.take() is not None


def test_a_decoder_is_asked_for_what_the_message_may_still_have_and_one_byte_that_is_too_much() -> None:
    parts, codec = metered(300)
    assert send(parts, BINARY, pack(b"a" * 200), final=False)
    assert send(parts, CONTINUATION, pack(b"b" * 40), final=False)
    assert not send(parts, CONTINUATION, pack(b"c" * 255) * 40, final=True)
    assert codec.allowed == [301, 101, 61]


@pytest.mark.parametrize("limit", [None, 2**40])
def test_a_decoder_is_never_asked_for_everything_at_once(limit: int | None) -> None:
    parts, codec = metered(limit)
    assert send(parts, BINARY, pack(b"a" * 255) * 600, final=True)
    assert parts.take() == b"a" * 255 * 600
    assert max(codec.allowed) <= 65536


@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)])
@pytest.mark.parametrize("fragments", [1, 2, 3, 10])
def test_a_marked_message_may_be_longer_on_the_wire_by_eight_octets_for_each_further_fragment(
    fragments: int, over: int, fits: bool
) -> None:
    parts = MessageAssembler(Limits(max_message_size=1000))
    for number in range(1, fragments):
        opcode = Opcode.BINARY if number == 1 else Opcode.CONTINUATION
        assert parts.begin_frame(opcode, False, 0, marked=number == 1)
    opcode = Opcode.BINARY if fragments == 1 else Opcode.CONTINUATION
    most = 1000 + 250 + 1024 + 8 * (fragments - 1)
    assert parts.begin_frame(opcode, True, most + over, marked=fragments == 1) is fits
