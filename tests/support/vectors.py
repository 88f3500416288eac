"""Reads the test vectors of tests/vectors and plays them against this core.

tests/vectors/README.md defines the format; this is what a runner looks like, so that a port can be given
one in a day or two. It has five parts: *specs* become bytes (`vector_specs`), *events* become plain
values that can stand in JSON (`vector_events`), compressed *messages* are inflated (`vector_messages`); and
here *players* carry out the steps, and `differences` says where what came out is not what is expected.

A vector never says how bytes are cut on their way: the player cuts the bytes of every ``receive`` in the way
it is told and takes the outputs once, when the last piece is in.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from support.vector_events import add_event, describe, same_event
from support.vector_keys import check_file
from support.vector_messages import Inflation, same_bytes
from support.vector_specs import characters, octets
from wscore import (
    Config,
    Connection,
    Deflate,
    Event,
    Limits,
    PreparedMessage,
    Role,
    Timeouts,
    WSCoreError,
)
from wscore.testing import cuttings, drain, repeatable_entropy

FOLDER: Final = Path(__file__).parents[1] / "vectors"

WHOLE: Final = 0
BYTE_BY_BYTE: Final = 1
CUTTINGS: Final = (WHOLE, BYTE_BY_BYTE, 2, 3, 4)  # from 2 on: at random places

_ENTROPY: Final = "37fa213d"
_NONCE: Final = b"the sample nonce"
_URL: Final = "ws://server.example.com/chat"
REQUEST: Final = (
    b"GET /chat HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
RESPONSE: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector, as it stands in its file."""

    file: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """Its place and name, for the list of tests."""
        return f"{self.file}: {self.data['name']}"


def load(path: Path) -> list[Vector]:
    """Read one file of vectors; a key that the format does not know is an error."""
    content = json.loads(path.read_text(encoding="utf-8"))
    check_file(content)
    return [Vector(path.stem, vector) for vector in content["vectors"]]


def load_all() -> list[Vector]:
    """Read every file of vectors."""
    paths = sorted(path for path in FOLDER.glob("*.json") if path.name != "schema.json")
    return [vector for path in paths for vector in load(path)]


# Players.


@dataclass(slots=True)
class Outcome:
    """What came out of one step.

    Attributes:
        events, sent: taken at the end of the step.
        raised: the name of the error that refused the command, or None.
        changed: the levels that a refused command has changed, which must be none.
        levels: at the end of the step, by their key.
    """

    events: list[Event] = field(default_factory=list)
    sent: bytes = b""
    raised: str | None = None
    changed: list[str] = field(default_factory=list)
    levels: dict[str, Any] = field(default_factory=dict)


class Player:
    """Carries out the steps of one vector.

    Args:
        vector: which.
        cutting: how to cut received bytes: one of CUTTINGS.
    """

    def __init__(self, vector: Vector, cutting: int) -> None:
        data = vector.data
        self._data = data
        self._seed = sum(vector.id.encode())
        self._cutting = cutting
        self._held = False  # bytes given out are in our hands
        self.now = 0.0
        self.core = _make_core(data)

    def play(self) -> list[Outcome]:
        """Play every step; return what came out of each."""
        return list(self.steps())

    def steps(self) -> Iterator[Outcome]:
        """Play step by step."""
        if self._data.get("after_handshake", False):
            _shake_hands(self.core)
        if "established" in self._data:
            _check_established(self.core, self._data["established"])
        for step in self._data["steps"]:
            yield self._step(step)

    def _step(self, step: dict[str, Any]) -> Outcome:
        self.now = step.get("at", self.now)
        outcome = Outcome()
        self._input(step, outcome)
        self._take(step, outcome)
        outcome.levels = levels(self.core)
        return outcome

    def _input(self, step: dict[str, Any], outcome: Outcome) -> None:
        """Give the step's one input, if it has one."""
        if "receive" in step:
            data = octets(step["receive"])
            for piece in list(cuttings(data, seed=self._seed))[self._cutting]:
                self.core.receive_data(piece, self.now)
        elif "eof" in step:
            self.core.receive_eof(self.now)
        elif step.get("handle") == "deadline":
            self.core.handle_deadline(self.now)
        elif step.get("handle") == "progress":
            self.core.handle_progress(self.now)
        elif "command" in step:
            before = levels(self.core)
            try:
                command(self.core, step["command"], self.now)
            except WSCoreError as error:
                outcome.raised = type(error).__name__
                after = levels(self.core)
                outcome.changed = [name for name in before if before[name] != after[name]]

    def _take(self, step: dict[str, Any], outcome: Outcome) -> None:
        """Take events, then bytes, and again until nothing comes."""
        left: int | None = step.get("take")
        blocked = step.get("blocked", False)
        if not blocked:
            self._held = False
        quiet = False
        while not quiet:
            quiet = True
            while left != 0 and (event := self.core.next_event()) is not None:
                add_event(outcome.events, event)
                left = None if left is None else left - 1
                quiet = False
            while not self._held and (pieces := self.core.data_to_send(self.now)):
                outcome.sent += b"".join(pieces)
                self._held = blocked
                quiet = False


