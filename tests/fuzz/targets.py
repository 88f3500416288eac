"""What is fuzzed: five functions of bytes that raise nothing unless wscore has a fault.

The first bytes of an input choose how the core is set up, the rest is what arrives. Four targets have one
core and the same oracle:

- however the stream is cut, the same comes out: events, bytes, state, outcome, counters;
- all that `support.watched_core` demands holds at any moment;
- when the stream ends, or when time alone passes, `Closed` comes, once and last.

``deflate`` writes the frames around the fuzzer's payload itself, because nothing learns to by mutation, and
compares what comes out with what zlib makes of the same bytes. ``two_peers`` takes its input as a program for
the two cores of `support.two_cores_play`.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from support import two_cores_play
from support.choices import ByteSource, one_of
from support.watched_core import Watched
from support.wire import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    URL,
    header,
    steady_entropy,
)
from wscore import (
    ANY_ORIGIN,
    SAME_ORIGIN,
    Config,
    Connection,
    Deflate,
    Event,
    Fragment,
    Limits,
    PingReceived,
    PongReceived,
    RequestReceived,
    Role,
    State,
)

Target = Callable[[bytes], None]
Make = Callable[[], Connection]

_BYTE_BY_BYTE: Final = 64  # so much of a stream is also fed in single bytes
_RANDOM_CUTS: Final = 2
_STEPS: Final = 400
_FIRINGS: Final = 50
_CONTROLS_KEPT: Final = 16
_ALL: Final = 1 << 30
_DEFLATE: Final = Deflate(server_max_window_bits=14, client_max_window_bits=14, threshold=0)

# What depends on the segments by design is out of reach: early data, and counting what nobody looks at.
_EARLY: Final = 1 << 30
_SMALL: Final = Limits(
    max_message_size=300,
    max_text_size=200,
    max_fragments=8,
    max_empty_fragments=3,
    max_control_rate=3,
    max_line=256,
    max_head=600,
    max_headers=16,
    max_informational=2,
    refusal_body=64,
    early_data=_EARLY,
    inbox_high=400,
    inbox_low=100,
)
_LARGE: Final = Limits(early_data=_EARLY)
_COUNTERS: Final = ("messages_received", "payload_received", "pings_received", "pongs_received")


@dataclass(frozen=True)
class Note:
    """A command that was refused, among the events."""

    error: str


def cut(data: bytes) -> Iterator[list[bytes]]:
    """Cut data whole, into single bytes, and at places that depend on nothing but data."""
    yield [data]
    chance = Random(zlib.crc32(data))
    first = chance.randrange(max(len(data) - _BYTE_BY_BYTE, 0) + 1)
    last = first + _BYTE_BY_BYTE
    single = [data[index : index + 1] for index in range(first, min(last, len(data)))]
    yield [piece for piece in (data[:first], *single, data[last:]) if piece]
    for _ in range(_RANDOM_CUTS):
        places = sorted(chance.randrange(len(data) + 1) for _ in range(6))
        pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
        yield [piece for piece in pieces if piece]


def joined(events: list[Event | Note]) -> list[Event | Note]:
    """Join neighbouring fragments of one message: where they are cut follows the segments."""
    found: list[Event | Note] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, Fragment) and isinstance(last, Fragment) and not last.final:
            assert isinstance(event.data, str) is isinstance(last.data, str)
            found[-1] = Fragment(last.data + event.data, event.final)  # type: ignore[operator]
        else:
            found.append(event)
    return found


class Run:
    """One core that is fed one stream, with an application that accepts and answers."""

    def __init__(self, make: Make, config: Config) -> None:
        self.watched = Watched(make, config)
        self.events: list[Event | Note] = []
        self.sent = b""

    def feed(self, pieces: list[bytes]) -> list[object]:
        """Let the pieces arrive; return all that must not depend on how they were cut."""
        for piece in pieces:
            self.watched.receive(piece, 0.0)
            self._take_events()
        core = self.watched.core
        seen: list[object] = [core.state, core.closed, core.request, core.response, core.extensions]
        seen += [getattr(core.stats, name) for name in _COUNTERS]
        # Which of many pings are answered depends on when output leaves, so it is taken once, at the end.
        self._take_bytes(0.0)
        return [*seen, core.next_deadline(), core.transport_action(), self.sent]

    def end(self) -> list[object]:
        """Let the stream end; return what came of it."""
        watched = self.watched
        for _ in range(2):
            watched.end_input(1.0)
            self._take_events()
            self._take_bytes(1.0)
        assert watched.ended and watched.core.state is State.CLOSED, "the stream has ended, and it has not"
        return [joined(self._comparable()), watched.core.closed, self.sent, watched.core.transport_action()]

    def _comparable(self) -> list[Event | Note]:
        """Leave out pings and pongs if there were many: of those that wait, only the newest are kept."""
        stats = self.watched.core.stats
        if stats.pings_received + stats.pongs_received <= _CONTROLS_KEPT:
            return self.events
        return [event for event in self.events if not isinstance(event, (PingReceived, PongReceived))]

    def wait(self) -> None:
        """Let time pass and nothing else, until it has ended."""
        watched, now = self.watched, 0.0
        for _ in range(_FIRINGS):
            due = watched.core.next_deadline()
            if due is None:
                break
            now = max(now, due)
            watched.handle_deadline(now)
            self._take_events()
            self._take_bytes(now)
        assert watched.ended and watched.core.state is State.CLOSED, "time goes by, and it does not end"
        assert now <= 200.0

    def _take_events(self) -> None:
        while (event := self.watched.next_event()) is not None:
            self.events.append(event)
            answer = None
            if isinstance(event, RequestReceived):
                plain = not event.request.is_upgrade
                name, args = ("respond", (404,)) if plain else ("accept", ())
                answer = self.watched.call(name, *args, now=0.0)
            elif isinstance(event, str):
                answer = self.watched.call("send_text", event)
            elif isinstance(event, bytes):
                answer = self.watched.call("send_bytes", event)
            if answer is not None:
                self.events.append(Note(repr(answer)))

    def _take_bytes(self, now: float) -> None:
        while data := self.watched.take_bytes(now):
            self.sent += data


def check_stream(make: Make, config: Config, data: bytes) -> list[Event | Note]:
    """Feed data in every cutting and compare; return the events."""
    first: list[object] | None = None
    events: list[Event | Note] = []
    for pieces in cut(data):
        run = Run(make, config)
        seen = [*run.feed(pieces), *run.end()]
        if first is None:
            first, events = seen, run.events
            run.watched.replay()
        for whole, other in zip(first, seen, strict=True):
            assert whole == other, f"in {len(pieces)} pieces: {other!r}, whole: {whole!r}"
    patient = Run(make, config)
    patient.feed([data])
    patient.wait()
    return events


def choose_config(pick: ByteSource) -> Config:
    """Choose how the core is set up, from one byte."""
    flags = pick(256)
    return Config(
        limits=_SMALL if flags & 1 else _LARGE,
        stream=bool(flags & 2),
        control_events=bool(flags & 4),
        compression=_DEFLATE if flags & 8 else None,
        origins=ANY_ORIGIN if flags & 16 else SAME_ORIGIN,
        fragment_size=50 if flags & 32 else None,
    )


# The targets.


def head(data: bytes) -> None:
    """A whole connection from its first byte, as either role."""
    pick = ByteSource(data)
    role = one_of(pick, (Role.SERVER, Role.CLIENT))
    config = choose_config(pick)
    check_stream(lambda: _start(role, config), config, pick.take(_ALL))


def frames_server(data: bytes) -> None:
    """What a client may send behind the handshake."""
    pick = ByteSource(data)
    config = choose_config(pick)
    check_stream(lambda: _opened(Role.SERVER, config), config, pick.take(_ALL))


def frames_client(data: bytes) -> None:
    """What a server may send behind the handshake."""
    pick = ByteSource(data)
    config = choose_config(pick)
    check_stream(lambda: _opened(Role.CLIENT, config), config, pick.take(_ALL))


def deflate(data: bytes) -> None:
    """Frames, written here, around whatever a compressor may send."""
    pick = ByteSource(data)
    role = one_of(pick, (Role.SERVER, Role.CLIENT))
    flags = pick(256)
    config = Config(
        limits=_SMALL if flags & 1 else _LARGE,
        stream=bool(flags & 2),
        control_events=bool(flags & 4),
        compression=_DEFLATE,
    )
    bits, takeover = one_of(pick, (15, 8, 9, 10, 12)), bool(flags & 8)
    peer = "client" if role is Role.SERVER else "server"
    agreed = f"permessage-deflate; {peer}_max_window_bits={bits}"
    if not takeover:
        agreed += f"; {peer}_no_context_takeover"

    def make() -> Connection:
        return Connection.established(role, config, extensions=agreed, now=0.0, entropy=steady_entropy())

    frames = list(_read_frames(pick))
    stream = b"".join(_write_frame(role, *frame) for frame in frames)
    delivered = list(_messages(check_stream(make, config, stream)))
    expected = list(_expected(frames, bits, takeover=takeover))
    assert delivered == expected[: len(delivered)], f"{delivered!r} came, {expected!r} was meant"


def two_peers(data: bytes) -> None:
    """A program for two cores and the link between them."""
    two_cores_play.play(ByteSource(data), _STEPS)


TARGETS: Final[dict[str, Target]] = {
    "head": head,
    "frames_server": frames_server,
    "frames_client": frames_client,
    "deflate": deflate,
    "two_peers": two_peers,
}


# Where they start.


def _start(role: Role, config: Config) -> Connection:
    """Make a core to which nothing has come; a client has sent its request."""
    connection = Connection(role, config, now=0.0, entropy=steady_entropy())
    if role is Role.CLIENT:
        connection.send_request(URL, subprotocols=("chat", "superchat"), now=0.0)
        connection.data_to_send(0.0)
        connection.data_to_send(0.0)
    return connection


def _opened(role: Role, config: Config) -> Connection:
    """Make a core that is open; `Opened` waits."""
    return Connection.established(role, config, now=0.0, entropy=steady_entropy())


# The frames of ``deflate``, and what they mean.

Frame = tuple[int, bytes]  # the first byte, and the payload as it travels


def _read_frames(pick: ByteSource) -> Iterator[Frame]:
    """Read frames from the input: kind and flags, size, payload."""
    while pick:
        kind = pick(256)
        opcode = (TEXT, BINARY, CONTINUATION, PING)[kind & 3]
        final = 0 if kind & 4 and opcode != PING else 0x80
        marked = 0x40 if kind & 8 and opcode in (TEXT, BINARY) else 0
        yield final | marked | opcode, pick.take(pick(256) if opcode != PING else pick(8))


def _write_frame(role: Role, first: int, payload: bytes) -> bytes:
    """Write a frame; the key of a client is zero, so that mutations keep their meaning."""
    masked = role is Role.SERVER
    return header(first, len(payload), masked=masked) + (bytes(4) if masked else b"") + payload


def _expected(frames: list[Frame], bits: int, *, takeover: bool) -> Iterator[str | bytes]:
    """Say which messages zlib would make of these frames, up to the first fault."""
    inflater: list[Any] = []
    gathered, opcode, marked = b"", CONTINUATION, False
    for first, payload in frames:
        if first & 0xF == PING:
            continue
        if (first & 0xF == CONTINUATION) is (opcode == CONTINUATION):
            return  # a new message in a message, or a continuation of none
        if opcode == CONTINUATION:
            gathered, opcode, marked = b"", first & 0xF, bool(first & 0x40)
        gathered += payload
        if not first & 0x80:
            continue
        try:
            plain = _inflate(gathered, bits, inflater) if marked else gathered
            yield plain.decode() if opcode == TEXT else plain
        except (zlib.error, UnicodeDecodeError):
            return
        opcode = CONTINUATION
        if not takeover:
            inflater.clear()


def _inflate(data: bytes, bits: int, inflater: list[Any]) -> bytes:
    """Inflate a message as RFC 7692 section 7.2.2 says; inflater holds the one object, or nothing."""
    if not data:
        return b""
    plain, rest = b"", data + b"\0\0\xff\xff"
    while rest:
        if not inflater:
            inflater.append(zlib.decompressobj(-bits))
        plain += inflater[0].decompress(rest)
        rest = inflater[0].unused_data
        if inflater[0].eof:
            inflater.clear()
    return plain


def _messages(events: list[Event | Note]) -> Iterator[str | bytes]:
    """Give the complete messages among events, put together if they came in parts."""
    parts: list[Any] = []
    for event in events:
        if isinstance(event, Note):
            continue
        if isinstance(event, (str, bytes)):
            yield event
        elif isinstance(event, Fragment):
            parts.append(event.data)
            if event.final:
                yield parts[0][:0].join(parts)
                parts = []
