"""What is tried with every library of others, in both directions: tables, and nothing else.

Each table is data that any of them can be given; the suites (`our_server_suite`, `our_client_suite`) say what
is done with a row. Sizes lie on both sides of where RFC 6455 section 5.2 changes the form of the length;
reasons go up to the 123 bytes that section 5.5 leaves them; codes are those that may travel (section 7.4).
"""

import re
from typing import Final, NamedTuple

from wscore import ANY_ORIGIN, SAME_ORIGIN, Deflate

MEBIBYTE: Final = 1024 * 1024
BIG: Final = 16 * MEBIBYTE
MUCH: Final = 2 * MEBIBYTE  # more than any buffer on the way holds

MESSAGES: Final[dict[str, str | bytes]] = {
    "text": "hello",
    "empty text": "",
    "binary": b"\x00\x01\xfe\xff",
    "empty binary": b"",
    "every byte": bytes(range(256)),
    "one to four bytes a character": "a\u00e9\u20ac\U0001f600",
    "the ends of the planes": "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
    "byte order mark": "\ufefftext",
    "line ends": "a\r\nb\nc\u2028d\x85e",
    "right to left and combining": "\u05e9\u05dc\u05d5\u05dd e\u0301 \U0001f469\u200d\U0001f4bb",
    "125 bytes": b"x" * 125,
    "126 bytes": b"x" * 126,
    "65535 bytes": b"x" * 65535,
    "65536 bytes": b"x" * 65536,
    "65536 bytes of text": "\u20ac" * 21845 + "x",
}

# Each message of these refers into those before it, where the contexts are kept.
COMPRESSIBLE: Final[dict[str, str | bytes]] = {
    "text that says the same again": "the same again, and again; " * 100,
    "the same once more": "the same again, and again; " * 100,
    "many zeros": bytes(MEBIBYTE),
    "bytes that hardly repeat": bytes(number * number % 251 for number in range(5000)),
    **MESSAGES,
}

DEFLATES: Final = {
    "as it comes": Deflate(threshold=0),
    "large windows": Deflate(server_max_window_bits=15, client_max_window_bits=15, threshold=0),
    "small windows": Deflate(server_max_window_bits=9, client_max_window_bits=9, threshold=0),
    "no contexts": Deflate(server_no_context_takeover=True, client_no_context_takeover=True, threshold=0),
}

FRAGMENTED: Final[dict[str, list[str] | list[bytes]]] = {
    "text": ["Hel", "lo ", "you"],
    "text of many bytes a character": ["\u20ac", "\U0001f600", "\u00e9"],
    "binary": [b"\x00\x01", b"\xfe", b"\xff" * 70000],
    "empty ones among others": [b"", b"a", b"", b"", b"b", b""],
    "nothing but empty ones": ["", "", ""],
    "one": ["alone"],
    "a thousand": [b"0123456789"] * 1000,
}

PINGS: Final[dict[str, bytes]] = {
    "no payload": b"",
    "not text": b"\x00\xff\xfe",
    "the longest": bytes(range(125)),
}

CLOSES: Final[dict[str, tuple[int, str]]] = {
    "normal": (1000, ""),
    "with a reason": (1000, "that is all"),
    "going away": (1001, "moved"),
    "unsupported data": (1003, ""),
    "internal error": (1011, "out of order"),
    "service restart": (1012, ""),
    "library's": (3000, "Gr\u00fc\u00dfe \U0001f44b"),
    "application's, with the longest reason": (4999, "r" * 123),
}


class Negotiation(NamedTuple):
    """Which subprotocols a client offers, which a server knows, and what they agree on."""

    offered: tuple[str, ...]
    supported: tuple[str, ...]
    chosen: str | None


# Whose preference counts is left to the server (RFC 6455 section 4.2.2), and some refuse a client that offers
# nothing they know: first come the rows that hold for every server.
NEGOTIATIONS: Final = {
    "one in common": Negotiation(("chat", "superchat"), ("superchat", "other"), "superchat"),
    "only one": Negotiation(("chat",), ("chat",), "chat"),
    "nothing offered or known": Negotiation((), (), None),
    "nothing known": Negotiation(("chat", "superchat"), (), None),
}
OUR_NEGOTIATIONS: Final = NEGOTIATIONS | {
    "our preference": Negotiation(("chat", "superchat"), ("superchat", "chat"), "superchat"),
    "nothing in common": Negotiation(("chat",), ("superchat",), None),
    "nothing offered": Negotiation((), ("chat",), None),
    "names are told apart by case": Negotiation(("Chat",), ("chat",), None),
}


class OriginRow(NamedTuple):
    """A server's rule, the Origin that a client sends ({} is our host and port), and whether it may pass."""

    rule: str | tuple[str | re.Pattern[str], ...]
    origin: str | None
    passes: bool


_PATTERN: Final = re.compile(r"https://[a-z]+\.example")
ORIGINS: Final = {
    "no browser": OriginRow(SAME_ORIGIN, None, True),
    "our own page": OriginRow(SAME_ORIGIN, "http://{}", True),
    "another host": OriginRow(SAME_ORIGIN, "http://evil.example", False),
    "another port": OriginRow(SAME_ORIGIN, "http://127.0.0.1:1", False),
    "an opaque origin": OriginRow(SAME_ORIGIN, "null", False),
    "anyone may": OriginRow(ANY_ORIGIN, "http://evil.example", True),
    "on the list": OriginRow(("https://app.example",), "https://app.example", True),
    "another scheme than on the list": OriginRow(("https://app.example",), "http://app.example", False),
    "a pattern": OriginRow((_PATTERN,), "https://app.example", True),
    "more than the pattern": OriginRow((_PATTERN,), "https://app.example.evil.example", False),
}


class Refusal(NamedTuple):
    """An answer other than 101; its header is one that a client of this status looks for."""

    status: int
    header: tuple[str, str]
    body: bytes


REFUSALS: Final = {
    "unauthorized": Refusal(401, ("WWW-Authenticate", 'Basic realm="here"'), b"who are you?\n"),
    "not found": Refusal(404, ("X-Looked-For", "nothing"), b"no such page\n"),
    "unavailable": Refusal(503, ("Retry-After", "7"), b""),
}
# Redirects are followed by some clients, so these are for ours alone.
REFUSALS_OF_OTHERS: Final = REFUSALS | {
    "redirect": Refusal(302, ("Location", "ws://127.0.0.1:1/elsewhere"), b"over there\n"),
    "a long body": Refusal(403, ("X-Why", "length"), b"0123456789abcdef" * 2048),
}
