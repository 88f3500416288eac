"""The way in: bytes become messages in the inbox, or something to decide."""

import pytest

from support.run_length import RunLength, RunLengthCodec, pack
from wscore._codes import Opcode, Role
from wscore._config import Limits
from wscore._events import Fragment
from wscore._inbox import Inbox
from wscore._mask import apply_mask
from wscore._receiver import Arrival, Receiver
from wscore._stats import Stats
from wscore._violations import Violation
from wscore.testing import cuttings

KEY = b"\x37\xfa\x21\x3d"


class Desk:
    """A receiver with its inbox and its counters."""

    def __init__(
        self,
        role: Role = Role.CLIENT,
        limits: Limits | None = None,
        *,
        streaming: bool = False,
        extended: bool = False,
    ) -> None:
        limits = limits or Limits()
        self.inbox = Inbox(limits)
        self.stats = Stats()
        self.receiver = Receiver(role, limits, self.inbox, self.stats, streaming=streaming)
        self.codec = RunLengthCodec(RunLength())
        if extended:
            self.receiver.use(self.codec)

    def feed(self, data: bytes) -> Arrival:
        self.receiver.feed(data)
        return self.receiver.advance()

    def messages(self) -> list[object]:
        return [self.inbox.next() for _ in range(len(self.inbox))]


def frame(first: int, payload: bytes = b"", *, masked: bool = False) -> bytes:
    """Write a short frame by hand (RFC 6455 section 5.2)."""
    assert len(payload) < 126
    if masked:
        return bytes([first, 0x80 | len(payload)]) + KEY + apply_mask(payload, KEY)
    return bytes([first, len(payload)]) + payload


# A conversation with everything that is good: its frames, and what comes of them.
STREAM = b"".join(
    [
        frame(0x81, b"one"),
        frame(0x89, b"ping"),
        frame(0x02, b"tw"),
        frame(0x00),
        frame(0x8A, b"pong"),
        frame(0x80, b"o"),
        frame(0x81),
        frame(0x88, b"\x03\xe8"),
    ]
)
OUTCOME = [
    "one",
    (Opcode.PING, b"ping"),
    (Opcode.PONG, b"pong"),
    b"two",
    "",
    (Opcode.CLOSE, b"\x03\xe8"),
]


def test_a_stream_comes_out_the_same_in_any_cutting() -> None:
    for chunks in cuttings(STREAM, count=50):
        desk, outcome = Desk(), list[object]()
        for chunk in chunks:
            arrival = desk.feed(chunk)
            while arrival is Arrival.CONTROL:
                outcome += [*desk.messages(), (desk.receiver.opcode, desk.receiver.payload)]
                arrival = desk.receiver.advance()
            assert arrival is Arrival.NEED_DATA
            outcome += desk.messages()
        assert outcome == OUTCOME
        assert desk.stats.messages_received == 3
        assert desk.stats.payload_received == 6


def test_a_server_takes_masks_off() -> None:
    desk = Desk(Role.SERVER)
    assert desk.feed(frame(0x81, b"Hello", masked=True)) is Arrival.NEED_DATA
    assert desk.messages() == ["Hello"]


def test_a_piece_of_a_message_leaves_a_mark_that_stays_until_somebody_clears_it() -> None:
    desk = Desk()
    desk.feed(frame(0x89))
    assert not desk.receiver.data_arrived
    for piece in (frame(0x01, b"par"), frame(0x80, b"t")):
        desk.feed(piece)
        assert desk.receiver.data_arrived
        desk.receiver.data_arrived = False
    desk.feed(frame(0x89))
    assert not desk.receiver.data_arrived


def test_nothing_behind_a_control_frame_is_looked_at_before_it_was_decided_on() -> None:
    desk = Desk()
    assert desk.feed(frame(0x89, b"a") + frame(0x81, b"text") + b"\xff") is Arrival.CONTROL
    assert desk.messages() == []
    assert desk.receiver.advance() is Arrival.FAILED
    assert desk.messages() == ["text"]


