"""A program: an echo server that may open only as many files as its argument says.

It prints its port; then, for each line that it reads, the seconds of processor time that it has used and the
files that it has open. It ends with its input.
"""

import logging
import os
import resource
import sys
import time

from support.threaded import echo
from wscore_threading import serve


def main() -> None:
    """Serve until the input ends."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    logging.basicConfig(level=logging.WARNING)
    open_files = os.open("/proc/self/fd", os.O_RDONLY)  # while there are descriptors to be had
    with serve(echo, "127.0.0.1") as server:
        print(server.port, flush=True)
        for _ in sys.stdin:
            print(time.process_time(), _count(open_files), flush=True)


def _count(folder: int) -> int:
    """Count the entries of a folder that is open; listing takes a descriptor, so -1 when there is none."""
    try:
        return len(os.listdir(folder))
    except OSError:
        return -1


if __name__ == "__main__":
    main()
