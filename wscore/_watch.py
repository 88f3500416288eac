"""What time does to a connection: all timers, all marks, and a verdict for each timer that fires.

The connection tells this part what happened and when; a timer that fires is looked at here, against the
marks, and either is armed again or becomes a `Verdict` that the connection carries out. So the whole
story of a timer stands in one branch of `judge`, and nothing else decides about time.

The mark that most depends on is *progress*: the moment when output was given to the wire or was last known
to move. While it moves, a slow network is not a dead one: a stall does not end the connection, a pong is
not missed as long as the ping itself may still be in the backend's hands, and the close handshake is given
up to three times its timeout, but no more: a peer that trickles cannot hold it for ever.
"""

from enum import Enum
from typing import Final, assert_never, final

from ._config import Timeouts
from ._keepalive import Keepalive, Ping
from ._lifecycle import State
from ._timers import Timer, TimerTable

_ANSWER_WITHIN: Final = 1.0  # seconds that a peer's Close may wait behind unread messages
_LINGER_WITHOUT_HALF_CLOSE: Final = 1.0  # seconds to discard input after a failure, where FIN cannot be sent

_ALMOST: Final = 15 / 16  # of the keepalive timeout
_PATIENCE: Final = 3  # times the close timeout that moving output may delay the end

_UNTIL_THE_END: Final = (Timer.OPEN, Timer.KEEPALIVE, Timer.PONG, Timer.IDLE, Timer.LIFETIME)


class Verdict(Enum):
    """What the connection must do about a timer that fired."""

    WAIT = "nothing: the timer is armed again, or has no reason any more"
    PING = "send a keepalive ping"
    GO_AWAY = "close with 1001"
    ANSWER_CLOSE = "answer the peer's Close now"
    HANG_UP = "everything has left: close TCP"
    GIVE_UP = "the connection is lost: settle the outcome and abort"


