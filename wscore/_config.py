"""What a caller may set, with defaults that are safe on the open internet.

Every limit fails with a named error and code, none by waiting. Turning one off is explicit: ``None``.
All sizes are bytes, all times are seconds. The objects are immutable and hold no state, so one Config
serves any number of connections and threads.
"""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ._codes import is_private
from ._extension import Extension

SAME_ORIGIN: Final = "same-origin"
ANY_ORIGIN: Final = "any-origin"

_AGENT: Final = re.compile(r"[!-~]([ -~]{0,198}[!-~])?")
_MAY_BE_OFF: Final = (
    "max_message_size",
    "max_text_size",
    "max_binary_size",
    "max_frame_size",
    "max_fragments",
    "max_empty_fragments",
    "max_control_rate",
)
_KIB: Final = 1024
_FRAGMENT_FLOOR: Final = 1024  # short limits still allow a message in this many fragments
_BYTES_PER_FRAGMENT: Final = 64  # long ones: a sender may cut as finely as this on average


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer may cost.

    Attributes:
        max_message_size: of a received message, decoded; None for no limit. MESSAGE_TOO_BIG, 1009.
        max_text_size, max_binary_size: the same for text (as UTF-8) and for binary messages alone;
            None: only max_message_size counts.
        max_frame_size: of a received frame; None: only the message counts. FRAME_TOO_BIG, 1009.
        max_fragments: frames of one message, empty ones included; None: one for each 64 bytes of
            max_message_size and at least 1,024. TOO_MANY_FRAGMENTS, 1008.
        max_empty_fragments: empty, non-final frames in a row; None for no limit.
            TOO_MANY_EMPTY_FRAGMENTS, 1008.
        max_control_rate: control frames a second, sustained; five seconds' worth may come at once.
            None for no limit. CONTROL_FLOOD, 1008.
        max_line: of an HTTP head, without its line end. TARGET_TOO_LONG 414, LINE_TOO_LONG 431.
        max_head: all of an HTTP head. HEAD_TOO_LARGE, 431.
        max_headers: header lines. TOO_MANY_HEADERS, 431.
        max_subprotocols, max_extensions: offers that a server looks at, each at most
            max_offer bytes long. INVALID_SUBPROTOCOLS and INVALID_EXTENSIONS, 400.
        max_informational: 1xx responses before the real one (client). TOO_MANY_INFORMATIONAL.
        refusal_body: kept of the body of a refusal (client); the rest is not read.
        early_data: held while a request waits for its answer (server). EARLY_DATA, 400.
        inbox_high, inbox_low: waiting messages, each charged its payload and 64 bytes: at the
            high mark parsing and reading stop, at the low mark they go on.
        outbox_high, outbox_low: bytes that wait for the wire: `Connection.writable` turns False
            above the one and True again at the other.
        outbox_limit: with more than this waiting, sending raises WriteBufferFull.
    """

    max_message_size: int | None = 1024 * _KIB
    max_text_size: int | None = None
    max_binary_size: int | None = None
    max_frame_size: int | None = None
    max_fragments: int | None = None
    max_empty_fragments: int | None = 64
    max_control_rate: int | None = 1000
    max_line: int = 8 * _KIB
    max_head: int = 32 * _KIB
    max_headers: int = 100
    max_subprotocols: int = 32
    max_extensions: int = 16
    max_offer: int = _KIB
    max_informational: int = 8
    refusal_body: int = 64 * _KIB
    early_data: int = 64 * _KIB
    inbox_high: int = 64 * _KIB
    inbox_low: int = 16 * _KIB
    outbox_high: int = 64 * _KIB
    outbox_low: int = 16 * _KIB
    outbox_limit: int = 1024 * _KIB

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is None and name in _MAY_BE_OFF:
                continue
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} must be a whole number of at least 0, not {value!r:.40}")
        if self.inbox_low > self.inbox_high or self.outbox_low > self.outbox_high:
            raise ValueError("a low mark must not lie above its high mark")

    @property
    def fragments(self) -> int | None:
        """The number of frames that one message may have; None for no limit."""
        if self.max_fragments is not None or self.max_message_size is None:
            return self.max_fragments
        return max(_FRAGMENT_FLOOR, self.max_message_size // _BYTES_PER_FRAGMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long things may take, in seconds; None turns one off.

    Attributes:
        open: the whole opening handshake, name resolution, TCP and TLS included. Timer.OPEN.
        close: our Close until the end of TCP; output that still moves may delay it to three times
            as long. None: a peer that does not answer is waited for without end. Timer.CLOSE.
        keepalive: silence of the peer after which it is pinged; 15/16 of it count as such. Timer.KEEPALIVE.
        pong: further silence after that ping which ends the connection with 1006. Timer.PONG.
        idle: no message either way: close with 1001. Timer.IDLE.
        lifetime: age at which the connection is closed with 1001. Timer.LIFETIME.
        write_stall: no byte of our output moves: the connection ends with 1006. Timer.WRITE_STALL.
    """

    open: float | None = 10.0
    close: float | None = 10.0
    keepalive: float | None = 20.0
    pong: float | None = 20.0
    idle: float | None = None
    lifetime: float | None = None
    write_stall: float | None = 30.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not (type(value) in (int, float) and 1e-3 <= value <= 1e9):
                raise ValueError(f"{name} must be a positive number of seconds, 0.001 to 1e9, or None")


