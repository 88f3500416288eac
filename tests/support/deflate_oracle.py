"""Which answers RFC 7692 section 7.1 allows to which offers, written from its text alone.

Parameters are pairs of a name and a value, None where there is no value, in any order. A set of parameters
that is read is a dictionary; a bare `client_max_window_bits` stands there as None.

What the section says about each parameter, in an offer and in a response:

- `server_no_context_takeover` (7.1.1.1) has no value. If an offer has it, a response that accepts the
  offer has it, too. A response may have it although the offer has not.
- `client_no_context_takeover` (7.1.1.2) has no value. In an offer it is a hint. A response may have it
  whether or not the offer has.
- `server_max_window_bits` (7.1.2.1) has a value, 8 to 15. If an offer has it, a response that accepts the
  offer has it with the same or a smaller value. A response may have it although the offer has not.
- `client_max_window_bits` (7.1.2.2) may have a value, 8 to 15, in an offer, where that is a hint; it must
  have one in a response, and may stand there only if the offer has it.

All (7.1): a server declines an offer that has another parameter, a bad value, or one parameter twice; a
client fails the connection for a response that does. No leading zeros (7.1.2.1, 7.1.2.2).
"""

from collections.abc import Iterable
from dataclasses import dataclass

Pairs = tuple[tuple[str, str | None], ...]
Read = dict[str, int | None]

SERVER_TAKEOVER = "server_no_context_takeover"
CLIENT_TAKEOVER = "client_no_context_takeover"
SERVER_BITS = "server_max_window_bits"
CLIENT_BITS = "client_max_window_bits"
NAMES = (SERVER_TAKEOVER, CLIENT_TAKEOVER, SERVER_BITS, CLIENT_BITS)
BITS = ("8", "9", "10", "11", "12", "13", "14", "15")


def read(pairs: Pairs, *, response: bool) -> Read | None:
    """Read an offer or a response; None when it is malformed."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names) or not set(names) <= set(NAMES):
        return None
    found: Read = {}
    for name, value in pairs:
        if name in (SERVER_TAKEOVER, CLIENT_TAKEOVER):
            if value is not None:
                return None
            found[name] = None
        elif value in BITS:
            found[name] = BITS.index(value) + 8
        elif value is None and name == CLIENT_BITS and not response:
            found[name] = None
        else:
            return None
    return found


def answers(response: Read, offer: Read) -> bool:
    """Tell whether a well-formed response is one that a well-formed offer allows."""
    if SERVER_TAKEOVER in offer and SERVER_TAKEOVER not in response:
        return False
    asked = offer.get(SERVER_BITS)
    if asked is not None:
        given = response.get(SERVER_BITS)
        if given is None or given > asked:
            return False
    return CLIENT_BITS not in response or CLIENT_BITS in offer


def client_accepts(response: Pairs, offers: Iterable[Pairs]) -> bool:
    """Tell whether a client that made these offers may go on with a response."""
    found = read(response, response=True)
    if found is None:
        return False
    made = [read(offer, response=False) for offer in offers]
    return any(offer is not None and answers(found, offer) for offer in made)


@dataclass(frozen=True)
class Wishes:
    """What one side wants for itself and from the other; bits 9 to 15."""

    server_bits: int = 15
    client_bits: int = 15
    server_alone: bool = False
    client_alone: bool = False


def server_answers(offer: Pairs, wishes: Wishes) -> Read | None:
    """Return how a server with these wishes answers; None: it declines.

    It takes no more than it wants and no more than it is offered, says so wherever that is less than the
    section's default, and repeats what it was asked. It cannot compress with a window of 8 bits.
    """
    asked = read(offer, response=False)
    if asked is None:
        return None
    answer: Read = {}
    if SERVER_TAKEOVER in asked or wishes.server_alone:
        answer[SERVER_TAKEOVER] = None
    if CLIENT_TAKEOVER in asked or wishes.client_alone:
        answer[CLIENT_TAKEOVER] = None
    for name, wanted in ((SERVER_BITS, wishes.server_bits), (CLIENT_BITS, wishes.client_bits)):
        bits = min(asked.get(name) or 15, wanted)
        if name == SERVER_BITS and bits == 8:
            return None
        if name == CLIENT_BITS and name not in asked:
            continue
        if asked.get(name) is not None or bits < 15:
            answer[name] = bits
    return answer


def windows(response: Read) -> tuple[int, int]:
    """Return the bits that a response leaves to the server and to the client."""
    return response.get(SERVER_BITS) or 15, response.get(CLIENT_BITS) or 15
