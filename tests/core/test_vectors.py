"""The test vectors, played against this core; and the promise that they are complete.

Each vector is played whole, byte by byte and cut at random places, and must give the same events and bytes.
Every rule that a peer can break has a vector that breaks it, and every timer one that lets it fire.
"""

import copy
import json
import re
from dataclasses import fields
from functools import cache
from typing import Any

import pytest

from support.vector_events import describe
from support.vector_keys import KNOWN, UnknownKey, check_file
from support.vector_messages import same_bytes
from support.vector_specs import characters, octets
from support.vectors import (
    CUTTINGS,
    FOLDER,
    REQUEST,
    RESPONSE,
    WHOLE,
    Outcome,
    Player,
    Vector,
    differences,
    load_all,
)
from wscore import Closed, Limits, Timeouts, Timer, Violation

VECTORS = load_all()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.id)
def test_a_vector_comes_true_wherever_its_bytes_are_cut(vector: Vector) -> None:
    whole = Player(vector, WHOLE).play()
    for cutting in CUTTINGS:
        outcomes = Player(vector, cutting).play()
        assert differences(vector, outcomes) == [], f"cutting {cutting}"
        # Fields of a head may come in any order, but not now in this one and now in that.
        assert [outcome.sent for outcome in outcomes] == [outcome.sent for outcome in whole]
        assert [outcome.events for outcome in outcomes] == [outcome.events for outcome in whole]


# The vectors are complete.


@cache
def endings() -> list[Closed]:
    """Return how the connections of all vectors really ended."""
    events = (
        event for vector in VECTORS for outcome in Player(vector, WHOLE).play() for event in outcome.events
    )
    return [event for event in events if isinstance(event, Closed)]


@pytest.mark.parametrize("violation", list(Violation), ids=lambda violation: violation.name)
def test_every_rule_that_a_peer_can_break_is_broken(violation: Violation) -> None:
    assert violation in {closed.violation for closed in endings()}


@pytest.mark.parametrize(
    "timer", [timer for timer in Timer if timer is not Timer.KEEPALIVE], ids=lambda timer: timer.name
)
def test_every_timer_that_ends_a_connection_ends_one(timer: Timer) -> None:
    assert timer in {closed.timer for closed in endings()}


def test_the_timer_that_pings_pings() -> None:
    def pings(step: dict[str, Any], outcome: Outcome) -> bool:
        return step.get("handle") == "deadline" and outcome.sent[:1] == b"\x89"

    assert any(
        pings(step, outcome)
        for vector in VECTORS
        for step, outcome in zip(vector.data["steps"], Player(vector, WHOLE).play(), strict=True)
    )


@pytest.mark.parametrize("role", ["CLIENT", "SERVER"])
def test_every_event_comes_out_of_each_role_that_has_it(role: str) -> None:
    kinds = {"text", "bytes", "fragment", "ping", "pong", "opened", "close", "closed"}
    kinds.add("refused" if role == "CLIENT" else "request")
    seen = {
        kind
        for vector in VECTORS
        if vector.data["role"] == role
        for outcome in Player(vector, WHOLE).play()
        for event in outcome.events
        for kind in describe(event)
    }
    assert seen == kinds


def test_no_two_vectors_have_one_name() -> None:
    names = [vector.id for vector in VECTORS]
    assert len(set(names)) == len(names)


# What the README says.


def readme() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_handshake_that_a_runner_does_stands_in_the_readme() -> None:
    blocks = re.findall(r"```http\n(.*?)```", readme(), re.DOTALL)
    assert [block.replace("\n", "\r\n").encode() for block in blocks] == [REQUEST, RESPONSE]


@pytest.mark.parametrize("defaults", [Limits(), Timeouts()], ids=["limits", "timeouts"])
def test_every_default_stands_in_the_readme(defaults: Limits | Timeouts) -> None:
    rows = dict(re.findall(r"\| `(\w+)` \| (\w+)", readme()))
    for setting in fields(defaults):
        assert json.loads(rows[setting.name]) == getattr(defaults, setting.name), setting.name


