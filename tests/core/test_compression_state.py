"""T-C2: what a compressed message does to the state of a connection, whatever it is made of.

Each message is followed by another one, which must be right. What a message stands for is written beside it
or read by `support.deflate_reader`, never by the code under test.
"""

import random
import weakref
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from support.deflate_messages import BAD, GOOD, NOISE, WORDS
from support.deflate_modules import Substitute
from support.deflate_reader import DeflateError, MessageReader
from support.deflate_writer import DeflateWriter
from support.deflated import RSV1, TAIL, WatchedZlib, deflate, deflating, fragments, marked, whole_stream
from support.measure import KIB, memory
from support.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame, from_peer, status, the_end
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Connection,
    Deflate,
    Event,
    Fragment,
    Limits,
    Role,
    Violation,
)
from wscore.testing import drain

PLAIN = "permessage-deflate"
ALONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
ANSWERS = (PLAIN, ALONE)


def connection(role: Role, answer: str = PLAIN, *, stream: bool = False, module: Any = zlib) -> Connection:
    """Return an open connection."""
    limits = Limits(max_empty_fragments=None, max_control_rate=None)
    return deflating(role, Config(compression=Deflate(zlib=module), stream=stream, limits=limits), answer)


def receive(core: Connection, data: bytes) -> list[Event]:
    """Let data arrive."""
    core.receive_data(data, 0.0)
    return drain(core, 0.0).events


def joined(events: Sequence[Event]) -> list[object]:
    """Put parts of messages together."""
    found: list[object] = []
    open_message = False
    for event in events:
        if not isinstance(event, Fragment):
            found.append(event)
            continue
        if open_message:
            found[-1] += event.data  # type: ignore[operator]
        else:
            found.append(event.data)
        open_message = not event.final
        if event.final:
            found.append("end")
    return found


