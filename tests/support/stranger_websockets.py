"""The `websockets` library as a stranger: its blocking and its asyncio half, as clients and as servers.

Unlike others it can send a message in fragments; both kinds of peer offer that as `send_fragments`.
"""

import asyncio
import ssl as ssl_module
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar, final

import websockets.asyncio.client
import websockets.asyncio.connection
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.connection
import websockets.sync.server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol

from .stranger_cases import MEBIBYTE, Refusal
from .strangers import PATIENCE, Dial, Ended, LoopThread, Play, Refused, Script, Stage

T = TypeVar("T")
_Parts = Sequence[str] | Sequence[bytes]


@final
class SyncPeer:
    """A connection of ``websockets.sync``."""

    def __init__(self, connection: websockets.sync.connection.Connection) -> None:
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def compressed(self) -> bool:
        return bool(self._connection.protocol.extensions)

    def send(self, message: str | bytes) -> None:
        with _ending():
            self._connection.send(message)

    def send_fragments(self, parts: _Parts, *, text: bool | None = None, ping: bytes | None = None) -> None:
        """Send each of parts in a frame of its own.

        Args:
            text: True sends bytes as text.
            ping: sent behind the first of them; its pong is waited for.
        """
        pongs: list[threading.Event] = []

        def pieces() -> Iterator[Any]:
            for part in parts:
                yield part
                if ping is not None and not pongs:
                    pongs.append(self._connection.ping(ping))

        with _ending():
            self._connection.send(pieces(), text=text)
        assert all(pong.wait(PATIENCE) for pong in pongs)

    def recv(self) -> str | bytes:
        with _ending():
            return self._connection.recv(PATIENCE)

    def ping(self, payload: bytes) -> None:
        assert self._connection.ping(payload).wait(PATIENCE)

    def pong(self, payload: bytes) -> None:
        self._connection.pong(payload)

    def close(self, code: int, reason: str) -> None:
        self._connection.close(code, reason)


@final
class AsyncioPeer:
    """A connection of ``websockets.asyncio``, whose loop runs in another thread."""

    def __init__(self, connection: websockets.asyncio.connection.Connection, loop: LoopThread) -> None:
        self._connection = connection
        self._loop = loop

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def compressed(self) -> bool:
        return bool(self._connection.protocol.extensions)

    def send(self, message: str | bytes) -> None:
        self._run(self._connection.send(message))

    def send_fragments(self, parts: _Parts, *, text: bool | None = None, ping: bytes | None = None) -> None:
        """As `SyncPeer.send_fragments`."""

        async def send() -> None:
            pongs: list[Any] = []

            async def pieces() -> AsyncIterator[Any]:
                for part in parts:
                    yield part
                    if ping is not None and not pongs:
                        pongs.append(await self._connection.ping(ping))

            await self._connection.send(pieces(), text=text)
            await asyncio.gather(*pongs)

        self._run(send())

    def recv(self) -> str | bytes:
        return self._run(self._connection.recv())

    def ping(self, payload: bytes) -> None:
        async def ping() -> None:
            await (await self._connection.ping(payload))

        self._run(ping())

    def pong(self, payload: bytes) -> None:
        self._run(self._connection.pong(payload))

    def close(self, code: int, reason: str) -> None:
        self._run(self._connection.close(code, reason))

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with _ending():
            return self._loop.run(coroutine)


WebsocketsPeer: TypeAlias = SyncPeer | AsyncioPeer


@contextmanager
def _ending() -> Iterator[None]:
    """Say in our words that the connection has ended."""
    try:
        yield
    except ConnectionClosed as error:
        received = error.rcvd
        if received is None:
            raise Ended(1006, "") from error
        raise Ended(received.code, received.reason) from None


def _refused(error: InvalidStatus) -> Refused:
    return Refused(error.response.status_code, error.response.headers, bytes(error.response.body or b""))


def _names(subprotocols: Sequence[str]) -> list[Subprotocol] | None:
    return [Subprotocol(name) for name in subprotocols] or None


