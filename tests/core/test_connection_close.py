"""How connections end: every order of the two Closes, every code, and exactly one `Closed`, always last."""

from collections.abc import Callable

import pytest

from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    REQUEST,
    TEXT,
    connecting,
    feed,
    from_peer,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Closed,
    CloseReceived,
    CloseStatus,
    Config,
    Connection,
    ConnectionClosed,
    Event,
    Limits,
    LocalProtocolError,
    Refused,
    Role,
    Side,
    State,
    TransportAction,
    Violation,
)
from wscore.testing import drain

ROLES = list(Role)

# RFC 6455 section 7.4 and the IANA registry of close codes; the neighbours of each range.
MAY_TRAVEL = (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
NEVER = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 9999, 65535)


def bytes_of(connection: Connection) -> list[tuple[int, bytes]]:
    """Take the frames that wait for the wire."""
    return read_frames(b"".join(connection.data_to_send(0.0)))


# The three orders of the two Closes.


@pytest.mark.parametrize("role", ROLES)
def test_we_close_first(role: Role) -> None:
    connection = opened(role)
    connection.close(1000, "done", now=0.0)
    assert connection.state is State.LOCAL_CLOSING
    assert bytes_of(connection) == [(0x88, status(1000, b"done"))]
    assert connection.closed is None
    output = feed(connection, (CLOSE, status(1001, b"bye")))
    ours, theirs = CloseStatus(1000, "done"), CloseStatus(1001, "bye")
    assert output.events == [
        CloseReceived(1001, "bye"),
        Closed(1001, "bye", True, theirs, ours, Side.LOCAL),
    ]
    assert (output.sent, connection.state) == (b"", State.DRAINING)
    assert connection.closed == output.events[-1]


@pytest.mark.parametrize("role", ROLES)
def test_the_peer_closes_first_and_gets_its_own_words_back(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, CLOSE, status(4001, b"bye")), 0.0)
    assert bytes_of(connection) == [(0x88, status(4001, b"bye"))]  # in the same step: nothing waits before it
    theirs = ours = CloseStatus(4001, "bye")
    assert drain(connection, 0.0).events == [
        CloseReceived(4001, "bye"),
        Closed(4001, "bye", True, theirs, ours, Side.REMOTE),
    ]
    assert connection.state is State.DRAINING


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("given", [False, True], ids=["ours waits", "ours is on its way"])
def test_both_close_at_once(role: Role, given: bool) -> None:
    connection = opened(role)
    connection.close(1000, now=0.0)
    sent = drain(connection, 0.0).sent if given else b""
    output = feed(connection, (CLOSE, status(1000)))
    assert read_frames(sent + output.sent) == [(0x88, status(1000))]  # and no second one
    both = CloseStatus(1000, "")
    assert the_end(output.events) == Closed(1000, "", True, both, both, Side.LOCAL)


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_close_reads_as_1005_and_is_answered_by_an_empty_one(role: Role) -> None:
    output = feed(opened(role), (CLOSE, b""))
    assert read_frames(output.sent) == [(0x88, b"")]
    nothing = CloseStatus(1005, "")
    assert output.events == [
        CloseReceived(1005, ""),
        Closed(1005, "", True, nothing, nothing, Side.REMOTE),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_closing_again_is_harmless(role: Role) -> None:
    connection = opened(role)
    connection.close(1000, now=0.0)
    connection.close(1001, "other", now=0.0)
    assert bytes_of(connection) == [(0x88, status(1000))]
    connection.close(now=0.0)
    output = feed(connection, (CLOSE, b""))
    connection.close(now=0.0)
    assert (output.sent, drain(connection, 0.0).sent) == (b"", b"")
    assert the_end(output.events).sent == CloseStatus(1000, "")


# Codes and reasons.


@pytest.mark.parametrize("role", ROLES)
def test_every_code_that_may_travel_travels_both_ways(role: Role) -> None:
    for code in MAY_TRAVEL:
        connection = opened(role)
        connection.close(code, "x" * 123, now=0.0)
        assert bytes_of(connection) == [(0x88, status(code, b"x" * 123))]
        words = status(code, b"\xc3\xa9" * 61 + b"x")
        output = feed(opened(role), (CLOSE, words))
        assert read_frames(output.sent) == [(0x88, words)]
        closed = the_end(output.events)
        assert (closed.code, closed.reason, closed.clean) == (code, "\xe9" * 61 + "x", True)


@pytest.mark.parametrize("role", ROLES)
def test_no_other_code_is_sent_believed_or_sent_back(role: Role) -> None:
    for code in NEVER:
        connection = opened(role)
        with pytest.raises(LocalProtocolError):
            connection.close(code, now=0.0)
        assert connection.state is State.OPEN and connection.data_to_send(0.0) == []
        output = feed(connection, (CLOSE, status(code)))
        [(first, payload)] = read_frames(output.sent)
        assert (first, payload[:2]) == (0x88, status(1002))
        closed = the_end(output.events)
        assert (closed.code, closed.violation, closed.received) == (1006, Violation.CLOSE_CODE, None)


# In its place.


@pytest.mark.parametrize("role", ROLES)
def test_replies_to_messages_before_a_close_leave_before_the_answer(role: Role) -> None:
    connection = opened(role)
    data = [(TEXT, b"a"), (TEXT, b"b"), (CLOSE, status(1000))]
    connection.receive_data(b"".join(from_peer(role, *frame) for frame in data), 0.0)
    assert connection.data_to_send(0.0) == []
    states = [connection.state]
    while (event := connection.next_event()) is not None:
        states.append(connection.state)
        if isinstance(event, str):
            connection.send_text(event)
    # Handing out CloseReceived answers it; Closed comes behind it.
    assert states == [State.REMOTE_CLOSING] * 3 + [State.DRAINING] * 2
    assert bytes_of(connection) == [(0x81, b"a"), (0x81, b"b"), (0x88, status(1000))]


@pytest.mark.parametrize("role", ROLES)
def test_a_close_that_waits_is_answered_after_a_second_at_the_latest(role: Role) -> None:
    connection = opened(role)
    data = from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(1000))
    connection.receive_data(data, 5.0)
    assert connection.next_deadline() == 6.0
    connection.handle_deadline(5.99)
    assert connection.data_to_send(5.99) == []
    connection.handle_deadline(6.0)
    assert bytes_of(connection) == [(0x88, status(1000))]
    with pytest.raises(ConnectionClosed):
        connection.send_text("too late")
    output = drain(connection, 6.0)
    assert output.events[0] == "a"
    assert the_end(output.events).clean and output.sent == b""