@pytest.mark.parametrize(
    ("data", "violation"),
    [
        (b"\xc1", Violation.RESERVED_BITS),
        (b"\x83", Violation.RESERVED_OPCODE),
        (frame(0x81, b"x", masked=True), Violation.MASKED_FRAME),
        (frame(0x80, b"x"), Violation.UNEXPECTED_CONTINUATION),
        (frame(0x81, b"\xff"), Violation.INVALID_UTF8),
        (frame(0x01, b"ab\xc0"), Violation.INVALID_UTF8),
        (b"\x82\x15", Violation.MESSAGE_TOO_BIG),  # 21 bytes announced, none needed
        (frame(0x02, bytes(20)) + b"\x80\x01", Violation.MESSAGE_TOO_BIG),
        (frame(0x02, b"x") + frame(0x00) * 3, Violation.TOO_MANY_EMPTY_FRAGMENTS),
        (frame(0x02, b"x") + frame(0x00, b"x") * 4, Violation.TOO_MANY_FRAGMENTS),
        (b"\x82\x1f", Violation.FRAME_TOO_BIG),  # 31 bytes announced
    ],
)
def test_a_broken_rule_stops_everything(data: bytes, violation: Violation) -> None:
    limits = Limits(max_message_size=20, max_frame_size=30, max_fragments=4, max_empty_fragments=2)
    for chunks in cuttings(data, count=10):
        desk, arrival = Desk(limits=limits), Arrival.NEED_DATA
        for chunk in chunks:
            assert arrival is Arrival.NEED_DATA
            arrival = desk.feed(chunk)
            if arrival is Arrival.FAILED:
                break  # whoever drives it looks no further
        assert arrival is Arrival.FAILED
        assert desk.receiver.violation is violation
        assert len(desk.inbox) == 0


def test_a_full_inbox_stops_parsing_and_the_rest_stays_in_its_place() -> None:
    desk = Desk(limits=Limits(inbox_high=200, inbox_low=70))
    stream = b"".join(frame(0x81, bytes([97 + number])) for number in range(5)) + frame(0x89, b"p")
    assert not desk.receiver.paused
    assert desk.feed(stream) is Arrival.PAUSED
    assert desk.receiver.paused
    assert len(desk.inbox) == 4  # 65 each: the fourth crosses the mark
    assert desk.receiver.advance() is Arrival.PAUSED
    assert [desk.inbox.next(), desk.inbox.next()] == ["a", "b"]
    assert desk.receiver.advance() is Arrival.PAUSED  # above the low mark still
    desk.inbox.next()
    assert not desk.receiver.paused
    assert desk.receiver.advance() is Arrival.CONTROL
    assert desk.messages() == ["d", "e"]


def test_a_message_bigger_than_the_inbox_still_arrives_in_any_pieces() -> None:
    # A frame that is half read never waits: only delivered messages stop the parser.
    desk = Desk(limits=Limits(inbox_high=100, inbox_low=50))
    header = b"\x82\x7e" + (5000).to_bytes(2, "big")
    for index in range(5003):
        assert desk.feed((header + bytes(5000))[index : index + 1]) is Arrival.NEED_DATA
    assert desk.feed(b"\x00") is Arrival.PAUSED
    assert desk.messages() == [bytes(5000)]


def test_while_discarding_what_had_fitted_is_kept_and_all_after_it_dropped() -> None:
    desk = Desk(limits=Limits(inbox_high=200, inbox_low=70))
    desk.feed(frame(0x81, b"kept"))
    desk.receiver.discarding = True
    # The second does not fit; the third would, but a gap must not look like an order.
    stream = frame(0x81, bytes([120]) * 100) + frame(0x81, b"small") + frame(0x81, b"more")
    assert desk.feed(stream) is Arrival.NEED_DATA
    assert desk.receiver.dropped == 3
    assert desk.messages() == ["kept"]
    assert desk.feed(frame(0x81, b"late")) is Arrival.NEED_DATA
    assert desk.receiver.dropped == 4
    assert desk.messages() == []
    assert desk.stats.messages_received == 5


def test_while_discarding_what_fits_is_delivered() -> None:
    desk = Desk(limits=Limits(inbox_high=200, inbox_low=70))
    desk.receiver.discarding = True
    assert desk.feed(frame(0x81, b"a") + frame(0x81, b"b")) is Arrival.NEED_DATA
    assert (desk.messages(), desk.receiver.dropped) == (["a", "b"], 0)


def test_discarding_reads_on_past_a_full_inbox_and_finds_the_close() -> None:
    desk = Desk(limits=Limits(inbox_high=200, inbox_low=70))
    assert desk.feed(frame(0x82, bytes(100)) * 5 + frame(0x88, b"\x03\xe8")) is Arrival.PAUSED
    desk.receiver.discarding = True
    assert not desk.receiver.paused
    assert desk.receiver.advance() is Arrival.CONTROL
    assert desk.receiver.opcode is Opcode.CLOSE
    assert desk.messages() == [bytes(100)] * 2
    assert desk.receiver.dropped == 3


