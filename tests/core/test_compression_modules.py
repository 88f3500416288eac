"""Other modules in the place of zlib: the same messages, the same faults, the same limits."""

import random
import zlib
from typing import Any

import pytest

from support.deflate_messages import BAD, GOOD
from support.deflate_modules import FOUND, MODULES, levels, two_ends
from support.deflated import TAIL, deflate, deflating, fragments, marked, whole_stream
from support.measure import KIB, MIB
from support.wire import BINARY, from_peer, the_end
from wscore import Closed, Config, Deflate, ExtensionOffer, Limits, Role, Violation
from wscore.testing import drain

ALONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
CHOOSER = random.Random(6)
MESSAGES = [
    b"x",
    b"Hello" * 3,
    bytes(100_000),
    CHOOSER.randbytes(5000),
    b"".join(CHOOSER.choice([b"some ", b"words ", CHOOSER.randbytes(9)]) for _ in range(3000)),
    b"Hello" * 3,
]
pytestmark = [pytest.mark.exhaustive, pytest.mark.parametrize("module", MODULES)]


@pytest.mark.parametrize("answer", ["permessage-deflate", ALONE], ids=["takeover", "alone"])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_messages_travel_at_every_level(module: Any, answer: str, bits: int) -> None:
    for level in levels(module):
        for memory_level in (1, 5, 9):
            field = f"{answer}; server_max_window_bits={bits}; client_max_window_bits={bits}"
            ends = two_ends(module, field, level=level, memory_level=memory_level)
            for sender, receiver in (ends, ends[::-1]):
                for data in MESSAGES:
                    sender.send_bytes(data)
                sender.send_fragment("in ", False)
                sender.send_fragment("parts", True)
                receiver.receive_data(drain(sender, 0.0).sent, 0.0)
                assert drain(receiver, 0.0).events == [*MESSAGES, "in parts"], (level, memory_level)


@pytest.mark.parametrize("answer", ["permessage-deflate", ALONE], ids=["takeover", "alone"])
@pytest.mark.parametrize("bits", [8, 9, 12, 15])
def test_what_one_module_writes_another_reads(module: Any, answer: str, bits: int) -> None:
    written = max(bits, 9)
    field = f"{answer}; client_max_window_bits={bits}"
    for other in filter(None, FOUND.values()):
        client, _ = two_ends(other, f"{answer}; client_max_window_bits={written}")
        _, server = two_ends(module, field if bits == 9 else f"{answer}; client_max_window_bits={written}")
        for data in MESSAGES:
            client.send_bytes(data)
        server.receive_data(drain(client, 0.0).sent, 0.0)
        assert drain(server, 0.0).events == MESSAGES


def test_with_eight_bits_messages_are_read_and_none_is_compressed(module: Any) -> None:
    field = "permessage-deflate; client_max_window_bits=8; server_max_window_bits=8"
    client, server = two_ends(module, field)
    client.send_text("x" * 1000)
    assert drain(client, 0.0).sent[0] == 0x81
    server.receive_data(marked(Role.SERVER, deflate(b"y" * 200, bits=9)), 0.0)
    assert drain(server, 0.0).events == ["y" * 200]


