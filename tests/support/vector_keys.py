"""The keys of the vector format, and a check that a file uses no others.

A misspelt key would be an expectation that nobody compares; so everything that is not listed here is an
error, and so is a step with two inputs.
"""

from typing import Any, Final

_FILE: Final = {"about", "vectors"}
_VECTOR: Final = {
    "name",
    "rfc",
    "note",
    "role",
    "config",
    "half_close",
    "entropy",
    "after_handshake",
    "established",
    "steps",
}
_VECTOR_NEEDS: Final = {"name", "rfc", "role", "steps"}
_INPUTS: Final = {"receive", "eof", "handle", "command"}
_LEVELS: Final = {"state", "action", "deadline", "wants_read", "writable", "buffered", "latency"}
_STEP: Final = _INPUTS | _LEVELS | {"note", "at", "raises", "take", "blocked", "events", "sends"}
_CONFIG: Final = {
    "limits",
    "timeouts",
    "origins",
    "compression",
    "stream",
    "fragment_size",
    "control_events",
    "agent",
}
_COMPRESSION: Final = {
    "server_max_window_bits",
    "client_max_window_bits",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "level",
    "memory_level",
    "threshold",
    "fallback",
}
_ESTABLISHED: Final = {"subprotocol", "extensions"}
_COMPRESSED: Final = {
    "compressed",
    "opcode",
    "takeover",
    "frames",
    "key",
    "first",
    "final",
    "at_most",
    "window_bits",
}
_COMPRESSED_NEEDS: Final = {"compressed", "opcode", "takeover"}

_STATUS: Final = {"code", "reason"}
_RESPONSE: Final = {"status", "reason", "headers", "body"}
_EVENTS: Final[dict[str, set[str]]] = {
    "request": {"target", "upgrade", "subprotocols", "headers"},
    "opened": {"subprotocol", "extensions", "headers"},
    "fragment": {"text", "bytes", "final"},
    "refused": _RESPONSE,
    "close": _STATUS,
    "closed": _STATUS | {"clean", "received", "sent", "initiator", "violation", "timer", "dropped"},
}
_EVENT_NEEDS: Final[dict[str, set[str]]] = {"close": _STATUS, "closed": {"code"}, "fragment": {"final"}}
_PLAIN_EVENTS: Final = {"text", "bytes", "ping", "pong"}
_COMMANDS: Final[dict[str, set[str]]] = {
    "send_request": {"url", "headers", "subprotocols"},
    "accept": {"subprotocol", "headers"},
    "respond": {"status", "headers", "body"},
    "send_text": {"text", "compress"},
    "send_bytes": {"data", "compress"},
    "send_fragment": {"text", "data", "final", "compress"},
    "send_prepared": {"text", "data", "compress"},
    "send_ping": {"payload"},
    "send_pong": {"payload"},
    "close": {"code", "reason", "discard"},
    "suspend": set(),
    "resume": set(),
}


# All of them; each stands in the README.
_OBJECTS: Final = (_FILE, _VECTOR, _STEP, _CONFIG, _COMPRESSION, _ESTABLISHED, _COMPRESSED)
KNOWN: Final = (
    *_OBJECTS,
    _EVENTS.keys(),
    _PLAIN_EVENTS,
    _COMMANDS.keys(),
    *_EVENTS.values(),
    *_COMMANDS.values(),
)


class UnknownKey(ValueError):
    """A file of vectors is not in the format."""


def check_file(content: Any) -> None:
    """Raise unless content is a file of vectors.

    Raises:
        UnknownKey: with a sentence that says where.
    """
    _check(content, _FILE, _FILE, "the file")
    for vector in content["vectors"]:
        where = f"the vector {vector.get('name')!r}"
        _check(vector, _VECTOR, _VECTOR_NEEDS, where)
        if "established" in vector and vector.get("after_handshake", False):
            raise UnknownKey(f"{where} is opened in two ways")
        _check(vector.get("established", {}), _ESTABLISHED, set(), where)
        _check(vector.get("config", {}), _CONFIG, set(), where)
        _check(vector.get("config", {}).get("compression") or {}, _COMPRESSION, set(), where)
        for number, step in enumerate(vector["steps"]):
            _check_step(step, f"{where}, step {number}")


def _check_step(step: dict[str, Any], where: str) -> None:
    _check(step, _STEP, set(), where)
    if len(_INPUTS & step.keys()) > 1:
        raise UnknownKey(f"{where} has more than one input")
    if step.get("handle", "deadline") not in ("deadline", "progress") or step.get("eof", True) is not True:
        raise UnknownKey(f"{where} has an unknown input")
    if "raises" in step and "command" not in step:
        raise UnknownKey(f"{where} has no command that could be refused")
    for order, arguments in step.get("command", {}).items():
        _check({order: 0}, _COMMANDS.keys(), set(), where)
        _check(arguments, _COMMANDS[order], set(), f"{where}, {order}")
    for event in step.get("events", []):
        _check_event(event, where)
    sends = step.get("sends", "")
    for part in sends if isinstance(sends, list) else [sends]:
        if isinstance(part, dict) and "compressed" in part:
            _check(part, _COMPRESSED, _COMPRESSED_NEEDS, where)


def _check_event(event: dict[str, Any], where: str) -> None:
    if len(event) != 1:
        raise UnknownKey(f"{where}: an event has one key")
    ((kind, value),) = event.items()
    if kind in _PLAIN_EVENTS:
        return
    _check({kind: 0}, _EVENTS.keys(), set(), where)
    _check(value, _EVENTS[kind], _EVENT_NEEDS.get(kind, set()), f"{where}, {kind}")
    if kind == "fragment" and len(value) != 2:
        raise UnknownKey(f"{where}: a fragment is text or bytes, and final or not")
    for name in ("received", "sent"):
        if value.get(name) is not None:
            _check(value[name], _STATUS, _STATUS, f"{where}, {kind}.{name}")


def _check(keys: Any, known: Any, needed: set[str], where: str) -> None:
    """Check the keys of one object."""
    if not isinstance(keys, dict):
        raise UnknownKey(f"{where} is not an object")
    if unknown := sorted(keys.keys() - known):
        raise UnknownKey(f"{where} has unknown keys: {', '.join(unknown)}")
    if missing := sorted(needed - keys.keys()):
        raise UnknownKey(f"{where} lacks {', '.join(missing)}")
