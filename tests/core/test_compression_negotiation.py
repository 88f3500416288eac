"""T-C1: every combination of what the four parameters of permessage-deflate can look like, for both roles,
against a table written from RFC 7692 section 7.1 (see `support.deflate_oracle`).
"""

import pytest

from support import deflate_oracle as oracle
from support.deflate_offers import ALL, NAME, WISHES, pairs_of, settings_for
from support.deflate_oracle import CLIENT_BITS, CLIENT_TAKEOVER, SERVER_BITS, SERVER_TAKEOVER, Pairs, Wishes
from support.deflated import WatchedZlib
from support.handshakes import client, plus, response, server
from support.wire import the_end
from wscore import Config, Deflate, Limits, Opened, Role, Violation
from wscore._deflate import DeflateCodec
from wscore._grammar import parse_extensions
from wscore._negotiation import Agreement, agree, choose, offer

pytestmark = pytest.mark.exhaustive

FIELD = b"Sec-WebSocket-Extensions: "
LIMITS = Limits()


def test_there_are_some_twenty_thousand_combinations() -> None:
    assert len({text for text, _ in ALL}) == len(ALL) == 2 * 6 * 6 * 16 * 16


# The server.


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
def test_a_server_answers_every_offer_as_the_table_says(wishes: Wishes) -> None:
    settings = (settings_for(wishes),)
    accepted = 0
    for text, pairs in ALL:
        offers = parse_extensions(text.encode(), 16, 1024)
        assert offers is not None, text
        chosen = choose(settings, offers)
        expected = oracle.server_answers(pairs, wishes)
        if expected is None:
            assert chosen.codec is None and chosen.field == "", text
            continue
        accepted += 1
        (answer,) = pairs_of(chosen.field)
        read = oracle.read(answer, response=True)
        assert read == expected, (text, chosen.field)
        asked = oracle.read(pairs, response=False)
        assert asked is not None and oracle.answers(expected, asked), text
    assert accepted == 2 * 2 * 9 * 11  # of the server's bits: absent, 9 to 15, and 9 in quotes


def test_what_a_server_declines_is_no_error_and_leaves_the_connection_uncompressed() -> None:
    for text, pairs in ALL[::97]:
        run = server(Config(compression=Deflate()))
        run.feed([plus(FIELD + text.encode())])
        run.connection.accept(now=0.0)
        run.take()
        opened = run.events[-1]
        assert isinstance(opened, Opened), text
        expected = oracle.server_answers(pairs, Wishes(12, 12))
        assert (opened.extensions == "") is (expected is None), text
        assert run.connection.extensions == opened.extensions
        assert (b"Sec-WebSocket-Extensions" in run.sent) is (expected is not None)


def test_a_server_takes_the_first_offer_that_it_can_meet() -> None:
    field = (
        "x-unknown; a=b, permessage-deflate; server_max_window_bits=8, permessage-deflate; unknown, "
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits, permessage-deflate"
    )
    run = server(Config(compression=Deflate(server_max_window_bits=12, client_max_window_bits=11)))
    run.feed([plus(FIELD + field.encode())])
    run.connection.accept(now=0.0)
    expected = "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"
    assert run.connection.extensions == expected
    assert FIELD + expected.encode() + b"\r\n" in run.take().sent


def test_offers_in_several_header_lines_are_one_list() -> None:
    run = server(Config(compression=Deflate(server_max_window_bits=15, client_max_window_bits=15)))
    run.feed([plus(FIELD + b"x-a", FIELD + NAME.encode() + b"; " + CLIENT_TAKEOVER.encode())])
    run.connection.accept(now=0.0)
    assert run.connection.extensions == "permessage-deflate; client_no_context_takeover"


def test_a_server_without_compression_agrees_to_nothing() -> None:
    run = server(Config())
    run.feed([plus(FIELD + b"permessage-deflate")])
    run.connection.accept(now=0.0)
    assert run.connection.extensions == "" and FIELD not in run.take().sent


# The client.


SETTINGS = {
    **{f"{name}, with a fallback": settings_for(wishes) for name, wishes in WISHES.items()},
    "the defaults, without a fallback": settings_for(WISHES["the defaults"], fallback=False),
    "all at once, without a fallback": settings_for(WISHES["all at once"], fallback=False),
    "a small window of its own": settings_for(Wishes(15, 10)),
}


def hint_of(offers: list[Pairs]) -> int:
    """Return the greatest window that the client has hinted at."""
    return max(int(dict(pairs)[CLIENT_BITS] or 15) for pairs in offers)


