"""The way out: messages and control frames become bytes, counted and remembered."""

import sys
from collections.abc import Callable

import pytest

from support.run_length import RunLength, RunLengthCodec, pack
from support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, header, read_frames
from wscore._codes import CloseCode, Opcode, Role
from wscore._config import Limits
from wscore._errors import LocalProtocolError
from wscore._events import CloseStatus
from wscore._outbox import Outbox
from wscore._prepared import PreparedMessage
from wscore._sender import Sender
from wscore._stats import Stats

ROLES = list(Role)
KEYS = [bytes([16 * number + 1] * 4) for number in range(1, 6)]


class Desk:
    """A sender with its outbox, its counters, and what it drew from the source of entropy."""

    def __init__(
        self, role: Role, fragment_size: int | None = None, extension: RunLength | None = None
    ) -> None:
        self.outbox = Outbox(Limits())
        self.stats = Stats()
        self.drawn: list[bytes] = []
        self.sender = Sender(role, self.outbox, self.stats, self._entropy, fragment_size)
        self.codec = RunLengthCodec(extension or RunLength())
        if extension is not None:
            self.sender.use(self.codec)

    def _entropy(self, size: int) -> bytes:
        assert size == 4
        self.drawn.append(KEYS[len(self.drawn)])
        return self.drawn[-1]

    def take(self) -> bytes:
        return b"".join(self.sender.take())

    def frames(self) -> list[tuple[int, bytes]]:
        """Take the frames that may leave now: the first byte and the payload of each."""
        return read_frames(self.take())


