"""How events become calls of an application's hooks.

`Delivery` holds the order for one session: one event at a time, no hook before `Opened`, and after a hook
has raised no further message. It calls hooks and nothing else: backends say how to close and where to
report what nobody handles.

A message goes straight to its hook. What is to be called for all other events, and what follows when a hook
raises, is told by the stories of `_story`.
"""

from collections.abc import Callable, Coroutine
from typing import Any, final

from ._endpoint import Endpoint
from ._events import Event
from ._story import as_it_is, refuse_coroutine, run, run_awaiting, story_of, story_of_error, story_of_room


@final
class Delivery:
    """Brings one session's events to its endpoint, in order.

    Args:
        endpoint: whose hooks are called.
        session: what the hooks get.
        close: starts closing with a code and a reason; must not wait and must not raise.
        report: takes a hook's name and what it raised, where no `on_error` would hear of it.
        may_send: tells whether our Close has not been sent yet. A hook that meets it unawares, because
            another thread has begun to close, has done nothing wrong.
        judge: says what a hook's exception counts as: an Exception is the hook's fault, anything else goes
            through. For backends whose own exceptions end tasks: a hook may raise one that they did not
            throw.

    Attributes:
        connected: `Opened` has been delivered.
        failed: a hook has raised: there are no further messages.
    """

    __slots__ = ("close", "connected", "endpoint", "failed", "judge", "may_send", "report", "session")

    def __init__(
        self,
        endpoint: Endpoint,
        session: object,
        *,
        close: Callable[[int, str], object],
        report: Callable[[str, Exception], object],
        may_send: Callable[[], bool] = lambda: True,
        judge: Callable[[BaseException], BaseException] = as_it_is,
    ) -> None:
        self.endpoint = endpoint
        self.session = session
        self.close = close
        self.report = report
        self.may_send = may_send
        self.judge = judge
        self.connected = False
        self.failed = False

    def deliver(self, event: Event) -> None:
        """Call the hook that event is for, if any; never raises what a hook raised.

        A hook that turns out to be a coroutine function counts as one that has raised TypeError.
        """
        if isinstance(event, (str, bytes)) and not self.failed:  # the usual case, without the machinery
            try:
                result = self.endpoint.on_message(self.session, event)
                if result is not None:
                    refuse_coroutine(result)
            except BaseException as raised:
                if not self._blames(raised):
                    raise
        else:
            run(story_of(self, event), self.judge)

    def _blames(self, raised: BaseException) -> bool:
        """Tell whether on_message is to blame for what it raised; what follows has been done then."""
        error = self.judge(raised)
        if not isinstance(error, Exception):
            return False
        run(story_of_error(self, "on_message", error), self.judge)
        return True

    def deliver_awaiting(self, event: Event) -> Coroutine[Any, Any, None]:
        """As `deliver`, and await what a hook returns if that is awaitable."""
        return run_awaiting(story_of(self, event), self.judge)

    def notify_writable(self) -> None:
        """Call ``on_writable``, if there is one: there is room for output again."""
        run(story_of_room(self), self.judge)

    def notify_writable_awaiting(self) -> Coroutine[Any, Any, None]:
        """As `notify_writable`, and await what the hook returns if that is awaitable."""
        return run_awaiting(story_of_room(self), self.judge)
