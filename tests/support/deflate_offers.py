"""Every combination of what the four parameters of permessage-deflate can look like, and some wishes."""

import zlib
from collections.abc import Iterator
from itertools import product

from wscore import Deflate

from . import deflate_oracle as oracle
from .deflate_oracle import Pairs, Wishes
from .deflated import WatchedZlib

NAME = "permessage-deflate"

# What may stand for one parameter: every piece is written behind its name.
TAKEOVER_FORMS: dict[str, tuple[str, ...]] = {
    "absent": (),
    "bare": ("",),
    "a value": ("=8",),
    "a quoted value": ('="9"',),
    "true": ("=true",),
    "twice": ("", ""),
}
BITS_FORMS: dict[str, tuple[str, ...]] = {
    "absent": (),
    "bare": ("",),
    **{bits: (f"={bits}",) for bits in oracle.BITS},
    "7": ("=7",),
    "16": ("=16",),
    "08": ("=08",),
    "+9": ("=+9",),
    "quoted 9": ('="9"',),
    "twice": ("=9", "=9"),
}
UNKNOWN = ("", "; unknown")
VALUES: dict[str, str | None] = {
    "": None,
    "=8": "8",
    '="9"': "9",
    "=9": "9",
    "=7": "7",
    "=16": "16",
    "=08": "08",
    "=+9": "+9",
    "=true": "true",
    **{f"={bits}": bits for bits in oracle.BITS},
}


def combinations() -> Iterator[tuple[str, Pairs]]:
    """Give every combination: as it is written, and as pairs, without the code's own reader."""
    forms = (TAKEOVER_FORMS, TAKEOVER_FORMS, BITS_FORMS, BITS_FORMS)
    for unknown in UNKNOWN:
        for chosen in product(*(form.values() for form in forms)):
            text = NAME
            pairs: list[tuple[str, str | None]] = []
            for name, pieces in zip(oracle.NAMES, chosen, strict=True):
                for piece in pieces:
                    text += f"; {name}{piece}"
                    pairs.append((name, VALUES[piece]))
            if unknown:
                text += unknown
                pairs.append(("unknown", None))
            yield text, tuple(pairs)


ALL = list(combinations())
WISHES = {
    "everything": Wishes(),
    "the defaults": Wishes(12, 12),
    "small windows": Wishes(9, 10),
    "no takeover": Wishes(15, 15, True, True),
    "all at once": Wishes(11, 9, True, False),
}


def settings_for(wishes: Wishes, *, fallback: bool = True, watched: WatchedZlib | None = None) -> Deflate:
    """Return the settings that say so."""
    made = Deflate(
        server_max_window_bits=wishes.server_bits,
        client_max_window_bits=wishes.client_bits,
        server_no_context_takeover=wishes.server_alone,
        client_no_context_takeover=wishes.client_alone,
        fallback=fallback,
        threshold=1,
        zlib=watched or zlib,
    )
    if watched is not None:
        watched.settings.clear()  # one was made to try the settings
    return made


def pairs_of(text: str) -> list[Pairs]:
    """Read what is written here: offers or answers without quotes."""
    found: list[Pairs] = []
    for element in text.split(", "):
        name, *parameters = element.split("; ")
        assert name == NAME
        found.append(tuple((key, value or None) for key, _, value in (p.partition("=") for p in parameters)))
    return found
