import zlib
from typing import Any

import pytest

from support.deflate_modules import Substitute
from support.deflate_writer import DeflateWriter
from support.deflated import TAIL, WatchedZlib, deflate, inflate, whole_stream
from wscore import Deflate, ExtensionOffer, Role, Violation
from wscore._deflate import DeflateCodec

NAME = "permessage-deflate"
SERVER_ALONE, CLIENT_ALONE = "server_no_context_takeover", "client_no_context_takeover"
SERVER_BITS, CLIENT_BITS = "server_max_window_bits", "client_max_window_bits"
TEXT = b"some words and some words again, and some words"

Parameters = list[tuple[str, str | None]]


def parameters(*pairs: tuple[str, str | None]) -> ExtensionOffer:
    """Return an offer or an answer."""
    return ExtensionOffer(NAME, pairs)


def codec(*pairs: tuple[str, str | None], role: Role = Role.SERVER, **settings: Any) -> DeflateCodec:
    """Return what follows from an answer."""
    made = Deflate(**settings).codec(parameters(*pairs), role)
    assert made is not None
    return made


def decode(codec: DeflateCodec, payload: bytes, limit: int = 65536) -> bytes | Violation:
    """Take a whole message through codec."""
    output = b""
    for last in (False, True):
        piece = codec.finish(limit) if last else codec.decode(payload, limit)
        while True:
            if isinstance(piece, Violation):
                return piece
            output += piece
            if not codec.pending:
                break
            piece = codec.decode(b"", limit)
    return codec.end_message() or output


# Settings.


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({SERVER_BITS: 8}, ValueError),
        ({SERVER_BITS: 16}, ValueError),
        ({SERVER_BITS: "9"}, TypeError),
        ({SERVER_BITS: True}, TypeError),
        ({SERVER_BITS: 9.0}, TypeError),
        ({SERVER_BITS: None}, TypeError),
        ({CLIENT_BITS: 8}, ValueError),
        ({CLIENT_BITS: 16}, ValueError),
        ({"memory_level": 0}, ValueError),
        ({"memory_level": 10}, ValueError),
        ({"threshold": -1}, ValueError),
        ({"threshold": 2**63 + 1}, ValueError),
        ({"threshold": 1.5}, TypeError),
        ({SERVER_ALONE: 1}, TypeError),
        ({CLIENT_ALONE: "yes"}, TypeError),
        ({"fallback": None}, TypeError),
        ({"level": 10}, ValueError),
        ({"level": "fast"}, ValueError),
        ({"zlib": object()}, ValueError),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(
    settings: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Deflate(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {SERVER_BITS: 9, CLIENT_BITS: 15, "memory_level": 1, "threshold": 0, "level": 0},
        {SERVER_BITS: 15, CLIENT_BITS: 9, "memory_level": 9, "threshold": 2**63, "level": 9},
        {"level": None},
        {"level": -1},
    ],
)
def test_settings_at_the_edges_are_taken(settings: dict[str, Any]) -> None:
    Deflate(**settings)


def test_the_defaults_save_memory_and_time() -> None:
    settings = Deflate()
    assert (settings.server_max_window_bits, settings.client_max_window_bits) == (12, 12)
    assert (settings.memory_level, settings.level, settings.threshold) == (5, None, 256)
    assert not settings.server_no_context_takeover and not settings.client_no_context_takeover
    assert settings.fallback and settings.name == NAME


def test_a_module_is_told_level_method_window_and_memory() -> None:
    watched = WatchedZlib()
    settings = Deflate(zlib=watched, level=3, memory_level=7, server_max_window_bits=11)
    assert watched.settings == [(3, 8, -11, 7)]  # tried once, so that a mistake shows here
    settings.compressor(14)
    assert watched.settings[1:] == [(3, 8, -14, 7)]
    Deflate(zlib=watched, level=None).compressor(9)
    assert watched.settings[-1] == (zlib.Z_DEFAULT_COMPRESSION, 8, -9, 5)


# Negotiation: the whole table is in test_compression_negotiation.


