"""Frames that a test writes and reads: held against the examples of RFC 6455 and against the core's own."""

from dataclasses import replace

import pytest

from support import wire
from wscore import Opcode, Role
from wscore.testing import Frame
from wscore.testing._frame import frame_words, read_frame, same_frame

SECTION_5_7 = [
    (Frame.text("Hello"), Role.SERVER, "810548656c6c6f"),
    (Frame.text("Hello"), Role.CLIENT, "818537fa213d7f9f4d5158"),
    (Frame.text("Hel", final=False), Role.SERVER, "010348656c"),
    (Frame.continuation("lo"), Role.SERVER, "80026c6f"),
    (Frame.ping(b"Hello"), Role.SERVER, "890548656c6c6f"),
    (Frame.pong(b"Hello"), Role.CLIENT, "8a8537fa213d7f9f4d5158"),
    (Frame.binary(bytes(256)), Role.SERVER, "827e0100" + "00" * 256),
    (Frame.binary(bytes(65536)), Role.SERVER, "827f0000000000010000" + "00" * 65536),
]
WRONG = [
    (Frame(3), "8300"),
    (Frame(Opcode.TEXT, rsv=4), "c100"),
    (Frame(Opcode.TEXT, rsv=3), "b100"),
    (Frame(Opcode.PING, final=False), "0900"),
    (Frame(Opcode.TEXT, masked=True, key=b"\1\2\3\4"), "818001020304"),
    (Frame(Opcode.TEXT, b"a", length_form=2), "817e000161"),
    (Frame(Opcode.TEXT, b"a", length_form=8), "817f000000000000000161"),
    (Frame(Opcode.TEXT, b"a", length=5), "810561"),
    (Frame(Opcode.BINARY, length=1 << 63), "827f8000000000000000"),
    (Frame.close(), "8800"),
    (Frame.close(1000), "880203e8"),
    (Frame.close(999, b"\xff"), "880303e7ff"),
    (Frame(Opcode.CLOSE, b"\3"), "880103"),
]


@pytest.mark.parametrize(("frame", "sender", "expected"), SECTION_5_7)
def test_frames_are_those_of_the_rfc(frame: Frame, sender: Role, expected: str) -> None:
    assert frame.encode(sender).hex() == expected


@pytest.mark.parametrize(("frame", "expected"), WRONG)
def test_a_frame_may_break_every_rule(frame: Frame, expected: str) -> None:
    assert frame.encode(Role.SERVER).hex() == expected


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
@pytest.mark.parametrize("sender", list(Role))
def test_what_is_written_is_what_another_writer_writes_and_is_read_back(size: int, sender: Role) -> None:
    frame = Frame.binary(bytes(index % 251 for index in range(size)))
    data = frame.encode(sender)
    assert data == wire.frame(wire.BINARY, frame.payload, masked=sender is Role.CLIENT)
    read = read_frame(data + b"more")
    assert read is not None
    assert read[1] == len(data)
    assert same_frame(frame, read[0], sender)
    assert not same_frame(frame, read[0], Role.SERVER if sender is Role.CLIENT else Role.CLIENT)


@pytest.mark.parametrize("sender", list(Role))
@pytest.mark.parametrize("size", [0, 5, 126, 65536])
def test_a_frame_that_is_not_all_there_is_not_read(sender: Role, size: int) -> None:
    data = Frame.binary(bytes(size)).encode(sender)
    for end in {*range(min(len(data), 20)), len(data) - 1}:
        assert read_frame(data[:end]) is None


def test_any_masking_key_will_do() -> None:
    read = read_frame(Frame(Opcode.TEXT, b"hello", key=b"\1\2\3\4").encode(Role.CLIENT))
    assert read is not None
    assert same_frame(Frame.text("hello"), read[0], Role.CLIENT)


@pytest.mark.parametrize(
    "other",
    [
        Frame.binary(b"hello"),
        Frame.text("hallo"),
        Frame.text("hello", final=False),
        Frame(Opcode.TEXT, b"hello", rsv=4),
        Frame(Opcode.TEXT, b"hello", masked=False),
        Frame(Opcode.TEXT, b"hello", length_form=2),
        Frame(Opcode.TEXT, b"hello", length=6),
    ],
)
def test_everything_else_must_be_the_same(other: Frame) -> None:
    frame = Frame.text("hello")
    assert same_frame(frame, replace(frame, masked=True, length_form=0, length=5), Role.CLIENT)
    assert not same_frame(frame, other, Role.CLIENT)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (Frame.text("hello"), "text 'hello'"),
        (Frame.text("x" * 100), f"text '{'x' * 64}'… (100 characters)"),
        (Frame.text(b"\xff"), "text ff"),
        (Frame.binary(b"\1\2"), "binary 0102"),
        (Frame.continuation(final=False), "continuation nothing, not final"),
        (Frame.ping(b"?"), "ping 3f"),
        (Frame.close(), "close nothing"),
        (Frame.close(1000), "close 1000"),
        (Frame.close(1000, "bye"), "close 1000 'bye'"),
        (Frame(Opcode.CLOSE, b"\3"), "close 03"),
        (Frame(11, rsv=7), "opcode 11 nothing, RSV1, RSV2, RSV3"),
        (Frame(Opcode.TEXT, masked=True), "text '', masked"),
        (Frame(Opcode.TEXT, length_form=8), "text '', with a length of 8 bytes"),
        (Frame(Opcode.TEXT, length=7), "text '', claiming 7 bytes"),
    ],
)
def test_a_frame_is_described_by_what_is_remarkable(frame: Frame, words: str) -> None:
    assert frame_words(frame, Role.SERVER) == words


def test_what_a_client_does_not_mask_is_remarkable() -> None:
    assert frame_words(Frame(Opcode.TEXT, masked=False), Role.CLIENT) == "text '', unmasked"
    assert frame_words(Frame(Opcode.TEXT, masked=True), Role.CLIENT) == "text ''"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"opcode": 16}, "opcode must be"),
        ({"opcode": -1}, "opcode must be"),
        ({"rsv": 8}, "rsv 0 to 7"),
        ({"key": b"abc"}, "four bytes"),
        ({"length_form": 1}, "length_form must be"),
        ({"length_form": 0, "payload": bytes(126)}, "cannot be written"),
        ({"length_form": 2, "length": 65536}, "cannot be written"),
        ({"length": 1 << 64}, "cannot be written"),
        ({"length": -1}, "cannot be written"),
    ],
)
def test_what_cannot_be_written_down_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(Frame.text(), **changes)  # type: ignore[arg-type]
