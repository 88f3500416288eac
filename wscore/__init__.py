"""wscore: the WebSocket protocol (RFC 6455) as a pure state machine.

Bytes, time and entropy go in; events, bytes and a deadline come out. The core reads no clock and no socket,
starts no thread and logs nothing; a backend has a clock, a stream and a way to wait, and no rule of the
protocol. Four laws hold everywhere:

1. Bytes, time and entropy come in; bytes, events and a deadline come out.
2. What time can do is a list: `Timer`.
3. A peer can never raise, and a refused command changes nothing.
4. A backend contains no rule of WebSocket.

Start with `Connection`, and with the catalogue of what can come out of it, `Event`.
"""

from typing import Final

from . import _connection
from ._batch import BatchMode
from ._codes import CloseCode, Opcode, Role, Side
from ._config import ANY_ORIGIN, SAME_ORIGIN, Config, Limits, Timeouts
from ._connection import Connection
from ._deflate import Deflate
from ._delivery import Delivery
from ._endpoint import Endpoint, Handler, config_for, endpoint_for
from ._entropy import system_entropy
from ._errors import (
    CloseError,
    ConnectionClosed,
    ConnectionLost,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    WriteBufferFull,
    WSCoreError,
    error_from,
)
from ._events import (
    Closed,
    CloseReceived,
    CloseStatus,
    Event,
    Fragment,
    Opened,
    PingReceived,
    PongReceived,
    Refused,
    RequestReceived,
)
from ._extension import Codec, Extension
from ._grammar import ExtensionOffer
from ._handshake import HeadersLike, select_subprotocol
from ._http import Headers, Request, Response
from ._keepalive import Ping
from ._lifecycle import State, TransportAction
from ._prepared import PreparedMessage
from ._stats import Stats
from ._timers import Timer
from ._url import Address, parse_url
from ._violations import Violation

__version__ = "0.1.0"

BUILD: Final = "pure Python" if str(_connection.__file__).endswith(".py") else "compiled"
"""Which of the two builds this is; they differ in speed alone."""

__all__ = [
    "ANY_ORIGIN",
    "BUILD",
    "SAME_ORIGIN",
    "Address",
    "BatchMode",
    "CloseCode",
    "CloseError",
    "CloseReceived",
    "CloseStatus",
    "Closed",
    "Codec",
    "Config",
    "Connection",
    "ConnectionClosed",
    "ConnectionLost",
    "Deflate",
    "Delivery",
    "Endpoint",
    "Event",
    "Extension",
    "ExtensionOffer",
    "Fragment",
    "Handler",
    "HandshakeRefused",
    "Headers",
    "HeadersLike",
    "InvalidURL",
    "Limits",
    "LocalProtocolError",
    "Opcode",
    "Opened",
    "Ping",
    "PingReceived",
    "PongReceived",
    "PreparedMessage",
    "Refused",
    "RemoteProtocolError",
    "Request",
    "RequestReceived",
    "Response",
    "Role",
    "Side",
    "State",
    "Stats",
    "TimedOut",
    "Timeouts",
    "Timer",
    "TransportAction",
    "Violation",
    "WSCoreError",
    "WriteBufferFull",
    "__version__",
    "config_for",
    "endpoint_for",
    "error_from",
    "parse_url",
    "select_subprotocol",
    "system_entropy",
]
