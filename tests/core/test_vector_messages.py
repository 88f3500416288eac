"""How compressed messages that were sent are compared: a comparison that sees nothing would prove nothing."""

from typing import Any

import pytest

from support.vector_messages import Inflation, same_bytes

HELLO = "f248cdc9c90700"  # RFC 7692 section 7.2.3.1
AGAIN = "f200110000"  # section 7.2.3.2: it refers to the first
ONE: dict[str, Any] = {"compressed": {"text": "Hello"}, "opcode": "TEXT", "takeover": False}
SECOND = {**ONE, "takeover": True}
PARTS = [
    {**ONE, "compressed": {"text": "He"}, "final": False},
    {**ONE, "compressed": {"text": "llo"}, "first": False},
]


@pytest.mark.parametrize(
    ("spec", "sent"),
    [
        (ONE, "c107" + HELLO),
        ([ONE, ONE], ("c107" + HELLO) * 2),
        ([ONE, SECOND], "c107" + HELLO + "c105" + AGAIN),
        ([ONE, "8a00"], "c107" + HELLO + "8a00"),
        ({**ONE, "frames": 2}, "4103f248cd" + "8004c9c90700"),
        (ONE, "4103f248cd" + "8004c9c90700"),
        ({**ONE, "opcode": "BINARY"}, "c207" + HELLO),
        ({**ONE, "key": "00000000"}, "c18700000000" + HELLO),
        ({**ONE, "at_most": 7, "window_bits": 9}, "c107" + HELLO),
        (ONE, "c108f348cdc9c9070000"),  # section 7.2.3.4: a stream that ends
        (ONE, "c10d" + "f24805000000ffff" + "cac9c90700"),
        (PARTS, "4108f24805000000ffff" + "8005cac9c90700"),
        (ONE, "c17e0007" + HELLO),
    ],
)
def test_a_compressed_message_is_what_it_inflates_to(spec: Any, sent: str) -> None:
    assert same_bytes(spec, bytes.fromhex(sent))


@pytest.mark.parametrize(
    ("spec", "sent"),
    [
        (ONE, ""),
        (ONE, "c1"),
        (ONE, "c107" + HELLO[:-2]),
        (ONE, "8105" + "48656c6c6f"),  # not compressed
        (ONE, "8107" + HELLO),  # not marked
        (ONE, "e107" + HELLO),  # RSV2
        (ONE, "c207" + HELLO),  # binary
        (ONE, "c18700000000" + HELLO),  # masked
        ({**ONE, "key": "00000001"}, "c18700000000" + HELLO),  # by another key
        ({**ONE, "key": "00000000"}, "c107" + HELLO),  # not masked
        (ONE, "c105" + AGAIN),  # refers to nothing
        ([ONE, ONE], "c107" + HELLO + "c105" + AGAIN),  # stands not alone
        ({**ONE, "compressed": {"text": "hello"}}, "c107" + HELLO),
        ({**ONE, "compressed": {"text": "Hell"}}, "c107" + HELLO),
        ({**ONE, "at_most": 6}, "c107" + HELLO),
        ({**ONE, "frames": 2}, "c107" + HELLO),
        ({**ONE, "frames": 1}, "4103f248cd" + "8004c9c90700"),
        (ONE, "4103f248cd" + "c004c9c90700"),  # the continuation is marked
        (ONE, "4103f248cd" + "8a00" + "8004c9c90700"),  # not one after the other
        (ONE, "4103f248cd"),
        (PARTS, "4102f248" + "8005cdc9c90700"),  # the first part was not flushed
        ({**PARTS[0], "frames": 1}, "c108f24805000000ffff"),  # it was the last, too
        (ONE, "c10107"),  # malformed
        (ONE, "c107" + HELLO + "00"),
    ],
)
def test_another_message_is_another_one(spec: Any, sent: str) -> None:
    assert not same_bytes(spec, bytes.fromhex(sent))


def test_the_window_lasts_from_step_to_step() -> None:
    inflation = Inflation()
    assert same_bytes(ONE, bytes.fromhex("c107" + HELLO), inflation)
    assert same_bytes(SECOND, bytes.fromhex("c105" + AGAIN), inflation)
    assert not same_bytes(SECOND, bytes.fromhex("c105" + AGAIN), Inflation())
