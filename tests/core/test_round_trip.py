"""What one side sends is what the other gets: random messages, sizes, fragments and control frames between
them, for every set of parameters that compression can agree on."""

import random
from itertools import product

import pytest

from wscore import Config, Connection, Deflate, Limits
from wscore.testing import Pair

WINDOWS = (9, 10, 11, 12, 13, 14, 15)
PARAMETERS = list(product(WINDOWS, WINDOWS, (False, True), (False, True)))
MIB = 1024 * 1024
LIMITS = Limits(max_message_size=MIB, outbox_limit=64 * MIB, max_control_rate=None)


def config(parameters: tuple[int, int, bool, bool] | None, chooser: random.Random) -> Config:
    """Return a Config with these parameters; None: without compression."""
    compression = None
    if parameters is not None:
        server, client, server_alone, client_alone = parameters
        compression = Deflate(
            server_max_window_bits=server,
            client_max_window_bits=client,
            server_no_context_takeover=server_alone,
            client_no_context_takeover=client_alone,
            level=chooser.choice([1, 6, 9]),
            memory_level=chooser.randint(1, 9),
            threshold=chooser.choice([0, 1, 256]),
        )
    fragment_size = chooser.choice([None, None, 1000, chooser.randint(20, 70_000)])
    return Config(compression=compression, limits=LIMITS, fragment_size=fragment_size)


def message(chooser: random.Random, largest: int) -> str | bytes:
    """Make a message: mostly short; noise, repetition or text of all kinds of characters."""
    size = int(2 ** chooser.uniform(0, largest)) - 1
    kind = chooser.randrange(4)
    if kind == 0:
        return chooser.randbytes(size)
    if kind == 1:
        return (chooser.randbytes(chooser.randint(1, 300)) * size)[:size]
    alphabet = "ab \u00e9\u2603\U0001f600" if kind == 2 else "the quick brown fox "
    return "".join(chooser.choices(alphabet, k=min(size // 4, 5000))) * chooser.choice([1, 1, 5])


def send(connection: Connection, chooser: random.Random, item: str | bytes, now: float) -> list[str | bytes]:
    """Send a message whole, or in parts with others sent meanwhile; return all in the order of arrival."""
    compress = chooser.choice([None, None, None, True, False])
    if chooser.random() < 0.7:
        if isinstance(item, str):
            connection.send_text(item, compress=compress)
        else:
            connection.send_bytes(item, compress=compress)
        return [item]
    behind: list[str | bytes] = []
    start = 0
    while start < len(item):
        end = start + chooser.randint(1, max(1, len(item)))
        connection.send_fragment(item[start:end], False, compress=compress)
        if chooser.random() < 0.3:
            connection.send_ping(now=now)
        if chooser.random() < 0.3:
            behind.append("meanwhile" * chooser.randint(0, 60))
            connection.send_text(str(behind[-1]))
        start = end
    connection.send_fragment(item[:0], True, compress=compress)
    return [item, *behind]


def converse(parameters: tuple[int, int, bool, bool] | None, seed: int, count: int, largest: int) -> int:
    """Send count messages both ways and compare; return how many there were."""
    chooser = random.Random(seed)
    pair = Pair(config(parameters, chooser), config(parameters, chooser))
    pair.open()
    assert bool(pair.client.extensions) is (parameters is not None)
    assert pair.client.extensions == pair.server.extensions
    to_server: list[str | bytes] = []
    to_client: list[str | bytes] = []
    for _ in range(count):
        to_server += send(pair.client, chooser, message(chooser, largest), pair.now)
        to_client += send(pair.server, chooser, message(chooser, largest), pair.now)
        if chooser.random() < 0.5:
            pair.server.send_ping(now=pair.now)
        if chooser.random() < 0.5:
            pair.exchange()
    pair.exchange()
    for events, expected in ((pair.server_events, to_server), (pair.client_events, to_client)):
        received = [event for event in events if isinstance(event, (str, bytes))]
        assert len(received) == len(expected)
        wrong = [index for index, sent in enumerate(expected) if received[index] != sent]
        assert wrong == [], (parameters, seed)
    return len(to_server) + len(to_client)


def test_messages_arrive_as_they_were_sent_without_compression() -> None:
    for seed in range(20):
        converse(None, seed, 10, 13)
    converse(None, 99, 4, 20)


@pytest.mark.parametrize("takeover", list(product((False, True), repeat=2)), ids=str)
def test_messages_arrive_as_they_were_sent_with_every_window(takeover: tuple[bool, bool]) -> None:
    for server, client in product(WINDOWS, WINDOWS):
        converse((server, client, *takeover), server * 100 + client, 3, 12)


@pytest.mark.slow
def test_a_hundred_thousand_messages_arrive_as_they_were_sent() -> None:
    sent, seed = 0, 0
    while sent < 100_000:
        for parameters in [None, *PARAMETERS]:
            seed += 1
            sent += converse(parameters, seed, 25, 20 if seed % 10 == 0 else 14)