@pytest.mark.parametrize(("payload", "data"), GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("answer", ["permessage-deflate", ALONE], ids=["takeover", "alone"])
def test_every_good_message_is_read(module: Any, answer: str, payload: bytes, data: bytes) -> None:
    core = deflating(Role.CLIENT, Config(compression=Deflate(zlib=module)), answer)
    parts = fragments(Role.CLIENT, payload, 7, opcode=BINARY) if len(payload) < 300 else []
    wire = (
        marked(Role.CLIENT, payload, opcode=BINARY) + b"".join(parts) + marked(Role.CLIENT, deflate(b"next"))
    )
    core.receive_data(wire, 0.0)
    assert drain(core, 0.0).events == [data] * (2 if parts else 1) + ["next"]


@pytest.mark.parametrize(("payload", "violation"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("answer", ["permessage-deflate", ALONE], ids=["takeover", "alone"])
def test_every_malformed_message_is_noticed(
    module: Any, answer: str, payload: bytes, violation: Violation
) -> None:
    core = deflating(Role.CLIENT, Config(compression=Deflate(zlib=module)), answer)
    core.receive_data(marked(Role.CLIENT, payload, opcode=BINARY), 0.0)
    assert the_end(drain(core, 0.0).events).violation is violation


def test_damage_of_any_kind_is_a_message_or_a_fault_and_never_an_exception(module: Any) -> None:
    payloads = [payload for payload, _ in (*GOOD.values(), *BAD.values())] + [deflate(MESSAGES[4][:3000])]
    chooser = random.Random(3)
    limits = Limits(max_message_size=100_000, max_fragments=None, max_empty_fragments=None)
    for answer in ("permessage-deflate", ALONE):
        for _ in range(600):
            core = deflating(Role.CLIENT, Config(compression=Deflate(zlib=module), limits=limits), answer)
            for _ in range(3):
                payload = bytearray(chooser.choice(payloads)[:4000])
                for _ in range(chooser.choice([0, 1, 1, 2, 20])):
                    if payload:
                        payload[chooser.randrange(len(payload))] ^= 1 << chooser.randrange(8)
                if chooser.random() < 0.2:
                    payload = payload[: chooser.randrange(len(payload) + 1)]
                core.receive_data(marked(Role.CLIENT, bytes(payload), opcode=BINARY), 0.0)
            events = drain(core, 0.0).events
            assert all(isinstance(event, (bytes, Closed)) for event in events)
            for event in events:
                if isinstance(event, Closed):
                    assert event.violation in (
                        Violation.COMPRESSED_DATA,
                        Violation.MESSAGE_TOO_BIG,
                        Violation.TOO_MANY_STREAMS,
                    )


@pytest.mark.parametrize("limit", [0, 1, 125, 126, 65535, 65536, MIB])
def test_the_limit_is_exact(module: Any, limit: int) -> None:
    config = Config(compression=Deflate(zlib=module), limits=Limits(max_message_size=limit))
    noise = random.Random(limit).randbytes(limit + 1)
    for data in (bytes(limit), bytes(limit + 1), noise[:limit], noise):
        half = len(data) // 2
        streams = whole_stream(data[:half]) + whole_stream(data[half:]) + b"\x00"
        for payload in (deflate(data), streams):
            core = deflating(Role.CLIENT, config)
            core.receive_data(marked(Role.CLIENT, payload, opcode=BINARY), 0.0)
            events = drain(core, 0.0).events
            if len(data) <= limit:
                assert events == [data]
            else:
                assert the_end(events).violation is Violation.MESSAGE_TOO_BIG


def test_no_step_gives_much_more_than_it_may(module: Any) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = bomb.compress(bytes(4 * MIB)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    for limit in (1, 2, 300, 65535, 65536):
        codec = Deflate(zlib=module).codec(ExtensionOffer("permessage-deflate"), Role.SERVER)
        assert codec is not None
        output = codec.decode(payload[:4096], limit)
        given = 0
        for _ in range(200):
            assert isinstance(output, bytes) and len(output) <= limit
            given += len(output)
            if not codec.pending:
                break
            output = codec.decode(b"", limit)
        assert given >= min(200 * limit, 3 * MIB)


def test_a_bomb_ends_at_the_limit(module: Any) -> None:
    core = deflating(Role.CLIENT, Config(compression=Deflate(zlib=module)))
    core.receive_data(marked(Role.CLIENT, deflate(bytes(16 * MIB), level=9), opcode=BINARY), 0.0)
    closed = the_end(drain(core, 0.0).events)
    assert closed.violation is Violation.MESSAGE_TOO_BIG
    assert closed.sent is not None and closed.sent.code == 1009


def test_levels_are_as_the_module_counts_them(module: Any) -> None:
    for level in levels(module):
        Deflate(zlib=module, level=level)
    with pytest.raises(ValueError, match="does not take these settings"):
        Deflate(zlib=module, level=max(level for level in levels(module) if level is not None) + 1)


def test_every_window_and_memory_level_is_taken(module: Any) -> None:
    for bits in range(9, 16):
        for memory_level in range(1, 10):
            Deflate(zlib=module, server_max_window_bits=bits, memory_level=memory_level)


def test_how_a_stream_is_cut_changes_nothing(module: Any) -> None:
    wire = b"".join(
        [
            marked(Role.SERVER, deflate(MESSAGES[4]), opcode=BINARY),
            marked(Role.SERVER, whole_stream(b"one") + whole_stream(b"two") + b"\x00"),
            from_peer(Role.SERVER, 9, b"ping"),
            *fragments(Role.SERVER, deflate(MESSAGES[3]), 1000, opcode=BINARY),
            marked(Role.SERVER, deflate(MESSAGES[2]) + TAIL + b"\x07", opcode=BINARY),
        ]
    )
    seen = []
    for size in (len(wire), 1, 7, 4096, 10 * KIB):
        core = deflating(Role.SERVER, Config(compression=Deflate(zlib=module)))
        events = []
        for at in range(0, len(wire), size):
            core.receive_data(wire[at : at + size], 0.0)
            events += drain(core, 0.0).events
        seen.append(events)
    assert all(events == seen[0] for events in seen)
    assert seen[0][:3] == [MESSAGES[4], "onetwo", MESSAGES[3]]
    assert the_end(seen[0]).violation is Violation.COMPRESSED_DATA
