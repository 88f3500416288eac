"""Messages that stream: what a connection gives of them and when, and that limits, marks and the end of the
connection count their parts as they would count whole messages."""

from collections.abc import Iterable

import pytest

from support.clock import only
from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    feed,
    frame,
    from_peer,
    header,
    opened,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Connection,
    Event,
    Fragment,
    Limits,
    Opened,
    PingReceived,
    Role,
    State,
    Violation,
)
from wscore.testing import Pair, cuttings, drain

ROLES = list(Role)
CHARGE = 64  # for each part of a message, besides its length
SNOWMAN = "\u2603"


def streaming(role: Role, limits: Limits | None = None) -> Connection:
    """Return an open connection whose messages stream."""
    return opened(role, Config(limits=limits or Limits(), stream=True))


def message(role: Role, opcode: int, *parts: bytes) -> bytes:
    """Write a message of the peer, a frame for each part."""
    data = b""
    for number, part in enumerate(parts, 1):
        data += from_peer(role, opcode, part, final=number == len(parts))
        opcode = CONTINUATION
    return data


def joined(events: Iterable[Event]) -> list[object]:
    """Join the fragments of each message; one that is not complete ends with an ellipsis of its own."""
    seen: list[object] = []
    under_way: list[str | bytes] = []
    for event in events:
        if not isinstance(event, Fragment):
            seen.append(event)
            continue
        assert all(type(part) is type(event.data) for part in under_way)
        under_way.append(event.data)
        if event.final:
            seen.append(type(event.data)().join(under_way))  # type: ignore[arg-type]
            under_way = []
    return [*seen, (type(under_way[0])().join(under_way), ...)] if under_way else seen  # type: ignore[arg-type]


def arrive(connection: Connection, chunks: Iterable[bytes], *, at_once: bool = False) -> list[Event]:
    """Let chunks arrive and take the events behind each, or only at the end."""
    events: list[Event] = []
    for chunk in chunks:
        connection.receive_data(chunk, 0.0)
        if not at_once:
            events += drain(connection, 0.0).events
    return events + drain(connection, 0.0).events


# The parts.


@pytest.mark.parametrize("role", ROLES)
def test_a_message_is_given_as_it_arrives_also_inside_a_frame(role: Role) -> None:
    connection = streaming(role)
    assert connection.streams and not opened(role).streams
    data = from_peer(role, BINARY, b"abcdef")
    head = len(data) - 6
    connection.receive_data(data[: head + 2], 0.0)
    assert connection.next_event() == Fragment(b"ab", False)
    assert connection.stats.messages_received == 0
    connection.receive_data(data[head + 2 : head + 3], 0.0)
    connection.receive_data(data[head + 3 :], 0.0)
    assert drain(connection, 0.0).events == [Fragment(b"c", False), Fragment(b"def", True)]
    assert (connection.stats.messages_received, connection.stats.payload_received) == (1, 6)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("text", [SNOWMAN, "a\xe9", "\U0001f600\U0001f601", "x"])
def test_text_is_never_cut_within_a_code_point(role: Role, text: str) -> None:
    connection = streaming(role)
    payload = text.encode()
    data = from_peer(role, TEXT, payload)
    given, complete = "", 0
    for index in range(len(data)):
        connection.receive_data(data[index : index + 1], 0.0)
        complete = max(0, index + 1 - (len(data) - len(payload)))
        for event in drain(connection, 0.0).events:
            assert isinstance(event, Fragment) and isinstance(event.data, str)
            given += event.data
        # All that can be known so far is given, and no more.
        assert given == payload[:complete].decode(errors="ignore")
    assert (given, complete) == (text, len(payload))


