"""The small grammars inside header fields: tokens, lists, quoted strings, extension offers.

Everything here reads ``bytes`` that a peer wrote and either understands all of them or returns None;
nothing raises, nothing backtracks: each reader looks at every byte once.

::

    token          RFC 9110 section 5.6.2
    quoted-string  RFC 9110 section 5.6.4; in an extension its content must be a token (RFC 6455 9.1)
    extension      name *( ";" parameter [ "=" value ] ), in a comma-separated list
"""

import re
from dataclasses import dataclass
from typing import Final

_COMMA: Final = 0x2C
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ExtensionOffer:
    """One extension in a Sec-WebSocket-Extensions field (RFC 6455 section 9.1).

    Attributes:
        name: its registered token.
        parameters: in order; the value is None where only a name was given. Repeated names are kept.
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()


def is_token(value: bytes) -> bool:
    """Tell whether value is one token."""
    return _TOKEN.fullmatch(value) is not None


def is_field_value(value: bytes) -> bool:
    """Tell whether value may stand behind the colon of a header line (RFC 9110 section 5.5)."""
    return _VALUE.fullmatch(value) is not None and value.strip(b" \t") == value


def parse_tokens(value: bytes, limit: int, longest: int) -> list[str] | None:
    """Read a comma-separated list of tokens; empty elements are skipped (RFC 9110 section 5.6.1).

    Returns:
        The tokens in order; None when one is malformed or longer than longest, or there are more
        than limit.
    """
    tokens: list[str] = []
    for element in value.split(b","):
        token = element.strip(b" \t")
        if not token:
            continue
        if len(tokens) == limit or len(token) > longest or not is_token(token):
            return None
        tokens.append(token.decode("ascii"))
    return tokens


def has_token(value: bytes, wanted: bytes) -> bool:
    """Tell whether a comma-separated list names wanted (lower case), without case."""
    return any(element.strip(b" \t").lower() == wanted for element in value.split(b","))


def parse_extensions(value: bytes, limit: int, longest: int) -> list[ExtensionOffer] | None:
    """Read a Sec-WebSocket-Extensions field.

    Returns:
        The offers in order; None when the field is malformed, names more than limit extensions, or
        one of them is longer than longest bytes.
    """
    offers: list[ExtensionOffer] = []
    position = _skip_empty(value, 0)
    while position < len(value):
        start = position
        parsed = _read_extension(value, position)
        if parsed is None:
            return None
        offer, position = parsed
        if len(offers) == limit or position - start > longest:
            return None
        offers.append(offer)
        if position < len(value) and value[position] != _COMMA:
            return None
        position = _skip_empty(value, position)
    return offers or None


def _skip_empty(value: bytes, position: int) -> int:
    """Skip commas and blanks: empty elements of a list count for nothing (RFC 9110 section 5.6.1.2)."""
    while position < len(value) and value[position] in b", \t":
        position += 1
    return position


def _read_extension(value: bytes, position: int) -> tuple[ExtensionOffer, int] | None:
    """Read one extension with its parameters; return it and where it ended."""
    name = _read_token(value, position)
    if name is None:
        return None
    text, position = name
    parameters: list[tuple[str, str | None]] = []
    while position < len(value) and value[position] == 0x3B:  # ";"
        key = _read_token(value, position + 1)
        if key is None:
            return None
        parameter, position = key
        content: str | None = None
        if position < len(value) and value[position] == 0x3D:  # "="
            read = _read_parameter_value(value, position + 1)
            if read is None:
                return None
            content, position = read
        parameters.append((parameter, content))
    return ExtensionOffer(text, tuple(parameters)), position


def _read_token(value: bytes, position: int) -> tuple[str, int] | None:
    """Read a token with blanks round it."""
    position = _skip_space(value, position)
    match = _TOKEN.match(value, position)
    if match is None:
        return None
    return match[0].decode("ascii"), _skip_space(value, match.end())


def _read_parameter_value(value: bytes, position: int) -> tuple[str, int] | None:
    """Read a token, or a quoted string whose content is one."""
    position = _skip_space(value, position)
    quoted = _QUOTED.match(value, position)
    if quoted is None:
        return _read_token(value, position)
    content = _ESCAPE.sub(rb"\1", quoted[1])
    if not is_token(content):
        return None
    return content.decode("ascii"), _skip_space(value, quoted.end())


def _skip_space(value: bytes, position: int) -> int:
    while position < len(value) and value[position] in b" \t":
        position += 1
    return position


def format_extensions(offers: list[ExtensionOffer]) -> str:
    """Write offers as a Sec-WebSocket-Extensions value; the inverse of `parse_extensions`."""
    return ", ".join(_format_extension(offer) for offer in offers)


def _format_extension(offer: ExtensionOffer) -> str:
    parts = [offer.name]
    for name, value in offer.parameters:
        parts.append(name if value is None else f"{name}={value}")
    return "; ".join(parts)
