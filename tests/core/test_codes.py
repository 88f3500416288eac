"""The numbers of RFC 6455: roles, opcodes and close codes."""

from enum import IntEnum

import pytest

from wscore._codes import CloseCode, Opcode, Role, Side, is_private, may_travel, member_of, name_of

# RFC 6455 section 7.4.1 and the IANA registry: (code, may a Close frame carry it).
REGISTRY = {
    1000: ("NORMAL_CLOSURE", True),
    1001: ("GOING_AWAY", True),
    1002: ("PROTOCOL_ERROR", True),
    1003: ("UNSUPPORTED_DATA", True),
    1005: ("NO_STATUS_RECEIVED", False),
    1006: ("ABNORMAL_CLOSURE", False),
    1007: ("INVALID_PAYLOAD_DATA", True),
    1008: ("POLICY_VIOLATION", True),
    1009: ("MESSAGE_TOO_BIG", True),
    1010: ("MANDATORY_EXTENSION", True),
    1011: ("INTERNAL_ERROR", True),
    1012: ("SERVICE_RESTART", True),
    1013: ("TRY_AGAIN_LATER", True),
    1014: ("BAD_GATEWAY", True),
    1015: ("TLS_HANDSHAKE", False),
}


def test_the_close_codes_are_those_of_the_registry() -> None:
    assert {code.value: code.name for code in CloseCode} == {
        code: name for code, (name, _) in REGISTRY.items()
    }


def test_a_close_code_travels_when_it_is_registered_for_the_wire_or_private() -> None:
    allowed = {code for code, (_, travels) in REGISTRY.items() if travels} | set(range(3000, 5000))
    assert {code for code in range(65_536) if may_travel(code)} == allowed


@pytest.mark.parametrize(
    ("code", "travels"),
    [
        (-1, False),
        (999, False),
        (1004, False),
        (1016, False),
        (2999, False),
        (3000, True),
        (4999, True),
        (5000, False),
        (65_535, False),
        (65_536 + 1000, False),
    ],
)
def test_the_borders_of_the_code_ranges(code: int, travels: bool) -> None:
    assert may_travel(code) is travels


def test_an_enum_member_is_judged_like_its_number() -> None:
    assert may_travel(CloseCode.GOING_AWAY)
    assert not may_travel(CloseCode.ABNORMAL_CLOSURE)


@pytest.mark.parametrize("code", [True, False, 1000.0, "1000", b"\x03\xe8", None, [1000]])
def test_what_is_no_whole_number_is_no_code(code: object) -> None:
    assert not may_travel(code)


def test_the_opcodes_are_those_of_section_5_2() -> None:
    assert {opcode.name: opcode.value for opcode in Opcode} == {
        "CONTINUATION": 0x0,
        "TEXT": 0x1,
        "BINARY": 0x2,
        "CLOSE": 0x8,
        "PING": 0x9,
        "PONG": 0xA,
    }


def test_there_are_two_roles_and_two_sides() -> None:
    assert {role.name for role in Role} == {"CLIENT", "SERVER"}
    assert {side.name for side in Side} == {"LOCAL", "REMOTE"}


class Private(IntEnum):
    """Close codes of an application."""

    OUT_OF_TEA = 4018
    TOO_HOT = 3000
    SCALDING = 3000  # the same by another name


def test_private_codes_are_those_of_section_7_4_2() -> None:
    assert [code for code in range(-1, 65_537) if is_private(code)] == list(range(3000, 5000))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        *[(code, name) for code, (name, _) in REGISTRY.items()],
        (CloseCode.GOING_AWAY, "GOING_AWAY"),
        (Private.OUT_OF_TEA, "OUT_OF_TEA"),
        (Private.SCALDING, "TOO_HOT"),
        (4018, ""),
        (3000, ""),
        (999, ""),
        (1004, ""),
    ],
)
def test_a_code_is_called_by_its_registered_name_or_by_that_of_its_enumeration(code: int, name: str) -> None:
    assert name_of(code) == name


@pytest.mark.parametrize(
    ("codes", "code", "member"),
    [
        (Private, 4018, Private.OUT_OF_TEA),
        (Private, 3000, Private.TOO_HOT),
        (Private, Private.TOO_HOT, Private.TOO_HOT),
        (CloseCode, 1000, CloseCode.NORMAL_CLOSURE),
    ],
)
def test_a_code_among_those_that_have_names_becomes_a_member(
    codes: type[IntEnum], code: int, member: IntEnum
) -> None:
    assert member_of(codes, code) is member


@pytest.mark.parametrize("codes", [None, Private])
@pytest.mark.parametrize("code", [1000, 1005, 1006, 3001, 4017, 4999])
def test_any_other_code_stays_a_number(codes: type[IntEnum] | None, code: int) -> None:
    found = member_of(codes, code)
    assert (found, type(found)) == (code, int)
