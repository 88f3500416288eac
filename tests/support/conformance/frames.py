"""Frames for bare peers, fast enough for megabytes, and ways to read them in bulk."""

from typing import Protocol

from support.raw import RawPeer
from support.wire import CONTINUATION, KEY, header


class Masking(Protocol):
    """A peer, or the setting of one: whether it must mask what it sends."""

    @property
    def masks(self) -> bool: ...


def _mask(payload: bytes) -> bytes:
    """Transform as RFC 6455 section 5.3 says, in one long number."""
    size = len(payload)
    key = (KEY * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def frame_from(
    peer: Masking, opcode: int, payload: bytes = b"", *, final: bool = True, rsv: int = 0
) -> bytes:
    """Write one frame as this peer must: clients mask."""
    head = header((0x80 if final else 0) | rsv | opcode, len(payload), masked=peer.masks)
    return head + KEY + _mask(payload) if peer.masks else head + payload


def frames_from(peer: Masking, opcode: int, *payloads: bytes) -> bytes:
    """Write whole messages, one behind the other."""
    return b"".join(frame_from(peer, opcode, payload) for payload in payloads)


def read_message(peer: RawPeer) -> tuple[int, bytes]:
    """Read one message, in whatever fragments it comes: its opcode and its payload."""
    first, payload = peer.read_frame()
    opcode, pieces = first & 0x0F, [payload]
    while not first & 0x80:
        first, payload = peer.read_frame()
        assert first & 0x7F == CONTINUATION
        pieces.append(payload)
    return opcode, b"".join(pieces)
