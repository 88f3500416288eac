"""One direction between two sides, and what can go wrong with it."""

import pytest

from wscore.testing import Clock, Link
from wscore.testing._link import Mark


def arrivals(clock: Clock, link: Link) -> list[tuple[float, bytes | Mark]]:
    """Let time pass until nothing is on its way; return what arrived and when."""
    found: list[tuple[float, bytes | Mark]] = []
    while (due := link.next_due()) is not None:
        clock.advance(max(0.0, due - clock.now))
        while (arrived := link.receive()) is not None:
            found.append((clock.now, arrived))
    return found


def linked(link: Link) -> Clock:
    clock = Clock()
    link.attach(clock)
    return clock


def send(link: Link, data: bytes) -> int:
    return link.send(memoryview(data))


def test_by_default_bytes_arrive_at_once_and_as_they_were_sent() -> None:
    link = Link()
    clock = linked(link)
    assert send(link, b"one") == 3
    assert send(link, b"") == 0
    assert send(link, b"two") == 3
    assert link.in_flight == 6
    assert arrivals(clock, link) == [(0.0, b"one"), (0.0, b"two")]
    assert link.in_flight == 0


def test_latency_is_the_time_of_each_byte_and_may_change_without_disorder() -> None:
    link = Link(latency=2.0)
    clock = linked(link)
    send(link, b"slow")
    assert link.receive() is None
    clock.advance(1.0)
    link.latency = 0.5
    send(link, b"quick")
    assert arrivals(clock, link) == [(2.0, b"slow"), (2.0, b"quick")]


def test_jitter_is_repeatable_bounded_and_never_disorders() -> None:
    def run(seed: int) -> list[tuple[float, bytes | Mark]]:
        link = Link(latency=1.0, jitter=0.5, split=1, seed=seed)
        clock = linked(link)
        send(link, bytes(range(100)))
        return arrivals(clock, link)

    assert run(1) == run(1) != run(2)
    moments = [moment for moment, _ in run(1)]
    assert moments == sorted(moments) and moments[0] >= 1.0 and moments[-1] <= 1.5
    assert [piece for _, piece in run(1)] == [bytes([octet]) for octet in range(100)]


def test_a_stream_is_split_into_pieces_of_one_size() -> None:
    link = Link(split=3)
    clock = linked(link)
    send(link, b"12345678")
    assert [piece for _, piece in arrivals(clock, link)] == [b"123", b"456", b"78"]


def test_a_stream_is_split_into_pieces_of_random_sizes_that_repeat_themselves() -> None:
    def run(seed: int) -> list[int]:
        link = Link(split=(2, 5), seed=seed)
        clock = linked(link)
        send(link, bytes(1000))
        return [len(piece) for _, piece in arrivals(clock, link) if isinstance(piece, bytes)]

    assert run(1) == run(1) != run(2)
    assert sum(run(1)) == 1000 and set(run(1)[:-1]) == {2, 3, 4, 5}


def test_bandwidth_spreads_a_stream_over_time_packet_by_packet() -> None:
    link = Link(bandwidth=1460.0, latency=0.25)
    clock = linked(link)
    send(link, bytes(2920))
    send(link, bytes(146))
    found = arrivals(clock, link)
    assert [moment for moment, _ in found] == pytest.approx([1.25, 2.25, 2.35])
    clock.advance(10.0)
    send(link, bytes(146))
    assert arrivals(clock, link)[0][0] == pytest.approx(clock.now)


def test_no_more_than_the_capacity_is_in_flight() -> None:
    link = Link(capacity=10)
    linked(link)
    assert send(link, b"1234567") == 7
    assert send(link, b"89abcd") == 3
    assert send(link, b"bcd") == 0
    assert link.receive() == b"1234567"
    assert send(link, b"bcd") == 3


def test_without_a_capacity_everything_is_accepted() -> None:
    link = Link(capacity=None)
    linked(link)
    assert send(link, bytes(10_000_000)) == 10_000_000
    assert link.receive() == bytes(10_000_000)


def test_a_frozen_stream_waits_and_goes_on() -> None:
    link = Link(latency=1.0)
    clock = linked(link)
    send(link, b"one")
    link.freeze()
    clock.advance(5.0)
    send(link, b"two")
    link.end()
    assert link.frozen and link.next_due() is None and link.receive() is None
    link.thaw()
    assert arrivals(clock, link) == [(5.0, b"one"), (6.0, b"two"), (6.0, Mark.END)]


def test_on_a_lost_path_nothing_arrives_and_nobody_is_told() -> None:
    link = Link(capacity=10)
    linked(link)
    send(link, b"gone")
    link.lose()
    assert send(link, b"gone too") == 6
    link.end()
    link.reset()
    assert link.lost and link.next_due() is None and link.receive() is None


def test_the_end_comes_behind_everything_else_and_only_once() -> None:
    link = Link(latency=1.0)
    clock = linked(link)
    send(link, b"last")
    link.end()
    link.end()
    assert send(link, b"too late") == 8
    assert arrivals(clock, link) == [(1.0, b"last"), (1.0, Mark.END)]


def test_a_reset_destroys_what_is_in_flight() -> None:
    link = Link(latency=1.0, capacity=10)
    clock = linked(link)
    send(link, b"destroyed")
    clock.advance(0.5)
    link.reset()
    link.reset()
    link.end()
    assert link.in_flight == 0
    assert send(link, b"too late for it") == 15
    assert arrivals(clock, link) == [(1.5, Mark.RESET)]


def test_who_does_not_read_gets_neither_bytes_nor_the_end_but_notices_a_reset() -> None:
    link = Link()
    linked(link)
    send(link, b"unread")
    link.end()
    assert (link.receive(reading=False), link.next_due(reading=False)) == (None, None)
    assert link.receive() == b"unread"
    assert link.receive(reading=False) is None
    link.reset()
    assert link.next_due(reading=False) == 0.0
    assert link.receive(reading=False) is Mark.RESET


def test_a_link_is_used_once() -> None:
    link = Link()
    link.attach(Clock())
    with pytest.raises(ValueError, match="cannot be used again"):
        link.attach(Clock())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Link(latency=-1.0),
        lambda: Link(jitter=-1.0),
        lambda: Link(latency=float("nan")),
        lambda: Link(split=0),
        lambda: Link(split=(0, 3)),
        lambda: Link(split=(3, 2)),
        lambda: Link(bandwidth=0.0),
        lambda: Link(capacity=0),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="must be"):
        make()
