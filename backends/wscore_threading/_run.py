"""What one connection's thread does: open, run the handler, end; the same for both sides."""

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from wscore import Closed, Delivery, Endpoint, Event, Opened, State
from wscore.policy import may_send, outcome_of

from ._link import Link
from ._session import Session


def wait_for_event(link: Link) -> Event:
    """Drive the link until its core has an event, and take it."""
    event = link.wait_for_event()
    assert event is not None  # without a timeout there is one, at last `Closed`
    return event


def run(target: Endpoint | Callable[[Any], object], session: Session, opened: Opened) -> None:
    """Bring a session to its endpoint, or run the function of it, until TCP is over."""
    try:
        if isinstance(target, Endpoint):
            _run_endpoint(target, session, opened)
        else:
            _run_function(target, session)
    finally:
        if session.state is not State.CLOSED:
            session.abort()  # it was left by SystemExit or the like: nobody would drive it any more


def _run_function(function: Callable[[Any], object], session: Session) -> None:
    """Run a function of the session, and close when it is done: 1000, or 1011 when it raised."""
    raised: Exception | None = None
    try:
        result = function(session)
        if iscoroutine(result):
            result.close()
            raise TypeError("a handler is a coroutine function, which would never be run: use wscore_asyncio")
    except Exception as error:
        raised = error
    outcome = outcome_of(raised, session.state)
    if outcome.report:
        session.logger.error("a handler raised", exc_info=raised)
    session.close(outcome.code, outcome.reason)  # waits until TCP is over, which the core bounds


def _run_endpoint(endpoint: Endpoint, session: Session, opened: Opened) -> None:
    """Bring every event of the session to the endpoint, the last one included."""
    delivery = Delivery(
        endpoint,
        session,
        close=lambda code, reason: session.close(code, reason, wait=False),
        report=lambda hook, error: session.logger.error("%s raised", hook, exc_info=error),
        may_send=lambda: may_send(session.state),
    )
    take = session.next_event_or_room if hasattr(endpoint, "on_writable") else session.next_event
    delivery.deliver(opened)
    while not isinstance(event := take(), Closed):
        if event is None:
            delivery.notify_writable()
        else:
            delivery.deliver(event)
    delivery.deliver(event)
    session.close()  # nothing to say any more: waits until TCP is over, which the core bounds
