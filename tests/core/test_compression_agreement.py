"""What the two sides of a handshake agree on, and that each then does it (RFC 7692 section 7.1)."""

import pytest

from support import deflate_oracle as oracle
from support.deflate_offers import ALL, WISHES, pairs_of, settings_for
from support.deflate_oracle import Wishes
from support.deflated import WatchedZlib
from support.handshakes import client, response
from wscore import Closed, Config, Deflate, Limits, Role, Violation
from wscore._grammar import parse_extensions
from wscore._negotiation import Agreement, agree, choose, offer

FIELD = b"Sec-WebSocket-Extensions: "
LIMITS = Limits()
READ = [(text, oracle.read(pairs, response=True)) for text, pairs in ALL]
ANSWERS = [(text, answer) for text, answer in READ if answer is not None]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
def test_the_windows_in_use_are_those_of_the_answer_and_no_greater_than_our_own(
    role: Role, wishes: Wishes
) -> None:
    for text, answer in ANSWERS:
        watched = WatchedZlib()
        agreement = agree((settings_for(wishes, watched=watched),), text.encode(), role, LIMITS)
        if isinstance(agreement, Violation):
            continue  # a client for which it is no answer, see above
        assert agreement.codec is not None
        server_bits, client_bits = oracle.windows(answer)
        own, peer = (client_bits, server_bits) if role is Role.CLIENT else (server_bits, client_bits)
        own = min(own, wishes.client_bits if role is Role.CLIENT else wishes.server_bits)
        assert agreement.codec.wants(1000, True) is (own > 8)
        if own > 8:
            agreement.codec.encode(b"x", final=True)
        agreement.codec.decode(b"\x00", 1)
        assert watched.settings == [*([(-1, 8, -own, 5)] if own > 8 else []), (-peer,)], text


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("field", "client_alone", "server_alone"),
    [
        ("permessage-deflate", False, False),
        ("permessage-deflate; client_no_context_takeover", True, False),
        ("permessage-deflate; server_no_context_takeover", False, True),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", True, True),
    ],
)
def test_contexts_live_as_long_as_was_agreed(
    role: Role, field: str, client_alone: bool, server_alone: bool
) -> None:
    watched = WatchedZlib()
    agreement = agree((settings_for(Wishes(), watched=watched),), field.encode(), role, LIMITS)
    assert isinstance(agreement, Agreement) and agreement.codec is not None
    own_alone, peer_alone = (
        (client_alone, server_alone) if role is Role.CLIENT else (server_alone, client_alone)
    )
    codec = agreement.codec
    first, second = (codec.encode(b"some words, some words", final=True) for _ in range(2))
    assert (first == second) is own_alone
    assert watched.living == (0 if own_alone else 1)
    for _ in range(2):
        assert codec.decode(first, 100) == b"some words, some words"
        assert codec.finish(100) == b"" and codec.end_message() is None
    assert watched.living == (not own_alone) + (not peer_alone)


# Both sides.


@pytest.mark.parametrize("client_wishes", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("server_wishes", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("fallback", [True, False])
def test_two_sides_always_agree_and_the_server_meets_the_clients_first_offer(
    client_wishes: Wishes, server_wishes: Wishes, fallback: bool
) -> None:
    settings = settings_for(client_wishes, fallback=fallback)
    field = offer((settings,))
    offers = parse_extensions(field.encode(), 16, 1024)
    assert offers is not None
    chosen = choose((settings_for(server_wishes),), offers)
    agreed = agree((settings,), chosen.field.encode(), Role.CLIENT, LIMITS)
    assert isinstance(agreed, Agreement) and agreed.field == chosen.field
    expected = oracle.server_answers(pairs_of(field)[0], server_wishes)
    assert oracle.read(pairs_of(chosen.field)[0], response=True) == expected


def test_a_server_that_meets_only_the_fallback_is_accepted() -> None:
    run = client(Config(compression=Deflate(server_max_window_bits=9, server_no_context_takeover=True)))
    run.feed([response(FIELD + b"permessage-deflate")])
    assert run.connection.extensions == "permessage-deflate"
    strict = Deflate(server_max_window_bits=9, server_no_context_takeover=True, fallback=False)
    run = client(Config(compression=strict))
    run.feed([response(FIELD + b"permessage-deflate")])
    closed = run.events[-1]
    assert isinstance(closed, Closed) and closed.violation is Violation.EXTENSION_PARAMETERS


def test_several_ways_to_compress_stand_behind_each_other() -> None:
    small, free = Deflate(server_max_window_bits=9, fallback=False), Deflate(server_max_window_bits=15)
    assert offer((small, free)) == (
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=12, "
        "permessage-deflate; client_max_window_bits=12"
    )
    # What the first cannot be an answer to, the second may.
    accepted = agree((small, free), b"permessage-deflate", Role.CLIENT, LIMITS)
    assert isinstance(accepted, Agreement) and accepted.codec is not None
    assert agree((small,), b"permessage-deflate", Role.CLIENT, LIMITS) is Violation.EXTENSION_PARAMETERS
    # A server answers with the first of its own that can; both can here.
    offers = parse_extensions(b"permessage-deflate", 16, 1024)
    assert offers is not None
    assert choose((small, free), offers).field == "permessage-deflate; server_max_window_bits=9"
    assert choose((free, small), offers).field == "permessage-deflate"
