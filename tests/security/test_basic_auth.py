"""Row 50: how long an answer to a password takes tells nothing about it.

First the code is looked at, for what a clock can only suspect; then a clock is used (slow). The measure is
Welch's t of two samples that are drawn in turns: above 4.5 they differ, beyond what chance does. A comparison
that ends early is measured the same way, to show that it would be found.
"""

import ast
import gc
import hmac
import inspect
from base64 import b64encode
from collections.abc import Callable
from math import sqrt
from random import Random
from statistics import fmean, variance
from time import perf_counter_ns
from typing import Final, TypeAlias

import pytest

from wscore._http import Headers, Request, Response
from wscore.policy import _auth
from wscore.policy._auth import Authenticate, basic_auth

Pair: TypeAlias = tuple[str, str]  # user and password

SAMPLES: Final = 20_000
SIGNIFICANT: Final = 4.5
SECRET: Final = "correct horse battery staple, and then some more to compare"
USERS: Final = {"alice": "x" * len(SECRET), "bob": SECRET, "carol": "y"}


def trying(user: str, password: str) -> Request:
    """Return a request with these credentials."""
    value = b64encode(f"{user}:{password}".encode()).decode()
    return Request("GET", "/", Headers([("Authorization", f"Basic {value}")]))


# What is written.


def checking() -> ast.FunctionDef:
    """Return the function that compares, as it is written."""
    tree = ast.parse(inspect.getsource(_auth))
    [found] = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_check_of"
    ]
    [inner] = [node for node in found.body if isinstance(node, ast.FunctionDef)]
    return inner


def called(node: ast.AST) -> list[str]:
    """Return the names of the functions that are called inside node."""
    return [
        each.func.id
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
    ]


def test_row_50_passwords_are_compared_in_constant_time() -> None:
    """Cause: ``==``, which ends at the first difference. Correct: digests, and ``compare_digest`` alone."""
    compared = [node for node in ast.walk(checking()) if isinstance(node, ast.Compare)]
    assert compared == []
    assert sorted(called(checking())) == ["_digest", "compare_digest"]
    assert vars(_auth)["compare_digest"] is hmac.compare_digest


def test_row_50_unknown_users_take_the_same_way() -> None:
    """Cause: a user who is not there was refused before anything was compared. Correct: no branch and no way
    out before all have been compared; nothing is looked up by name."""
    body = checking().body
    [loop] = [node for node in body if isinstance(node, ast.For)]
    branches = (
        ast.If,
        ast.IfExp,
        ast.BoolOp,
        ast.Match,
        ast.While,
        ast.Try,
        ast.Subscript,
        ast.comprehension,
    )
    assert [node for node in ast.walk(checking()) if isinstance(node, branches)] == []
    leaving = (ast.Return, ast.Break, ast.Continue, ast.Raise)
    assert [node for node in ast.walk(loop) if isinstance(node, leaving)] == []
    assert isinstance(body[-1], ast.Return)


@pytest.mark.parametrize(
    ("user", "password"), [("bob", SECRET), ("bob", SECRET[:-1]), ("nobody", SECRET), ("carol", ""), ("", "")]
)
def test_row_50_every_attempt_is_compared_with_every_user(
    user: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Correct: as many comparisons for each, of bytes that are all of one length."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(_auth, "compare_digest", compare)
    refusal = basic_auth(USERS)(trying(user, password))
    assert isinstance(refusal, Response) is ((user, password) not in USERS.items())
    assert [(type(one), len(one), type(other), len(other)) for one, other in compared] == [
        (bytes, 32, bytes, 32)
    ] * len(USERS)


# What a clock sees.


def welch(check: Authenticate, one: Pair, other: Pair) -> float:
    """Return how sure it is that check takes different times for the two: Welch's t, without a sign.

    They are tried in turns, in an order that is drawn, and the slowest tenth of all is left out: that is when
    the machine did something else. Each request is made anew, untimed, and gone before the next: two that
    are kept lie in different places, and a processor is not equally quick at all of them. For the same reason
    both should be of the same length.
    """
    order = [index % 2 for index in range(2 * SAMPLES)]
    Random(50).shuffle(order)
    pairs = one, other
    times: tuple[list[int], list[int]] = [], []
    gc.collect()
    gc.disable()
    try:
        for which in order:
            request = trying(*pairs[which])
            begun = perf_counter_ns()
            check(request)
            took = perf_counter_ns() - begun
            del request
            times[which].append(took)
    finally:
        gc.enable()
    limit = sorted(times[0] + times[1])[int(2 * SAMPLES * 0.9)]
    return abs(t_of(*([time for time in each if time <= limit] for each in times)))


def t_of(one: list[int], other: list[int]) -> float:
    """Return Welch's t of two samples."""
    error = float(variance(one)) / len(one) + float(variance(other)) / len(other)
    return (fmean(one) - fmean(other)) / sqrt(error)


def test_welchs_t_is_that_of_the_textbook() -> None:
    assert t_of([1, 2, 3, 4], [3, 4, 5, 6, 7]) == pytest.approx((2.5 - 5) / sqrt(5 / 3 / 4 + 5 / 2 / 5))


def leaky(expected: str) -> Callable[[str, str], bool]:
    """Return a check that compares letter by letter and ends at the first difference."""

    def is_right(user: str, password: str) -> bool:
        if len(password) != len(expected):
            return False
        for given, wanted in zip(password, expected, strict=True):  # noqa: SIM110
            if given != wanted:
                return False
        return True

    return is_right


NOTHING_RIGHT: Final = "#" * len(SECRET)
NEARLY_RIGHT: Final = SECRET[:-1] + "#"


@pytest.mark.slow
def test_the_measure_sees_nothing_where_there_is_nothing() -> None:
    """The same credentials twice: what is seen here would be the machine's doing."""
    same = ("bob", NEARLY_RIGHT)
    assert welch(basic_auth(USERS), same, same) < SIGNIFICANT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("bob", NOTHING_RIGHT), ("bob", NEARLY_RIGHT)),
        (("bob", NEARLY_RIGHT), ("bub", NEARLY_RIGHT)),
        (("carol", NEARLY_RIGHT), ("alice", NEARLY_RIGHT)),
    ],
    ids=["the same beginning and another", "a user and nobody", "a short password and a long one"],
)
def test_row_50_a_clock_sees_no_difference(one: Pair, other: Pair) -> None:
    """Correct: |t| below 4.5 in 20,000 samples of each."""
    assert welch(basic_auth(USERS), one, other) < SIGNIFICANT


@pytest.mark.slow
def test_row_50_a_clock_would_see_a_comparison_that_ends_early() -> None:
    """Or a measure that sees nothing would have shown nothing."""
    check = basic_auth(leaky(SECRET))
    assert welch(check, ("bob", NOTHING_RIGHT), ("bob", NEARLY_RIGHT)) > SIGNIFICANT
