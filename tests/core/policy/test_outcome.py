"""What is said of an end: a handler's end becomes a close, and one reason is given why nothing opened."""

import pytest

from wscore import (
    Closed,
    CloseError,
    CloseStatus,
    ConnectionClosed,
    ConnectionLost,
    HandshakeRefused,
    LocalProtocolError,
    Refused,
    RemoteProtocolError,
    Response,
    State,
    TimedOut,
    Timer,
    Violation,
    WriteBufferFull,
    WSCoreError,
)
from wscore.policy._outcome import Outcome, may_send, opening_error, opening_failure, outcome_of

LOST = Closed(1006, "", False)
CLEAN = Closed(1000, "", True, CloseStatus(1000, ""), CloseStatus(1000, ""))
TIMED_OUT = Closed(1006, "", False, timer=Timer.OPEN)
BROKEN = Closed(1006, "", False, violation=Violation.EARLY_DATA)
SENDING = {State.OPEN, State.REMOTE_CLOSING}

NORMAL = Outcome(1000, "", report=False)
FAILED = Outcome(1011, "", report=True)


@pytest.mark.parametrize("state", list(State))
def test_messages_may_be_sent_until_our_close(state: State) -> None:
    assert may_send(state) is (state in SENDING)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, NORMAL),
        (ConnectionClosed(LOST), NORMAL),  # it ended while the handler was at work
        (CloseError(4000, "enough"), Outcome(4000, "enough", report=False)),
        (CloseError(1011), Outcome(1011, "", report=False)),  # chosen, so nothing to report
        (ValueError("boom"), FAILED),
        (ConnectionLost(), FAILED),  # of another connection: a handler's own is `ConnectionClosed`
        (KeyboardInterrupt(), FAILED),
    ],
)
def test_the_end_of_a_handler_says_how_to_close(
    error: BaseException | None, outcome: Outcome, state: State
) -> None:
    assert outcome_of(error, state) == outcome


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("error", [LocalProtocolError("after our Close"), WriteBufferFull("too much")])
def test_a_handler_that_sends_after_somebody_has_closed_has_done_nothing_wrong(
    error: Exception, state: State
) -> None:
    assert outcome_of(error, state) == (FAILED if state in SENDING else NORMAL)


TLS = ConnectionResetError("reset")


@pytest.mark.parametrize(
    ("closed", "lost", "kind"),
    [
        (LOST, None, ConnectionLost),
        (LOST, TLS, ConnectionResetError),
        (CLEAN, None, WSCoreError),
        (CLEAN, TLS, ConnectionResetError),
        (TIMED_OUT, None, TimedOut),
        (TIMED_OUT, TLS, TimedOut),
        (BROKEN, None, RemoteProtocolError),
        (BROKEN, TLS, RemoteProtocolError),
    ],
)
def test_the_most_telling_reason_is_given_why_a_connection_did_not_open(
    closed: Closed, lost: Exception | None, kind: type[Exception]
) -> None:
    failure = opening_failure(closed, lost)
    assert type(failure) is kind
    assert failure is lost or kind is not ConnectionResetError
    assert str(failure)


def test_the_reason_names_what_the_core_knows() -> None:
    assert getattr(opening_failure(TIMED_OUT, None), "timer", None) is Timer.OPEN
    assert getattr(opening_failure(BROKEN, None), "violation", None) is Violation.EARLY_DATA


def test_a_refusal_and_an_end_keep_a_client_from_opening() -> None:
    response = Response(403, (), b"")
    refused = opening_error(Refused(response), None)
    assert isinstance(refused, HandshakeRefused) and refused.response is response
    assert isinstance(opening_error(TIMED_OUT, None), TimedOut)
    lost = OSError("gone")
    assert opening_error(LOST, lost) is lost
