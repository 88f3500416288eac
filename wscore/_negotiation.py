"""Which extension is used: offers and answers (RFC 6455 section 9, RFC 7692 section 5).

A client offers everything that its Config names; a server takes the first offer of the client's list that
one of its own extensions can meet, and answers that one; the client checks that it is an answer to what
it offered. At most one is agreed on, since all of them would mark messages with the same bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ._codes import Role
from ._config import Limits
from ._extension import Codec, Extension
from ._grammar import ExtensionOffer, format_extensions, parse_extensions
from ._violations import Violation


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides agreed on.

    Attributes:
        codec: does the work on this connection; None: no extension is in use.
        field: the value of Sec-WebSocket-Extensions in the response; "" for none.
    """

    codec: Codec | None = None
    field: str = ""


NOTHING: Final = Agreement()


def offer(extensions: Sequence[Extension]) -> str:
    """Return the value of Sec-WebSocket-Extensions in a request; "" for none."""
    return format_extensions([one for extension in extensions for one in extension.offers()])


def choose(extensions: Sequence[Extension], offers: Sequence[ExtensionOffer]) -> Agreement:
    """Server: take the first offer that can be met; NOTHING when there is none."""
    for offered in offers:
        for extension in extensions:
            if extension.name != offered.name:
                continue
            answer = extension.accept(offered)
            codec = None if answer is None else extension.codec(answer, Role.SERVER)
            if answer is not None and codec is not None:
                return Agreement(codec, format_extensions([answer]))
    return NOTHING


def agree(extensions: Sequence[Extension], field: bytes, role: Role, limits: Limits) -> Agreement | Violation:
    """Read an answer: one received, or one that was agreed on elsewhere.

    Args:
        extensions: what was offered, or may be in use.
        field: the value of Sec-WebSocket-Extensions in the response.
        role: whose codec to make.
        limits: `max_extensions` and `max_offer` count.
    """
    answers = parse_extensions(field, limits.max_extensions, limits.max_offer)
    if answers is None:
        return Violation.INVALID_EXTENSIONS
    wanted = [extension for extension in extensions if extension.name == answers[0].name]
    if len(answers) > 1 or not wanted:
        return Violation.UNOFFERED_EXTENSION
    for extension in wanted:
        codec = extension.codec(answers[0], role)
        if codec is not None:
            return Agreement(codec, format_extensions(answers))
    return Violation.EXTENSION_PARAMETERS
