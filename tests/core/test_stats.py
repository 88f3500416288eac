"""Counters of what went through a connection."""

import pytest

from support.counters import counters
from wscore import Config, Deflate, PreparedMessage
from wscore._stats import Stats
from wscore.testing import Pair

NAMES = {
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
}


def values(stats: Stats) -> dict[str, int]:
    return {name: getattr(stats, name) for name in NAMES}


def test_all_counters_start_at_zero_and_there_are_no_others() -> None:
    stats = Stats()
    assert set(counters()) == NAMES
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
        "frames_sent": 2,
        "payload_sent": 13,
        "encoded_sent": 13,
        "messages_received": 1,
        "frames_received": 1,
        "payload_received": 0,
        "encoded_received": 0,
        "pings_received": 0,
        "pongs_received": 1,
        "wire_sent": len(pair.client_wire),
        "wire_received": len(pair.server_wire),
    }
    assert server == {
        "messages_sent": 1,
        "frames_sent": 1,
        "payload_sent": 0,
        "encoded_sent": 0,
        "frames_received": 2,
        "encoded_received": 13,
        "messages_received": 2,
        "payload_received": 13,
        "pings_received": 1,
        "pongs_received": 0,
        "wire_sent": len(pair.server_wire),
        "wire_received": len(pair.client_wire),
    }


def test_nothing_has_the_ratio_of_plain_data() -> None:
    assert (Stats().ratio_received, Stats().ratio_sent) == (1.0, 1.0)


@pytest.mark.parametrize("prepared", [False, True])
def test_the_ratio_tells_what_compression_has_saved(prepared: bool) -> None:
    config = Config(compression=Deflate(threshold=0))
    pair = Pair(config, config)
    pair.open()
    text = "again and " * 1000
    if prepared:
        pair.server.send_prepared(PreparedMessage(text))
    else:
        pair.server.send_text(text)
    pair.exchange()
    sent, received = pair.server.stats, pair.client.stats
    assert sent.payload_sent == received.payload_received == 10_000
    assert sent.encoded_sent == received.encoded_received < 200
    assert sent.ratio_sent == received.ratio_received == sent.encoded_sent / 10_000
    assert (sent.frames_sent, received.frames_received) == (1, 1)


def test_fragments_count_as_frames_of_one_message() -> None:
    pair = Pair()
    pair.open()
    pair.client.send_fragment("ab", False)
    pair.client.send_fragment("c", True)
    pair.exchange()
    assert (pair.client.stats.frames_sent, pair.client.stats.messages_sent) == (2, 1)
    assert (pair.server.stats.frames_received, pair.server.stats.messages_received) == (2, 1)
    assert pair.server.stats.encoded_received == 3
