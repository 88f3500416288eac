"""Configurations, messages and mistakes, as a source of numbers chooses them.

A source is a function: ``pick(n)`` gives a whole number from 0 to n - 1. So hypothesis, a seeded generator
and the bytes of a fuzzer's input all choose from the same things. 0 is always the plainest choice, which is
where shrinking leads, and what a source gives whose bytes are used up.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, TypeVar

from wscore import ANY_ORIGIN, Config, Deflate, Limits, PreparedMessage, Timeouts

Pick = Callable[[int], int]
T = TypeVar("T")

SIZES: Final = (1, 0, 5, 64, 125, 126, 127, 300, 1000, 4096, 20_000, 65_535, 65_536, 70_000)
_WORDS: Final = "snow \u2603 \U0001f600 \xe9t\xe9 plain words and more of them, "


class ByteSource:
    """A source that one byte of data feeds per choice, two where that is not enough."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __call__(self, count: int) -> int:
        width = 1 if count <= 256 else 2
        number = int.from_bytes(self.take(width), "big")
        return number % count

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        """Take bytes as they are, at most so many."""
        start, self._position = self._position, self._position + size
        return self._data[start : self._position]


def from_seed(seed: int) -> Pick:
    """Return a source that repeats for each seed."""
    return Random(seed).randrange


def one_of(pick: Pick, things: Sequence[T]) -> T:
    """Choose one of things."""
    return things[pick(len(things))]


def rarely(pick: Pick) -> bool:
    """Say yes once in eight times."""
    return pick(8) == 7


def limits(pick: Pick) -> Limits:
    """Choose limits: the defaults, or a few of them small, or off."""
    if pick(3) == 0:
        return Limits()
    chosen: dict[str, Any] = {}
    if rarely(pick):
        chosen["max_message_size"] = one_of(pick, (None, 5000, 300, 0))
    if rarely(pick):
        chosen["max_frame_size"] = one_of(pick, (1000, 125, 5000))
    if rarely(pick):
        chosen["max_text_size"] = one_of(pick, (500, 64))
        chosen["max_binary_size"] = one_of(pick, (None, 200))
    if rarely(pick):
        chosen["max_fragments"] = one_of(pick, (2, 8))
    if rarely(pick):
        chosen["max_empty_fragments"] = one_of(pick, (1, None))
    if rarely(pick):
        chosen["max_control_rate"] = one_of(pick, (1, 20, None))
    high = one_of(pick, (64 * 1024, 2000, 400, 64, 0))
    chosen["inbox_high"], chosen["inbox_low"] = high, high // one_of(pick, (4, 2, 1))
    high = one_of(pick, (64 * 1024, 4000, 300, 0))
    chosen["outbox_high"], chosen["outbox_low"] = high, high // one_of(pick, (4, 1))
    chosen["outbox_limit"] = one_of(pick, (1024 * 1024, 20_000, 1000, 0))
    return Limits(**chosen)


def timeouts(pick: Pick) -> Timeouts:
    """Choose timeouts: the defaults, or short, or without some of them."""
    if pick(3) == 0:
        return Timeouts()
    return Timeouts(
        open=one_of(pick, (10.0, 3, None)),
        close=one_of(pick, (10.0, 0.5, 2, 60, None)),
        keepalive=one_of(pick, (20.0, 5, None, 0.5)),
        pong=one_of(pick, (20.0, 5, None, 1)),
        idle=one_of(pick, (None, None, 30, None, 4.0)),
        lifetime=one_of(pick, (None, None, 100, None, 3.0)),
        write_stall=one_of(pick, (30.0, 5, None)),
    )


def deflate(pick: Pick) -> Deflate | None:
    """Choose how to compress, or not to."""
    if pick(3) == 0:
        return None
    return Deflate(
        server_max_window_bits=one_of(pick, (12, 9, 15, 10)),
        client_max_window_bits=one_of(pick, (12, 9, 15, 11)),
        server_no_context_takeover=pick(3) == 2,
        client_no_context_takeover=pick(3) == 2,
        level=one_of(pick, (6, None, 0, 1, 9)),
        memory_level=one_of(pick, (5, 1, 9)),
        threshold=one_of(pick, (0, 256, 100)),
        fallback=pick(4) != 3,
    )


def config(pick: Pick) -> Config:
    """Choose a whole configuration."""
    return Config(
        limits=limits(pick),
        timeouts=timeouts(pick),
        origins=ANY_ORIGIN,
        compression=deflate(pick),
        stream=pick(3) == 2,
        fragment_size=one_of(pick, (None, 1000, 100, 16_384)),
        control_events=pick(2) == 1,
        agent=one_of(pick, ("wscore", None)),
    )


def payload(pick: Pick, serial: int, *, text: bool) -> str | bytes:
    """Choose a message that no other one equals, if it is long enough."""
    size = one_of(pick, SIZES)
    start = f"{serial}:"
    if text:
        return (start + _WORDS * (size // len(_WORDS) + 1))[:size]
    if pick(2):
        return (start.encode() + bytes(size))[:size]
    return (start.encode() + Random(serial).randbytes(size))[:size]


_BIG: Final = 126 * b"p"
_LONE: Final = "\ud800"

# What a caller may get wrong: the command, its arguments. ``now`` is added where the command takes it.
MISTAKES: Final[tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]] = (
    ("send_text", (b"bytes",), {}),
    ("send_text", (_LONE,), {}),
    ("send_bytes", ("text",), {}),
    ("send_bytes", (5,), {}),
    ("send_fragment", (None, True), {}),
    ("send_fragment", (_LONE, False), {}),
    ("send_prepared", ("not prepared",), {}),
    ("send_ping", (_BIG,), {"now": 0}),
    ("send_ping", ("text",), {"now": 0}),
    ("send_pong", (_BIG,), {}),
    ("send_pong", (None,), {}),
    ("close", (1005,), {"now": 0}),
    ("close", (999,), {"now": 0}),
    ("close", (5000,), {"now": 0}),
    ("close", ("1000",), {"now": 0}),
    ("close", (1000, "x" * 124), {"now": 0}),
    ("close", (1000, _LONE), {"now": 0}),
    ("close", (1000, b"bytes"), {"now": 0, "discard": True}),
    ("send_request", ("http://localhost/",), {"now": 0}),
    ("send_request", ("ws://localhost/#fragment",), {"now": 0}),
    ("send_request", (5,), {"now": 0}),
    ("send_request", ("ws://localhost/",), {"now": 0, "headers": [("X", "a\r\nb")]}),
    ("send_request", ("ws://localhost/",), {"now": 0, "headers": [("Upgrade", "h2c")]}),
    ("send_request", ("ws://localhost/",), {"now": 0, "subprotocols": ("a b",)}),
    ("accept", (), {"now": 0, "subprotocol": "never offered"}),
    ("accept", (), {"now": 0, "headers": [("Connection", "close")]}),
    ("accept", (), {"now": 0, "headers": [("X", "\0")]}),
    ("respond", (101,), {"now": 0}),
    ("respond", (99999,), {"now": 0}),
    ("respond", (403,), {"now": 0, "headers": [("Content-Length", "3")]}),
    ("respond", (403,), {"now": 0, "body": "text"}),
    ("respond", (204,), {"now": 0, "body": b"not allowed"}),
)

PREPARED: Final = tuple(
    PreparedMessage(message, compress=compress)
    for message in ("", "prepared " * 40, b"\x00" * 3000, Random(1).randbytes(200))
    for compress in (None, True, False)
)