@pytest.mark.parametrize(
    ("settings", "offers"),
    [
        ({}, [[(SERVER_BITS, "12"), (CLIENT_BITS, "12")], [(CLIENT_BITS, None)]]),
        ({"fallback": False}, [[(SERVER_BITS, "12"), (CLIENT_BITS, "12")]]),
        ({SERVER_BITS: 15, CLIENT_BITS: 15}, [[(CLIENT_BITS, None)]]),
        ({SERVER_BITS: 15, CLIENT_BITS: 14}, [[(CLIENT_BITS, "14")]]),
        (
            {SERVER_BITS: 15, CLIENT_BITS: 15, CLIENT_ALONE: True},
            [[(CLIENT_BITS, None), (CLIENT_ALONE, None)]],
        ),
        (
            {SERVER_BITS: 15, CLIENT_BITS: 15, SERVER_ALONE: True},
            [[(SERVER_ALONE, None), (CLIENT_BITS, None)], [(CLIENT_BITS, None)]],
        ),
    ],
)
def test_a_client_offers_its_wishes_and_behind_them_what_any_server_can_meet(
    settings: dict[str, Any], offers: list[Parameters]
) -> None:
    assert list(Deflate(**settings).offers()) == [ExtensionOffer(NAME, tuple(offer)) for offer in offers]


FREE = {SERVER_BITS: 15, CLIENT_BITS: 15}


@pytest.mark.parametrize(
    ("settings", "offer", "answer"),
    [
        (FREE, [], []),
        (FREE, [(CLIENT_BITS, None)], []),
        (FREE, [(CLIENT_BITS, "15"), (SERVER_BITS, "15")], [(SERVER_BITS, "15"), (CLIENT_BITS, "15")]),
        (FREE, [(SERVER_BITS, "9"), (CLIENT_BITS, "8")], [(SERVER_BITS, "9"), (CLIENT_BITS, "8")]),
        (FREE, [(SERVER_BITS, "8")], None),
        (FREE, [(SERVER_ALONE, None)], [(SERVER_ALONE, None)]),
        (FREE, [(CLIENT_ALONE, None)], [(CLIENT_ALONE, None)]),
        (FREE | {SERVER_ALONE: True, CLIENT_ALONE: True}, [], [(SERVER_ALONE, None), (CLIENT_ALONE, None)]),
        ({}, [], [(SERVER_BITS, "12")]),
        ({}, [(CLIENT_BITS, None)], [(SERVER_BITS, "12"), (CLIENT_BITS, "12")]),
        ({}, [(CLIENT_BITS, "10"), (SERVER_BITS, "10")], [(SERVER_BITS, "10"), (CLIENT_BITS, "10")]),
        (FREE, [("unknown", None)], None),
        (FREE, [(CLIENT_ALONE, None), (CLIENT_ALONE, None)], None),
        (FREE, [(CLIENT_ALONE, "1")], None),
        (FREE, [(SERVER_ALONE, "1")], None),
        (FREE, [(SERVER_BITS, None)], None),
        (FREE, [(SERVER_BITS, "7")], None),
        (FREE, [(CLIENT_BITS, "16")], None),
        (FREE, [(CLIENT_BITS, "09")], None),
        (FREE, [(CLIENT_BITS, "10\n")], None),
        (FREE, [(CLIENT_BITS, "\u0661\u0660")], None),
    ],
)
def test_a_server_answers_one_offer_or_declines_it(
    settings: dict[str, Any], offer: Parameters, answer: Parameters | None
) -> None:
    expected = None if answer is None else parameters(*answer)
    assert Deflate(**settings).accept(parameters(*offer)) == expected


@pytest.mark.parametrize(
    ("settings", "answer", "legal"),
    [
        ({"fallback": False, SERVER_BITS: 12}, [], False),
        ({"fallback": False, SERVER_BITS: 12}, [(SERVER_BITS, "12")], True),
        ({"fallback": False, SERVER_BITS: 12}, [(SERVER_BITS, "13")], False),
        ({"fallback": False, **FREE, SERVER_ALONE: True}, [], False),
        ({"fallback": False, **FREE, SERVER_ALONE: True}, [(SERVER_ALONE, None)], True),
        ({SERVER_BITS: 9, SERVER_ALONE: True}, [], True),
        (FREE, [(CLIENT_BITS, None)], False),
        (FREE, [(CLIENT_BITS, "8"), (SERVER_BITS, "8"), (CLIENT_ALONE, None), (SERVER_ALONE, None)], True),
    ],
)
def test_a_client_looks_whether_an_answer_is_one_to_its_offers(
    settings: dict[str, Any], answer: Parameters, legal: bool
) -> None:
    assert (Deflate(**settings).codec(parameters(*answer), Role.CLIENT) is not None) is legal


def test_a_server_reads_what_was_agreed_on_elsewhere() -> None:
    assert Deflate().codec(parameters((SERVER_BITS, "99")), Role.SERVER) is None
    assert (
        Deflate().codec(parameters((SERVER_BITS, "8")), Role.SERVER) is not None
    )  # then it does not compress


