"""What went through a connection, in plain numbers.

Payload counts are application bytes; wire counts include framing and the opening handshake, so their
ratio is what framing costs.
"""

from typing import final


@final
class Stats:
    """Counters of one connection; they only grow.

    Attributes:
        messages_received, messages_sent: complete text and binary messages.
        payload_received, payload_sent: their bytes; text is counted as UTF-8.
        wire_received, wire_sent: bytes of the stream.
        pings_received, pongs_received: control frames of the peer.
    """

    __slots__ = (
        "messages_received",
        "messages_sent",
        "payload_received",
        "payload_sent",
        "pings_received",
        "pongs_received",
        "wire_received",
        "wire_sent",
    )

    def __init__(self) -> None:
        self.messages_received: int = 0
        self.messages_sent: int = 0
        self.payload_received: int = 0
        self.payload_sent: int = 0
        self.pings_received: int = 0
        self.pongs_received: int = 0
        self.wire_received: int = 0
        self.wire_sent: int = 0
