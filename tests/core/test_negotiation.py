from collections.abc import Callable, Sequence
from typing import Any

import pytest

from support.run_length import NAME, RunLength
from wscore import Deflate, Extension, ExtensionOffer, Limits, Role, Violation
from wscore._negotiation import NOTHING, Agreement, agree, choose, offer
from wscore._typing import override

LIMITS = Limits()


class Choosy(Extension):
    """Answers as it is told.

    Args:
        name: its token.
        answer: makes what `accept` returns.
        agrees: whether `codec` finds the answer good.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[ExtensionOffer], ExtensionOffer | None] = lambda offer: offer,
        *,
        agrees: bool = True,
    ) -> None:
        self.name = name
        self._answer = answer
        self._agrees = agrees
        self.asked: list[ExtensionOffer] = []

    @override
    def offers(self) -> Sequence[ExtensionOffer]:
        """Offer it with and without a parameter."""
        return [ExtensionOffer(self.name, (("a", "1"), ("b", None))), ExtensionOffer(self.name)]

    @override
    def accept(self, offer: ExtensionOffer) -> ExtensionOffer | None:
        """Answer."""
        self.asked.append(offer)
        return self._answer(offer)

    @override
    def codec(self, answer: ExtensionOffer, role: Role) -> Any:
        """Make a codec."""
        return RunLength().codec(ExtensionOffer(NAME), role) if self._agrees else None


def decline(offer: ExtensionOffer) -> None:
    """Decline."""
    return


def offers(*names: str) -> list[ExtensionOffer]:
    """Return offers without parameters."""
    return [ExtensionOffer(name) for name in names]


# The client's offer.


def test_a_client_offers_everything_in_order() -> None:
    assert offer((Choosy("x-a"), RunLength())) == "x-a; a=1; b, x-a, x-run-length"


def test_without_extensions_there_is_no_offer() -> None:
    assert offer(()) == ""


# The server's choice.


def test_a_server_takes_the_clients_first_offer_that_it_can_meet() -> None:
    a, b = Choosy("x-a"), Choosy("x-b")
    chosen = choose((a, b), offers("x-unknown", "x-b", "x-a"))
    assert chosen.field == "x-b" and chosen.codec is not None
    assert a.asked == []


def test_a_server_goes_on_to_the_next_offer_when_it_cannot_meet_one() -> None:
    picky = Choosy("x-a", lambda offer: offer if offer.parameters else None)
    with_parameter = ExtensionOffer("x-a", (("z", "9"),))
    assert choose((picky,), [*offers("x-a"), with_parameter]).field == "x-a; z=9"
    assert picky.asked == [*offers("x-a"), with_parameter]


def test_one_offer_is_shown_to_every_extension_of_its_name() -> None:
    first, second = Choosy("x-a", decline), Choosy("x-a")
    assert choose((first, second), offers("x-a")).field == "x-a"
    assert first.asked == second.asked == offers("x-a")


def test_an_answer_that_makes_no_codec_is_none() -> None:
    bad, good = Choosy("x-a", agrees=False), Choosy("x-b")
    assert choose((bad, good), offers("x-a", "x-b")).field == "x-b"
    assert choose((bad,), offers("x-a")) is NOTHING


@pytest.mark.parametrize(
    ("extensions", "offered"),
    [((), offers("x-a")), ((Choosy("x-a"),), []), ((Choosy("x-a"),), offers("x-b"))],
)
def test_where_nothing_fits_nothing_is_agreed_on(
    extensions: tuple[Extension, ...], offered: list[ExtensionOffer]
) -> None:
    assert choose(extensions, offered) is NOTHING
    assert NOTHING.codec is None and NOTHING.field == ""


# The client's look at the answer.


def test_an_answer_is_agreed_on_with_the_extension_it_names() -> None:
    agreed = agree((Choosy("x-a", agrees=False), Choosy("x-b")), b" x-b ;c = 1;\td", Role.CLIENT, LIMITS)
    assert isinstance(agreed, Agreement) and agreed.codec is not None
    assert agreed.field == "x-b; c=1; d"


def test_the_first_extension_of_the_name_to_which_it_is_an_answer_counts() -> None:
    agreed = agree((Choosy("x-a", agrees=False), RunLength(), Choosy("x-a")), b"x-a", Role.CLIENT, LIMITS)
    assert isinstance(agreed, Agreement) and agreed.codec is not None


@pytest.mark.parametrize(
    ("field", "violation"),
    [
        (b"", Violation.INVALID_EXTENSIONS),
        (b"x-a;", Violation.INVALID_EXTENSIONS),
        (b"x-a" + b", x-a" * 16, Violation.INVALID_EXTENSIONS),  # one more than are looked at
        (b"x-a; b=" + b"c" * 1024, Violation.INVALID_EXTENSIONS),
        (b"x-a, x-b", Violation.UNOFFERED_EXTENSION),
        (b"x-a, x-a", Violation.UNOFFERED_EXTENSION),
        (b"x-b", Violation.UNOFFERED_EXTENSION),
        (b"X-A", Violation.UNOFFERED_EXTENSION),
        (b"permessage-deflate; unknown", Violation.EXTENSION_PARAMETERS),
    ],
)
def test_what_is_no_answer_to_an_offer_breaks_a_rule(field: bytes, violation: Violation) -> None:
    assert agree((Choosy("x-a"), Deflate()), field, Role.CLIENT, LIMITS) is violation


def test_the_limits_are_those_of_the_config() -> None:
    small = Limits(max_extensions=1, max_offer=5)
    assert isinstance(agree((Choosy("x-a"),), b"x-a", Role.CLIENT, small), Agreement)
    assert agree((Choosy("x-a"),), b"x-a; b", Role.CLIENT, small) is Violation.INVALID_EXTENSIONS


def test_the_codec_is_made_for_the_role() -> None:
    made: list[Role] = []

    class Noting(Choosy):
        @override
        def codec(self, answer: ExtensionOffer, role: Role) -> Any:
            made.append(role)
            return super().codec(answer, role)

    agree((Noting("x-a"),), b"x-a", Role.CLIENT, LIMITS)
    agree((Noting("x-a"),), b"x-a", Role.SERVER, LIMITS)
    choose((Noting("x-a"),), offers("x-a"))
    assert made == [Role.CLIENT, Role.SERVER, Role.SERVER]
