"""A per-message extension in full: "x-permessage-xor", which hides nothing and compresses nothing.

It XORs each payload byte with a key that the client offers and the server confirms. What it shows is the
shape of every such extension: an immutable half that negotiates, and a half with the state of one connection.
"""

from collections.abc import Sequence

from wscore import Codec, Config, Extension, ExtensionOffer, Role, Violation


class Xor(Extension):
    """Negotiates the key: ``x-permessage-xor; key=42``."""

    name = "x-permessage-xor"

    def __init__(self, key: int = 42) -> None:
        self.key = key

    def offers(self) -> Sequence[ExtensionOffer]:
        """Offer our key."""
        return [ExtensionOffer(self.name, (("key", str(self.key)),))]

    def accept(self, offer: ExtensionOffer) -> ExtensionOffer | None:
        """Accept any offer with one key that is a byte, and answer it."""
        return offer if read_key(offer) is not None else None

    def codec(self, answer: ExtensionOffer, role: Role) -> "XorCodec | None":
        """Make the codec; a client insists on the key that it offered."""
        key = read_key(answer)
        if key is None or (role is Role.CLIENT and key != self.key):
            return None
        return XorCodec(key)


def read_key(offer: ExtensionOffer) -> int | None:
    """Return the key of an offer or an answer; None: it is not one of this extension."""
    match offer.parameters:
        case (("key", str(value)),) if value in {str(key) for key in range(256)}:
            return int(value)
    return None


class XorCodec(Codec):
    """XORs what goes in and out. Decoding gives as many bytes as it takes, so nothing is ever pending."""

    pending = False

    def __init__(self, key: int) -> None:
        self.table = bytes(byte ^ key for byte in range(256))

    def wants(self, size: int, choice: bool | None) -> bool:
        """Change every message, unless told not to."""
        return choice is not False

    def encode(self, data: bytes, *, final: bool) -> bytes:
        """Encode a piece of a message."""
        return data.translate(self.table)

    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        """Decode a piece of a message; the limit matters to those whose output is longer than their input."""
        return data.translate(self.table)

    def finish(self, limit: int) -> bytes | Violation:
        """Nothing is held back until the end."""
        return b""

    def end_message(self) -> Violation | None:
        """Nothing is carried from one message to the next."""
        return None


config = Config(compression=Xor())
