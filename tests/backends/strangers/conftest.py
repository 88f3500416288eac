"""One event loop and one set of certificates for all strangers."""

from collections.abc import Iterator

import pytest

# The suites are not test modules by their names, and their asserts should explain themselves all the same.
pytest.register_assert_rewrite("support.our_server_suite", "support.our_client_suite", "support.strangers")

from support.certificates import Certificates, make_certificates  # noqa: E402  # after the line above
from support.strangers import LoopThread  # noqa: E402


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread
