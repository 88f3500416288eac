"""UTF-8, checked as it arrives: the first impossible byte fails, wherever the stream was cut.

Python's incremental decoder keeps an unfinished sequence of up to three bytes and refuses everything that
can never become a code point, with one exception: after ED, a second byte of A0 to BF starts a surrogate
and is already impossible, but the decoder waits for the third. So that one form is looked for here.
"""

from codecs import utf_8_decode
from typing import final


@final
class Utf8Validator:
    """Tells whether a sequence of chunks is valid UTF-8 so far (RFC 6455 section 8.1, RFC 3629).

    Attributes:
        text: the code points that the last chunk completed, up to the first impossible byte.
        size: the bytes of these; some may have come with an earlier chunk.
    """

    __slots__ = ("_rest", "size", "text")

    def __init__(self) -> None:
        self._rest: bytes = b""
        self.text: str = ""
        self.size: int = 0

    def feed(self, chunk: bytes) -> bool:
        """Take the next chunk; False when no continuation could make the text valid."""
        data = self._rest + chunk if self._rest else chunk
        try:
            self.text, consumed = utf_8_decode(data, "strict", False)
        except UnicodeDecodeError as error:
            self.size = error.start
            self.text = data[: error.start].decode("utf-8")
            return False
        self.size = consumed
        rest = data[consumed:]
        self._rest = rest
        return not (len(rest) >= 2 and rest[0] == 0xED and rest[1] >= 0xA0)

    def finish(self) -> bool:
        """Tell whether the text may end here, and be ready for the next one."""
        complete = not self._rest
        self._rest = b""
        return complete
