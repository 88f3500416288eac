"""Which address to try when: Happy Eyeballs (RFC 8305) without sockets.

A name often has addresses of two families, and one of them may lead nowhere, silently. So the addresses are
put in an order that alternates between families (`interleave`, section 4), and attempts are started one after
the other, each a quarter of a second after the last one or as soon as one has failed (`DialPlan`, section 5).
The first to connect wins, and the others are given up. Both families are looked up together before that:
the plan starts when all addresses are known.

A plan counts and waits for nobody. Whoever drives it keeps what it has begun under the number of the address,
and repeats this with its own way to wait::

    places = interleave(getaddrinfo(...))
    plan = DialPlan(len(places), now=clock())
    while plan.winner is None and not plan.over:
        while (index := plan.next_attempt(clock())) is not None:
            begin(index)                       # it failed at once: plan.failed(index, error, clock())
        for index, error in wait_until(plan.next_deadline()):
            if error is not None:
                plan.failed(index, error, clock())
            elif not plan.connected(index, clock()):
                discard(index)                 # a close second
    for index in plan.running:
        discard(index)
    if plan.winner is None:
        raise plan.failure()

An event loop with tasks awaits the first of its tasks or the deadline; a blocking program polls its
connecting sockets until then; one with callbacks runs the inner loop at the start, from a timer set to
`next_deadline`, and after each `failed`. To end a plan from outside, on a timeout or when the user gives up:
discard what is `running`, and forget the plan.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar, final

Found = TypeVar("Found", bound=tuple[Any, ...])

_DELAY: Final = 0.25  # RFC 8305 section 5: the recommended Connection Attempt Delay


def interleave(found: Iterable[Found]) -> list[Found]:
    """Order addresses as they should be tried (RFC 8305 section 4).

    The first one's family leads, and the families alternate as long as there are several left. Within a
    family the order stays: it is that of RFC 6724, which the resolver knows better.

    Args:
        found: what ``getaddrinfo`` returns: (family, kind, protocol, canonical name, place).

    Returns:
        The same tuples; of those that differ in nothing but the canonical name, only the first.
    """
    families: dict[object, dict[object, Found]] = {}
    for item in found:
        family, *rest, _, place = item
        families.setdefault(family, {}).setdefault((*rest, place), item)
    queues = [list(queue.values()) for queue in families.values()]
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


@final
class DialPlan:
    """The attempts to connect to one of several addresses, known by their numbers.

    Args:
        count: how many addresses there are.
        now: the time.
        delay: seconds from the start of an attempt to the next one while none has failed; 0: all at once;
            None: one at a time.

    Attributes:
        winner: the number of the address that is connected; None: not decided.

    Raises:
        ValueError: count or delay is negative.
    """

    __slots__ = ("_count", "_delay", "_due", "_errors", "_running", "_started", "winner")

    def __init__(self, count: int, *, now: float, delay: float | None = _DELAY) -> None:
        if count < 0 or (delay is not None and not delay >= 0):
            raise ValueError("the number of addresses and the delay must be at least 0")
        self._count: int = count
        self._delay: float | None = delay
        self._due: float | None = now  # when the next attempt starts; None: when one has failed
        self._started: int = 0
        self._running: list[int] = []
        self._errors: dict[int, OSError] = {}
        self.winner: int | None = None

    @property
    def running(self) -> tuple[int, ...]:
        """The attempts under way; the winner is not among them. Once it is all over: those to give up."""
        return tuple(self._running)

    @property
    def over(self) -> bool:
        """Whether every attempt has failed, or there was none to make; see `failure`."""
        return len(self._errors) == self._count

    def next_attempt(self, now: float) -> int | None:
        """Return the number of the address to try now; None: none at this moment. Ask until None comes."""
        due = self.next_deadline()
        if due is None or now < due:
            return None
        index = self._started
        self._started += 1
        self._running.append(index)
        self._due = None if self._delay is None else now + self._delay
        return index

    def next_deadline(self) -> float | None:
        """Return when to ask `next_attempt` again; None: after the next failure, if at all."""
        return self._due if self.winner is None and self._started < self._count else None

    def failed(self, index: int, error: OSError, now: float) -> None:
        """Take note that an attempt has failed; the next one may start at once. Then ask `next_attempt`.

        Raises:
            ValueError: no such attempt is under way.
        """
        self._end(index)
        self._errors[index] = error
        self._due = now

    def connected(self, index: int, now: float) -> bool:
        """Take note that an attempt has succeeded.

        Args:
            index: its number.
            now: the time, as with every other input.

        Returns:
            True: it has won; give up those that are `running`. False: another one has won before; close it.

        Raises:
            ValueError: no such attempt is under way.
        """
        self._end(index)
        if self.winner is not None:
            return False
        self.winner = index
        return True

    def _end(self, index: int) -> None:
        if index not in self._running:
            raise ValueError(f"attempt {index} is not under way")
        self._running.remove(index)

    def failure(self, names: Sequence[str] = ()) -> OSError:
        """Return the error to raise when all is `over`.

        Args:
            names: what to call the addresses in it, in their order.

        Returns:
            One error that says them all and has them as its cause. It is of the kind of the first address's,
            which is the preferred one. A single error that has no name is returned as it is.
        """
        errors = [self._errors[index] for index in sorted(self._errors)]
        if not errors:
            return OSError("there was no address that could be connected to")
        if len(errors) == 1 and not names:
            return errors[0]
        text = "; ".join(self._sentence(index, names) for index in sorted(self._errors))
        failure = OSError(errors[0].errno, text)  # the number chooses the class
        if type(failure) is not type(errors[0]) or failure.errno is None:  # numbers of another kind, or none
            failure = OSError(text)
        several = len(errors) > 1
        failure.__cause__ = ExceptionGroup("every address has failed", errors) if several else errors[0]
        return failure

    def _sentence(self, index: int, names: Sequence[str]) -> str:
        error = self._errors[index]
        said = error.strerror or str(error) or type(error).__name__
        return f"{names[index]}: {said}" if index < len(names) else said
