"""Fixtures for pytest: `virtual_clock`, and `ws_pair`, which makes pairs that are open.

Pytest finds them by itself where python-wscore is installed. This is the only module of the package that
imports pytest.

::

    def test_the_server_shouts(ws_pair: PairFactory) -> None:
        pair = ws_pair(latency=0.05)
        pair.client.send_text("hello")
        pair.advance(0.05)
        assert pair.server_events[-1] == "hello"
"""

from collections.abc import Sequence
from typing import Protocol

import pytest

from wscore import Config, Connection, HeadersLike, State

from ._clock import Clock
from ._link import Link
from ._pair import Pair


class PairFactory(Protocol):
    """What the fixture `ws_pair` is."""

    def __call__(
        self,
        client: Config | Connection | None = None,
        server: Config | Connection | None = None,
        *,
        url: str = "ws://localhost/",
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        half_close: bool = True,
        latency: float = 0.0,
        jitter: float = 0.0,
        split: int | tuple[int, int] | None = None,
        bandwidth: float | None = None,
        capacity: int | None = 65536,
        seed: int = 0,
    ) -> Pair:
        """Return a Pair on `virtual_clock` that has just opened; its events are still there.

        Args:
            client, server, half_close: see `Pair`.
            url, headers, subprotocols: of the request.
            latency, jitter, split, bandwidth, capacity, seed: of both directions; see `Link`.

        Raises:
            AssertionError: the handshake failed.
            ValueError: a setting that makes no sense.
        """
        ...


@pytest.fixture
def virtual_clock() -> Clock:
    """Time that passes when the test says so; all pairs of the test live in it."""
    return Clock()


@pytest.fixture
def ws_pair(virtual_clock: Clock) -> PairFactory:
    """Make opened pairs: ``ws_pair(client=Config(...), latency=0.05)``."""

    def make(
        client: Config | Connection | None = None,
        server: Config | Connection | None = None,
        *,
        url: str = "ws://localhost/",
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        half_close: bool = True,
        latency: float = 0.0,
        jitter: float = 0.0,
        split: int | tuple[int, int] | None = None,
        bandwidth: float | None = None,
        capacity: int | None = 65536,
        seed: int = 0,
    ) -> Pair:
        up, down = (
            Link(
                latency=latency,
                jitter=jitter,
                split=split,
                bandwidth=bandwidth,
                capacity=capacity,
                seed=2 * seed + side,
            )
            for side in (0, 1)
        )
        pair = Pair(client, server, clock=virtual_clock, to_server=up, to_client=down, half_close=half_close)
        pair.open(url, headers=headers, subprotocols=subprotocols)
        states = (pair.client.state, pair.server.state)
        assert states == (State.OPEN, State.OPEN), f"the pair did not open: {pair}"
        return pair

    return make
