"""When what was sent leaves: one choice, the same in every backend."""

from enum import Enum


class BatchMode(Enum):
    """How a session groups outgoing messages into writes.

    AUTO: what answers one batch of input leaves in one write; a message sent on its own leaves at once.
    OFF: each message leaves at once.
    ON: messages wait for ``flush()`` or the high-water mark.
    """

    AUTO = "auto"
    OFF = "off"
    ON = "on"
