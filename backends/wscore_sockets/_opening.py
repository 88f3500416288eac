"""What a client was asked for: the way to a stream, and what is said over it; in every backend the same.

A backend's ``connect`` has many arguments. Here they become two values that go from step to step and from
redirect to redirect: the `Way`, which knows nothing of WebSocket, and the `Opening` of one connection.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ssl import SSLContext
from typing import final

from wscore import Config, Connection, HandshakeRefused, HeadersLike, Role
from wscore.policy import Plan, RedirectRefused, follow, plan_connection
from wscore_tls import NestedTLS, TLSFilter, client_context, client_filter

from ._connecting import LocalAddress


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to get to a stream, as far as the caller has a wish.

    Attributes:
        ssl: for wss://; None: the system's trust.
        server_hostname: whom to ask for and whose certificate to expect; None: the host of the address.
        unix: a path to connect to.
        sock: a connected stream socket to use.
        local_address: host and port to connect from.
    """

    ssl: SSLContext | None
    server_hostname: str | None
    unix: str | None
    sock: socket.socket | None
    local_address: LocalAddress

    def plan(
        self, url: str, *, headers: HeadersLike, origin: str | None, proxy: str | bool | None, redirects: int
    ) -> Plan:
        """Decide what to do for an address; see `plan_connection`.

        Raises:
            InvalidURL, LocalProtocolError: as `plan_connection`.
            ValueError: as that; an SSL context that is of no use.
        """
        fixed = self.unix is not None or self.sock is not None
        plan = plan_connection(
            url,
            headers=headers,
            origin=origin,
            proxy=None if fixed else proxy,
            redirects=redirects,
            environ=os.environ,
            fixed=fixed,
        )
        if self.ssl is not None and not plan.address.secure and not redirects:
            raise ValueError("an SSL context goes with a wss:// address only")
        return plan


@final
@dataclass(frozen=True, slots=True)
class Opening:
    """One connection that is to be opened.

    Attributes:
        plan: where to, and with which fields.
        way: how to get there.
        config: of the connection.
        subprotocols: to offer.
    """

    plan: Plan
    way: Way
    config: Config
    subprotocols: Sequence[str]

    @property
    def secure(self) -> bool:
        """Whether the server is spoken to over TLS."""
        return self.plan.address.secure

    def begin(self, now: float) -> Connection:
        """Make the core; the request waits in it, and the time to open runs.

        Raises:
            LocalProtocolError: the request may not be sent.
        """
        core = Connection(Role.CLIENT, self.config, now=now)
        core.send_request(
            self.plan.address, headers=self.plan.headers, subprotocols=self.subprotocols, now=now
        )
        return core

    def filter(
        self, outer: TLSFilter | None, trust: Callable[[], SSLContext] = client_context
    ) -> TLSFilter | NestedTLS | None:
        """Return what stands between core and socket; None: nothing.

        Args:
            outer: what is spoken with a proxy, through which everything goes; None: there is none.
            trust: makes a context where the caller has given none.
        """
        if not self.secure:
            return client_filter(None, None, outer)
        host = self.way.server_hostname or self.plan.address.host
        return client_filter(host, self.way.ssl or trust(), outer)

    def after(self, refused: HandshakeRefused) -> "Opening":
        """Return the next one, after a redirect that is to be followed.

        Raises:
            HandshakeRefused: it is none.
            RedirectRefused: it must not be followed.
        """
        following = follow(self.plan, refused.response, os.environ)
        if following is None:
            raise refused
        if self.way.sock is not None:
            raise RedirectRefused(refused.response, "the stream that was given is used up")
        return replace(self, plan=following)
