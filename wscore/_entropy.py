"""The default source of randomness: the operating system's, taken in small blocks.

Masking keys must be unpredictable (RFC 6455 section 10.3), so every byte comes from `os.urandom`; one call
per frame would cost more than the frame, so 64 keys are drawn at a time. A child process must never
repeat its parent's keys: the pool is emptied after fork.

This is the only module of the core that names a random source. Tests and vectors pass their own.
"""

import os
from typing import Final, final

_BLOCK: Final = 256
_KEY: Final = 4


@final
class EntropyPool:
    """Unpredictable bytes; those of masking keys are drawn in advance.

    Threads may share a pool: each key is taken out of it in one step. Two threads that find it empty at
    the same time draw a block each, and one of the rests is dropped.
    """

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: list[bytes] = []

    def take(self, size: int) -> bytes:
        """Return size unpredictable bytes."""
        if size != _KEY:
            return os.urandom(size)
        try:
            return self._keys.pop()
        except IndexError:
            return self._draw()

    def _draw(self) -> bytes:
        block = os.urandom(_BLOCK)
        keys = [block[start : start + _KEY] for start in range(0, _BLOCK, _KEY)]
        key = keys.pop()
        self._keys = keys
        return key

    def forget(self) -> None:
        """Drop what is pooled; the next call asks the operating system again."""
        self._keys = []


_pool: Final = EntropyPool()
if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_pool.forget)

system_entropy: Final = _pool.take
