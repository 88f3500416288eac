"""Telling a story in the loop: it waits for sockets and moments here, and threads do what else takes time.

The first step comes in the next turn at the earliest, so that whoever dials has its result later in any case.
"""

import socket
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, final

from wscore_sockets import Dialed, LookUp, Step, Story, Wait, perform

from ._loop import WRITE, Loop
from ._timers import TimerHandle
from ._workers import Workers


@final
class Dial:
    """A story on its way.

    Args:
        loop: what it waits with.
        workers: the threads.
        story: to be told.
        deadline: when threads give up, as `time.monotonic` counts; None: never.
        done: gets its result, or the error; called once unless it is cancelled.
    """

    def __init__(
        self,
        loop: Loop,
        workers: Workers,
        story: Story,
        deadline: float | None,
        done: Callable[[Dialed | None, Exception | None], object],
    ) -> None:
        self._loop = loop
        self._workers = workers
        self._story = story
        self._deadline = deadline
        self._done = done
        self._over = False
        self._performing = False  # a thread uses what the story holds
        self._watched: tuple[socket.socket, ...] = ()
        self._timer: TimerHandle = loop.call_at(monotonic(), self._go_on)

    def cancel(self) -> None:
        """Give up what is under way; harmless at any time."""
        self._stop_waiting()
        self._over = True
        if not self._performing:
            self._story.close()

    def ready(self, events: int) -> None:
        """A socket is connected, or has failed."""
        self._go_on()

    def fail(self) -> None:
        """Nobody else depends on it."""

    def _go_on(self, answer: Any = None, error: Exception | None = None) -> None:
        """Let the story go on until it waits again, or is over."""
        self._stop_waiting()
        if self._over:
            return
        try:
            step = self._story.send(answer) if error is None else self._story.throw(error)
        except StopIteration as end:
            self._over = True
            self._done(end.value, None)
        except Exception as failure:
            self._over = True
            self._done(None, failure)
        else:
            self._wait(step)

    def _wait(self, step: Step) -> None:
        """Wait for what the story waits for."""
        if not isinstance(step, Wait):
            deadline = None if isinstance(step, LookUp) else self._deadline  # looking up is left to itself
            self._performing = True
            self._workers.call(partial(perform, step, deadline), self._performed)
            return
        self._watched = step.sockets
        for sock in step.sockets:
            self._loop.watch(sock, WRITE, self)
        if step.until is not None:
            self._timer = self._loop.call_at(step.until, self._go_on)

    def _performed(self, answer: Any, error: Exception | None) -> None:
        """A thread has come back."""
        self._performing = False
        if not self._over:
            self._go_on(answer, error)
            return
        if isinstance(answer, socket.socket):
            answer.close()  # it comes too late
        self._story.close()

    def _stop_waiting(self) -> None:
        self._timer.cancel()
        for sock in self._watched:
            self._loop.watch(sock, 0, self, before=WRITE)
        self._watched = ()
