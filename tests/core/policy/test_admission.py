"""Who may come in: connections, handshakes under way, and what one address may have of both."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wscore._typing import override
from wscore.policy._admission import Admission, Entry

HOME = ("192.0.2.1", 50000)
AWAY = ("198.51.100.7", 50000)


def numbers(admission: Admission) -> tuple[int, int]:
    return admission.pending, admission.connections


# Handshakes and connections.


def test_a_handshake_becomes_a_connection_and_ends() -> None:
    admission = Admission(max_connections=2, max_pending=2)
    assert numbers(admission) == (0, 0)
    assert admission.admit(HOME) is Entry.ADMIT
    assert numbers(admission) == (1, 0)
    admission.opened(HOME)
    assert numbers(admission) == (0, 1)
    admission.closed(HOME, True)
    assert numbers(admission) == (0, 0)


def test_a_handshake_that_fails_is_no_longer_under_way() -> None:
    admission = Admission(max_connections=2, max_pending=2)
    admission.admit(HOME)
    admission.closed(HOME, False)
    assert numbers(admission) == (0, 0)


def test_handshakes_beyond_the_limit_wait_until_one_opens() -> None:
    admission = Admission(max_connections=10, max_pending=2)
    assert [admission.admit(HOME) for _ in range(4)] == [Entry.ADMIT, Entry.ADMIT, Entry.WAIT, Entry.WAIT]
    assert numbers(admission) == (2, 0)
    admission.opened(HOME)
    assert admission.admit(AWAY) is Entry.ADMIT
    assert admission.admit(AWAY) is Entry.WAIT


def test_handshakes_beyond_the_limit_wait_until_one_fails() -> None:
    admission = Admission(max_connections=10, max_pending=1)
    admission.admit(HOME)
    assert admission.admit(AWAY) is Entry.WAIT
    admission.closed(HOME, was_open=False)
    assert admission.admit(AWAY) is Entry.ADMIT


def test_a_server_is_full_of_open_connections_and_not_of_handshakes() -> None:
    """Thousands who say nothing must not take the place of one who has something to say."""
    admission = Admission(max_connections=2, max_pending=5)
    for _ in range(5):
        assert admission.admit(HOME) is Entry.ADMIT
    assert not admission.full
    admission.opened(HOME)
    assert not admission.full
    admission.opened(HOME)
    assert admission.full
    admission.closed(HOME, True)
    assert not admission.full


def test_a_full_server_still_takes_handshakes_to_answer_them() -> None:
    admission = Admission(max_connections=1, max_pending=1)
    admission.admit(HOME)
    admission.opened(HOME)
    assert admission.admit(AWAY) is Entry.ADMIT
    assert admission.full
    admission.closed(AWAY, False)
    assert numbers(admission) == (0, 1)


def test_there_is_room_while_both_together_are_fewer_than_the_connections() -> None:
    """Where each costs a thread, before anybody knows who it is."""
    admission = Admission(max_connections=2, max_pending=2)
    assert admission.has_room
    admission.admit(HOME)
    assert admission.has_room
    admission.admit(HOME)
    assert not admission.has_room
    admission.opened(HOME)
    assert not admission.has_room
    admission.closed(HOME, False)
    assert admission.has_room


def test_there_is_no_room_while_too_many_handshakes_are_under_way() -> None:
    admission = Admission(max_connections=5, max_pending=2)
    admission.admit(HOME)
    assert admission.has_room
    admission.admit(HOME)
    assert not admission.has_room
    admission.opened(HOME)
    assert admission.has_room


def test_who_asks_whether_there_is_room_first_never_has_to_wait_or_turn_away() -> None:
    """One that takes a thread for each: 2,000 come, 1,000 get in, the others stay in the kernel."""
    admission = Admission(max_connections=1000, max_pending=1000)
    entered = 0
    for _ in range(2000):
        if admission.has_room:
            assert admission.admit(HOME) is Entry.ADMIT
            entered += 1
    assert entered == 1000
    admission.closed(HOME, False)
    assert admission.has_room


# By address.


def test_one_address_has_its_share_and_others_have_theirs() -> None:
    admission = Admission(max_connections=10, max_pending=10, max_per_address=2)
    assert [admission.admit(HOME) for _ in range(3)] == [Entry.ADMIT, Entry.ADMIT, Entry.REFUSE]
    assert admission.admit(AWAY) is Entry.ADMIT
    assert numbers(admission) == (3, 0)


def test_the_share_holds_for_handshakes_and_open_connections_together() -> None:
    admission = Admission(max_connections=10, max_pending=10, max_per_address=2)
    admission.admit(HOME)
    admission.opened(HOME)
    admission.admit(HOME)
    assert admission.admit(HOME) is Entry.REFUSE
    admission.closed(HOME, False)
    assert admission.admit(HOME) is Entry.ADMIT
    assert admission.admit(HOME) is Entry.REFUSE
    admission.closed(HOME, True)
    assert admission.admit(HOME) is Entry.ADMIT


def test_a_share_that_is_used_up_is_said_even_while_handshakes_must_wait() -> None:
    admission = Admission(max_connections=10, max_pending=1, max_per_address=1)
    admission.admit(HOME)
    assert admission.admit(HOME) is Entry.REFUSE
    assert admission.admit(AWAY) is Entry.WAIT


def test_who_has_to_wait_has_used_nothing_of_its_share() -> None:
    admission = Admission(max_connections=10, max_pending=1, max_per_address=1)
    admission.admit(HOME)
    assert [admission.admit(AWAY) for _ in range(3)] == [Entry.WAIT] * 3
    admission.opened(HOME)
    assert admission.admit(AWAY) is Entry.ADMIT


def test_without_a_limit_by_address_there_is_none() -> None:
    admission = Admission(max_connections=1, max_pending=500)
    assert {admission.admit(HOME) for _ in range(500)} == {Entry.ADMIT}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (("192.0.2.1", 1), ("192.0.2.1", 2), True),
        (("192.0.2.1", 1), "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2::1", True),
        (("2001:db8:1:2::1", 1, 0, 0), ("2001:db8:1:2::2", 2, 0, 0), True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:8000::1", True),
        ("fe80::1%eth0", "fe80::2", True),
        # RFC 4291 section 2.5.5.2: how a socket for both shows IPv4.
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        (("::ffff:c000:201", 1, 0, 0), ("192.0.2.1", 1), True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "::1", False),
        ("0.0.0.1", "0:0:0:1::", False),  # an IPv4 address and a prefix of the same number
    ],
)
def test_ipv4_counts_by_address_and_ipv6_by_its_network(one: object, other: object, together: bool) -> None:
    for first, second in ((one, other), (other, one)):
        admission = Admission(max_connections=9, max_pending=9, max_per_address=1)
        assert admission.admit(first) is Entry.ADMIT
        assert admission.admit(second) is (Entry.REFUSE if together else Entry.ADMIT)
        admission.closed(second if together else first, False)
        assert admission.admit(first) is Entry.ADMIT


@pytest.mark.parametrize("address", ["", "/run/server.sock", b"\x00abstract", None, (), (1, 2), "localhost"])
def test_what_has_no_address_has_no_limit_of_its_own(address: object) -> None:
    admission = Admission(max_connections=9, max_pending=3, max_per_address=1)
    assert [admission.admit(address) for _ in range(4)] == [*[Entry.ADMIT] * 3, Entry.WAIT]
    admission.opened(address)
    admission.closed(address, True)
    assert numbers(admission) == (2, 0)


def test_addresses_that_have_gone_are_forgotten() -> None:
    admission = Admission(max_connections=9, max_pending=9, max_per_address=3)
    for number in range(1000):
        address = f"10.0.{number // 250}.{number % 250}"
        admission.admit(address)
        admission.admit(address)
        admission.closed(address, False)
        assert len(admission._by_address) == 1
        admission.closed(address, False)
        assert admission._by_address == {}


# Mistakes.


@pytest.mark.parametrize("bad", [0, -1])
def test_limits_are_at_least_one(bad: int) -> None:
    for limits in ((bad, 1, 1), (1, bad, 1), (1, 1, bad)):
        connections, pending, share = limits
        with pytest.raises(ValueError, match="at least 1"):
            Admission(max_connections=connections, max_pending=pending, max_per_address=share)


def test_whoever_was_never_admitted_cannot_open_or_close() -> None:
    admission = Admission(max_connections=1, max_pending=1)
    with pytest.raises(AssertionError):
        admission.opened(HOME)
    for was_open in (True, False):
        with pytest.raises(AssertionError):
            admission.closed(HOME, was_open)
    assert numbers(admission) == (0, 0)


# Any order.


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_a_server_that_asks_each_time_is_never_over_its_limits(
    most: int, most_pending: int, steps: list[bool]
) -> None:
    """It answers each request at once: with 101, or with 503 when it is full."""
    admission = Admission(max_connections=most, max_pending=most_pending)
    for comes in steps:
        if comes:
            admission.admit(HOME)
        elif admission.pending and admission.full:
            admission.closed(HOME, False)
        elif admission.pending:
            admission.opened(HOME)
        assert admission.connections <= most
        assert admission.pending <= most_pending


class Crowd(RuleBasedStateMachine):
    """Connections come, open and go in any order; a list of all of them says what must be true."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(max_connections=4, max_pending=3, max_per_address=2)
        self.pending: list[str] = []
        self.open: list[str] = []

    @rule(host=st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"]))
    def come(self, host: str) -> None:
        share = Counter(self.pending + self.open)[host]
        expected = Entry.REFUSE if share == 2 else Entry.WAIT if len(self.pending) == 3 else Entry.ADMIT
        assert self.admission.admit((host, 1)) is expected
        if expected is Entry.ADMIT:
            self.pending.append(host)

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        host = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        self.admission.opened((host, 1))
        self.open.append(host)

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        host = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        self.admission.closed((host, 1), False)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        host = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.admission.closed((host, 1), True)

    @invariant()
    def the_numbers_are_those_of_the_list(self) -> None:
        assert numbers(self.admission) == (len(self.pending), len(self.open))
        assert self.admission.full is (len(self.open) >= 4)
        assert self.admission.has_room is (len(self.pending) + len(self.open) < 4 and len(self.pending) < 3)

    @override
    def teardown(self) -> None:
        for host in self.pending:
            self.admission.closed(host, False)
        for host in self.open:
            self.admission.closed(host, True)
        assert numbers(self.admission) == (0, 0)
        assert self.admission._by_address == {}


TestCrowd = Crowd.TestCase
