"""Who may come in: how many connections, how many opening handshakes at once, how many from one address.

A connection that has said nothing yet costs nearly as much as one that is in use, and an attacker can make
thousands of them (slowloris). The opening handshake's deadline removes each after a while; until then their
number is limited here, and they do not take the places of connections that are open.

Three numbers are kept: handshakes under way, open connections, and both together by address. There are two
moments at which a server asks, and it can act in three ways, according to how it accepts:

A server with a thread for each connection asks *before* it accepts, and leaves what it has no thread for in
the kernel's backlog. Here a handshake takes a thread, too, so that `has_room` counts both together::

    while not admission.has_room:
        left.wait()                                     # somebody to call `closed`
    ...                                                 # accept
    if admission.admit(address) is not Entry.ADMIT:
        drop(sock)                                      # only now is it known who it is

An event loop has accepted before it is asked. It drops what may not come in, and answers 503 to a good
request that it has no place for::

    if admission.admit(address) is not Entry.ADMIT:
        transport.abort()
    ...                                                 # a request comes in
    verdict = gate.decide(request, full=admission.full)

A reactor that accepts itself does the same, or stops listening for a while on `Entry.WAIT`, until `closed` or
`opened` has been called; what had been accepted by then is dropped, for nothing was counted.

Whoever was admitted is reported by exactly one `closed`, and by one `opened` before it when the 101 is sent.
`full` is exact when nothing comes between it and `opened`: a server that awaits the application's decision
asks again after it. Otherwise as many as decide at the same time may be too many.

Nothing here is locked: a server with threads calls it under its own lock. Addresses are those that the socket
tells. Behind a reverse proxy all are the proxy's: leave ``max_per_address`` off there.
"""

from enum import Enum, auto
from ipaddress import IPv4Address, ip_address
from typing import Final, TypeAlias, final

_SUBSCRIBER: Final = 64  # bits that whoever has a network chooses freely: a /64 or more each (RFC 6177)

_Key: TypeAlias = tuple[int, int]  # the version of IP, and an address or the prefix of one


class Entry(Enum):
    """What to do with a connection that wants to come in."""

    ADMIT = auto()
    """It is counted as a handshake under way: serve it, and report what becomes of it."""
    WAIT = auto()
    """Too many handshakes are under way. It is not counted: leave it to the kernel, or drop it."""
    REFUSE = auto()
    """Its address has as many connections as it may. It is not counted: drop it."""


@final
class Admission:
    """The number of a server's connections, and its limits.

    Args:
        max_connections: that are open at the same time.
        max_pending: opening handshakes that are under way at the same time.
        max_per_address: both together, from one address, or one /64 of IPv6; None: no limit.

    Attributes:
        connections: that are open.
        pending: handshakes under way.

    Raises:
        ValueError: a limit below 1.
    """

    __slots__ = (
        "_by_address",
        "_max_connections",
        "_max_pending",
        "_max_per_address",
        "connections",
        "pending",
    )

    def __init__(self, *, max_connections: int, max_pending: int, max_per_address: int | None = None) -> None:
        if max_connections < 1 or max_pending < 1 or (max_per_address is not None and max_per_address < 1):
            raise ValueError("a limit on connections must be at least 1")
        self._max_connections = max_connections
        self._max_pending = max_pending
        self._max_per_address = max_per_address
        self._by_address: dict[_Key, int] = {}
        self.connections = 0
        self.pending = 0

    @property
    def has_room(self) -> bool:
        """Whether another connection may be accepted, where handshakes take the place of connections."""
        both = self.connections + self.pending
        return both < self._max_connections and self.pending < self._max_pending

    @property
    def full(self) -> bool:
        """Whether a handshake must not end in another open connection: answer 503."""
        return self.connections >= self._max_connections

    def admit(self, address: object) -> Entry:
        """Decide on a connection that is to begin its handshake, and count it if it may.

        Args:
            address: of the peer, as ``accept()`` or ``getpeername()`` gives it, or its host alone; the same
                is given to `closed`. Anything but an IP address, such as the name of a unix socket, has no
                limit of its own.
        """
        key = self._key_of(address)
        # First, for waiting does not help here: what one address does must not stop a reactor's listening.
        if key is not None and self._by_address.get(key, 0) == self._max_per_address:
            return Entry.REFUSE
        if self.pending >= self._max_pending:
            return Entry.WAIT
        self.pending += 1
        if key is not None:
            self._by_address[key] = self._by_address.get(key, 0) + 1
        return Entry.ADMIT

    def opened(self, address: object = None) -> None:
        """Take note that a handshake under way has ended in an open connection.

        Args:
            address: is not needed; a connection has the same one all the time.
        """
        assert self.pending > 0, "nobody was admitted"
        self.pending -= 1
        self.connections += 1

    def closed(self, address: object, was_open: bool) -> None:
        """Take note that a connection that was admitted has ended.

        Args:
            address: as it was given to `admit`.
            was_open: `opened` has been called for it.
        """
        if was_open:
            assert self.connections > 0, "nothing was open"
            self.connections -= 1
        else:
            assert self.pending > 0, "nobody was admitted"
            self.pending -= 1
        key = self._key_of(address)
        if key is not None:
            self._by_address[key] -= 1
            if self._by_address[key] == 0:
                del self._by_address[key]  # or every address that ever came would stay

    def _key_of(self, address: object) -> _Key | None:
        """Return what connections are counted by; None: they are not."""
        if self._max_per_address is None:
            return None
        host = address[0] if isinstance(address, tuple) and address else address
        return _key_of_host(host) if isinstance(host, str) else None


def _key_of_host(host: str) -> _Key | None:
    """Return what stands for the one who uses an IP address; None: it is none."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return 4, int(address)
    mapped = address.ipv4_mapped  # RFC 4291 section 2.5.5.2: how a socket for both shows IPv4
    return (6, int(address) >> _SUBSCRIBER) if mapped is None else (4, int(mapped))
