"""`override` where Python does not have it yet: a mark for type checkers, and nothing at run time."""

import pytest

from wscore import _typing
from wscore._typing import override


class Base:
    def greet(self, name: str) -> str:
        """Say hello."""
        return f"hello {name}"

    @property
    def size(self) -> int:
        return 1


class Derived(Base):
    @override
    def greet(self, name: str) -> str:
        """Say it louder."""
        return super().greet(name).upper()

    @property
    @override
    def size(self) -> int:
        return 2


def test_a_marked_method_replaces_the_one_of_the_base_class() -> None:
    assert (Derived().greet("you"), Derived().size) == ("HELLO YOU", 2)
    assert Derived.greet.__doc__ == "Say it louder."


@pytest.mark.parametrize("method", [len, Base.greet, print, lambda: None])
def test_the_mark_hands_out_what_it_was_given(method: object) -> None:
    assert override(method) is method  # type: ignore[type-var]


def test_the_mark_is_all_that_the_module_offers() -> None:
    assert _typing.__all__ == ["override"]
