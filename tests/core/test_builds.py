"""The two builds: which one this is, and that nothing but its speed tells it from the other.

Both are compared with the same digests of transcripts, which were made once and are kept beside the tests.
"""

import os
from pathlib import Path

import pytest

import wscore
from support.build import COMPILED
from support.transcripts import BLOCK, digests, transcript

SEED = 6455
DIGESTS = (Path(__file__).parents[1] / "support" / "transcripts.txt").read_text(encoding="ascii").split()
USUAL = 2  # blocks in every run


def test_the_build_is_the_one_that_was_asked_for() -> None:
    expected = os.environ.get("WSCORE_EXPECT")
    if expected is None:
        pytest.skip("WSCORE_EXPECT does not say which build this must be")
    assert expected in ("compiled", "pure")
    assert str(wscore._connection.__file__).endswith(".py") is (expected == "pure")
    assert (expected == "compiled") is COMPILED


def test_the_build_says_which_one_it_is() -> None:
    assert ("compiled" if COMPILED else "pure Python") == wscore.BUILD


def test_a_transcript_repeats() -> None:
    assert transcript(SEED, 5) == transcript(SEED, 5) != transcript(SEED, 6)


def test_both_builds_have_the_same_conversations() -> None:
    assert list(digests(SEED, USUAL * BLOCK)) == DIGESTS[:USUAL]


@pytest.mark.slow
def test_both_builds_have_the_same_conversations_in_all_blocks() -> None:
    for number, digest in enumerate(digests(SEED, len(DIGESTS) * BLOCK)):
        assert digest == DIGESTS[number], f"block {number}"
