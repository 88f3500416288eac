"""The list of backends is what it is believed to be: none is left out because an import failed."""

import sys

from support.conformance.facade import Driver
from support.conformance.registry import BACKENDS


def test_every_backend_takes_part() -> None:
    expected = ["threading", "asyncio", "uvloop", "selectors", "trio"]
    if sys.platform == "win32":
        expected.remove("uvloop")  # there is none
    assert list(BACKENDS) == expected


def test_each_takes_part_under_its_own_name(driver: Driver) -> None:
    assert driver.name in BACKENDS
