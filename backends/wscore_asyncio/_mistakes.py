"""A CancelledError that nobody has asked for is a mistake of the application, and counts as any other error.

A task that is being cancelled must end; its ``cancelling`` tells. But a function can just as well have
awaited something that somebody else has cancelled: then the task that runs it is meant to go on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from wscore import Request
from wscore.policy import ProcessRequestAwaiting, Verdict


def judge(error: BaseException) -> BaseException:
    """Return what counts as raised: a RuntimeError for a CancelledError that was not meant for this task."""
    task = asyncio.current_task()
    if not isinstance(error, asyncio.CancelledError) or (task is not None and task.cancelling()):
        return error
    mistake = RuntimeError("CancelledError was raised, but not because this task was cancelled")
    mistake.__cause__ = error
    return mistake


def asking(process_request: ProcessRequestAwaiting) -> Callable[[Request], Awaitable[Verdict | None]]:
    """Return a function that asks process_request, and raises what `judge` makes of what that raises."""

    async def ask(request: Request) -> Verdict | None:
        try:
            result = process_request(request)
            return await result if isawaitable(result) else result
        except asyncio.CancelledError as error:
            judged = judge(error)
            if judged is error:
                raise
            raise judged from error

    return ask
