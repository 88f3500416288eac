"""Every test here runs on every backend, without proxies in its environment, and leaves nothing behind."""

import importlib.util
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificates import Certificates, make_certificates
from support.clients import DRIVERS, Driver
from support.eventually import eventually

HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None

_DESCRIPTORS = Path("/proc/self/fd")


def _descriptors() -> int:
    """Count what is open; 0 where the system does not tell."""
    return len(list(_DESCRIPTORS.iterdir())) if _DESCRIPTORS.exists() else 0


def _threads() -> list[str]:
    """Name the threads of ours; the housekeeper of the threaded backend ends by itself."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("wscore") and name != "wscore-housekeeper"]


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the machine says of proxies."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def warmed_up() -> None:
    """Let libuv open what it keeps for the life of the process."""
    if HAS_UVLOOP:
        DRIVERS["uvloop"]().close()


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, warmed_up: None) -> Iterator[Driver]:
    """Return a backend to test; afterwards its threads and sockets must be gone."""
    if request.param == "uvloop" and not HAS_UVLOOP:
        pytest.skip("uvloop is not installed")
    before = _descriptors()
    driver = DRIVERS[request.param]()
    yield driver
    driver.close()
    eventually(lambda: not _threads())
    eventually(lambda: _descriptors() <= before)


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()


@pytest.fixture(scope="session")
def strange_certificates() -> Certificates:
    """Of an authority that nobody knows but who is told."""
    return make_certificates()
