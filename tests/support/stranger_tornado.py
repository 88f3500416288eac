"""tornado as a stranger: its client and its server.

It brings messages by callbacks, answers pings by itself, and can neither send fragments nor a pong that
nobody asked for.
"""

import asyncio
import ssl as ssl_module
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias, final

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketHandler,
    websocket_connect,
)

from wscore._typing import override

from .stranger_cases import MEBIBYTE, Refusal
from .strangers import PATIENCE, Dial, Ended, LoopThread, Mailbox, Play, Refused, Script, Stage

_Socket: TypeAlias = WebSocketClientConnection | WebSocketHandler
_DEFAULTS: Final[Mapping[str, Any]] = {}  # for tornado this means: compress


@final
class TornadoPeer:
    """A connection of tornado, whose loop runs in another thread."""

    def __init__(self, socket: _Socket, mailbox: Mailbox, compressed: bool, loop: LoopThread) -> None:
        self._socket = socket
        self._mailbox = mailbox
        self._loop = loop
        self.subprotocol = socket.selected_subprotocol
        self.compressed = compressed

    def send(self, message: str | bytes) -> None:
        async def send() -> None:
            await self._socket.write_message(message, isinstance(message, bytes))

        try:
            self._loop.run(send())
        except WebSocketClosedError:
            raise Ended(1006, "") from None

    def recv(self) -> str | bytes:
        return self._mailbox.recv()

    def ping(self, payload: bytes) -> None:
        self._call(lambda: self._socket.ping(payload))
        self._mailbox.wait_for_pong(payload)

    def pong(self, payload: bytes) -> None:
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        self._call(lambda: self._socket.close(code, reason))
        self._mailbox.wait_for_end()

    def _call(self, call: Callable[[], None]) -> None:
        """Call in the loop."""

        async def run() -> None:
            call()

        self._loop.run(run())


def tornado_dial(loop: LoopThread) -> Dial:
    """Make a `Dial` that connects with tornado."""

    @contextmanager
    def dial(
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        deflate: bool = False,
    ) -> Iterator[TornadoPeer]:
        mailbox = Mailbox()
        headers = {} if origin is None else {"Origin": origin}
        sockets: list[WebSocketClientConnection] = []

        async def connect() -> None:
            socket = await websocket_connect(
                HTTPRequest(url, headers=headers, ssl_options=ssl, request_timeout=PATIENCE),
                on_message_callback=partial(_take, mailbox, sockets),
                compression_options=dict(_DEFAULTS) if deflate else None,
                max_message_size=max_size,
                subprotocols=list(subprotocols) or None,
            )
            socket.on_pong = mailbox.put_pong  # type: ignore[method-assign, assignment]  # its hook
            sockets.append(socket)

        try:
            loop.run(connect())
        except HTTPClientError as error:
            raise _refused(error) from None
        peer = TornadoPeer(sockets[0], mailbox, _agreed(sockets[0]), loop)
        try:
            yield peer
        finally:
            peer.close(1000, "")  # also when it has ended: tornado warns of connections that nobody closed

    return dial


def _take(mailbox: Mailbox, sockets: list[WebSocketClientConnection], message: str | bytes | None) -> None:
    """Keep what tornado brings to the client that is the only one in sockets; None is the end."""
    if message is not None:
        mailbox.put(message)
    else:
        mailbox.put_end(sockets[0].close_code or 1006, sockets[0].close_reason or "")


def _refused(error: HTTPClientError) -> Refused:
    """Say it in our words."""
    assert error.response is not None
    return Refused(error.code, error.response.headers, error.response.body)


def _agreed(socket: WebSocketClientConnection) -> bool:
    """Tell whether the server has agreed to compress."""
    headers = socket.headers
    return headers is not None and "permessage-deflate" in headers.get("Sec-WebSocket-Extensions", "")


class _Handler(WebSocketHandler):
    """Plays a script; its arguments are those of the application's only rule."""

    @override
    def initialize(
        self, stage: Stage, loop: LoopThread, names: Sequence[str], refusal: Refusal | None, played: Any
    ) -> None:
        self._stage, self._thread, self._names, self._refusal = stage, loop, names, refusal
        self._played: list[asyncio.Future[None]] = played
        self._mailbox = Mailbox()

    @override
    def prepare(self) -> None:
        if self._refusal is not None:
            self.set_status(self._refusal.status)
            self.set_header(*self._refusal.header)
            self.finish(self._refusal.body)

    @override
    def check_origin(self, origin: str) -> bool:
        return True

    @override
    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return next((name for name in subprotocols if name in self._names), None)

    @override
    def get_compression_options(self) -> dict[str, Any]:
        return dict(_DEFAULTS)

    @override
    def open(self, *args: str, **kwargs: str) -> None:
        offered = self.request.headers.get("Sec-WebSocket-Extensions", "")
        peer = TornadoPeer(self, self._mailbox, "permessage-deflate" in offered, self._thread)
        self._played.append(asyncio.ensure_future(self._play(peer)))

    async def _play(self, peer: TornadoPeer) -> None:
        await asyncio.to_thread(self._stage.play, peer)
        self.close()
        await asyncio.to_thread(self._mailbox.wait_for_end)

    @override
    def on_message(self, message: str | bytes) -> None:
        self._mailbox.put(message)

    @override
    def on_pong(self, data: bytes) -> None:
        self._mailbox.put_pong(data)

    @override
    def on_close(self) -> None:
        self._mailbox.put_end(self.close_code or 1006, self.close_reason or "")


def tornado_play(loop: LoopThread) -> Play:
    """Make a `Play` that serves with tornado."""

    @contextmanager
    def play(
        script: Script,
        *,
        subprotocols: Sequence[str] = (),
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        refusal: Refusal | None = None,
    ) -> Iterator[str]:
        played: list[asyncio.Future[None]] = []

        async def start() -> tuple[HTTPServer, int]:
            arguments = {
                "stage": stage,
                "loop": loop,
                "names": subprotocols,
                "refusal": refusal,
                "played": played,
            }
            application = Application(
                [("/", _Handler, arguments)], websocket_max_message_size=max_size, log_function=lambda _: None
            )
            server = HTTPServer(application, ssl_options=ssl)
            sockets = bind_sockets(0, "127.0.0.1")
            server.add_sockets(sockets)
            return server, sockets[0].getsockname()[1]

        async def stop() -> None:
            server.stop()
            await asyncio.gather(*played)
            await server.close_all_connections()

        with Stage(script) as stage:
            server, port = loop.run(start())
            try:
                yield f"127.0.0.1:{port}/"
            finally:
                loop.run(stop())

    return play