OriginPattern = str | re.Pattern[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that a caller may set for a connection.

    Attributes:
        limits, timeouts: see there.
        origins: which pages of a browser may connect (server): SAME_ORIGIN, ANY_ORIGIN, or a tuple
            of origins ("https://example.com") and compiled patterns, which must match wholly.
            A request without Origin does not come from a browser and passes. RFC 6455 section 10.2.
        compression: how to compress, or a tuple of ways, best first; None: not at all. See `Deflate`;
            any other `Extension` will do.
        stream: give messages in parts, as they arrive: `Fragment` events. The limits stay; a message
            without end needs ``Limits(max_message_size=None)``.
        fragment_size: outgoing messages of more bytes leave in several frames of so many, and are given
            to the wire one by one, so that pings and pongs can pass between them; None: in one.
        close_codes: an enumeration of private close codes, 3000 to 4999 (RFC 6455 section 7.4.2):
            received codes among them come out as its members.
        control_events: queue `PingReceived` and `PongReceived`.
        agent: the value of Server or User-Agent, at most 200 characters; None sends neither.
    """

    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    origins: str | tuple[OriginPattern, ...] = SAME_ORIGIN
    compression: Extension | tuple[Extension, ...] | None = None
    stream: bool = False
    fragment_size: int | None = None
    close_codes: type[IntEnum] | None = None
    control_events: bool = False
    agent: str | None = "wscore"

    def __post_init__(self) -> None:
        if self.agent is not None and not _AGENT.fullmatch(self.agent):
            raise ValueError("agent must be 1 to 200 visible ASCII characters and inner blanks")
        if isinstance(self.origins, str):
            if self.origins not in (SAME_ORIGIN, ANY_ORIGIN):
                raise ValueError("origins must be SAME_ORIGIN, ANY_ORIGIN or a tuple of origins")
        elif not _are_origin_patterns(self.origins):
            raise TypeError("origins must be a tuple of ASCII strings and compiled patterns of text")
        if not all(isinstance(extension, Extension) for extension in self.extensions):
            raise TypeError("compression must be Deflate(...), another Extension, a tuple of them, or None")
        if self.fragment_size is not None and not (
            type(self.fragment_size) is int and self.fragment_size > 0
        ):
            raise ValueError("fragment_size must be a positive number of bytes, or None")
        if self.close_codes is not None:
            _check_close_codes(self.close_codes)

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The ways to compress, best first; () for none."""
        if self.compression is None:
            return ()
        return self.compression if isinstance(self.compression, tuple) else (self.compression,)


def _check_close_codes(codes: object) -> None:
    """Raise unless codes is an enumeration of private close codes."""
    if not (isinstance(codes, type) and issubclass(codes, IntEnum)):
        raise TypeError("close_codes must be a subclass of IntEnum")
    if not all(is_private(code) for code in codes):
        raise ValueError("close_codes must be 3000 to 4999 (RFC 6455 section 7.4.2)")


def _are_origin_patterns(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_is_origin_pattern, value))


def _is_origin_pattern(value: object) -> bool:
    if isinstance(value, re.Pattern):
        return isinstance(value.pattern, str)
    return isinstance(value, str) and value.isascii()
