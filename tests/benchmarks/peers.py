"""The peers' servers and clients, each in the fastest configuration that its documentation allows.

That is: uvloop where the library can run on it, no compression unless the row is about it, no access log,
no limits on sizes that would get in the way. ``raw`` is no WebSocket library: it sends back whatever comes,
and so shows what a connection costs that does nothing.
"""

import asyncio
import threading
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, final

from benchmarks.contestants import Options, Program, answer, on_uvloop, zlib_module
from benchmarks.overriding import override

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 1024
_BIG: Final = 16 * 1024 * 1024
_MESSAGES: Final = 1024


async def _for_ever() -> None:
    await asyncio.Event().wait()


# raw TCP


@final
class RawEcho(asyncio.Protocol):
    """Sends back what comes: to whom it came from, or to everybody."""

    def __init__(self, everybody: list[asyncio.Transport] | None) -> None:
        self._everybody = everybody

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        if self._everybody is not None:
            self._everybody.append(transport)
            transport.write(b".")  # there is no handshake by which a peer could know that it belongs

    @override
    def data_received(self, data: bytes) -> None:
        if self._everybody is None:
            self._transport.write(data)
            return
        for transport in self._everybody:
            transport.write(data)


def _serve_raw(options: Options) -> None:
    async def work() -> None:
        everybody: list[asyncio.Transport] | None = [] if options.broadcast else None
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: RawEcho(everybody), _HOST, 0, backlog=_BACKLOG)
        answer(server.sockets[0].getsockname()[1])
        await _for_ever()

    on_uvloop(work)


def _connect_raw(options: Options) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(options.connections):
            await loop.create_connection(lambda: RawEcho(None), _HOST, options.port)
        answer(options.connections)
        await _for_ever()

    on_uvloop(work)


# picows


def _picows_listener(*, as_str: bool) -> type[Any]:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport

    class Echo(WSListener):
        @override
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            # A view is what picows gives soonest: it is not copied, and good for as long as the call takes.
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())

    class EchoText(WSListener):
        @override
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            transport.send(WSMsgType.TEXT, frame.get_payload_as_utf8_text())

    return EchoText if as_str else Echo


def _serve_picows(as_str: bool, aiofastnet: bool, options: Options) -> None:
    import picows

    async def work() -> None:
        listener = _picows_listener(as_str=as_str)
        server = await picows.ws_create_server(
            lambda request: listener(),
            _HOST,
            0,
            max_frame_size=_BIG,
            use_aiofastnet=aiofastnet,
            backlog=_BACKLOG,
        )
        answer(server.sockets[0].getsockname()[1])
        await _for_ever()

    on_uvloop(work)


def _connect_picows(as_str: bool, options: Options) -> None:
    import picows

    async def work() -> None:
        url = f"ws://{_HOST}:{options.port}/"
        listener = _picows_listener(as_str=as_str)
        kept = [
            await picows.ws_connect(listener, url, max_frame_size=_BIG, use_aiofastnet=False)
            for _ in range(options.connections)
        ]
        answer(len(kept))
        await _for_ever()

    on_uvloop(work)


# websockets


def _serve_websockets(options: Options) -> None:
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    everybody: list[ServerConnection] = []

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def tell(connection: ServerConnection) -> None:
        everybody.append(connection)
        async for message in connection:
            broadcast(everybody, message)

    async def work() -> None:
        compression = "deflate" if options.compress else None
        handler = tell if options.broadcast else echo
        listening = serve(
            handler,
            _HOST,
            0,
            compression=compression,
            max_size=_BIG,
            max_queue=_MESSAGES,  # the default of 16 makes it stop reading where more are in flight
            backlog=_BACKLOG,
        )
        async with listening as server:
            answer(next(iter(server.sockets)).getsockname()[1])
            await _for_ever()

    on_uvloop(work)


def _connect_websockets(options: Options) -> None:
    from websockets.asyncio.client import ClientConnection, connect

    async def echo(connection: ClientConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def work() -> None:
        url = f"ws://{_HOST}:{options.port}/"
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for _ in range(options.connections):
                connecting = connect(url, compression=None, max_size=_BIG, max_queue=_MESSAGES, proxy=None)
                group.create_task(echo(await stack.enter_async_context(connecting)))
            answer(options.connections)

    on_uvloop(work)


def _serve_websockets_sync(options: Options) -> None:
    from websockets.sync.server import ServerConnection, serve

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, _HOST, 0, compression=None, max_size=_BIG) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        answer(server.socket.getsockname()[1])
        thread.join()


# aiohttp


def _serve_aiohttp(options: Options) -> None:
    import aiohttp
    from aiohttp import web

    if options.compress:
        aiohttp.set_zlib_backend(zlib_module(options.compress))

    async def echo(request: web.Request) -> web.WebSocketResponse:
        session = web.WebSocketResponse(compress=bool(options.compress), max_msg_size=0)
        await session.prepare(request)
        async for message in session:
            if message.type is aiohttp.WSMsgType.TEXT:
                await session.send_str(message.data)
            else:
                await session.send_bytes(message.data)
        return session

    async def work() -> None:
        app = web.Application()
        app.router.add_get("/", echo)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, _HOST, 0, backlog=_BACKLOG).start()
        answer(runner.addresses[0][1])
        await _for_ever()

    on_uvloop(work)


# tornado


def _serve_tornado(options: Options) -> None:
    from tornado import web
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets
    from tornado.websocket import WebSocketHandler

    class Echo(WebSocketHandler):
        @override
        def open(self, *args: str, **kwargs: str) -> None:
            self.set_nodelay(True)

        @override
        def on_message(self, message: str | bytes) -> None:
            self.write_message(message, binary=isinstance(message, bytes))

    async def work() -> None:
        sockets = bind_sockets(0, _HOST, backlog=_BACKLOG)
        app = web.Application([("/", Echo)], websocket_max_message_size=_BIG, log_function=lambda _: None)
        HTTPServer(app).add_sockets(sockets)
        answer(sockets[0].getsockname()[1])
        await _for_ever()

    on_uvloop(work)


SERVERS: Final[dict[str, Program]] = {
    "raw": _serve_raw,
    "picows": partial(_serve_picows, False, False),
    "picows-str": partial(_serve_picows, True, False),
    "picows-aiofastnet": partial(_serve_picows, False, True),
    "websockets": _serve_websockets,
    "websockets-sync": _serve_websockets_sync,
    "aiohttp": _serve_aiohttp,
    "tornado": _serve_tornado,
}
CLIENTS: Final[dict[str, Program]] = {
    "raw": _connect_raw,
    "picows": partial(_connect_picows, False),
    "picows-str": partial(_connect_picows, True),
    "websockets": _connect_websockets,
}