def test_a_discarded_message_must_still_keep_the_rules() -> None:
    desk = Desk(limits=Limits(inbox_high=10, inbox_low=10))
    desk.receiver.discarding = True
    assert desk.feed(frame(0x81, b"dropped") + frame(0x81, b"\xff")) is Arrival.FAILED
    assert desk.receiver.violation is Violation.INVALID_UTF8


def test_what_is_released_is_not_looked_at() -> None:
    desk = Desk(limits=Limits(inbox_high=60, inbox_low=0))
    assert desk.feed(frame(0x81, b"first") + frame(0x81, b"second")) is Arrival.PAUSED
    desk.receiver.release()
    assert desk.messages() == ["first"]
    assert desk.receiver.advance() is Arrival.NEED_DATA
    assert desk.messages() == []


def test_what_was_gathered_of_a_message_is_released_too() -> None:
    desk = Desk()
    desk.feed(frame(0x02, b"lost"))
    desk.receiver.release()
    desk.feed(frame(0x80, b"rest"))
    assert desk.messages() == [b"rest"]


# Streaming.


def joined(events: list[object]) -> list[tuple[object, bool]]:
    """Join fragments to messages; tell which of them are complete."""
    messages: list[tuple[object, bool]] = []
    complete = True
    for event in events:
        assert isinstance(event, Fragment)
        if complete:
            messages.append((event.data, event.final))
        else:
            before = messages.pop()[0]
            assert type(before) is type(event.data)
            messages.append((before + event.data, event.final))  # type: ignore[operator]
        complete = event.final
    return messages


def test_what_streams_is_the_same_joined_in_any_cutting() -> None:
    stream = b"".join(
        [
            frame(0x81, "one \u2603".encode()),
            frame(0x02, b"tw"),
            frame(0x00),
            frame(0x80, b"o"),
            frame(0x81),
            frame(0x01, b"cut sh"),
        ]
    )
    for chunks in cuttings(stream, count=50):
        desk = Desk(streaming=True)
        assert {desk.feed(chunk) for chunk in chunks} == {Arrival.NEED_DATA}
        assert joined(desk.messages()) == [
            ("one \u2603", True),
            (b"two", True),
            ("", True),
            ("cut sh", False),
        ]
        assert desk.stats.messages_received == 3


def test_the_parts_of_a_message_are_queued_as_they_arrive() -> None:
    desk = Desk(streaming=True)
    desk.feed(b"\x82\x05ab")
    assert desk.messages() == [Fragment(b"ab", False)]
    assert (desk.stats.messages_received, desk.stats.payload_received) == (0, 2)
    desk.feed(b"c")
    desk.feed(b"de")
    assert desk.messages() == [Fragment(b"c", False), Fragment(b"de", True)]
    assert (desk.stats.messages_received, desk.stats.payload_received) == (1, 5)


def test_what_streamed_before_a_fault_is_queued_in_any_cutting() -> None:
    for chunks in cuttings(frame(0x81, b"ab\xffcd"), count=10):
        desk, arrival = Desk(streaming=True), Arrival.NEED_DATA
        for chunk in chunks:
            arrival = desk.feed(chunk)
            if arrival is Arrival.FAILED:
                break
        assert (arrival, desk.receiver.violation) == (Arrival.FAILED, Violation.INVALID_UTF8)
        assert joined(desk.messages()) == [("ab", False)]


def test_a_full_inbox_stops_in_the_middle_of_a_message_that_streams() -> None:
    desk = Desk(limits=Limits(inbox_high=100, inbox_low=70), streaming=True)
    assert desk.feed(frame(0x02, b"x" * 10) + frame(0x00, b"y" * 26) + frame(0x80, b"z")) is Arrival.PAUSED
    assert desk.inbox.charged == 10 + 26 + 2 * 64
    assert desk.inbox.next() == Fragment(b"x" * 10, False)
    assert desk.receiver.paused  # 90 is above the low mark
    assert desk.inbox.next() == Fragment(b"y" * 26, False)
    assert desk.receiver.advance() is Arrival.NEED_DATA
    assert desk.messages() == [Fragment(b"z", True)]


def test_of_messages_that_stream_those_that_are_cut_short_count_once_as_dropped() -> None:
    desk = Desk(limits=Limits(inbox_high=200, inbox_low=0), streaming=True)
    desk.receiver.discarding = True
    first = frame(0x02, bytes(100)) + frame(0x00, bytes(100)) + frame(0x00, b"x") + frame(0x80, b"y")
    whole = frame(0x82, b"z")  # it would fit, but what comes behind a gap makes no sense
    in_parts = frame(0x01) + frame(0x00, b"a") + frame(0x80, b"b")
    assert desk.feed(first + whole + in_parts) is Arrival.NEED_DATA
    assert desk.messages() == [Fragment(bytes(100), False)]
    assert desk.receiver.dropped == 3
    assert desk.stats.messages_received == 3


