"""No request reaches a server inside another one, with nginx or HAProxy in front or without.

A proxy that reads the rows of `smuggling_rows` otherwise than the server would bring a second request past
whoever guards the proxy. Some rows a proxy refuses by itself, some it puts right and passes on. So with a
proxy, a request is good when the proxy says that it has seen it; and a connection is never used again.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from support.conformance.facade import Driver, Serving
from support.conformance.registry import make_driver
from support.our_servers_in_brief import Echo
from support.raw import dial
from support.reverse_proxies import PROXIES, proxy_before, wait_until_unused, why_not
from support.smuggling_rows import REFUSED
from wscore import Request

pytestmark = pytest.mark.strangers

# 101: the proxy has put the row right. All others refuse, as the server or the proxy sees fit.
_STATUSES = (101, 400, 405, 408, 411, 413, 417, 421, 422, 426, 431, 501, 505)


@pytest.fixture(scope="module", params=["threading", "asyncio", "selectors"])
def started(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Run a backend."""
    driver = make_driver(request.param)
    driver.start()
    yield driver
    driver.stop()


def send_and_read_on(port: int, stream: bytes) -> bytes:
    """Send a row and return all that comes until the connection ends, whichever way."""
    answer = b""
    with dial(port) as peer:
        try:
            peer.send(stream)
            while piece := peer.receive():
                answer += piece
        except ConnectionError:
            pass
    return answer


def send_all_rows(port: int) -> dict[str, bytes]:
    """Send each row on a connection of its own, some at a time, and return the answers."""
    streams = [stream for _, stream in REFUSED.values()]
    with ThreadPoolExecutor(24) as pool:
        return dict(zip(REFUSED, pool.map(partial(send_and_read_on, port), streams), strict=True))


def test_each_row_is_refused_with_its_status_and_the_connection_ended(driver: Driver) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.target)

    with driver.serve(Serving(endpoint=Echo, process_request=note)) as served:
        answers = send_all_rows(served.port)
        wait_until_unused(served.port)
    expected = {label: f"HTTP/1.1 {status} ".encode() for label, (status, _) in REFUSED.items()}
    assert {label: answer[:13] for label, answer in answers.items()} == expected
    for answer in answers.values():
        assert answer.count(b"HTTP/1.1 ") == 1
        assert re.search(rb"(?i)\r\nconnection:[^\r]*\bclose\b", answer)
    assert asked == []


@pytest.mark.parametrize("proxy", PROXIES)
def test_no_request_reaches_us_that_the_proxy_has_not_seen(
    proxy: str, driver: Driver, tmp_path: Path
) -> None:
    if (reason := why_not(proxy)) is not None:
        pytest.skip(reason)
    asked: list[tuple[str, list[str]]] = []

    def note(request: Request) -> None:
        asked.append((request.target, list(request.headers.get_all("X-Seen"))))

    with (
        driver.serve(Serving(endpoint=Echo, process_request=note)) as served,
        proxy_before(proxy, served.port, tmp_path, idle=1.0) as port,
    ):
        answers = send_all_rows(port)
        wait_until_unused(served.port)
        # What the rows have left behind, if anything, would meet these.
        for _ in range(5):
            with driver.connect(f"ws://127.0.0.1:{port}/good") as session:
                session.send("good")
                assert session.recv() == "good"
                session.close()
        wait_until_unused(served.port)
    assert asked[-5:] == [("/good", ["/good"])] * 5
    assert [request for request in asked if request[1] != [request[0]]] == []
    statuses = {label: _status(answer) for label, answer in answers.items() if "HTTP/0.9" not in label}
    assert {label: status for label, status in statuses.items() if status not in _STATUSES} == {}


def _status(answer: bytes) -> int | None:
    """Return the first status that says what became of a request; None: there is none."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)]
    return next((status for status in found if status != 100), None)