@pytest.mark.parametrize("role", ROLES)
def test_the_application_may_answer_a_close_that_waits_with_its_own(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(1000)), 0.0)
    connection.send_text("last words")
    connection.close(4000, "mine", now=0.0)
    assert bytes_of(connection) == [(0x81, b"last words"), (0x88, status(4000, b"mine"))]
    output = drain(connection, 0.0)
    assert output.events[:2] == ["a", CloseReceived(1000, "")]
    closed = the_end(output.events)
    assert (closed.code, closed.sent, closed.initiator) == (1000, CloseStatus(4000, "mine"), Side.REMOTE)
    assert output.sent == b""


@pytest.mark.parametrize("role", ROLES)
def test_a_close_in_the_middle_of_a_message_is_answered_and_the_message_is_gone(role: Role) -> None:
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"half", final=False), 0.0)
    output = feed(connection, (CLOSE, status(1000)))  # Autobahn 7.1.5
    assert read_frames(output.sent) == [(0x88, status(1000))]
    assert [type(event) for event in output.events] == [CloseReceived, Closed]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("ours_first", [False, True])
def test_what_comes_behind_a_close_is_discarded(role: Role, ours_first: bool) -> None:
    connection = opened(role)
    if ours_first:
        connection.close(now=0.0)
        drain(connection, 0.0)
    output = feed(connection, (CLOSE, status(1000)), (TEXT, b"x"), (PING, b"p"), (CLOSE, status(1001)))
    connection.receive_data(b"\xff\xff", 0.0)
    late = drain(connection, 0.0)
    assert [type(event) for event in output.events + late.events] == [CloseReceived, Closed]
    assert [first for first, _ in read_frames(output.sent + late.sent)] == ([] if ours_first else [0x88])
    assert connection.wants_read  # to the end of the stream, so that TCP does not reset


# Half-closed reading.


@pytest.mark.parametrize("role", ROLES)
def test_after_our_close_the_peers_messages_arrive_until_its_own(role: Role) -> None:
    connection = opened(role)
    connection.close(now=0.0)
    drain(connection, 0.0)
    connection.receive_data(from_peer(role, BINARY, b"o", final=False), 0.0)
    output = feed(connection, (PING, b"p"), (CONTINUATION, b"ne"), (TEXT, b"two"))
    assert (output.events, output.sent) == ([b"one", "two"], b"")  # 5.5.1: nothing after our Close, no pong
    assert connection.state is State.LOCAL_CLOSING and connection.wants_read
    assert the_end(feed(connection, (CLOSE, status(1000))).events).clean


# The end of the stream, in every state, reported once and twice.


def new(role: Role) -> Connection:
    """Return a connection on which nothing has happened."""
    return Connection(role, now=0.0)


def refused(role: Role) -> Connection:
    """Return a client that reads the body of a refusal, or a server whose request waits."""
    connection = connecting(role)
    head = b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\npart" if role is Role.CLIENT else REQUEST
    connection.receive_data(head, 0.0)
    return connection


def held_back(role: Role) -> Connection:
    """Return an open connection whose inbox is full and which holds a message back."""
    connection = opened(role, Config(limits=Limits(inbox_high=100, inbox_low=0)))
    connection.receive_data(from_peer(role, TEXT, b"x" * 36) + from_peer(role, TEXT, b"y"), 0.0)
    assert not connection.wants_read
    return connection


def local_closing(role: Role) -> Connection:
    """Return a connection whose Close has left."""
    connection = opened(role)
    connection.close(now=0.0)
    drain(connection, 0.0)
    return connection