def written(role: Role, opcode: int, payload: bytes, key: bytes) -> bytes:
    """Write a frame as section 5.2 says, in this role, with this key."""
    if role is Role.SERVER:
        return frame(opcode, payload, masked=False)
    masked = bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))
    return header(0x80 | opcode, len(payload), masked=True) + key + masked


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("opcode", "wire"), [(Opcode.TEXT, TEXT), (Opcode.BINARY, BINARY)], ids=["text", "binary"]
)
@pytest.mark.parametrize("size", [0, 5, 125, 126, 65_535, 65_536])
def test_a_message_leaves_whole_in_one_frame(role: Role, opcode: Opcode, wire: int, size: int) -> None:
    desk = Desk(role)
    payload = b"Hello" * (size // 5) + b"!" * (size % 5)
    desk.sender.message(opcode, payload)
    assert desk.take() == written(role, wire, payload, KEYS[0])
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (1, size)


LONG = 128 * 1024


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [LONG, LONG + 1, 3 * LONG])
def test_a_long_message_leaves_in_one_frame_whose_payload_is_masked_in_parts(role: Role, size: int) -> None:
    desk = Desk(role)
    payload = b"Hello" * (size // 5) + b"!" * (size % 5)
    desk.sender.message(Opcode.BINARY, payload)
    desk.sender.message(Opcode.TEXT, b"behind")
    key, other = KEYS[:2]
    parts = list[bytes]()
    while desk.outbox.waiting:
        parts.append(desk.take())
    in_parts = role is Role.CLIENT and size > LONG
    assert len(parts) == (-(-size // LONG) + 1 if in_parts else 1)
    expected = written(role, BINARY, payload, key) + written(role, TEXT, b"behind", other)
    assert b"".join(parts) == expected
    assert (desk.stats.messages_sent, desk.stats.frames_sent) == (2, 2)
    assert desk.stats.wire_sent == len(expected)
    assert desk.stats.payload_sent == desk.stats.encoded_sent == size + 6


def test_the_example_of_rfc_6455_section_5_7() -> None:
    for role, expected in ((Role.SERVER, "810548656c6c6f"), (Role.CLIENT, "818537fa213d7f9f4d5158")):
        outbox = Outbox(Limits())
        sender = Sender(role, outbox, Stats(), lambda size: b"\x37\xfa\x21\x3d"[:size])
        sender.message(Opcode.TEXT, b"Hello")
        assert b"".join(sender.take()) == bytes.fromhex(expected)


def test_a_client_masks_each_frame_with_a_fresh_key_in_the_order_of_the_frames() -> None:
    desk = Desk(Role.CLIENT)
    desk.sender.message(Opcode.TEXT, b"a")
    desk.sender.pong(b"b")
    desk.sender.ping(b"c", automatic=False)
    desk.sender.message(Opcode.BINARY, b"d")
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.drawn == KEYS  # 5.3: drawn when a frame is written
    frames = [(TEXT, b"a"), (PONG, b"b"), (PING, b"c"), (BINARY, b"d"), (CLOSE, b"\x03\xe8")]
    assert desk.take() == b"".join(
        written(Role.CLIENT, opcode, payload, key)
        for (opcode, payload), key in zip(frames, KEYS, strict=True)
    )
    assert desk.drawn == KEYS


def test_a_server_masks_nothing_and_draws_nothing() -> None:
    desk = Desk(Role.SERVER)
    desk.sender.message(Opcode.TEXT, b"a")
    desk.sender.pong(b"b")
    desk.sender.ping(b"c", automatic=True)
    desk.outbox.put_pong(b"d")
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.take() == b"\x8a\x01d" + b"\x81\x01a" + b"\x8a\x01b" + b"\x89\x01c" + b"\x88\x02\x03\xe8"
    assert desk.drawn == []


def test_the_key_of_an_answer_to_a_ping_is_drawn_when_it_leaves() -> None:
    desk = Desk(Role.CLIENT)
    desk.outbox.put_pong(b"answer")
    desk.sender.message(Opcode.TEXT, b"a")
    assert desk.drawn == KEYS[:1]
    assert desk.take() == (
        written(Role.CLIENT, PONG, b"answer", KEYS[1]) + written(Role.CLIENT, TEXT, b"a", KEYS[0])
    )
    assert desk.drawn == KEYS[:2]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("automatic", [False, True])
@pytest.mark.parametrize("payload", [b"", b"p", bytes(125)])
def test_a_ping_carries_what_the_caller_says(role: Role, automatic: bool, payload: bytes) -> None:
    desk = Desk(role)
    ping = desk.sender.ping(payload, automatic=automatic)
    assert (ping.payload, ping.automatic, ping.given_at, ping.latency) == (payload, automatic, None, None)
    assert desk.take() == written(role, PING, payload, KEYS[0])


@pytest.mark.parametrize("role", ROLES)
def test_a_ping_without_words_carries_four_random_bytes(role: Role) -> None:
    desk = Desk(role)
    ping = desk.sender.ping(None, automatic=True)
    assert ping.payload == KEYS[0]  # the payload is drawn first, then the key
    assert desk.take() == written(role, PING, KEYS[0], KEYS[1])
    assert desk.drawn == KEYS[: 2 if role is Role.CLIENT else 1]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (CloseStatus(1000, ""), b"\x03\xe8"),
        (CloseStatus(4999, "own"), b"\x13\x87own"),
        (CloseStatus(1001, "Gr\u00fc\u00dfe"), b"\x03\xe9Gr\xc3\xbc\xc3\x9fe"),
        (CloseStatus(3000, "x" * 123), b"\x0b\xb8" + b"x" * 123),
        (CloseStatus(1005, ""), b""),  # RFC 6455 section 7.4.1: 1005 stands for a Close without a code
        (CloseStatus(CloseCode.NO_STATUS_RECEIVED, ""), b""),
    ],
)
def test_a_close_says_its_code_and_reason(role: Role, status: CloseStatus, payload: bytes) -> None:
    desk = Desk(role)
    desk.sender.close(status)
    assert desk.take() == written(role, CLOSE, payload, KEYS[0])


@pytest.mark.parametrize("role", ROLES)
def test_nothing_that_answers_a_ping_leaves_behind_our_close(role: Role) -> None:
    desk = Desk(role)
    desk.outbox.put_pong(b"before")
    desk.sender.close(CloseStatus(1000, ""))
    desk.outbox.put_pong(b"after")
    assert [first for first, _ in read_frames(desk.take())] == [0x8A, 0x88]  # RFC 6455 section 5.5.1
    desk.outbox.put_pong(b"late")
    assert desk.take() == b""


STEPS: list[tuple[Callable[[Sender], object], bool, bool]] = [
    # what is queued: is it a message, is it our Close
    (lambda sender: sender.message(Opcode.TEXT, b""), True, False),
    (lambda sender: sender.message(Opcode.BINARY, b"x"), True, False),
    (lambda sender: sender.ping(b"", automatic=False), False, False),
    (lambda sender: sender.ping(None, automatic=True), False, False),
    (lambda sender: sender.pong(b""), False, False),
    (lambda sender: sender.close(CloseStatus(1000, "")), False, True),
    (lambda sender: sender.close(CloseStatus(1005, "")), False, True),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("step", "data", "close"), STEPS, ids=["text", "binary", "ping", "keepalive", "pong", "close", "empty"]
)
def test_what_the_timers_will_ask_is_remembered_until_somebody_has_looked(
    role: Role, step: Callable[[Sender], object], data: bool, close: bool
) -> None:
    desk = Desk(role)
    assert (desk.sender.data_queued, desk.sender.close_queued) == (False, False)
    step(desk.sender)
    assert (desk.sender.data_queued, desk.sender.close_queued) == (data, close)
    desk.take()
    assert (desk.sender.data_queued, desk.sender.close_queued) == (data, close)


@pytest.mark.parametrize("role", ROLES)
def test_bytes_are_counted_when_they_leave_and_messages_when_they_are_queued(role: Role) -> None:
    desk = Desk(role)
    wire = 0
    for batch in ([b"a", b"bc"], [b""], []):
        for payload in batch:
            desk.sender.message(Opcode.BINARY, payload)
        assert desk.stats.wire_sent == wire
        wire += len(desk.take())
        assert desk.stats.wire_sent == wire
        desk.outbox.note_departed()
    header_size = 2 if role is Role.SERVER else 6
    assert (desk.stats.messages_sent, desk.stats.payload_sent, wire) == (3, 3, 3 * header_size + 3)


@pytest.mark.parametrize("role", ROLES)
def test_control_frames_are_no_messages_but_count_as_bytes(role: Role) -> None:
    desk = Desk(role)
    desk.outbox.put_head(b"head")
    desk.sender.ping(b"p", automatic=True)
    desk.sender.pong(b"q")
    desk.sender.close(CloseStatus(1000, "r"))
    size = len(desk.take())
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (0, 0)
    assert (desk.stats.pings_received, desk.stats.pongs_received) == (0, 0)
    assert desk.stats.wire_sent == size == 4 + (3 + 3 + 5) + (3 * 4 if role is Role.CLIENT else 0)


def test_on_a_stream_that_is_gone_nothing_is_queued() -> None:
    desk = Desk(Role.SERVER)
    desk.outbox.clear()
    desk.sender.message(Opcode.TEXT, b"a")
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.take() == b""
    assert desk.stats.wire_sent == 0


def test_a_sender_whose_stream_is_gone_lets_go_of_what_it_held_and_of_its_codec() -> None:
    desk = Desk(Role.SERVER, extension=RunLength())
    desk.sender.fragment(Opcode.TEXT, b"a", final=False)
    held = PreparedMessage("held")
    desk.sender.prepared(held)
    references = sys.getrefcount(held), sys.getrefcount(desk.codec)
    desk.sender.clear()
    assert desk.outbox.buffered == 0
    assert (sys.getrefcount(held) + 1, sys.getrefcount(desk.codec) + 1) == references


# Fragments.


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("opcode", "first"), [(Opcode.TEXT, 0x01), (Opcode.BINARY, 0x02)])
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # the parts of a message; FIN, whether a frame is the first one, payload
        ([b"a"], [(True, True, b"a")]),
        ([b""], [(True, True, b"")]),
        ([b"a", b"b", b"c"], [(False, True, b"a"), (False, False, b"b"), (True, False, b"c")]),
        ([b"a", b""], [(False, True, b"a"), (True, False, b"")]),
        ([b"", b"a"], [(True, True, b"a")]),  # an empty part says nothing and needs no frame
        ([b"a", b"", b"b"], [(False, True, b"a"), (True, False, b"b")]),
        ([b"", b"", b""], [(True, True, b"")]),
    ],
)
def test_a_message_leaves_part_by_part(
    role: Role, opcode: Opcode, first: int, parts: list[bytes], expected: list[tuple[bool, bool, bytes]]
) -> None:
    desk = Desk(role)
    for number, part in enumerate(parts, 1):
        desk.sender.fragment(opcode, part, final=number == len(parts))
    assert desk.frames() == [
        ((0x80 if final else 0) | (first if begins else CONTINUATION), payload)
        for final, begins, payload in expected
    ]
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (1, len(b"".join(parts)))
    assert len(desk.drawn) == (len(expected) if role is Role.CLIENT else 0)


