"""Handlers that backends without coroutines can serve."""

from typing import Any

import pytest

from wscore import Endpoint
from wscore._typing import override
from wscore.policy import Router, awaits, check_plain


def plain(session: Any) -> None: ...


async def awaited(session: Any) -> None: ...


class Plain(Endpoint):
    @override
    def on_message(self, session: Any, message: str | bytes) -> None: ...


class Awaited(Endpoint):
    @override
    async def on_message(self, session: Any, message: str | bytes) -> None: ...


class AwaitedOption(Endpoint):
    async def on_ping(self, session: Any, payload: bytes) -> None: ...


def routes(*handlers: Any) -> Router:
    router = Router()
    for number, handler in enumerate(handlers):
        router.add(f"/{number}", handler)
    return router


@pytest.mark.parametrize(
    "handler",
    [plain, Plain, Plain(), Endpoint.factory(Awaited), routes(plain, Plain)],
    ids=["function", "class", "instance", "factory", "routes"],
)
def test_plain_handlers_pass(handler: Any) -> None:
    check_plain(handler)


@pytest.mark.parametrize(
    "handler",
    [awaited, Awaited, Awaited(), AwaitedOption, routes(plain, awaited), routes(Plain, Awaited)],
    ids=["function", "class", "instance", "optional hook", "routed function", "routed class"],
)
def test_a_coroutine_function_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match="wscore_asyncio"):
        check_plain(handler)


@pytest.mark.parametrize(
    ("endpoint", "expected"), [(Plain(), False), (Awaited(), True), (AwaitedOption(), True)]
)
def test_an_endpoint_awaits_if_one_of_its_hooks_must_be_awaited(endpoint: Endpoint, expected: bool) -> None:
    assert awaits(endpoint) is expected


def test_an_instance_may_have_a_hook_that_its_class_has_not() -> None:
    endpoint, other = Plain(), Plain()
    endpoint.on_pong = awaited  # type: ignore[attr-defined]
    assert awaits(endpoint)
    assert not awaits(other)
    other.on_ping = plain  # type: ignore[attr-defined]
    assert not awaits(other)


def test_a_class_is_looked_at_once() -> None:
    assert awaits(Awaited()) is awaits(Awaited()) is True
    assert awaits(Plain()) is awaits(Plain()) is False
