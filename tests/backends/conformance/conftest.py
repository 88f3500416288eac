"""Every backend, either side of a connection, with and without TLS: what each test of the suite is run with.

A test asks for as much as its subject depends on. `setting` runs it for every backend in both roles, with and
without TLS; `plain` and `secured` only without and with; `serving` and `dialling` in one role, which is what
pairs of our own ask for, too; `backend` once. For TLS without a choice of sides there is `secured_client`.
"""

from collections.abc import Iterator

import pytest

from support.conformance.facade import Driver
from support.conformance.registry import BACKENDS, make_driver
from support.conformance.setting import Contexts, Setting
from support.eventually import eventually
from wscore import Role


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    return Contexts()


@pytest.fixture(scope="session", params=BACKENDS)
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A backend, running for all of its tests."""
    driver = make_driver(request.param)
    driver.start()
    yield driver
    driver.stop()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(driver: Driver) -> Iterator[None]:
    """Check that every thread, task or socket of a connection or a server ends with it."""
    yield
    eventually(lambda: not driver.left_behind())
    assert driver.complaints() == []


@pytest.fixture(params=["server", "client"])
def role(request: pytest.FixtureRequest) -> Role:
    """Which side is ours."""
    return Role.SERVER if request.param == "server" else Role.CLIENT


@pytest.fixture(params=["ws", "wss"])
def secure(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "wss")


# The full product, and parts of it.


@pytest.fixture
def setting(driver: Driver, role: Role, secure: bool, contexts: Contexts) -> Setting:
    return Setting(driver, role, contexts if secure else None)


@pytest.fixture(params=["server-wss", "client-ws"])
def crossed(request: pytest.FixtureRequest, driver: Driver, contexts: Contexts) -> Setting:
    """Either role, and with or without TLS, in two settings instead of four: for tests that take long."""
    server = request.param == "server-wss"
    return Setting(driver, Role.SERVER if server else Role.CLIENT, contexts if server else None)


@pytest.fixture
def plain(driver: Driver, role: Role) -> Setting:
    return Setting(driver, role, None)


@pytest.fixture
def secured(driver: Driver, role: Role, contexts: Contexts) -> Setting:
    return Setting(driver, role, contexts)


@pytest.fixture
def serving(driver: Driver, secure: bool, contexts: Contexts) -> Setting:
    return Setting(driver, Role.SERVER, contexts if secure else None)


@pytest.fixture
def dialling(driver: Driver, secure: bool, contexts: Contexts) -> Setting:
    return Setting(driver, Role.CLIENT, contexts if secure else None)


@pytest.fixture
def secured_client(driver: Driver, contexts: Contexts) -> Setting:
    return Setting(driver, Role.CLIENT, contexts)


@pytest.fixture
def backend(driver: Driver) -> Setting:
    return Setting(driver, Role.SERVER, None)


# Some backends only.


@pytest.fixture
def running(backend: Setting) -> Setting:
    """For every backend whose handlers may be functions of the session."""
    if not backend.driver.runs_functions:
        pytest.skip("its handlers are endpoints")
    return backend


@pytest.fixture
def complete(setting: Setting) -> Setting:
    """For every backend but the example, in every setting."""
    return _unless_example(setting)


@pytest.fixture
def completed(serving: Setting) -> Setting:
    """For every backend but the example, as a server."""
    return _unless_example(serving)


@pytest.fixture
def completed_client(dialling: Setting) -> Setting:
    """For every backend but the example, as a client."""
    return _unless_example(dialling)


def _unless_example(setting: Setting) -> Setting:
    if not setting.driver.complete:
        pytest.skip("the example leaves this out")
    return setting
