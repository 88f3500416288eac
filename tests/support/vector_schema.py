"""The format of the test vectors as a JSON Schema (draft 2020-12), made from this core's own tables.

tests/vectors/README.md says what the keys mean; the schema says which there are, and refuses all others, so
that a file can be checked in any language before a runner is written. Names that live in the core (states,
violations, timers, settings) are taken from it, so that the schema cannot fall behind.
"""

from dataclasses import fields
from typing import Any, Final

from wscore import Limits, State, Timeouts, Timer, TransportAction, Violation

ERRORS: Final = ("LocalProtocolError", "WriteBufferFull", "ConnectionClosed", "InvalidURL")
_NEVER_ENDS: Final = "KEEPALIVE"  # pings; the PONG timer ends the connection

Schema = dict[str, Any]

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_CODE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 65535}
_SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
_KEY: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{8}$"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, **more: Any) -> Schema:
    """An object with these keys and no others."""
    closed: Schema = {"type": "object", "additionalProperties": False}
    if required:
        closed["required"] = list(required)
    return {**closed, "properties": {**required, **(optional or {})}, **more}


def _one_key(choices: dict[str, Schema]) -> Schema:
    return _object({}, choices, minProperties=1, maxProperties=1)


def _exclude(*names: str) -> Schema:
    """No two of these keys stand together."""
    pairs = [(one, other) for index, one in enumerate(names) for other in names[index + 1 :]]
    return {"not": {"anyOf": [{"required": list(pair)} for pair in pairs]}}