@final
class Watch:
    """The timers of one connection and the marks that traffic leaves.

    Attributes:
        keepalive: which ping is answered by which pong.
    """

    __slots__ = (
        "_close_bound",
        "_data_moves",
        "_guarded",
        "_last_data",
        "_ping_moved",
        "_progress",
        "_timeouts",
        "_timers",
        "keepalive",
    )

    def __init__(self, timeouts: Timeouts, now: float) -> None:
        self._timeouts: Timeouts = timeouts
        self._timers: TimerTable = TimerTable()
        self._progress: float = now
        self._last_data: float = now
        self._guarded: bool = False  # WRITE_STALL is armed, or has no timeout
        self._data_moves: bool = False  # what was given out last holds a message
        self._ping_moved: float = now  # when the batch that holds the keepalive ping was last known to move
        self._close_bound: float = float("inf")  # beyond this, progress does not delay the end any more
        self.keepalive: Keepalive = Keepalive(now)
        self._arm(Timer.OPEN, now, timeouts.open)

    def next_deadline(self) -> float | None:
        """Return the earliest deadline; None when nothing is armed."""
        return self._timers.next_deadline()

    def pop_expired(self, now: float) -> Timer | None:
        """Return one timer that fires now, or None."""
        return self._timers.pop_expired(now)

    # What happened.

    def note_opened(self, now: float) -> None:
        """The opening handshake is over; the life of the connection begins."""
        self._timers.disarm(Timer.OPEN)
        self._arm(Timer.KEEPALIVE, now, self._timeouts.keepalive)
        self._arm(Timer.IDLE, now, self._timeouts.idle)
        self._arm(Timer.LIFETIME, now, self._timeouts.lifetime)
        self._last_data = now

    def note_data(self, now: float) -> None:
        """A piece of a message came."""
        self._last_data = now

    def note_progress(self, now: float) -> None:
        """Output moved."""
        self._progress = now
        if self._data_moves:
            self._last_data = now
        if self.keepalive.in_hand:
            self._ping_moved = now

    def note_departed(self, now: float) -> None:
        """All output has left."""
        self.note_progress(now)
        self._data_moves = False
        self.keepalive.in_hand = False

    def note_given(self, now: float, *, data_included: bool) -> None:
        """Output was given to the wire: what watches over it starts."""
        self._progress = now
        self._data_moves = data_included
        if data_included:
            self._last_data = now
        if not self._guarded:
            self._guarded = True
            self._arm(Timer.WRITE_STALL, now, self._timeouts.write_stall)

    def note_ping_given(self, now: float, *, state: State, paused: bool) -> None:
        """Output was given to the wire, and with it all pings that were unsent."""
        if self.keepalive.note_given(now, paused=paused) and state is State.OPEN:
            self._ping_moved = now
            self._arm(Timer.PONG, now, self._timeouts.pong)

    def receive_pong(self, payload: bytes, now: float) -> Ping | None:
        """Match a pong; return the ping that it answers, None: nobody asked."""
        ping = self.keepalive.receive_pong(payload, now)
        if ping is not None and ping.automatic:
            self._timers.disarm(Timer.PONG)  # it would find nothing amiss, but an idle connection would wake
        return ping

    def note_ending(self, now: float, *, state: State, half_close_missing: bool) -> None:
        """Give what is left of the end its deadline, if it has none; for calls that know the time."""
        if self._timers.is_armed(Timer.CLOSE):
            return
        if state is State.REMOTE_CLOSING:
            self._timers.arm(Timer.CLOSE, now + _ANSWER_WITHIN)
        elif state is State.LOCAL_CLOSING or state is State.DRAINING:
            linger = _LINGER_WITHOUT_HALF_CLOSE if half_close_missing else self._timeouts.close
            self._arm(Timer.CLOSE, now, linger)
            if linger is not None:
                bound = now + _PATIENCE * (self._timeouts.close or linger)
                self._close_bound = min(self._close_bound, bound)  # the first one counts

    def begin_end(self) -> None:
        """The end has begun: from here only CLOSE and WRITE_STALL count."""
        for timer in _UNTIL_THE_END:
            self._timers.disarm(timer)

    def restart_close(self) -> None:
        """A new part of the end begins: CLOSE is armed for it by the next call that knows the time."""
        self._timers.disarm(Timer.CLOSE)

    def stop(self) -> None:
        """Nothing will happen any more."""
        self._timers.disarm_all()

    # What to do about it.

    def judge(
        self, timer: Timer, now: float, *, state: State, paused: bool, given: int, idle: bool
    ) -> Verdict:
        """Look at a timer that fired and was disarmed by that.

        Args:
            timer: which one.
            now: the time.
            state: where the connection stands.
            paused: we are not reading.
            given: bytes given out that have not been reported gone.
            idle: nothing waits for the wire and nothing is on its way there.
        """
        match timer:
            case Timer.OPEN:
                return Verdict.GIVE_UP
            case Timer.KEEPALIVE:
                return self._judge_silence(now, paused=paused)
            case Timer.PONG:
                return self._judge_pong(now, paused=paused)
            case Timer.IDLE:
                return self._unless_later(timer, now, self._last_data, self._timeouts.idle, Verdict.GO_AWAY)
            case Timer.LIFETIME:
                return Verdict.GO_AWAY
            case Timer.CLOSE:
                return self._judge_close(now, state=state, idle=idle)
            case Timer.WRITE_STALL:
                self._guarded = given > 0
                if not given:
                    return Verdict.WAIT  # armed again when bytes are given out next
                return self._unless_later(
                    timer, now, self._progress, self._timeouts.write_stall, Verdict.GIVE_UP
                )
            case _:
                assert_never(timer)

    def _judge_silence(self, now: float, *, paused: bool) -> Verdict:
        """Ping a silent peer, unless the last ping is still on its way or waits for its answer.

        Almost silent for so long is enough: an idle peer's last byte is the end of its pong, a little younger
        than the timer, which would fire twice for every ping.
        """
        keepalive, timeout = self.keepalive, self._timeouts.keepalive or 0.0
        last = now if paused else keepalive.last_byte
        if last + timeout * _ALMOST > now:
            self._timers.arm(Timer.KEEPALIVE, last + timeout)
            return Verdict.WAIT
        self._timers.arm(Timer.KEEPALIVE, now + timeout)
        unanswered = self._timers.is_armed(Timer.PONG) and not keepalive.answered
        return Verdict.WAIT if unanswered or keepalive.ping_waits else Verdict.PING

    def _judge_pong(self, now: float, *, paused: bool) -> Verdict:
        """A silent peer is gone, unless we did not listen or our ping may still be on its way."""
        keepalive = self.keepalive
        if keepalive.answered:
            return Verdict.WAIT  # any byte is life; KEEPALIVE looks for the next silence
        last = now if paused or keepalive.was_paused else self._ping_moved
        keepalive.was_paused = paused
        return self._unless_later(Timer.PONG, now, last, self._timeouts.pong, Verdict.GIVE_UP)

    def _judge_close(self, now: float, *, state: State, idle: bool) -> Verdict:
        """The end takes long: answer a Close that waits, let moving bytes move, or cut it short."""
        if state is State.REMOTE_CLOSING:
            return Verdict.ANSWER_CLOSE
        if idle:
            return Verdict.HANG_UP if state is State.DRAINING else Verdict.GIVE_UP
        due = self._progress + (self._timeouts.close or _LINGER_WITHOUT_HALF_CLOSE)
        return self._unless_later(Timer.CLOSE, now, min(due, self._close_bound), 0.0, Verdict.GIVE_UP)

    def _unless_later(
        self, timer: Timer, now: float, mark: float, timeout: float | None, verdict: Verdict
    ) -> Verdict:
        """Return verdict if timeout has passed since mark; otherwise arm timer again from the mark."""
        due = mark + (timeout or 0.0)
        if due <= now:
            return verdict
        self._timers.arm(timer, due)
        return Verdict.WAIT

    def _arm(self, timer: Timer, now: float, timeout: float | None) -> None:
        if timeout is not None:
            self._timers.arm(timer, now + timeout)
