"""What every test of the asyncio backend gets: a kind of loop, and a check of what is left behind."""

from functools import partial
from inspect import iscoroutinefunction
from typing import cast

import pytest

from support.certificates import Certificates, make_certificates
from support.looped import LOOPS, LoopFactory, loop_factory, run


@pytest.fixture(params=LOOPS, autouse=True)
def new_loop(request: pytest.FixtureRequest) -> LoopFactory:
    """Make a loop of the kind that the test is to run on."""
    try:
        return loop_factory(request.param)
    except ImportError:
        pytest.skip("uvloop is not installed")


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function."""
    if not iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    run(partial(pyfuncitem.obj, **wanted), cast(LoopFactory, pyfuncitem.funcargs["new_loop"]))
    return True
