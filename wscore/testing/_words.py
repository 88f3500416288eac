"""What came, in words: for messages of failed assertions."""

from typing import Final

from wscore import Connection, Event

_BYTES: Final = 16  # shown of a payload
_CHARACTERS: Final = 64
_LONGEST: Final = 160  # characters of anything else


def payload_words(payload: str | bytes) -> str:
    """Describe a payload: whole if it is short, else its beginning and its size.

    ::

        >>> payload_words("hello"), payload_words(bytes(40))
        ("'hello'", '00000000000000000000000000000000… (40 bytes)')
    """
    if isinstance(payload, bytes):
        shown = payload[:_BYTES].hex() or "nothing"
        return shown if len(payload) <= _BYTES else f"{shown}… ({len(payload)} bytes)"
    if len(payload) <= _CHARACTERS:
        return repr(payload)
    return f"{payload[:_CHARACTERS]!r}… ({len(payload)} characters)"


def event_words(event: Event) -> str:
    """Describe an event."""
    if isinstance(event, str | bytes):
        kind = "text" if isinstance(event, str) else "binary"
        return f"the {kind} message {payload_words(event)}"
    words = repr(event)
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"


def connection_words(connection: Connection) -> str:
    """Describe where a connection stands."""
    words = f"the {connection.role.value} is {connection.state.value}"
    closed = connection.closed
    if closed is None:
        return words
    causes = [cause.name for cause in (closed.violation, closed.timer) if cause is not None]
    return f"{words} ({', '.join([f'{int(closed.code)}', *causes])})"
