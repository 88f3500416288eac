"""The frame parser holds the peer to every rule of framing at the byte that breaks it; frames written are
those of RFC 6455 section 5."""

import tracemalloc
from dataclasses import dataclass

import pytest

from support.framing_oracle import CONTROL, broken_rules
from support.wire import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, frame, header, mask, read_frames
from wscore import Opcode, Role, Violation
from wscore._frames import FrameParser, Progress, cut_message, encode_frame, encode_long, encode_short

ROLES = list(Role)

# RFC 6455 section 5.7: the examples, each as it travels and as it reads.
EXAMPLES = [
    ("an unmasked text", "81 05 48 65 6c 6c 6f", False, [(TEXT, True, b"Hello")]),
    ("a masked text", "81 85 37 fa 21 3d 7f 9f 4d 51 58", True, [(TEXT, True, b"Hello")]),
    (
        "a fragmented unmasked text",
        "01 03 48 65 6c  80 02 6c 6f",
        False,
        [(TEXT, False, b"Hel"), (CONTINUATION, True, b"lo")],
    ),
    ("an unmasked ping", "89 05 48 65 6c 6c 6f", False, [(PING, True, b"Hello")]),
    ("a masked pong", "8a 85 37 fa 21 3d 7f 9f 4d 51 58", True, [(PONG, True, b"Hello")]),
    ("256 bytes of binary", "82 7e 01 00" + "ab" * 256, False, [(BINARY, True, b"\xab" * 256)]),
    (
        "64 KiB of binary",
        "82 7f 00 00 00 00 00 01 00 00" + "cd" * 65536,
        False,
        [(BINARY, True, b"\xcd" * 65536)],
    ),
]

EDGES = (0, 1, 125, 126, 127, 65535, 65536)
HUGE = (*(2**power + step for power in (31, 32, 53) for step in (-1, 0, 1)), 2**63 - 1, 2**63, 2**64 - 1)
FORMS = {0: 126, 2: 2**16, 8: 2**64}  # bytes of the length field -> the first length that does not fit
LENGTHS = [(length, form) for length in EDGES + HUGE for form in FORMS if length < FORMS[form]]
LIMITS = (None, 0, 125, 65535, 2**31, 2**63 - 1)


@dataclass
class Reading:
    """What a parser made of a stream."""

    frames: list[tuple[int, bool, bytes]]
    steps: list[Progress]
    violation: Violation | None
    unread: int


def read(parser: FrameParser, *chunks: bytes) -> Reading:
    """Feed chunks one after the other and take every step after each; chunks of payload are joined."""
    reading = Reading([], [], None, 0)
    payload = b""
    for chunk in chunks:
        parser.feed(chunk)
        while (step := parser.advance()) is not Progress.NEED_DATA:
            reading.steps.append(step)
            if step is Progress.FAILED:
                break
            if step is Progress.CONTROL:
                reading.frames.append((parser.opcode, True, parser.payload))
            elif step is Progress.HEADER:
                payload = b""
            else:
                payload += parser.payload
                if parser.frame_done:
                    assert len(payload) == parser.length
                    reading.frames.append((parser.opcode, parser.final, payload))
    reading.violation, reading.unread = parser.violation, parser.unread
    return reading


def a_parser(role: Role, limit: int | None = None, *, in_fragment: bool = False) -> FrameParser:
    """Return a parser, if asked for in the middle of a fragmented message."""
    parser = FrameParser(role, limit)
    if in_fragment:
        reading = read(parser, frame(TEXT, b"", masked=role is Role.SERVER, final=False))
        assert reading.frames == [(TEXT, False, b"")]
    return parser


def octets(data: bytes) -> list[bytes]:
    """Cut data into single bytes."""
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize(
    ("wire", "masked", "frames"), [row[1:] for row in EXAMPLES], ids=[row[0] for row in EXAMPLES]
)
def test_the_examples_of_the_rfc_read_as_it_says_whole_and_byte_by_byte(
    wire: str, masked: bool, frames: list[tuple[int, bool, bytes]]
) -> None:
    data = bytes.fromhex(wire)
    role = Role.SERVER if masked else Role.CLIENT
    for chunks in ([data], octets(data)):
        reading = read(a_parser(role), *chunks)
        assert (reading.frames, reading.violation, reading.unread) == (frames, None, 0)


