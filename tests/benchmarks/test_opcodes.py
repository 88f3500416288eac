"""The core takes no more instructions than were recorded."""

import pytest

from benchmarks import opcodes


@pytest.mark.skipif(not opcodes.is_interpreted(), reason="a compiled core executes no bytecode")
@pytest.mark.skipif(opcodes.VERSION not in opcodes.read(), reason="nothing recorded for this version")
def test_instructions_are_as_recorded() -> None:
    changes = opcodes.compare(opcodes.read()[opcodes.VERSION], opcodes.measure())

    assert not changes, "\n".join(changes)


@pytest.mark.skipif(not opcodes.is_interpreted(), reason="a compiled core executes no bytecode")
def test_counting_twice_gives_the_same() -> None:
    turn, _ = opcodes.works()["server: each of 64 messages in and out"]

    assert opcodes.count(turn) == opcodes.count(turn) > 64 * 50


@pytest.mark.parametrize(("now", "said"), [(103.0, ""), (104.0, "took 100"), (97.0, ""), (96.0, "--update")])
def test_three_per_cent_either_way_are_no_change(now: float, said: str) -> None:
    found = opcodes.compare({"a": 100.0}, {"a": now})

    assert bool(found) is bool(said)
    assert all(said in sentence for sentence in found)


def test_works_and_records_must_belong_together() -> None:
    assert opcodes.compare({"gone": 1.0}, {"new": 1.0}) == [
        "new: not recorded",
        "gone: recorded, but no such work",
    ]
