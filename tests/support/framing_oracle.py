"""What RFC 6455 section 5 says about the first two bytes of a frame, as a table and nothing else.

A pair that breaks several rules may be refused for any of them, so the oracle names them all.
"""

from wscore import Role, Violation

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
DEFINED = {CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG}  # 5.2: 3-7 and B-F are reserved
CONTROL = {CLOSE, PING, PONG}  # 5.5: the most significant bit of the opcode is 1


def broken_rules(first: int, second: int, role: Role, *, in_fragment: bool) -> set[Violation]:
    """Return every rule that a pair of first bytes breaks; the empty set: the pair is legal.

    Args:
        first: the byte with FIN, RSV1-3 and the opcode.
        second: the byte with MASK and the seven bits of length.
        role: of the endpoint that receives the bytes.
        in_fragment: a fragmented message has begun and is not finished.
    """
    fin, rsv, opcode = first >> 7, first >> 4 & 7, first & 15
    masked, length = second >> 7, second & 127
    control, data = opcode in CONTROL, opcode in {TEXT, BINARY}
    table = {
        Violation.RESERVED_BITS: rsv != 0,  # 5.2: MUST be 0 unless an extension is negotiated
        Violation.RESERVED_OPCODE: opcode not in DEFINED,  # 5.2: fail if an unknown opcode is received
        Violation.FRAGMENTED_CONTROL: control and not fin,  # 5.5: MUST NOT be fragmented
        Violation.LONG_CONTROL: control and length > 125,  # 5.5: payload length of 125 bytes or less
        Violation.UNMASKED_FRAME: role is Role.SERVER and not masked,  # 5.1: the server MUST close
        Violation.MASKED_FRAME: role is Role.CLIENT and bool(masked),  # 5.1: a client MUST close
        Violation.UNEXPECTED_CONTINUATION: opcode == CONTINUATION and not in_fragment,  # 5.4
        Violation.MESSAGE_INTERRUPTED: data and in_fragment,  # 5.4: MUST NOT be interleaved
    }
    return {violation for violation, broken in table.items() if broken}