def is_beyond_the_hint(pairs: Pairs, offers: list[Pairs]) -> bool:
    """Tell whether an answer names a greater window for the client than the client said it would use."""
    return int(dict(pairs).get(CLIENT_BITS) or 0) > hint_of(offers)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_what_a_client_offers_is_well_formed_and_says_what_it_wishes(settings: Deflate) -> None:
    offers = pairs_of(offer((settings,)))
    first = oracle.read(offers[0], response=False)
    assert first is not None
    assert (SERVER_TAKEOVER in first) is settings.server_no_context_takeover
    assert (CLIENT_TAKEOVER in first) is settings.client_no_context_takeover
    assert (first.get(SERVER_BITS) or 15) == settings.server_max_window_bits
    assert (first[CLIENT_BITS] or 15) == settings.client_max_window_bits  # always there: a server may choose
    # The second one asks nothing of the server, so that any server that knows the extension can accept it.
    free = settings.server_max_window_bits == 15 and not settings.server_no_context_takeover
    assert offers[1:] == ([((CLIENT_BITS, None),)] if settings.fallback and not free else [])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_client_accepts_every_answer_to_its_offers_and_fails_on_every_other(settings: Deflate) -> None:
    offers = pairs_of(offer((settings,)))
    accepted = 0
    for text, pairs in ALL:
        expected = oracle.client_accepts(pairs, offers)
        if expected and is_beyond_the_hint(pairs, offers):
            continue  # see the next test
        agreement = agree((settings,), text.encode(), Role.CLIENT, LIMITS)
        if expected:
            assert isinstance(agreement, Agreement) and isinstance(agreement.codec, DeflateCodec), text
            accepted += 1
        else:
            assert agreement is Violation.EXTENSION_PARAMETERS, text
    assert accepted >= 10


@pytest.mark.parametrize("bits", range(11, 16))
def test_a_greater_window_than_the_client_hinted_at_is_never_used(bits: int) -> None:
    # 7.1.2.2 calls the value of the offer a hint, and lets the server ignore it or name a smaller one.
    # A server that names a greater one has misunderstood; what the client does then is not said there.
    watched = WatchedZlib()
    settings = settings_for(Wishes(15, 10), watched=watched)
    field = b"permessage-deflate; client_max_window_bits=%d" % bits
    agreement = agree((settings,), field, Role.CLIENT, LIMITS)
    if isinstance(agreement, Violation):
        assert agreement is Violation.EXTENSION_PARAMETERS
    else:
        assert agreement.codec is not None
        agreement.codec.encode(b"x", final=True)
        assert watched.settings == [(-1, 8, -10, 5)]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_client_leaves_without_a_word_after_an_illegal_answer(settings: Deflate) -> None:
    offers = pairs_of(offer((settings,)))
    for text, pairs in ALL[::211]:
        if is_beyond_the_hint(pairs, offers) and oracle.read(pairs, response=True) is not None:
            continue
        run = client(Config(compression=settings))
        run.sent = b""
        run.feed([response(FIELD + text.encode())])
        if oracle.client_accepts(pairs, offers):
            assert isinstance(run.events[-1], Opened) and run.connection.extensions != "", text
        else:
            closed = the_end(run.events)
            assert closed.violation is Violation.EXTENSION_PARAMETERS, text
            assert closed.code == 1006 and run.sent == b""


ILLEGAL: dict[str, tuple[bytes, Violation]] = {
    "two extensions": (b"permessage-deflate, permessage-deflate", Violation.UNOFFERED_EXTENSION),
    "another one": (b"permessage-bzip2", Violation.UNOFFERED_EXTENSION),
    "another case": (b"Permessage-Deflate", Violation.UNOFFERED_EXTENSION),
    "nothing": (b"", Violation.INVALID_EXTENSIONS),
    "only commas": (b", ,", Violation.INVALID_EXTENSIONS),
    "no name": (b"; server_max_window_bits=9", Violation.INVALID_EXTENSIONS),
    "a half quotation": (b'permessage-deflate; server_max_window_bits="9', Violation.INVALID_EXTENSIONS),
    "an empty value": (b"permessage-deflate; server_max_window_bits=", Violation.INVALID_EXTENSIONS),
    "an empty quotation": (b'permessage-deflate; server_max_window_bits=""', Violation.INVALID_EXTENSIONS),
    "a blank in a quotation": (
        b'permessage-deflate; server_max_window_bits=" 9"',
        Violation.INVALID_EXTENSIONS,
    ),
    "a number with an underscore": (
        b"permessage-deflate; server_max_window_bits=1_0",
        Violation.EXTENSION_PARAMETERS,
    ),
    "a fraction": (b"permessage-deflate; server_max_window_bits=9.0", Violation.EXTENSION_PARAMETERS),
    "a long number": (
        b"permessage-deflate; server_max_window_bits=" + b"9" * 900,
        Violation.EXTENSION_PARAMETERS,
    ),
    "an offer too long": (b"permessage-deflate; x=" + b"9" * 1024, Violation.INVALID_EXTENSIONS),
    "another case in a parameter": (
        b"permessage-deflate; Server_Max_Window_Bits=9",
        Violation.EXTENSION_PARAMETERS,
    ),
}


@pytest.mark.parametrize(("field", "violation"), ILLEGAL.values(), ids=ILLEGAL)
def test_answers_that_no_offer_allows_end_the_handshake(field: bytes, violation: Violation) -> None:
    run = client(Config(compression=Deflate()))
    run.feed([response(FIELD + field)])
    assert the_end(run.events).violation is violation


def test_an_answer_without_an_extension_means_no_compression() -> None:
    run = client(Config(compression=Deflate()))
    run.feed([response()])
    assert isinstance(run.events[-1], Opened) and run.connection.extensions == ""
    run.connection.send_text("x" * 1000)
    assert run.connection.data_to_send(0.0)[0][:1] == b"\x81"  # RSV1 is not set


def test_an_answer_to_a_client_that_offered_nothing_ends_the_handshake() -> None:
    run = client(Config())
    run.feed([response(FIELD + b"permessage-deflate")])
    assert the_end(run.events).violation is Violation.UNOFFERED_EXTENSION
