"""What can happen to two cores, as a list of actions, and how it must end.

An action is a function of the world, of one end of it, and of a source of numbers that chooses the rest. The
state machine of the tests makes a rule of each; `play` lets a stream of numbers choose the actions, too: a
seeded generator's, or the bytes that a fuzzer found interesting.

`finish` is the liveness check. At whatever moment, one of the things that end a connection happens, then time
alone passes, and each side must have come to its end by the moment that its own timeouts promise.
"""

from collections.abc import Callable
from typing import Final

from support import choices
from support.choices import ByteSource, Pick, from_seed, one_of
from support.two_cores import End, TwoCores
from wscore import ConnectionClosed, State, Timeouts

Action = Callable[[TwoCores, End, Pick], None]

_CODES: Final = (1000, 1001, 1011, 3000, 4999)
_PIECES: Final = (1 << 30, 1, 2, 7, 100, 1000, 5000)
_TIMES: Final = (0.01, 0.0, 0.5, 0.02, 1.0, 0.1, 5.0, 20.0, 100.0)
_COMPRESS: Final = (None, True, False)
_SLACK: Final = 1e-6  # of adding floating-point seconds in another order


def make(pick: Pick) -> TwoCores:
    """Make two cores with whatever configurations."""
    return TwoCores(choices.config(pick), choices.config(pick), half_close=(pick(4) != 3, pick(4) != 3))


# Actions of the application.


def send(world: TwoCores, end: End, pick: Pick) -> None:
    """Send a few messages."""
    for _ in range(one_of(pick, (1, 2, 8, 30))):
        text, compress = pick(2) == 0, one_of(pick, _COMPRESS)
        if pick(16) == 15:
            world.send_prepared(end, pick(256))
        else:
            world.send(end, choices.payload(pick, len(end.sent), text=text), compress)


def send_fragment(world: TwoCores, end: End, pick: Pick) -> None:
    """Send parts of a message; of the wrong kind now and then, which is refused."""
    under_way = end.under_way
    text = under_way.text if under_way is not None else pick(2) == 0
    for _ in range(one_of(pick, (1, 2, 5))):
        wrong = pick(16) == 15 and end.under_way is not None
        data = choices.payload(pick, len(end.sent), text=text is not wrong)
        world.send_fragment(end, data, pick(3) == 0 and not wrong, one_of(pick, _COMPRESS))


def control(world: TwoCores, end: End, pick: Pick) -> None:
    """Send pings or pongs."""
    payload = one_of(pick, (b"", b"p", b"p" * 125))
    ping = pick(3) != 2
    for _ in range(one_of(pick, (1, 3, 40))):
        if ping:
            world.ping(end, None if pick(2) == 0 else payload)
        else:
            world.pong(end, payload)


def close(world: TwoCores, end: End, pick: Pick) -> None:
    """Close, or try a second time."""
    reason = one_of(pick, ("", "bye", "x" * 123, "\u2603" * 41))
    world.close(end, one_of(pick, _CODES), reason, discard=pick(3) == 2)


def shake_hands(world: TwoCores, end: End, pick: Pick) -> None:
    """Request, or answer a request."""
    if end is world.ends[0] or pick(8) == 7:
        world.request(end, one_of(pick, ((), ("chat",), ("a", "b"))))
    else:
        world.answer(end, one_of(pick, (101, 403, 204)), one_of(pick, (b"", b"no" * 2000)))


def err(world: TwoCores, end: End, pick: Pick) -> None:
    """Make a mistake."""
    name, args, named = one_of(pick, choices.MISTAKES)
    world.err(end, name, args, named)


def take(world: TwoCores, end: End, pick: Pick) -> None:
    """Take events; or hand out none for a while."""
    way = pick(8)
    if way == 7:
        end.watched.suspend(True)
    elif way > 4:
        end.watched.suspend(False)
    for _ in range(one_of(pick, (1000, 1, 3))):
        if world.take_event(end) is None:
            break


def hesitate(world: TwoCores, end: End, pick: Pick) -> None:
    """Answer requests by itself, or wait to be told."""
    end.answers = pick(2) == 0


# Actions of the link.


def move(world: TwoCores, end: End, pick: Pick) -> None:
    """Let a few bytes move."""
    pieces, wanted = one_of(pick, _PIECES), pick(16) != 15
    for _ in range(one_of(pick, (1, 3, 20))):
        world.write(end, pieces)
        world.read(world.peer(end), pieces, wanted=wanted)


