"""permessage-deflate to the letter: which settings are taken, what is offered and answered (RFC 7692 section
7.1), and which contexts are made of it."""

import zlib
from typing import Any

import pytest

from support.deflate_parameters import CLIENT_ALONE as CT
from support.deflate_parameters import FREE, Parameter, Settings, offer
from support.deflate_parameters import SERVER_ALONE as ST
from support.deflate_parameters import client_bits as cb
from support.deflate_parameters import server_bits as sb
from support.deflated import WatchedZlib, deflate
from wscore import Deflate, Role

Parameters = tuple[Parameter, ...]


# Settings.


def test_what_holds_when_nothing_is_said() -> None:
    deflate = Deflate()
    assert (deflate.server_max_window_bits, deflate.client_max_window_bits) == (12, 12)
    assert (deflate.server_no_context_takeover, deflate.client_no_context_takeover) == (False, False)
    assert (deflate.level, deflate.memory_level, deflate.threshold) == (None, 5, 256)
    assert (deflate.fallback, deflate.zlib) == (True, zlib)


@pytest.mark.parametrize("name", ["server_no_context_takeover", "client_no_context_takeover", "fallback"])
@pytest.mark.parametrize("value", [None, 0, 1, "", "yes"])
def test_a_switch_is_on_or_off(name: str, value: object) -> None:
    wrong: Settings = {name: value}
    with pytest.raises(TypeError, match=f"^{name} must be True or False$"):
        Deflate(**wrong)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("server_max_window_bits", 9, 15),  # zlib cannot compress with 8
        ("client_max_window_bits", 9, 15),
        ("memory_level", 1, 9),
        ("threshold", 0, 2**63),
    ],
)
def test_a_number_is_whole_and_in_its_range(name: str, least: int, most: int) -> None:
    for value in (least, most):
        right: Settings = {name: value}
        assert getattr(Deflate(**right), name) == value
    for value in (least - 1, most + 1):
        too_much: Settings = {name: value}
        with pytest.raises(ValueError, match=f"^{name} must be {least} to {most}, not {value}$"):
            Deflate(**too_much)
    for other, kind in ((None, "NoneType"), (10.0, "float"), ("10", "str"), (True, "bool")):
        wrong: Settings = {name: other}
        with pytest.raises(TypeError, match=f"^{name} must be a whole number, not {kind}$"):
            Deflate(**wrong)


@pytest.mark.parametrize("level", [-2, 10, 2**40, "6"])
def test_a_level_that_the_module_does_not_take_is_refused_at_once_and_says_why(level: Any) -> None:
    with pytest.raises(ValueError, match=r"^the zlib module does not take these settings: .+") as caught:
        Deflate(level=level)
    assert str(caught.value).endswith(str(caught.value.__cause__))


@pytest.mark.parametrize("level", [-1, 0, 1, 9])
def test_a_compressor_is_made_as_the_settings_say(level: int) -> None:
    watched = WatchedZlib()
    deflate = Deflate(level=level, memory_level=7, server_max_window_bits=13, zlib=watched)
    assert watched.settings == [(level, zlib.DEFLATED, -13, 7)]  # tried when they are made
    deflate.compressor(10)
    assert watched.settings[1:] == [(level, zlib.DEFLATED, -10, 7)]


# What a client offers.


@pytest.mark.parametrize(
    ("settings", "offers"),
    [
        ({}, [(sb(12), cb(12)), (cb(),)]),
        ({"fallback": False}, [(sb(12), cb(12))]),
        (FREE, [(cb(),)]),  # nothing is wished for, so there is nothing to fall back from
        (FREE | {"server_max_window_bits": 14}, [(sb(14), cb()), (cb(),)]),
        (FREE | {"client_max_window_bits": 14}, [(cb(14),)]),  # a hint, and no demand
        (FREE | {"server_no_context_takeover": True}, [(ST, cb()), (cb(),)]),
        (FREE | {"client_no_context_takeover": True}, [(cb(), CT)]),
        (
            {"server_no_context_takeover": True, "client_no_context_takeover": True},
            [(ST, sb(12), cb(12), CT), (cb(),)],
        ),
    ],
)
def test_a_client_offers_its_wishes_and_to_do_without_them(
    settings: Settings, offers: list[Parameters]
) -> None:
    assert list(Deflate(**settings).offers()) == [offer(*parameters) for parameters in offers]


