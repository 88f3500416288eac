"""What is a work, and what is a figure.

A work measures one contestant once, in a fresh process, and returns figures by name:

- ``cpu``: microseconds of the contestant's processor time for each message (or handshake, or receiver);
- ``rate``: messages (or handshakes, or receivers) a second;
- ``capacity``: the same for each second of the contestant's processor time, so what the generator may have
  held up does not count;
- ``busy``, ``load``: how much of the time the contestant's processor and the generator's were at work;
- ``kib``, ``growth``, ``block``, ``single``, ``core_rate``: see the works that give them.

Rounds are short on purpose: many that alternate say more about a noisy machine than few long ones.
"""

from typing import Protocol

from benchmarks.load import Tally
from benchmarks.processes import Contestant, Lab

Figures = dict[str, float]


class Work(Protocol):
    """Something to do, with a title that is its name in tables and files."""

    @property
    def title(self) -> str: ...

    def measure(self, lab: Lab, contestant: Contestant, seconds: float) -> Figures:
        """Let one contestant do it for a while."""
        ...


def figures(tally: Tally, messages: int) -> Figures:
    """Return what a run says of each message."""
    return {
        "cpu": tally.cpu / messages * 1e6,
        "rate": messages / tally.elapsed,
        "capacity": messages / tally.cpu,
        "busy": tally.cpu / tally.elapsed,
        "load": tally.load,
    }