WHOLE: list[tuple[str, list[tuple[int, list[bytes]]], list[object]]] = [
    ("a text", [(TEXT, [b"Hello"])], ["Hello"]),
    ("a binary", [(BINARY, [b"\xff\x00"])], [b"\xff\x00"]),
    ("empty ones", [(TEXT, [b""]), (BINARY, [b""])], ["", b""]),
    ("fragments", [(TEXT, [b"a", b"b", b"c"]), (BINARY, [b"d", b"e"])], ["abc", b"de"]),
    ("empty fragments", [(TEXT, [b"", b"", b"x", b"", b""]), (BINARY, [b"", b""])], ["x", b""]),
    ("a code point in frames", [(TEXT, [b"\xf0", b"\x9f", b"", b"\x98", b"\x80"])], ["\U0001f600"]),
    (
        "much",
        [(BINARY, [bytes(70_000), b"x"]), (TEXT, [SNOWMAN.encode() * 300])],
        [bytes(70_000) + b"x", SNOWMAN * 300],
    ),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("at_once", [False, True], ids=["taken as they come", "taken at the end"])
@pytest.mark.parametrize(("messages", "expected"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_parts_joined_are_the_message_however_the_stream_was_cut(
    role: Role, at_once: bool, messages: list[tuple[int, list[bytes]]], expected: list[object]
) -> None:
    data = b"".join(message(role, opcode, *parts) for opcode, parts in messages)
    ways = cuttings(data, count=10) if len(data) < 2000 else iter([[data], [data[:9], data[9:]]])
    for chunks in ways:
        connection = streaming(role)
        assert joined(arrive(connection, chunks, at_once=at_once)) == expected
        assert connection.stats.messages_received == len(expected)
        assert connection.stats.payload_received == sum(len(part) for _, parts in messages for part in parts)


FAULTS: list[tuple[str, bytes, Violation, list[object]]] = [
    # what a client receives behind one good message
    ("a bad byte", frame(TEXT, b"ab\xffcd", masked=False), Violation.INVALID_UTF8, [("ab", ...)]),
    ("a surrogate", frame(TEXT, b"a\xed\xa0\x80", masked=False), Violation.INVALID_UTF8, [("a", ...)]),
    ("half a code point", frame(TEXT, b"a\xe2\x98", masked=False), Violation.INVALID_UTF8, [("a", ...)]),
    ("no good byte", frame(TEXT, b"\xff", masked=False), Violation.INVALID_UTF8, []),
    (
        "in the second frame",
        frame(TEXT, b"ab\xe2", masked=False, final=False)
        + frame(CONTINUATION, b"\x98\x83\xff", masked=False),
        Violation.INVALID_UTF8,
        [("ab" + SNOWMAN, ...)],
    ),
    (
        "a frame that may not come",
        frame(BINARY, b"ab", masked=False, final=False) + b"\x81",
        Violation.MESSAGE_INTERRUPTED,
        [(b"ab", ...)],
    ),
    (
        "a message too long",
        frame(BINARY, bytes(20), masked=False, final=False) + header(0x80, 81, masked=False),
        Violation.MESSAGE_TOO_BIG,
        [(bytes(20), ...)],
    ),
    (
        "a frame too long",
        frame(BINARY, b"ab", masked=False, final=False) + header(0x80, 51, masked=False),
        Violation.FRAME_TOO_BIG,
        [(b"ab", ...)],
    ),
    ("a text too long", header(0x81, 31, masked=False), Violation.MESSAGE_TOO_BIG, []),
    (
        "a text too long in sum",
        frame(TEXT, b"x" * 30, masked=False, final=False) + header(0x00, 1, masked=False),
        Violation.MESSAGE_TOO_BIG,
        [("x" * 30, ...)],
    ),
    ("a binary too long", header(0x82, 41, masked=False), Violation.MESSAGE_TOO_BIG, []),
    (
        "too many fragments",
        frame(BINARY, b"a", masked=False, final=False) + frame(0, b"b", masked=False, final=False) * 4,
        Violation.TOO_MANY_FRAGMENTS,
        [(b"abbb", ...)],
    ),
    (
        "too many empty fragments",
        frame(BINARY, b"a", masked=False, final=False) + frame(0, b"", masked=False, final=False) * 3,
        Violation.TOO_MANY_EMPTY_FRAGMENTS,
        [(b"a", ...)],
    ),
]


@pytest.mark.parametrize(
    ("data", "violation", "before"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
@pytest.mark.parametrize("at_once", [False, True], ids=["taken as they come", "taken at the end"])
def test_what_came_before_a_fault_is_given_and_then_the_fault_in_any_cutting(
    data: bytes, violation: Violation, before: list[object], at_once: bool
) -> None:
    limits = Limits(
        max_message_size=100,
        max_text_size=30,
        max_binary_size=40,
        max_frame_size=50,
        max_fragments=4,
        max_empty_fragments=2,
    )
    if violation is Violation.MESSAGE_TOO_BIG and before == [(bytes(20), ...)]:
        limits = Limits(max_message_size=100)
    for chunks in cuttings(frame(TEXT, b"good", masked=False) + data, count=10):
        connection = streaming(Role.CLIENT, limits)
        events = arrive(connection, chunks, at_once=at_once)
        assert the_end(events).violation is violation
        assert joined(events[:-1]) == ["good", *before]
        assert connection.state is State.DRAINING


@pytest.mark.parametrize("role", ROLES)
def test_control_frames_between_the_parts_are_acted_on_in_their_place(role: Role) -> None:
    connection = opened(role, Config(stream=True, control_events=True))
    data = (
        from_peer(role, TEXT, b"a", final=False)
        + from_peer(role, PING, b"p")
        + from_peer(role, CONTINUATION, b"b")
    )
    connection.receive_data(data, 0.0)
    output = drain(connection, 0.0)
    assert output.events == [Fragment("a", False), PingReceived(b"p"), Fragment("b", True)]
    assert read_frames(output.sent) == [(0x8A, b"p")]


def test_a_message_without_end_takes_no_more_than_the_inbox() -> None:
    connection = streaming(Role.CLIENT, Limits(max_message_size=None))
    connection.receive_data(header(0x82, 2**40, masked=False), 0.0)
    chunk = bytes(30_000)
    for _ in range(200):
        assert connection.wants_read
        connection.receive_data(chunk, 0.0)
        assert connection.next_event() == Fragment(chunk, False)
    assert connection.stats.payload_received == 200 * 30_000


def test_what_one_side_sends_in_parts_streams_on_the_other() -> None:
    pair = Pair(Config(stream=True), Config(stream=True))
    pair.open()
    pair.client.send_fragment("gr\xfc", False)
    pair.exchange()
    assert pair.server_events[-1] == Fragment("gr\xfc", False)
    pair.client.send_fragment("\xdfe", True)
    pair.server.send_bytes(b"whole")
    pair.exchange()
    assert pair.server_events[-1] == Fragment("\xdfe", True)
    assert pair.client_events[-1] == Fragment(b"whole", True)
    assert isinstance(pair.client_events[0], Opened)


# Backpressure.


@pytest.mark.parametrize("role", ROLES)
def test_parts_are_charged_and_stop_reading_in_the_middle_of_a_message(role: Role) -> None:
    connection = streaming(role, Limits(inbox_high=2 * (CHARGE + 10), inbox_low=CHARGE + 10))
    data = from_peer(role, BINARY, bytes(range(40)))
    head = len(data) - 40
    for start in range(head, len(data), 10):
        connection.receive_data(data[0 if start == head else start : start + 10], 0.0)
    # Two parts fill it; what a backend had read before it saw that waits raw, and is one part then.
    assert (connection.events_waiting, connection.wants_read) == (2, False)
    assert connection.next_event() == Fragment(bytes(range(10)), False)
    assert (connection.events_waiting, connection.wants_read) == (2, False)
    assert connection.next_event() == Fragment(bytes(range(10, 20)), False)
    assert (connection.events_waiting, connection.wants_read) == (1, False)  # 84 is above the low mark
    assert connection.next_event() == Fragment(bytes(range(20, 40)), True)
    assert connection.wants_read


@pytest.mark.parametrize("role", ROLES)
def test_many_small_parts_are_not_free(role: Role) -> None:
    connection = streaming(role, Limits(inbox_high=10 * CHARGE, inbox_low=0))
    connection.receive_data(message(role, BINARY, *[b"x"] * 1000), 0.0)
    assert connection.events_waiting == 10  # 10 times 65 is more than the mark, 9 times is not
    assert not connection.wants_read
    assert joined(drain(connection, 0.0).events) == [b"x" * 1000]


# The end.


@pytest.mark.parametrize("role", ROLES)
def test_parts_that_wait_hold_back_the_answer_to_the_peers_close(role: Role) -> None:
    connection = streaming(role)
    data = from_peer(role, TEXT, b"a", final=False) + from_peer(role, CONTINUATION, b"b")
    connection.receive_data(data + from_peer(role, CLOSE, status(1000)), 0.0)
    assert (connection.state, connection.data_to_send(0.0)) == (State.REMOTE_CLOSING, [])
    assert connection.next_event() == Fragment("a", False)
    connection.send_text("a reply")
    assert connection.next_event() == Fragment("b", True)
    assert connection.state is State.REMOTE_CLOSING
    output = drain(connection, 0.0)
    assert output.events[0] == CloseReceived(1000, "")
    assert the_end(output.events).clean
    assert read_frames(output.sent) == [(0x81, b"a reply"), (0x88, status(1000))]


@pytest.mark.parametrize("role", ROLES)
def test_a_part_that_nobody_takes_holds_the_answer_back_for_a_second(role: Role) -> None:
    connection = opened(role, Config(timeouts=only().timeouts, stream=True))
    connection.receive_data(from_peer(role, TEXT, b"a") + from_peer(role, CLOSE, status(1000)), 5.0)
    assert connection.next_deadline() == 6.0
    connection.handle_deadline(6.0)
    assert read_frames(b"".join(connection.data_to_send(6.0))) == [(0x88, status(1000))]
    assert drain(connection, 6.0).events[0] == Fragment("a", True)


@pytest.mark.parametrize("role", ROLES)
def test_parts_before_a_fault_may_be_answered_before_the_close(role: Role) -> None:
    connection = streaming(role)
    connection.receive_data(from_peer(role, TEXT, b"ab\xff"), 0.0)
    assert connection.next_event() == Fragment("ab", False)
    connection.send_text("a reply")
    output = drain(connection, 0.0)
    assert the_end(output.events).violation is Violation.INVALID_UTF8
    assert [first for first, _ in read_frames(output.sent)] == [0x81, 0x88]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("ending", ["close", "end of the stream"])
def test_a_message_that_is_cut_short_never_gets_its_final_part(role: Role, ending: str) -> None:
    connection = streaming(role)
    connection.receive_data(from_peer(role, BINARY, b"half", final=False), 0.0)
    if ending == "close":
        output = feed(connection, (CLOSE, status(1000)))
        assert output.events[1] == CloseReceived(1000, "")
    else:
        connection.receive_eof(0.0)
        output = drain(connection, 0.0)
        assert output.events[1] == Closed(1006, "", False)
    assert output.events[0] == Fragment(b"half", False)
    assert connection.stats.messages_received == 0


@pytest.mark.parametrize("role", ROLES)
def test_discarding_drops_parts_and_counts_each_message_that_is_cut_short_once(role: Role) -> None:
    connection = streaming(role, Limits(inbox_high=2 * (CHARGE + 1), inbox_low=0))
    connection.close(now=0.0, discard=True)
    connection.receive_data(message(role, TEXT, b"a", b"b", b"c", b"d"), 0.0)  # c and d do not fit
    connection.receive_data(message(role, BINARY, b"x") + message(role, BINARY, b"y", b"z"), 0.0)
    connection.receive_data(from_peer(role, BINARY, b"half", final=False), 0.0)
    assert connection.wants_read
    connection.receive_data(from_peer(role, CLOSE, status(1000)), 0.0)
    output = drain(connection, 0.0)
    assert output.events[:3] == [Fragment("a", False), Fragment("b", False), CloseReceived(1000, "")]
    assert (the_end(output.events).clean, the_end(output.events).dropped) == (True, 4)
    assert connection.stats.messages_received == 3


@pytest.mark.parametrize("role", ROLES)
def test_discarding_drops_no_part_that_fits(role: Role) -> None:
    connection = streaming(role, Limits(inbox_high=2 * (CHARGE + 1), inbox_low=0))
    connection.close(now=0.0, discard=True)
    connection.receive_data(message(role, TEXT, b"a", b"b"), 0.0)
    output = feed(connection, (CLOSE, status(1000)))
    assert joined(output.events)[0] == "ab"
    assert the_end(output.events).dropped == 0


def test_the_size_of_a_part_of_a_streamed_text_is_that_of_its_code_points() -> None:
    for chunks in ([b"ab\xff"], [b"a", b"b\xff"], [b"a", b"b", b"\xff"]):
        connection = opened(Role.CLIENT, Config(stream=True))
        connection.receive_data(b"\x81\x03", 0.0)
        for chunk in chunks:
            connection.receive_data(chunk, 0.0)
        assert connection.stats.payload_received == 2
