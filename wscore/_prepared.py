"""A message that is encoded and framed once and sent on many connections.

A server's frames are the same for everybody, so a broadcast to a thousand clients need not make them a
thousand times. Compressed, they differ with the parameters that were agreed on: one set of frames is kept for
each. A client masks every frame with a new key (RFC 6455 section 5.3), so only its payload can be kept.
"""

from collections.abc import Hashable
from typing import final

from ._codes import Opcode
from ._errors import LocalProtocolError
from ._extension import Codec
from ._frames import cut_message


@final
class PreparedMessage:
    """A message to be sent many times; may be shared by connections and threads.

    Args:
        message: ``str`` for a text message, anything bytes-like for a binary one, which is copied.
        compress: True or False; None: as each connection's Config says.

    Raises:
        LocalProtocolError: text with lone surrogates.
        TypeError: neither text nor bytes-like; no choice.
    """

    __slots__ = ("_encoded", "_frame", "_frames", "compress", "opcode", "payload")

    def __init__(
        self, message: str | bytes | bytearray | memoryview, *, compress: bool | None = None
    ) -> None:
        check_choice(compress)
        self.opcode, self.payload = encode_message(message)
        self.compress: bool | None = compress
        self._frame: list[bytes] | None = None
        self._encoded: dict[Hashable, bytes] = {}
        self._frames: dict[tuple[Hashable, int | None], list[list[bytes]]] = {}

    @property
    def frame(self) -> list[bytes]:
        """A server's one frame, plain, as its pieces."""
        if self._frame is None:
            self._frame = cut_message(self.opcode, self.payload, None)[0]
        return self._frame

    def encoded(self, codec: Codec) -> bytes:
        """Return the payload as codec, and any one like it, encodes it without a context."""
        key = codec.alone()
        encoded = self._encoded.get(key)
        if encoded is None:
            encoded = self._encoded[key] = codec.encode_alone(self.payload)
        return encoded

    def frames(self, codec: Codec | None, fragment_size: int | None) -> list[list[bytes]]:
        """Return a server's frames, as pieces: encoded by codec, or plain for None."""
        key = None if codec is None else codec.alone(), fragment_size
        frames = self._frames.get(key)
        if frames is None:
            payload = self.payload if codec is None else self.encoded(codec)
            frames = cut_message(self.opcode, payload, fragment_size, marked=codec is not None)
            self._frames[key] = frames
        return frames


def check_choice(compress: object) -> None:
    """Raise TypeError unless compress is True, False or None."""
    if compress is not None and not isinstance(compress, bool):
        raise TypeError(f"compress must be True, False or None, not {type(compress).__name__}")


def encode_message(message: str | bytes | bytearray | memoryview) -> tuple[Opcode, bytes]:
    """Return a message's opcode and payload.

    Raises:
        LocalProtocolError: text with lone surrogates.
        TypeError: neither text nor bytes-like.
    """
    if isinstance(message, str):
        return Opcode.TEXT, encode_text(message)
    return Opcode.BINARY, encode_bytes(message)


def encode_text(text: str) -> bytes:
    """Return the payload of a text message (RFC 6455 section 5.6).

    Raises:
        LocalProtocolError: lone surrogates.
        TypeError: not str.
    """
    if not isinstance(text, str):
        raise TypeError(f"a text message must be str, not {type(text).__name__}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise LocalProtocolError("a text message must not contain lone surrogates") from None


def encode_bytes(data: bytes | bytearray | memoryview) -> bytes:
    """Return the payload of a binary message; data may be changed afterwards.

    Raises:
        TypeError: not bytes-like.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a binary message must be bytes-like, not {type(data).__name__}")
    return bytes(data)
