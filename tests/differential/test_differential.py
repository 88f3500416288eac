"""wscore and other parsers read the same generated streams alike, or the table of differences says why not.

A quick run takes part in every test run, a deep one of a million frames in the slow ones. Each is done once,
with all peers that are there, and looked at by one test for each of them.
"""

from collections.abc import Callable

import pytest

from differential.adapter_node import install
from differential.cases import Case, case
from differential.compare import Disagreement, agrees, shrink
from differential.differences import DIFFERENCES
from differential.outcomes import OPEN, Trace, failed
from differential.peers import read_by_wscore
from differential.reading import Reading
from differential.running import PEERS, Summary, explain, row_of, run, unexplained

QUICK, DEEP = 20_000, 1_000_000


@pytest.fixture(scope="module")
def quick() -> Summary:
    """The quick run; ws takes part where it has been installed."""
    return run(QUICK)


@pytest.fixture(scope="module")
def deep() -> Summary:
    """The deep run; ws is installed for it where there is node."""
    reason = install()
    summary = run(DEEP)
    if reason is not None:
        summary.absent["ws"] = reason
    print(f"\n{summary}")
    return summary


def _check_peer(summary: Summary, peer: str, frames: int) -> None:
    """Fail unless every difference from peer is known."""
    if peer in summary.absent:
        pytest.skip(f"{peer}: {summary.absent[peer]}")
    count = summary.peers[peer]
    print(f"{peer}: {count.frames:,} frames, {count.alike:,} of {count.streams:,} streams alike")
    assert not count.unexplained, explain(count.unexplained[0])
    assert count.frames >= frames


def _check_reading(summary: Summary, frames: int) -> None:
    """Fail unless wscore reads what the documents say."""
    assert not summary.misread, explain(summary.misread[0])
    assert summary.frames >= frames


def test_wscore_reads_streams_as_the_documents_say(quick: Summary) -> None:
    _check_reading(quick, QUICK)


@pytest.mark.parametrize("peer", PEERS)
def test_every_difference_from_a_peer_is_in_the_table(quick: Summary, peer: str) -> None:
    _check_peer(quick, peer, QUICK)


def test_the_streams_bring_every_outcome_of_framing(quick: Summary) -> None:
    rare = {"TOO_MANY_STREAMS", "TOO_MANY_FRAGMENTS", "TOO_MANY_EMPTY_FRAGMENTS", "LENGTH_SIGN_BIT"}
    expected = {
        "CLOSE_CODE",
        "CLOSE_PAYLOAD",
        "CLOSE_REASON_UTF8",
        "COMPRESSED_DATA",
        "FRAGMENTED_CONTROL",
        "INVALID_UTF8",
        "LONG_CONTROL",
        "LONG_LENGTH_FORM",
        "MASKED_FRAME",
        "MESSAGE_INTERRUPTED",
        "MESSAGE_TOO_BIG",
        "RESERVED_BITS",
        "RESERVED_OPCODE",
        "UNEXPECTED_CONTINUATION",
        "UNMASKED_FRAME",
        "closed",
        "open",
    }
    assert set(quick.outcomes) - rare == expected


@pytest.mark.slow
def test_wscore_reads_a_million_frames_as_the_documents_say(deep: Summary) -> None:
    _check_reading(deep, DEEP)


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_every_difference_in_a_million_frames_is_in_the_table(deep: Summary, peer: str) -> None:
    _check_peer(deep, peer, DEEP)


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_every_row_of_the_table_is_needed(deep: Summary, peer: str) -> None:
    if peer in deep.absent:
        pytest.skip(f"{peer}: {deep.absent[peer]}")
    rows = {row.id for row in DIFFERENCES if peer in row.peers}
    assert rows - set(deep.peers[peer].known) == set()


def test_rows_have_names_of_their_own_and_say_why() -> None:
    assert len({row.id for row in DIFFERENCES}) == len(DIFFERENCES)
    for row in DIFFERENCES:
        assert row.peers and set(row.peers) <= set(PEERS)
        assert row.what and row.why


def test_a_seed_and_a_number_give_the_same_stream_again() -> None:
    assert [case(3, number) for number in range(20)] == [case(3, number) for number in range(20)]
    assert case(3, 1) != case(4, 1)


# The comparison itself: a parser that errs must be found out.

Read = tuple[Case, Trace, Reading]


@pytest.fixture(scope="module")
def read() -> list[Read]:
    """Some streams as they were read without any error."""
    some = [case(5, number) for number in range(60)]
    return [(one, read_by_wscore(one), Reading(one)) for one in some]


def _loses_an_item(trace: Trace) -> None:
    middle = len(trace.items) // 2
    del trace.items[middle : middle + 1]


def _changes_a_payload(trace: Trace) -> None:
    if trace.items:
        kind, data = trace.items[-1]
        trace.items[-1] = (kind, data[:0])


def _fails_by_another_code(trace: Trace) -> None:
    if trace.outcome.kind == "failed":
        trace.outcome = failed(1011)


def _never_fails(trace: Trace) -> None:
    trace.outcome = OPEN


def _invents_an_item(trace: Trace) -> None:
    trace.items.append(("ping", b"invented"))


ERRORS = [_loses_an_item, _changes_a_payload, _fails_by_another_code, _never_fails, _invents_an_item]


def _spoiled(trace: Trace, error: Callable[[Trace], None]) -> Trace:
    """Return a trace as a parser with an error would have given it."""
    copy = Trace(list(trace.items), trace.outcome)
    error(copy)
    return copy


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("peer", PEERS)
def test_an_error_that_a_peer_does_not_have_is_not_in_the_table(
    read: list[Read], peer: str, error: Callable[[Trace], None]
) -> None:
    differences = [
        Disagreement(peer, one, reading, ours, theirs)
        for one, ours, reading in read
        if not (theirs := _spoiled(ours, error)).same(ours)
    ]
    unknown = [difference for difference in differences if row_of(difference) is None]
    assert len(unknown) > len(differences) // 3 > 3


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_ours_is_found_by_the_plain_reading(
    read: list[Read], error: Callable[[Trace], None]
) -> None:
    for _, ours, reading in read:
        spoiled = _spoiled(ours, error)
        assert agrees(ours, reading)
        assert agrees(spoiled, reading) is spoiled.same(ours)


def test_a_difference_is_shown_on_a_small_stream(read: list[Read]) -> None:
    one = next(one for one, ours, _ in read if any(kind == "pong" for kind, _ in ours.items))

    def drops_pongs(case: Case) -> Trace:
        trace = read_by_wscore(case)
        return Trace([item for item in trace.items if item[0] != "pong"], trace.outcome)

    small = shrink(one, lambda case: unexplained(case, "websockets", drops_pongs) is not None)
    shown = str(unexplained(small, "websockets", drops_pongs))
    assert len(small.pieces) == 1
    assert small.data.hex() in shown
