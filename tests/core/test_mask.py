"""Masking against the definition of RFC 6455 section 5.3, byte by byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._mask import apply_mask

KEYS = [
    b"\x37\xfa\x21\x3d",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x00\x01\x02\x03",
    b"\x80\x00\x00\x7f",
]
CROSSOVER = 2048  # here the method changes; the result must not


def oracle(data: bytes, key: bytes, phase: int) -> bytes:
    """Section 5.3: octet i is XORed with key octet i modulo 4, counted from the start of the payload."""
    return bytes(octet ^ key[(phase + index) % 4] for index, octet in enumerate(data))


def sample(size: int) -> bytes:
    """Return bytes in which every value occurs and neighbours differ."""
    return bytes((index * 7 + index // 256) & 0xFF for index in range(size))


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [*range(41), *range(CROSSOVER - 9, CROSSOVER + 10), 4096, 65_537])
def test_masking_follows_the_definition(size: int, phase: int) -> None:
    data = sample(size)
    for key in KEYS:
        assert apply_mask(data, key, phase) == oracle(data, key, phase)


@pytest.mark.parametrize("size", [100, 3000])
def test_a_phase_counts_modulo_four(size: int) -> None:
    data, key = sample(size), KEYS[0]
    for phase in (4, 5, 1_000_003):
        assert apply_mask(data, key, phase) == oracle(data, key, phase)


def test_the_example_of_section_5_7() -> None:
    assert apply_mask(b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("7f9f4d5158")


@pytest.mark.parametrize("size", [0, 7, CROSSOVER - 1, CROSSOVER, 5000])
def test_masking_twice_gives_the_data_back(size: int) -> None:
    data = sample(size)
    masked = apply_mask(data, KEYS[0], 3)
    assert type(masked) is bytes
    assert apply_mask(masked, KEYS[0], 3) == data


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60),
    st.binary(min_size=4, max_size=4),
    st.lists(st.sampled_from([1, 2, 3, 2500]), max_size=6),
)
def test_a_payload_may_be_masked_in_pieces(data: bytes, key: bytes, sizes: list[int]) -> None:
    data *= 100
    masked, done = b"", 0
    for size in [*sizes, len(data)]:
        masked += apply_mask(data[done : done + size], key, done & 3)
        done = min(done + size, len(data))
    assert masked == oracle(data, key, 0)
