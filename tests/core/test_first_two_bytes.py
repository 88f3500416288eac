"""All 65,536 pairs of first bytes, seen from a connection: in every state, with and without an extension.

What must become of a pair is a table, written from RFC 6455 section 5 and RFC 7692 section 6: refused, with a
rule that it breaks; or waiting for more; or, where two bytes are a whole frame, its effect.
"""

from enum import Enum

import pytest

from support.framing_oracle import BINARY, CLOSE, CONTINUATION, CONTROL, PING, PONG, TEXT, broken_rules
from support.wire import from_peer, status
from wscore import Config, Connection, Deflate, PingReceived, PongReceived, Role, State, Violation
from wscore._frames import FrameParser, Progress
from wscore.testing import drain, repeatable_entropy

pytestmark = pytest.mark.exhaustive

ROLES = list(Role)
PLAIN, DEFLATE = Config(control_events=True), Config(compression=Deflate(), control_events=True)
SOME_SECONDS = (0, 1, 125, 126, 127)  # each once more with the mask bit


class Where(Enum):
    """What has gone before."""

    IDLE = "nothing"
    IN_FRAGMENT = "the first fragment of a text"
    CLOSING = "our Close"
    CLOSING_IN_FRAGMENT = "the first fragment of a text, and our Close"
    CLOSED_BY_PEER = "the peer's Close"


IN_FRAGMENT = (Where.IN_FRAGMENT, Where.CLOSING_IN_FRAGMENT)
WE_HAVE_CLOSED = (Where.CLOSING, Where.CLOSING_IN_FRAGMENT)


def rules(first: int, second: int, role: Role, *, extended: bool, in_fragment: bool) -> set[Violation]:
    """Return every rule that a pair breaks."""
    broken = broken_rules(first, second, role, in_fragment=in_fragment)
    if extended and first >> 4 & 7 == 4 and first & 15 in (TEXT, BINARY):
        broken.discard(Violation.RESERVED_BITS)  # RFC 7692 6: RSV1 marks a message in its first frame
    return broken


def expected_events(first: int, second: int, role: Role, where: Where) -> list[object]:
    """Say what a legal pair brings: more than nothing only where it is a whole frame, without a key."""
    final, opcode = bool(first & 0x80), first & 15
    if role is Role.SERVER or second:
        return []
    if opcode == PING:
        return [PingReceived(b"")]
    if opcode == PONG:
        return [PongReceived(b"")]
    if opcode == CLOSE:
        return ["close"]
    if not final:
        return []
    return ["" if where in IN_FRAGMENT or opcode == TEXT else b""]


def connection_in(where: Where, role: Role, *, extended: bool) -> Connection:
    """Return a connection that has gone so far, drained."""
    connection = Connection.established(
        role,
        DEFLATE if extended else PLAIN,
        extensions="permessage-deflate" if extended else "",
        now=0.0,
        entropy=repeatable_entropy(),
    )
    if where in IN_FRAGMENT:
        connection.receive_data(from_peer(role, TEXT, b"", final=False), 0.0)
    if where in WE_HAVE_CLOSED:
        connection.close(now=0.0)
    if where is Where.CLOSED_BY_PEER:
        connection.receive_data(from_peer(role, CLOSE, status(1000)), 0.0)
    drain(connection, 0.0)
    return connection


