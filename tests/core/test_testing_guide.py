"""What the guide to testing shows is run: its sessions as doctests, its tests by pytest."""

import doctest
import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
SESSIONS = [block for block in BLOCKS if block.startswith(">>> ")]
PLUGIN = ("-p", "no:wscore", "-p", "wscore.testing.plugin", "-p", "no:cacheprovider")


def test_the_sessions_go_as_they_are_printed() -> None:
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    names: dict[str, object] = {}  # a session goes on where the one before it ended
    for number, session in enumerate(SESSIONS):
        test = parser.get_doctest(session, names, f"session {number}", str(GUIDE), 0)
        runner.run(test, clear_globs=False)
        names = test.globs
    results = runner.summarize()
    assert results.failed == 0
    assert results.attempted > 20


def test_the_tests_pass(pytester: pytest.Pytester) -> None:
    tests = [block for block in BLOCKS if block not in SESSIONS]
    pytester.makepyfile(*tests[:1], test_other="".join(tests[1:]))
    count = "".join(tests).count("def test_")
    assert count > 2
    pytester.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=count)
