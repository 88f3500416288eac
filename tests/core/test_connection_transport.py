"""Who ends TCP, and when: the levels of `transport_action` (RFC 6455 sections 5.5.1 and 7.1.1)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support.wire import CLOSE, REQUEST, TEXT, connecting, feed, from_peer, opened, status
from wscore import Closed, Config, Connection, Role, State, Timeouts, Timer, TransportAction
from wscore.testing import drain

KEEP, SHUTDOWN_WRITE = TransportAction.KEEP, TransportAction.SHUTDOWN_WRITE
TCP_CLOSE, ABORT = TransportAction.CLOSE, TransportAction.ABORT
CLIENT, SERVER = Role.CLIENT, Role.SERVER
ROLES = list(Role)
CLOSE_TIMEOUT = 7.0
CONFIG = Config(timeouts=Timeouts(close=CLOSE_TIMEOUT))

End = Callable[[Connection], None]


def peer_closes(connection: Connection) -> None:
    """Let a clean close happen that the peer began."""
    connection.receive_data(from_peer(connection.role, CLOSE, status(1000)), 0.0)


def we_close(connection: Connection) -> None:
    """Let a clean close happen that we began; our Close has not been given out."""
    connection.close(now=0.0)
    connection.receive_data(from_peer(connection.role, CLOSE, status(1000)), 0.0)


def violation(connection: Connection) -> None:
    """Let the peer break a rule."""
    connection.receive_data(b"\xff", 0.0)


def refusal(connection: Connection) -> None:
    """Refuse a request."""
    connection.receive_data(REQUEST, 0.0)
    connection.respond(403, now=0.0)


def bad_request(connection: Connection) -> None:
    """Let a request come that breaks a rule."""
    connection.receive_data(b"\n", 0.0)


@dataclass(frozen=True)
class Row:
    """One way to end, and the level that follows when our last bytes have left."""

    name: str
    role: Role
    half_close: bool
    make: Callable[..., Connection]
    end: End
    level: TransportAction
    within: float  # until the core closes although the peer does not


OUTCOMES: list[tuple[tuple[End, ...], Callable[..., Connection], Role, bool, TransportAction, float]] = [
    # A clean close: the server ends TCP, by FIN if it can, so that its last bytes arrive.
    ((peer_closes, we_close), opened, SERVER, True, SHUTDOWN_WRITE, CLOSE_TIMEOUT),
    ((peer_closes, we_close), opened, SERVER, False, TCP_CLOSE, 0.0),
    # The client gives the server until CLOSE fires.
    ((peer_closes, we_close), opened, CLIENT, True, KEEP, CLOSE_TIMEOUT),
    ((peer_closes, we_close), opened, CLIENT, False, KEEP, CLOSE_TIMEOUT),
    # A failure or a refusal: FIN, or a second of discarding where there is none.
    ((violation,), opened, CLIENT, True, SHUTDOWN_WRITE, CLOSE_TIMEOUT),
    ((violation,), opened, CLIENT, False, KEEP, 1.0),
    ((violation,), opened, SERVER, True, SHUTDOWN_WRITE, CLOSE_TIMEOUT),
    ((violation,), opened, SERVER, False, KEEP, 1.0),
    ((refusal, bad_request), connecting, SERVER, True, SHUTDOWN_WRITE, CLOSE_TIMEOUT),
    ((refusal, bad_request), connecting, SERVER, False, KEEP, 1.0),
]
ROWS = [
    Row(f"{end.__name__}-{role.value}-{half_close}", role, half_close, make, end, level, within)
    for ends, make, role, half_close, level, within in OUTCOMES
    for end in ends
]
by_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def ended(row: Row) -> Connection:
    """Return the connection of a row; its last bytes wait for the wire."""
    connection = row.make(row.role, CONFIG, half_close=row.half_close)
    row.end(connection)
    return connection


@by_row
def test_the_level_appears_when_everything_has_left(row: Row) -> None:
    connection = ended(row)
    assert connection.transport_action() is KEEP  # it waits in the core
    assert connection.data_to_send(0.0)
    assert connection.transport_action() is KEEP  # it is in the backend's hands
    assert connection.data_to_send(0.0) == []  # asked again: it has left
    assert connection.transport_action() is row.level
    assert connection.transport_action() is row.level  # a level, not an edge


@by_row
def test_tcp_is_closed_when_the_peer_has_ended_its_side(row: Row) -> None:
    connection = ended(row)
    connection.receive_eof(0.0)
    assert connection.transport_action() is KEEP  # not before our last bytes
    assert drain(connection, 0.0).action is TCP_CLOSE
    assert connection.state is State.CLOSED


@by_row
def test_tcp_is_closed_in_time_when_the_peer_does_not_end_its_side(row: Row) -> None:
    connection = ended(row)
    drain(connection, 0.0)
    if row.within:
        assert connection.next_deadline() is not None
        connection.handle_deadline(row.within - 0.01)
        assert connection.transport_action() is row.level
        connection.handle_deadline(row.within)
    assert connection.transport_action() is TCP_CLOSE
    assert connection.state is State.CLOSED


@by_row
def test_the_stream_is_read_and_discarded_until_then(row: Row) -> None:
    connection = ended(row)
    drain(connection, 0.0)
    if connection.state is State.DRAINING:
        assert connection.wants_read
    connection.receive_data(REQUEST + from_peer(row.role, TEXT, b"x"), 0.1)
    output = drain(connection, 0.1)
    assert (output.events, output.sent, output.action) == ([], b"", row.level)


@by_row
def test_last_bytes_that_do_not_leave_are_given_up_at_the_close_timeout(row: Row) -> None:
    connection = ended(row)
    drain_events(connection)
    assert connection.data_to_send(0.0)
    now = 0.0
    while connection.state is State.DRAINING:
        deadline = connection.next_deadline()
        assert deadline is not None
        now = max(now, deadline)
        connection.handle_deadline(now)
    assert now == CLOSE_TIMEOUT
    assert connection.transport_action() is ABORT


def drain_events(connection: Connection) -> None:
    """Take every event and leave the bytes."""
    while connection.next_event() is not None:
        pass


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 101 Hi\r\n\r\n", b"\n"]
)
def test_a_client_that_was_refused_or_given_nonsense_leaves(answer: bytes) -> None:
    connection = connecting(CLIENT)
    connection.receive_data(answer, 0.0)
    assert (connection.state, connection.transport_action()) == (State.CLOSED, TCP_CLOSE)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("half_close", [True, False])
def test_an_open_or_half_closed_connection_keeps_its_tcp(role: Role, half_close: bool) -> None:
    connection = opened(role, half_close=half_close)
    assert connection.transport_action() is KEEP
    connection.close(now=0.0)
    assert drain(connection, 0.0).action is KEEP
    waiting = opened(role, half_close=half_close)
    waiting.receive_data(from_peer(role, TEXT, b"x") + from_peer(role, CLOSE, b""), 0.0)
    assert waiting.transport_action() is KEEP


@pytest.mark.parametrize("role", ROLES)
def test_a_stream_that_ends_too_early_is_closed(role: Role) -> None:
    connection = opened(role)
    connection.receive_eof(0.0)
    assert drain(connection, 0.0).action is TCP_CLOSE


# Bytes that are stuck in a backend's hands must not keep a connection for ever.


@pytest.mark.parametrize("role", ROLES)
def test_a_stream_that_ends_too_early_is_not_closed_in_good_order_over_bytes_on_their_way(role: Role) -> None:
    connection = opened(role)
    connection.send_text("x")
    assert connection.data_to_send(0.0)
    connection.receive_eof(0.0)
    assert connection.transport_action() in (KEEP, ABORT)  # not CLOSE, before all given out has left


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("reports", [1, 2])
@pytest.mark.parametrize("ends", ["open", "draining"])
def test_bytes_that_can_never_leave_are_aborted(role: Role, reports: int, ends: str) -> None:
    connection = opened(role, CONFIG)
    connection.send_text("x")
    assert connection.data_to_send(0.0)
    if ends == "draining":
        peer_closes(connection)
    for _ in range(reports):
        connection.receive_eof(0.0)
    if reports == 1:  # the peer may still read: they have until a timer fires
        while connection.transport_action() is KEEP:
            deadline = connection.next_deadline()
            assert deadline is not None and deadline <= 30.0
            connection.handle_deadline(deadline)
    # A backend closes in good order only with empty hands, so anything less would wait for ever.
    assert connection.transport_action() is ABORT


@pytest.mark.parametrize("role", ROLES)
def test_a_refusal_or_failure_that_still_moves_is_not_cut_short_without_a_close_timeout(role: Role) -> None:
    config = Config(timeouts=Timeouts(close=None, write_stall=None))
    connection = opened(role, config, half_close=False)
    connection.send_bytes(bytes(100_000))
    violation(connection)
    assert connection.data_to_send(0.0)
    for tick in range(1, 30):
        connection.handle_progress(tick / 10)
        connection.handle_deadline(tick / 10)
    assert connection.transport_action() is KEEP


@pytest.mark.parametrize("role", ROLES)
def test_a_timer_that_gives_up_aborts(role: Role) -> None:
    connection = opened(role, CONFIG)
    connection.close(now=0.0)
    drain(connection, 0.0)
    connection.handle_deadline(CLOSE_TIMEOUT)
    output = drain(connection, CLOSE_TIMEOUT)
    assert output.action is ABORT
    assert isinstance(output.events[-1], Closed) and output.events[-1].timer is Timer.CLOSE
    assert feed(connection, (TEXT, b"x"), now=CLOSE_TIMEOUT).events == []
