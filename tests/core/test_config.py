"""What a caller may set: defaults, and what is refused at once."""

import dataclasses
import re
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from support.run_length import RunLength
from wscore._config import ANY_ORIGIN, SAME_ORIGIN, Config, Limits, Timeouts

# The defaults that the documentation promises, written out.
LIMITS: dict[str, int | None] = {
    "max_message_size": 1_048_576,
    "max_text_size": None,
    "max_binary_size": None,
    "max_frame_size": None,
    "max_fragments": None,
    "max_empty_fragments": 64,
    "max_control_rate": 1000,
    "max_line": 8192,
    "max_head": 32_768,
    "max_headers": 100,
    "max_subprotocols": 32,
    "max_extensions": 16,
    "max_offer": 1024,
    "max_informational": 8,
    "refusal_body": 65_536,
    "early_data": 65_536,
    "inbox_high": 65_536,
    "inbox_low": 16_384,
    "outbox_high": 65_536,
    "outbox_low": 16_384,
    "outbox_limit": 1_048_576,
}
TIMEOUTS: dict[str, float | None] = {
    "open": 10.0,
    "close": 10.0,
    "keepalive": 20.0,
    "pong": 20.0,
    "idle": None,
    "lifetime": None,
    "write_stall": 30.0,
}
MARKS = {"inbox_high", "inbox_low", "outbox_high", "outbox_low"}
NULLABLE = [
    *("max_message_size", "max_text_size", "max_binary_size", "max_frame_size"),
    *("max_fragments", "max_empty_fragments", "max_control_rate"),
]


def test_the_defaults_are_those_that_are_promised() -> None:
    assert dataclasses.asdict(Limits()) == LIMITS
    assert dataclasses.asdict(Timeouts()) == TIMEOUTS
    config = Config()
    assert (config.limits, config.timeouts) == (Limits(), Timeouts())
    assert config.origins == SAME_ORIGIN  # no other site's page gets in unless it is named
    assert (config.compression, config.extensions) == (None, ())  # RFC 7692 section 8: nothing unasked
    assert (config.stream, config.fragment_size, config.close_codes) == (False, None, None)
    assert config.control_events is False
    assert config.agent == "wscore"  # no version of anything


@pytest.mark.parametrize(
    ("fragments", "message", "expected"),
    [
        (None, 1_048_576, 16_384),
        (None, 1_048_640, 16_385),
        (None, 65_536, 1024),
        (None, 65_599, 1024),
        (None, 65_600, 1025),
        (None, 0, 1024),
        (None, 16 * 1_048_576, 262_144),
        (None, None, None),
        (7, 1_048_576, 7),
        (7, None, 7),
        (0, None, 0),
    ],
)
def test_the_number_of_fragments_follows_the_size_of_messages(
    fragments: int | None, message: int | None, expected: int | None
) -> None:
    assert Limits(max_fragments=fragments, max_message_size=message).fragments == expected


def _limits(**values: Any) -> Limits:
    return Limits(**values)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1, 1.0, 1.5, "1", True, b"1", float("inf"), float("nan")])
