"""wscore's servers and clients: each backend, in the ways that its documentation shows."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, final

import wscore_asyncio
import wscore_selectors
import wscore_threading
from benchmarks.contestants import Options, Program, answer, on_uvloop, zlib_module
from benchmarks.overriding import override
from wscore import Config, Deflate, Endpoint, Handler, Limits, PreparedMessage

_HOST: Final = "127.0.0.1"
_MANY: Final = 100_000
_SERVE: Final[dict[str, Any]] = {"max_connections": _MANY, "max_pending": _MANY}
_BIG: Final = 16 * 1024 * 1024

Runner = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@final
class Echo(Endpoint):
    """Sends everything back."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(message)


@final
class Crowd(Endpoint):
    """Sends everything to everybody.

    Args:
        broadcast: of the backend.
    """

    def __init__(self, broadcast: Callable[[Any, PreparedMessage], object]) -> None:
        self._broadcast = broadcast
        self._sessions: list[Any] = []

    @override
    def on_connect(self, session: Any) -> None:
        self._sessions.append(session)

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self._broadcast(self._sessions, PreparedMessage(message))


def config(options: Options) -> Config:
    """Return the settings: the defaults, with room for bursts, and with compression if asked for."""
    compression = Deflate(zlib=zlib_module(options.compress)) if options.compress else None
    return Config(compression=compression, limits=Limits(outbox_limit=_BIG))


async def _await(session: Any) -> None:
    async for message in session:
        await session.send(message)


def _block(session: Any) -> None:
    for message in session:
        session.send(message)


# Servers.


def _serve_asyncio(runner: Runner, handler: Handler, options: Options) -> None:
    async def work() -> None:
        chosen = Crowd(wscore_asyncio.broadcast) if options.broadcast else handler
        async with wscore_asyncio.serve(chosen, _HOST, config=config(options), **_SERVE) as server:
            answer(server.port)
            await server.serve_forever()

    runner(work)


def _serve_selectors(options: Options) -> None:
    with wscore_selectors.Reactor() as reactor:
        chosen = Crowd(wscore_selectors.broadcast) if options.broadcast else Echo()
        answer(reactor.serve(chosen, _HOST, config=config(options), **_SERVE).port)
        reactor.run()


def _serve_threading(options: Options) -> None:
    with wscore_threading.serve(_block, _HOST, config=config(options)) as server:
        answer(server.port)
        server.serve_forever()


def _on_asyncio(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


SERVERS: Final[dict[str, Program]] = {
    "wscore-asyncio": partial(_serve_asyncio, on_uvloop, Echo()),
    "wscore-asyncio-stock": partial(_serve_asyncio, _on_asyncio, Echo()),
    "wscore-await": partial(_serve_asyncio, on_uvloop, _await),
    "wscore-selectors": _serve_selectors,
    "wscore-threading": _serve_threading,
}


# Clients.


def _url(options: Options) -> str:
    return f"ws://{_HOST}:{options.port}/"


def _connect_asyncio(handler: Handler, options: Options) -> None:
    async def work() -> None:
        connect = partial(wscore_asyncio.connect, config=config(options), proxy=None)
        sessions = [await connect(_url(options), handler) for _ in range(options.connections)]
        answer(len(sessions))
        await asyncio.Event().wait()

    on_uvloop(work)


def _connect_selectors(options: Options) -> None:
    with wscore_selectors.Reactor() as reactor:
        for _ in range(options.connections):
            reactor.connect(_url(options), Echo(), config=config(options), proxy=None)
        answer(options.connections)
        reactor.run()


CLIENTS: Final[dict[str, Program]] = {
    "wscore-asyncio": partial(_connect_asyncio, Echo()),
    "wscore-await": partial(_connect_asyncio, _await),
    "wscore-selectors": _connect_selectors,
}