@pytest.mark.parametrize(
    ("role", "answer", "own", "peer"),
    [
        (Role.SERVER, [], 12, 15),  # never more than we wish ourselves
        (Role.CLIENT, [], 12, 15),
        (Role.SERVER, [(SERVER_BITS, "10"), (CLIENT_BITS, "9")], 10, 9),
        (Role.CLIENT, [(SERVER_BITS, "10"), (CLIENT_BITS, "9")], 9, 10),
        (Role.SERVER, [(SERVER_BITS, "15"), (CLIENT_BITS, "8")], 12, 8),
        (Role.CLIENT, [(SERVER_BITS, "8"), (CLIENT_BITS, "12")], 12, 8),
    ],
)
def test_each_side_has_the_window_of_its_direction(
    role: Role, answer: Parameters, own: int, peer: int
) -> None:
    watched = WatchedZlib()
    made = codec(*answer, role=role, zlib=watched)
    made.encode(TEXT, final=True)
    made.decode(deflate(TEXT, bits=9), 100)
    assert watched.settings[1:] == [(-1, 8, -own, 5), (-peer,)]


# Compressing.


@pytest.mark.parametrize(
    ("threshold", "size", "choice", "wanted"),
    [
        (256, 255, None, False),
        (256, 256, None, True),
        (256, 1, True, True),
        (256, 1000, False, False),
        (0, 0, None, False),  # an empty message would only grow
        (0, 0, True, False),
        (0, 1, None, True),
    ],
)
def test_what_is_worth_compressing(threshold: int, size: int, choice: bool | None, wanted: bool) -> None:
    assert codec(threshold=threshold).wants(size, choice) is wanted


def test_with_a_window_of_eight_bits_nothing_is_compressed() -> None:
    assert not codec((CLIENT_BITS, "8"), role=Role.CLIENT).wants(10**6, True)
    assert not codec((SERVER_BITS, "8")).wants(10**6, True)
    assert codec((SERVER_BITS, "9")).wants(10**6, None)


def test_a_message_ends_with_a_flush_whose_last_octets_do_not_travel() -> None:
    payload = codec().encode(TEXT, final=True)
    assert not payload.endswith(TAIL)
    assert zlib.decompressobj(-15).decompress(payload + TAIL) == TEXT


def test_a_part_can_be_decoded_at_once_and_the_last_may_be_empty() -> None:
    made, peer = codec(), zlib.decompressobj(-15)
    assert peer.decompress(made.encode(TEXT, final=False)) == TEXT
    assert peer.decompress(made.encode(b"more", final=False)) == b"more"
    last = made.encode(b"", final=True)
    assert last == b"\x00"  # RFC 7692 section 7.2.3.6
    assert peer.decompress(last + TAIL) == b""
    assert peer.decompress(made.encode(TEXT, final=True) + TAIL) == TEXT


def test_a_context_goes_on_unless_it_was_agreed_not_to() -> None:
    going_on = codec()
    first, second = (going_on.encode(TEXT, final=True) for _ in range(2))
    assert len(second) < len(first) and inflate(first) == TEXT
    with pytest.raises(zlib.error):
        inflate(second)  # it refers to the first
    for alone in (codec(server_no_context_takeover=True), codec((SERVER_ALONE, None))):
        assert alone.encode(TEXT, final=True) == alone.encode(TEXT, final=True) == first


def test_the_parts_of_a_message_share_a_context_also_without_takeover() -> None:
    made = codec((SERVER_ALONE, None))
    first, second = made.encode(TEXT, final=False), made.encode(TEXT, final=True)
    assert len(second) < len(first)
    assert inflate(first + second) == TEXT * 2


def test_what_is_encoded_alone_depends_on_nothing_before_and_nothing_after_depends_on_it() -> None:
    made = codec()
    made.encode(TEXT, final=True)
    assert inflate(made.encode_alone(TEXT)) == TEXT
    assert made.encode_alone(TEXT) == made.encode_alone(TEXT) == codec().encode(TEXT, final=True)
    made.sent_alone()
    assert inflate(made.encode(TEXT, final=True)) == TEXT


