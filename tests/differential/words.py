"""Payloads for the differential test: text of every width, what is no text, and Close codes and reasons."""

import random
from typing import Final

# Code points of every encoded length, the first and the last of each, and those next to the surrogates.
_LETTERS: Final = "abc \0\x7f\x80\xe9\u07ff\u0800\u2603\ud7ff\ue000\ufffd\uffff\U00010000\U0001f600\U0010ffff"
_POOL: Final = "".join(random.Random(7).choices(_LETTERS + "etaoin shrdlu" * 3, k=4000)).encode()
_BYTES: Final = random.Random(8).randbytes(4000)

# Each breaks RFC 3629 somewhere: impossible bytes, overlong forms, surrogates, beyond the last code point,
# a continuation without a start, a start without its continuation.
BAD_UTF8: Final = (
    b"\xff",
    b"\xfe\x80",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\x80",
    b"\xbf",
    b"\xe2\x98",
    b"\xf0\x9f\x98",
    b"\xc3",
    b"\xed",
    b"\xf4",
)

_GOOD_CODES: Final = (
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    3000,
    3999,
    4000,
    4999,
)
_BAD_CODES: Final = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 9999, 65535)
CODES: Final = {"good": _GOOD_CODES, "any": _GOOD_CODES + _BAD_CODES * 2}
REASONS: Final = (b"", b"", b"bye", "\u2603 \U0001f600".encode(), b"x" * 123)


def payload_of(chooser: random.Random, text: bool, size: int) -> bytes:
    """Choose a payload of size bytes; text ends at a code point, so it may be up to three bytes shorter."""
    if size == 0:
        return b""
    pool = _POOL if text else _BYTES
    if size > 3000 and chooser.random() < 0.5:
        return (b"wscore " * (size // 7 + 1))[:size]  # what compresses well
    start = chooser.randrange(len(pool))
    data = (pool[start:] + pool * (size // len(pool) + 1))[: size + 3]
    if not text:
        return data[:size]
    whole = data.lstrip(bytes(range(0x80, 0xC0)))[:size].decode("utf-8", "ignore").encode()
    return whole + b"." * (size - len(whole))
