"""The echo client that the Autobahn test suite drives: python echo_client.py URL AGENT

It asks the suite how many cases there are, runs each of them by echoing every message until the
connection ends, however it ends, and has the reports written. A case that breaks the protocol ends badly
on purpose; what counts is the suite's own verdict, so the client goes on with the next.
"""

import sys
from urllib.parse import quote

import wscore_threading
from wscore import Config, Deflate, Limits, Timeouts, WSCoreError

LARGEST = 16 * 1024 * 1024  # the longest message of section 9
CONFIG = Config(
    limits=Limits(max_message_size=LARGEST, max_fragments=LARGEST // 64, outbox_limit=2 * LARGEST),
    timeouts=Timeouts(keepalive=None),  # every frame on the wire is one that the suite provoked
    compression=Deflate(threshold=0),
)


def case_count(url: str) -> int:
    """Ask for the number of cases; the answer is one text message."""
    with wscore_threading.connect(f"{url}/getCaseCount", config=CONFIG) as session:
        return int(session.recv(timeout=30.0))


def run_case(url: str, agent: str, number: int) -> None:
    """Run one case: echo until the connection ends."""
    address = f"{url}/runCase?case={number}&agent={agent}"
    try:
        with wscore_threading.connect(address, config=CONFIG) as session:
            for message in session:
                session.send(message)
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
    for number in range(1, case_count(url) + 1):
        run_case(url, agent, number)
    update_reports(url, agent)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
