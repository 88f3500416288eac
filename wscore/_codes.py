"""Roles, opcodes and close codes: the numbers of RFC 6455.

Everything here is pure data. A port starts with this file: it needs nothing else.

A close code lives in one of four worlds (RFC 6455 section 7.4):

- on the wire: an endpoint may send it and must accept it;
- reserved for reports: 1005, 1006 and 1015 say what happened *without* a code and never travel;
- private: 3000 to 4999 belong to libraries, frameworks and applications;
- everything else is unassigned, and a peer that sends it breaks the protocol.
"""

from enum import Enum, IntEnum
from typing import Any, Final


class Role(Enum):
    """Which side of the connection this is; it decides who masks and who sends the request."""

    CLIENT = "client"
    SERVER = "server"


class Side(Enum):
    """Who did something, seen from here."""

    LOCAL = "local"
    REMOTE = "remote"


class Opcode(IntEnum):
    """The six opcodes in use (RFC 6455 section 5.2); all others are reserved."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """Status codes with a registered meaning (RFC 6455 section 7.4.1 and the IANA registry)."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RECEIVED = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_PAYLOAD_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


REASON_LIMIT: Final = 123  # bytes: a control frame's 125 less the code (RFC 6455 section 5.5)
_NEVER_ON_THE_WIRE: Final = frozenset({1005, 1006, 1015})
_REGISTERED: Final = frozenset(int(code) for code in CloseCode)


def is_private(code: int) -> bool:
    """Tell whether a code belongs to libraries, frameworks and applications (RFC 6455 section 7.4.2)."""
    return 3000 <= code <= 4999


# Native code makes a plain number of a member wherever `int` is declared; so what must stay a member passes
# as an object.
def name_of(code: object) -> str:
    """Return what a close code is called: "NORMAL_CLOSURE", or what its own enumeration calls it.

    Returns:
        "" for a plain number that has no registered name.
    """
    if isinstance(code, Enum):
        return str(code.name)
    return CloseCode(code).name if code in _REGISTERED else ""


def member_of(codes: type[IntEnum] | None, code: int) -> Any:
    """Return the member of codes that code is, or code itself."""
    member: Any
    for member in codes or ():
        if member == code:
            return member
    return code


def may_travel(code: object) -> bool:
    """Tell whether code is a number that a Close frame may carry.

    The rule is one for sending and receiving: registered codes other than 1005, 1006 and 1015,
    and 3000 to 4999 (RFC 6455 sections 7.4.1 and 7.4.2).
    """
    if not isinstance(code, int) or isinstance(code, bool):
        return False
    if is_private(code):
        return True
    return code in _REGISTERED and code not in _NEVER_ON_THE_WIRE
