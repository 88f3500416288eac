"""Compare how wscore and other parsers read generated streams: python run.py [--frames N] [--seed N] [PEER..]

The peers are aiohttp, websockets and wsproto, as far as they are installed, and npm's ws, where there is
node: --install fetches it into the folder that the environment variable WSCORE_WS names, or a temporary one.

The exit status is 0 when every difference is in the table, 1 when one is not; then the smallest stream that
shows it is printed.
"""

import argparse
import sys
import time
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS.parent), str(_TESTS)]


def main() -> int:
    """Run the command."""
    from differential.adapter_node import install
    from differential.running import PEERS, explain, run

    parser = argparse.ArgumentParser(description="Compare how parsers read generated streams.")
    parser.add_argument("--frames", type=int, default=100_000, help="how many to compare, at least")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same streams")
    parser.add_argument("--install", action="store_true", help="install ws first")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
    arguments = parser.parse_args()
    unknown = set(arguments.peers) - set(PEERS)
    if unknown:
        parser.error(f"not a peer: {', '.join(sorted(unknown))}")
    if arguments.install and (reason := install()) is not None:
        print(f"ws: {reason}")
    started = time.perf_counter()
    summary = run(arguments.frames, seed=arguments.seed, peers=arguments.peers or PEERS)
    print(summary)
    print(f"{time.perf_counter() - started:.1f} s")
    found = [*summary.misread, *(one for count in summary.peers.values() for one in count.unexplained)]
    for difference in found:
        print()
        print(explain(difference))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
