"""Masking against the definition of RFC 6455 section 5.3, byte by byte."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.build import COMPILED, only_pure
from wscore import _mask as mask_module
from wscore._mask import MaskedLater, apply_mask, mask_behind, mask_in_python, unmask

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


MASKS = [apply_mask, mask_in_python]
SIZES = [*range(71), *range(CROSSOVER - 9, CROSSOVER + 10), 4096, 65_537]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("phase", [0, 1, 2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_masking_follows_the_definition(
    size: int, phase: int, mask: Callable[[bytes, bytes, int], bytes]
) -> None:
    data = sample(size)
    for key in KEYS:
        assert mask(data, key, phase) == oracle(data, key, phase)


@pytest.mark.parametrize("start", range(4, 21))
def test_a_payload_is_unmasked_wherever_it_stands(start: int) -> None:
    for size in (*range(71), CROSSOVER - 1, CROSSOVER, 100_003):
        data = sample(size)
        for key in KEYS[:2] if size < 100 else KEYS[:1]:
            buffer = bytes(range(start - 4)) + key + oracle(data, key, 0) + b"behind"
            assert unmask(buffer, start, start + size) == data


@pytest.mark.parametrize("size", [0, 1, 7, 8, 70, CROSSOVER - 1, CROSSOVER, 65_537])
def test_a_masked_payload_stands_behind_its_header_and_key(size: int) -> None:
    for key in KEYS:
        for header in (b"", b"\x81", b"\x81\xfe\x00\x00"):
            frame = mask_behind(header, sample(size), key)
            assert frame == header + key + oracle(sample(size), key, 0)


@pytest.mark.parametrize("size", [1, 3, 4, 7, 64, 5000])
def test_a_payload_that_is_masked_later_is_masked_in_parts(size: int) -> None:
    data = sample(10_001)
    for key in KEYS:
        later, parts = MaskedLater(data, key), list[bytes]()
        while later.left:
            left = later.left
            parts.append(later.take(size))
            assert len(parts[-1]) == min(size, left) == left - later.left
        assert b"".join(parts) == oracle(data, key, 0)
        assert later.take(size) == b""


@pytest.mark.parametrize("size", [0, 1, 63, 100_000])
def test_what_is_masked_stays_as_it_was(size: int) -> None:
    data = sample(size)
    kept = bytearray(data)
    for mask in MASKS:
        assert mask(data, KEYS[0], 1) is not data or not size
        assert data == kept


def in_c() -> Any:
    """Return the module in C."""
    if not COMPILED:
        pytest.skip("compiled only: there is no module in C in the other build")
    return import_module("wscore._xor")


KEY, HEAD = KEYS[0], KEYS[0] + b"1234"


@pytest.mark.parametrize(
    ("error", "name", "arguments"),
    [
        (TypeError, "apply_mask", ()),
        (TypeError, "apply_mask", (b"x", KEY)),
        (TypeError, "apply_mask", (b"x", KEY, 0, 0)),
        (TypeError, "apply_mask", (bytearray(b"x"), KEY, 0)),
        (TypeError, "apply_mask", ("x", KEY, 0)),
        (TypeError, "apply_mask", (b"x", None, 0)),
        (TypeError, "apply_mask", (b"x", KEY, "0")),
        (TypeError, "apply_mask", (b"x", KEY, 0.5)),
        (OverflowError, "apply_mask", (b"x", KEY, 2**64)),
        (ValueError, "apply_mask", (b"x", b"", 0)),
        (ValueError, "apply_mask", (b"x", b"abc", 0)),
        (ValueError, "apply_mask", (b"x", b"abcde", 0)),
        (TypeError, "unmask", ()),
        (TypeError, "unmask", (HEAD, 4)),
        (TypeError, "unmask", (HEAD, 4, 8, 0)),
        (TypeError, "unmask", (bytearray(HEAD), 4, 8)),
        (TypeError, "unmask", (HEAD, None, 8)),
        (TypeError, "unmask", (HEAD, 4, "8")),
        (OverflowError, "unmask", (HEAD, 4, 2**64)),
        (ValueError, "unmask", (HEAD, 3, 8)),
        (ValueError, "unmask", (HEAD, -1, 8)),
        (ValueError, "unmask", (HEAD, 5, 4)),
        (ValueError, "unmask", (HEAD, 4, 9)),
        (ValueError, "unmask", (HEAD, 4, -1)),
        (ValueError, "unmask", (b"", 4, 4)),
        (TypeError, "mask_part", (b"x", KEY, 0)),
        (TypeError, "mask_part", ("x", KEY, 0, 1)),
        (TypeError, "mask_part", (b"x", bytearray(KEY), 0, 1)),
        (TypeError, "mask_part", (b"x", KEY, None, 1)),
        (TypeError, "mask_part", (b"x", KEY, 0, "1")),
        (ValueError, "mask_part", (b"x", b"abc", 0, 1)),
        (ValueError, "mask_part", (b"x", KEY, -1, 1)),
        (ValueError, "mask_part", (b"x", KEY, 1, 0)),
        (ValueError, "mask_part", (b"x", KEY, 0, 2)),
        (OverflowError, "mask_part", (b"x", KEY, 2**64, 1)),
        (OverflowError, "mask_part", (b"x", KEY, 0, 2**64)),
        (TypeError, "mask_behind", (b"x", b"y")),
        (TypeError, "mask_behind", ("x", b"y", KEY)),
        (TypeError, "mask_behind", (b"x", "y", KEY)),
        (TypeError, "mask_behind", (b"x", b"y", None)),
        (ValueError, "mask_behind", (b"x", b"y", b"abcde")),
    ],
)
def test_the_module_in_c_refuses_what_it_cannot_mask(
    error: type[Exception], name: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(error):
        getattr(in_c(), name)(*arguments)


@pytest.mark.parametrize("phase", [-1, -2, -5, 4, 7, 2**40 + 3])
def test_any_phase_counts_modulo_four(phase: int) -> None:
    for mask in MASKS if not COMPILED else [*MASKS, in_c().apply_mask]:
        assert mask(sample(70), KEY, phase) == oracle(sample(70), KEY, phase)


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


@only_pure("native code binds its functions when it is loaded")
def test_what_was_compiled_is_used_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_module, "_apply_in_c", lambda data, key, phase: data + key + bytes([phase]))
    monkeypatch.setattr(mask_module, "_unmask_in_c", lambda buffer, start, end: buffer[start:end] + b"!")
    monkeypatch.setattr(mask_module, "_part_in_c", lambda data, key, start, end: key + data[start:end])
    monkeypatch.setattr(
        mask_module, "_behind_in_c", lambda header, payload, key: b"-".join((header, payload))
    )
    assert MaskedLater(b"payload", b"1234").take(3) == b"1234pay"
    assert mask_behind(b"head", b"payload", b"1234") == b"head-payload"
    assert apply_mask(b"abc", b"1234", 2) == b"abc1234\x02"
    assert unmask(b"keys" + b"load", 4, 8) == b"load!"
