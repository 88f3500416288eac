"""The echo server that the Autobahn test suite drives: python echo_server.py [PORT]

It listens on the loopback address, on any free port when PORT is 0 or missing, prints its address as
the one line of its output, and serves until it is terminated. Keepalive is off, so that every frame on
the wire is one that the suite provoked.
"""

import sys

import wscore_threading
from wscore import ANY_ORIGIN, Config, Deflate, Limits, Timeouts

LARGEST = 16 * 1024 * 1024  # the longest message of section 9, in as many as 262,144 fragments
CONFIG = Config(
    limits=Limits(max_message_size=LARGEST, max_fragments=LARGEST // 64, outbox_limit=2 * LARGEST),
    timeouts=Timeouts(keepalive=None),
    origins=ANY_ORIGIN,
    compression=Deflate(threshold=0),
)


def echo(session: wscore_threading.Session) -> None:
    """Send every message back as it came."""
    for message in session:
        session.send(message)


def main(arguments: list[str]) -> int:
    """Serve until the process is terminated."""
    port = int(arguments[0]) if arguments else 0
    with wscore_threading.serve(echo, "127.0.0.1", port, config=CONFIG) as server:
        print(f"ws://127.0.0.1:{server.port}", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
