"""Text from the network, made fit for a terminal or a log.

A terminal obeys what it is sent: an escape sequence can move the cursor, change the title or hide a line,
a carriage return can overwrite one, and direction marks can make text read as something else. So
characters that *control* are shown as escapes, ``\\x1b`` or ``\\u202e``; everything that merely looks
unusual stays as it is. Backslashes stay too: a JSON message should come out as it went in.
"""

from typing import Final

from wscore import CloseCode

_CONTROLS: Final = (
    *range(0x20),  # C0
    *range(0x7F, 0xA0),  # DEL and C1: one byte to a terminal that reads Latin-1
    0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),  # direction marks
    0x2028, 0x2029,  # line and paragraph separators
    *range(0xD800, 0xE000),  # halves of a surrogate pair: no text stream can encode them
)  # fmt: skip
_ESCAPE_ALL: Final = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROLS}
_ESCAPE_MESSAGE: Final = {code: escape for code, escape in _ESCAPE_ALL.items() if chr(code) not in "\n\t"}


def message_text(message: str | bytes) -> str:
    """Show a message: text with newlines and tabs as they are, bytes as ``binary:`` and hex digits."""
    if isinstance(message, bytes):
        return f"binary: {message.hex()}"
    return message.translate(_ESCAPE_MESSAGE)


def one_line(text: str, *, limit: int = 200) -> str:
    """Show text on one line: every control character escaped, at most limit characters kept."""
    escaped = text[:limit].translate(_ESCAPE_ALL)
    return escaped if len(text) <= limit else escaped + "…"


def code_text(code: int) -> str:
    """Name a close code: ``1001 (going away)``; one without a registered name stays a number."""
    try:
        return f"{code} ({CloseCode(code).name.lower().replace('_', ' ')})"
    except ValueError:
        return str(code)


def address_text(address: object) -> str:
    """Show a socket address: ``127.0.0.1:8765``, ``[::1]:8765``; anything else as its own text."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = str(address[0]), address[1]
        return one_line(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return one_line(str(address or "unknown address"))