@pytest.mark.parametrize(("payload", "data"), GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
@pytest.mark.parametrize("role", Role)
def test_a_message_is_exact_and_so_is_the_next_one(
    role: Role, answer: str, payload: bytes, data: bytes
) -> None:
    assert MessageReader().read(payload) == data  # so says RFC 1951, too
    core = connection(role, answer)
    wire = marked(role, payload, opcode=BINARY)
    following = marked(role, deflate(b"the next one")) + from_peer(role, TEXT, b"a plain one")
    assert receive(core, (wire + following) * 3) == [data, "the next one", "a plain one"] * 3


@pytest.mark.parametrize(("payload", "violation"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
@pytest.mark.parametrize("role", Role)
def test_a_malformed_message_ends_the_connection(
    role: Role, answer: str, payload: bytes, violation: Violation
) -> None:
    core = connection(role, answer)
    events = receive(
        core, marked(role, deflate(b"before")) + marked(role, payload, opcode=BINARY) + b"\x00" * 9
    )
    assert events[0] == "before" and len(events) == 2
    closed = the_end(events)
    assert closed.violation is violation
    assert closed.sent is not None and closed.sent.code == violation.close_code
    assert violation.close_code == (1008 if violation is Violation.TOO_MANY_STREAMS else 1007)


@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
@pytest.mark.parametrize("following", ["plain words", "\x00\x00 as a stored block"])
def test_a_final_block_may_be_the_very_end_of_a_message(answer: str, following: str) -> None:
    # 7.2.3.4 shows a padding octet behind it, which senders that compress to a whole stream leave out. Four
    # octets 00 00 ff ff are no block: they must not be fed to a decompressor that the next message will use.
    core = connection(Role.SERVER, answer)
    wire = marked(Role.SERVER, whole_stream(WORDS))
    level = 0 if following.startswith("\x00") else 6
    assert receive(core, wire + marked(Role.SERVER, deflate(following.encode(), level=level))) == [
        WORDS.decode(),
        following,
    ]


@pytest.mark.parametrize(("payload", "data"), GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("stream", [False, True])
def test_every_cut_into_fragments_with_a_ping_in_it_gives_the_same(
    payload: bytes, data: bytes, stream: bool
) -> None:
    role = Role.SERVER
    cuts = range(len(payload) + 1) if len(payload) < 300 else [0, 1, 1000, len(payload) - 1]
    for cut in cuts:
        core = connection(role, stream=stream)
        wire = marked(role, payload[:cut], opcode=BINARY, final=False) + from_peer(role, PING, b"now")
        wire += from_peer(role, CONTINUATION, payload[cut:]) + marked(role, deflate(b"next"))
        core.receive_data(wire, 0.0)
        output = drain(core, 0.0)
        expected: list[object] = [data, "end", "next", "end"] if stream else [data, "next"]
        assert joined(output.events) == expected
        assert output.sent == b"\x8a\x03now"


@pytest.mark.parametrize("name", ["a sync flush", "every kind of block", "final blocks only", "no octet"])
@pytest.mark.parametrize("stream", [False, True])
def test_every_cut_into_segments_gives_the_same(name: str, stream: bool) -> None:
    role = Role.SERVER
    payload, data = GOOD[name]
    parts = fragments(role, payload, 40, opcode=BINARY)
    wire = from_peer(role, PING, b"x").join(parts) + marked(role, deflate(b"next"))
    expected: list[object] = [data, "end", "next", "end"] if stream else [data, "next"]
    for cut in range(len(wire) + 1):
        core = connection(role, stream=stream)
        assert joined(receive(core, wire[:cut]) + receive(core, wire[cut:])) == expected
    core = connection(role, stream=stream)
    events = [event for octet in wire for event in receive(core, bytes([octet]))]
    assert joined(events) == expected


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
def test_a_close_in_the_middle_of_a_message_is_answered_and_the_message_never_given(
    role: Role, answer: str
) -> None:
    payload = GOOD["every kind of block"][0]
    for cut in range(len(payload) + 1):
        core = connection(role, answer)
        wire = marked(role, payload[:cut], final=False) + from_peer(role, CLOSE, status(1001))
        core.receive_data(wire + b"whatever", 0.0)
        output = drain(core, 0.0)
        assert output.events[0] == CloseReceived(1001, "") and len(output.events) == 2
        closed = output.events[-1]
        assert (
            isinstance(closed, Closed) and closed.clean and closed.code == 1001 and closed.violation is None
        )


def test_what_was_streamed_of_a_message_stays_when_a_close_cuts_it_short() -> None:
    core = connection(Role.SERVER, stream=True)
    wire = marked(Role.SERVER, deflate(b"half ") + TAIL, final=False) + from_peer(
        Role.SERVER, CLOSE, status(1000)
    )
    assert receive(core, wire)[:2] == [Fragment("half ", False), CloseReceived(1000, "")]


# Context takeover.


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
def test_a_reference_into_the_last_message_is_followed_exactly_where_that_was_agreed_on(
    role: Role, answer: str
) -> None:
    core = connection(role, answer)
    first = DeflateWriter().fixed(b"abcdef").flush().done()
    second = DeflateWriter().fixed((6, 6)).flush().done()
    events = receive(core, marked(role, first) + marked(role, second))
    assert events[0] == "abcdef"
    if answer is PLAIN:
        assert events[1:] == ["abcdef"]
    else:
        assert the_end(events).violation is Violation.COMPRESSED_DATA


@pytest.mark.parametrize(
    ("field", "role", "follows"),
    [
        ("permessage-deflate; client_no_context_takeover", Role.SERVER, False),
        ("permessage-deflate; client_no_context_takeover", Role.CLIENT, True),
        ("permessage-deflate; server_no_context_takeover", Role.SERVER, True),
        ("permessage-deflate; server_no_context_takeover", Role.CLIENT, False),
    ],
)
def test_each_direction_has_its_own_context(field: str, role: Role, follows: bool) -> None:
    core = connection(role, field)
    first = DeflateWriter().fixed(b"abcdef").flush().done()
    events = receive(core, marked(role, first) + marked(role, DeflateWriter().fixed((6, 6)).flush().done()))
    assert (events == ["abcdef", "abcdef"]) is follows


def test_messages_that_are_not_compressed_leave_the_context_alone() -> None:
    core = connection(Role.CLIENT)
    wire = marked(Role.CLIENT, DeflateWriter().fixed(b"abcdef").flush().done())
    wire += from_peer(Role.CLIENT, TEXT, b"plain") + marked(Role.CLIENT, b"\x00") + marked(Role.CLIENT, b"")
    wire += marked(Role.CLIENT, DeflateWriter().fixed((6, 6)).flush().done())
    assert receive(core, wire) == ["abcdef", "plain", "", "", "abcdef"]


def test_a_final_block_begins_a_new_context() -> None:
    core = connection(Role.CLIENT)
    first = DeflateWriter().fixed(b"abcdef", last=True).flush().done()
    events = receive(
        core, marked(Role.CLIENT, first) + marked(Role.CLIENT, DeflateWriter().fixed((6, 6)).flush().done())
    )
    assert events[0] == "abcdef" and the_end(events).violation is Violation.COMPRESSED_DATA


# Faults.


FLIPPED = {
    "words": deflate(WORDS * 2 + b"and others"),
    "fixed": DeflateWriter().fixed(b"ab", (10, 2), b"cd").flush().done(),
    "stored": DeflateWriter().stored(b"stored words").flush().done(),
    "final": whole_stream(b"words") + whole_stream(b"more words") + b"\x00",
    "dynamic": deflate(bytes(NOISE[at % 13] for at in range(0, 4000, 7)), level=9),
}


def faults(payload: bytes) -> list[bytes]:
    """Return the payload with each bit flipped, cut at each place, and with octets behind it."""
    found = []
    for place in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[place // 8] ^= 1 << place % 8
        found.append(bytes(flipped))
    return (
        found
        + [payload[:cut] for cut in range(len(payload))]
        + [payload + bytes([octet]) for octet in range(256)]
    )


def meaning(payload: bytes) -> bytes | None:
    """Return what a message without context stands for; None: it is malformed."""
    try:
        return MessageReader(takeover=False).read(payload)
    except DeflateError:
        return None


@pytest.mark.parametrize("name", FLIPPED)
def test_without_takeover_a_damaged_message_is_exactly_what_it_says_or_an_end(name: str) -> None:
    good = marked(Role.SERVER, deflate(b"the next one"))
    for payload in faults(FLIPPED[name]):
        core = connection(Role.SERVER, ALONE)
        events = receive(core, marked(Role.SERVER, payload, opcode=BINARY) + good)
        expected = meaning(payload)
        if expected is None:
            closed = the_end(events)
            assert len(events) == 1 and closed.violation is Violation.COMPRESSED_DATA, payload.hex()
        else:
            assert events == [expected, "the next one"], payload.hex()


@pytest.mark.parametrize("name", FLIPPED)
def test_with_takeover_a_damaged_message_is_what_it_says_or_an_end_or_its_beginning(name: str) -> None:
    good = marked(Role.SERVER, deflate(b"the next one"))
    for payload in faults(FLIPPED[name]):
        core = connection(Role.SERVER)
        events = receive(core, marked(Role.SERVER, payload, opcode=BINARY))
        expected = meaning(payload)
        if expected is not None:
            assert [*events, *receive(core, good)] == [expected, "the next one"], payload.hex()
        elif isinstance(events[0], Closed):
            assert the_end(events).violation is Violation.COMPRESSED_DATA
        else:  # a stream that goes on in the next message: zlib cannot tell, and what follows may fail
            assert len(events) == 1 and isinstance(events[0], bytes)
            assert all(isinstance(event, (str, Closed)) for event in receive(core, good))


# What stays behind.


@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
def test_nothing_of_a_message_stays_behind_in_a_decompressor(answer: str) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    def watch(bits: int) -> Any:
        made = WatchedZlib().decompressobj(bits)
        alive.add(made)
        return made

    core = connection(Role.SERVER, answer, module=Substitute(watch))
    noise = random.Random(1).randbytes(30_000)
    messages = [*GOOD.values(), (whole_stream(b"x") + deflate(noise), b"x" + noise)]
    for payload, data in messages:
        assert receive(core, marked(Role.SERVER, payload, opcode=BINARY)) == [data]
        assert [made.unused_data + made.unconsumed_tail for made in alive] == [b""] * len(alive)
        assert len(alive) <= (answer is PLAIN)
    assert core._receiver._assembler._decoder is not None
    assert core._receiver._assembler._decoder._input == b""


@pytest.mark.parametrize("answer", ANSWERS, ids=["takeover", "alone"])
def test_messages_of_final_blocks_cost_no_memory_in_the_long_run(answer: str) -> None:
    core = connection(Role.SERVER, answer)
    wire = marked(Role.SERVER, whole_stream(b"x" * 50) * 20 + deflate(NOISE * 50), opcode=BINARY)

    def run(count: int) -> None:
        for _ in range(count):
            core.receive_data(wire, 0.0)
            drain(core, 0.0)

    run(3)
    assert memory(lambda: run(100))[0] <= 48 * KIB  # one context, made anew


def test_a_damaged_frame_header_in_a_compressed_message_is_a_matter_of_framing() -> None:
    core = connection(Role.SERVER)
    wire = marked(Role.SERVER, deflate(WORDS)[:4], final=False)
    events = receive(core, wire + frame(CONTINUATION, b"\x00", masked=True, rsv=RSV1))
    assert the_end(events).violation is Violation.RESERVED_BITS
