"""What a big message leaves free is kept for the next one.

glibc gives free memory at the end of its heap back to the kernel, and each big message is then built in fresh
pages, one fault for every 4 KiB: more than half of what a message of 1 MiB costs. How much it keeps follows
the biggest block that ever had a mapping of its own and was freed (mallopt(3), the dynamic mmap threshold).
Other allocators are not impressed, and lose nothing.
"""

from functools import cache
from typing import Final

_BLOCK: Final = 16 * 1024 * 1024  # bytes; up to twice as many are kept


@cache  # once in a process
def keep_freed_memory() -> None:
    """Make and free one big block. Nothing is written to it, so it costs two system calls and no memory."""
    bytes(_BLOCK)
