"""The echo server that the Autobahn test suite drives: python echo_server.py [PORT [BACKEND]]

It listens on the loopback address, on any free port when PORT is 0 or missing, prints its address as
the one line of its output, and serves until it is terminated. Keepalive is off, so that every frame on
the wire is one that the suite provoked.
"""

import asyncio
import sys

import wscore_asyncio
import wscore_selectors
import wscore_threading
from wscore import ANY_ORIGIN, Config, Deflate, Endpoint, Limits, Timeouts
from wscore._typing import override

LARGEST = 16 * 1024 * 1024  # the longest message of section 9, in as many as 262,144 fragments
CONFIG = Config(
    limits=Limits(max_message_size=LARGEST, max_fragments=LARGEST // 64, outbox_limit=2 * LARGEST),
    timeouts=Timeouts(keepalive=None),
    origins=ANY_ORIGIN,
    compression=Deflate(threshold=0),
)


class Echo(Endpoint):
    """Send every message back as it came."""

    @override
    def on_message(self, session: wscore_selectors.Session, message: str | bytes) -> None:
        session.send(message)


def echo(session: wscore_threading.Session) -> None:
    """Send every message back as it came."""
    for message in session:
        session.send(message)


async def echo_async(session: wscore_asyncio.Session) -> None:
    """Send every message back as it came."""
    async for message in session:
        await session.send(message)


def announce(port: int) -> None:
    print(f"ws://127.0.0.1:{port}", flush=True)


def serve_threading(port: int) -> None:
    with wscore_threading.serve(echo, "127.0.0.1", port, config=CONFIG) as server:
        announce(server.port)
        server.serve_forever()


async def serve_asyncio(port: int) -> None:
    async with wscore_asyncio.serve(echo_async, "127.0.0.1", port, config=CONFIG) as server:
        announce(server.port)
        await server.serve_forever()


def serve_selectors(port: int) -> None:
    reactor = wscore_selectors.Reactor()
    announce(reactor.serve(Echo(), "127.0.0.1", port, config=CONFIG).port)
    reactor.run()


def main(arguments: list[str]) -> int:
    """Serve until the process is terminated."""
    port = int(arguments[0]) if arguments else 0
    backend = arguments[1] if len(arguments) > 1 else "threading"
    if backend == "threading":
        serve_threading(port)
    elif backend == "selectors":
        serve_selectors(port)
    elif backend == "uvloop":
        import uvloop

        uvloop.run(serve_asyncio(port))
    else:
        asyncio.run(serve_asyncio(port))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
