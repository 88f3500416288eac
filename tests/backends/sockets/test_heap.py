"""The heap after `tune`: big blocks come back without page faults, and nothing was paid for that."""

import platform
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="the system counts no page faults")

# Four messages of 1 MiB at a time are built and dropped, as on four connections that echo.
WORK = """
import resource
from io import BytesIO
from wscore_sockets import tune

def usage():
    return resource.getrusage(resource.RUSAGE_SELF)

def work(rounds):
    before = usage().ru_minflt
    for _ in range(rounds):
        kept = []
        for _ in range(4):
            message = BytesIO()
            for _ in range(16):
                message.write(bytes(range(256)) * 256)
            kept.append(message.getvalue())
        del kept
    return usage().ru_minflt - before

size = usage().ru_maxrss
tune(object())
print(usage().ru_maxrss - size)
work(3)
print(work(50) / 200)
"""


def run() -> tuple[float, float]:
    """Return by how many KiB `tune` made the process bigger, and the page faults for each message."""
    command = [sys.executable, "-P", "-c", WORK]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    grown, faults = map(float, output.stdout.split())
    return grown, faults


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="it is glibc's heap that gives back what is free"
)
def test_big_messages_are_built_in_memory_that_is_there() -> None:
    _, faults = run()
    assert faults < 16  # of the 256 pages of a message


def test_it_costs_no_memory_anywhere() -> None:
    grown, _ = run()
    assert grown < 1024
