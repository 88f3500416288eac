"""What goes wrong with a stream on its way to the differential test: one to three changes, each to one place.

Most change a header, because that is where the rules are; some the payload, the order, or the end.
"""

import random
import zlib
from collections.abc import Callable
from typing import Final

from differential.grammar import BINARY, CONTINUATION, FIN, PING, RSV1, TEXT, StreamWriter, frame

Change = Callable[[random.Random, StreamWriter, list[bytes], int], None]


def mutate(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> list[bytes]:
    """Return pieces with some changes.

    Args:
        chooser: makes every choice.
        writer: writes what is put in.
        pieces: of a valid stream.
        limit: of a message.
    """
    for _ in range(chooser.choice((1, 1, 1, 2, 3))):
        pieces = [piece for piece in pieces if piece]
        if pieces:
            chooser.choice(_CHANGES)(chooser, writer, pieces, limit)
    return [piece for piece in pieces if piece]


def _place(chooser: random.Random, pieces: list[bytes]) -> int:
    """Choose a place, rather a late one: what is behind it is lost to the comparison."""
    return max(chooser.randrange(len(pieces)), chooser.randrange(len(pieces)))


def _first_bit(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Turn over FIN, a reserved bit, or a bit of the opcode."""
    place = _place(chooser, pieces)
    piece = pieces[place]
    bit = 1 << chooser.choice((7, 7, 6, 6, 5, 4, 3, 2, 1, 0))
    pieces[place] = bytes((piece[0] ^ bit,)) + piece[1:]


def _second_byte(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Turn over the mask bit, or change the length."""
    place = _place(chooser, pieces)
    piece = pieces[place]
    if len(piece) < 2:
        return
    second = piece[1] ^ 0x80 if chooser.random() < 0.4 else piece[1] & 0x80 | chooser.randrange(128)
    pieces[place] = piece[:1] + bytes((second,)) + piece[2:]


def _long_form(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a frame whose length is not in its shortest form."""
    size, form = chooser.choice(((5, 2), (125, 2), (0, 8), (7, 8), (126, 8), (300, 8), (400, 8), (0, 2)))
    first = FIN | chooser.choice((BINARY, BINARY, PING, CONTINUATION))
    _insert(chooser, pieces, frame(first, bytes(size), writer.key(), form=form))


def _wild_length(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a header that promises far more than comes."""
    length = chooser.choice((limit + 1, 65536, 2**31, 2**32 + 5, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1))
    form = 8 if length > 65535 else None
    first = chooser.choice((FIN, 0)) | chooser.choice((TEXT, BINARY, CONTINUATION))
    _insert(chooser, pieces, frame(first, chooser.randbytes(5), writer.key(), form=form, length=length))


def _control(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a control frame that is too long, fragmented, or has a reserved bit."""
    first, size = chooser.choice(
        ((0x89, 126), (0x88, 200), (0x8A, 70_000), (0x09, 3), (0x08, 2), (0xC9, 4), (0xA9, 1))
    )
    _insert(chooser, pieces, frame(first, bytes(size), writer.key()))


def _bad_close(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a Close of any kind."""
    _insert(chooser, pieces, writer.close(valid=False))


def _bad_text(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a text that is not UTF-8."""
    _insert(chooser, pieces, *writer.message(spoil=True))


def _late_surrogate(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a text whose first fragment ends inside a surrogate."""
    fragments = (frame(TEXT, b"a\xed\xa0", writer.key()), frame(FIN, b"\x80", writer.key()))
    _insert(chooser, pieces, *fragments)


def _bomb(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a short frame that inflates to more than the limit."""
    data = zlib.compress(bytes(limit + 1000), wbits=-9)
    _insert(chooser, pieces, frame(FIN | RSV1 | BINARY, data + b"\x00", writer.key()))


def _tail_as_data(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a stored block that is not complete without the four octets that do not travel."""
    size = chooser.choice((10, 2100, 3000))
    head = b"\x00" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")
    _insert(chooser, pieces, frame(FIN | RSV1 | BINARY, head + bytes(size - 4), writer.key()))


def _drop(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Lose a piece."""
    del pieces[_place(chooser, pieces)]


def _repeat(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Send a piece twice."""
    place = _place(chooser, pieces)
    pieces.insert(place, pieces[place])


def _swap(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Send two pieces in the other order."""
    place = _place(chooser, pieces)
    other = min(place + 1, len(pieces) - 1)
    pieces[place], pieces[other] = pieces[other], pieces[place]


def _stray(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Put in a frame of any kind, which need not fit where it stands."""
    first = (
        chooser.choice((FIN, 0))
        | chooser.choice((0, RSV1))
        | chooser.choice((CONTINUATION, TEXT, BINARY, PING))
    )
    _insert(chooser, pieces, frame(first, chooser.choice((b"", b"stray", b"\x03\x00")), writer.key()))


def _break_off(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """End the stream inside a piece."""
    place = _place(chooser, pieces)
    pieces[place] = pieces[place][: chooser.randrange(len(pieces[place]) + 1)]
    del pieces[place + 1 :]


def _flip(chooser: random.Random, writer: StreamWriter, pieces: list[bytes], limit: int) -> None:
    """Turn over any bit; in compressed payload that is damage to the stream."""
    place = _place(chooser, pieces)
    piece = bytearray(pieces[place])
    if piece:
        piece[chooser.randrange(len(piece))] ^= 1 << chooser.randrange(8)
    pieces[place] = bytes(piece)


def _insert(chooser: random.Random, pieces: list[bytes], *more: bytes) -> None:
    place = _place(chooser, pieces)
    pieces[place:place] = more


_CHANGES: Final[tuple[Change, ...]] = (
    _first_bit,
    _first_bit,
    _second_byte,
    _long_form,
    _wild_length,
    _control,
    _bad_close,
    _bad_text,
    _bad_text,
    _late_surrogate,
    _bomb,
    _tail_as_data,
    _drop,
    _repeat,
    _swap,
    _stray,
    _break_off,
    _flip,
    _flip,
)
