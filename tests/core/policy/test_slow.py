"""Broadcasts and slow peers: nobody waits for them, nothing piles up without end, what is kept follows."""

from collections.abc import Callable

import pytest

from support.wire import BINARY, CLOSE, PONG, TEXT, connecting, feed, from_peer, opened, read_frames, status
from wscore import Config, Connection, Limits, PreparedMessage, Role, State
from wscore.policy._slow import Backlog, Offered, SlowConsumer, offer, prepare
from wscore.testing import drain

LIMITS = Limits(outbox_high=100, outbox_low=10, outbox_limit=1000)
BIG = PreparedMessage(bytes(200))  # takes all the room there is
ROLES = pytest.mark.parametrize("role", list(Role))
POLICIES = pytest.mark.parametrize("policy", list(SlowConsumer))


def note(number: int) -> PreparedMessage:
    return PreparedMessage(f"{number}")


def a_core(role: Role = Role.SERVER, limits: Limits = LIMITS) -> Connection:
    return opened(role, Config(limits=limits))


def crowded(role: Role = Role.SERVER) -> Connection:
    """Return a connection that is open and has no room."""
    core = a_core(role)
    core.send_bytes(bytes(200))
    assert not core.writable
    return core


def texts(core: Connection) -> list[str]:
    """Take what may leave, and return the text messages in it."""
    frames = read_frames(drain(core, 0.0).sent)
    return [payload.decode() for first, payload in frames if first == 0x80 | TEXT]


@ROLES
@POLICIES
@pytest.mark.parametrize("backlog", [None, Backlog()])
def test_a_message_is_sent_at_once_where_there_is_room(
    role: Role, policy: SlowConsumer, backlog: Backlog | None
) -> None:
    core = a_core(role)
    assert offer(core, note(1), policy, backlog, 0.0) is Offered.SENT
    assert texts(core) == ["1"]
    assert not backlog


@POLICIES
def test_the_message_that_fills_the_room_is_still_sent(policy: SlowConsumer) -> None:
    core = a_core()
    assert offer(core, BIG, policy, Backlog(), 0.0) is Offered.FULL
    assert not core.writable
    assert read_frames(drain(core, 0.0).sent) == [(0x80 | BINARY, bytes(200))]


@ROLES
def test_who_waits_gets_every_message_in_its_order(role: Role) -> None:
    core, backlog = crowded(role), Backlog()
    offered = {offer(core, note(number), SlowConsumer.WAIT, backlog, 0.0) for number in range(5)}
    assert offered == {Offered.FULL}
    assert texts(core) == ["0", "1", "2", "3", "4"]
    assert len(backlog) == backlog.dropped == 0


def test_who_waits_too_long_is_told_that_it_reads_too_slowly() -> None:
    core, backlog = a_core(), Backlog()
    offered = [offer(core, BIG, SlowConsumer.WAIT, backlog, 0.0) for _ in range(6)]
    assert offered == [Offered.FULL] * 5 + [Offered.CLOSED]  # over 1000 bytes waited
    frames = read_frames(drain(core, 0.0).sent)
    assert frames[:5] == [(0x80 | BINARY, bytes(200))] * 5
    assert frames[5:] == [(0x80 | CLOSE, status(1008, b"the peer reads too slowly"))]


def test_who_drops_misses_what_came_while_there_was_no_room() -> None:
    core, backlog = crowded(), Backlog()
    for number in range(3):
        assert offer(core, note(number), SlowConsumer.DROP, backlog, 0.0) is Offered.DROPPED
    assert texts(core) == []
    assert offer(core, note(3), SlowConsumer.DROP, backlog, 0.0) is Offered.SENT
    assert texts(core) == ["3"]
    assert backlog.dropped == 3


def test_who_drops_the_oldest_gets_the_newest_when_there_is_room() -> None:
    core, backlog = crowded(), Backlog(2)
    for number in range(5):
        assert offer(core, note(number), SlowConsumer.DROP_OLDEST, backlog, 0.0) is Offered.KEPT
    assert (len(backlog), backlog.dropped) == (2, 3)
    backlog.release(core)  # too early: nothing has left
    assert (len(backlog), texts(core)) == (2, [])
    backlog.release(core)
    assert (len(backlog), backlog.dropped, texts(core)) == (0, 3, ["3", "4"])


def test_a_backlog_keeps_sixteen_messages_unless_told_otherwise() -> None:
    backlog = Backlog()
    for number in range(17):
        backlog.keep(note(number))
    assert (len(backlog), backlog.dropped) == (16, 1)


def test_a_message_does_not_overtake_those_that_wait() -> None:
    core, backlog = crowded(), Backlog()
    offer(core, note(1), SlowConsumer.DROP_OLDEST, backlog, 0.0)
    drain(core, 0.0)
    assert core.writable
    assert offer(core, note(2), SlowConsumer.DROP_OLDEST, backlog, 0.0) is Offered.KEPT
    backlog.release(core)
    assert texts(core) == ["1", "2"]


