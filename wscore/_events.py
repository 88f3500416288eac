"""Everything that can come out of a connection: read this file first.

`Connection.next_event` gives one ordered stream. A message needs no wrapper: ``str`` is a text message,
``bytes`` a binary one. The life of a connection, seen through its events:

- a server first sees `RequestReceived` and answers it with `accept` or `respond`;
- then `Opened`, on both sides; or, for a client, `Refused`;
- any number of messages (with ``Config(stream=True)``: each as one `Fragment` or more), and with
  ``Config(control_events=True)`` `PingReceived` and `PongReceived`;
- `CloseReceived` when the peer's Close is due, in its place among the messages;
- `Closed`, always, exactly once, and last.

Match exhaustively and end with ``assert_never``: a new kind of event is then a type error, not a silence.
"""

from dataclasses import dataclass
from typing import TypeAlias

from ._codes import Side
from ._http import Request, Response
from ._timers import Timer
from ._violations import Violation


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """Server: a well-formed request waits for `Connection.accept` or `Connection.respond`.

    ``request.is_upgrade`` is False for a plain HTTP GET, which can only be responded to.
    """

    request: Request


@dataclass(frozen=True, slots=True)
class Opened:
    """The opening handshake succeeded; messages may flow (RFC 6455 section 4).

    Attributes:
        request: what the client asked.
        response: the 101 response.
        subprotocol: what was agreed on, or None.
        extensions: the extension agreed on, as the response names it; "" for none.
    """

    request: Request
    response: Response
    subprotocol: str | None
    extensions: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Client: the server answered with something other than 101.

    ``response.body`` holds what arrived of the body, up to `Limits.refusal_body` bytes.
    """

    response: Response


@dataclass(slots=True)
class Fragment:
    """A part of a message, as it arrived; only with ``Config(stream=True)`` (RFC 6455 section 5.4).

    How a message is cut into these says nothing about the peer's frames: parts of one frame are given as
    they come, and nothing is given for an empty one that is not the last.

    Attributes:
        data: ``str`` in a text message, never cut within a code point; ``bytes`` in a binary one.
        final: the message is complete with it; data may be empty then.
    """

    data: str | bytes
    final: bool


@dataclass(frozen=True, slots=True)
class PingReceived:
    """A ping came in; its pong is arranged, unless our Close was sent (RFC 6455 section 5.5.2)."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class PongReceived:
    """A pong came in, asked for or not; never one that answers keepalive (RFC 6455 section 5.5.3)."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseReceived:
    """The peer's Close: it will send nothing more (RFC 6455 section 5.5.1).

    Attributes:
        code: the peer's code; 1005 when its Close had none; a member of `Config.close_codes` if it is one.
        reason: the peer's words, at most 123 bytes of UTF-8; often "".
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class CloseStatus:
    """What one Close frame said; code 1005 for an empty one."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """How the connection ended; the last event.

    Attributes:
        code: by RFC 6455 section 7.1.5: the received code, 1005 when the peer's Close had none,
            1006 when no Close came; a member of `Config.close_codes` if it is one.
        reason: the received reason, or "".
        clean: True when both Close frames were exchanged.
        received: the peer's Close, or None.
        sent: our Close, or None. It was queued; with a lost connection it may not have arrived.
        initiator: whose Close came first; None when there was none at all.
        violation: the rule that the peer broke, or None.
        timer: the timeout that ended it, or None.
        dropped: messages that did not fit after ``close(discard=True)``; or, where messages may be
            compressed, that were held back when the connection was lost and did not fit.
    """

    code: int
    reason: str
    clean: bool
    received: CloseStatus | None = None
    sent: CloseStatus | None = None
    initiator: Side | None = None
    violation: Violation | None = None
    timer: Timer | None = None
    dropped: int = 0


Event: TypeAlias = (
    str
    | bytes
    | Fragment
    | RequestReceived
    | Opened
    | Refused
    | PingReceived
    | PongReceived
    | CloseReceived
    | Closed
)