def test_a_message_counts_when_its_last_part_is_queued() -> None:
    desk = Desk(Role.SERVER)
    desk.sender.fragment(Opcode.TEXT, b"", final=False)
    assert not desk.sender.data_queued
    desk.sender.fragment(Opcode.TEXT, b"ab", final=False)
    assert (desk.stats.messages_sent, desk.stats.payload_sent, desk.sender.data_queued) == (0, 2, True)
    desk.sender.fragment(Opcode.TEXT, b"", final=True)
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (1, 2)


@pytest.mark.parametrize(
    ("opcode", "other", "words"),
    [
        (Opcode.TEXT, Opcode.BINARY, "the message under way is text, this fragment is binary"),
        (Opcode.BINARY, Opcode.TEXT, "the message under way is binary, this fragment is text"),
    ],
)
def test_the_parts_of_a_message_are_of_one_kind(opcode: Opcode, other: Opcode, words: str) -> None:
    desk = Desk(Role.SERVER)
    for _ in range(2):
        desk.sender.check_fragment(opcode)
        desk.sender.check_fragment(other)  # either may begin
        desk.sender.fragment(opcode, b"a", final=False)
        desk.sender.check_fragment(opcode)
        with pytest.raises(LocalProtocolError, match=words):
            desk.sender.check_fragment(other)
        desk.sender.fragment(opcode, b"b", final=True)


