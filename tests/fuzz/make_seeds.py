"""Writes tests/fuzz/seeds anew: where a fuzzer begins. Run it by hand: ``python tests/fuzz/make_seeds.py``.

Seeds come from the test vectors and from the streams of `support.streams`; those of compressed frames and of
two peers are made here. Of seeds with the same outcome one is enough.
"""

import re
import shutil
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fuzz.targets import TARGETS, Run  # noqa: E402 - found only now
from support import vectors  # noqa: E402
from support.streams import streams  # noqa: E402
from support.two_cores_play import ACTIONS  # noqa: E402
from support.vector_specs import octets  # noqa: E402
from support.wire import REQUEST, RESPONSE, URL, mask, steady_entropy  # noqa: E402
from wscore import Closed, Config, Connection, Role  # noqa: E402

SEEDS: Final = HERE / "seeds"
LONGEST: Final = 1500
MOST: Final = 70  # per target

Seed = tuple[str, bytes]

_ROLES: Final = (Role.SERVER, Role.CLIENT)  # as the targets number them
_STREAM: Final = 2
_SMALL: Final = 1
_CONTROL: Final = 4


def outcome(role: Role, data: bytes) -> tuple[object, ...]:
    """Return what a stream leads to, from the first byte of the connection, roughly."""

    def make() -> Connection:
        connection = Connection(role, Config(), now=0.0, entropy=steady_entropy())
        if role is Role.CLIENT:
            connection.send_request(URL, subprotocols=("chat", "superchat"), now=0.0)
        return connection

    run = Run(make, Config())
    run.feed([data])
    run.end()
    closed = run.watched.core.closed
    assert isinstance(closed, Closed)
    kinds = sorted({type(event).__name__ for event in run.events})
    response = run.watched.core.response
    return (*kinds, closed.code, closed.clean, closed.violation, response and response.status)


def received() -> Iterator[tuple[str, Role, bytes, bool]]:
    """Give all streams there are: name, role, bytes, and whether the handshake is behind them."""
    for vector in vectors.load_all():
        data = vector.data
        role = Role[data["role"]]
        parts = [octets(step["receive"]) for step in data["steps"] if "receive" in step]
        if parts and "established" not in data:
            yield vector.id, role, b"".join(parts), bool(data.get("after_handshake"))
    for stream in streams():
        head = REQUEST if stream.role is Role.SERVER else RESPONSE
        behind = stream.data.startswith(head)
        yield stream.name, stream.role, stream.data[len(head) if behind else 0 :], behind


def stream_seeds(target: str) -> Iterator[Seed]:
    """Give the seeds of a target that takes a stream, one for each outcome."""
    seen: set[tuple[object, ...]] = set()
    for name, role, data, behind in received():
        whole = (REQUEST if role is Role.SERVER else RESPONSE) + data if behind else data
        fits = not behind if target == "head" else (behind and target == f"frames_{role.value}")
        if not fits or len(data) > LONGEST:
            continue
        result = (role, *outcome(role, whole))
        if result in seen:
            continue
        seen.add(result)
        flags = zlib.crc32(data) & (_SMALL | _STREAM | _CONTROL)
        start = [_ROLES.index(role)] if target == "head" else []
        yield name, bytes([*start, flags]) + (unmasked(data) if target == "frames_server" else data)


def unmasked(data: bytes) -> bytes:
    """Give every frame the key zero, so that a mutation of the payload means what it seems to."""
    position = 0
    while len(data) > position + 2 and data[position + 1] & 0x80:
        size = {126: 2, 127: 8}.get(data[position + 1] & 0x7F, 0)
        start = position + 2 + size
        length = int.from_bytes(data[position + 2 : start], "big") if size else data[position + 1] & 0x7F
        key, payload = data[start : start + 4], data[start + 4 : start + 4 + length]
        if len(key) == 4:
            data = data[:start] + bytes(4) + mask(payload, key) + data[start + 4 + len(payload) :]
        position = start + 4 + length
    return data


# Compressed frames, in the form that the target reads: kind and flags, size, payload.

_TEXT, _BINARY, _CONTINUATION, _PING, _MORE, _MARKED = 0, 1, 2, 3, 4, 8


def _piece(kind: int, payload: bytes) -> bytes:
    return bytes([kind, len(payload)]) + payload