def test_every_name_of_the_format_stands_in_the_readme() -> None:
    words = set(re.findall(r"\w+", readme()))
    assert {name for group in KNOWN for name in group} <= words


# A runner that sees nothing would find no difference: so it is shown some.

SAMPLE: dict[str, Any] = {
    "name": "a sample",
    "rfc": "RFC 6455 7.1.2",
    "role": "SERVER",
    "config": {"control_events": True},
    "after_handshake": True,
    "steps": [
        {"at": 0, "receive": "81 81 00000000 61", "events": [{"text": "a"}], "deadline": 20},
        {"receive": "89 81 00000000 62", "events": [{"ping": "62"}], "sends": "8a 01 62", "writable": True},
        {"command": {"close": {"code": 0}}, "raises": "LocalProtocolError"},
        {
            "at": 1,
            "receive": "88 82 00000000 03e8",
            "events": [
                {"close": {"code": 1000, "reason": ""}},
                {
                    "closed": {
                        "code": 1000,
                        "clean": True,
                        "received": {"code": 1000, "reason": ""},
                        "sent": {"code": 1000, "reason": ""},
                        "initiator": "REMOTE",
                    }
                },
            ],
            "sends": ["88 02", "03e8"],
            "state": "DRAINING",
            "action": "SHUTDOWN_WRITE",
            "deadline": 11,
            "buffered": 0,
        },
        {"eof": True, "state": "CLOSED", "action": "CLOSE", "deadline": None, "wants_read": False},
    ],
}
WRONG: list[tuple[int, str, Any]] = [
    (0, "events", []),
    (0, "events", [{"text": "b"}]),
    (0, "events", [{"bytes": "61"}]),
    (0, "events", [{"text": "a"}, {"text": "a"}]),
    (0, "deadline", 21),
    (0, "state", "LOCAL_CLOSING"),
    (0, "take", 0),
    (1, "sends", ""),
    (1, "sends", "8a 01 63"),
    (1, "sends", "8a 01"),
    (1, "sends", "8a 01 62 00"),
    (1, "sends", [{"head": ["HTTP/1.1 101 x"]}]),
    (1, "events", [{"ping": "63"}]),
    (1, "writable", False),
    (2, "raises", "WriteBufferFull"),
    (2, "command", {"close": {"code": 1000}}),
    (3, "events", [{"close": {"code": 1001, "reason": ""}}, SAMPLE["steps"][3]["events"][1]]),
    (3, "events", [SAMPLE["steps"][3]["events"][0], {"closed": {"code": 1000}}]),
    (3, "action", "CLOSE"),
    (3, "buffered", 4),
    (3, "blocked", True),
    (4, "deadline", 11),
    (4, "wants_read", True),
]


def played(data: dict[str, Any]) -> list[str]:
    """Check a vector's keys, play it, and return the differences."""
    check_file({"about": "", "vectors": [data]})
    vector = Vector("test", data)
    return differences(vector, Player(vector, WHOLE).play())


def test_a_true_vector_has_no_differences() -> None:
    assert played(SAMPLE) == []


@pytest.mark.parametrize(("step", "key", "value"), WRONG, ids=str)
def test_a_wrong_expectation_is_seen(step: int, key: str, value: Any) -> None:
    data = copy.deepcopy(SAMPLE)
    data["steps"][step][key] = value
    assert played(data)[0].startswith(f"step {step}: ")


def test_a_level_that_a_refused_command_has_changed_is_seen() -> None:
    vector = Vector("test", SAMPLE)
    outcomes = Player(vector, WHOLE).play()
    outcomes[2].changed.append("state")
    assert len(differences(vector, outcomes)) == 1


MISTAKES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"rolle": "SERVER"}, {}),
    ({"config": {"limit": {}}}, {}),
    ({"rfc": ...}, {}),
    ({}, {"recieve": ""}),
    ({}, {"receive": "", "eof": True}),
    ({}, {"eof": False}),
    ({}, {"handle": "timeout"}),
    ({}, {"receive": "", "raises": "LocalProtocolError"}),
    ({}, {"command": {"send": {}}}),
    ({}, {"command": {"send_text": {"message": ""}}}),
    ({}, {"events": [{"message": ""}]}),
    ({}, {"events": [{"text": "", "bytes": ""}]}),
    ({}, {"events": [{"close": {"code": 1000}}]}),
    ({}, {"events": [{"closed": {}}]}),
    ({}, {"events": [{"closed": {"code": 1006, "sent": 1000}}]}),
    ({}, {"events": [{"opened": {"protocol": None}}]}),
]


