"""Rows 1 to 3, 20 and 21, findings 1 and 2: what a compressed message can do to its receiver."""

import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from support.attacks import broken, received
from support.deflated import (
    RSV1,
    WatchedZlib,
    deflate,
    deflating,
    fragments,
    marked,
    whole_stream,
)
from support.measure import KIB, MIB, peak
from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
    from_peer,
    opened,
    status,
    the_end,
)
from wscore import (
    Config,
    Deflate,
    Limits,
    Role,
    State,
    Violation,
)
from wscore.testing import Pair, cuttings, drain

ROLES = list(Role)


def limited(limit: int, zlib_module: Any = zlib) -> Config:
    """Return a Config with compression and a limit."""
    return Config(compression=Deflate(zlib=zlib_module), limits=Limits(max_message_size=limit))


def _in_one_frame(role: Role, data: bytes) -> list[bytes]:
    return [marked(role, data, opcode=BINARY)]


def _in_fragments(role: Role, data: bytes) -> list[bytes]:
    return fragments(role, data, 200, opcode=BINARY)


def _byte_by_byte(role: Role, data: bytes) -> list[bytes]:
    stream = marked(role, data, opcode=BINARY)
    return [stream[at : at + 1] for at in range(len(stream))]


WAYS = [_in_one_frame, _in_fragments, _byte_by_byte]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("limit", [0, 1000, 256 * KIB])
def test_row_01_a_bomb_costs_no_more_than_the_limit(
    role: Role, limit: int, way: Callable[[Role, bytes], list[bytes]]
) -> None:
    """Cause: inflating without a bound, the limit applied to the bytes on the wire. Correct: 1009, and
    never more than the limit and 256 KiB held."""
    watched = WatchedZlib()
    connection = deflating(role, limited(limit, watched))
    bomb = way(role, deflate(bytes(10 * MIB), level=9)[:9000] if limit else deflate(bytes(100_000), level=9))
    assert sum(map(len, bomb)) < 20_000
    most = peak(lambda: received(connection, *bomb))
    assert connection.state is not State.OPEN
    assert most <= limit + 256 * KIB + sum(map(len, bomb))
    assert watched.given <= limit + 1
    assert connection.closed is not None and connection.closed.violation is Violation.MESSAGE_TOO_BIG


