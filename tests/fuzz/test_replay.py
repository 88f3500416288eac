"""Every seed, and every input that once broke a promise, goes through its target without a finding.

This needs no fuzzer and runs with every change. When the fuzzer finds something new, its input is put into
crashers/<target>/, with a name that says what was wrong, and stays there.
"""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import pytest

from fuzz.run import TARGETS as NAMES
from fuzz.targets import TARGETS, Note, cut, joined
from wscore import Event, Fragment

HERE: Final = Path(__file__).parent
FILES: Final = sorted(HERE.glob("seeds/*/*")) + sorted(HERE.glob("crashers/*/*"))
MOST_FILES: Final = 300
MOST_BYTES: Final = 300_000
MUTATIONS: Final = 3


def inputs(kind: str) -> list[object]:
    return [
        pytest.param(path, id=f"{path.parent.name}: {path.name}")
        for path in FILES
        if path.parents[1].name == kind
    ]


@pytest.mark.parametrize("path", inputs("crashers"))
def test_what_was_found_once_stays_mended(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("path", inputs("seeds"))
def test_a_seed_breaks_no_promise(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stat().st_size][::4], ids=lambda path: path.name
)
def test_a_mutated_seed_breaks_no_promise(path: Path) -> None:
    data = path.read_bytes()
    chance = Random(len(data))
    for _ in range(MUTATIONS):
        place = chance.randrange(len(data))
        TARGETS[path.parent.name](data[:place] + chance.randbytes(chance.randrange(4)) + data[place + 1 :])


def test_every_target_has_seeds_and_there_are_not_too_many() -> None:
    counts = Counter(path.parent.name for path in FILES)
    assert set(counts) == set(TARGETS) == set(NAMES)
    assert min(counts.values()) >= 30
    assert len(FILES) < MOST_FILES
    assert sum(path.stat().st_size for path in FILES) < MOST_BYTES


def test_a_stream_is_cut_in_several_ways_and_nothing_gets_lost() -> None:
    for size in (0, 1, 2, 300, 5000):
        data = Random(size).randbytes(size)
        cuttings = list(cut(data))
        assert len(cuttings) == 4
        for pieces in cuttings:
            assert b"".join(pieces) == data


def test_neighbouring_fragments_of_one_message_are_joined() -> None:
    parts: list[Event | Note] = [Fragment("a", False), Fragment("b", True), Fragment("c", False)]
    parts += [b"x", Fragment("d", True)]
    assert joined(parts) == [Fragment("ab", True), Fragment("c", False), b"x", Fragment("d", True)]
