"""What lookups of names say, in a test: places of its own choice, slowly if it likes; and a dead port."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from .clients import Driver

Place = tuple[socket.AddressFamily, str, int]


def answer_lookups(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], Sequence[Place] | None]
) -> None:
    """Let lookups of names give what answer says; None: what they would have given."""
    real = socket.getaddrinfo

    def look_up(
        host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, ...]]:
        numeric = flags & socket.AI_NUMERICHOST
        places = None if numeric or not isinstance(host, str) else answer(host)
        if places is None:
            return list(real(host, port, family, type, proto, flags))
        return [
            (kind, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", _place(kind, where, at))
            for kind, where, at in places
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    driver.look_up_like_the_others()


def _place(family: socket.AddressFamily, host: str, port: int) -> tuple[Any, ...]:
    return (host, port) if family == socket.AF_INET else (host, port, 0, 0)


@contextmanager
def dead_port(family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    """Give a port of this machine that answers no SYN: its backlog is full, and stays so."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        listener.listen(0)
        connected = True
        while connected:
            filler = stack.enter_context(socket.socket(family))
            filler.settimeout(0.05)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                connected = False
        yield listener.getsockname()[1]


def has_ipv6() -> bool:
    """Tell whether ::1 is there."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
