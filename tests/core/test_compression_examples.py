"""The examples of RFC 7692 section 7.2.3, byte for byte; and what our compressor makes of the same words."""

import pytest

from support.deflate_reader import BlockType, read
from support.deflated import TAIL, deflating
from support.wire import TEXT, from_peer
from wscore import Config, Deflate, Event, Fragment, Role
from wscore.testing import cuttings, drain

HELLO = "Hello"
COMPRESSED = bytes.fromhex("f2 48 cd c9 c9 07 00")  # 7.2.3.1
AGAIN = bytes.fromhex("f2 00 11 00 00")  # 7.2.3.2: with context takeover

# Each: the frames of the section, and the messages they stand for.
EXAMPLES: dict[str, tuple[str, list[str]]] = {
    "7.2.3.1, one frame": ("c1 07 f2 48 cd c9 c9 07 00", [HELLO]),
    "7.2.3.1, two fragments": ("41 03 f2 48 cd 80 04 c9 c9 07 00", [HELLO]),
    "7.2.3.2, the same again": ("c1 07 f2 48 cd c9 c9 07 00 c1 07 f2 48 cd c9 c9 07 00", [HELLO, HELLO]),
    "7.2.3.2, sharing the window": ("c1 07 f2 48 cd c9 c9 07 00 c1 05 f2 00 11 00 00", [HELLO, HELLO]),
    "7.2.3.3, a block without compression": ("c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00", [HELLO]),
    "7.2.3.4, a block with BFINAL": ("c1 08 f3 48 cd c9 c9 07 00 00", [HELLO]),
    "7.2.3.5, two blocks": ("c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00", [HELLO]),
    "7.2.3.6, an empty message": ("c1 01 00", [""]),
    "7.2.2, an empty fragment at the end": ("41 07 f2 48 cd c9 c9 07 00 80 00", [HELLO]),
    "6, plain between compressed": (
        "c1 07 f2 48 cd c9 c9 07 00 81 01 78 c1 05 f2 00 11 00 00",
        [HELLO, "x", HELLO],
    ),
}


def messages(events: list[Event]) -> list[str]:
    """Join parts of messages."""
    found = [""]
    for event in events:
        if isinstance(event, Fragment):
            found[-1] += str(event.data)
            found += [""] * event.final
        else:
            found[-1] += str(event)
            found.append("")
    return found[:-1]


@pytest.mark.parametrize(("wire", "expected"), EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_examples_are_read_in_every_cutting(wire: str, expected: list[str], stream: bool) -> None:
    data = bytes.fromhex(wire)
    ways = [*cuttings(data), *([data[:cut], data[cut:]] for cut in range(len(data) + 1))]
    for segments in ways:
        core = deflating(Role.CLIENT, Config(compression=Deflate(), stream=stream))
        events: list[Event] = []
        for segment in segments:
            core.receive_data(segment, 0.0)
            events += drain(core, 0.0).events
        assert messages(events) == expected


def test_the_examples_are_read_by_a_server_behind_their_masks() -> None:
    core = deflating(Role.SERVER)
    for payload in (COMPRESSED, AGAIN):
        frame = bytearray(from_peer(Role.SERVER, TEXT, payload))
        frame[0] |= 0x40
        core.receive_data(bytes(frame), 0.0)
    assert drain(core, 0.0).events == [HELLO, HELLO]


def test_our_compressor_writes_the_example_and_its_repetition() -> None:
    core = deflating(Role.SERVER, Config(compression=Deflate(threshold=0)))
    for _ in range(2):
        core.send_text(HELLO)
    assert drain(core, 0.0).sent == b"\xc1\x07" + COMPRESSED + b"\xc1\x05" + AGAIN


def test_our_compressor_writes_the_example_each_time_without_takeover() -> None:
    answer = "permessage-deflate; server_no_context_takeover"
    core = deflating(Role.SERVER, Config(compression=Deflate(threshold=0)), answer)
    for _ in range(2):
        core.send_text(HELLO)
    assert drain(core, 0.0).sent == (b"\xc1\x07" + COMPRESSED) * 2


def test_without_compression_the_message_is_stored_as_in_the_example() -> None:
    core = deflating(Role.SERVER, Config(compression=Deflate(threshold=0, level=0)))
    core.send_text(HELLO)
    assert drain(core, 0.0).sent == bytes.fromhex(EXAMPLES["7.2.3.3, a block without compression"][0])


def test_two_parts_are_two_blocks_as_in_the_example() -> None:
    core = deflating(Role.SERVER, Config(compression=Deflate(threshold=0)))
    core.send_fragment("He", False)
    core.send_fragment("llo", True)
    sent = drain(core, 0.0).sent
    first, second = bytes.fromhex("f2 48 05 00 00 00 ff ff"), bytes.fromhex("ca c9 c9 07 00")
    assert sent == b"\x41\x08" + first + b"\x80\x05" + second


def test_the_blocks_are_those_that_the_section_names() -> None:
    assert read(COMPRESSED + TAIL).blocks == [BlockType.FIXED, BlockType.STORED]
    assert read(AGAIN + TAIL, HELLO.encode()).into_history == 1
    final = bytes.fromhex("f3 48 cd c9 c9 07 00")
    assert read(final).ended and not read(COMPRESSED).ended