@pytest.mark.parametrize(
    ("wire", "masked", "frames"), [row[1:] for row in EXAMPLES], ids=[row[0] for row in EXAMPLES]
)
def test_the_examples_of_the_rfc_are_written_as_it_says(
    wire: str, masked: bool, frames: list[tuple[int, bool, bytes]]
) -> None:
    key = KEY if masked else None
    pieces: list[bytes] = []
    for opcode, final, payload in frames:
        pieces += encode_frame(Opcode(opcode), payload, key, final=final)
    assert b"".join(pieces) == bytes.fromhex(wire)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("in_fragment", [False, True], ids=["idle", "in a fragmented message"])
def test_every_pair_of_first_bytes_is_judged_as_the_rfc_says_without_a_third(
    role: Role, in_fragment: bool
) -> None:
    differences = []
    for first in range(256):
        # The first byte alone is judged with a second that breaks nothing.
        early = broken_rules(first, 0x80 if role is Role.SERVER else 0, role, in_fragment=in_fragment)
        parser = a_parser(role, in_fragment=in_fragment)
        alone = read(parser, bytes([first])).violation
        if (alone is None) is not (not early) or (alone is not None and alone not in early):
            differences.append((f"{first:02x}", alone, early))
        for second in range(256):
            broken = broken_rules(first, second, role, in_fragment=in_fragment)
            parser = a_parser(role, in_fragment=in_fragment)
            parser.feed(bytes((first, second)))
            step, violation = parser.advance(), parser.violation
            if broken:
                good = step is Progress.FAILED and violation in broken and violation.close_code == 1002
            else:
                good = violation is None and step is expected_step(first, second, role)
            if not good:
                differences.append((f"{first:02x} {second:02x}", violation, broken))
    assert not differences


def expected_step(first: int, second: int, role: Role) -> Progress:
    """Say what two legal bytes amount to: whole frames are only possible without mask and long length."""
    length = second & 127
    if role is Role.SERVER or length > 125:
        return Progress.NEED_DATA
    if first & 15 in CONTROL:
        return Progress.CONTROL if length == 0 else Progress.NEED_DATA
    return Progress.HEADER


def rule_for_length(length: int, form: int, limit: int | None) -> Violation | None:
    """Say which rule a length breaks that was written in a field of form bytes."""
    if form != (0 if length < 126 else 2 if length < 65536 else 8):
        return Violation.LONG_LENGTH_FORM  # 5.2: the minimal number of bytes MUST be used
    if length >= 2**63:
        return Violation.LENGTH_SIGN_BIT  # 5.2: the most significant bit MUST be 0
    return Violation.FRAME_TOO_BIG if limit is not None and length > limit else None


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("length", "form"), LENGTHS)
def test_every_length_is_judged_at_its_last_byte(role: Role, length: int, form: int) -> None:
    data = header(0x82, length, masked=role is Role.SERVER, form=form)
    for limit in LIMITS:
        expected = rule_for_length(length, form, limit)
        for chunks in ([data], octets(data)):
            parser = a_parser(role, limit)
            assert read(parser, *chunks[:-1]).violation is None
            reading = read(parser, chunks[-1])
            assert reading.violation is expected
            if expected is not None:
                assert expected.close_code == (1009 if expected is Violation.FRAME_TOO_BIG else 1002)
                continue
            if role is Role.SERVER:  # the key must still come
                reading = read(parser, KEY)
            assert reading.steps[0] is Progress.HEADER
            assert (parser.opcode, parser.final, parser.length) == (Opcode.BINARY, True, length)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("limit", [None, 2**63 - 1])
