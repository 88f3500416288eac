"""The comparison of the differential test: what differs, whether the table knows it, and on how little.

wscore is held against the plain reading first, without any table: there is nothing to explain between
them. Then it is held against a peer; what differs there must be in the table of differences.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from differential.cases import Case
from differential.outcomes import Item, Trace
from differential.reading import FrameRead, MessageRead, Reading, code_of
from wscore._typing import override


@dataclass(frozen=True)
class Disagreement:
    """A stream that wscore and a peer do not read alike.

    Attributes:
        peer: its name.
        case: the stream.
        reading: what the stream really holds.
        ours, theirs: the traces.
    """

    peer: str
    case: Case
    reading: Reading
    ours: Trace
    theirs: Trace

    @cached_property
    def at(self) -> int:
        """Where the items begin to differ; their number, when only the outcomes do."""
        pairs = zip(self.ours.items, self.theirs.items, strict=False)
        return next(
            (index for index, (ours, theirs) in enumerate(pairs) if ours != theirs),
            min(len(self.ours.items), len(self.theirs.items)),
        )

    @cached_property
    def message(self) -> MessageRead | None:
        """The message at that place: the item that differs, or the one around it, or one never finished."""
        for message in reversed(self.reading.messages):
            if message.began <= self.at and (not message.complete or message.item >= self.at):
                return message
        return None

    @cached_property
    def compressed(self) -> list[MessageRead]:
        """The compressed messages that began before or at that place."""
        return [message for message in self.reading.messages if message.marked and message.began <= self.at]

    @property
    def rules(self) -> set[str]:
        """The rules that the last frame of the stream breaks."""
        return self.reading.rules

    @property
    def fault(self) -> FrameRead | None:
        """The frame that breaks a rule, if the traces do not differ before wscore stopped there."""
        return self.reading.fault if self.at == len(self.ours.items) else None

    @property
    def same_place(self) -> bool:
        """Tell whether both gave the same items, so that only the outcomes differ."""
        return self.ours.items == self.theirs.items

    @property
    def went_on(self) -> bool:
        """Tell whether the peer did not stop where wscore failed."""
        if self.fault is None:
            return False
        return len(self.theirs.items) > len(self.ours.items) or self.theirs.outcome.kind != "failed"

    @property
    def more(self) -> list[Item]:
        """What the peer gave beyond the place where wscore failed."""
        return self.theirs.items[self.at :]

    @property
    def they_failed(self) -> int:
        """The code of the peer's failure; 0: it did not fail, or not where the traces begin to differ."""
        outcome = self.theirs.outcome
        return outcome.code if outcome.kind == "failed" and self.at == len(self.theirs.items) else 0

    @override
    def __str__(self) -> str:
        case = self.case
        return "\n".join(
            (
                f"{case.name}: {self.peer} reads it in another way",
                f"  {case.role.value}, limit {case.limit}, {case.agreed or 'no compression'}"
                + (", which the sender does not keep to" if case.misuse else ""),
                f"  wscore: {self.ours}",
                f"  {self.peer}: {self.theirs}",
                f"  the stream breaks: {', '.join(sorted(self.rules)) or 'no rule'}",
                f"  {len(case.data)} bytes in {len(case.segments())} segments:",
                *(f"    {segment.hex()}" for segment in case.segments()),
            )
        )


def agrees(ours: Trace, reading: Reading) -> bool:
    """Tell whether wscore read what is there; for a fault, any rule that the frame breaks will do."""
    outcome = ours.outcome
    if ours.items != reading.items or outcome.kind != reading.outcome.kind:
        return False
    if outcome.kind != "failed":
        return outcome == reading.outcome
    return outcome.detail in reading.rules and outcome.code == code_of(outcome.detail)


def shrink(case: Case, shows: Callable[[Case], bool], rounds: int = 300) -> Case:
    """Make a stream smaller, piece by piece, as long as it shows what it showed.

    Args:
        case: the stream.
        shows: tells whether a stream still shows it.
        rounds: the number of tries.
    """
    plain = replace(case, cutting=0)
    if shows(plain):
        case = plain
    size = max(1, len(case.pieces) // 2)
    while size and rounds:
        before, place = len(case.pieces), 0
        while place < len(case.pieces) and rounds:
            rounds -= 1
            smaller = replace(case, pieces=_without(case.pieces, place, size))
            if shows(smaller):
                case = smaller
            else:
                place += size
        if size > 1 or len(case.pieces) == before:  # a piece may have been needed only by a later one
            size //= 2
    return case


def _without(pieces: Sequence[bytes], place: int, size: int) -> tuple[bytes, ...]:
    return (*pieces[:place], *pieces[place + size :])