@pytest.mark.parametrize(("vector", "step"), MISTAKES, ids=str)
def test_an_unknown_or_missing_key_is_an_error(vector: dict[str, Any], step: dict[str, Any]) -> None:
    data = {**SAMPLE, **vector, "steps": [step]}
    data = {key: value for key, value in data.items() if value is not ...}
    with pytest.raises(UnknownKey):
        check_file({"about": "", "vectors": [data]})


# Specs.


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", b""),
        ("81 05 48656c6c6f", b"\x81\x05Hello"),
        ({"text": "h\xe9"}, b"h\xc3\xa9"),
        ({"lines": ["a", ""]}, b"a\r\n\r\n"),
        ({"repeat": "0102", "count": 3}, b"\1\2\1\2\1\2"),
        ({"repeat": [{"text": "a"}, "00"], "count": 2}, b"a\0a\0"),
        ({"masked": {"text": "Hello"}, "key": "37fa213d"}, bytes.fromhex("7f9f4d5158")),  # RFC 6455 5.7
        (["8a", {"text": "x"}, []], b"\x8ax"),
    ],
    ids=repr,
)
def test_a_spec_becomes_bytes(spec: Any, expected: bytes) -> None:
    assert octets(spec) == expected


def test_a_text_spec_becomes_text() -> None:
    assert characters(["a", {"repeat": ["\u20ac", "b"], "count": 2}]) == "a\u20acb\u20acb"


@pytest.mark.parametrize("spec", [7, None, {"hex": "00"}, {"repeat": "00"}, "8"], ids=repr)
def test_what_is_no_bytes_spec_is_an_error(spec: Any) -> None:
    with pytest.raises(ValueError, match=r"not a bytes spec|fromhex"):
        octets(spec)


@pytest.mark.parametrize("spec", [7, None, {"text": "a"}, {"repeat": "a"}], ids=repr)
def test_what_is_no_text_spec_is_an_error(spec: Any) -> None:
    with pytest.raises(ValueError, match="not a text spec"):
        characters(spec)


HEAD = {"head": ["HTTP/1.1 101 Fine", "A: 1", "B: 2", "B: 3"]}


@pytest.mark.parametrize(
    ("spec", "sent", "same"),
    [
        (HEAD, b"HTTP/1.1 101 Other\r\nb: 2\r\na: 1\r\nB: 3\r\n\r\n", True),
        ([HEAD, "00"], b"HTTP/1.1 101 Other\r\nb: 2\r\na: 1\r\nB: 3\r\n\r\n\0", True),
        ([HEAD, "00"], b"HTTP/1.1 101 Other\r\nb: 2\r\na: 1\r\nB: 3\r\n\r\n", False),
        (HEAD, b"HTTP/1.1 101 Other\r\nb: 3\r\na: 1\r\nB: 2\r\n\r\n", False),
        (HEAD, b"HTTP/1.1 101 Other\r\na: 1\r\nB: 2\r\n\r\n", False),
        (HEAD, b"HTTP/1.1 101 Fine\r\nA: 1\r\nB: 2\r\nB: 3\r\nC: 4\r\n\r\n", False),
        (HEAD, b"HTTP/1.1 200 Fine\r\nA: 1\r\nB: 2\r\nB: 3\r\n\r\n", False),
        (HEAD, b"HTTP/1.1 101 Fine\r\nA: 1\r\nB: 2\r\nB: 3\r\n", False),
        ({"head": ["GET / HTTP/1.1"]}, b"GET /a HTTP/1.1\r\n\r\n", False),
    ],
)
def test_heads_are_compared_as_http_compares_them(spec: Any, sent: bytes, same: bool) -> None:
    assert same_bytes(spec, sent) is same