def exchange(world: TwoCores, end: End, pick: Pick) -> None:
    """Let all move that can, to one application or both."""
    lazy = one_of(pick, ((), (), (end,), world.ends))
    world.exchange(taking=lambda other: other not in lazy)


def hinder(world: TwoCores, end: End, pick: Pick) -> None:
    """Let a fault happen or pass."""
    lane = end.out
    fault = pick(32)
    if fault < 6:
        lane.frozen = not lane.frozen
    elif fault < 12:
        lane.blocked = not lane.blocked
    elif fault == 12:
        lane.lost = True
    elif fault in (13, 14):
        world.cut(at_once=fault == 14)
    elif fault == 15:
        lane.ended = lane.blocked = True  # the peer sees an end in good order
    else:
        world.mend()


def wait(world: TwoCores, end: End, pick: Pick) -> None:
    """Let time pass: deadline by deadline, or in one leap; or ask too early, or with an old time."""
    way, seconds = pick(6), one_of(pick, _TIMES)
    if way == 0:
        world.advance(world.now + seconds)
    elif way == 1:
        world.advance(world.now + seconds, taking=lambda other: other is end)
    elif way == 2:
        world.tick(world.now + seconds)
    elif way == 3:
        due = world.next_deadline()
        world.tick(world.now if due is None else max(due, world.now))
    elif way == 4 and not end.gone:
        end.watched.handle_deadline(world.now)
    elif not end.gone:
        end.watched.call("handle_deadline", world.now - seconds)


def close_rarely(world: TwoCores, end: End, pick: Pick) -> None:
    """Close, or most often not."""
    if pick(4) == 3:
        close(world, end, pick)


# The first is the plainest; what happens all the time stands here more than once.
ACTIONS: Final[tuple[Action, ...]] = (
    send,
    exchange,
    send,
    move,
    send_fragment,
    take,
    control,
    err,
    send,
    move,
    wait,
    hinder,
    close_rarely,
    shake_hands,
    hesitate,
    send,
)


def begin(world: TwoCores, pick: Pick) -> None:
    """Most often, shake hands at once; the end of a connection has its own chances to come early."""
    if pick(8) != 7:
        world.request(world.ends[0], ("chat",))
        world.exchange()


def play(pick: Pick, steps: int) -> int:
    """Let pick choose everything; return how many frames went out."""
    world = make(pick)
    begin(world, pick)
    for _ in range(steps):
        if (isinstance(pick, ByteSource) and not pick) or (_over(world) and pick(4) == 0):
            break
        end = world.ends[pick(2)]
        one_of(pick, ACTIONS)(world, end, pick)
    finish(world, pick)
    return frames(world)


def _over(world: TwoCores) -> bool:
    """Tell whether both have ended, and their applications know."""
    return all(end.gone and end.watched.ended for end in world.ends)


def play_seed(seed: int, steps: int) -> int:
    """Play what a seeded generator chooses."""
    return play(from_seed(seed), steps)


def frames(world: TwoCores) -> int:
    """Return how many frames both have given to the wire."""
    return sum(end.watched.frames for end in world.ends)


# The end.


def finish(world: TwoCores, pick: Pick) -> None:
    """Let it end in one of the ways there are, and demand that it does; then make both cores do all again."""
    way = pick(5)
    lazy = one_of(pick, (None, None, None, *world.ends))
    if way == 4:
        _finish_cut(world, lazy, at_once=pick(2) == 0)
    elif way == 3:
        _finish_silent(world, lazy)
    else:
        closers = one_of(pick, (world.ends[:1], world.ends[1:], world.ends))
        works = way != 2 and not any(end.out.lost or end.out.ended for end in world.ends)
        _finish_closed(world, closers, lazy, works=works)
    if pick(2):
        _check_afterwards(world)
    world.replay()


def _finish_cut(world: TwoCores, lazy: End | None, *, at_once: bool) -> None:
    """The stream is cut: whoever knows it is CLOSED at once, or when it has answered a Close that waited."""
    world.cut(at_once=at_once)
    if not at_once:
        _let_take(world, lazy)
        world.advance(world.now + 1.0 + _SLACK, taking=lambda end: end is not lazy)
    for end in world.ends:
        if at_once or (end is not lazy and not end.watched.suspended):
            assert end.core.state is State.CLOSED, f"{end.role} is {end.core.state} without a stream"


