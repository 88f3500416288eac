"""Our clients and servers on both sides of nginx and HAProxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.conformance.facade import Driver, Served, Serving, wait_closed
from support.conformance.registry import make_driver
from support.our_servers_in_brief import Echo, watched
from support.raw import dial_upgraded
from support.reverse_proxies import PROXIES, proxy_before, wait_until_unused, why_not
from support.stranger_cases import (
    CLOSES,
    COMPRESSIBLE,
    MEBIBYTE,
    MESSAGES,
    OUR_NEGOTIATIONS,
    REFUSALS,
)
from support.strangers import PATIENCE
from support.wire import PING, PONG, TEXT
from wscore import Config, ConnectionClosed, Deflate, HandshakeRefused, Request, Response, Side, Timeouts

pytestmark = pytest.mark.strangers


@pytest.fixture(scope="module", params=["threading", "asyncio", "selectors"])
def started(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Run a backend, on both sides of the proxy."""
    driver = make_driver(request.param)
    driver.start()
    yield driver
    driver.stop()


class Front:
    """Starts a proxy before a server."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder

    @contextmanager
    def before(self, served: Served, *, idle: float = PATIENCE) -> Iterator[int]:
        """Run it; afterwards nobody may be connected to the server any more."""
        with proxy_before(self.name, served.port, self._folder, idle=idle) as port:
            yield port
            wait_until_unused(served.port)


@pytest.fixture(params=PROXIES)
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Front:
    reason = why_not(request.param)
    if reason is not None:
        pytest.skip(reason)
    return Front(request.param, tmp_path)


def url_of(port: int) -> str:
    """Return the address of a proxy."""
    return f"ws://127.0.0.1:{port}/"


def test_messages_come_back(front: Front, driver: Driver) -> None:
    messages = (*MESSAGES.values(), bytes(range(256)) * (MEBIBYTE // 256))
    with (
        driver.serve(Serving(endpoint=Echo)) as served,
        front.before(served) as port,
        driver.connect(url_of(port)) as session,
    ):
        for message in messages:
            session.send(message)
            assert session.recv() == message
        session.close()


def test_compressed_messages_come_back(front: Front, driver: Driver) -> None:
    config = Config(compression=Deflate())
    with (
        driver.serve(Serving(endpoint=Echo, config=config)) as served,
        front.before(served) as port,
        driver.connect(url_of(port), config=config) as session,
    ):
        assert session.native.extensions.startswith("permessage-deflate")
        for message in COMPRESSIBLE.values():
            session.send(message)
            assert session.recv() == message
        session.close()


def test_codes_and_reasons_of_a_client_arrive(front: Front, driver: Driver) -> None:
    handler, ends = watched()
    with driver.serve(Serving(endpoint=handler)) as served, front.before(served) as port:
        for code, reason in CLOSES.values():
            session = driver.connect(url_of(port))
            session.close(code, reason)
            assert wait_closed(session).clean
            closed = ends.get(timeout=PATIENCE)
            assert (closed.code, closed.reason, closed.clean) == (code, reason, True)
            assert closed.initiator is Side.REMOTE


def test_codes_and_reasons_of_a_server_arrive(front: Front, driver: Driver) -> None:
    handler, ends = watched()
    with driver.serve(Serving(endpoint=handler)) as served, front.before(served) as port:
        for code, reason in CLOSES.values():
            with driver.connect(url_of(port)) as session:
                session.send(f"close {code} {reason}")
                with pytest.raises(ConnectionClosed) as end:
                    session.recv()
                assert (end.value.closed.code, end.value.closed.reason) == (code, reason)
                assert wait_closed(session).clean
            assert ends.get(timeout=PATIENCE).clean


@pytest.mark.parametrize("name", ["our preference", "nothing in common"])
def test_a_subprotocol_is_agreed_on(front: Front, driver: Driver, name: str) -> None:
    row = OUR_NEGOTIATIONS[name]
    serving = Serving(endpoint=Echo, subprotocols=row.supported)
    with (
        driver.serve(serving) as served,
        front.before(served) as port,
        driver.connect(url_of(port), subprotocols=row.offered) as session,
    ):
        assert session.native.subprotocol == row.chosen
        session.close()


def test_a_refusal_arrives(front: Front, driver: Driver) -> None:
    refusals = iter(REFUSALS.values())

    def refuse(request: Request) -> Response:
        refusal = next(refusals)
        return Response(refusal.status, [refusal.header], refusal.body)

    serving = Serving(endpoint=Echo, process_request=refuse)
    with driver.serve(serving) as served, front.before(served) as port:
        for refusal in REFUSALS.values():
            with pytest.raises(HandshakeRefused) as refused:
                driver.connect(url_of(port))
            response = refused.value.response
            assert (response.status, response.body) == (refusal.status, refusal.body)
            assert response.headers.get(refusal.header[0]) == refusal.header[1]


def test_a_client_that_closes_and_ends_its_stream_at_once_has_closed_cleanly(
    front: Front, driver: Driver
) -> None:
    handler, ends = watched()
    with driver.serve(Serving(endpoint=handler)) as served, front.before(served) as port:
        with dial_upgraded(port) as peer:
            peer.send_close(3000, b"and gone")
            peer.end_writing()
            closed = ends.get(timeout=PATIENCE)
        assert (closed.code, closed.reason, closed.clean) == (3000, "and gone", True)


def test_a_client_that_only_ends_its_stream_has_left(front: Front, driver: Driver) -> None:
    handler, ends = watched()
    with driver.serve(Serving(endpoint=handler)) as served, front.before(served) as port:
        with dial_upgraded(port) as peer:
            peer.send_frame(TEXT, b"last words")
            assert peer.read_frame() == (0x80 | TEXT, b"last words")
            peer.end_writing()
            closed = ends.get(timeout=PATIENCE)
        assert (closed.code, closed.clean) == (1006, False)


@pytest.mark.parametrize("started", ["asyncio"], indirect=True)
def test_our_pings_keep_an_idle_connection_open(front: Front, driver: Driver) -> None:
    config = Config(timeouts=Timeouts(keepalive=0.3, pong=PATIENCE))
    with (
        driver.serve(Serving(endpoint=Echo, config=config)) as served,
        front.before(served, idle=1.2) as port,
        dial_upgraded(port) as peer,
    ):
        for _ in range(5):  # longer than the proxy would wait
            first, payload = peer.read_frame()
            assert first == 0x80 | PING
            peer.send_frame(PONG, payload)
        peer.send_frame(TEXT, b"still here")
        assert peer.read_frame() == (0x80 | TEXT, b"still here")


@pytest.mark.parametrize("started", ["asyncio"], indirect=True)
def test_without_pings_the_proxy_ends_an_idle_connection_and_we_notice(front: Front, driver: Driver) -> None:
    handler, ends = watched()
    config = Config(timeouts=Timeouts(keepalive=None))
    with (
        driver.serve(Serving(endpoint=handler, config=config)) as served,
        front.before(served, idle=1.2) as port,
        dial_upgraded(port) as peer,
    ):
        closed = ends.get(timeout=PATIENCE)
        assert (closed.code, closed.clean, closed.timer) == (1006, False, None)
        assert peer.is_lost()