@pytest.mark.parametrize("role", ROLES)
def test_messages_wait_behind_one_under_way_and_follow_in_their_order(role: Role) -> None:
    desk = Desk(role)
    desk.sender.fragment(Opcode.TEXT, b"a", final=False)
    desk.sender.message(Opcode.BINARY, b"one")
    desk.sender.prepared(PreparedMessage("two!"))
    desk.sender.message(Opcode.TEXT, b"")
    assert (desk.outbox.held, desk.stats.messages_sent) == (7, 0)
    assert desk.frames() == [(0x01, b"a")]
    desk.sender.fragment(Opcode.TEXT, b"b", final=True)
    desk.sender.settle_counts()
    assert (desk.outbox.held, desk.stats.messages_sent, desk.stats.payload_sent) == (0, 4, 9)
    assert desk.frames() == [(0x80, b"b"), (0x82, b"one"), (0x81, b"two!"), (0x81, b"")]
    del desk.drawn[:]
    desk.sender.message(Opcode.TEXT, b"and on")
    assert desk.frames() == [(0x81, b"and on")]


def test_keys_are_drawn_in_the_order_of_the_wire_also_for_what_had_to_wait() -> None:
    desk = Desk(Role.CLIENT)
    desk.sender.fragment(Opcode.TEXT, b"a", final=False)
    desk.sender.message(Opcode.BINARY, b"held")
    assert desk.drawn == KEYS[:1]
    desk.sender.pong(b"between")
    desk.sender.fragment(Opcode.TEXT, b"b", final=True)
    assert desk.take() == (
        header(0x01, 1, masked=True)
        + KEYS[0]
        + bytes([ord("a") ^ KEYS[0][0]])
        + written(Role.CLIENT, PONG, b"between", KEYS[1])
        + written(Role.CLIENT, CONTINUATION, b"b", KEYS[2])
        + written(Role.CLIENT, BINARY, b"held", KEYS[3])
    )