@contextmanager
def dial_sync(
    url: str,
    *,
    subprotocols: Sequence[str] = (),
    origin: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    max_size: int = MEBIBYTE,
    deflate: bool = False,
) -> Iterator[SyncPeer]:
    """Connect with ``websockets.sync``; see `Dial`. A context that it is given speaks TLS 1.2 afterwards."""
    if ssl is not None:
        # It uses one TLS object in two threads at once. With TLS 1.3 the session tickets, which arrive while
        # it writes the request, cost it that request a few times in a thousand, whoever the server is.
        ssl.maximum_version = ssl_module.TLSVersion.TLSv1_2
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(
                websockets.sync.client.connect(
                    url,
                    subprotocols=_names(subprotocols),
                    origin=None if origin is None else Origin(origin),
                    ssl=ssl,
                    max_size=max_size,
                    compression="deflate" if deflate else None,
                    open_timeout=PATIENCE,
                    close_timeout=PATIENCE,
                    proxy=None,
                )
            )
        except InvalidStatus as error:
            raise _refused(error) from None
        yield SyncPeer(connection)


def asyncio_dial(loop: LoopThread) -> Dial:
    """Make a `Dial` that connects with ``websockets.asyncio``."""

    @contextmanager
    def dial(
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        deflate: bool = False,
    ) -> Iterator[AsyncioPeer]:
        async def connect() -> websockets.asyncio.client.ClientConnection:
            return await websockets.asyncio.client.connect(
                url,
                subprotocols=_names(subprotocols),
                origin=None if origin is None else Origin(origin),
                max_size=max_size,
                compression="deflate" if deflate else None,
                open_timeout=PATIENCE,
                close_timeout=PATIENCE,
                proxy=None,
                ssl=ssl,
            )

        try:
            connection = loop.run(connect())
        except InvalidStatus as error:
            raise _refused(error) from None
        try:
            yield AsyncioPeer(connection, loop)
        finally:
            # A second close() of what ended with unsent bytes aborts a transport that has no loop any more.
            if connection.state is not State.CLOSED:
                loop.run(connection.close())

    return dial


_Answer = Callable[[Any, Request], Response | None]


def _answer(refusal: Refusal | None) -> _Answer:
    """Make what answers a request: with refusal; None: go on."""

    def answer(connection: Any, request: Request) -> Response | None:
        if refusal is None:
            return None
        response: Response = connection.respond(HTTPStatus(refusal.status), refusal.body.decode())
        name, value = refusal.header
        response.headers[name] = value
        return response

    return answer


@contextmanager
def play_sync(
    script: Script,
    *,
    subprotocols: Sequence[str] = (),
    ssl: ssl_module.SSLContext | None = None,
    max_size: int = MEBIBYTE,
    refusal: Refusal | None = None,
) -> Iterator[str]:
    """Serve with ``websockets.sync``; see `Play`."""
    with (
        Stage(script) as stage,
        websockets.sync.server.serve(
            lambda connection: stage.play(SyncPeer(connection)),
            "127.0.0.1",
            0,
            ssl=ssl,
            subprotocols=_names(subprotocols),
            max_size=max_size,
            process_request=_answer(refusal),
            close_timeout=PATIENCE,
        ) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join(PATIENCE)


def asyncio_play(loop: LoopThread) -> Play:
    """Make a `Play` that serves with ``websockets.asyncio``."""

    @contextmanager
    def play(
        script: Script,
        *,
        subprotocols: Sequence[str] = (),
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        refusal: Refusal | None = None,
    ) -> Iterator[str]:
        async def handle(connection: websockets.asyncio.server.ServerConnection) -> None:
            await asyncio.to_thread(stage.play, AsyncioPeer(connection, loop))

        async def start() -> websockets.asyncio.server.Server:
            return await websockets.asyncio.server.serve(
                handle,
                "127.0.0.1",
                0,
                subprotocols=_names(subprotocols),
                max_size=max_size,
                process_request=_answer(refusal),
                close_timeout=PATIENCE,
                ssl=ssl,
            )

        async def stop() -> None:
            server.close()
            await server.wait_closed()

        with Stage(script) as stage:
            server = loop.run(start())
            try:
                yield f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
            finally:
                loop.run(stop())

    return play
