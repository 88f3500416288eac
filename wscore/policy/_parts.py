"""One message that is sent in parts (RFC 6455 section 5.4): what it may consist of, and when it is torn.

Parts come from the application one by one, and between two of them anything can happen: the application
raises, a wait is cancelled, the peer goes away. As soon as a part was sent the message can neither be taken
back nor finished in another's name; all that is left to do then is to close the connection. `InParts` knows
whether it has come to that. A backend adds what waits::

    message = InParts(core, parts, compress)
    try:
        for part in parts:
            message.send(part)
            ...                                 # let it leave
        message.finish()
        ...
    except BaseException:
        if message.is_torn:
            close(CloseCode.INTERNAL_ERROR)
        raise
"""

from typing import TypeAlias, final

from wscore._connection import Connection
from wscore._errors import LocalProtocolError

Part: TypeAlias = str | bytes | bytearray | memoryview


@final
class InParts:
    """A message on its way, part by part.

    Args:
        core: of the session.
        parts: what will give the parts.
        compress: for the whole message; None: compress, if that was agreed on.

    Raises:
        TypeError: parts is itself what a part may be.
    """

    __slots__ = ("_compress", "_core", "_empty")

    def __init__(self, core: Connection, parts: object, compress: bool | None) -> None:
        if isinstance(parts, (str, bytes, bytearray, memoryview)):
            raise TypeError("expected an iterable of parts, not one part")
        self._core = core
        self._compress = compress
        self._empty: str | bytes | None = None  # of the message's kind; None: nothing is under way

    @property
    def is_torn(self) -> bool:
        """Whether the message has begun and not ended, on a connection that has not ended either."""
        return self._empty is not None and self._core.closed is None

    def send(self, part: Part) -> None:
        """Send a part. Then drain.

        Raises:
            LocalProtocolError, TypeError, WriteBufferFull, ConnectionClosed: as `Connection.send_fragment`.
        """
        self._core.send_fragment(part, final=False, compress=self._compress)
        self._empty = "" if isinstance(part, str) else b""

    def finish(self) -> None:
        """Send the last part, an empty one. Then drain.

        Raises:
            LocalProtocolError: there was no part.
            WriteBufferFull, ConnectionClosed: as `Connection.send_fragment`.
        """
        if self._empty is None:
            raise LocalProtocolError("a message needs at least one part")
        self._core.send_fragment(self._empty, final=True, compress=self._compress)
        self._empty = None
