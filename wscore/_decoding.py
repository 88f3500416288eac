"""From encoded payload to plain payload, step by step, for messages that an extension has marked.

Two bounds hold here whatever the codec does. A step never gives more than the message may still hold and one
byte, which proves the overflow. And a codec gets its input in blocks that begin and end at fixed places of
a frame's payload, not where segments happened to end: what zlib says about a broken stream, or about one
that refers too far back, depends on how its input was cut. So a block is gathered here first.
"""

from typing import Final, final

from ._extension import Codec
from ._violations import Violation

_BLOCK: Final = 4096  # bytes of input in one step
_STEP: Final = 32 * 1024  # bytes of output in one step


@final
class PayloadDecoder:
    """Takes the payload of marked messages through a codec.

    Attributes:
        busy: `step` has something to do before more payload may be fed.
        ended: the last step ended the message.
    """

    __slots__ = ("_codec", "_finished", "_flush", "_input", "_last", "_position", "busy", "ended")

    def __init__(self, codec: Codec) -> None:
        self._codec: Codec = codec
        self._input: bytes = b""
        self._position: int = 0
        self._flush: bool = False  # what was fed reaches to the end of its frame
        self._last: bool = False  # … and to the end of the message
        self._finished: bool = False  # the codec knows about the end
        self.busy: bool = False
        self.ended: bool = False

    def feed(self, chunk: bytes, frame_done: bool, last: bool) -> None:
        """Take payload; then `step` while busy."""
        self._input += chunk
        self._flush = frame_done
        self._last = last
        self.busy = True
        self.ended = False

    def step(self, room: int | None) -> bytes | Violation:
        """Return the next plain bytes; more than room of them when the message does not fit."""
        limit = _STEP if room is None else min(_STEP, room + 1)
        output: bytes | Violation = b""
        while self.busy and output == b"":
            output = self._advance(limit)
        return output

    def forget(self) -> None:
        """Release what waits."""
        self._input = b""
        self._position = 0
        self.busy = False

    def _advance(self, limit: int) -> bytes | Violation:
        """Let the codec do one thing."""
        if self._codec.pending:
            return self._codec.decode(b"", limit)
        block = self._next_block()
        if block:
            return self._codec.decode(block, limit)
        if not self._last:
            self._input = self._input[self._position :]  # whoever is idle holds less than a block
            self._position = 0
            self.busy = False
            return b""
        if not self._finished:
            self._finished = True
            return self._codec.finish(limit)
        self._finished = False
        self.forget()
        self.ended = True
        return self._codec.end_message() or b""

    def _next_block(self) -> bytes:
        """Cut the next block off the input; b"" when it is not complete."""
        end = self._position + _BLOCK
        if end > len(self._input) and not self._flush:
            return b""
        block = self._input[self._position : end]
        self._position = min(end, len(self._input))
        return block
