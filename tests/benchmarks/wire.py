"""Ready-made bytes: what the load generator sends, and what it expects back.

Everything is made once, before the clock runs, so that sending a message costs the generator a system call
and nothing else. The masking key is fixed: a receiver unmasks in the same time whatever the key is.

Compressed messages are made without reference to earlier ones, which every receiver must accept (RFC 7692
section 7.2.3.2), so a block of them can be sent again and again.
"""

import base64
import hashlib
import json
import random
import zlib
from typing import Final

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8

WINDOW_BITS: Final = 12  # what all contestants agree to by default
JSON_MESSAGES: Final = 64
JSON_SIZE: Final = 1024

_KEY: Final = b"\x37\xfa\x21\x3d"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TAIL: Final = b"\x00\x00\xff\xff"
_WORDS: Final = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett")


def mask(payload: bytes) -> bytes:
    """XOR payload with the one key of these benchmarks."""
    size = len(payload)
    pattern = (_KEY * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")).to_bytes(size, "little")


def frame(opcode: int, payload: bytes, *, masked: bool, compressed: bool = False) -> bytes:
    """Return one final frame (RFC 6455 section 5.2)."""
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65536:
        length = bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([bit | 127]) + size.to_bytes(8, "big")
    head = bytes([0x80 | (0x40 if compressed else 0) | opcode]) + length
    return head + _KEY + mask(payload) if masked else head + payload


def payload(opcode: int, size: int) -> bytes:
    """Return a message's payload: ASCII for text, all values for binary."""
    unit = b"The quick brown fox jumps over the lazy dog. " if opcode == TEXT else bytes(range(256))
    return (unit * (size // len(unit) + 1))[:size]


def json_payloads() -> list[bytes]:
    """Return messages of about 1 KiB: alike in their keys, different in their values."""
    chance = random.Random(7692)
    return [_json_payload(chance, serial) for serial in range(JSON_MESSAGES)]


def _json_payload(chance: random.Random, serial: int) -> bytes:
    message: dict[str, object] = {"type": "update", "serial": serial}
    message["items"] = items = []
    while len(text := json.dumps(message)) < JSON_SIZE - 80:
        name = " ".join(chance.choices(_WORDS, k=2))
        items.append({"id": chance.getrandbits(32), "name": name, "price": round(chance.uniform(1, 999), 2)})
    message["comment"] = "".join(chance.choices("abcdefgh ", k=max(JSON_SIZE - len(text) - 15, 1)))
    return json.dumps(message).encode()


def deflate(message: bytes) -> bytes:
    """Compress a message by itself (RFC 7692 section 7.2.1)."""
    compressor = zlib.compressobj(wbits=-WINDOW_BITS)
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def request(port: int, *, compressed: bool) -> bytes:
    """Return an opening request (RFC 6455 section 4.1)."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if compressed else b""
    return (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n" % (port, offer)
    )


def response(head: bytes) -> bytes:
    """Answer an opening request (RFC 6455 section 4.2.2)."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            accept = base64.b64encode(hashlib.sha1(value.strip() + _GUID).digest())
            return (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
            )
    raise ConnectionError(f"not an opening request: {head[:32]!r}")