def difference(first: int, second: int, role: Role, where: Where, *, extended: bool) -> str:
    """Feed a pair and compare; return "" or what was not as expected."""
    connection = connection_in(where, role, extended=extended)
    before = connection.state
    connection.receive_data(bytes((first, second)), 0.0)
    output = drain(connection, 0.0)
    if where is Where.CLOSED_BY_PEER:  # 5.5.1: nothing behind a Close counts
        quiet = not output.events and not output.sent and connection.state is before
        return "" if quiet else f"{first:02x} {second:02x}: looked at"
    broken = rules(first, second, role, extended=extended, in_fragment=where in IN_FRAGMENT)
    if broken:
        closed = connection.closed
        if closed is None:
            connection.receive_eof(0.0)
            closed = connection.closed
        good = closed is not None and closed.violation in broken and connection.state is not State.OPEN
        good = good and bool(output.sent) is (where not in WE_HAVE_CLOSED)
        return "" if good else f"{first:02x} {second:02x}: not refused for {broken}"
    expected = expected_events(first, second, role, where)
    if expected == ["close"]:
        answered = bool(output.sent) is (where not in WE_HAVE_CLOSED)
        return "" if answered and connection.closed and connection.closed.clean else f"{first:02x}: no close"
    pong = expected == [PingReceived(b"")] and where not in WE_HAVE_CLOSED
    good = output.events == expected and bool(output.sent) is pong and connection.state is before
    return "" if good else f"{first:02x} {second:02x}: {output.events} and {output.sent!r}"


def differences(seconds: range | tuple[int, ...], role: Role, where: Where, *, extended: bool) -> list[str]:
    """Compare every first byte with all of seconds."""
    found = [
        difference(first, second, role, where, extended=extended)
        for first in range(256)
        for second in seconds
    ]
    return [each for each in found if each]


@pytest.mark.parametrize("extended", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("where", Where)
@pytest.mark.parametrize("role", ROLES)
def test_every_first_byte_is_judged_at_once_in_every_state(role: Role, where: Where, extended: bool) -> None:
    seconds = tuple(second | bit for second in SOME_SECONDS for bit in (0, 0x80))
    assert differences(seconds, role, where, extended=extended) == []


@pytest.mark.slow
@pytest.mark.parametrize("extended", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("where", Where)
@pytest.mark.parametrize("role", ROLES)
def test_every_pair_is_judged_at_once_in_every_state(role: Role, where: Where, extended: bool) -> None:
    assert differences(range(256), role, where, extended=extended) == []


@pytest.mark.parametrize("in_fragment", [False, True], ids=["idle", "in a fragmented message"])
@pytest.mark.parametrize("role", ROLES)
def test_every_pair_is_judged_by_the_parser_when_an_extension_is_agreed_on(
    role: Role, in_fragment: bool
) -> None:
    found = []
    for first in range(256):
        for second in range(256):
            parser = FrameParser(role, None)
            parser.extended = True
            if in_fragment:
                parser.feed(from_peer(role, TEXT, b"", final=False))
                assert (parser.advance(), parser.advance()) == (Progress.HEADER, Progress.PAYLOAD)
            parser.feed(bytes((first, second)))
            step = parser.advance()
            broken = rules(first, second, role, extended=True, in_fragment=in_fragment)
            if (step is Progress.FAILED) is not bool(broken) or (broken and parser.violation not in broken):
                found.append((f"{first:02x} {second:02x}", step, broken))
            if step is Progress.HEADER:
                assert parser.marked is bool(first & 0x40)
    assert found == []


def test_the_table_refuses_and_allows_what_the_rfc_shows() -> None:
    """The examples of RFC 6455 section 5.7 and RFC 7692 section 7.2.3, and the table itself counted."""
    for first in (0x81, 0x01, 0x89, 0x8A, 0x82):
        assert not rules(first, 5, Role.CLIENT, extended=False, in_fragment=False)
    assert not rules(0xC1, 7, Role.CLIENT, extended=True, in_fragment=False)
    assert rules(0xC1, 7, Role.CLIENT, extended=False, in_fragment=False) == {Violation.RESERVED_BITS}
    assert rules(0xC0, 7, Role.CLIENT, extended=True, in_fragment=True) == {Violation.RESERVED_BITS}
    assert {CLOSE, PING, PONG} == CONTROL and CONTINUATION == 0
    legal = sum(
        not rules(first, second, Role.SERVER, extended=extended, in_fragment=False)
        for extended in (False, True)
        for first in range(256)
        for second in range(256)
    )
    # TEXT and BINARY, with FIN or not, 128 lengths; three control frames with FIN and 126 lengths; and, with
    # an extension, the four data frames once more.
    assert legal == 2 * (4 * 128 + 3 * 126) + 4 * 128
