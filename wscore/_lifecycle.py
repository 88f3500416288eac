"""Where a connection stands, and the only ways from there: the state machine as a table.

Theory of operation. Two things end independently: the WebSocket connection, which ends when its outcome
is settled (both Close frames, an error, a timeout, the end of the stream), and TCP below it, which must
end in an order that destroys nothing. So there are two states after the outcome: DRAINING, in which our
last bytes still leave and input is discarded, and CLOSED, in which the transport may be closed.

::

    CONNECTING ──opened──▶ OPEN ──our Close──▶ LOCAL_CLOSING ──peer's Close──▶ DRAINING
        │                   │                       │                            │
        │                   └──peer's Close──▶ REMOTE_CLOSING ──our Close──▶ DRAINING
        │                   │                       │                            │
        └──failed───────────────────────────────┴──────────▶ DRAINING        │
                     any state ──ended──────────────────────────────────────▶ CLOSED

LOCAL_CLOSING is the half-open state: we may not write any more, and messages of the peer are delivered
until its Close arrives. REMOTE_CLOSING lasts while messages that came before the peer's Close wait for
the application: replies to them may still leave, then our Close. A broken rule behind such messages waits
in the same way, so that how the stream was cut into segments never decides which replies leave.

The state never goes back, and a step that the table does not list is a bug in this library.
"""

from enum import Enum
from typing import Final


class State(Enum):
    """Where a connection stands (RFC 6455 sections 4 and 7, refined)."""

    CONNECTING = "connecting"
    OPEN = "open"
    LOCAL_CLOSING = "local closing"
    REMOTE_CLOSING = "remote closing"
    DRAINING = "draining"
    CLOSED = "closed"


class Step(Enum):
    """What can move the state."""

    OPENED = "the opening handshake succeeded"
    CLOSE_SENT = "our Close was queued"
    CLOSE_RECEIVED = "the peer's Close arrived"
    BROKEN = "the peer broke a rule behind messages that wait"
    FAILED = "the outcome is settled and our last bytes must still leave"
    ENDED = "nothing more will be sent or received"


class TransportAction(Enum):
    """What a backend should do with TCP now; a level, acted on once."""

    KEEP = "go on"
    SHUTDOWN_WRITE = "everything has left: end the sending direction, read on"
    CLOSE = "close in good order"
    ABORT = "close at once; what has not left is lost"


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.CONNECTING, Step.OPENED): State.OPEN,
    (State.CONNECTING, Step.FAILED): State.DRAINING,
    (State.CONNECTING, Step.ENDED): State.CLOSED,
    (State.OPEN, Step.CLOSE_SENT): State.LOCAL_CLOSING,
    (State.OPEN, Step.CLOSE_RECEIVED): State.REMOTE_CLOSING,
    (State.OPEN, Step.BROKEN): State.REMOTE_CLOSING,
    (State.OPEN, Step.ENDED): State.CLOSED,
    (State.LOCAL_CLOSING, Step.CLOSE_RECEIVED): State.DRAINING,
    (State.LOCAL_CLOSING, Step.FAILED): State.DRAINING,
    (State.LOCAL_CLOSING, Step.ENDED): State.CLOSED,
    (State.REMOTE_CLOSING, Step.CLOSE_SENT): State.DRAINING,
    (State.REMOTE_CLOSING, Step.ENDED): State.CLOSED,
    (State.DRAINING, Step.ENDED): State.CLOSED,
}
