"""JSON in text messages (RFC 8259): compact going out, and one kind of error coming in."""

import json
from typing import Any, NoReturn

from wscore._errors import LocalProtocolError


def encode_json(value: object) -> str:
    """Return value as compact JSON.

    Raises:
        LocalProtocolError: value holds what JSON has no form for, such as NaN or an object, or a cycle.
    """
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"not representable as JSON: {error}") from None


def decode_json(message: str | bytes) -> Any:
    """Return what a message holds; a binary one must be UTF-8 (RFC 8259 section 8.1).

    Raises:
        ValueError: not JSON, or nested too deeply.
    """
    text = message if isinstance(message, str) else message.decode()  # `json` would guess at UTF-16
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have (RFC 8259 section 6)."""
    raise ValueError(f"{constant} is no JSON")
