"""Streams for the differential test, each from a seed and a number.

These two fix everything: the role of those who read the stream, whether permessage-deflate was agreed on
and how, the greatest message they take, the pieces, and where the stream is cut into segments.

Four kinds: valid streams; valid ones of which one to three places were changed; streams about limits; and
random bytes behind random headers.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from differential.deflate import Agreed, DeflateWriter
from differential.grammar import StreamWriter
from differential.mutations import mutate
from wscore import Role

_LIMITS = (300, 4096, 100_000, 100_000, 100_000)
_PIECES_AT_ONCE = 8
_BYTE_BY_BYTE = 1500  # streams of fewer bytes


@dataclass(frozen=True, slots=True)
class Case:
    """One stream and who is to read it.

    Attributes:
        name: "seed/number kind".
        role: of the endpoint that receives the stream.
        agreed: the sender's part of permessage-deflate; None: not agreed on.
        limit: of a message's payload bytes, decoded.
        pieces: the stream.
        cutting: where segments end: 0: behind every eighth piece, else a seed of random places.
        misuse: the sender compresses with more window or context than was agreed on.
    """

    name: str
    role: Role
    agreed: Agreed | None
    limit: int
    pieces: tuple[bytes, ...]
    cutting: int = 0
    misuse: bool = False

    @property
    def data(self) -> bytes:
        """The whole stream."""
        return b"".join(self.pieces)

    def segments(self) -> list[bytes]:
        """Cut the stream."""
        if self.cutting == 0:
            starts = range(0, len(self.pieces), _PIECES_AT_ONCE)
            return [b"".join(self.pieces[start : start + _PIECES_AT_ONCE]) for start in starts]
        chooser, data = random.Random(self.cutting), self.data
        longest = 1 if self.cutting % 4 == 0 and len(data) < _BYTE_BY_BYTE else len(data) // 10 + 20
        position, found = 0, []
        while position < len(data):
            end = position + chooser.randint(1, longest)
            found.append(data[position:end])
            position = end
        return found


def case(seed: int, number: int) -> Case:
    """Write one stream."""
    chooser = random.Random(f"{seed}/{number}")
    role = chooser.choice((Role.SERVER, Role.CLIENT))
    limit = chooser.choice(_LIMITS)
    agreed = Agreed.choose(chooser) if chooser.random() < 0.45 else None
    misuse = agreed is not None and chooser.random() < 0.1
    deflate = None if agreed is None else DeflateWriter(chooser, agreed, misuse=misuse)
    writer = StreamWriter(chooser, role, limit, deflate)
    cutting = chooser.getrandbits(30) if chooser.random() < 0.4 else 0
    kind, pieces = _stream(chooser, writer)
    if kind == "mutated":
        pieces = mutate(chooser, writer, pieces, limit)
    return Case(f"{seed}/{number} {kind}", role, agreed, limit, tuple(pieces), cutting, misuse)


def _stream(chooser: random.Random, writer: StreamWriter) -> tuple[str, list[bytes]]:
    """Choose a kind and write the pieces."""
    share = chooser.random()
    if share < 0.5:
        pieces = writer.conversation(chooser.randint(1, 60))
        if chooser.random() < 0.4:
            pieces.append(writer.close())
            if chooser.random() < 0.3:
                pieces += writer.conversation(2)
        return "valid", pieces
    if share < 0.88:
        return "mutated", writer.conversation(chooser.randint(1, 25))
    if share < 0.92:
        return "limits", writer.conversation(2) + writer.flood() + writer.conversation(2)
    return "random", writer.conversation(1) + writer.nonsense()


def cases(seed: int) -> Iterator[Case]:
    """Write streams without end."""
    number = 0
    while True:
        yield case(seed, number)
        number += 1
