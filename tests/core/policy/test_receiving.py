"""Messages out of events: which events are messages, what ends them, and who expects which."""

import pytest

from wscore import (
    Closed,
    CloseReceived,
    Config,
    Connection,
    ConnectionClosed,
    Fragment,
    LocalProtocolError,
    PongReceived,
    Role,
)
from wscore.policy._receiving import Received, expect_parts, expect_whole, in_part, received, whole

PART = Fragment("part", final=False)


@pytest.mark.parametrize("message", ["", "text", b"", b"bytes", PART])
def test_a_message_is_what_it_is(message: Received) -> None:
    assert received(message) is message


def test_other_events_are_passed_over() -> None:
    assert received(PongReceived(b"")) is None
    assert received(CloseReceived(1000, "")) is None


def test_the_end_is_raised() -> None:
    closed = Closed(1001, "bye", True)
    with pytest.raises(ConnectionClosed) as raised:
        received(closed)
    assert raised.value.closed is closed


@pytest.mark.parametrize("message", ["", "text", b"bytes"])
def test_whole_messages_are_for_who_expects_them(message: str | bytes) -> None:
    assert whole(message) is message
    with pytest.raises(LocalProtocolError, match="without Config"):
        in_part(message)


def test_parts_are_for_who_expects_them() -> None:
    assert in_part(PART) is PART
    with pytest.raises(LocalProtocolError, match="with Config"):
        whole(PART)


@pytest.mark.parametrize("streams", [False, True])
def test_who_asks_for_the_wrong_kind_is_told_before_anything_is_taken(streams: bool) -> None:
    core = Connection.established(Role.CLIENT, Config(stream=streams), now=0.0)
    assert core.streams is streams
    right, wrong = (expect_parts, expect_whole) if streams else (expect_whole, expect_parts)
    right(core)
    with pytest.raises(LocalProtocolError, match="recv_fragment" if streams else "come from recv"):
        wrong(core)
