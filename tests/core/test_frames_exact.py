"""What the parser and the writer of frames promise to the bit: what there is before anything was read, what
counts as unread, which frames a limit is for, and what a caller gets who names nothing."""

import pytest

from support.wire import BINARY, CLOSE, KEY, PING, PONG, TEXT, frame, header, mask
from wscore import Opcode, Role, Violation
from wscore._frames import FrameParser, Progress, cut_message, encode_frame

ROLES = list(Role)


@pytest.mark.parametrize("role", ROLES)
def test_a_parser_that_was_fed_nothing_has_nothing(role: Role) -> None:
    parser = FrameParser(role, None)
    assert parser.unread == 0
    assert parser.violation is None
    assert (parser.extended, parser.marked, parser.final, parser.frame_done) == (False,) * 4
    assert (parser.length, parser.payload) == (0, b"")
    assert parser.advance() is Progress.NEED_DATA


@pytest.mark.parametrize("role", ROLES)
def test_unread_goes_down_by_what_each_step_has_looked_at(role: Role) -> None:
    masked = role is Role.SERVER
    first, second = frame(TEXT, b"Hello", masked=masked), frame(PING, b"?", masked=masked)
    parser = FrameParser(role, None)
    parser.feed(first + second)
    for step, unread in (
        (Progress.HEADER, 5 + len(second)),
        (Progress.PAYLOAD, len(second)),
        (Progress.CONTROL, 0),
        (Progress.NEED_DATA, 0),
    ):
        assert parser.advance() is step
        assert parser.unread == unread


@pytest.mark.parametrize("role", ROLES)
def test_discarding_also_forgets_the_last_payload(role: Role) -> None:
    parser = FrameParser(role, None)
    parser.feed(frame(PING, b"secret", masked=role is Role.SERVER))
    assert parser.advance() is Progress.CONTROL
    assert parser.payload == b"secret"
    parser.discard()
    assert parser.payload == b""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_limit_is_for_every_data_frame(role: Role, opcode: int) -> None:
    masked = role is Role.SERVER
    parser = FrameParser(role, 3)
    parser.feed(frame(opcode, b"abc", masked=masked) + header(0x80 | opcode, 4, masked=masked))
    assert [parser.advance() for _ in range(3)] == [Progress.HEADER, Progress.PAYLOAD, Progress.FAILED]
    assert parser.violation is Violation.FRAME_TOO_BIG


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_the_limit_is_for_no_control_frame(role: Role, opcode: int) -> None:
    parser = FrameParser(role, 0)
    parser.feed(frame(opcode, b"x" * 125, masked=role is Role.SERVER))
    assert parser.advance() is Progress.CONTROL


def test_a_frame_is_a_whole_unmarked_message_unless_said_otherwise() -> None:
    assert encode_frame(Opcode.TEXT, b"Hello", None) == [b"\x81\x05Hello"]


@pytest.mark.parametrize("size", [None, 3, 4])
def test_a_message_that_fits_in_one_frame_gets_one_key(size: int | None) -> None:
    keys = iter([KEY])
    frames = cut_message(Opcode.TEXT, b"abc", size, new_key=lambda: next(keys))
    assert frames == [[b"\x81\x83" + KEY + mask(b"abc")]]
    assert next(keys, None) is None