def remote_closing(role: Role) -> Connection:
    """Return a connection whose peer's Close waits behind a message."""
    connection = opened(role)
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(1000)), 0.0)
    return connection


def unanswered(role: Role) -> Connection:
    """Return a connection whose answer to the peer's Close waits for the wire."""
    connection = opened(role)
    connection.receive_data(from_peer(role, CLOSE, status(1000)), 0.0)
    return connection


LOST = Closed(1006, "", False)
OURS = CloseStatus(1000, "")
LOST_WHILE_CLOSING = Closed(1006, "", False, sent=OURS, initiator=Side.LOCAL)
CLEAN = Closed(1000, "", True, OURS, OURS, Side.REMOTE)
UNANSWERED = Closed(1000, "", False, OURS, None, Side.REMOTE)

# State -> the messages that still come out, and the end, after one report and after two.
ENDS: list[tuple[Callable[[Role], Connection], list[Event], Closed, Closed]] = [
    (new, [], LOST, LOST),
    (connecting, [], LOST, LOST),
    (refused, [], LOST, LOST),
    (opened, [], LOST, LOST),
    (held_back, ["x" * 36, "y"], LOST, LOST),
    (local_closing, [], LOST_WHILE_CLOSING, LOST_WHILE_CLOSING),
    (remote_closing, ["a"], CLEAN, UNANSWERED),
    (unanswered, [], CLEAN, CLEAN),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("reports", [1, 2, 3])
@pytest.mark.parametrize(("make", "messages", "once", "twice"), ENDS, ids=[row[0].__name__ for row in ENDS])
def test_the_end_of_the_stream_ends_every_state(
    role: Role,
    reports: int,
    make: Callable[[Role], Connection],
    messages: list[Event],
    once: Closed,
    twice: Closed,
) -> None:
    connection = make(role)
    for _ in range(reports):
        connection.receive_eof(0.0)
    assert not connection.wants_read
    output = drain(connection, 0.0)
    assert [event for event in output.events if isinstance(event, (str, bytes))] == messages
    assert the_end(output.events) == (once if reports == 1 else twice)
    answers = reports == 1 and once is CLEAN  # the peer has ended its direction alone: it can still listen
    assert read_frames(output.sent) == ([(0x88, status(1000))] if answers else [])
    assert connection.state is State.CLOSED
    assert output.action is TransportAction.CLOSE
    assert connection.next_deadline() is None


def test_a_refusal_that_is_cut_short_counts_with_what_came_of_its_body() -> None:
    connection = refused(Role.CLIENT)
    connection.receive_eof(0.0)
    event = connection.next_event()
    assert isinstance(event, Refused)
    assert (event.response.status, event.response.body) == (403, b"part")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("make", [row[0] for row in ENDS])
def test_after_the_end_nothing_comes_out_and_nothing_matters(
    role: Role, make: Callable[[Role], Connection]
) -> None:
    connection = make(role)
    connection.receive_eof(0.0)
    drain(connection, 0.0)
    connection.receive_data(REQUEST + from_peer(role, TEXT, b"x"), 1.0)
    connection.receive_eof(2.0)
    connection.handle_progress(3.0)
    connection.handle_deadline(1e9)
    connection.close(1000, now=1e9, discard=True)
    output = drain(connection, 1e9)
    assert (output.events, output.sent, output.action) == ([], b"", TransportAction.CLOSE)
    assert (connection.writable, connection.buffered_amount, connection.wants_read) == (True, 0, False)
    assert connection.state is State.CLOSED and connection.next_deadline() is None


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("make", [held_back, remote_closing])
def test_nothing_is_received_behind_the_end_of_the_stream(
    role: Role, make: Callable[[Role], Connection]
) -> None:
    connection, twin = make(role), make(role)
    connection.receive_eof(0.0)
    twin.receive_eof(0.0)
    connection.receive_data(from_peer(role, TEXT, b"a ghost") + from_peer(role, CLOSE, b""), 0.0)
    assert drain(connection, 0.0) == drain(twin, 0.0)


@pytest.mark.parametrize("role", ROLES)
def test_a_partial_message_is_never_delivered_and_the_end_is_1006(role: Role) -> None:
    first = from_peer(role, TEXT, b"one")
    data = first + from_peer(role, TEXT, b"two", final=False) + from_peer(role, CONTINUATION, b"!")
    for cut in range(len(data) + 1):
        connection = opened(role)
        connection.receive_data(data[:cut], 0.0)
        connection.receive_eof(0.0)
        messages = ["one"] * (cut >= len(first)) + ["two!"] * (cut == len(data))
        assert drain(connection, 0.0).events == [*messages, LOST]


@pytest.mark.parametrize("role", ROLES)
def test_closing_before_the_opening_is_complete_abandons_the_connection(role: Role) -> None:
    for make in (new, connecting, refused):
        connection = make(role)
        drain(connection, 0.0)
        connection.close(now=0.0)
        output = drain(connection, 0.0)
        assert (output.events, output.sent, output.action) == ([LOST], b"", TransportAction.ABORT)