# What a server answers.


@pytest.mark.parametrize(
    ("settings", "asked", "answer"),
    [
        # 7.1.2.1: the server names its window when it is asked to or keeps to less than 15.
        (FREE, (), ()),
        ({}, (), (sb(12),)),
        (FREE, (sb(15),), (sb(15),)),
        (FREE, (sb(10),), (sb(10),)),
        ({}, (sb(10),), (sb(10),)),
        ({}, (sb(12),), (sb(12),)),
        ({}, (sb(15),), (sb(12),)),
        (FREE, (sb(9),), (sb(9),)),
        (FREE, (sb(8),), None),  # it could not keep it
        # 7.1.2.2: the client's window may be named only to a client that knows the parameter.
        ({}, (cb(),), (sb(12), cb(12))),
        ({}, (cb(10),), (sb(12), cb(10))),
        ({}, (cb(8),), (sb(12), cb(8))),
        ({}, (cb(15),), (sb(12), cb(12))),
        (FREE, (cb(),), ()),
        (FREE, (cb(15),), (cb(15),)),
        (FREE | {"client_max_window_bits": 9}, (), ()),
        # 7.1.1: either side may ask for the end of either context.
        (FREE, (ST,), (ST,)),
        (FREE, (CT,), (CT,)),
        (FREE | {"server_no_context_takeover": True}, (), (ST,)),
        (FREE | {"client_no_context_takeover": True}, (), (CT,)),
        (FREE, (cb(), CT, sb(11), ST), (ST, CT, sb(11))),
        # What is not understood wholly is declined.
        (FREE, (sb(7),), None),
        (FREE, (sb(16),), None),
        (FREE, (sb("09"),), None),
        (FREE, (sb("1"),), None),
        (FREE, (sb("100"),), None),
        (FREE, (sb("+9"),), None),
        (FREE, (("server_max_window_bits", None),), None),
        (FREE, (sb(""),), None),
        (FREE, (cb(7),), None),
        (FREE, (cb(16),), None),
        (FREE, (cb("010"),), None),
        (FREE, (cb(""),), None),
        (FREE, ((ST[0], "1"),), None),
        (FREE, ((CT[0], "1"),), None),
        (FREE, (("window_bits", "10"),), None),
        (FREE, (("window_bits", None),), None),
        (FREE, (ST, ST), None),
        (FREE, (CT, CT), None),
        (FREE, (sb(10), sb(10)), None),
        (FREE, (cb(), cb(10)), None),
    ],
)
def test_a_server_answers_an_offer_or_declines_it(
    settings: Settings, asked: Parameters, answer: Parameters | None
) -> None:
    deflate = Deflate(**settings)
    expected = None if answer is None else offer(*answer)
    assert deflate.accept(offer(*asked)) == expected
    if expected is not None:
        assert deflate.codec(expected, Role.SERVER) is not None


@pytest.mark.parametrize("bits", range(8, 16))
def test_every_window_can_be_named(bits: int) -> None:
    deflate = Deflate(**FREE)
    assert deflate.accept(offer(cb(bits))) == offer(cb(bits))
    assert (deflate.accept(offer(sb(bits))) == offer(sb(bits))) is (bits > 8)


# What is made of an answer.


