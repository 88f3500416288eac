"""picows as a stranger: its client and its server.

It hands out frames: joining fragments and answering a Close are left to its users, and done here as its
documentation tells them. It has no compression, and its limit is one of frames.
"""

import asyncio
import ssl as ssl_module
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, final

from picows import (
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_connect,
    ws_create_server,
)

from wscore._typing import override

from .stranger_cases import MEBIBYTE, Refusal
from .strangers import PATIENCE, Dial, Ended, LoopThread, Mailbox, Play, Refused, Script, Stage

_PROTOCOL = "Sec-WebSocket-Protocol"


class _Listener(WSListener):
    """Joins frames to messages, and answers a Close.

    Args:
        subprotocol: what a server has chosen.
        opened: called with the peer, in the loop.
    """

    def __init__(
        self, loop: LoopThread, subprotocol: str | None, opened: "Callable[[PicowsPeer], object]"
    ) -> None:
        self.mailbox = Mailbox()
        self._loop = loop
        self._subprotocol = subprotocol
        self._opened = opened
        self._parts: list[bytes] = []
        self._kind = WSMsgType.BINARY

    @override
    def on_ws_connected(self, transport: WSTransport) -> None:
        subprotocol = self._subprotocol
        if transport.is_client_side:
            subprotocol = transport.response.headers.get(_PROTOCOL)
        self._opened(PicowsPeer(transport, self.mailbox, subprotocol, self._loop))

    @override
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.PING:
                pass  # answered by its auto pong
            case WSMsgType.PONG:
                self.mailbox.put_pong(frame.get_payload_as_bytes())
            case WSMsgType.CLOSE:
                self._take_close(transport, frame)
            case _:
                self._take_part(frame)

    def _take_close(self, transport: WSTransport, frame: WSFrame) -> None:
        # The annotations promise an enum, but it is a number, and may be one that the enum does not have.
        code: Any = frame.get_close_code()
        reason = frame.get_close_message()
        self._end = code or 1005, (reason or b"").decode()
        if not transport.is_close_frame_sent:
            transport.send_close(code, reason)
        transport.disconnect()

    def _take_part(self, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.CONTINUATION:
            self._kind = frame.msg_type
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self.mailbox.put(whole.decode() if self._kind == WSMsgType.TEXT else whole)

    _end = (1006, "")

    @override
    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.mailbox.put_end(*self._end)


@final
class PicowsPeer:
    """A connection of picows, whose loop runs in another thread."""

    compressed = False

    def __init__(
        self, transport: WSTransport, mailbox: Mailbox, subprotocol: str | None, loop: LoopThread
    ) -> None:
        self._transport = transport
        self.mailbox = mailbox
        self._loop = loop
        self.subprotocol = subprotocol

    def send(self, message: str | bytes) -> None:
        self.send_fragments([message])  # type: ignore[arg-type]  # one is all of the same type

    def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        """Send each of parts in a frame of its own."""
        self._check()
        given: Sequence[str | bytes] = parts
        first = WSMsgType.TEXT if isinstance(given[0], str) else WSMsgType.BINARY
        kinds = [first] + [WSMsgType.CONTINUATION] * (len(parts) - 1)

        def send() -> None:
            for number, (kind, part) in enumerate(zip(kinds, given, strict=True), 1):
                data = part.encode() if isinstance(part, str) else part
                self._transport.send(kind, data, fin=number == len(parts))

        self._call(send)

    def recv(self) -> str | bytes:
        return self.mailbox.recv()

    def ping(self, payload: bytes) -> None:
        self._check()
        self._call(lambda: self._transport.send_ping(payload))
        self.mailbox.wait_for_pong(payload)

    def pong(self, payload: bytes) -> None:
        self._call(lambda: self._transport.send_pong(payload))

    def close(self, code: int, reason: str) -> None:
        # Any code may be sent, though the type knows but those of the RFC.
        self._call(lambda: self._transport.send_close(code, reason.encode()))  # type: ignore[arg-type]
        self.mailbox.wait_for_end()

    def _check(self) -> None:
        if self.mailbox.over:
            raise Ended(1006, "")

    def _call(self, call: Callable[[], object]) -> None:
        """Call in the loop: picows minds being called elsewhere."""

        async def run() -> None:
            call()

        self._loop.run(run())


def picows_dial(loop: LoopThread) -> Dial:
    """Make a `Dial` that connects with picows."""

    @contextmanager
    def dial(
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        deflate: bool = False,
    ) -> Iterator[PicowsPeer]:
        assert not deflate, "picows cannot compress"
        headers = [] if origin is None else [("Origin", origin)]
        if subprotocols:
            headers.append((_PROTOCOL, ", ".join(subprotocols)))
        peers: list[PicowsPeer] = []

        async def connect() -> None:
            await ws_connect(
                lambda: _Listener(loop, None, peers.append),
                url,
                ssl_context=ssl,
                extra_headers=headers,
                max_frame_size=max_size,
                websocket_handshake_timeout=PATIENCE,
            )

        try:
            loop.run(connect())
        except WSHandshakeError as error:
            if error.response is None:
                raise
            status, fields = int(error.response.status), error.response.headers
            raise Refused(status, fields, error.raw_body) from None
        try:
            yield peers[0]
        finally:
            if not peers[0].mailbox.over:
                peers[0].close(1000, "")

    return dial


def picows_play(loop: LoopThread) -> Play:
    """Make a `Play` that serves with picows."""

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

        async def run(peer: PicowsPeer) -> None:
            await asyncio.to_thread(stage.play, peer)
            await asyncio.to_thread(peer.close, 1000, "")

        def answer(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
            if refusal is not None:
                return WSUpgradeResponseWithListener(_refuse(refusal), None)
            offered = request.headers.get(_PROTOCOL, "").split(", ")
            chosen = next((name for name in offered if name in subprotocols), None)
            response = WSUpgradeResponse.create_101_response({_PROTOCOL: chosen} if chosen else None)
            listener = _Listener(loop, chosen, lambda peer: played.append(asyncio.ensure_future(run(peer))))
            return WSUpgradeResponseWithListener(response, listener)

        async def start() -> asyncio.Server:
            return await ws_create_server(answer, "127.0.0.1", 0, ssl=ssl, max_frame_size=max_size)

        async def stop() -> None:
            server.close()
            await asyncio.gather(*played)
            await server.wait_closed()

        with Stage(script) as stage:
            server = loop.run(start())
            try:
                yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            finally:
                loop.run(stop())

    return play


def _refuse(refusal: Refusal) -> WSUpgradeResponse:
    """Write an answer other than 101."""
    status = HTTPStatus(refusal.status)
    if status >= 400:
        error: WSUpgradeResponse = WSUpgradeResponse.create_error_response(
            status, refusal.body, [refusal.header]
        )
        return error
    _, location = refusal.header
    response: WSUpgradeResponse = WSUpgradeResponse.create_redirect_response(status, location)
    response.body = refusal.body
    return response
