"""What all strangers share: an event loop, a node process, certificates; and what each is known to lack.

A test module may say two things about its stranger. In ``LACKS``: what it cannot do; those tests make no
sense and are skipped. In ``DEFECTS``: what it does wrong; those tests must fail, and when one passes some
day, that is told. Both map the name of a test, or that and its row, to the reason.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

# The suites are not test modules by their names, and their asserts should explain themselves all the same.
pytest.register_assert_rewrite(
    "support.our_server_suite",
    "support.our_client_suite",
    "support.our_servers_in_brief",
    "support.our_clients_in_brief",
    "support.strangers",
)

from differential.adapter_node import missing  # noqa: E402
from support.certificates import Certificates, make_certificates  # noqa: E402
from support.conformance.facade import Driver  # noqa: E402
from support.conformance.registry import BACKENDS, make_driver  # noqa: E402
from support.stranger_ws import NodeProcess  # noqa: E402
from support.strangers import LoopThread  # noqa: E402

# Each takes a while, and says more about us than about the stranger.
_ONCE = (
    "test_its_ping_is_answered_while_the_handler_is_busy",
    "test_its_ping_is_answered_while_we_do_something_else",
    "test_sixteen_mebibytes_come_back",
    "test_sixteen_mebibytes_come_back_uncompressed",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a stranger is known to lack, or to do wrong; and what need not always be run."""
    here = Path(__file__).parent
    for item in items:
        if isinstance(item, pytest.Function) and item.path.parent == here:
            if reason := _known(item, "LACKS"):
                item.add_marker(pytest.mark.skip(reason=reason))
            if reason := _known(item, "DEFECTS"):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
            if _is_slow(item):
                item.add_marker(pytest.mark.slow)


def _known(item: pytest.Function, table: str) -> str | None:
    """Look a test up in a table of its module."""
    reasons: Mapping[str, str] = getattr(item.module, table, {})
    return reasons.get(item.name) or reasons.get(item.originalname)


def _is_slow(item: pytest.Function) -> bool:
    """Tell whether a test can be left to the long run: another one shows the same of us."""
    row = item.callspec.params if hasattr(item, "callspec") else {}
    if "started" in row:  # one half of `websockets` is enough for the other backends
        return "sync" in (row.get("dial"), row.get("play"))
    return item.originalname in _ONCE and not item.path.name.startswith("test_websockets_")


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


@pytest.fixture(scope="session")
def node() -> Iterator[NodeProcess]:
    """Run npm's ws."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with NodeProcess() as process:
        yield process


@pytest.fixture(scope="session", params=["asyncio", "uvloop", "selectors"])
def started(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Run a backend; the threaded one needs none, and has the long table."""
    if request.param not in BACKENDS:
        pytest.skip(f"{request.param} is not installed")
    driver = make_driver(request.param)
    driver.start()
    yield driver
    driver.stop()


@pytest.fixture
def driver(started: Driver) -> Iterator[Driver]:
    """Return a backend, which must have nothing to complain of afterwards."""
    started.complaints()
    yield started
    assert started.complaints() == []
