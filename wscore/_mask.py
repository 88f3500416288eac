"""Masking: XOR with a repeated key of four bytes (RFC 6455 section 5.3).

A compiled installation has a loop in C for it (`_xor`). Python itself has no loop that is fast enough for
this byte by byte, so otherwise the work is handed to two operations that run in C: one big-integer XOR for
short payloads, and for long ones four `bytes.translate` calls, one for each byte of the key, over every
fourth byte. Where they cross was measured: the conversions to and from integers cost three copies, and lose
from about 2 KiB on.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, final


def _find_in_c(name: str) -> Any:
    try:
        return getattr(import_module("wscore._xor"), name)
    except ImportError:  # nothing was compiled
        return None


_apply_in_c: Final[Callable[[bytes, bytes, int], bytes] | None] = _find_in_c("apply_mask")
_part_in_c: Final[Callable[[bytes, bytes, int, int], bytes] | None] = _find_in_c("mask_part")
_behind_in_c: Final[Callable[[bytes, bytes, bytes], bytes] | None] = _find_in_c("mask_behind")
_unmask_in_c: Final[Callable[[bytes, int, int], bytes] | None] = _find_in_c("unmask")

_STRIDES_FROM: Final = 2048
_read: Final = int.from_bytes

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
    if _apply_in_c is not None:
        return _apply_in_c(data, key, phase)
    return mask_in_python(data, key, phase)


def mask_behind(header: bytes, payload: bytes, key: bytes) -> bytes:
    """Return header, key and masked payload as one object."""
    if _behind_in_c is not None:
        return _behind_in_c(header, payload, key)
    return header + key + mask_in_python(payload, key)


@final
class MaskedLater:
    """A long payload that is masked part by part, as it leaves: there is never a masked copy of all of it.

    Args:
        payload: kept until its last part is taken.
        key: four bytes.

    Attributes:
        left: how many bytes have not been taken.
    """

    __slots__ = ("_key", "_payload", "left")

    def __init__(self, payload: bytes, key: bytes) -> None:
        self._payload: bytes = payload
        self._key: bytes = key
        self.left: int = len(payload)

    def take(self, size: int) -> bytes:
        """Take the next part: size bytes, or what is left."""
        start = len(self._payload) - self.left
        end = min(start + size, len(self._payload))
        self.left = len(self._payload) - end
        if _part_in_c is not None:
            return _part_in_c(self._payload, self._key, start, end)
        return mask_in_python(self._payload[start:end], self._key, start)


def unmask(buffer: bytes, start: int, end: int) -> bytes:
    """Return the payload of a masked frame: buffer[start:end], whose key stands right before it."""
    if _unmask_in_c is not None:
        return _unmask_in_c(buffer, start, end)
    size, key = end - start, buffer[start - 4 : start]
    if size >= _STRIDES_FROM:
        return mask_in_python(buffer[start:end], key)
    pattern = (key * (size // 4 + 1))[:size]  # as below, without a second call for every message
    return (_read(buffer[start:end], "little") ^ _read(pattern, "little")).to_bytes(size, "little")


def mask_in_python(data: bytes, key: bytes, phase: int = 0) -> bytes:
    """Do what `apply_mask` does where there is no compiled module."""
    phase &= 3
    if phase:
        key = key[phase:] + key[:phase]
    size = len(data)
    if size < _STRIDES_FROM:
        pattern = (key * (size // 4 + 1))[:size]
        return (_read(data, "little") ^ _read(pattern, "little")).to_bytes(size, "little")
    result = bytearray(size)
    for lane in range(4):
        result[lane::4] = data[lane::4].translate(_table(key[lane]))
    return bytes(result)
