"""aiohttp as a stranger: its client and its server.

It answers pings only while it receives, and cannot send fragments. Its own
answering (``autoping``) is off, so that a test sees the pongs.
"""

import asyncio
import ssl as ssl_module
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar, final

import aiohttp
from aiohttp import web

from .stranger_cases import MEBIBYTE, Refusal
from .strangers import PATIENCE, Dial, Ended, LoopThread, Play, Refused, Script, Stage

T = TypeVar("T")
_Socket: TypeAlias = "aiohttp.ClientWebSocketResponse | web.WebSocketResponse"


@final
class AiohttpPeer:
    """A connection of aiohttp, whose loop runs in another thread."""

    def __init__(self, socket: _Socket, subprotocol: str | None, loop: LoopThread) -> None:
        self._socket = socket
        self._subprotocol = subprotocol
        self._loop = loop
        self._pongs: list[bytes] = []
        self._unread: deque[str | bytes] = deque()  # what arrived while a pong was waited for
        self._end: Ended | None = None

    @property
    def subprotocol(self) -> str | None:
        return self._subprotocol

    @property
    def compressed(self) -> bool:
        return bool(self._socket.compress)

    def send(self, message: str | bytes) -> None:
        sent = (
            self._socket.send_str(message) if isinstance(message, str) else self._socket.send_bytes(message)
        )
        try:
            self._loop.run(sent)
        except ConnectionResetError:  # aiohttp's error is one, too
            raise Ended(1006, "") from None

    def recv(self) -> str | bytes:
        while not self._unread:
            self._receive()
        return self._unread.popleft()

    def ping(self, payload: bytes) -> None:
        self._loop.run(self._socket.ping(payload))
        while not self._pongs:
            self._receive()
        assert self._pongs.pop() == payload

    def pong(self, payload: bytes) -> None:
        self._loop.run(self._socket.pong(payload))

    def close(self, code: int, reason: str) -> None:
        self._loop.run(self._socket.close(code=code, message=reason.encode()))
        self._end = Ended(self._socket.close_code or 1006, "")  # it does not keep the reason

    def _receive(self) -> None:
        """Receive once, and keep it, answer it or raise the end."""
        if self._end is not None:
            raise self._end
        message: Any = self._loop.run(self._socket.receive())
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                self._unread.append(message.data)
                return
            case aiohttp.WSMsgType.PING:
                self._loop.run(self._socket.pong(message.data))
                return
            case aiohttp.WSMsgType.PONG:
                self._pongs.append(message.data)
                return
            case aiohttp.WSMsgType.CLOSE:
                self._end = Ended(message.data, message.extra or "")
            case _:
                self._end = Ended(1006, "")
        raise self._end


def aiohttp_dial(loop: LoopThread) -> Dial:
    """Make a `Dial` that connects with aiohttp."""

    @contextmanager
    def dial(
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        deflate: bool = False,
    ) -> Iterator[AiohttpPeer]:
        async def connect(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
            return await session.ws_connect(
                url,
                protocols=subprotocols,
                origin=origin,
                ssl=True if ssl is None else ssl,
                max_msg_size=max_size + 1,  # the first size that is too big
                compress=15 if deflate else 0,
                autoping=False,
                timeout=aiohttp.ClientWSTimeout(ws_close=PATIENCE),
            )

        session = loop.run(_make(aiohttp.ClientSession))
        try:
            try:
                socket = loop.run(connect(session))
            except aiohttp.WSServerHandshakeError as error:
                raise Refused(error.status, error.headers or {}, None) from None
            yield AiohttpPeer(socket, socket.protocol, loop)
            loop.run(_awaited(socket.close()))
        finally:
            loop.run(session.close())

    return dial


async def _make(factory: Callable[[], T]) -> T:
    """Call a factory that wants a running loop."""
    return factory()


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def aiohttp_play(loop: LoopThread) -> Play:
    """Make a `Play` that serves with aiohttp."""

    @contextmanager
    def play(
        script: Script,
        *,
        subprotocols: Sequence[str] = (),
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        refusal: Refusal | None = None,
    ) -> Iterator[str]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if refusal is not None:
                return web.Response(status=refusal.status, headers=[refusal.header], body=refusal.body)
            socket = web.WebSocketResponse(
                protocols=subprotocols, max_msg_size=max_size + 1, autoping=False, timeout=PATIENCE
            )
            await socket.prepare(request)
            await asyncio.to_thread(stage.play, AiohttpPeer(socket, socket.ws_protocol, loop))
            return socket

        async def start() -> web.AppRunner:
            application = web.Application()
            application.router.add_get("/", handle)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl).start()
            return runner

        with Stage(script) as stage:
            runner = loop.run(start())
            try:
                yield f"127.0.0.1:{runner.addresses[0][1]}/"
            finally:
                loop.run(runner.cleanup())

    return play
