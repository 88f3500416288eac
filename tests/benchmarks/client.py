"""Runs one client under test: ``client.py NAME --port P --connections N``.

It echoes what the server sends, so the same load generator measures it as measures servers, with the roles
turned round. It prints a line when it is connected, and ends when its input does.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.contestants import main

if __name__ == "__main__":
    if sys.argv[1].startswith("wscore"):
        from benchmarks.ours import CLIENTS
    else:
        from benchmarks.peers import CLIENTS
    main(CLIENTS)