def schema() -> Schema:
    """Return the schema of a file of vectors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A file of WebSocket test vectors",
        "description": "README.md, in the same folder, says what everything means.",
        **_object({"about": _NAME, "vectors": _array(_ref("vector"), minItems=1)}),
        "$defs": {
            **_specs(),
            "vector": _vector(),
            "config": _config(),
            "step": _step(),
            "command": _commands(),
            "event": _events(),
        },
    }


def _specs() -> dict[str, Schema]:
    """Bytes, texts, heads and compressed messages."""
    line = {"type": "string", "pattern": "^[^\\n]*$"}
    plain = [
        {"type": "string", "pattern": "^ *([0-9a-f]{2} *)*$"},
        _object({"text": _ref("text")}),
        _object({"lines": _array(line, minItems=1)}),
        _object({"repeat": _ref("bytes"), "count": _COUNT}),
        _object({"masked": _ref("bytes"), "key": _KEY}),
    ]
    head = _object({"head": _array(line, minItems=1)})
    element = {"anyOf": [_ref("bytes"), head, _ref("compressed")]}
    return {
        "text": {
            "anyOf": [
                {"type": "string"},
                _object({"repeat": _ref("text"), "count": _COUNT}),
                _array(_ref("text")),
            ]
        },
        "bytes": {"anyOf": [*plain, _array(_ref("bytes"))]},
        "compressed": _compressed(),
        "sends": {"anyOf": [element, _array(element)]},
        "headers": _array(
            {"type": "array", "prefixItems": [_NAME, {"type": "string"}], "items": False, "minItems": 2}
        ),
        "status": _object({"code": _CODE, "reason": {"type": "string"}}),
    }


def _compressed() -> Schema:
    opcode = {"enum": ["TEXT", "BINARY"]}
    required = {"compressed": _ref("bytes"), "opcode": opcode, "takeover": _FLAG}
    optional = {
        "frames": {"type": "integer", "minimum": 1},
        "key": _KEY,
        "first": _FLAG,
        "final": _FLAG,
        "at_most": _COUNT,
        "window_bits": {"type": "integer", "minimum": 9, "maximum": 15},
    }
    return _object(required, optional)


def _vector() -> Schema:
    required = {
        "name": _NAME,
        "rfc": {"type": "string", "pattern": "^RFC [0-9]+ [0-9]+(\\.[0-9]+)*$"},
        "role": {"enum": ["CLIENT", "SERVER"]},
        "steps": _array(_ref("step"), minItems=1),
    }
    optional = {
        "note": _NAME,
        "config": _ref("config"),
        "half_close": _FLAG,
        "entropy": {"type": "string", "pattern": "^([0-9a-f]{2})+$"},
        "after_handshake": _FLAG,
        "established": _object(
            {}, {"subprotocol": _or_null(_NAME), "extensions": {"type": "string", "pattern": "^[ -~]*$"}}
        ),
    }
    return _object(required, optional, **_exclude("after_handshake", "established"))


def _config() -> Schema:
    limits = {field.name: _setting(field.name) for field in fields(Limits)}
    timeouts = {field.name: _or_null({"type": "number", "minimum": 0.001}) for field in fields(Timeouts)}
    origins = {"anyOf": [{"enum": ["same-origin", "any-origin"]}, _array({"type": "string"})]}
    settings = {
        "limits": _object({}, limits),
        "timeouts": _object({}, timeouts),
        "origins": origins,
        "compression": _or_null(_compression()),
        "stream": _FLAG,
        "fragment_size": _or_null({"type": "integer", "minimum": 1}),
        "control_events": _FLAG,
        "agent": _or_null({"type": "string", "pattern": "^[!-~]([ -~]{0,198}[!-~])?$"}),
    }
    return _object({}, settings)


def _setting(name: str) -> Schema:
    """A limit; null where it can be turned off, which the class itself knows."""
    off: dict[str, Any] = {name: None}
    try:
        Limits(**off)
    except ValueError:
        return _COUNT
    return _or_null(_COUNT)


def _compression() -> Schema:
    bits = {"type": "integer", "minimum": 9, "maximum": 15}
    settings = {
        "server_max_window_bits": bits,
        "client_max_window_bits": bits,
        "server_no_context_takeover": _FLAG,
        "client_no_context_takeover": _FLAG,
        "level": _or_null({"type": "integer", "minimum": 0, "maximum": 9}),
        "memory_level": {"type": "integer", "minimum": 1, "maximum": 9},
        "threshold": _COUNT,
        "fallback": _FLAG,
    }
    return _object({}, settings)


def _step() -> Schema:
    keys = {
        "note": _NAME,
        "at": _SECONDS,
        "receive": _ref("bytes"),
        "eof": {"const": True},
        "handle": {"enum": ["deadline", "progress"]},
        "command": _ref("command"),
        "raises": {"enum": list(ERRORS)},
        "take": _COUNT,
        "blocked": _FLAG,
        "events": _array(_ref("event")),
        "sends": _ref("sends"),
        "state": {"enum": [state.name for state in State]},
        "action": {"enum": [action.name for action in TransportAction]},
        "deadline": _or_null(_SECONDS),
        "wants_read": _FLAG,
        "writable": _FLAG,
        "buffered": _COUNT,
        "latency": _or_null(_SECONDS),
    }
    inputs = _exclude("receive", "eof", "handle", "command")
    return _object({}, keys, **inputs, dependentRequired={"raises": ["command"]})


def _text_or_data(more: dict[str, Schema], optional: dict[str, Schema], data: str) -> Schema:
    """Either a text, or bytes under the name data."""
    either = [
        _object({"text": _ref("text"), **more}, optional),
        _object({data: _ref("bytes"), **more}, optional),
    ]
    return {"oneOf": either}


def _commands() -> Schema:
    compress = {"compress": _or_null(_FLAG)}
    subprotocols = _array({"type": "string"})
    bare = _object({})
    close = {"code": {"type": "integer"}, "reason": _ref("text"), "discard": _FLAG}
    request = {"headers": _ref("headers"), "subprotocols": subprotocols}
    answer = {"headers": _ref("headers"), "body": _ref("bytes")}
    return _one_key(
        {
            "send_request": _object({"url": {"type": "string"}}, request),
            "accept": _object({}, {"subprotocol": _or_null({"type": "string"}), "headers": _ref("headers")}),
            "respond": _object({"status": {"type": "integer"}}, answer),
            "send_text": _object({"text": _ref("text")}, compress),
            "send_bytes": _object({"data": _ref("bytes")}, compress),
            "send_fragment": _text_or_data({"final": _FLAG}, compress, "data"),
            "send_prepared": _text_or_data({}, compress, "data"),
            "send_ping": _object({}, {"payload": _or_null(_ref("bytes"))}),
            "send_pong": _object({}, {"payload": _ref("bytes")}),
            "close": _object({}, close),
            "suspend": bare,
            "resume": bare,
        }
    )


def _events() -> Schema:
    text = {"type": "string"}
    status = {"status": _CODE, "reason": text, "headers": _ref("headers"), "body": _ref("bytes")}
    request = {
        "target": text,
        "upgrade": _FLAG,
        "subprotocols": _array(text),
        "headers": _ref("headers"),
    }
    return _one_key(
        {
            "text": _ref("text"),
            "bytes": _ref("bytes"),
            "fragment": _text_or_data({"final": _FLAG}, {}, "bytes"),
            "ping": _ref("bytes"),
            "pong": _ref("bytes"),
            "request": _object({}, request),
            "opened": _object(
                {}, {"subprotocol": _or_null(text), "extensions": text, "headers": _ref("headers")}
            ),
            "refused": _object({}, status),
            "close": _ref("status"),
            "closed": _closed(),
        }
    )


def _closed() -> Schema:
    optional = {
        "reason": {"type": "string"},
        "clean": _FLAG,
        "received": _or_null(_ref("status")),
        "sent": _or_null(_ref("status")),
        "initiator": {"enum": ["LOCAL", "REMOTE", None]},
        "violation": {"enum": [*(violation.name for violation in Violation), None]},
        "timer": {"enum": [*(timer.name for timer in Timer if timer.name != _NEVER_ENDS), None]},
        "dropped": _COUNT,
    }
    return _object({"code": _CODE}, optional)