def test_a_limit_is_a_whole_number(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a whole number"):
        _limits(**{name: value})


@pytest.mark.parametrize("name", sorted(set(LIMITS) - {"inbox_high", "outbox_high"}))
def test_a_limit_may_be_zero(name: str) -> None:
    assert getattr(_limits(**{name: 0}), name) == 0


@pytest.mark.parametrize("name", NULLABLE)
def test_some_limits_can_be_turned_off(name: str) -> None:
    assert getattr(_limits(**{name: None}), name) is None


@pytest.mark.parametrize("name", sorted(set(LIMITS) - set(NULLABLE) - MARKS))
def test_the_other_limits_cannot(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        _limits(**{name: None})


@pytest.mark.parametrize("queue", ["inbox", "outbox"])
def test_a_low_mark_lies_not_above_its_high_mark(queue: str) -> None:
    high, low = f"{queue}_high", f"{queue}_low"
    assert getattr(_limits(**{high: 100, low: 100}), low) == 100
    assert getattr(_limits(**{high: 0, low: 0}), high) == 0
    with pytest.raises(ValueError, match="low mark"):
        _limits(**{high: 100, low: 101})
    with pytest.raises(ValueError, match="low mark"):
        _limits(**{high: 16_383})


def _timeouts(**values: Any) -> Timeouts:
    return Timeouts(**values)


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize(
    "value",
    [0, 0.0, 0.0009, -1, -0.5, "1", True, 2e9, 10**400, float("nan"), float("inf"), float("-inf"), 1j],
)
def test_a_timeout_is_a_positive_number(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a positive number"):
        _timeouts(**{name: value})


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize("value", [None, 1, 0.001, 1e9])
def test_a_timeout_may_be_any_length_or_off(name: str, value: float | None) -> None:
    assert getattr(_timeouts(**{name: value}), name) == value


@pytest.mark.parametrize(
    "origins",
    [SAME_ORIGIN, ANY_ORIGIN, (), ("https://example.com",), ("https://a.example", re.compile("https://b.*"))],
)
def test_origins_are_a_policy_or_a_list(origins: str | tuple[str | re.Pattern[str], ...]) -> None:
    assert Config(origins=origins).origins == origins


@pytest.mark.parametrize("origins", ["https://example.com", "*", "", "null", "ANY_ORIGIN"])
def test_one_origin_as_text_is_a_mistake(origins: str) -> None:
    with pytest.raises(ValueError, match="tuple of origins"):
        Config(origins=origins)


@pytest.mark.parametrize(
    "origins",
    [
        (b"https://example.com",),
        (None,),
        ("https://a.example", 7),
        # A pattern of bytes fits no text: found out later, it would raise for what a peer sent.
        (re.compile(b"https://.*"),),
        ("https://a.example", re.compile(b"")),
        # RFC 6454 section 6.2: hosts beyond ASCII travel as A-labels, so this could never match.
        ("https://b\xfccher.example",),
        ("https://\u212aelvin.example",),
    ],
)
def test_a_list_holds_ascii_text_and_patterns_of_text(origins: Any) -> None:
    with pytest.raises(TypeError, match="ASCII strings and compiled patterns of text"):
        Config(origins=origins)


@pytest.mark.parametrize(
    "origins",
    [
        ["https://example.com"],
        {"https://example.com"},
        {"https://example.com": True},
        iter(("https://example.com",)),
        re.compile("https://.*"),
        b"any-origin",
        None,
        True,
    ],
    ids=["list", "set", "dict", "iterator", "pattern", "bytes", "None", "bool"],
)
def test_a_list_of_origins_is_a_tuple(origins: Any) -> None:
    # Anything else could change after the check, or be used up by the first connection.
    with pytest.raises(TypeError, match="must be a tuple"):
        Config(origins=origins)


@pytest.mark.parametrize("agent", [None, "a", "wscore", "My Server/1.0 (x)", "x" * 200])
def test_an_agent_is_words_that_may_stand_in_a_field(agent: str | None) -> None:
    assert Config(agent=agent).agent == agent


@pytest.mark.parametrize(
    "agent", ["", " ", " a", "a ", "a\r\nX: y", "a\n", "a\x00b", "a\tb", "\xe9", "\u20ac", "x" * 201, 7, b"a"]
)
def test_an_agent_that_could_never_be_sent_is_refused_at_once(agent: Any) -> None:
    # Found out later, it would look like the fault of the peer whose request is being refused.
    with pytest.raises((TypeError, ValueError)):
        Config(agent=agent)


@pytest.mark.parametrize("value", [Config(), Limits(), Timeouts()])
def test_a_configuration_never_changes_and_may_be_shared(value: Config | Limits | Timeouts) -> None:
    for field in dataclasses.fields(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(dataclasses.replace(value))
    assert value == dataclasses.replace(value)


@pytest.mark.parametrize("kind", [Config, Limits, Timeouts])
def test_settings_are_named_never_counted(kind: type[Config] | type[Limits] | type[Timeouts]) -> None:
    anything: Any = kind
    with pytest.raises(TypeError):
        anything(1)


FIRST, SECOND = RunLength(), RunLength()


@pytest.mark.parametrize(
    ("compression", "extensions"),
    [(None, ()), (FIRST, (FIRST,)), ((), ()), ((FIRST,), (FIRST,)), ((SECOND, FIRST), (SECOND, FIRST))],
)
def test_ways_to_compress_are_one_several_or_none(
    compression: Any, extensions: tuple[RunLength, ...]
) -> None:
    assert Config(compression=compression).extensions == extensions


@pytest.mark.parametrize(
    "compression",
    [True, False, "deflate", b"", 15, RunLength, [FIRST], {FIRST}, (None,), (FIRST, "x"), ((FIRST,),)],
)
def test_what_is_no_way_to_compress_is_refused_at_once(compression: Any) -> None:
    with pytest.raises(TypeError, match="compression must be"):
        Config(compression=compression)


@pytest.mark.parametrize("size", [None, 1, 1024, 2**40])
def test_frames_have_any_size_that_holds_something(size: int | None) -> None:
    assert Config(fragment_size=size).fragment_size == size


@pytest.mark.parametrize("size", [0, -1, 1.0, True, False, "1024", b"1", float("inf")])
def test_other_sizes_of_frames_are_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="fragment_size must be a positive number"):
        Config(fragment_size=size)


class Lowest(IntEnum):
    """Begins where the private codes begin."""

    CODE = 3000


class Highest(IntEnum):
    """Ends where they end."""

    ONE = 4000
    CODE = 4999


@pytest.mark.parametrize("codes", [None, Lowest, Highest])
def test_names_are_for_private_codes(codes: type[IntEnum] | None) -> None:
    assert Config(close_codes=codes).close_codes is codes


@pytest.mark.parametrize("code", [0, 1000, 1001, 1015, 2999, 5000, 65_535, -1])
def test_codes_that_are_not_private_get_no_names(code: int) -> None:
    # RFC 6455 section 7.4.2: the others have their meaning, or none yet.
    codes: Any = IntEnum("codes", {"GOOD": 4000, "BAD": code})
    with pytest.raises(ValueError, match="3000 to 4999"):
        Config(close_codes=codes)


class Words(StrEnum):
    """An enumeration of something else."""

    CODE = "4000"


@pytest.mark.parametrize("codes", [Words, Lowest.CODE, 4000, [4000], {"CODE": 4000}, int, "Lowest", ()])
def test_names_of_codes_are_an_enumeration_of_numbers(codes: Any) -> None:
    with pytest.raises(TypeError, match="subclass of IntEnum"):
        Config(close_codes=codes)