def test_control_frames_pass_a_message_under_way_and_what_waits_behind_it() -> None:
    desk = Desk(Role.SERVER)
    desk.sender.fragment(Opcode.TEXT, b"a", final=False)
    desk.sender.message(Opcode.TEXT, b"held")
    desk.sender.ping(b"1", automatic=False)
    desk.sender.pong(b"2")
    desk.outbox.put_pong(b"3")
    assert desk.frames() == [(0x8A, b"3"), (0x01, b"a"), (0x89, b"1"), (0x8A, b"2")]


@pytest.mark.parametrize("role", ROLES)
def test_a_close_leaves_the_message_under_way_unfinished_and_drops_what_waits_behind_it(role: Role) -> None:
    desk = Desk(role)
    desk.sender.fragment(Opcode.TEXT, b"a", final=False)
    desk.sender.message(Opcode.BINARY, b"held")
    desk.sender.prepared(PreparedMessage(b"held"))
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.outbox.held == 0
    assert desk.frames() == [(0x01, b"a"), (0x88, b"\x03\xe8")]
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (0, 1)
    assert desk.outbox.buffered == desk.outbox.given


# Frames of a size.


@pytest.mark.parametrize("role", ROLES)
def test_messages_of_all_ways_are_cut_into_frames_of_the_size(role: Role) -> None:
    desk = Desk(role, fragment_size=2)
    cut = [(0x01, b"He"), (0x00, b"ll"), (0x80, b"o")]
    desk.sender.message(Opcode.TEXT, b"Hello")
    assert desk.frames() == cut
    del desk.drawn[:]
    desk.sender.prepared(PreparedMessage("Hello"))
    assert desk.frames() == cut
    del desk.drawn[:]
    desk.sender.fragment(Opcode.TEXT, b"Hel", final=False)
    desk.sender.fragment(Opcode.TEXT, b"lo", final=True)
    assert desk.frames() == [(0x01, b"He"), (0x00, b"l"), (0x80, b"lo")]
    del desk.drawn[:]
    desk.sender.message(Opcode.BINARY, b"ab")
    desk.sender.ping(b"ping", automatic=True)
    desk.sender.pong(b"pong")
    desk.sender.close(CloseStatus(1000, "bye"))
    # 5.5: control frames are never cut
    assert desk.frames() == [(0x82, b"ab"), (0x89, b"ping"), (0x8A, b"pong"), (0x88, b"\x03\xe8bye")]


