"""Random conversations with one core, written down: what two builds of it must have in common.

Usage: ``python -m support.transcripts SEED NUMBER [BLOCK]`` prints one SHA-256 for each block of transcripts.

A conversation is chosen by a generator that is seeded with the seed and its own number, so it is the same in
every build and every version of Python: a role, a configuration, a stream of the peer that is valid or broken
and cut at random, commands right and wrong, and time. After each step everything that comes out is written
down: events, bytes, errors, and all levels. Entropy counts up. With compression, the peer's payloads are
stored blocks, and of ours only the decoded content counts, not what one version of zlib makes of it.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import sha256
from random import Random
from typing import Any, Final

from support.choices import MISTAKES, Pick, one_of
from support.counters import counters
from support.wire import REQUEST, RESPONSE, URL, frame, read_frames, status, steady_entropy
from wscore import (
    ANY_ORIGIN,
    Config,
    Connection,
    ConnectionClosed,
    Deflate,
    Headers,
    InvalidURL,
    Limits,
    LocalProtocolError,
    Ping,
    PreparedMessage,
    Role,
    Timeouts,
)

BLOCK: Final = 1000
_REFUSALS: Final = (LocalProtocolError, ConnectionClosed, InvalidURL, TypeError)
_SIZES: Final = (0, 1, 5, 20, 125, 126, 127, 300, 1000, 4096)
_BIG: Final = (65_535, 65_536, 70_000)
_PIECES: Final = (1 << 20, 1, 2, 3, 7, 64, 500)
_CODES: Final = (1000, 1001, 1011, 3000, 4999)
_TIMES: Final = (0.0, 0.01, 0.5, 1.0, 3.0, 11.0, 40.0)
_TEXT: Final = "snow \u2603 \U0001f600 \xe9t\xe9, "
_HEADS: Final = (
    (b"HTTP/1.1", b"HTTP/1.0"),
    (b"GET", b"POST"),
    (b"Version: 13", b"Version: 8"),
    (b"Upgrade: websocket", b"Upgrade: h2c"),
    (b" 101 Switching Protocols", b" 403 Forbidden"),
    (b"Accept: s3", b"Accept: x3"),
    (b"\r\n\r\n", b"\r\nX: y\r\nX: z\r\n\r\n"),
    (b": ", b" : "),
)
# Of every type that somebody may pass by mistake, where a build that checks and one that does not must agree.
_WRONG: Final[tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]] = (
    *(("send_text", (value,), {}) for value in (None, 5, b"x", ["x"])),
    *(("send_bytes", (value,), {}) for value in (None, 5, "x", ["x"])),
    *(("send_pong", (value,), {}) for value in (None, 5, "x", bytearray(b"x"))),
    *(("send_prepared", (value,), {}) for value in (None, "x", b"x")),
    *(("send_text", ("x",), {"compress": value}) for value in (0, 1, "yes")),
    *(("respond", (value,), {"now": 0}) for value in (None, "403", 403.0)),
    *(("accept", (), {"now": 0, "subprotocol": value}) for value in (5, b"chat", ["chat"])),
    *(("receive_data", (value, 0.0), {}) for value in (None, "x", bytearray(b"x"))),
)


def plain(value: object) -> object:
    """Return what a value says, in words that no version of Python spells in another way."""
    match value:
        case Enum():
            return value.name
        case Exception():
            return type(value).__name__
        case bytes():
            return value.hex()
        case str():
            return ascii(value)
        case Ping():
            return [plain(value.payload), value.automatic]
        case Headers() | list() | tuple():
            return [plain(item) for item in value]
        case _:
            return _plain_fields(value)


def _plain_fields(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(plain(getattr(value, field.name)) for field in fields(value))]
    return repr(value)


# The peer.


def payload_of(pick: Pick, *, text: bool, big: bool) -> bytes:
    """Choose a payload; a text may be cut within a letter."""
    size = one_of(pick, _BIG) if big and pick(40) == 39 else one_of(pick, _SIZES)
    if text:
        data = (_TEXT * (size // 10 + 1))[:size].encode()
        return data[:-1] if pick(12) == 11 else data
    return bytes(pick(256) for _ in range(min(size, 40))).ljust(size, b"-")


def stored(data: bytes) -> bytes:
    """Write data as RFC 7692 wants it, in stored blocks (RFC 1951 section 3.2.4)."""
    blocks = [data[start : start + 65_535] for start in range(0, len(data), 65_535)]
    lengths = [(len(block).to_bytes(2, "little"), block) for block in blocks]
    return b"".join(b"\0" + n + bytes(~octet & 255 for octet in n) + block for n, block in lengths) + b"\0"


class Peer:
    """What the other side sends, frame by frame; now and then something that it must not.

    Args:
        pick: chooses.
        masked: it is a client.
        compressed: permessage-deflate was agreed on.
    """

    def __init__(self, pick: Pick, *, masked: bool, compressed: bool) -> None:
        self._pick = pick
        self._masked = masked
        self._compressed = compressed

    def stream(self) -> bytes:
        """Return many frames, or few."""
        data = b"".join(self._some() for _ in range(one_of(self._pick, (1, 3, 8, 20))))
        if data and self._pick(8) == 7:
            data = self._spoilt(data)
        return data

    def _frame(self, opcode: int, payload: bytes, *, final: bool = True, rsv: int = 0) -> bytes:
        masked = self._masked if self._pick(60) else not self._masked
        return frame(opcode, payload, masked=masked, final=final, rsv=rsv)

    def _some(self) -> bytes:
        kind = self._pick(20)
        if kind < 11:
            return self._message()
        if kind < 13:
            return self._frame(9, b"ping" * one_of(self._pick, (0, 1, 31)))
        if kind < 15:
            return self._frame(10, b"pong")
        if kind < 18:
            return self._message() + self._message()
        if kind == 18:
            return self._frame(8, one_of(self._pick, self._closes()))
        return self._frame(
            self._pick(16), b"odd", final=self._pick(2) == 0, rsv=one_of(self._pick, (0, 16, 64))
        )

    def _closes(self) -> tuple[bytes, ...]:
        return (
            status(1000),
            b"",
            status(4000, b"bye \xc3\xa9"),
            status(1005),
            b"\x03",
            status(1000, b"\xff"),
        )

    def _message(self) -> bytes:
        pick = self._pick
        text = pick(2) == 0
        data = payload_of(pick, text=text, big=not self._compressed)
        rsv = 0x40 if self._compressed and pick(3) else 0
        if rsv:
            data = stored(data)
        opcode, parts = 1 if text else 2, []
        while pick(4) == 3:
            cut = pick(len(data) + 1)
            parts.append(self._frame(opcode, data[:cut], final=False, rsv=rsv))
            if pick(5) == 4:
                parts.append(self._frame(9, b"between"))
            data, opcode, rsv = data[cut:], 0, 0
        return b"".join(parts) + self._frame(opcode, data, rsv=rsv)

    def _spoilt(self, data: bytes) -> bytes:
        place = self._pick(len(data))
        if self._pick(3) == 2:
            return data[:place]
        return data[:place] + bytes([data[place] ^ (1 << self._pick(8))]) + data[place + 1 :]


# One conversation.


def choose_config(pick: Pick, *, compressed: bool) -> Config:
    """Choose limits, timeouts and modes; with compression nothing that depends on how well it works."""
    limits = Limits(
        max_message_size=one_of(pick, (1024 * 1024, 1000, 100)),
        max_fragments=one_of(pick, (1000, 3)),
        max_control_rate=one_of(pick, (100, 2)),
        inbox_high=one_of(pick, (65_536, 1000, 0)),
        inbox_low=0,
        outbox_high=65_536 if compressed else one_of(pick, (65_536, 300, 0)),
        outbox_low=0,
        outbox_limit=2**20 if compressed else one_of(pick, (2**20, 1000, 0)),
    )
    return Config(
        limits=limits,
        timeouts=Timeouts(
            open=one_of(pick, (10.0, None)),
            close=one_of(pick, (10.0, 0.5, None)),
            keepalive=one_of(pick, (20.0, 2.0, None)),
            pong=one_of(pick, (20.0, 1.0, None)),
            idle=one_of(pick, (None, 4.0)),
            lifetime=one_of(pick, (None, 30.0)),
            write_stall=one_of(pick, (30.0, 1.0)),
        ),
        origins=ANY_ORIGIN,
        compression=Deflate(threshold=one_of(pick, (0, 100))) if compressed else None,
        stream=pick(4) == 3,
        fragment_size=None if compressed else one_of(pick, (None, 100, 16_384)),
        control_events=pick(2) == 1,
    )


class Conversation:
    """One core, its peer, and what was written down.

    Attributes:
        lines: of the transcript.
    """

    def __init__(self, pick: Pick) -> None:
        self.lines: list[object] = []
        self._pick = pick
        self._now = 0.0
        self._role = one_of(pick, tuple(Role))
        self._compressed = pick(4) == 3
        self._inflate = zlib.decompressobj(wbits=-15)
        self._message = b""  # of ours, decoded so far
        self._packed = False  # it is compressed
        peer = Peer(pick, masked=self._role is Role.SERVER, compressed=self._compressed)
        config = choose_config(pick, compressed=self._compressed)
        self._core, head = self._begin(config, half_close=pick(4) != 3)
        self._input = head + peer.stream()
        self._steps: tuple[Callable[[], None], ...] = (
            *(self._receive,) * 5,
            *(self._take,) * 3,
            *(self._give,) * 3,
            *(self._send,) * 4,
            *(self._command, self._err, self._pass_time, self._answer),
        )

    def _begin(self, config: Config, *, half_close: bool) -> tuple[Connection, bytes]:
        """Make the core; return it and what the peer says of the handshake."""
        if self._compressed or self._pick(3):
            extensions = "permessage-deflate" if self._compressed else ""
            made = Connection.established(
                self._role,
                config,
                extensions=extensions,
                now=0.0,
                half_close=half_close,
                entropy=steady_entropy(),
            )
            return made, b""
        entropy = steady_entropy()
        core = Connection(self._role, config, now=0.0, half_close=half_close, entropy=entropy)
        head = REQUEST
        if self._role is Role.CLIENT:
            core.send_request(URL, subprotocols=("chat", "superchat"), now=0.0)
            head = RESPONSE
        return core, head.replace(*one_of(self._pick, _HEADS), 1) if self._pick(3) == 2 else head

    def run(self) -> None:
        """Take some steps, then let time end it."""
        for _ in range(8 + self._pick(24)):
            one_of(self._pick, self._steps)()
            self._look()
        self._end()
        found = counters()
        if self._compressed:
            found = [name for name in found if name not in ("wire_sent", "encoded_sent", "frames_sent")]
        self.lines.append([(name, getattr(self._core.stats, name)) for name in found])

    def _end(self) -> None:
        self._call("resume")
        for at_end in (self._receive_all, lambda: self._call("receive_eof", self._now), self._pass_time):
            at_end()
            self._give()
            self._take_all()
            self._look()

    def _call(self, name: str, *args: Any, **named: Any) -> Any:
        """Call a method and write down what became of it."""
        try:
            result = getattr(self._core, name)(*args, **named)
        except _REFUSALS as error:
            result = error
        self.lines.append([name, self._content(result) if name == "data_to_send" else plain(result)])
        return result

    def _content(self, pieces: list[bytes]) -> object:
        """Return what was given out: the bytes, or what they mean if they were compressed."""
        data = b"".join(pieces)
        if not self._compressed:
            return data.hex()
        return [said for first, payload in read_frames(data) for said in self._said(first, payload)]

    def _said(self, first: int, payload: bytes) -> Iterator[str]:
        """Give a control frame at once, a message with its last frame: how it was cut does not count."""
        if first & 0x08:
            yield f"{first:x} {payload.hex()}"
            return
        if first & 0x0F:
            self._packed = bool(first & 0x40)
        tail = b"\0\0\xff\xff" if first & 0x80 else b""
        self._message += self._inflate.decompress(payload + tail) if self._packed else payload
        if first & 0x80:
            yield self._message.hex()
            self._message = b""

    def _look(self) -> None:
        """Write down all levels."""
        core = self._core
        due = core.next_deadline()
        levels = [core.state, core.transport_action(), core.wants_read, core.events_waiting, core.closed]
        if not self._compressed:
            levels += [core.writable, core.buffered_amount]
        self.lines.append([*(plain(level) for level in levels), None if due is None else float(due).hex()])

    # The steps.

    def _receive(self) -> None:
        size = one_of(self._pick, _PIECES)
        data, self._input = self._input[:size], self._input[size:]
        self._call("receive_data", data, self._now)
        if not self._input and self._pick(6) == 5:
            self._call("receive_eof", self._now)

    def _receive_all(self) -> None:
        self._call("receive_data", self._input, self._now)
        self._input = b""

    def _take(self) -> None:
        for _ in range(one_of(self._pick, (1, 3, 100))):
            if self._call("next_event") is None:
                break

    def _take_all(self) -> None:
        while self._call("next_event") is not None:
            pass

    def _give(self) -> None:
        self._call("data_to_send", self._now)

    def _send(self) -> None:
        pick = self._pick
        text = pick(2) == 0
        data: Any = payload_of(pick, text=text, big=not self._compressed)
        if text:
            data = data.decode(errors="ignore")
        match pick(6):
            case 0:
                self._call("send_prepared", PreparedMessage(data))
            case 1:
                self._call("send_fragment", data, pick(2) == 0, compress=one_of(pick, (None, True, False)))
            case _:
                self._call("send_text" if text else "send_bytes", data, compress=one_of(pick, (None, False)))

    def _command(self) -> None:
        pick = self._pick
        match pick(6):
            case 0:
                self._call("send_ping", one_of(pick, (None, b"", b"p" * 125)), now=self._now)
            case 1:
                self._call("send_pong", b"unasked")
            case 2:
                code = one_of(pick, _CODES)
                self._call("close", code, one_of(pick, ("", "bye")), now=self._now, discard=pick(3) == 2)
            case 3:
                self._call("suspend")
            case 4:
                self._call("resume")
            case _:
                self._call("handle_progress", self._now)

    def _err(self) -> None:
        name, args, named = one_of(self._pick, (*MISTAKES, *_WRONG))
        result = self._call(name, *args, **{key: self._now if key == "now" else named[key] for key in named})
        if isinstance(result, Exception):  # with two reasons to refuse, builds may name either
            self.lines[-1] = [name, "refused"]

    def _pass_time(self) -> None:
        self._now += one_of(self._pick, _TIMES)
        self._call("handle_deadline", self._now)

    def _answer(self) -> None:
        if self._role is Role.CLIENT:
            return
        if self._pick(4) == 3:
            self._call("respond", one_of(self._pick, (403, 200)), body=b"no", now=self._now)
        else:
            self._call("accept", subprotocol=one_of(self._pick, (None, "chat")), now=self._now)


# Digests.


def transcript(seed: int, number: int) -> list[object]:
    """Return what happened in one conversation."""
    conversation = Conversation(Random(f"{seed}:{number}").randrange)
    conversation.run()
    return conversation.lines


def digests(seed: int, number: int, block: int = BLOCK) -> Iterator[str]:
    """Give the digest of each block of conversations."""
    for start in range(0, number, block):
        digest = sha256()
        for each in range(start, min(start + block, number)):
            digest.update(f"{each}: {transcript(seed, each)}\n".encode("ascii"))
        yield digest.hexdigest()


def main(arguments: list[str]) -> None:
    """Print the digests."""
    for digest in digests(*map(int, arguments)):
        print(digest)


if __name__ == "__main__":
    main(sys.argv[1:])
