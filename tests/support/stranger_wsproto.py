"""wsproto as a stranger: a client and a server, each a blocking loop around its connection.

wsproto does no I/O: sockets, limits and the end are done here, as its documentation tells its users. It reads
only while somebody receives, and answers pings then.
"""

import socket
import ssl as ssl_module
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import final
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from .stranger_cases import MEBIBYTE, Refusal
from .strangers import PATIENCE, Dial, Ended, Play, Refused, Script, Stage

_SIZE = 65536


@final
class WsprotoPeer:
    """A connection of wsproto on a socket of ours.

    Args:
        max_size: closes with 1009 above that.
    """

    def __init__(self, sock: socket.socket, connection: WSConnection, max_size: int) -> None:
        self._socket = sock
        self._connection = connection
        self._max_size = max_size
        self._events: deque[Event] = deque()
        self._parts: list[str | bytes] = []
        self._unread: deque[str | bytes] = deque()
        self._pongs: list[bytes] = []
        self._end: Ended | None = None
        self.subprotocol: str | None = None
        self.compressed = False

    # What the handshake needs.

    def transmit(self, event: Event) -> None:
        """Send what an event makes; raises Ended."""
        try:
            self._socket.sendall(self._connection.send(event))
        except (OSError, LocalProtocolError):
            raise Ended(1006, "") from None

    def next_event(self) -> Event:
        """Read until something has happened; raises Ended."""
        while not self._events:
            try:
                data = self._socket.recv(_SIZE)
            except ConnectionError:
                data = b""
            if not data:
                raise Ended(1006, "")
            self._connection.receive_data(data)
            self._events.extend(self._connection.events())
        return self._events.popleft()

    def note_agreement(self, subprotocol: str | None, extensions: Sequence[Extension]) -> None:
        """Keep what the handshake agreed on."""
        self.subprotocol = subprotocol
        self.compressed = bool(extensions)

    # What a stranger does.

    def send(self, message: str | bytes) -> None:
        self._transmit_part(message, final=True)

    def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        """Send each of parts in a frame of its own."""
        given: Sequence[str | bytes] = parts
        for number, part in enumerate(given, 1):
            self._transmit_part(part, final=number == len(given))

    def _transmit_part(self, part: str | bytes, *, final: bool) -> None:
        if isinstance(part, str):
            self.transmit(TextMessage(data=part, message_finished=final))
        else:
            self.transmit(BytesMessage(data=bytearray(part), message_finished=final))

    def recv(self) -> str | bytes:
        while not self._unread:
            self._receive()
        return self._unread.popleft()

    def ping(self, payload: bytes) -> None:
        self.transmit(Ping(payload=payload))
        while not self._pongs:
            self._receive()
        assert self._pongs.pop() == payload

    def pong(self, payload: bytes) -> None:
        self.transmit(Pong(payload=payload))

    def close(self, code: int, reason: str) -> None:
        self.transmit(CloseConnection(code=code, reason=reason))
        with suppress(Ended):
            while True:
                self._receive()

    def leave(self) -> None:
        """Close if that has not been done."""
        with suppress(Ended):
            if self._connection.state is ConnectionState.OPEN:
                self.transmit(CloseConnection(code=1000, reason=""))
            while True:
                self._receive()
        self._end_stream()

    def _end_stream(self) -> None:
        """End TCP: the server's end comes first (RFC 6455 section 7.1.1)."""
        with suppress(OSError):
            if not self._connection.client:
                self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(_SIZE):
                pass
            self._socket.close()

    def _receive(self) -> None:
        """Take one event, and keep it, answer it or raise the end."""
        if self._end is None:
            try:
                event = self.next_event()
            except (Ended, RemoteProtocolError):
                self._end = Ended(1006, "")
            else:
                self._take(event)
        if self._end is not None:
            raise self._end

    def _take(self, event: Event) -> None:
        match event:
            case TextMessage() | BytesMessage():
                self._take_part(event)
            case Ping():
                self.transmit(event.response())
            case Pong():
                self._pongs.append(bytes(event.payload))
            case CloseConnection():
                self._end = Ended(event.code, event.reason or "")
                if self._connection.state is ConnectionState.REMOTE_CLOSING:
                    with suppress(Ended):
                        self.transmit(event.response())
                self._end_stream()
            case _:
                raise AssertionError(event)

    def _take_part(self, event: TextMessage | BytesMessage) -> None:
        self._parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        if sum(map(len, self._parts)) > self._max_size:
            self.transmit(CloseConnection(code=1009, reason="too big"))
            self._end = Ended(1009, "too big")
        elif event.message_finished:
            self._unread.append(self._join())

    def _join(self) -> str | bytes:
        parts = self._parts
        self._parts = []
        if isinstance(parts[0], str):
            return "".join(part for part in parts if isinstance(part, str))
        return b"".join(part for part in parts if isinstance(part, bytes))


