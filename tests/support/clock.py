"""Time in the tests of timers: one kind of timeout at a time, and deadlines that fire when announced."""

from support.wire import read_frames
from wscore import Config, Connection, Timeouts
from wscore.testing import Output, drain

NAMES = ("open", "close", "keepalive", "pong", "idle", "lifetime", "write_stall")
OFF = Timeouts(open=None, close=None, keepalive=None, pong=None, idle=None, lifetime=None, write_stall=None)


def only(**timeouts: float) -> Config:
    """Return a Config in which nothing but these times out."""
    assert set(timeouts) <= set(NAMES)
    return Config(timeouts=Timeouts(**{name: timeouts.get(name) for name in NAMES}))


def fire(connection: Connection, now: float) -> Output:
    """Let the deadline that is due now fire, which must be the one announced, then drain."""
    assert connection.next_deadline() == now
    connection.handle_deadline(now)
    return drain(connection, now)


def pinged(connection: Connection, now: float) -> bytes:
    """Let KEEPALIVE fire and return the payload of its ping, which is given out."""
    [(first, payload)] = read_frames(fire(connection, now).sent)
    assert first == 0x89
    return payload
