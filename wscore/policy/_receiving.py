"""What who receives messages makes of events: most are theirs, `Closed` is the end, others are passed over.

`Session.recv` and `Session.recv_fragment` differ in one thing alone: without ``Config(stream=True)`` messages
come whole, with it they come in parts. Who calls the wrong one is told so before anything is taken.
"""

from typing import TypeAlias

from wscore._connection import Connection
from wscore._errors import ConnectionClosed, LocalProtocolError
from wscore._events import Closed, Event, Fragment

Received: TypeAlias = str | bytes | Fragment


def received(event: Event) -> Received | None:
    """Return the message, or the part of one, that an event is; None: it is another one, ask for the next.

    Raises:
        ConnectionClosed: there will be no more messages.
    """
    if isinstance(event, (str, bytes, Fragment)):
        return event
    if isinstance(event, Closed):
        raise ConnectionClosed(event)
    return None


def expect_whole(core: Connection) -> None:
    """Look whether messages come whole.

    Raises:
        LocalProtocolError: they come in parts.
    """
    if core.streams:
        raise LocalProtocolError("with Config(stream=True) messages come from recv_fragment")


def expect_parts(core: Connection) -> None:
    """Look whether messages come in parts.

    Raises:
        LocalProtocolError: they come whole.
    """
    if not core.streams:
        raise LocalProtocolError("without Config(stream=True) messages come from recv")


def whole(message: Received) -> str | bytes:
    """Return a message, for who expects whole ones.

    Raises:
        LocalProtocolError: it is a part of one.
    """
    if isinstance(message, Fragment):
        raise LocalProtocolError("with Config(stream=True) messages come from recv_fragment")
    return message


def in_part(message: Received) -> Fragment:
    """Return a part of a message, for who expects those.

    Raises:
        LocalProtocolError: it is a whole one.
    """
    if not isinstance(message, Fragment):
        raise LocalProtocolError("without Config(stream=True) messages come from recv")
    return message