@contextmanager
def dial_wsproto(
    url: str,
    *,
    subprotocols: Sequence[str] = (),
    origin: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    max_size: int = MEBIBYTE,
    deflate: bool = False,
) -> Iterator[WsprotoPeer]:
    """Connect with wsproto; see `Dial`."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    with socket.create_connection((parts.hostname, parts.port), PATIENCE) as plain:
        sock = plain if ssl is None else ssl.wrap_socket(plain, server_hostname=parts.hostname)
        with sock:
            peer = WsprotoPeer(sock, WSConnection(ConnectionType.CLIENT), max_size)
            request = Request(
                host=parts.netloc,
                target=parts.path,
                subprotocols=list(subprotocols),
                extensions=[PerMessageDeflate()] if deflate else [],
                extra_headers=[] if origin is None else [(b"Origin", origin.encode())],
            )
            peer.transmit(request)
            answer = peer.next_event()
            if not isinstance(answer, AcceptConnection):
                raise _refused(peer, answer)
            peer.note_agreement(answer.subprotocol, answer.extensions)
            yield peer
            peer.leave()


def _refused(peer: WsprotoPeer, answer: Event) -> Refused:
    """Read what came in place of 101 to its end."""
    assert isinstance(answer, RejectConnection)
    headers = {name.decode().lower(): value.decode() for name, value in answer.headers}
    body = b""
    while answer.has_body:
        data = peer.next_event()
        assert isinstance(data, RejectData)
        body += data.data
        if data.body_finished:
            break
    return Refused(answer.status_code, headers, body)


@final
class _Server:
    """Accepts connections and serves each in a thread of its own."""

    def __init__(
        self,
        stage: Stage,
        subprotocols: Sequence[str],
        ssl: ssl_module.SSLContext | None,
        max_size: int,
        refusal: Refusal | None,
    ) -> None:
        self._stage, self._subprotocols, self._ssl = stage, subprotocols, ssl
        self._max_size, self._refusal = max_size, refusal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="wsproto's server")]
        self._threads[0].start()

    def close(self) -> None:
        """Stop accepting, and wait for the connections to end."""
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                thread = threading.Thread(target=self._serve, args=(sock,), name="wsproto's connection")
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(PATIENCE)
        with suppress(OSError, Ended), plain:  # a client may leave at any time
            sock = plain if self._ssl is None else self._ssl.wrap_socket(plain, server_side=True)
            with sock:
                self._answer(WsprotoPeer(sock, WSConnection(ConnectionType.SERVER), self._max_size))

    def _answer(self, peer: WsprotoPeer) -> None:
        request = peer.next_event()
        assert isinstance(request, Request)
        if self._refusal is not None:
            self._refuse(peer, self._refusal)
        else:
            self._agree(peer, request)
            self._stage.play(peer)
        peer.leave()

    def _refuse(self, peer: WsprotoPeer, refusal: Refusal) -> None:
        name, value = refusal.header
        length = str(len(refusal.body)).encode()
        headers = [(name.encode(), value.encode()), (b"Content-Length", length)]
        peer.transmit(RejectConnection(status_code=refusal.status, headers=headers, has_body=True))
        peer.transmit(RejectData(data=refusal.body))

    def _agree(self, peer: WsprotoPeer, request: Request) -> None:
        chosen = next((name for name in request.subprotocols if name in self._subprotocols), None)
        offered = any("permessage-deflate" in str(offer) for offer in request.extensions)
        extensions: list[Extension] = [PerMessageDeflate()] if offered else []
        peer.transmit(AcceptConnection(subprotocol=chosen, extensions=extensions))
        peer.note_agreement(chosen, extensions)


@contextmanager
def play_wsproto(
    script: Script,
    *,
    subprotocols: Sequence[str] = (),
    ssl: ssl_module.SSLContext | None = None,
    max_size: int = MEBIBYTE,
    refusal: Refusal | None = None,
) -> Iterator[str]:
    """Serve with wsproto; see `Play`."""
    with Stage(script) as stage:
        server = _Server(stage, subprotocols, ssl, max_size, refusal)
        try:
            yield f"127.0.0.1:{server.port}/"
        finally:
            server.close()


_: tuple[Dial, Play] = (dial_wsproto, play_wsproto)
