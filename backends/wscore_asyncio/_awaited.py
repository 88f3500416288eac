"""What `connect` and `serve` return: nothing begins before it is awaited, or entered."""

from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar, final

Result = TypeVar("Result", bound=AbstractAsyncContextManager[Any, None])


@final
class Awaited(Generic[Result]):
    """Await it to have the result, or enter it to have it for a while.

    Args:
        open_: opens the result.
    """

    __slots__ = ("_open", "_result")

    def __init__(self, open_: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        self._open = open_

    def __await__(self) -> Generator[Any, None, Result]:
        return self._open().__await__()

    async def __aenter__(self) -> Result:
        self._result = await self._open()
        return self._result

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        await self._result.__aexit__(kind, error, trace)