def levels(core: Connection) -> dict[str, Any]:
    """Return every level of a connection under its key."""
    return {
        "state": core.state.name,
        "action": core.transport_action().name,
        "deadline": core.next_deadline(),
        "wants_read": core.wants_read,
        "writable": core.writable,
        "buffered": core.buffered_amount,
        "latency": core.latency,
    }


def _make_core(data: dict[str, Any]) -> Connection:
    """Make the core of a vector, at time 0."""
    role, config = Role[data["role"]], make_config(data.get("config", {}))
    half_close, entropy = data.get("half_close", True), _entropy(data)
    if "established" in data:
        return Connection.established(
            role, config, **data["established"], now=0.0, half_close=half_close, entropy=entropy
        )
    return Connection(role, config, now=0.0, half_close=half_close, entropy=entropy)


def make_config(settings: dict[str, Any]) -> Config:
    """Make a Config of the settings that differ from the defaults."""
    rest = dict(settings)
    limits, timeouts = Limits(**rest.pop("limits", {})), Timeouts(**rest.pop("timeouts", {}))
    if isinstance(rest.get("origins"), list):
        rest["origins"] = tuple(rest["origins"])
    if rest.get("compression") is not None:
        rest["compression"] = Deflate(**rest["compression"])
    return Config(limits=limits, timeouts=timeouts, **rest)


_TIMED: Final = ("send_request", "accept", "respond", "send_ping", "close")  # the commands that take the time


def command(core: Connection, order: dict[str, dict[str, Any]], now: float) -> None:
    """Carry out a command."""
    ((name, arguments),) = order.items()
    arguments = dict(arguments)
    for key in ("data", "payload", "body"):
        if arguments.get(key) is not None:
            arguments[key] = octets(arguments[key])
    for key in ("text", "reason"):
        if key in arguments:
            arguments[key] = characters(arguments[key])
    if name in _TIMED:
        arguments["now"] = now
    if name == "send_prepared":
        message = arguments["text"] if "text" in arguments else arguments["data"]
        core.send_prepared(PreparedMessage(message, compress=arguments.get("compress")))
        return
    if name == "send_fragment" and "text" in arguments:
        arguments["data"] = arguments.pop("text")
    first = {"send_request": "url", "respond": "status"}.get(name)
    positional = [arguments.pop(first)] if first else []
    getattr(core, name)(*positional, **arguments)


def _entropy(data: dict[str, Any]) -> Callable[[int], bytes]:
    """Return the vector's entropy; a handshake that the player does draws its nonce from elsewhere."""
    own = repeatable_entropy(bytes.fromhex(data.get("entropy", _ENTROPY)))
    nonce = [_NONCE] if data.get("after_handshake", False) and data["role"] == "CLIENT" else []
    return lambda size: nonce.pop() if nonce else own(size)


def _shake_hands(core: Connection) -> None:
    """Do the opening handshake that the README gives, at time 0, and drop what comes out."""
    if core.role is Role.CLIENT:
        core.send_request(_URL, now=0.0)
        drain(core, 0.0)
        core.receive_data(RESPONSE, 0.0)
    else:
        core.receive_data(REQUEST, 0.0)
        drain(core, 0.0)
        core.accept(now=0.0)
    drain(core, 0.0)


def _check_established(core: Connection, agreed: dict[str, Any]) -> None:
    """Take the one event of a core that was made open, and see that it says what was agreed on."""
    output = drain(core, 0.0)
    expected = {"subprotocol": None, "extensions": "", **agreed}
    [event] = output.events
    assert same_event({"opened": expected}, describe(event)) and output.sent == b"", output


# The comparison.


def differences(vector: Vector, outcomes: list[Outcome]) -> list[str]:
    """Say where outcomes are not what the vector expects; [] when they are."""
    found: list[str] = []
    expected: dict[str, Any] = {"state": "CONNECTING", "action": "KEEP"}
    if vector.data.get("after_handshake", False) or "established" in vector.data:
        expected["state"] = "OPEN"
    inflation = Inflation()
    for number, (step, outcome) in enumerate(zip(vector.data["steps"], outcomes, strict=True)):
        for name in ("state", "action"):  # they stay until a step says otherwise
            expected[name] = step.get(name, expected[name])
        found += [
            f"step {number}: {line}" for line in _compare(step, {**step, **expected}, outcome, inflation)
        ]
    return found


def _compare(
    step: dict[str, Any], expected: dict[str, Any], outcome: Outcome, inflation: Inflation
) -> list[str]:
    """Compare one step."""
    found = [
        f"{name} is {value!r}, expected {expected[name]!r}"
        for name, value in outcome.levels.items()
        if name in expected and value != expected[name]
    ]
    if outcome.raised != step.get("raises") or outcome.changed:
        found.append(f"raised {outcome.raised}, expected {step.get('raises')}; changed: {outcome.changed}")
    if not same_bytes(step.get("sends", []), outcome.sent, inflation):
        found.append(f"sent {outcome.sent[:500]!r}, expected {step.get('sends', [])!r:.500}")
    events = [describe(event) for event in outcome.events]
    wanted = step.get("events", [])
    if len(events) != len(wanted) or not all(map(same_event, wanted, events)):
        found.append(f"events {events!r:.1500}, expected {wanted!r:.1500}")
    return found