def _compress(*messages: bytes, bits: int = 15, level: int = 6, end: bool = False) -> list[bytes]:
    """Compress messages with one context; end: end the stream with each."""
    deflated = []
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits)
    for message in messages:
        data = compressor.compress(message)
        if end:
            deflated.append(data + compressor.flush(zlib.Z_FINISH) + b"\0")
            compressor = zlib.compressobj(level, zlib.DEFLATED, -bits)
        else:
            deflated.append((data + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff"))
    return deflated


def deflate_seeds() -> Iterator[Seed]:
    """Give messages that are compressed in every way there is, and some that cannot be."""
    hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # RFC 7692 section 7.2.3.1
    words = b"some words and some more words, some of them twice. " * 3
    twice = _compress(words, words)
    programs: dict[str, list[bytes]] = {
        "hello": [_piece(_TEXT | _MARKED, hello)],
        "hello twice": [_piece(_TEXT | _MARKED, hello), _piece(_TEXT | _MARKED, b"\xf2\x00\x11\x00\x00")],
        "hello in two frames": [
            _piece(_TEXT | _MARKED | _MORE, hello[:3]),
            b"\x03\x02pp",
            _piece(_CONTINUATION, hello[3:]),
        ],
        "hello as it is": [_piece(_TEXT | _MARKED, b"\x00\x05\x00\xfa\xffHello\x00")],
        "hello as a last block": [_piece(_TEXT | _MARKED, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")] * 2,
        "hello in two blocks": [
            _piece(_TEXT | _MARKED, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")
        ],
        "empty": [_piece(_TEXT | _MARKED, b"\x00"), _piece(_BINARY | _MARKED, b""), _piece(_TEXT, b"")],
        "plain between": [_piece(_TEXT | _MARKED, hello), _piece(_TEXT, b"plain"), _piece(_TEXT | 8, hello)],
        "with takeover": [_piece(_TEXT | _MARKED, part) for part in twice],
        "ends of streams": [_piece(_BINARY | 8, part) for part in _compress(words, b"", b"x", end=True)],
        "many ends in one": [_piece(_TEXT | _MARKED, b"\x03\x00" * 100)],
        "stored": [_piece(_BINARY | _MARKED, part) for part in _compress(words, level=0)],
        "a small bomb": [_piece(_BINARY | _MARKED, _compress(bytes(100_000))[0][:255])],
        "just too big": [_piece(_BINARY | _MARKED, _compress(bytes(301))[0])],
        "too far back": [_piece(_BINARY | _MARKED, _compress(Random(1).randbytes(90) * 2, bits=15)[0])],
        "nonsense": [_piece(_TEXT | _MARKED, b"\xff\xff\xff\xff")],
        "cut off": [_piece(_TEXT | _MARKED, twice[0][:20]), _piece(_TEXT | _MARKED, hello)],
        "bad text": [_piece(_TEXT | _MARKED, _compress(b"ok\xff")[0])],
        "half a code point": [_piece(_TEXT | _MARKED, _compress("\u2603".encode()[:2])[0])],
        "marked in the middle": [_piece(_TEXT | _MORE, b"a"), _piece(_TEXT | _MARKED, hello)],
    }
    for number, (name, pieces) in enumerate(programs.items()):
        for role in (0, 1):
            flags = (number % 4) * 2 + (8 if number % 3 else 0)
            yield f"{name} {_ROLES[role].value}", bytes([role, flags, number % 3]) + b"".join(pieces)


def peer_seeds() -> Iterator[Seed]:
    """Give programs for two peers: a few plain ones, and chance."""
    plain = bytes(40)  # two default configurations, a handshake, and the first action again and again
    yield "plain", plain
    for number in range(len(ACTIONS)):
        yield f"action {number}", bytes(3 * 20) + bytes([0, 0, number, 0, 1, number, 1, 2, 3, 0, 0, 1] * 3)
    for number in range(30):
        yield f"chance {number}", Random(number).randbytes(60 + 8 * number)


def write(target: str, found: Iterator[Seed]) -> int:
    """Write the seeds of one target; return how many bytes they have."""
    folder = SEEDS / target
    folder.mkdir(parents=True)
    size = 0
    for number, (name, data) in enumerate(found):
        if number == MOST:
            break
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
        TARGETS[target](data)  # a seed is none if it is a finding
        (folder / f"{number:02}-{slug}").write_bytes(data)
        size += len(data)
    return size


def main() -> None:
    """Write all of them."""
    shutil.rmtree(SEEDS, ignore_errors=True)
    makers: dict[str, Any] = {"deflate": deflate_seeds, "two_peers": peer_seeds}
    for target in TARGETS:
        found = makers[target]() if target in makers else stream_seeds(target)
        size = write(target, found)
        print(f"{target}: {len(list((SEEDS / target).iterdir()))} seeds, {size} bytes")


if __name__ == "__main__":
    main()