def test_nothing_is_allocated_from_a_declared_length(role: Role, limit: int | None) -> None:
    data = header(0x82, 2**62, masked=role is Role.SERVER) + (KEY if role is Role.SERVER else b"")
    parser = a_parser(role, limit)
    tracemalloc.start()
    try:
        reading = read(parser, data, b"x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reading.steps == [Progress.HEADER, Progress.PAYLOAD]
    assert parser.length == 2**62
    assert peak < 64 * 1024


@pytest.mark.parametrize("role", ROLES)
def test_a_violation_is_final(role: Role) -> None:
    parser = a_parser(role)
    assert read(parser, b"\xf1").violation is Violation.RESERVED_BITS
    reading = read(parser, frame(TEXT, b"good", masked=role is Role.SERVER))
    assert (reading.steps, reading.violation) == ([Progress.FAILED], Violation.RESERVED_BITS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [0, 1, 124, 125])
def test_a_control_frame_comes_whole_however_it_was_cut(role: Role, size: int) -> None:
    payload = bytes(range(size))
    data = frame(PING, payload, masked=role is Role.SERVER)
    for cut in range(len(data) + 1):
        reading = read(a_parser(role), data[:cut], data[cut:])
        assert (reading.steps, reading.frames) == ([Progress.CONTROL], [(PING, True, payload)])


@pytest.mark.parametrize("role", ROLES)
def test_control_frames_may_stand_between_fragments_and_change_nothing(role: Role) -> None:
    masked = role is Role.SERVER
    data = (
        frame(BINARY, b"one", masked=masked, final=False)
        + frame(PING, b"p", masked=masked)
        + frame(CONTINUATION, b"", masked=masked, final=False)
        + frame(CLOSE, b"", masked=masked)
        + frame(CONTINUATION, b"two", masked=masked)
        + frame(TEXT, b"next", masked=masked)
    )
    assert read(a_parser(role), *octets(data)).frames == [
        (BINARY, False, b"one"),
        (PING, True, b"p"),
        (CONTINUATION, False, b""),
        (CLOSE, True, b""),
        (CONTINUATION, True, b"two"),
        (TEXT, True, b"next"),
    ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 4096, 5000])
def test_payload_is_handed_out_as_it_arrives_and_unmasked_in_phase(role: Role, size: int) -> None:
    payload = bytes(index * 7 % 256 for index in range(20_000))
    data = frame(BINARY, payload, masked=role is Role.SERVER)
    start = len(data) - len(payload)
    chunks = [data[:start]] + [data[at : at + size] for at in range(start, len(data), size)]
    parser = a_parser(role)
    reading = read(parser, *chunks)
    assert reading.frames == [(BINARY, True, payload)]
    assert reading.steps == [Progress.HEADER] + [Progress.PAYLOAD] * (len(chunks) - 1)


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_data_frame_is_one_empty_chunk(role: Role) -> None:
    reading = read(a_parser(role), frame(TEXT, b"", masked=role is Role.SERVER))
    assert reading.steps == [Progress.HEADER, Progress.PAYLOAD]
    assert reading.frames == [(TEXT, True, b"")]


def test_a_new_message_after_an_empty_first_fragment_is_refused() -> None:
    data = frame(TEXT, b"", masked=True, final=False) + frame(TEXT, b"x", masked=True)
    assert read(a_parser(Role.SERVER), data).violation is Violation.MESSAGE_INTERRUPTED


@pytest.mark.parametrize("role", ROLES)
def test_what_was_fed_and_not_looked_at_is_counted_and_can_be_discarded(role: Role) -> None:
    data = frame(TEXT, b"Hello", masked=role is Role.SERVER)
    parser = a_parser(role)
    parser.feed(data)
    assert parser.unread == len(data)
    parser.discard()
    assert parser.unread == 0
    assert parser.advance() is Progress.NEED_DATA
    assert read(parser, data).frames == [(TEXT, True, b"Hello")]


@pytest.mark.parametrize("key", [None, KEY], ids=["server", "client"])
@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 4095, 4096, 65535, 65536, 70000])
@pytest.mark.parametrize("final", [True, False])
def test_frames_are_written_in_their_shortest_form(key: bytes | None, length: int, final: bool) -> None:
    payload = bytes(index * 3 % 256 for index in range(length))
    pieces = encode_frame(Opcode.BINARY, payload, key, final=final)
    first = 0x82 if final else 0x02
    head = header(first, length, masked=key is not None) + (key or b"")
    assert b"".join(pieces) == head + (mask(payload) if key else payload)
    assert len(pieces) == (2 if key is None and length >= 4096 else 1)


