"""The run of the differential test: streams go to everybody, and what came of it is counted.

The frames that count are those that were compared: up to the end of a stream, its Close, or the first frame
that breaks a rule, this one included; what stands behind is for nobody to read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

from differential.adapter_node import Node, missing
from differential.cases import Case, cases
from differential.compare import Disagreement, agrees, shrink
from differential.differences import DIFFERENCES
from differential.outcomes import Trace
from differential.peers import IN_PROCESS, Parser, parser_of, read_by_wscore
from differential.reading import Reading
from wscore._typing import override

PEERS = (*IN_PROCESS, "ws")
_BATCH = 100
_ENOUGH = 5  # unexplained differences end a run


@dataclass
class Count:
    """What came of the comparison with one peer.

    Attributes:
        streams, frames: compared.
        alike: streams that both read alike.
        known: how often each row of the table explained a difference.
        unexplained: what none did.
    """

    streams: int = 0
    frames: int = 0
    alike: int = 0
    known: Counter[str] = field(default_factory=Counter)
    unexplained: list[Disagreement] = field(default_factory=list)

    def add(self, difference: Disagreement | None, frames: int) -> None:
        """Count one stream."""
        self.streams += 1
        self.frames += frames
        if difference is None:
            self.alike += 1
        elif (row := row_of(difference)) is not None:
            self.known[row] += 1
        else:
            self.unexplained.append(difference)


@dataclass
class Summary:
    """What came of a run.

    Attributes:
        frames: compared with the plain reading, and with each peer.
        streams: they came in.
        misread: streams that wscore does not read as they are.
        outcomes: how often each came out of wscore.
        peers: those that took part.
        absent: why the others did not.
    """

    frames: int = 0
    streams: int = 0
    misread: list[Disagreement] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    peers: dict[str, Count] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @override
    def __str__(self) -> str:
        lines = [f"{self.frames:,} frames in {self.streams:,} streams"]
        lines += [f"  {name:28}{count:9,}" for name, count in sorted(self.outcomes.items())]
        lines.append(f"against the plain reading: {len(self.misread)} differences")
        for peer, count in self.peers.items():
            lines.append(
                f"against {peer}: {count.frames:,} frames, {count.alike:,} streams alike, "
                f"{count.known.total():,} known differences, {len(count.unexplained)} unexplained"
            )
            lines += [f"  {row:40}{number:9,}" for row, number in sorted(count.known.items())]
        lines += [f"against {peer}: nothing, {reason}" for peer, reason in self.absent.items()]
        return "\n".join(lines)


def row_of(difference: Disagreement) -> str | None:
    """Return the first row of the table that explains a difference."""
    for row in DIFFERENCES:
        if difference.peer in row.peers and row.applies(difference):
            return row.id
    return None


def run(frames: int, *, seed: int = 1, peers: Iterable[str] = PEERS) -> Summary:
    """Compare on streams of at least so many frames.

    Args:
        frames: how many.
        seed: of the streams; the same seed gives the same ones.
        peers: whom to compare with; who is not installed is left out, and the summary says so.
    """
    summary, parsers = Summary(), dict[str, Parser]()
    with ExitStack() as stack:
        node = None
        for peer in peers:
            parser = None if peer == "ws" else parser_of(peer)
            reason = missing() if peer == "ws" else "it is not installed"
            if parser is not None:
                parsers[peer] = parser
            elif peer == "ws" and reason is None:
                node = stack.enter_context(Node())
            else:
                summary.absent[peer] = reason or ""
        summary.peers = {peer: Count() for peer in (*parsers, *(("ws",) if node else ()))}
        source = cases(seed)
        while summary.frames < frames and not _enough(summary):
            _batch(summary, list(islice(source, _BATCH)), parsers, node)
    return summary


def _enough(summary: Summary) -> bool:
    found = [summary.misread, *(count.unexplained for count in summary.peers.values())]
    return any(len(differences) >= _ENOUGH for differences in found)


def _batch(summary: Summary, batch: Sequence[Case], parsers: dict[str, Parser], node: Node | None) -> None:
    """Compare one batch; node works meanwhile."""
    if node is not None:
        node.send(batch)
    read = [_read(summary, case) for case in batch]
    for peer, parser in parsers.items():
        for case, (ours, reading) in zip(batch, read, strict=True):
            _compare(summary, peer, case, ours, reading, parser(case))
    if node is not None:
        for case, (ours, reading), theirs in zip(batch, read, node.receive(), strict=True):
            _compare(summary, "ws", case, ours, reading, theirs)


def _read(summary: Summary, case: Case) -> tuple[Trace, Reading]:
    """Read with wscore, and plainly."""
    ours, reading = read_by_wscore(case), Reading(case)
    summary.streams += 1
    summary.frames += len(reading.frames)
    summary.outcomes[ours.outcome.detail if ours.outcome.kind == "failed" else ours.outcome.kind] += 1
    if not agrees(ours, reading):
        summary.misread.append(
            Disagreement("reading", case, reading, ours, Trace(reading.items, reading.outcome))
        )
    return ours, reading


def _compare(summary: Summary, peer: str, case: Case, ours: Trace, reading: Reading, theirs: Trace) -> None:
    difference = None if ours.same(theirs) else Disagreement(peer, case, reading, ours, theirs)
    summary.peers[peer].add(difference, len(reading.frames))


def unexplained(case: Case, peer: str, parser: Callable[[Case], Trace]) -> Disagreement | None:
    """Compare one stream; None: alike, or known."""
    ours, theirs = read_by_wscore(case), parser(case)
    if ours.same(theirs):
        return None
    difference = Disagreement(peer, case, Reading(case), ours, theirs)
    return difference if row_of(difference) is None else None


def misreading(case: Case) -> Disagreement | None:
    """Compare one stream with the plain reading; None: alike."""
    ours, reading = read_by_wscore(case), Reading(case)
    if agrees(ours, reading):
        return None
    return Disagreement("reading", case, reading, ours, Trace(reading.items, reading.outcome))


def explain(difference: Disagreement) -> str:
    """Return a difference on the smallest stream that still shows one."""
    peer = difference.peer
    if peer == "reading":
        return str(
            misreading(shrink(difference.case, lambda case: misreading(case) is not None)) or difference
        )
    if peer == "ws":
        with Node() as node:
            return _explain(difference, node.read)
    parser = parser_of(peer)
    return str(difference) if parser is None else _explain(difference, parser)


def _explain(difference: Disagreement, parser: Callable[[Case], Trace]) -> str:
    peer = difference.peer
    small = shrink(difference.case, lambda case: unexplained(case, peer, parser) is not None)
    return str(unexplained(small, peer, parser) or difference)