def _finish_silent(world: TwoCores, lazy: End | None) -> None:
    """Nothing moves any more: keepalive, the open timeout and the write stall find it out."""
    _let_take(world, lazy)
    world.stop()
    start = world.now
    world.exchange(taking=lambda end: end is not lazy)
    promised = {end: _silence_bound(end, start) for end in world.ends}
    for end, moment in sorted(promised.items(), key=lambda item: item[1] or 0.0):
        if moment is None:
            continue
        world.advance(moment + _SLACK, taking=lambda other: other is not lazy)
        assert end.core.state is State.CLOSED, f"{end.role} is {end.core.state} in silence"


def _silence_bound(end: End, start: float) -> float | None:
    """Return when a side must have found out that its peer is silent; None: it need not."""
    timeouts, state = end.config.timeouts, end.core.state
    if state is State.CONNECTING:
        return None if timeouts.open is None else max(start, timeouts.open)
    if state is State.CLOSED:
        return start
    if state is not State.OPEN:
        return None if timeouts.close is None else start + 1.0 + _patience(timeouts)
    goes_away = timeouts.idle is not None or timeouts.lifetime is not None
    if (goes_away and timeouts.close is None) or not end.core.wants_read:
        return None
    found: float | None = None
    if timeouts.keepalive is not None and timeouts.pong is not None:
        found = start + timeouts.keepalive + 2 * timeouts.pong
    if end.out.hands:  # the ping may never leave
        found = None if timeouts.write_stall is None else start + timeouts.write_stall
    if found is not None and goes_away:
        found += 1.0 + _patience(timeouts)
    return found


def _finish_closed(world: TwoCores, closers: tuple[End, ...], lazy: End | None, *, works: bool) -> None:
    """One side closes, or both: it is CLOSED within its timeout, and at once if all goes well."""
    _let_take(world, lazy)
    if works:
        world.mend()
    else:
        world.stop()
    for end in closers:
        world.send(end, "last words")  # a Close may have to wait behind them
        world.close(end)
    world.exchange(taking=lambda end: end is not lazy)
    start = world.now
    clean = all(end.closed is not None and end.closed.clean for end in world.ends)
    if works and lazy is None and clean:
        assert all(end.core.state is State.CLOSED for end in world.ends), "all is said, and it goes on"
    if works:
        world.advance(start + 1.0 + _SLACK, taking=lambda end: end is not lazy)
        assert all(end.core.state is not State.REMOTE_CLOSING for end in world.ends), "no answer to a Close"
    waits = [(1.0 + _patience(end.config.timeouts), end) for end in closers if _bounded(end)]
    if works and lazy is None:
        total = sum(1.0 + _patience(end.config.timeouts) for end in world.ends)
        waits = [(total, end) for end in world.ends]
    for seconds, end in sorted(waits, key=lambda item: item[0]):
        world.advance(start + seconds + _SLACK, taking=lambda other: other is not lazy)
        assert end.core.state is State.CLOSED, f"{end.role} is {end.core.state} {seconds} s after close()"


def _bounded(end: End) -> bool:
    """Tell whether a close has a deadline whatever the peer does."""
    return end.config.timeouts.close is not None or end.core.state is State.CLOSED


def _patience(timeouts: Timeouts) -> float:
    """Return how long the end may take when nothing moves; a failure without half-close lingers a second."""
    return max(timeouts.close or 0.0, 1.0)


def _let_take(world: TwoCores, lazy: End | None) -> None:
    """All applications but the lazy one take events again."""
    for end in world.ends:
        if end is not lazy:
            end.answers = True
            end.watched.suspend(False)


def _check_afterwards(world: TwoCores) -> None:
    """Whatever comes after the end has no effect, and is refused if it wants one."""
    for end in world.ends:
        if end.core.state is not State.CLOSED:
            continue
        end.watched.receive(b"\x81\x01a", world.now + 1)
        end.watched.end_input(world.now + 2)
        end.watched.handle_deadline(world.now + 1e6)
        assert not end.watched.take_bytes(world.now + 1e6)
        world.close(end)
        for name, args in (("send_text", ("late",)), ("send_request", ("ws://localhost/",))):
            named = {} if name == "send_text" else {"now": world.now}
            assert isinstance(end.watched.call(name, *args, **named), ConnectionClosed)