@pytest.mark.parametrize("role", ROLES)
def test_row_01_a_bomb_of_many_streams_or_over_messages_is_one_too(role: Role) -> None:
    """Cause: the bound was for each call of the inflater. Correct: for the message, whatever is in it."""
    limit = 64 * KIB
    streams = whole_stream(bytes(limit // 2)) * 3
    for payload in (streams, streams + deflate(b"tail")):
        watched = WatchedZlib()
        connection = deflating(role, limited(limit, watched))
        assert broken(connection, marked(role, payload, opcode=BINARY)) is Violation.MESSAGE_TOO_BIG
        assert watched.given <= limit + 1
    connection = deflating(role, limited(limit))
    small = marked(role, deflate(bytes(limit // 2)), opcode=BINARY)
    assert received(connection, *[small] * 5) == [bytes(limit // 2)] * 5, "the limit is for each message"


@pytest.mark.parametrize("role", ROLES)
def test_row_01_what_waits_for_the_application_stays_compressed(role: Role) -> None:
    """Cause: all of a read was inflated, whatever waited already. Correct: the inbox bounds that, too."""
    watched = WatchedZlib()
    connection = deflating(role, Config(compression=Deflate(zlib=watched)))
    segment = marked(role, deflate(bytes(60 * KIB)), opcode=BINARY) * 100
    connection.receive_data(segment, 0.0)
    assert not connection.wants_read
    assert watched.given <= 3 * 64 * KIB


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, MIB])
@pytest.mark.parametrize("kind", ["sync flush", "final block", "stored"])
def test_row_02_the_limit_is_exact(size: int, kind: str) -> None:
    """Cause: bytes that were still inside the inflater, or a bound that it oversteps. Correct: a message
    of exactly the limit passes, one byte more does not, however it is cut."""
    chooser = random.Random(size)

    def encoded(count: int) -> bytes:
        data = bytes(count) if kind != "stored" else chooser.randbytes(count)
        return (
            whole_stream(data) if kind == "final block" else deflate(data, level=0 if kind == "stored" else 6)
        )

    for count, good in ((size, True), (size + 1, False)):
        stream = marked(Role.CLIENT, encoded(count), opcode=BINARY)
        ways = cuttings(stream, seed=size) if len(stream) < 5000 else [[stream], [stream[:9], stream[9:]]]
        for pieces in ways:
            connection = deflating(Role.CLIENT, limited(size))
            events = received(connection, *pieces)
            assert [len(event) for event in events if isinstance(event, bytes)] == [count] * good
            assert (connection.state is State.OPEN) is good


def test_row_03_many_streams_in_a_message_cost_linear_work() -> None:
    """Cause: what follows a final block was handed over and copied as a whole for each stream. Correct:
    bytes handed to inflaters grow as the input does, and more than 1,024 streams end with 1008."""

    def cost(streams: int) -> float:
        watched = WatchedZlib()
        connection = deflating(Role.CLIENT, limited(MIB, watched))
        one = whole_stream(bytes(range(40)))
        assert received(connection, marked(Role.CLIENT, one * streams, opcode=BINARY)) == [
            bytes(range(40)) * streams
        ]
        return watched.fed / (len(one) * streams)

    assert cost(1000) <= 1.3 * cost(500)
    one = whole_stream(b"x")
    assert received(deflating(Role.CLIENT), marked(Role.CLIENT, one * 1024)) == ["x" * 1024]
    assert broken(deflating(Role.CLIENT), marked(Role.CLIENT, one * 1025)) is Violation.TOO_MANY_STREAMS


FIRST_BYTES = [
    0x80 | rsv | opcode for rsv in (0x10, 0x20, 0x30, 0x50, 0x60, 0x70) for opcode in (0, 1, 2, 8, 9)
]


@pytest.mark.parametrize("role", ROLES)
def test_row_20_a_reserved_bit_needs_an_agreement(role: Role) -> None:
    """Cause: RSV1 was believed although nothing was agreed on. Correct: 1002; with an agreement RSV1 in
    the first frame of a message and nothing else."""
    mask = 0x80 if role is Role.SERVER else 0
    for first in (*FIRST_BYTES, 0xC1, 0xC2, 0x41, 0x42):
        assert broken(opened(role), bytes([first, mask])) is Violation.RESERVED_BITS
    offered = Config(compression=Deflate())
    assert broken(opened(role, offered), bytes([0xC1, mask])) is Violation.RESERVED_BITS, (
        "offered, not agreed"
    )
    for first in FIRST_BYTES:
        assert broken(deflating(role), bytes([first, mask])) is Violation.RESERVED_BITS
    for first in (0xC1, 0xC2, 0x41, 0x42):
        connection = deflating(role)
        received(connection, bytes([first, mask]))
        assert connection.state is State.OPEN


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG, CONTINUATION])
def test_row_21_only_the_first_frame_of_a_message_may_be_marked(role: Role, opcode: int) -> None:
    """Cause: the bit was taken off any frame, and a ping inflated. Correct: 1002, and nothing inflated."""
    watched = WatchedZlib()
    payload = deflate(status(1000))
    bad = frame(opcode, payload, masked=role is Role.SERVER, rsv=RSV1)
    for before in (b"", marked(role, deflate(b"x" * 100)[:3], final=False)):
        connection = deflating(role, Config(compression=Deflate(zlib=watched)))
        events = received(connection, before)
        fed = watched.fed
        connection.receive_data(bad, 0.0)
        connection.receive_eof(0.0)
        closed = the_end([*events, *drain(connection, 0.0).events])
        assert closed.violation is Violation.RESERVED_BITS
        assert watched.fed == fed


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("way", WAYS)
def test_row_f1_a_final_block_ends_a_stream_and_not_the_connection(
    role: Role, way: Callable[[Role, bytes], list[bytes]]
) -> None:
    """Cause: after BFINAL the inflater gave nothing any more and kept all input. Correct: what follows is
    a new stream: the rest of this message, and the messages after it."""
    connection = deflating(role)
    payloads = {
        "all": whole_stream(b"all"),
        "and an empty block": whole_stream(b"and an empty block") + b"\x00",
        "in two": whole_stream(b"in ") + deflate(b"two"),
        "in three streams": whole_stream(b"in ") + whole_stream(b"three ") + whole_stream(b"streams"),
        "as usual": deflate(b"as usual"),
        "": whole_stream(b""),
    }
    for _ in range(3):
        for text, payload in payloads.items():
            assert received(connection, *way(role, payload)) == [text.encode()]


def test_row_f1_nothing_is_kept_after_a_final_block() -> None:
    """Correct: memory does not grow with what comes after it."""
    connection = deflating(Role.CLIENT)
    received(connection, marked(Role.CLIENT, whole_stream(b"the end")))
    segment = marked(Role.CLIENT, whole_stream(random.Random(2).randbytes(3000)), opcode=BINARY)

    def flood() -> None:
        for _ in range(50):
            received(connection, segment)

    assert peak(flood) <= 128 * KIB


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("control", [PING, PONG])
def test_row_f2_control_frames_change_nothing_of_the_message_around_them(role: Role, control: int) -> None:
    """Cause: one flag for the newest frame of any kind. Correct: each message has its own."""
    between = from_peer(role, control, b"plain, and must stay so")
    text = "compressed and cut in many fragments" * 5
    for size in (1, 7, 1000):
        parts = fragments(role, deflate(text.encode()), size)
        connection = deflating(role)
        segments = [between, *(piece for part in parts for piece in (part, between))]
        assert received(connection, *segments) == [text]
        assert received(connection, from_peer(role, TEXT, b"plain")) == ["plain"]
        assert received(connection, between, *parts, between) == [text]
        plain = [from_peer(role, TEXT, b"a", final=False), between, from_peer(role, CONTINUATION, b"b")]
        assert received(connection, *plain, *parts) == ["ab", text]


def test_row_f2_pings_between_our_own_fragments_leave_the_message_whole() -> None:
    """The way out: a control frame between frames of a compressed message is plain and disturbs nothing."""
    config = Config(compression=Deflate(threshold=0), fragment_size=10, control_events=True)
    pair = Pair(config, config)
    pair.open()
    assert pair.client.extensions
    for number in range(5):
        pair.client.send_fragment(f"part {number} ", False)
        pair.client.send_ping(b"between", now=pair.now)
        pair.server.send_ping(b"from there", now=pair.now)
        pair.exchange()
    pair.client.send_fragment("end", True)
    pair.exchange()
    assert "part 0 part 1 part 2 part 3 part 4 end" in pair.server_events
