"""Small proxies: HTTP with CONNECT (RFC 9110 section 9.3.6), SOCKS 4, 4a and 5 (RFC 1928, RFC 1929).

They connect to 127.0.0.1 only, whatever name is asked for, and write down what that was: so tests may ask for
names that do not exist. ``via`` maps a name and a port to the port that is meant.
"""

import base64
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Final, final

from wscore._typing import override

from .eventually import PATIENCE
from .middlemen import Middleman, Visit

Credentials = tuple[str, str]

_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_UNAUTHORISED: Final = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n\r\n'
)


class _Proxy(Middleman):
    """What both kinds have in common.

    Attributes:
        asked: host and port of each connection that was asked for.
    """

    def __init__(self, *, via: Mapping[tuple[str, int], int] | None, tls: ssl.SSLContext | None) -> None:
        self._via = via or {}
        self.asked: list[tuple[str, int]] = []
        super().__init__(tls=tls)

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to where the client wants to go."""
        self.asked.append((host, port))
        return socket.create_connection(("127.0.0.1", self._via.get((host, port), port)), PATIENCE)


@final
class HTTPProxy(_Proxy):
    """Opens tunnels.

    Args:
        credentials: user and password; None: it asks for none.
        answer: is sent in place of an answer of its own, and no tunnel is opened; b"": nothing is ever said.
        dribbles: its answer comes a byte at a time, and never to an end.
        junk: is sent behind the head that opens the tunnel, in the same segment.
        tls: what clients speak with it; None: plain HTTP.
        via: see the module.

    Attributes:
        heads: of the requests, in order.
    """

    def __init__(
        self,
        *,
        credentials: Credentials | None = None,
        answer: bytes | None = None,
        dribbles: bool = False,
        junk: bytes = b"",
        tls: ssl.SSLContext | None = None,
        via: Mapping[tuple[str, int], int] | None = None,
    ) -> None:
        self._credentials = credentials
        self._answer = answer
        self._dribbles = dribbles
        self._junk = junk
        self.heads: list[bytes] = []
        super().__init__(via=via, tls=tls)

    @property
    def scheme(self) -> str:
        """Of its address."""
        return "http" if self._tls is None else "https"

    def url(self, user_info: str = "") -> str:
        """Return its address; user_info: "user:password"."""
        return f"{self.scheme}://{user_info}{'@' if user_info else ''}localhost:{self.port}"

    @property
    def tunnelled(self) -> bytes:
        """What clients sent after the head of their request."""
        rest = self.captured
        for head in self.heads:
            rest = rest.replace(head, b"", 1)
        return rest

    @override
    def greet(self, visit: Visit) -> socket.socket | None:
        head = visit.read_until(b"\r\n\r\n")
        self.heads.append(head)
        if self._answer is None and not self._may_use(head):
            self._leave_with(visit, _UNAUTHORISED)
            return None
        if self._answer is not None:
            self._leave_with(visit, self._answer)
            return None
        if self._dribbles:
            visit.dribble(b"HTTP/1.1 200 ")
            return None
        host, _, port = head.split(b" ")[1].decode("ascii").rpartition(":")
        target = self.connect(host.strip("[]"), int(port))
        visit.socket.sendall(_OPEN + self._junk)
        return target

    def _may_use(self, head: bytes) -> bool:
        if self._credentials is None:
            return True
        token = base64.b64encode(":".join(self._credentials).encode("utf-8"))
        return b"\r\nProxy-Authorization: Basic " + token + b"\r\n" in head

    def _leave_with(self, visit: Visit, answer: bytes) -> None:
        visit.socket.sendall(answer)
        while visit.receive():
            pass


@final
class SocksProxy(_Proxy):
    """Speaks SOCKS 4, 4a and 5, whichever the client begins with.

    Args:
        credentials: user and password, with SOCKS 5; None: it asks for none.
        refuses: it connects to nothing, and says so.
        silent: it never answers.
        dribbles: it answers a byte at a time, and never comes to an end; with SOCKS 5.
        via: see the module.

    Attributes:
        greetings: the version that each client began with.
        named: whether the client left it to the proxy to look up the name, for each connection.
    """

    def __init__(
        self,
        *,
        credentials: Credentials | None = None,
        refuses: bool = False,
        silent: bool = False,
        dribbles: bool = False,
        via: Mapping[tuple[str, int], int] | None = None,
    ) -> None:
        self._credentials = credentials
        self._refuses = refuses
        self._silent = silent
        self._dribbles = dribbles
        self.greetings: list[int] = []
        self.named: list[bool] = []
        super().__init__(via=via, tls=None)

    def url(self, scheme: str, user_info: str = "") -> str:
        """Return its address; user_info: "user:password"."""
        return f"{scheme}://{user_info}{'@' if user_info else ''}127.0.0.1:{self.port}"

    @override
    def greet(self, visit: Visit) -> socket.socket | None:
        version = visit.read_exactly(1)[0]
        self.greetings.append(version)
        if self._silent:
            while visit.receive():
                pass
            return None
        return self._greet_4(visit) if version == 4 else self._greet_5(visit)

    def _greet_4(self, visit: Visit) -> socket.socket | None:
        """Command, port, address, user, and with 4a a name behind the address 0.0.0.x."""
        command, port, address = struct.unpack("!BH4s", visit.read_exactly(7))
        assert command == 1, "CONNECT"
        visit.read_until(b"\0")
        host = socket.inet_ntoa(address)
        self.named.append(address[:3] == b"\0\0\0")
        if self.named[-1]:
            host = visit.read_until(b"\0")[:-1].decode("idna")
        if self._refuses:
            visit.socket.sendall(b"\0\x5b" + bytes(6))
            return None
        target = self.connect(host, port)
        visit.socket.sendall(b"\0\x5a" + bytes(6))
        return target

    def _greet_5(self, visit: Visit) -> socket.socket | None:
        """Choose a method, check the credentials, read the request."""
        methods = visit.read_exactly(visit.read_exactly(1)[0])
        wanted = 0 if self._credentials is None else 2
        if wanted not in methods:
            visit.socket.sendall(b"\5\xff")
            return None
        visit.socket.sendall(bytes([5, wanted]))
        if self._credentials is not None and not self._check(visit, self._credentials):
            return None
        version, command, _, kind = visit.read_exactly(4)
        assert (version, command) == (5, 1), "CONNECT"
        host = self._read_host(visit, kind)
        (port,) = struct.unpack("!H", visit.read_exactly(2))
        if self._refuses:
            visit.socket.sendall(b"\5\5\0\1" + bytes(6))  # connection refused
            return None
        if self._dribbles:
            visit.dribble(b"\5\0\0\3\xff")  # the name that follows has 255 bytes
            return None
        target = self.connect(host, port)
        visit.socket.sendall(b"\5\0\0\1" + bytes(6))
        return target

    def _check(self, visit: Visit, credentials: Credentials) -> bool:
        assert visit.read_exactly(1) == b"\1"
        given = tuple(visit.read_exactly(visit.read_exactly(1)[0]).decode("utf-8") for _ in range(2))
        good = given == credentials
        visit.socket.sendall(b"\1\0" if good else b"\1\1")
        return good

    def _read_host(self, visit: Visit, kind: int) -> str:
        self.named.append(kind == 3)
        if kind == 3:
            return visit.read_exactly(visit.read_exactly(1)[0]).decode("idna")
        family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        return socket.inet_ntop(family, visit.read_exactly(size))
