"""The echo client that the Autobahn test suite drives: python echo_client.py URL AGENT [BACKEND]

It asks the suite how many cases there are, runs each of them by echoing every message until the
connection ends, however it ends, and has the reports written. A case that breaks the protocol ends badly
on purpose; what counts is the suite's own verdict, so the client goes on with the next.
"""

import asyncio
import sys
from collections.abc import Callable
from urllib.parse import quote

import wscore_asyncio
import wscore_selectors
import wscore_threading
from wscore import Config, Deflate, Endpoint, Limits, Timeouts, WSCoreError
from wscore._typing import override

LARGEST = 16 * 1024 * 1024  # the longest message of section 9
CONFIG = Config(
    limits=Limits(max_message_size=LARGEST, max_fragments=LARGEST // 64, outbox_limit=2 * LARGEST),
    timeouts=Timeouts(keepalive=None),  # every frame on the wire is one that the suite provoked
    compression=Deflate(threshold=0),
)

Case = Callable[[str], None]


def case_count(url: str) -> int:
    """Ask for the number of cases; the answer is one text message."""
    with wscore_threading.connect(f"{url}/getCaseCount", config=CONFIG) as session:
        return int(session.recv(timeout=30.0))


def echo_threading(address: str) -> None:
    """Echo until the connection ends."""
    with wscore_threading.connect(address, config=CONFIG) as session:
        for message in session:
            session.send(message)


async def echo_asyncio(address: str) -> None:
    """Echo until the connection ends."""
    async with wscore_asyncio.connect(address, config=CONFIG) as session:
        async for message in session:
            await session.send(message)


class Echo(Endpoint):
    """Echo, and stop the reactor when the connection has ended."""

    def __init__(self, reactor: wscore_selectors.Reactor) -> None:
        self.reactor = reactor

    @override
    def on_message(self, session: wscore_selectors.Session, message: str | bytes) -> None:
        session.send(message)

    @override
    def on_close(self, session: wscore_selectors.Session, code: int, reason: str) -> None:
        self.reactor.stop()


def echo_selectors(address: str) -> None:
    """Echo until the connection ends."""
    failures: list[Exception] = []
    reactor = wscore_selectors.Reactor()

    def fail(error: Exception) -> None:
        failures.append(error)
        reactor.stop()

    reactor.connect(address, Echo(reactor), config=CONFIG, on_failure=fail)
    reactor.run()
    reactor.close()
    for failure in failures:
        raise failure


def echo_uvloop(address: str) -> None:
    import uvloop

    uvloop.run(echo_asyncio(address))


CASES: dict[str, Case] = {
    "threading": echo_threading,
    "asyncio": lambda address: asyncio.run(echo_asyncio(address)),
    "uvloop": echo_uvloop,
    "selectors": echo_selectors,
}


def run_case(case: Case, url: str, agent: str, number: int) -> None:
    """Run one case."""
    try:
        case(f"{url}/runCase?case={number}&agent={agent}")
    except (WSCoreError, OSError) as error:
        print(f"case {number}: {type(error).__name__}: {error}", flush=True)


def update_reports(url: str, agent: str) -> None:
    """Have the reports written; the suite closes the connection when they are."""
    with wscore_threading.connect(f"{url}/updateReports?agent={agent}", config=CONFIG) as session:
        for _ in session:
            pass


def main(arguments: list[str]) -> int:
    """Run all cases of the suite that listens at the given address."""
    url, agent = arguments[0].rstrip("/"), quote(arguments[1], safe="")
    case = CASES[arguments[2] if len(arguments) > 2 else "threading"]
    for number in range(1, case_count(url) + 1):
        run_case(case, url, agent, number)
    update_reports(url, agent)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