def contexts(settings: Settings, answer: Parameters, role: Role) -> tuple[int, int, int, int] | None:
    """Send and receive two messages; return both windows, and how many contexts that took each way."""
    watched = WatchedZlib()
    codec = Deflate(**settings, zlib=watched).codec(offer(*answer), role)
    if codec is None:
        return None
    del watched.settings[:]
    for _ in range(2):
        codec.encode(b"out", final=True)
        assert codec.decode(deflate(b"in"), 100) == b"in"
        assert codec.finish(100) == b""
        assert codec.end_message() is None
    own = [-made[2] for made in watched.settings if len(made) == 4]
    peer = [-made[0] for made in watched.settings if len(made) == 1]
    assert len(set(own)) == len(set(peer)) == 1
    return own[0], len(own), peer[0], len(peer)


@pytest.mark.parametrize(
    ("settings", "answer", "server"),
    [
        (FREE, (), (15, 1, 15, 1)),
        (FREE, (sb(10),), (10, 1, 15, 1)),
        (FREE, (cb(10),), (15, 1, 10, 1)),
        (FREE, (cb(8),), (15, 1, 8, 1)),
        (FREE, (ST,), (15, 2, 15, 1)),
        (FREE, (CT,), (15, 1, 15, 2)),
        (FREE, (ST, CT, sb(11), cb(12)), (11, 2, 12, 2)),
        # An answer that somebody else has given, with other settings: our own side keeps to ours.
        ({}, (), (12, 1, 15, 1)),
        (FREE | {"server_no_context_takeover": True}, (), (15, 2, 15, 1)),
        (FREE | {"client_no_context_takeover": True}, (), (15, 1, 15, 1)),
        ({}, (sb(15),), (12, 1, 15, 1)),
        ({}, (cb(),), None),  # 7.1.2.2: without a value in offers alone
    ],
)
def test_a_server_uses_what_was_agreed_on(
    settings: Settings, answer: Parameters, server: tuple[int, int, int, int] | None
) -> None:
    assert contexts(settings, answer, Role.SERVER) == server


@pytest.mark.parametrize(
    ("settings", "answer", "client"),
    [
        (FREE, (), (15, 1, 15, 1)),
        (FREE, (cb(10),), (10, 1, 15, 1)),
        (FREE, (cb(15),), (15, 1, 15, 1)),
        (FREE, (sb(10),), (15, 1, 10, 1)),  # 7.1.2.1: a server may, even when it was not asked to
        (FREE, (CT,), (15, 2, 15, 1)),
        (FREE, (ST,), (15, 1, 15, 2)),
        (FREE | {"client_no_context_takeover": True}, (), (15, 2, 15, 1)),
        ({"client_max_window_bits": 11}, (), (11, 1, 15, 1)),
        ({"client_max_window_bits": 11}, (cb(10),), (10, 1, 15, 1)),
        # With a fallback anything goes, for that offer asks for nothing.
        ({"client_max_window_bits": 11}, (cb(15),), (11, 1, 15, 1)),
        ({"server_no_context_takeover": True}, (sb(15),), (12, 1, 15, 1)),
        # Without one the server must do what was asked for.
        ({"fallback": False}, (), None),
        ({"fallback": False}, (sb(13),), None),
        ({"fallback": False}, (sb(12),), (12, 1, 12, 1)),
        ({"fallback": False}, (sb(11), cb(12)), (12, 1, 11, 1)),
        ({"fallback": False}, (sb(11), cb(13)), None),
        (FREE | {"server_no_context_takeover": True, "fallback": False}, (), None),
        (FREE | {"server_no_context_takeover": True, "fallback": False}, (ST,), (15, 1, 15, 2)),
        (FREE | {"client_max_window_bits": 11}, (cb(12),), None),  # it was told: 11
        (FREE | {"client_max_window_bits": 11}, (cb(11),), (11, 1, 15, 1)),
        # What is malformed is refused.
        (FREE, (cb(),), None),
        (FREE, (sb(16),), None),
        (FREE, (ST, ST), None),
        (FREE, (("window_bits", "10"),), None),
    ],
)
def test_a_client_uses_what_was_agreed_on_and_takes_nothing_that_it_did_not_offer(
    settings: Settings, answer: Parameters, client: tuple[int, int, int, int] | None
) -> None:
    assert contexts(settings, answer, Role.CLIENT) == client