# Messages that an extension has marked.


def test_a_marked_message_is_decoded_once_an_extension_is_in_use() -> None:
    marked = frame(0xC1, b"\x03a\x01b")
    assert Desk().feed(marked) is Arrival.FAILED
    desk = Desk(extended=True)
    assert desk.feed(marked + frame(0x81, b"plain")) is Arrival.NEED_DATA
    assert desk.messages() == ["aaab", "plain"]


def test_a_marked_message_is_the_same_in_any_cutting() -> None:
    stream = frame(0x42, pack(b"aaab")) + frame(0x89, b"p") + frame(0x80, pack(b"bbbb")) + frame(0xC1)
    for chunks in cuttings(stream, count=30):
        desk, calls = Desk(extended=True), 0
        for chunk in chunks:
            arrival = desk.feed(chunk)
            while arrival is Arrival.CONTROL:
                calls += 1
                arrival = desk.receiver.advance()
            assert arrival is Arrival.NEED_DATA
        assert (calls, desk.messages()) == (1, [b"aaabbbbb", ""])
        # What the codec is given depends on the frames alone: a block for each, then two ends.
        assert desk.codec.calls == ["decode", "decode", "finish", "end", "finish", "end"]


def test_what_was_not_decoded_stays_encoded_while_the_inbox_is_full() -> None:
    desk = Desk(
        limits=Limits(max_message_size=None, inbox_high=65_536, inbox_low=0), streaming=True, extended=True
    )
    data = b"\xc2\x7e\x04\xb0" + b"\xffa" * 600  # 1,200 bytes stand for 153,000
    assert desk.feed(data + frame(0x89, b"p")) is Arrival.PAUSED
    sizes = []
    while True:
        assert desk.inbox.charged <= 65_536 + 2 * 64  # two steps fill it
        fragment = desk.inbox.next()
        assert isinstance(fragment, Fragment)
        sizes.append(len(fragment.data))
        if fragment.final:
            break
        desk.receiver.advance()
    assert (sum(sizes), len(sizes) > 2) == (153_000, True)
    assert desk.receiver.opcode is Opcode.PING


def test_a_fault_in_a_later_step_stops_everything_too() -> None:
    desk = Desk(limits=Limits(max_message_size=None), extended=True)
    bad = b"\xffa" * 400 + b"\x00a"  # the fault comes behind the first step
    assert desk.feed(b"\xc2\x7e" + len(bad).to_bytes(2, "big") + bad) is Arrival.FAILED
    assert desk.receiver.violation is Violation.COMPRESSED_DATA
    assert desk.messages() == []


@pytest.mark.parametrize("extended", [False, True])
def test_what_is_left_at_the_end_is_dropped_only_where_it_may_be_more_than_was_read(extended: bool) -> None:
    desk = Desk(limits=Limits(inbox_high=100, inbox_low=0), extended=extended)
    assert desk.feed(frame(0x82, bytes(90)) + frame(0x81, b"a") + frame(0x81, b"b")) is Arrival.PAUSED
    desk.receiver.finishing = True
    assert desk.receiver.advance() is Arrival.NEED_DATA
    assert (desk.messages(), desk.receiver.dropped) == (
        ([bytes(90)], 2) if extended else ([bytes(90), "a", "b"], 0)
    )


def test_a_marked_message_that_will_be_dropped_is_not_decoded() -> None:
    desk = Desk(limits=Limits(inbox_high=100, inbox_low=0), extended=True)
    desk.receiver.discarding = True
    assert desk.feed(frame(0xC2, pack(bytes(101)))) is Arrival.NEED_DATA
    assert desk.receiver.dropped == 1
    asked = list(desk.codec.calls)
    assert desk.feed(frame(0xC2, b"\x00 no run at all") + frame(0xC2)) is Arrival.NEED_DATA
    assert (desk.receiver.dropped, desk.codec.calls) == (3, asked)


def test_a_dropped_text_leaves_no_half_code_point_for_the_next() -> None:
    desk = Desk(limits=Limits(inbox_high=100, inbox_low=0), streaming=True, extended=True)
    desk.receiver.discarding = True
    half = frame(0x41, pack(b"a" * 101 + b"\xe2")) + frame(0x80, pack(b"\x98\x83"))
    assert desk.feed(half) is Arrival.NEED_DATA
    assert desk.feed(frame(0x81, b"plain and valid")) is Arrival.NEED_DATA
    assert (desk.messages(), desk.receiver.dropped) == ([], 2)
