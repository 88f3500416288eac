"""The default source of randomness: the operating system's, taken in small blocks.

Masking keys must be unpredictable (RFC 6455 section 10.3), so every byte comes from `os.urandom`; one call
per frame would cost more than the frame, so bytes are drawn 256 at a time. A child process must never
repeat its parent's keys: the pool is emptied after fork.

This is the only module of the core that names a random source. Tests and vectors pass their own.
"""

import os
from typing import Final, final

_BLOCK: Final = 256


@final
class EntropyPool:
    """Unpredictable bytes, a few at a time.

    Threads may share a pool: `take` claims its range before it reads it, so two threads can at worst
    draw a fresh block each, never the same bytes.
    """

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def take(self, size: int) -> bytes:
        """Return size unpredictable bytes; 0 <= size <= 256."""
        try:
            block = self._blocks.pop()  # atomic: the block is now ours alone
        except IndexError:
            block = b""
        if len(block) < size:
            block = os.urandom(_BLOCK)
        if len(block) > size and not self._blocks:
            self._blocks.append(block[size:])
        return block[:size]

    def forget(self) -> None:
        """Drop what is pooled; the next call asks the operating system again."""
        self._blocks.clear()


_pool: Final = EntropyPool()
if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_pool.forget)

system_entropy: Final = _pool.take
