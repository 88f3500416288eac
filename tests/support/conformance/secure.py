"""TLS for a bare peer, made of the standard library's parts, for two threads at once.

`ssl.SSLSocket` may not be read and written at the same time by two threads, which a peer that floods while
it reads must do. So here the TLS object works on memory, under a lock that is never held across a system
call. An end of the stream without close_notify is an error, as an attacker can make one.
"""

import socket
import ssl
import threading
from typing import Final, final

_PIECE: Final = 256 * 1024


@final
class SecureSocket:
    """As much of a socket as `support.raw.RawPeer` uses, over TLS."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, name: str | None = None
    ) -> None:
        self.bare = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=name
        )
        self._state = threading.Lock()
        self._sending = threading.Lock()
        self._do_handshake()

    def _do_handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_what_waits()
                self._read_ciphertext()
            else:
                self._send_what_waits()
                return

    def _read_ciphertext(self) -> None:
        data = self.bare.recv(65536)
        with self._state:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _send_what_waits(self) -> None:
        with self._state:
            data = self._outgoing.read()
        self.bare.sendall(data)

    def recv(self, size: int) -> bytes:
        """Read once; b"" after close_notify."""
        while True:
            try:
                with self._state:
                    return self._tls.read(size)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError as error:
                raise ConnectionError("the stream was cut: no close_notify") from error
            self._read_ciphertext()

    def sendall(self, data: bytes) -> None:
        """Write all of data."""
        with self._sending:
            for start in range(0, len(data), _PIECE):
                with self._state:
                    self._tls.write(data[start : start + _PIECE])
                self._send_what_waits()

    def shutdown(self, how: int) -> None:
        """Send close_notify, then FIN."""
        with self._sending:
            try:
                with self._state:
                    self._tls.unwrap()
            except ssl.SSLWantReadError:
                pass
            self._send_what_waits()
            self.bare.shutdown(how)

    def close(self) -> None:
        """Leave without close_notify."""
        self.bare.close()

    def settimeout(self, seconds: float | None) -> None:
        """Bound each system call."""
        self.bare.settimeout(seconds)

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option of the socket below."""
        self.bare.setsockopt(level, option, value)

    def encrypt(self, data: bytes) -> bytes:
        """Return the record that would carry data, and do not send it."""
        with self._state:
            self._tls.write(data)
            return self._outgoing.read()
