"""Private close codes that have names: an application sees the members of its enumeration."""

from enum import IntEnum

import pytest

from support.wire import CLOSE, TEXT, feed, from_peer, opened, read_frames, status, the_end
from wscore import (
    CloseCode,
    Closed,
    CloseReceived,
    CloseStatus,
    Config,
    Connection,
    ConnectionClosed,
    LocalProtocolError,
    Role,
    Side,
    Timeouts,
    Timer,
)
from wscore.testing import Pair, drain

ROLES = list(Role)


class Code(IntEnum):
    """What this application closes with."""

    OUT_OF_TEA = 4018
    MOVED = 3000
    LAST = 4999


CONFIG = Config(close_codes=Code)
NAMED = list(Code)
UNNAMED = [1000, 1001, 1011, 3001, 4000, 4998]


def ends(connection: Connection, *data: bytes) -> tuple[CloseReceived, Closed]:
    """Let frames arrive; return the two events of the end."""
    for piece in data:
        connection.receive_data(piece, 0.0)
    events = [event for event in drain(connection, 0.0).events if isinstance(event, (CloseReceived, Closed))]
    received, closed = events
    assert isinstance(received, CloseReceived) and isinstance(closed, Closed)
    return received, closed


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("code", NAMED)
def test_a_received_code_comes_out_as_its_member_everywhere(role: Role, code: Code) -> None:
    connection = opened(role, CONFIG)
    received, closed = ends(connection, from_peer(role, CLOSE, status(code.value, b"bye")))
    assert (received, closed) == (
        CloseReceived(code.value, "bye"),
        Closed(
            code.value,
            "bye",
            True,
            CloseStatus(code.value, "bye"),
            CloseStatus(code.value, "bye"),  # 5.5.1: answered with its own words
            Side.REMOTE,
        ),
    )
    assert closed.received is not None and closed.sent is not None
    assert received.code is closed.code is closed.received.code is closed.sent.code is code
    assert connection.closed is closed


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("code", UNNAMED)
def test_any_other_code_stays_a_plain_number(role: Role, code: int) -> None:
    received, closed = ends(opened(role, CONFIG), from_peer(role, CLOSE, status(code)))
    assert received.code == closed.code == code
    assert type(received.code) is type(closed.code) is int


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("code", NAMED)
def test_without_names_all_codes_are_plain_numbers(role: Role, code: Code) -> None:
    received, closed = ends(opened(role), from_peer(role, CLOSE, status(code.value)))
    assert (received.code, type(received.code)) == (code.value, int)
    assert (closed.code, type(closed.code)) == (code.value, int)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("code", NAMED)
@pytest.mark.parametrize("as_number", [False, True], ids=["member", "number"])
def test_a_code_is_sent_by_its_number_and_remembered_as_its_member(
    role: Role, code: Code, as_number: bool
) -> None:
    connection = opened(role, CONFIG)
    connection.close(code.value if as_number else code, "bye", now=0.0)
    assert read_frames(drain(connection, 0.0).sent) == [(0x88, status(code.value, b"bye"))]
    closed = the_end(feed(connection, (CLOSE, status(1000))).events)
    assert closed.sent is not None
    assert (closed.sent.code, closed.sent.reason, closed.code) == (code, "bye", 1000)
    assert closed.sent.code is code


@pytest.mark.parametrize("role", ROLES)
def test_a_member_of_another_enumeration_is_sent_as_what_it_is(role: Role) -> None:
    class Other(IntEnum):
        """Codes of somebody else."""

        SAME = 4018
        OWN = 4100

    for code, kept in ((Other.SAME, Code.OUT_OF_TEA), (Other.OWN, 4100), (CloseCode.GOING_AWAY, 1001)):
        connection = opened(role, CONFIG)
        connection.close(code, now=0.0)
        assert read_frames(drain(connection, 0.0).sent) == [(0x88, status(int(code)))]
        sent = the_end(feed(connection, (CLOSE, b"")).events).sent
        assert sent is not None
        assert (sent.code, type(sent.code)) == (kept, type(kept))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("code", [*Code, 1000, 4000])
def test_names_change_nothing_of_what_may_be_sent(role: Role, code: int) -> None:
    for wrong in (999, 1005, 1006, 2999, 5000, True):
        connection = opened(role, CONFIG)
        with pytest.raises(LocalProtocolError):
            connection.close(wrong, now=0.0)
        connection.close(code, now=0.0)
        assert read_frames(drain(connection, 0.0).sent) == [(0x88, status(code))]


def test_both_sides_have_names_of_their_own() -> None:
    class Server(IntEnum):
        """What the server calls the same codes."""

        NO_TEA = 4018

    pair = Pair(Config(close_codes=Code), Config(close_codes=Server))
    pair.open()
    pair.server.close(4018, "bye", now=0.0)
    pair.exchange()
    ours, theirs = pair.client.closed, pair.server.closed
    assert ours is not None and theirs is not None
    assert ours.code is Code.OUT_OF_TEA
    assert theirs.code is Server.NO_TEA
    assert theirs.sent is not None and theirs.sent.code is Server.NO_TEA


@pytest.mark.parametrize("role", ROLES)
def test_an_error_calls_the_code_by_its_name(role: Role) -> None:
    connection = opened(role, CONFIG)
    feed(connection, (CLOSE, status(4018, b"sorry")))
    with pytest.raises(ConnectionClosed, match=r"4018 \(OUT_OF_TEA\) 'sorry'") as caught:
        connection.send_text("x")
    assert caught.value.closed.code is Code.OUT_OF_TEA


@pytest.mark.parametrize("role", ROLES)
def test_an_end_without_a_close_or_without_a_code_has_no_name(role: Role) -> None:
    lost = opened(role, CONFIG)
    lost.receive_eof(0.0)
    assert the_end(drain(lost, 0.0).events) == Closed(1006, "", False)
    received, closed = ends(opened(role, CONFIG), from_peer(role, CLOSE, b""))
    assert (received.code, closed.code, type(closed.code)) == (1005, 1005, int)


@pytest.mark.parametrize("role", ROLES)
def test_what_the_library_closes_with_has_its_own_code(role: Role) -> None:
    config = Config(close_codes=Code, timeouts=Timeouts(keepalive=None, idle=5.0))
    connection = opened(role, config)
    connection.handle_deadline(5.0)
    closed = the_end(feed(connection, (CLOSE, status(1001)), now=5.0).events)
    assert (closed.sent and closed.sent.code, closed.timer) == (1001, Timer.IDLE)
    broken = opened(role, config)
    broken.receive_data(from_peer(role, TEXT, b"\xff"), 0.0)
    assert the_end(drain(broken, 0.0).events).sent == CloseStatus(1007, "text is not valid UTF-8")


class Empty(IntEnum):
    """Names nothing."""


def test_an_enumeration_without_members_names_nothing() -> None:
    _, closed = ends(
        opened(Role.CLIENT, Config(close_codes=Empty)), from_peer(Role.CLIENT, CLOSE, status(4018))
    )
    assert (closed.code, type(closed.code)) == (4018, int)