# An extension.


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("threshold", "choice", "payload", "encoded"),
    [
        (0, None, b"aaa", True),
        (3, None, b"aaa", True),
        (4, None, b"aaa", False),
        (4, True, b"aaa", True),
        (0, False, b"aaa", False),
        (0, True, b"", False),
    ],
)
def test_a_message_is_encoded_where_it_is_wanted_and_marked_then(
    role: Role, threshold: int, choice: bool | None, payload: bytes, encoded: bool
) -> None:
    expected = [(0xC1, pack(payload))] if encoded else [(0x81, payload)]
    desk = Desk(role, extension=RunLength(threshold=threshold))
    desk.sender.message(Opcode.TEXT, payload, choice)
    assert desk.frames() == expected
    assert desk.codec.calls == (["encode the end"] if encoded else [])
    prepared = Desk(role, extension=RunLength(threshold=threshold))
    prepared.sender.prepared(PreparedMessage(payload.decode(), compress=choice))
    assert prepared.frames() == expected
    assert sorted(prepared.codec.calls) == (["encode alone", "sent alone"] if encoded else [])
    for stats in (desk.stats, prepared.stats):  # what the application sent, not what became of it
        assert (stats.messages_sent, stats.payload_sent) == (1, len(payload))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("parts", "choice", "expected"),
    [
        ([b"aa", b"bb"], None, [(0x42, b"\x02a"), (0x80, b"\x02b")]),  # nobody knows how long it will be
        ([b"aa", b"bb"], True, [(0x42, b"\x02a"), (0x80, b"\x02b")]),
        ([b"aa", b"bb"], False, [(0x02, b"aa"), (0x80, b"bb")]),
        ([b"", b"bb"], None, [(0xC2, b"\x02b")]),
        ([b"aa", b""], None, [(0x42, b"\x02a"), (0x80, b"")]),
        ([b"", b""], None, [(0xC2, b"")]),
        ([b"aa"], None, [(0x82, b"aa")]),  # its only part: as short as it is
        ([b"aa"], True, [(0xC2, b"\x02a")]),
        ([b"a" * 10], None, [(0xC2, b"\x0aa")]),
        ([b""], True, [(0x82, b"")]),
    ],
)
def test_the_first_part_decides_for_the_whole_message(
    role: Role, parts: list[bytes], choice: bool | None, expected: list[tuple[int, bytes]]
) -> None:
    desk = Desk(role, extension=RunLength(threshold=10))
    for number, part in enumerate(parts, 1):
        # What later parts ask for does not count.
        wish = choice if number == 1 else (not choice)
        desk.sender.fragment(Opcode.BINARY, part, final=number == len(parts), compress=wish)
    assert desk.frames() == expected


def test_an_encoded_message_is_cut_after_it_was_encoded_and_marked_once() -> None:
    desk = Desk(Role.SERVER, fragment_size=3, extension=RunLength())
    expected = [(0x41, b"\x01a\x01"), (0x80, b"b")]
    desk.sender.message(Opcode.TEXT, b"ab")
    assert desk.frames() == expected
    desk.sender.prepared(PreparedMessage("ab"))
    assert desk.frames() == expected


def test_messages_that_were_held_are_encoded_when_they_follow() -> None:
    desk = Desk(Role.SERVER, extension=RunLength())
    desk.sender.fragment(Opcode.TEXT, b"aa", final=False, compress=False)
    desk.sender.message(Opcode.TEXT, b"one")
    desk.sender.message(Opcode.TEXT, b"two", compress=False)
    desk.sender.prepared(PreparedMessage("aaa"))
    assert desk.codec.calls == []  # 7692 7.1.1: contexts follow the order of the wire
    desk.sender.fragment(Opcode.TEXT, b"b", final=True)
    assert desk.codec.calls[0] == "encode the end"
    assert sorted(desk.codec.calls[1:]) == ["encode alone", "sent alone"]
    assert desk.frames() == [
        (0x01, b"aa"),
        (0x80, b"b"),
        (0xC1, pack(b"one")),
        (0x81, b"two"),
        (0xC1, b"\x03a"),
    ]


def test_where_nothing_is_encoded_alone_a_prepared_message_is_encoded_like_any_other() -> None:
    desk = Desk(Role.SERVER, extension=RunLength(repeatable=False))
    desk.sender.prepared(PreparedMessage(b"aaa"))
    assert desk.frames() == [(0xC2, b"\x03a")]
    assert desk.codec.calls == ["encode the end"]
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (1, 3)
