"""Chance that repeats itself: the only place that names a random generator, and it must be given a seed."""

from random import Random
from typing import final


@final
class Chance:
    """A seeded source of choices; the same seed gives the same ones in every run.

    Args:
        seed: any number.
    """

    def __init__(self, seed: int) -> None:
        self._generator = Random(seed)

    def places(self, size: int, count: int) -> list[int]:
        """Choose 1 to count places in a stream of size bytes, in order; none of an empty one."""
        places = min(size, self._generator.randint(1, count))
        return sorted(self._generator.sample(range(size + 1), places))

    def between(self, low: int, high: int) -> int:
        """Choose a whole number from low to high, both included."""
        return self._generator.randint(low, high)

    def below(self, most: float) -> float:
        """Choose a number from 0 to most."""
        return self._generator.random() * most