def test_a_backlog_is_released_no_further_than_there_is_room() -> None:
    core, backlog = a_core(), Backlog()
    for _ in range(3):
        backlog.keep(BIG)
    for left in (2, 1, 0):
        backlog.release(core)
        assert len(backlog) == left and not core.writable
        assert read_frames(drain(core, 0.0).sent) == [(0x80 | BINARY, bytes(200))]
    backlog.release(core)


def test_what_is_held_behind_parts_of_a_message_does_not_cost_the_backlog_a_message() -> None:
    core, backlog = a_core(), Backlog()
    core.send_fragment("a", False)
    for _ in range(5):
        core.send_bytes(bytes(200))  # held until the parts are complete
    backlog.keep(note(1))
    assert core.writable
    backlog.release(core)
    assert len(backlog) == 1
    core.send_fragment("z", True)
    drain(core, 0.0)
    backlog.release(core)
    assert texts(core) == ["1"]


def test_who_is_held_behind_parts_of_a_message_for_too_long_is_closed() -> None:
    core = a_core()
    core.send_fragment("a", False)
    offered = [offer(core, BIG, SlowConsumer.DROP, Backlog(), 0.0) for _ in range(6)]
    assert offered == [Offered.SENT] * 5 + [Offered.CLOSED]


def test_who_is_to_be_closed_is_closed_behind_what_was_sent() -> None:
    core = crowded()
    assert offer(core, note(1), SlowConsumer.CLOSE, Backlog(), 0.0) is Offered.CLOSED
    assert core.state is State.LOCAL_CLOSING
    assert read_frames(drain(core, 0.0).sent) == [
        (0x80 | BINARY, bytes(200)),
        (0x80 | CLOSE, status(1008, b"the peer reads too slowly")),
    ]
    assert offer(core, note(2), SlowConsumer.CLOSE, Backlog(), 0.0) is Offered.GONE


def local_closing() -> Connection:
    core = a_core()
    core.close(now=0.0)
    return core


def draining() -> Connection:
    core = local_closing()
    drain(core, 0.0)
    feed(core, (CLOSE, status(1000)))
    assert core.state is State.DRAINING
    return core


def lost() -> Connection:
    core = a_core()
    core.receive_eof(0.0)
    assert core.state is State.CLOSED
    return core


@POLICIES
@pytest.mark.parametrize("make", [lambda: connecting(Role.SERVER), local_closing, draining, lost])
def test_who_cannot_be_sent_to_is_gone(make: Callable[[], Connection], policy: SlowConsumer) -> None:
    core, backlog = make(), Backlog()
    backlog.keep(note(0))
    before = core.state
    assert offer(core, note(1), policy, backlog, 0.0) is Offered.GONE
    assert offer(core, note(1), policy, None, 0.0) is Offered.GONE
    backlog.release(core)
    assert (len(backlog), backlog.dropped, core.state) == (1, 0, before)
    assert texts(core) == []


def test_before_our_close_answers_that_of_the_peer_messages_still_leave() -> None:
    """RFC 6455 section 5.5.1: an endpoint may delay its Close until its current message is sent."""
    core, backlog = a_core(), Backlog()
    backlog.keep(note(1))
    core.receive_data(from_peer(Role.SERVER, TEXT, b"?") + from_peer(Role.SERVER, CLOSE, status(1000)), 0.0)
    assert core.next_event() == "?"
    assert core.state is State.REMOTE_CLOSING
    backlog.release(core)
    assert offer(core, note(2), SlowConsumer.DROP, backlog, 0.0) is Offered.SENT
    frames = read_frames(drain(core, 0.0).sent)
    assert frames == [(0x80 | TEXT, b"1"), (0x80 | TEXT, b"2"), (0x80 | CLOSE, status(1000))]


def test_pongs_pass_and_are_no_sign_of_slowness() -> None:
    core = a_core()
    core.send_pong(b"x")
    assert offer(core, note(1), SlowConsumer.CLOSE, None, 0.0) is Offered.SENT
    assert sorted(first for first, _ in read_frames(drain(core, 0.0).sent)) == [0x80 | TEXT, 0x80 | PONG]


def test_what_is_no_prepared_message_is_the_callers_mistake() -> None:
    """It must not look like a session that has ended."""
    with pytest.raises(TypeError, match="PreparedMessage"):
        offer(a_core(), "text", SlowConsumer.WAIT, None, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("offered", list(Offered))
def test_what_was_queued_is_to_be_written(offered: Offered) -> None:
    assert offered.is_queued is (offered in {Offered.SENT, Offered.FULL, Offered.CLOSED})


def test_a_message_is_prepared_once() -> None:
    prepared = prepare("text", compress=False)
    assert (prepared.payload, prepared.compress) == (b"text", False)
    assert prepare(prepared, compress=True) is prepared
