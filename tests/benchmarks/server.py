"""Runs one server under test: ``server.py NAME``. It prints its port, and ends when its input does."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.contestants import main

if __name__ == "__main__":
    if sys.argv[1].startswith("wscore"):  # and nothing of it is loaded by the peers
        from benchmarks.ours import SERVERS
    else:
        from benchmarks.peers import SERVERS
    main(SERVERS)
