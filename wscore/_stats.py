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
        frames_received, frames_sent: the data frames that they came and went in.
        payload_received, payload_sent: their bytes; text is counted as UTF-8.
        encoded_received, encoded_sent: the same as it travelled, compressed if it was; what is received
            counts with a frame's header.
        wire_received, wire_sent: bytes of the stream.
        pings_received, pongs_received: control frames of the peer.
    """

    __slots__ = (
        "encoded_received",
        "encoded_sent",
        "frames_received",
        "frames_sent",
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
        self.frames_received: int = 0
        self.frames_sent: int = 0
        self.payload_received: int = 0
        self.payload_sent: int = 0
        self.encoded_received: int = 0
        self.encoded_sent: int = 0
        self.pings_received: int = 0
        self.pongs_received: int = 0
        self.wire_received: int = 0
        self.wire_sent: int = 0

    @property
    def ratio_received(self) -> float:
        """How big what was received was on its way, against its own size: 0.25 is a quarter."""
        return self.encoded_received / self.payload_received if self.payload_received else 1.0

    @property
    def ratio_sent(self) -> float:
        """The same for what was sent."""
        return self.encoded_sent / self.payload_sent if self.payload_sent else 1.0
