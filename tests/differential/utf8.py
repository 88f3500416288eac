"""UTF-8 as the table of RFC 3629 section 4 says, octet by octet, for the plain reading."""

from typing import Final

# What may follow a first octet: the range of the second one, and how many octets come behind that.
_SECOND: Final[dict[int, tuple[int, int, int]]] = {
    **dict.fromkeys(range(194, 224), (128, 191, 0)),
    0xE0: (0xA0, 0xBF, 1),
    **dict.fromkeys((*range(225, 237), 238, 239), (128, 191, 1)),
    0xED: (0x80, 0x9F, 1),
    0xF0: (0x90, 0xBF, 2),
    **dict.fromkeys(range(241, 244), (128, 191, 2)),
    0xF4: (0x80, 0x8F, 2),
}


class Utf8Reader:
    """Says at which octet a text cannot be UTF-8 any more.

    Attributes:
        good: so far; once False, for ever.
    """

    def __init__(self) -> None:
        self._expected: tuple[int, int, int] | None = None
        self.good = True

    @property
    def complete(self) -> bool:
        """Tell whether the text may end here."""
        return self.good and self._expected is None

    def read(self, data: bytes) -> None:
        """Take more of the text."""
        if self.complete and _is_whole(data):
            return
        for octet in data:
            if self._expected is None:
                self._expected = _SECOND.get(octet)
                self.good = octet < 0x80 or self._expected is not None
            else:
                low, high, more = self._expected
                self.good = low <= octet <= high
                self._expected = (0x80, 0xBF, more - 1) if more else None
            if not self.good:
                return


def _is_whole(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
