"""Masking: XOR with a repeated key of four bytes (RFC 6455 section 5.3).

A compiled installation has a loop in C for it (`_xor`). Python itself has no loop that is fast enough for
this byte by byte, so otherwise the work is handed to two operations that run in C: one big-integer XOR for
short payloads, and for long ones four `bytes.translate` calls, one for each byte of the key, over every
fourth byte. Where they cross was measured: the conversions to and from integers cost three copies, and lose
from about 2 KiB on.
"""

from typing import Final

try:
    from . import _xor
except ImportError:  # nothing was compiled
    IN_C = False
else:
    IN_C = True

_STRIDES_FROM: Final = 2048

_tables: Final[list[bytes | None]] = [None] * 256


def _table(key_byte: int) -> bytes:
    """Return the translation table that XORs with key_byte, made when it is first needed."""
    table = _tables[key_byte]
    if table is None:
        table = bytes([value ^ key_byte for value in range(256)])
        _tables[key_byte] = table
    return table


def apply_mask(data: bytes, key: bytes, phase: int = 0) -> bytes:
    """XOR data with key, whose byte number phase % 4 meets the first byte of data.

    Args:
        data: any length.
        key: four bytes.
        phase: how many bytes of the frame's payload came before data.

    Returns:
        A new object of the same length; applying it twice gives data back.
    """
    if IN_C:
        return _xor.apply_mask(data, key, phase)
    return mask_in_python(data, key, phase)


def unmask(buffer: bytes, start: int, end: int) -> bytes:
    """Return the payload of a masked frame: buffer[start:end], whose key stands right before it."""
    if IN_C:
        return _xor.unmask(buffer, start, end)
    return mask_in_python(buffer[start:end], buffer[start - 4 : start])


def mask_in_python(data: bytes, key: bytes, phase: int = 0) -> bytes:
    """Do what `apply_mask` does where there is no compiled module."""
    phase &= 3
    if phase:
        key = key[phase:] + key[:phase]
    size = len(data)
    if size < _STRIDES_FROM:
        pattern = (key * (size // 4 + 1))[:size]
        masked = int.from_bytes(data, "little") ^ int.from_bytes(pattern, "little")
        return masked.to_bytes(size, "little")
    result = bytearray(size)
    for lane in range(4):
        result[lane::4] = data[lane::4].translate(_table(key[lane]))
    return bytes(result)
