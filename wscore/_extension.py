"""What a per-message extension is (RFC 7692 section 5), so that others than deflate can be plugged in.

RFC 7692 defines a frame for such extensions: they change the payload of whole data messages, mark a
changed message with RSV1 in its first frame, and leave control frames alone. Of several that a client
offers, a server agrees to one at most, because they all use that one bit.

An extension has two halves. `Extension` negotiates: it is immutable, stands in `Config.compression` and
serves any number of connections. `Codec` does the work for one connection, with all its state.

Decoding goes in steps, each of a bounded size, because a few bytes may stand for many. The core cuts what
it gives to `Codec.decode` at places that depend on the frames alone and never on how the stream was cut
into segments; so whatever a decoder makes of it, it makes of it every time.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence

from ._codes import Role
from ._grammar import ExtensionOffer
from ._violations import Violation


class Extension(ABC):
    """A per-message extension and the caller's wishes about it; immutable and shared.

    Attributes:
        name: its registered token, in lower case: "permessage-deflate".
    """

    __slots__ = ()

    name: str

    @abstractmethod
    def offers(self) -> Sequence[ExtensionOffer]:
        """Return what a client offers, best first; each has this extension's name."""

    @abstractmethod
    def accept(self, offer: ExtensionOffer) -> ExtensionOffer | None:
        """Return what a server answers to one offer of this name; None declines it. Must not raise."""

    @abstractmethod
    def codec(self, answer: ExtensionOffer, role: Role) -> "Codec | None":
        """Make the codec for what was agreed on.

        Args:
            answer: the server's answer, received or made by `accept`.
            role: whose codec it is.

        Returns:
            None when the answer is not one that the offers allow; the client then fails the connection.
        """


class Codec(ABC):
    """The state of one extension on one connection.

    Attributes:
        pending: `decode` has more to give without further input.
    """

    __slots__ = ()

    pending: bool

    # The way out.

    @abstractmethod
    def wants(self, size: int, choice: bool | None) -> bool:
        """Tell whether a message should be encoded.

        Args:
            size: of its payload, in bytes.
            choice: what the sender of the message asked for; None: nothing.
        """

    @abstractmethod
    def encode(self, data: bytes, *, final: bool) -> bytes:
        """Encode the next piece of a message, so that a peer can decode it at once.

        Args:
            data: any length.
            final: this is the last piece.
        """

    def alone(self) -> Hashable | None:
        """Return what `encode_alone` depends on; None: prepared messages are encoded like any other."""
        return None

    def encode_alone(self, data: bytes) -> bytes:
        """Encode a whole message so that any peer with an equal `alone` can decode it, whatever came before.

        The codec of each connection that sends the result is told so by `sent_alone`.
        """
        raise NotImplementedError

    def sent_alone(self) -> None:  # noqa: B027 - a codec without contexts has nothing to do
        """Take note that the result of an `encode_alone` leaves on this connection."""

    # The way in.

    @abstractmethod
    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        """Take payload and return what it decodes to; b"": nothing yet. Must not raise.

        Args:
            data: the next payload bytes of the message; b"" and no others as long as `pending` holds.
            limit: return about so many bytes at most, at least 1, and set `pending` if there are more.
        """

    @abstractmethod
    def finish(self, limit: int) -> bytes | Violation:
        """The message has no more payload: return what that brings, like `decode`."""

    @abstractmethod
    def end_message(self) -> Violation | None:
        """All of the message was taken: be ready for the next one, or tell what was wrong with this one."""
