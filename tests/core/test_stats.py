"""Counters of what went through a connection."""

import pytest

from wscore._stats import Stats
from wscore.testing import Pair

NAMES = {
    "messages_received",
    "messages_sent",
    "payload_received",
    "payload_sent",
    "pings_received",
    "pongs_received",
    "wire_received",
    "wire_sent",
}


def values(stats: Stats) -> dict[str, int]:
    return {name: getattr(stats, name) for name in NAMES}


def test_all_counters_start_at_zero_and_there_are_no_others() -> None:
    stats = Stats()
    assert set(Stats.__slots__) == NAMES
    assert values(stats) == dict.fromkeys(NAMES, 0)
    with pytest.raises(AttributeError):
        stats.messages = 1  # type: ignore[attr-defined]


def test_two_connections_count_apart() -> None:
    one, other = Stats(), Stats()
    one.wire_sent += 1
    assert other.wire_sent == 0


def test_the_counters_tell_what_went_through() -> None:
    pair = Pair()
    pair.open()
    pair.client.send_text("h\u00e9")  # three bytes of UTF-8
    pair.client.send_bytes(bytes(10))
    pair.server.send_text("")
    pair.client.send_ping(b"x", now=pair.now)
    pair.exchange()
    client, server = values(pair.client.stats), values(pair.server.stats)
    assert client == {
        "messages_sent": 2,
        "payload_sent": 13,
        "messages_received": 1,
        "payload_received": 0,
        "pings_received": 0,
        "pongs_received": 1,
        "wire_sent": len(pair.client_wire),
        "wire_received": len(pair.server_wire),
    }
    assert server == {
        "messages_sent": 1,
        "payload_sent": 0,
        "messages_received": 2,
        "payload_received": 13,
        "pings_received": 1,
        "pongs_received": 0,
        "wire_sent": len(pair.server_wire),
        "wire_received": len(pair.client_wire),
    }
