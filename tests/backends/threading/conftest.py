"""What every test of the threaded backend gets, and what none may leave behind."""

import threading
from collections.abc import Iterator

import pytest

from support.certificates import Certificates, make_certificates
from support.eventually import eventually


def _left_behind() -> list[str]:
    """Return the names of our threads that outlive their connection; the housekeeper ends by itself."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("wscore") and name != "wscore-housekeeper"]


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """Check that every thread of a connection or a server ends with it."""
    yield
    eventually(lambda: not _left_behind())


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()
