"""Events that wait, counted in bytes: against a model that is too simple to be wrong."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wscore._config import Limits
from wscore._events import Closed, CloseReceived, Event, Fragment, PingReceived, PongReceived
from wscore._inbox import Inbox

CHARGE = 64  # what every message costs besides its bytes on the wire
KEPT = 16  # pings and pongs that stay at most
CLOSED = Closed(1000, "", True)


def inbox(high: int = 1000, low: int = 300) -> Inbox:
    return Inbox(Limits(inbox_high=high, inbox_low=low))


def put(box: Inbox, *messages: str | bytes | Fragment) -> None:
    """Queue messages as the wire brings them: text as UTF-8."""
    for message in messages:
        box.put_message(message, wire_size(message))


def wire_size(message: str | bytes | Fragment) -> int:
    if isinstance(message, Fragment):
        message = message.data
    return len(message.encode("utf-8") if isinstance(message, str) else message)


def take_all(box: Inbox) -> list[Event]:
    taken: list[Event] = []
    while (event := box.next()) is not None:
        taken.append(event)
    return taken


def places(box: Inbox) -> int:
    """Count what is kept, gaps included."""
    assert len(box._arrived_sizes) == len(box._arrived) and len(box._ready_sizes) == len(box._ready)
    return len(box._arrived) + len(box._ready)


def test_events_come_out_in_the_order_in_which_they_came() -> None:
    box = inbox()
    put(box, "text")
    box.put(PingReceived(b"p"))
    put(box, b"bytes")
    box.put(CloseReceived(1000, ""))
    box.put(CLOSED)
    assert len(box) == 5
    assert box.messages == 2
    assert take_all(box) == ["text", PingReceived(b"p"), b"bytes", CloseReceived(1000, ""), CLOSED]
    assert (len(box), box.messages, box.charged, box.full) == (0, 0, 0, False)
    assert box.next() is None


def test_an_empty_message_is_not_free() -> None:
    box = inbox(high=10 * CHARGE, low=0)
    put(box, *[b""] * 9)
    assert not box.full
    put(box, "")
    assert (box.charged, box.full) == (10 * CHARGE, True)


@pytest.mark.parametrize("text", ["x" * 12, "\u00fc" * 6, "\u2603" * 4, "\U0001f600" * 3])
def test_text_is_charged_its_bytes_on_the_wire_not_its_characters(text: str) -> None:
    # All of these are twelve bytes of UTF-8: what the peer paid for is what it is charged.
    box = inbox(high=10 * (12 + CHARGE), low=2 * (12 + CHARGE))
    put(box, *[text] * 9)
    assert (box.charged, box.full) == (9 * (12 + CHARGE), False)
    assert box.fits(12) and not box.fits(13)
    put(box, text)
    assert (box.charged, box.full) == (10 * (12 + CHARGE), True)
    charges = []
    while box.next() is not None:
        charges.append((box.charged // (12 + CHARGE), box.charged % (12 + CHARGE), box.full))
    assert charges == [(left, 0, left > 2) for left in range(9, -1, -1)]


@pytest.mark.parametrize(("size", "full"), [(935, False), (936, True), (937, True), (5000, True)])
def test_the_inbox_is_full_from_the_high_mark_on(size: int, full: bool) -> None:
    box = inbox(high=1000)
    assert box.fits(size) is (size + CHARGE <= 1000)
    put(box, bytes(size))
    assert box.charged == size + CHARGE
    assert box.full is full


def test_a_part_of_a_message_is_charged_and_counted_like_a_message() -> None:
    box = inbox(high=1000, low=300)
    put(box, Fragment("\u2603", False), "whole", Fragment(bytes(936 - 3 - 5 - 3 * CHARGE), True))
    assert (box.messages, box.charged, box.full) == (3, 936, False)
    put(box, Fragment("", True))
    assert (box.messages, box.charged, box.full) == (4, 1000, True)
    for left in (933, 864, 64):
        box.next()
        assert (box.charged, box.full) == (left, left > 300)
    assert (box.messages, box.next(), box.messages) == (1, Fragment("", True), 0)


def test_what_fits_depends_on_what_waits() -> None:
    box = inbox(high=1000)
    put(box, "x" * 436)
    assert box.fits(436)
    assert not box.fits(437)


def test_a_full_inbox_stays_full_down_to_the_low_mark() -> None:
    box = inbox(high=1000, low=300)
    for size in (536, 100, 137, 99):  # charged 600, 164, 201, 163
        put(box, bytes(size))
    assert (box.charged, box.full) == (1128, True)
    states = []
    for _ in range(4):
        box.next()
        states.append((box.charged, box.full))
    assert states == [(528, True), (364, True), (163, False), (0, False)]


def test_exactly_at_the_low_mark_there_is_room_again() -> None:
    box = inbox(high=1000, low=300)
    put(box, bytes(900), bytes(300 - CHARGE))
    box.next()
    assert (box.charged, box.full) == (300, False)


def test_below_the_high_mark_it_never_was_full() -> None:
    box = inbox(high=1000, low=300)
    put(box, bytes(800))
    box.next()
    assert not box.full


def test_what_is_no_message_costs_nothing() -> None:
    box = inbox(high=64, low=0)
    for _ in range(100):
        box.put(PingReceived(bytes(125)))
    box.put(CLOSED)
    assert (box.charged, box.messages, box.full) == (0, 0, False)


def test_only_the_newest_pings_and_pongs_stay() -> None:
    box = inbox()
    put(box, "first")
    for number in range(20):
        payload = bytes([number])
        box.put(PongReceived(payload) if number % 2 else PingReceived(payload))
        box.put(CloseReceived(3000 + number, ""))
    events = take_all(box)
    controls = [event for event in events if isinstance(event, (PingReceived, PongReceived))]
    assert [event.payload for event in controls] == [bytes([number]) for number in range(4, 20)]
    assert events[0] == "first"
    assert len(events) == 1 + 20 + 16


def test_a_ping_that_was_taken_makes_room_for_another() -> None:
    box = inbox()
    for number in range(16):
        box.put(PingReceived(bytes([number])))
    assert box.next() == PingReceived(b"\x00")
    box.put(PingReceived(b"\x10"))
    assert take_all(box) == [PingReceived(bytes([number])) for number in range(1, 17)]


def test_a_queue_that_never_runs_empty_does_not_grow() -> None:
    box = inbox(high=10**6)
    put(box, "first")
    for _ in range(5000):
        put(box, "next")
        box.next()
    assert len(box) == 1
    assert places(box) == 1


def test_pings_that_were_dropped_leave_nothing_behind() -> None:
    box = inbox()
    put(box, "nobody takes this")
    for number in range(50_000):
        box.put(PingReceived(number.to_bytes(2, "big")))
    assert len(box) == 1 + KEPT
    assert places(box) < 300 + KEPT + 256
    payloads = [number.to_bytes(2, "big") for number in range(50_000 - KEPT, 50_000)]
    assert take_all(box) == ["nobody takes this", *map(PingReceived, payloads)]


@pytest.mark.parametrize("taken", [0, 1, 100, 200, 255])
def test_closing_the_gaps_of_dropped_pings_keeps_order_charges_and_count(taken: int) -> None:
    # Pings stand between messages of different sizes; some of the messages were taken before.
    box = inbox(high=10**6, low=0)
    messages = [bytes(number % 7) for number in range(300)]
    for message in messages:
        put(box, message)
        box.put(PingReceived(b"old"))
    for _ in range(taken):
        box.next()
    for number in range(600):
        box.put(PongReceived(number.to_bytes(2, "big")))
    kept: list[Event] = [*messages[taken:]]
    kept += [PongReceived(number.to_bytes(2, "big")) for number in range(600 - KEPT, 600)]
    assert len(box) == len(kept)
    assert places(box) < 300 + KEPT + 256
    left = sum(wire_size(message) + CHARGE for message in messages[taken:])
    for event in kept:
        assert box.charged == left
        assert box.next() == event
        left -= wire_size(event) + CHARGE if isinstance(event, bytes) else 0
    assert (len(box), box.charged, box.messages, box.next()) == (0, 0, 0, None)


def test_what_was_taken_is_not_held_on_to() -> None:
    box = inbox(high=10**6)
    first = bytes(100_000)
    put(box, first, b"second")
    assert box.next() is first
    assert not any(event is first for event in [*box._arrived, *box._ready])
    box.put(CLOSED)
    assert take_all(box) == [b"second", CLOSED]


contents = st.one_of(st.text(max_size=120), st.binary(max_size=200))
messages = st.one_of(contents, st.builds(Fragment, contents, st.booleans()))
controls = st.one_of(
    st.builds(PingReceived, st.binary(max_size=2)), st.builds(PongReceived, st.binary(max_size=2))
)


class InboxAgainstModel(RuleBasedStateMachine):
    """The model: a list of all that waits, and a sum that is checked against the list after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.box = inbox(high=1000, low=300)
        self.waiting: list[Event] = []
        self.charged = 0
        self.full = False

    @rule(message=messages)
    def put_message(self, message: str | bytes | Fragment) -> None:
        size = wire_size(message)
        assert self.box.fits(size) is (self.charged + size + CHARGE <= 1000)
        put(self.box, message)
        self.waiting.append(message)
        self.charged += size + CHARGE
        self.full = self.full or self.charged >= 1000

    @rule(count=st.sampled_from([1, 20, 300]))
    def put_many(self, count: int) -> None:
        for _ in range(count):
            self.put_message(b"")

    @rule(control=controls)
    def put_control(self, control: PingReceived | PongReceived) -> None:
        self.box.put(control)
        places = [i for i, e in enumerate(self.waiting) if isinstance(e, (PingReceived, PongReceived))]
        if len(places) == KEPT:
            del self.waiting[places[0]]
        self.waiting.append(control)

    @rule(count=st.integers(1, 30), control=controls)
    def put_controls(self, count: int, control: PingReceived | PongReceived) -> None:
        for _ in range(count):
            self.put_control(control)

    @rule(code=st.integers(3000, 4999))
    def put_other(self, code: int) -> None:
        self.box.put(CloseReceived(code, ""))
        self.waiting.append(CloseReceived(code, ""))

    @rule(count=st.sampled_from([1, 3, 20, 290]))
    def take(self, count: int) -> None:
        for _ in range(count):
            expected = self.waiting.pop(0) if self.waiting else None
            assert self.box.next() == expected
            if isinstance(expected, (str, bytes, Fragment)):
                self.charged -= wire_size(expected) + CHARGE
                self.full = self.full and self.charged > 300

    @invariant()
    def they_agree(self) -> None:
        assert len(self.box) == len(self.waiting)
        messages = [event for event in self.waiting if isinstance(event, (str, bytes, Fragment))]
        assert self.box.messages == len(messages)
        assert self.box.charged == self.charged == sum(wire_size(message) + CHARGE for message in messages)
        assert self.box.full is self.full


InboxAgainstModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_the_inbox_behaves_like_its_model = InboxAgainstModel.TestCase


def test_several_messages_are_queued_at_once_in_their_order() -> None:
    box = inbox(high=1000, low=300)
    put(box, "first")
    assert box.room == 1000 - (5 + CHARGE)
    box.put_messages(["second", b"third"], [6 + CHARGE, 5 + CHARGE], 11 + 2 * CHARGE)
    assert (len(box), box.messages, box.charged) == (3, 3, 16 + 3 * CHARGE)
    assert not box.full
    box.put_messages([bytes(900)], [900 + CHARGE], 900 + CHARGE)
    assert box.full
    assert take_all(box) == ["first", "second", b"third", bytes(900)]
    assert (box.charged, box.messages, box.full) == (0, 0, False)
