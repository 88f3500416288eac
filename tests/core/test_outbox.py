"""Bytes that wait for the wire, and the few pongs that may."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._config import Limits
from wscore._mask import MaskedLater, mask_in_python
from wscore._outbox import Outbox

KEY = b"\x37\xfa\x21\x3d"
JOINED_BELOW = 16 * 1024


def outbox(high: int = 100, low: int = 20) -> Outbox:
    return Outbox(Limits(outbox_high=high, outbox_low=low, outbox_limit=1000))


def no_key() -> bytes | None:
    return None


def test_an_empty_outbox_gives_nothing() -> None:
    box = outbox()
    assert (box.waiting, box.given, box.buffered) == (0, 0, 0)
    assert box.idle and not box.waiting and box.writable
    assert box.limit == 1000
    assert box.take(no_key) == []
    assert box.idle


def test_bytes_are_buffered_until_they_are_known_to_have_left() -> None:
    box = outbox()
    box.put([b"head", b"payload"])
    assert (box.waiting, box.given, box.buffered) == (11, 0, 11)
    assert box.waiting and not box.idle
    assert b"".join(box.take(no_key)) == b"headpayload"
    assert (box.waiting, box.given, box.buffered) == (0, 11, 11)
    assert not box.waiting and not box.idle
    box.note_departed()
    assert box.idle


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([3, 4, 5], [12]),
        ([JOINED_BELOW], [JOINED_BELOW]),
        ([JOINED_BELOW - 1, JOINED_BELOW - 1], [2 * JOINED_BELOW - 2]),
        ([4, JOINED_BELOW, 5, 6, 70_000, 7], [4, JOINED_BELOW, 11, 70_000, 7]),
        ([JOINED_BELOW, JOINED_BELOW], [JOINED_BELOW, JOINED_BELOW]),
    ],
)
def test_small_pieces_are_joined_and_big_ones_stay_as_they_are(sizes: list[int], taken: list[int]) -> None:
    box = outbox()
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        box.put([piece])
    given = box.take(no_key)
    assert [len(piece) for piece in given] == taken
    assert b"".join(given) == b"".join(pieces)
    # A big one is not even copied.
    assert all(any(piece is own for piece in given) for own in pieces if len(own) >= JOINED_BELOW)


def test_pongs_leave_before_everything_that_waits_and_in_their_order() -> None:
    box = outbox()
    box.put([b"frame"])
    box.put_pong(b"old")
    assert box.buffered == 5 + 2 + 3
    box.put_pong(b"newer")
    assert box.buffered == 5 + 2 + 3 + 2 + 5
    # RFC 6455 section 5.2: FIN and opcode A, no mask from a server.
    assert b"".join(box.take(no_key)) == b"\x8a\x03old\x8a\x05newer" + b"frame"
    assert box.given == 17
    assert box.take(no_key) == []


def test_of_a_flood_of_pings_only_the_newest_sixteen_are_answered() -> None:
    # RFC 6455 section 5.5.3: a pong may be sent for only the most recently processed ping.
    box = outbox()
    for number in range(50_000):
        box.put_pong(number.to_bytes(2, "big"))
    assert box.buffered == 16 * (2 + 2)
    pongs = [b"\x8a\x02" + number.to_bytes(2, "big") for number in range(49_984, 50_000)]
    assert box.take(no_key) == [b"".join(pongs)]


def test_a_head_leaves_before_all_frames_and_pongs() -> None:
    box = outbox()
    box.put_pong(b"")
    box.put([b"frame"])
    box.put_head(b"head")
    assert (box.waiting, box.buffered) == (11, 11)
    assert box.waiting and not box.idle
    assert box.take(no_key) == [b"head" + b"\x8a\x00" + b"frame"]
    assert (box.waiting, box.given) == (0, 11)
    assert box.take(no_key) == []


def test_a_long_head_stays_as_it_is_and_in_front() -> None:
    box = outbox()
    head = b"h" * JOINED_BELOW
    box.put([b"frame"])
    box.put_head(head)
    assert box.take(no_key) == [head, b"frame"]


def test_a_head_leaves_also_after_our_close_was_queued() -> None:
    box = outbox()
    box.put([b"\x88\x00"])
    box.end()
    box.put_head(b"head")
    assert box.take(no_key) == [b"head" + b"\x88\x00"]


def test_a_head_that_waited_is_dropped_when_the_stream_is_gone() -> None:
    box = outbox()
    box.put_head(b"head")
    box.clear()
    assert box.idle and not box.waiting
    assert box.take(no_key) == []


def test_a_single_byte_is_something_to_send() -> None:
    box = outbox()
    box.put([b"x"])
    assert box.waiting and not box.idle


def test_a_pong_is_something_to_send() -> None:
    box = outbox()
    box.put_pong(b"")
    assert box.waiting and not box.idle
    assert box.waiting == 2
    assert box.take(no_key) == [b"\x8a\x00"]


def test_a_clients_pong_is_masked_with_a_key_drawn_when_it_leaves() -> None:
    box = outbox()
    drawn: list[bytes] = []

    def new_key() -> bytes | None:
        drawn.append(KEY)
        return KEY

    box.put_pong(b"Hello")
    box.put_pong(b"Hello")
    assert drawn == []
    assert box.take(new_key) == [bytes.fromhex("8a8537fa213d7f9f4d5158") * 2]  # RFC 6455 section 5.7
    assert drawn == [KEY, KEY]  # 5.3: a fresh one for each frame
    box.put([b"frame"])
    box.take(new_key)
    assert drawn == [KEY, KEY]


def test_after_our_close_no_pong_may_be_added() -> None:
    box = outbox()
    box.put_pong(b"before")
    box.put([b"\x88\x00"])
    box.end()
    box.put_pong(b"after")
    assert box.take(no_key) == [b"\x8a\x06before" + b"\x88\x00"]


def test_a_stream_that_is_gone_takes_and_gives_nothing() -> None:
    box = outbox()
    box.put([bytes(150)])
    box.take(no_key)
    box.put([bytes(150)])
    box.put_pong(b"x")
    assert not box.writable
    box.clear()
    assert box.idle and box.writable
    box.put([b"more"])
    box.put_piece(b"more")
    box.put_pong(b"y")
    box.put_head(b"head")
    assert box.idle and not box.waiting
    assert (box.waiting, box.take(no_key)) == (0, [])


def test_above_the_high_mark_it_is_not_writable_until_the_low_one() -> None:
    box = outbox(high=100, low=20)
    box.put([bytes(100)])
    assert box.writable
    box.put([b"x"])
    assert not box.writable
    box.take(no_key)
    assert not box.writable  # given out, but not known to have left
    box.put([bytes(21)])
    box.note_departed()
    assert not box.writable  # what came meanwhile waits above the low mark
    box.take(no_key)
    assert not box.writable
    box.note_departed()
    assert box.writable


@pytest.mark.parametrize("left", [0, 1, 20])
def test_at_the_low_mark_it_is_writable_again(left: int) -> None:
    box = outbox(high=100, low=20)
    box.put([bytes(101)])
    box.take(no_key)
    box.put([bytes(left)])
    assert not box.writable
    box.note_departed()
    assert box.writable


@pytest.mark.parametrize("size", [1, 20, 21, 101])
def test_what_was_only_given_out_makes_nobody_writable(size: int) -> None:
    # Bytes in the hands of a backend wait no less than bytes here: only their departure makes room.
    box = outbox(high=0, low=0) if size < 101 else outbox(high=100, low=20)
    box.put([bytes(size)])
    assert not box.writable
    box.take(no_key)
    assert (box.buffered, box.writable) == (size, False)
    box.note_departed()
    assert (box.buffered, box.writable) == (0, True)


def test_what_came_while_others_left_is_measured_alone() -> None:
    box = outbox(high=100, low=20)
    box.put([bytes(90)])
    box.take(no_key)
    box.put([bytes(20)])
    assert not box.writable
    box.note_departed()
    assert (box.given, box.waiting, box.writable) == (0, 20, True)
    box.take(no_key)
    assert (box.given, box.writable) == (20, True)


def test_a_pong_counts_against_the_high_mark() -> None:
    box = outbox(high=100, low=20)
    box.put_pong(bytes(50))
    box.put([bytes(48)])
    assert box.writable
    box.put([b"x"])
    assert not box.writable


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(1, 20_000)), max_size=20))
def test_no_byte_is_lost_doubled_or_overtaken(script: list[int | None]) -> None:
    box, written, taken = outbox(), b"", b""
    for number, size in enumerate(script):
        if size is None:
            taken += b"".join(box.take(no_key))
        else:
            piece = bytes([number]) * size
            box.put([piece])
            written += piece
        assert box.buffered == box.waiting + box.given
        assert len(written) == len(taken) + box.waiting
    taken += b"".join(box.take(no_key))
    assert taken == written


# Messages that are held behind one under way: counted, not given out.


def test_what_is_held_counts_as_buffered_but_cannot_be_taken() -> None:
    box = outbox(high=100, low=20)
    box.hold(90)
    assert (box.held, box.waiting, box.buffered, box.waiting, box.idle) == (90, 0, 90, False, False)
    assert box.take(no_key) == []
    assert box.writable
    box.hold(11)
    assert box.writable  # waiting would not let it go
    box.release()
    assert (box.held, box.buffered, box.idle) == (0, 0, True)


def test_what_is_held_is_buffered_but_not_on_the_way() -> None:
    box = outbox(high=100, low=20)
    box.hold(60)
    box.put([bytes(100)])
    assert box.writable
    box.put([b"x"])
    assert (box.buffered, box.on_the_way, box.writable) == (161, 101, False)
    box.take(no_key)
    assert (box.buffered, box.on_the_way) == (161, 101)
    box.note_departed()
    assert (box.buffered, box.on_the_way, box.writable) == (60, 0, True)


def test_frames_that_are_given_out_in_batches_are_not_moved_about_each_time() -> None:
    box = batched(1)
    for number in range(2000):
        box.put([number.to_bytes(2, "big")])
    taken = [b"".join(box.take(no_key)) for _ in range(1990)]
    assert taken == [number.to_bytes(2, "big") for number in range(1990)]
    box.put([b"last"])
    assert box.waiting == 10 * 2 + 4
    assert b"".join(b"".join(box.take(no_key)) for _ in range(11)) == (
        b"".join(number.to_bytes(2, "big") for number in range(1990, 2000)) + b"last"
    )
    assert not box.waiting


def test_a_stream_that_is_gone_holds_nothing() -> None:
    box = outbox()
    box.hold(1000)
    box.clear()
    assert (box.held, box.idle, box.writable) == (0, True, True)
    box.hold(1000)
    box.release()
    assert (box.held, box.buffered, box.writable) == (0, 0, True)


def test_an_empty_message_that_is_held_costs_something_too() -> None:
    box = outbox()
    for _ in range(15):
        box.hold(0)
    assert (box.crowded, box.roomy, box.buffered) == (False, True, 0)
    box.hold(0)
    assert (box.crowded, box.roomy) == (True, False)
    box.release()
    assert (box.crowded, box.roomy) == (False, True)


# Frames of messages that were cut: given out batch by batch.


def batched(size: int, high: int = 1000) -> Outbox:
    return Outbox(Limits(outbox_high=high, outbox_low=0, outbox_limit=10_000), size)


@pytest.mark.parametrize(
    ("batch", "sizes", "taken"),
    [
        (10, [10, 10, 10], [10, 10, 10]),
        (10, [12, 12, 5], [12, 12, 5]),  # headers count, and a frame is never cut
        (10, [3, 3, 3, 3, 3], [12, 3]),  # small ones fill a batch
        (10, [9, 1, 1], [10, 1]),
        (10, [9, 50, 1], [59, 1]),
        (1, [5, 5], [5, 5]),
        (100, [5, 5], [10]),
    ],
)
def test_a_batch_has_as_many_frames_as_reach_its_size(batch: int, sizes: list[int], taken: list[int]) -> None:
    box, given = batched(batch), list[int]()
    frames = [bytes([number]) * size for number, size in enumerate(sizes)]
    for frame in frames:
        box.put([frame[:1], frame[1:]])
    out = b""
    while box.waiting:
        assert box.buffered == box.waiting == sum(sizes) - sum(given)
        pieces = box.take(no_key)
        given.append(sum(map(len, pieces)))
        out += b"".join(pieces)
        assert (box.given, box.waiting) == (given[-1], sum(sizes) - sum(given))
        assert box.buffered == box.given + box.waiting
        box.note_departed()
    assert (given, out) == (taken, b"".join(frames))
    assert box.idle and box.take(no_key) == []


def test_pongs_and_pings_leave_between_the_frames_of_a_cut_message() -> None:
    box = batched(5)
    for number in range(3):
        box.put([b"frm%d." % number])
    assert box.take(no_key) == [b"frm0."]
    box.put_control([b"ping"])
    box.put_pong(b"x")
    box.put([b"later"])
    assert box.buffered == 5 + 10 + 4 + 3 + 5
    assert box.take(no_key) == [b"\x8a\x01x" + b"ping" + b"frm1."]
    assert box.take(no_key) == [b"frm2."]
    assert box.take(no_key) == [b"later"]
    assert not box.waiting


def test_without_batches_a_ping_keeps_its_place() -> None:
    box = outbox()
    box.put([b"frame"])
    box.put_control([b"ping"])
    box.put([b"behind"])
    assert box.take(no_key) == [b"frame" + b"ping" + b"behind"]


def test_a_ping_alone_is_something_to_send_and_counts() -> None:
    box = batched(5, high=10)
    box.put_control([b"ping", b"payload"])
    assert (box.waiting, box.buffered, box.writable) == (11, 11, False)
    assert box.take(no_key) == [b"pingpayload"]
    assert (box.waiting, box.given) == (0, 11)
    assert box.take(no_key) == []


def test_the_head_leaves_before_pings_and_frames_also_in_batches() -> None:
    box = batched(5)
    box.put([b"frame"])
    box.put_control([b"ping"])
    box.put_head(b"head")
    assert box.take(no_key) == [b"head" + b"ping" + b"frame"]


def test_what_waits_in_batches_is_dropped_when_the_stream_is_gone() -> None:
    box = batched(5)
    for _ in range(3):
        box.put([b"frame"])
    box.take(no_key)
    box.put_control([b"ping"])
    box.clear()
    box.put_control([b"ping"])
    assert (box.idle, box.waiting, box.take(no_key)) == (True, False, [])


def test_what_waits_is_held_and_was_given_out_makes_it_crowded_above_the_limit() -> None:
    box = Outbox(Limits(outbox_limit=10 + 64))
    box.put([b"1234"])
    box.take(no_key)
    box.put([b"123"])
    box.hold(3)
    assert not box.crowded
    box.put([b"4"])
    assert box.crowded
    box.note_departed()
    assert not box.crowded


# Long payloads, masked and given out in parts.

PART = 128 * 1024


def long(box: Outbox, size: int, head: bytes = b"head") -> bytes:
    """Queue a frame with a long payload; return it as it must leave."""
    payload = bytes(range(251)) * (size // 251) + bytes(size % 251)
    box.put_long(head, MaskedLater(payload, KEY))
    return head + mask_in_python(payload, KEY)


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 5])
def test_a_long_payload_leaves_in_parts_and_everything_in_its_order(size: int) -> None:
    box = outbox()
    box.put_piece(b"before")
    expected = b"before" + long(box, size)
    box.put_piece(b"between")
    box.put([b"more", b" between"])
    expected += b"betweenmore between" + long(box, size + 1, b"second")
    box.put_piece(b"behind")
    expected += b"behind"
    assert box.waiting == len(expected)
    left = b""
    while box.waiting:
        taken = b"".join(box.take(no_key))
        assert 0 < len(taken) <= PART + 30
        assert (box.given, box.waiting) == (len(taken), len(expected) - len(left) - len(taken))
        left += taken
        box.note_departed()
    assert left == expected
    assert box.idle and box.take(no_key) == []


def test_behind_a_long_payload_short_frames_leave_together_again() -> None:
    box = outbox()
    long(box, PART)
    box.put_piece(b"a")
    box.take(no_key)
    box.put_piece(b"b")
    assert box.take(no_key) == [b"ab"]
    box.put_piece(b"c")
    assert box.take(no_key) == [b"c"]


def test_a_pong_leaves_before_a_long_frame_or_behind_it_and_never_within() -> None:
    box = outbox()
    box.put_pong(b"1")
    frame = long(box, 2 * PART)
    assert box.waiting == 3 + len(frame)
    first = b"".join(box.take(lambda: KEY))
    assert first.startswith(b"\x8a\x81" + KEY)
    assert first[7:] == frame[: len(first) - 7]
    assert box.waiting == len(frame) - len(first) + 7
    box.put_pong(b"2")
    assert box.waiting == 3 + len(frame) - len(first) + 7
    assert b"".join(box.take(lambda: KEY)) == frame[len(first) - 7 :]
    assert box.waiting == 3
    assert b"".join(box.take(lambda: KEY)).startswith(b"\x8a\x81" + KEY)
    assert box.waiting == 0


def test_pings_go_before_a_long_frame_in_the_order_in_which_they_were_queued() -> None:
    box = outbox()
    box.put_piece(b"before")
    box.put_control([b"ping", b" 1 "])
    frame = long(box, PART + 1)
    box.put_piece(b"behind")
    box.put_control([b"ping 2 "])
    box.put_control([b"ping 3 "])
    box.put_pong(b"!")
    waiting = box.waiting
    assert waiting == 6 + 7 + len(frame) + 6 + 14 + 3
    first = b"".join(box.take(no_key))
    assert first == b"\x8a\x01!beforeping 1 ping 2 ping 3 " + frame[:-1]
    assert (box.urgent_waits, box.waiting) == (False, waiting - len(first))
    assert b"".join(box.take(no_key)) == frame[-1:]
    assert box.take(no_key) == [b"behind"]
    assert box.waiting == 0


def test_a_ping_that_comes_within_a_long_frame_goes_right_behind_it() -> None:
    box = outbox()
    frame = long(box, PART + 1)
    second = long(box, PART, b"second")
    first = b"".join(box.take(no_key))
    waiting = box.waiting
    box.put_control([b"ping 1 "])
    box.put_control([b"ping 2 "])
    box.put_pong(b"!")
    assert (box.urgent_waits, box.waiting) == (True, waiting + 17)
    assert first + b"".join(box.take(no_key)) == frame
    assert (box.urgent_waits, box.waiting) == (True, len(second) + 17)
    assert b"".join(box.take(no_key)) == b"\x8a\x01!ping 1 ping 2 " + second
    assert (box.urgent_waits, box.waiting) == (False, 0)


def test_a_ping_behind_the_last_long_frame_leaves_when_nothing_else_waits() -> None:
    box = outbox()
    frame = long(box, PART + 1)
    first = b"".join(box.take(no_key))
    box.put_control([b"ping"])
    assert first + b"".join(box.take(no_key)) == frame
    assert (box.urgent_waits, box.waiting) == (True, 4)
    assert box.take(no_key) == [b"ping"]
    assert (box.urgent_waits, box.waiting) == (False, 0)
    box.clear()
    box.put_control([b"ping"])
    assert box.waiting == 0


def test_room_comes_back_when_the_parts_have_left() -> None:
    box = Outbox(Limits(outbox_high=100_000, outbox_low=20_000, outbox_limit=10**6))
    long(box, 2 * PART)
    assert not box.writable and box.roomy
    box.take(no_key)
    box.note_departed()
    assert not box.writable
    box.take(no_key)
    assert not box.writable
    box.note_departed()
    assert box.writable


def test_of_a_stream_that_is_gone_no_part_is_left() -> None:
    box = outbox()
    long(box, 2 * PART)
    long(box, 2 * PART)
    box.take(no_key)
    box.clear()
    assert (box.idle, box.take(no_key)) == (True, [])
    long(box, PART)
    assert (box.idle, box.take(no_key)) == (True, [])


def test_pings_that_go_before_frames_are_no_data() -> None:
    box = outbox(high=PART, low=0)
    assert not box.data_waits
    long(box, PART + 1)
    assert box.data_waits
    box.take(no_key)
    box.put_control([b"ping"])
    assert box.data_waits
    box.take(no_key)
    assert (box.urgent_waits, box.data_waits, box.waiting) == (True, False, 4)
    box.put([b"frame"])
    assert box.data_waits
