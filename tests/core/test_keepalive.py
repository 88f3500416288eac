"""Which pong answers which ping, and what counts as a sign of life."""

import pytest

from wscore._keepalive import Keepalive, Ping

REMEMBERED = 64


def pings(*payloads: bytes, automatic: bool = False) -> list[Ping]:
    return [Ping(payload, automatic=automatic) for payload in payloads]


def keepalive(waiting: list[Ping]) -> Keepalive:
    keeper = Keepalive(100.0)
    for ping in waiting:
        keeper.remember(ping)
    return keeper


def test_at_the_beginning_the_peer_lives_and_nothing_is_awaited() -> None:
    keeper = Keepalive(100.0)
    assert (keeper.last_byte, keeper.answered, keeper.was_paused) == (100.0, True, False)
    assert keeper.latency is None
    assert not keeper.ping_waits
    assert not keeper.note_given(101.0, paused=False)
    assert not keeper.receive_pong(b"", 101.0)


def test_a_pong_answers_the_ping_with_its_payload() -> None:
    (ping,) = waiting = pings(b"a")
    keeper = keepalive(waiting)
    keeper.note_given(101.0, paused=False)
    assert ping.latency is None
    keeper.receive_pong(b"a", 101.5)
    assert ping.latency == 0.5
    assert keeper.latency == 0.5


def test_a_pong_answers_every_ping_before_its_own_too() -> None:
    # RFC 6455 section 5.5.3: an endpoint may answer only the most recently processed ping.
    first, second, third, fourth = waiting = pings(b"1", b"2", b"3", b"4")
    keeper = keepalive(waiting[:2])
    keeper.note_given(101.0, paused=False)
    for ping in waiting[2:]:
        keeper.remember(ping)
    keeper.note_given(102.0, paused=False)
    keeper.receive_pong(b"3", 104.0)
    assert [ping.latency for ping in waiting] == [3.0, 3.0, 2.0, None]
    assert keeper.latency == 2.0
    keeper.receive_pong(b"2", 105.0)  # answered already: says nothing
    assert [first.latency, second.latency, keeper.latency] == [3.0, 3.0, 2.0]
    keeper.receive_pong(b"4", 106.0)
    assert [third.latency, fourth.latency, keeper.latency] == [2.0, 4.0, 4.0]


@pytest.mark.parametrize("payload", [b"", b"b", b"aa", b"A", b"a\x00"])
def test_a_pong_with_another_payload_answers_nothing(payload: bytes) -> None:
    (ping,) = waiting = pings(b"a")
    keeper = keepalive(waiting)
    keeper.note_given(101.0, paused=False)
    assert not keeper.receive_pong(payload, 102.0)
    assert ping.latency is None
    assert keeper.latency is None


def test_a_ping_that_has_not_left_cannot_be_answered() -> None:
    (ping,) = waiting = pings(b"a", automatic=True)
    keeper = keepalive(waiting)
    assert not keeper.receive_pong(b"a", 101.0)
    keeper.note_given(102.0, paused=False)
    assert keeper.receive_pong(b"a", 103.0)
    assert ping.latency == 1.0


def test_of_equal_pings_the_oldest_is_answered() -> None:
    first, second = waiting = pings(b"", b"")
    keeper = keepalive(waiting)
    keeper.note_given(101.0, paused=False)
    keeper.receive_pong(b"", 102.0)
    assert (first.latency, second.latency) == (1.0, None)
    keeper.receive_pong(b"", 103.0)
    assert second.latency == 2.0


def test_only_keepalives_own_pong_is_told_apart() -> None:
    keeper = keepalive(pings(b"theirs") + pings(b"own", automatic=True))
    keeper.note_given(101.0, paused=False)
    answers = [keeper.receive_pong(payload, 102.0) for payload in (b"theirs", b"own", b"own")]
    assert [answer and answer.automatic for answer in answers] == [False, True, None]


