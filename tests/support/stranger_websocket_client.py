"""The ``websocket-client`` library as a stranger: a blocking client.

It answers pings while it receives. It has neither compression nor a limit for messages, and answers a Close
with 1000, whatever it said.
"""

import ssl as ssl_module
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, final

import websocket
from websocket import ABNF, WebSocketConnectionClosedException

from .stranger_cases import MEBIBYTE
from .strangers import PATIENCE, Dial, Ended, Refused


@final
class WebsocketClientPeer:
    """A connection of ``websocket-client``."""

    compressed = False

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._parts: list[bytes] = []
        self._unread: deque[str | bytes] = deque()
        self._pongs: list[bytes] = []
        self._end: Ended | None = None
        self.subprotocol = socket.getsubprotocol()

    def send(self, message: str | bytes) -> None:
        self.send_fragments([message])  # type: ignore[arg-type]  # one is all of the same type

    def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        """Send each of parts in a frame of its own."""
        given: Sequence[str | bytes] = parts
        opcode = ABNF.OPCODE_TEXT if isinstance(given[0], str) else ABNF.OPCODE_BINARY
        try:
            for number, part in enumerate(given, 1):
                data = part.encode() if isinstance(part, str) else part
                frame = ABNF.create_frame(data, opcode, fin=int(number == len(given)))
                self._socket.send_frame(frame)
                opcode = ABNF.OPCODE_CONT
        except (OSError, WebSocketConnectionClosedException):
            raise Ended(1006, "") from None

    def recv(self) -> str | bytes:
        while not self._unread:
            self._receive()
        return self._unread.popleft()

    def ping(self, payload: bytes) -> None:
        self._socket.ping(payload)
        while not self._pongs:
            self._receive()
        assert self._pongs.pop() == payload

    def pong(self, payload: bytes) -> None:
        self._socket.pong(payload)

    def close(self, code: int, reason: str) -> None:
        # Its own close() waits for the answer, too, and forgets it.
        self._socket.send_close(code, reason.encode())
        with suppress(Ended):
            while True:
                self._receive()

    def leave(self) -> None:
        """Close if that has not been done."""
        if self._end is None and self._socket.connected:
            self.close(1000, "")
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def _receive(self) -> None:
        """Receive once, and keep it or raise the end; pings and a Close it answers itself."""
        if self._end is None:
            try:
                opcode, data = self._socket.recv_data(control_frame=True)
            except (ConnectionError, WebSocketConnectionClosedException):
                opcode, data = ABNF.OPCODE_CLOSE, b"\x03\xee"
            self._take(opcode, data)
        if self._end is not None:
            raise self._end

    def _take(self, opcode: int, data: Any) -> None:
        match opcode:
            case ABNF.OPCODE_TEXT:
                self._unread.append(data if isinstance(data, str) else data.decode())
            case ABNF.OPCODE_BINARY:
                self._unread.append(bytes(data))
            case ABNF.OPCODE_PONG:
                self._pongs.append(bytes(data))
            case ABNF.OPCODE_CLOSE:
                self._end = Ended(int.from_bytes(data[:2], "big"), bytes(data[2:]).decode())
                self._socket.shutdown()  # type: ignore[no-untyped-call]
            case _:
                pass  # a ping, which is answered already


@contextmanager
def dial_websocket_client(
    url: str,
    *,
    subprotocols: Sequence[str] = (),
    origin: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    max_size: int = MEBIBYTE,
    deflate: bool = False,
) -> Iterator[WebsocketClientPeer]:
    """Connect with ``websocket-client``; see `Dial`."""
    assert not deflate, "websocket-client cannot compress"
    try:
        socket = websocket.create_connection(
            url,
            timeout=PATIENCE,
            subprotocols=list(subprotocols) or None,
            origin=origin,
            suppress_origin=origin is None,
            sslopt={"context": ssl} if ssl is not None else None,
            http_no_proxy=["127.0.0.1"],
            redirect_limit=0,
        )
    except websocket.WebSocketBadStatusException as error:
        headers = {name.lower(): value for name, value in (error.resp_headers or {}).items()}
        raise Refused(error.status_code, headers, error.resp_body) from None
    peer = WebsocketClientPeer(socket)
    try:
        yield peer
    finally:
        peer.leave()


_: Dial = dial_websocket_client
