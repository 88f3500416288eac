"""The JSON Schema of the test vectors: every file satisfies it, and a broken one does not.

Ports begin with this schema, so it must refuse what no runner would compare: a misspelt key, a state that
there is not, an argument of the wrong kind.
"""

import copy
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import wscore
from support.vector_keys import KNOWN, UnknownKey, check_file
from support.vector_schema import ERRORS, schema
from support.vectors import FOLDER
from wscore import Deflate, State, Timer, TransportAction, Violation, WSCoreError

VALIDATOR = import_module("jsonschema").Draft202012Validator
CHECK: Any = VALIDATOR(schema())
FILES = sorted(path for path in FOLDER.glob("*.json") if path.name != "schema.json")


def test_the_schema_is_a_schema() -> None:
    VALIDATOR.check_schema(schema())


def test_the_schema_in_the_folder_is_the_one_that_the_core_makes() -> None:
    assert json.loads((FOLDER / "schema.json").read_text(encoding="utf-8")) == schema()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_satisfies_the_schema(path: Path) -> None:
    errors = list(CHECK.iter_errors(json.loads(path.read_text(encoding="utf-8"))))
    assert not errors, [(list(error.absolute_path), error.message[:200]) for error in errors[:3]]


# The schema is strict.


def objects(node: Any) -> list[dict[str, Any]]:
    """Return all parts of a schema that describe an object."""
    if isinstance(node, list):
        return [found for item in node for found in objects(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if "properties" in node else []
    return own + [found for item in node.values() for found in objects(item)]


def test_no_object_may_have_a_key_that_is_not_listed() -> None:
    assert len(objects(schema())) > 30
    assert all(found["additionalProperties"] is False for found in objects(schema()))


def test_the_schema_and_the_runner_know_the_same_keys() -> None:
    listed = {name for found in objects(schema()) for name in found["properties"]}
    specs = {"text", "lines", "repeat", "count", "masked", "key", "head"}
    settings = {*wscore.Limits.__slots__, *wscore.Timeouts.__slots__}
    assert listed == {name for group in KNOWN for name in group} | specs | settings


def test_the_settings_of_compression_are_those_of_deflate() -> None:
    [choices] = [choice["anyOf"][0] for choice in [schema()["$defs"]["config"]["properties"]["compression"]]]
    assert set(choices["properties"]) == {name for name in Deflate.__slots__ if name != "zlib"}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_that_a_command_may_raise_is_one_of_the_core(name: str) -> None:
    assert issubclass(getattr(wscore, name), WSCoreError)


def test_every_name_of_the_core_is_allowed() -> None:
    step = schema()["$defs"]["step"]["properties"]
    closed = schema()["$defs"]["event"]["properties"]["closed"]["properties"]
    assert step["state"]["enum"] == [state.name for state in State]
    assert step["action"]["enum"] == [action.name for action in TransportAction]
    assert closed["violation"]["enum"] == [*(rule.name for rule in Violation), None]
    assert closed["timer"]["enum"] == [*(timer.name for timer in Timer if timer is not Timer.KEEPALIVE), None]


# A file that is broken is refused.

GOOD: dict[str, Any] = {
    "name": "a sample",
    "rfc": "RFC 6455 5.4",
    "note": "It says everything once.",
    "role": "CLIENT",
    "config": {
        "limits": {"max_text_size": 10, "max_binary_size": None},
        "timeouts": {"idle": 2.5},
        "origins": ["https://example.com"],
        "compression": {"server_max_window_bits": 9, "level": None, "fallback": False},
        "stream": True,
        "fragment_size": 100,
        "agent": None,
    },
    "entropy": "37fa213d",
    "established": {"subprotocol": None, "extensions": "permessage-deflate"},
    "steps": [
        {
            "at": 0.5,
            "receive": ["81 05", {"text": "Hello"}],
            "events": [{"fragment": {"text": "a", "final": True}}],
        },
        {
            "command": {
                "send_fragment": {"data": {"repeat": "00", "count": 3}, "final": False, "compress": None}
            }
        },
        {"command": {"send_prepared": {"text": ["a", "b"]}}, "raises": "WriteBufferFull"},
        {"command": {"suspend": {}}, "take": 0, "blocked": True, "wants_read": False, "buffered": 3},
        {
            "eof": True,
            "sends": [
                "88 00",
                {"compressed": {"text": "a"}, "opcode": "TEXT", "takeover": True, "key": "37fa213d"},
            ],
            "events": [{"closed": {"code": 1006, "violation": "CLOSE_CODE", "timer": None}}],
            "state": "CLOSED",
            "action": "CLOSE",
            "deadline": None,
        },
    ],
}
# Where, and what then stands there; ... removes it.
BROKEN: list[tuple[str, Any]] = [
    ("name", ...),
    ("name", ""),
    ("rfc", "6455"),
    ("role", "client"),
    ("steps", []),
    ("vectors", []),
    ("after_handshake", True),
    ("half_close", "yes"),
    ("entropy", "37f"),
    ("entropy", "37FA213D"),
    ("established extension", ""),
    ("config limit", {}),
    ("config limits max_size", 1),
    ("config limits max_line", None),
    ("config limits max_text_size", -1),
    ("config timeouts idle", 0),
    ("config compression zlib", "zlib"),
    ("config compression server_max_window_bits", 8),
    ("config compression level", 10),
    ("config fragment_size", 0),
    ("config origins", "all"),
    ("steps 0 at", -1),
    ("steps 0 recieve", ""),
    ("steps 0 receive", "810"),
    ("steps 0 receive", {"txt": "a"}),
    ("steps 0 receive", {"head": ["GET / HTTP/1.1"]}),
    ("steps 0 eof", True),
    ("steps 0 raises", "LocalProtocolError"),
    ("steps 0 events 0 fragment final", ...),
    ("steps 0 events 0 fragment bytes", "00"),
    ("steps 0 events 0 message", "a"),
    ("steps 1 command send_fragment final", ...),
    ("steps 1 command send_fragment text", "a"),
    ("steps 1 command send_fragment compress", "yes"),
    ("steps 1 command send_text", {"text": "a"}),
    ("steps 2 raises", "ValueError"),
    ("steps 2 raises", "WSCoreError"),
    ("steps 3 command suspend", None),
    ("steps 3 take", -1),
    ("steps 3 handle", "timeout"),
    ("steps 4 eof", False),
    ("steps 4 state", "CLOSING"),
    ("steps 4 action", "SHUTDOWN"),
    ("steps 4 deadline", "never"),
    ("steps 4 sends 1 opcode", "PING"),
    ("steps 4 sends 1 takeover", ...),
    ("steps 4 sends 1 window_bits", 8),
    ("steps 4 sends 1 key", "37fa"),
    ("steps 4 events 0 closed code", ...),
    ("steps 4 events 0 closed violation", "BAD_CODE"),
    ("steps 4 events 0 closed timer", "KEEPALIVE"),
    ("steps 4 events 0 closed sent", 1000),
]


def broken(place: str, value: Any) -> dict[str, Any]:
    """Return a file whose only vector was changed at one place."""
    file: dict[str, Any] = {"about": "A file.", "vectors": [copy.deepcopy(GOOD)]}
    *path, last = place.split()
    target: Any = file if last == "vectors" else file["vectors"][0]
    for key in path:
        target = target[int(key) if isinstance(target, list) else key]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return file


def test_a_good_file_satisfies_the_schema_and_the_runner() -> None:
    file = {"about": "A file.", "vectors": [GOOD]}
    CHECK.validate(file)
    check_file(file)


@pytest.mark.parametrize(("place", "value"), BROKEN, ids=str)
def test_a_broken_file_does_not_satisfy_the_schema(place: str, value: Any) -> None:
    assert not CHECK.is_valid(broken(place, value))


RUNNER: list[tuple[str, Any]] = [
    ("after_handshake", True),
    ("established extension", ""),
    ("config compression zlib", "zlib"),
    ("steps 0 events 0 fragment final", ...),
    ("steps 0 events 0 fragment bytes", "00"),
    ("steps 4 sends 1 takeover", ...),
]


@pytest.mark.parametrize(("place", "value"), RUNNER, ids=str)
def test_the_runner_refuses_what_nobody_would_compare(place: str, value: Any) -> None:
    with pytest.raises(UnknownKey):
        check_file(broken(place, value))