def test_a_ping_counts_from_the_moment_it_left_for_the_first_time() -> None:
    (ping,) = waiting = pings(b"a")
    keeper = keepalive(waiting)
    for moment in (101.0, 150.0):
        keeper.note_given(moment, paused=False)
    assert ping.given_at == 101.0


def test_a_keepalive_ping_that_leaves_asks_for_a_sign_of_life() -> None:
    keeper = keepalive(pings(b"own", automatic=True))
    keeper.was_paused = True
    assert keeper.ping_waits
    assert keeper.note_given(101.0, paused=False)
    assert not keeper.ping_waits
    assert (keeper.answered, keeper.was_paused) == (False, False)
    assert not keeper.note_given(102.0, paused=False)  # only the first time


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("paused", [False, True])
def test_a_ping_that_leaves_while_we_do_not_read_remembers_that(before: bool, paused: bool) -> None:
    # What was before the ping is over; whether its pong can be seen at once is not.
    keeper = keepalive(pings(b"own", automatic=True))
    keeper.was_paused = before
    keeper.note_given(101.0, paused=paused)
    assert keeper.was_paused is paused
    keeper.note_given(102.0, paused=not paused)  # nothing of keepalive's was among this
    assert keeper.was_paused is paused


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("paused", [False, True])
def test_an_applications_ping_asks_for_none(before: bool, paused: bool) -> None:
    keeper = keepalive(pings(b"theirs"))
    keeper.was_paused = before
    assert not keeper.ping_waits
    assert not keeper.note_given(101.0, paused=paused)
    assert (keeper.answered, keeper.was_paused) == (True, before)


def test_any_byte_is_a_sign_of_life() -> None:
    keeper = keepalive(pings(b"own", automatic=True))
    keeper.note_given(101.0, paused=False)
    keeper.note_received(102.0)
    assert (keeper.answered, keeper.last_byte) == (True, 102.0)


def test_of_a_great_many_pings_the_oldest_are_forgotten() -> None:
    waiting = pings(*(bytes([number]) for number in range(REMEMBERED + 1)))
    keeper = keepalive(waiting)
    keeper.note_given(101.0, paused=False)
    keeper.receive_pong(b"\x00", 102.0)
    assert all(ping.latency is None for ping in waiting)
    keeper.receive_pong(bytes([REMEMBERED]), 103.0)
    assert [ping.latency for ping in waiting] == [None] + [2.0] * REMEMBERED


def test_an_older_ping_of_keepalives_own_is_still_known_as_its_own() -> None:
    keeper = keepalive(pings(b"old", automatic=True))
    keeper.note_given(101.0, paused=False)
    keeper.note_received(102.0)
    keeper.remember(*pings(b"new", automatic=True))
    keeper.note_given(120.0, paused=False)
    late = keeper.receive_pong(b"old", 121.0)
    assert late is not None and late.automatic and late.latency == 20.0


def test_of_keepalives_own_that_never_left_only_the_newest_waits() -> None:
    first, second = pings(b"1", b"2", automatic=True)
    keeper = keepalive([first, second])
    keeper.note_given(101.0, paused=False)
    assert (first.given_at, second.given_at) == (None, 101.0)


def test_very_many_pings_of_the_application_do_not_hide_keepalives_own() -> None:
    (own,) = waiting = pings(b"own", automatic=True)
    keeper = keepalive(waiting + pings(*[b"%d" % number for number in range(2 * REMEMBERED)]))
    assert keeper.ping_waits
    assert keeper.note_given(101.0, paused=False)
    assert own.given_at == 101.0


def test_of_very_many_of_keepalives_own_the_oldest_are_forgotten() -> None:
    keeper = Keepalive(100.0)
    for number in range(REMEMBERED + 1):
        keeper.remember(*pings(b"%d" % number, automatic=True))
        keeper.note_given(101.0, paused=False)
    assert keeper.receive_pong(b"0", 102.0) is None
    assert keeper.receive_pong(b"1", 102.0) is not None
