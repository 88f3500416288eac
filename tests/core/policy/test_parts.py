"""A message in parts: what it may consist of, and when it can only end with a close."""

from typing import Any

import pytest

from wscore import Connection, LocalProtocolError, Role
from wscore.policy._parts import InParts
from wscore.testing import drain


def core() -> Connection:
    return Connection.established(Role.SERVER, now=0.0)


@pytest.mark.parametrize(
    ("parts", "wire"),
    [
        (["a", "b"], b"\x01\x01a" + b"\x00\x01b" + b"\x80\x00"),
        ([b"a", bytearray(b"b"), memoryview(b"c")], b"\x02\x01a" + b"\x00\x01b" + b"\x00\x01c" + b"\x80\x00"),
        ([b""], b"\x82\x00"),  # an empty part says nothing
    ],
)
def test_each_part_is_a_frame_and_an_empty_one_ends_the_message(parts: list[Any], wire: bytes) -> None:
    sender = core()
    message = InParts(sender, parts, None)
    for part in parts:
        message.send(part)
    message.finish()
    assert drain(sender, 0.0).sent == wire
    assert not message.is_torn


@pytest.mark.parametrize("part", ["text", b"bytes", bytearray(), memoryview(b"")])
def test_a_part_is_not_taken_for_several(part: Any) -> None:
    with pytest.raises(TypeError, match="iterable of parts"):
        InParts(core(), part, None)


def test_a_message_needs_a_part() -> None:
    message = InParts(core(), [], None)
    with pytest.raises(LocalProtocolError, match="at least one part"):
        message.finish()
    assert not message.is_torn


def test_a_message_is_torn_between_its_first_part_and_its_end() -> None:
    message = InParts(core(), [], None)
    assert not message.is_torn
    message.send("part")
    assert message.is_torn
    with pytest.raises(LocalProtocolError):
        message.send(b"of another kind")
    assert message.is_torn
    message.finish()
    assert not message.is_torn


def test_a_first_part_that_cannot_be_sent_tears_nothing() -> None:
    message = InParts(core(), [], None)
    with pytest.raises(TypeError):
        message.send(5)  # type: ignore[arg-type]
    assert not message.is_torn


def test_nothing_is_torn_once_the_connection_has_ended() -> None:
    sender = core()
    message = InParts(sender, [], None)
    message.send(b"part")
    sender.receive_eof(0.0)
    sender.receive_eof(0.0)
    assert sender.closed is not None
    assert not message.is_torn
