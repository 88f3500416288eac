"""Each work, done for an instant with a backend that needs nothing but Python; the numbers mean nothing."""

import sys
from collections.abc import Iterator

import pytest

from benchmarks import wire
from benchmarks.echoing import Echo
from benchmarks.figures import Work
from benchmarks.processes import Contestant, Lab, Unavailable
from benchmarks.works import Broadcast, CoreAlone, Growth, Handshakes, Idle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need epoll")

OURS = Contestant("wscore-selectors")
COMPRESSED = Contestant("wscore-selectors", compress="zlib")
FEW = Echo("few", connections=2)

WORKS = [
    pytest.param(FEW, OURS, id="ping-pong"),
    pytest.param(Echo("", connections=2, in_flight=64), OURS, id="many in flight"),
    pytest.param(Echo("", connections=1, size=1_000_000, opcode=wire.BINARY), OURS, id="big"),
    pytest.param(Echo("", connections=2, client=True), OURS, id="client"),
    pytest.param(Echo("", connections=1, size=65536, client=True), OURS, id="client, big"),
    pytest.param(Echo("", connections=1, in_flight=64, compressed=True), COMPRESSED, id="compressed"),
    pytest.param(Handshakes("", most=30), OURS, id="handshakes"),
    pytest.param(Idle("", connections=50), OURS, id="idle"),
    pytest.param(Broadcast("", connections=5), OURS, id="broadcast"),
    pytest.param(Broadcast("", connections=5, compressed=True), COMPRESSED, id="broadcast, compressed"),
    pytest.param(CoreAlone(""), Contestant("wscore"), id="core"),
    pytest.param(Growth("", FEW, Echo("", connections=4), opening=True), OURS, id="growth"),
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    with lab.pinned():
        yield lab


@pytest.mark.parametrize(("work", "contestant"), WORKS)
def test_a_work_gives_figures(lab: Lab, work: Work, contestant: Contestant) -> None:
    figures = work.measure(lab, contestant, 0.01)

    assert figures
    assert all(value >= 0 for name, value in figures.items() if name != "kib")


def test_a_contestant_that_cannot_begin_says_why(lab: Lab) -> None:
    with pytest.raises(Unavailable, match="nobody"):
        FEW.measure(lab, Contestant("nobody"), 0.01)


def test_pure_contestants_need_to_be_told_where_they_are() -> None:
    pure = Contestant("wscore", pure=True)

    assert not Lab().has(pure)
    assert Lab(pure_path="/somewhere").has(pure)
