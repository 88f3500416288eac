"""What serves a session: plain hooks called straight from the read path, or a task.

- An endpoint whose hooks are all plain functions costs no task: the link's pump calls them.
- An endpoint with a coroutine function among its hooks gets a task that takes events and awaits the hooks.
- A coroutine function of the session is run in a task, and the connection is closed when it returns.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import Any

from wscore import Closed, Delivery, Endpoint, Event, Opened
from wscore.policy import Outcome, awaits, may_send, outcome_of

from ._link import Link
from ._mistakes import judge
from ._session import Session


def start(target: Endpoint | Callable[[Any], object], session: Session, link: Link, opened: Opened) -> None:
    """Let target serve the session from now on."""
    if not isinstance(target, Endpoint):
        _start_task(session, _run_function(target, session))
        return
    session.claimed = True
    delivery = Delivery(
        target,
        session,
        close=session.start_closing,
        report=lambda hook, error: session.logger.error("%s raised", hook, exc_info=error),
        may_send=lambda: may_send(session.state),
        judge=judge,
    )
    link.on_writable = partial(session.note_room, delivery.notify_writable)  # what has waited goes first
    if awaits(target):
        _start_task(session, _run_endpoint(delivery, session, opened))
    else:
        link.deliver = delivery.deliver
        delivery.deliver(opened)


def _start_task(session: Session, coroutine: Any) -> None:
    session.task = asyncio.get_running_loop().create_task(coroutine, name=f"wscore session {session.id}")
    session.task.add_done_callback(partial(_task_ended, session))


def _task_ended(session: Session, task: "asyncio.Task[None]") -> None:
    """See to it that the connection does not outlive its task, nor keep what that leaves behind."""
    session.task = None
    if task.cancelled() and session.closed is None:
        session.abort()  # it was cancelled before it began


async def _run_function(function: Callable[[Any], object], session: Session) -> None:
    """Run a coroutine function of the session, and close when it is done: 1000, or 1011 when it raised."""
    try:
        result = function(session)
        if not isawaitable(result):
            raise TypeError("the handler returned nothing to await: it must be a coroutine function")
        await result
    except BaseException as error:
        outcome = _outcome(session, judge(error))
        if outcome is None:
            session.abort()  # cancelled: nobody would drive it any more
            raise
    else:
        outcome = outcome_of(None, session.state)
    await session.close(outcome.code, outcome.reason)


def _outcome(session: Session, raised: BaseException) -> Outcome | None:
    """Return what follows for the session, and log what is the function's fault; None: it is not."""
    if not isinstance(raised, Exception):
        return None
    outcome = outcome_of(raised, session.state)
    if outcome.report:
        session.logger.error("a handler raised", exc_info=raised)
    return outcome


async def _run_endpoint(delivery: Delivery, session: Session, opened: Opened) -> None:
    """Bring every event of the session to hooks that may have to be awaited, the last one in any case."""
    try:
        event: Event = opened
        while not isinstance(event, Closed):
            await delivery.deliver_awaiting(event)
            event = await session.await_event()
    except asyncio.CancelledError:
        session.abort()
        assert session.closed is not None
        await delivery.deliver_awaiting(session.closed)
        raise
    await delivery.deliver_awaiting(event)
    await session.close()  # nothing to say any more: waits until TCP is over, which the core bounds