@pytest.mark.parametrize("key", [None, b"\x37\xfa\x21\x3d"])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
@pytest.mark.parametrize("length", [*range(130), 255, 256, 4095])
def test_a_short_message_is_the_same_frame_in_one_piece(
    length: int, opcode: Opcode, key: bytes | None
) -> None:
    payload = bytes(number & 0xFF for number in range(length))
    assert encode_short(opcode, payload, key) == b"".join(encode_frame(opcode, payload, key))


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_a_frame_whose_payload_is_masked_later_is_the_same_frame(
    length: int, marked: bool, final: bool
) -> None:
    key, payload = b"\x37\xfa\x21\x3d", bytes(range(256)) * (length // 256) + bytes(length % 256)
    head, later = encode_long(Opcode.BINARY, payload, key, final=final, marked=marked)
    assert later.left == length
    at_once = encode_frame(Opcode.BINARY, payload, key, final=final, marked=marked)
    assert head + later.take(length) == b"".join(at_once)


def test_a_long_payload_of_a_server_is_not_copied() -> None:
    payload = bytes(100_000)
    assert encode_frame(Opcode.BINARY, payload, None)[1] is payload


# RFC 7692 section 6: RSV1 in the first frame of a message marks the whole of it.
MARKS: list[tuple[str, bytes, list[tuple[bool, bool, int]] | None]] = [
    # first bytes of frames of a server, all empty -> marked, final, opcode of data frames; None: refused
    ("text", b"\xc1", [(True, True, TEXT)]),
    ("binary", b"\xc2", [(True, True, BINARY)]),
    ("none", b"\x81\x82", [(False, True, TEXT), (False, True, BINARY)]),
    ("one after another", b"\xc1\x81\xc2", [(True, True, TEXT), (False, True, TEXT), (True, True, BINARY)]),
    ("fragments", b"\x41\x00\x80", [(True, False, TEXT), (False, False, 0), (False, True, 0)]),
    ("a later fragment", b"\x01\x40", None),
    ("a later fragment of a marked message", b"\x41\xc0", None),
    ("nothing under way", b"\xc0", None),
    ("a ping", b"\xc9", None),
    ("a pong", b"\xca", None),
    ("a close", b"\xc8", None),
    ("with RSV2", b"\xe1", None),
    ("RSV2 alone", b"\xa1", None),
    ("RSV3 alone", b"\x91", None),
    ("reserved opcode", b"\xc3", None),
]


@pytest.mark.parametrize(("firsts", "expected"), [row[1:] for row in MARKS], ids=[row[0] for row in MARKS])
def test_an_extension_may_mark_the_first_frame_of_a_message_alone(
    firsts: bytes, expected: list[tuple[bool, bool, int]] | None
) -> None:
    parser = FrameParser(Role.CLIENT, None)
    parser.extended = True
    parser.feed(b"".join(bytes([first, 0]) for first in firsts))
    seen = []
    while (step := parser.advance()) is not Progress.NEED_DATA:
        if step is Progress.FAILED:
            assert parser.violation is Violation.RESERVED_BITS
            assert expected is None
            return
        if step is Progress.HEADER:
            seen.append((parser.marked, parser.final, int(parser.opcode)))
    assert seen == expected


@pytest.mark.parametrize("role", ROLES)
def test_without_an_extension_no_frame_may_be_marked(role: Role) -> None:
    parser = a_parser(role)
    parser.feed(b"\xc1")
    assert parser.advance() is Progress.FAILED
    assert parser.violation is Violation.RESERVED_BITS


@pytest.mark.parametrize("key", [None, KEY], ids=["server", "client"])
@pytest.mark.parametrize(("final", "first"), [(True, 0xC1), (False, 0x41)])
def test_a_marked_frame_is_written_with_rsv1(key: bytes | None, final: bool, first: int) -> None:
    [piece] = encode_frame(Opcode.TEXT, b"x", key, final=final, marked=True)
    assert read_frames(piece) == [(first, b"x")]


CUTS: list[tuple[int, int | None, bool, bool, list[tuple[int, int]]]] = [
    # payload, fragment size, final, marked: the first byte and the payload of each frame
    (10, None, True, False, [(0x82, 10)]),
    (10, 10, True, False, [(0x82, 10)]),
    (10, 11, True, False, [(0x82, 10)]),
    (0, 1, True, False, [(0x82, 0)]),
    (0, 1, False, False, [(0x02, 0)]),
    (10, 9, True, False, [(0x02, 9), (0x80, 1)]),
    (10, 5, True, False, [(0x02, 5), (0x80, 5)]),
    (10, 4, True, False, [(0x02, 4), (0x00, 4), (0x80, 2)]),
    (3, 1, True, False, [(0x02, 1), (0x00, 1), (0x80, 1)]),
    (10, None, False, False, [(0x02, 10)]),
    (10, 5, False, False, [(0x02, 5), (0x00, 5)]),
    (10, 4, False, True, [(0x42, 4), (0x00, 4), (0x00, 2)]),
    (10, None, True, True, [(0xC2, 10)]),
    (10, 4, True, True, [(0x42, 4), (0x00, 4), (0x80, 2)]),
]


@pytest.mark.parametrize(("length", "size", "final", "marked", "expected"), CUTS)
def test_a_message_is_cut_into_frames_of_a_size(
    length: int, size: int | None, final: bool, marked: bool, expected: list[tuple[int, int]]
) -> None:
    payload = bytes(range(length))
    frames = cut_message(Opcode.BINARY, payload, size, final=final, marked=marked)
    read_back = [frame for pieces in frames for frame in read_frames(b"".join(pieces))]
    assert [(first, len(part)) for first, part in read_back] == expected
    assert b"".join(part for _, part in read_back) == payload
    assert len(frames) == len(expected)


def test_each_frame_of_a_cut_message_has_a_key_of_its_own() -> None:
    keys = iter([b"aaaa", b"bbbb", b"cccc"])
    frames = cut_message(Opcode.TEXT, b"Hello", 2, new_key=lambda: next(keys))
    assert [b"".join(pieces) for pieces in frames] == [
        b"\x01\x82aaaa" + mask(b"He", b"aaaa"),
        b"\x00\x82bbbb" + mask(b"ll", b"bbbb"),
        b"\x80\x81cccc" + mask(b"o", b"cccc"),
    ]


def test_a_part_of_a_message_that_goes_on_is_written_with_the_opcode_it_is_given() -> None:
    frames = cut_message(Opcode.CONTINUATION, b"abc", 2)
    assert [b"".join(pieces) for pieces in frames] == [b"\x00\x02ab", b"\x80\x01c"]


# Runs of whole messages.

SIZES = (0, 1, 125, 126, 127, 1000, 65535)
OVERHEAD = 64


def run(parser: FrameParser, limit: int = 65535, room: int = 10**9) -> list[str | bytes]:
    """Read messages in one loop; check what they take."""
    messages: list[str | bytes] = []
    charges: list[int] = []
    taken = parser.read_messages(limit, room, OVERHEAD, messages, charges)
    sizes = [len(message.encode() if isinstance(message, str) else message) for message in messages]
    assert charges == [size + OVERHEAD for size in sizes]
    assert taken == sum(charges)
    return messages


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_whole_messages_are_read_in_one_loop_and_as_the_other_steps_do(
    role: Role, size: int, opcode: int
) -> None:
    payload, masked = (bytes(range(128)) * 512)[:size], role is Role.SERVER
    stream = frame(opcode, payload, masked=masked)
    parser = a_parser(role)
    parser.feed(stream * 3)
    assert run(parser, size) == [payload.decode() if opcode == TEXT else payload] * 3
    assert parser.unread == 0
    assert run(parser, size) == []
    assert read(a_parser(role), stream).frames == [(opcode, True, payload)]


@pytest.mark.parametrize("role", ROLES)
def test_a_run_ends_with_the_message_that_fills_the_room(role: Role) -> None:
    masked = role is Role.SERVER
    parser = a_parser(role)
    parser.feed(frame(TEXT, b"four", masked=masked) * 5)
    assert run(parser, room=2 * (4 + OVERHEAD)) == ["four"] * 2
    assert run(parser, room=2 * (4 + OVERHEAD) + 1) == ["four"] * 3
    parser.feed(frame(TEXT, b"four", masked=masked))
    assert run(parser, room=0) == run(parser, room=-5) == []
    assert run(parser, room=1) == ["four"]


@pytest.mark.parametrize("role", ROLES)
def test_a_run_ends_before_what_is_no_whole_plain_and_valid_message(role: Role) -> None:
    masked = role is Role.SERVER
    good = frame(TEXT, "grüße".encode(), masked=masked) + frame(BINARY, b"\xff", masked=masked)
    for other in (
        frame(PING, b"", masked=masked),
        frame(TEXT, b"x", masked=masked, final=False),
        frame(TEXT, b"\xff", masked=masked),
        frame(BINARY, b"x", masked=not masked),
        frame(BINARY, b"x", masked=masked, rsv=0x40),
        frame(BINARY, b"xyz", masked=masked)[:-1],
    ):
        parser = a_parser(role)
        parser.feed(good + other)
        assert run(parser) == ["grüße", b"\xff"]
        assert parser.unread == len(other)
        assert run(parser) == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", SIZES)
def test_a_message_that_is_not_all_there_is_left_to_the_other_steps(role: Role, size: int) -> None:
    stream = frame(BINARY, bytes(size), masked=role is Role.SERVER)
    for cut in {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, len(stream) // 2, len(stream) - 1}:
        if cut < len(stream):
            parser = a_parser(role)
            parser.feed(stream[:cut])
            assert not run(parser)
            assert parser.unread == cut
            parser.feed(stream[cut:])
            assert run(parser) == [bytes(size)]


@pytest.mark.parametrize("role", ROLES)
def test_every_other_first_pair_of_bytes_is_left_to_the_other_steps(role: Role) -> None:
    masked = role is Role.SERVER
    for first in range(256):
        for second in range(256):
            length = second & 0x7F
            plain = first in (0x80 | TEXT, 0x80 | BINARY) and bool(second & 0x80) is masked
            parser = a_parser(role)
            parser.feed(bytes([first, second]) + bytes(140))
            assert bool(run(parser)) is (plain and length <= 125), (first, second)


@pytest.mark.parametrize("role", ROLES)
def test_lengths_in_a_wrong_or_long_form_are_left_to_the_other_steps(role: Role) -> None:
    bit = 0x80 if role is Role.SERVER else 0
    for head in (b"\x00\x00", b"\x00\x7d", b"\x00" * 8, (70_000).to_bytes(8, "big")):
        parser = a_parser(role)
        parser.feed(bytes([0x80 | BINARY, bit | (126 if len(head) == 2 else 127)]) + head + bytes(70_010))
        assert not run(parser, 1_000_000)


@pytest.mark.parametrize("role", ROLES)
def test_a_message_over_the_limit_is_left_to_the_other_steps(role: Role) -> None:
    stream = frame(BINARY, bytes(200), masked=role is Role.SERVER)
    for limit, read_it in ((199, False), (200, True), (-1, False)):
        parser = a_parser(role)
        parser.feed(stream)
        assert bool(run(parser, limit)) is read_it


@pytest.mark.parametrize("role", ROLES)
def test_within_a_message_or_a_frame_or_behind_a_fault_no_whole_message_is_read(role: Role) -> None:
    masked = role is Role.SERVER
    whole = frame(TEXT, b"x", masked=masked)
    within = a_parser(role, in_fragment=True)
    within.feed(whole)
    assert not run(within, 10)
    half = a_parser(role)
    read(half, frame(BINARY, bytes(20), masked=masked)[:-10])
    half.feed(whole)
    assert not run(half, 10)
    broken = a_parser(role)
    read(broken, b"\xff\xff")
    broken.discard()
    broken.feed(whole)
    assert not run(broken, 10)
