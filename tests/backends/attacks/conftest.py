"""Attacks on real servers: each test runs for every backend, most of them against a process of its own."""

import sys

import pytest

from support.servers import BACKENDS, ON_LOOPS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a backend with each.

    ``looping``: those on a loop. ``awaiting``: those whose handlers may take their time.
    ``backend_and_service``: with everything that takes no messages before it is released.
    """
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", BACKENDS)
    if "looping" in metafunc.fixturenames:
        metafunc.parametrize("looping", ON_LOOPS)
    if "awaiting" in metafunc.fixturenames:
        metafunc.parametrize("awaiting", [name for name in BACKENDS if name != "selectors"])
    if "backend_and_service" in metafunc.fixturenames:
        pairs = [(backend, service) for backend in BACKENDS for service in ("hoard", "late")]
        pairs = [pair for pair in pairs if pair != ("selectors", "late")]  # it runs no functions
        metafunc.parametrize("backend_and_service", pairs, ids=map("-".join, pairs))


@pytest.fixture(autouse=True)
def only_on_linux() -> None:
    """What limits and measures these processes is Linux's own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the limits and measurements are those of Linux")