def test_codecs_that_encode_alike_say_so() -> None:
    same = codec().alone()
    assert same == codec((SERVER_ALONE, None)).alone()
    assert same == codec((CLIENT_BITS, "9")).alone()  # the other direction does not matter
    changes: list[dict[str, Any]] = [{"level": 1}, {"memory_level": 9}, {"zlib": WatchedZlib()}]
    different = [codec((SERVER_BITS, "9")), *(codec(**change) for change in changes)]
    assert len({same, *(made.alone() for made in different)}) == 5


# Decompressing.


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (deflate(TEXT), TEXT),
        (deflate(b""), b""),
        (b"", b""),
        (b"\x00", b""),
        (whole_stream(TEXT) + b"\x00", TEXT),
        (whole_stream(TEXT) + deflate(b"more"), TEXT + b"more"),
        (deflate(TEXT) + TAIL + deflate(b"more"), TEXT + b"more"),
        (b"\x07", Violation.COMPRESSED_DATA),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 7, 46, 47, 48, 65536])
@pytest.mark.parametrize("alone", [False, True])
def test_a_message_is_inflated_in_steps_of_any_size(
    payload: bytes, expected: bytes | Violation, limit: int, alone: bool
) -> None:
    made = codec(*([(CLIENT_ALONE, None)] if alone else []))
    assert decode(made, payload, limit) == expected
    assert not made.pending
    if not isinstance(expected, Violation):
        assert decode(made, deflate(b"the next one"), limit) == b"the next one"


def test_no_step_gives_more_than_it_may() -> None:
    made = codec()
    bomb = deflate(bytes(100_000))
    pieces = [made.decode(bomb, 1000)]
    while made.pending:
        pieces.append(made.decode(b"", 1000))
    sizes = [len(piece) for piece in pieces if isinstance(piece, bytes)]
    assert len(sizes) == len(pieces) and max(sizes) <= 1000 and sum(sizes) == 100_000


def test_what_zlib_holds_back_when_all_input_is_taken_is_still_given() -> None:
    made = codec()
    cut_before_its_end = DeflateWriter().fixed(b"a", (10, 1)).done()[:3]  # a literal and a reference
    assert made.decode(cut_before_its_end, 3) == b"aaa" and made.pending
    assert made.decode(b"", 100) == b"a" * 8 and not made.pending


@pytest.mark.parametrize("count", [1024, 1025])
def test_a_message_has_no_more_than_1024_streams(count: int) -> None:
    made = codec()
    payload = whole_stream(b"x") * count + b"\x00"
    expected = b"x" * 1024 if count == 1024 else Violation.TOO_MANY_STREAMS
    assert decode(made, payload) == expected
    if count == 1024:
        assert decode(made, payload) == expected  # counted for each message by itself


def test_nothing_behind_the_end_of_a_stream_is_kept_by_zlib() -> None:
    kept: list[Any] = []

    def keep(bits: int) -> Any:
        kept.append(zlib.decompressobj(bits))
        return kept[-1]

    made = codec(zlib=Substitute(keep))
    for number in range(50):
        text = b"%d" % number
        assert decode(made, whole_stream(text) + deflate(text * 100)) == text + text * 100
    assert sum(len(inflater.unused_data) for inflater in kept) <= 50 * 200  # each what followed it, once
    assert len(kept) == 51


# The last: a stored block of 9 bytes, for which the tail makes up none: no byte is wrong, some are missing.
CUT_OFF = [*(deflate(TEXT)[:cut] for cut in range(1, len(deflate(TEXT)))), b"\x00\x09\x00\xf6\xff"]


@pytest.mark.parametrize("payload", CUT_OFF)
def test_without_takeover_a_message_that_was_cut_off_is_noticed(payload: bytes) -> None:
    assert decode(codec((CLIENT_ALONE, None)), payload) is Violation.COMPRESSED_DATA


def test_a_module_that_takes_nothing_and_gives_nothing_is_not_asked_for_ever() -> None:
    class Stuck:
        eof = False
        unused_data = b""
        unconsumed_tail = b""

        def decompress(self, data: bytes, limit: int, /) -> bytes:
            self.unconsumed_tail = data
            return b""

    assert codec(zlib=Substitute(lambda bits: Stuck())).decode(b"abc", 10) is Violation.COMPRESSED_DATA


def test_contexts_are_made_when_they_are_needed() -> None:
    watched = WatchedZlib()
    made = codec(zlib=watched)
    assert watched.living == 0
    made.wants(1000, None)
    assert made.finish(1) == b"" and made.end_message() is None
    assert watched.living == 0
    made.decode(deflate(TEXT), 100)
    assert watched.living == 1
    made.encode(TEXT, final=True)
    assert watched.living == 2
