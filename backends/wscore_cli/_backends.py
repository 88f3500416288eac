"""The same server on each backend; one is chosen by how the program should wait.

Each function starts a server, announces its port, and returns when a signal has come and the shutdown is
over. Only what is used is loaded.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from wscore import Endpoint


class Listening:
    """Where and how a server listens.

    Args:
        endpoint: serves every connection.
        host, port: where.
        settings: the other arguments of `serve`.
        announce: called with the port when the server can be reached.
        failure: makes an error to raise from that of the system when the server cannot be started.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        host: str,
        port: int,
        *,
        settings: Mapping[str, Any],
        announce: Callable[[int], object],
        failure: Callable[[OSError], Exception],
    ) -> None:
        self.where = endpoint, host, port
        self.settings = settings
        self.announce = announce
        self.failure = failure


def _threading(listening: Listening) -> None:
    import wscore_threading

    try:
        server = wscore_threading.serve(*listening.where, **listening.settings)
    except OSError as error:
        raise listening.failure(error) from error
    with server:
        listening.announce(server.port)
        server.serve_until_signal()


def _asyncio(listening: Listening) -> None:
    import asyncio

    import wscore_asyncio

    async def main() -> None:
        try:
            server = await wscore_asyncio.serve(*listening.where, **listening.settings)
        except OSError as error:
            raise listening.failure(error) from error
        async with server:
            listening.announce(server.port)
            await server.serve_until_signal()

    asyncio.run(main())


def _selectors(listening: Listening) -> None:
    import wscore_selectors

    with wscore_selectors.Reactor() as reactor:
        try:
            server = reactor.serve(*listening.where, **listening.settings)
        except OSError as error:
            raise listening.failure(error) from error
        listening.announce(server.port)
        reactor.run_until_signal()


BACKENDS: Final[Mapping[str, Callable[[Listening], None]]] = {
    "threading": _threading,
    "asyncio": _asyncio,
    "selectors": _selectors,
}
