"""A connection asks nothing of the system: no call leaves Python, none tells the time, none opens a thing."""

import ast
import gc
import os
import subprocess
import sys
from types import FrameType

import pytest

from support.build import COMPILED
from support.deflated import deflate, marked
from support.wire import REQUEST, RESPONSE, TEXT, connecting, from_peer
from wscore import Config, Connection, Deflate, Role, Timeouts
from wscore.testing import drain

# Where built-in functions may come from: arithmetic, containers, codecs, hashes, zlib, patterns.
HARMLESS = {
    *("", "builtins", "binascii", "_codecs", "_hashlib", "_sha1", "hashlib", "zlib", "re", "_sre", "sys"),
    *("_abc", "_collections", "_functools", "_operator", "_struct", "_weakref", "itertools", "math"),
}
OURS = {"wscore"} if COMPILED else set[str]()  # native functions of the core are built-in ones, too


def conversation(role: Role) -> None:
    """Let a little of everything happen: handshake, messages, compression, pings, timers, the end."""
    config = Config(
        compression=Deflate(), timeouts=Timeouts(keepalive=5.0, idle=50.0), control_events=True, stream=True
    )
    connection = connecting(role, config)
    if role is Role.CLIENT:
        answer = RESPONSE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        connection.receive_data(answer, 0.0)
    else:
        offer = REQUEST[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        connection.receive_data(offer, 0.0)
        drain(connection, 0.0)
        connection.accept(now=0.0)
    assert connection.extensions
    drain(connection, 0.0)
    connection.receive_data(from_peer(role, TEXT, b"hello") + marked(role, deflate(b"hello again")), 1.0)
    connection.send_text("x" * 5000)
    connection.send_fragment(b"part", False)
    connection.send_fragment(b"", True)
    connection.send_ping(now=1.0)
    drain(connection, 1.0)
    connection.handle_deadline(7.0)
    drain(connection, 7.0)
    connection.receive_data(b"\xff\xff", 8.0)
    drain(connection, 8.0)
    connection.receive_eof(9.0)
    drain(connection, 9.0)
    assert connection.closed is not None


def refused(role: Role) -> None:
    """Let a handshake fail on either side."""
    connection = connecting(role)
    connection.receive_data(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 0.0)
    drain(connection, 0.0)
    connection.handle_deadline(100.0)
    drain(connection, 100.0)


@pytest.mark.parametrize("role", list(Role))
def test_no_built_in_function_is_called_that_could_reach_the_system(role: Role) -> None:
    called: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            module = getattr(argument, "__module__", None) or ""
            called.add((module, getattr(argument, "__qualname__", repr(argument))))

    before = sys.getprofile()
    gc.disable()  # others may have callbacks there
    sys.setprofile(note)
    try:
        conversation(role)
        refused(role)
    finally:
        sys.setprofile(before)
        gc.enable()
    assert len(called) > 20
    assert {
        (module, name) for module, name in called if module.partition(".")[0] not in HARMLESS | OURS
    } == set()


_AUDITED = """
import sys
from core_conversation import conversation, refused
from wscore import Role
for role in Role:  # once before: the first use of a module may load another
    conversation(role); refused(role)
heard = []
sys.addaudithook(lambda event, arguments: heard.append(event))
for role in Role:
    conversation(role); refused(role)
print(sorted(set(heard)))
"""


def test_the_interpreter_reports_no_event_of_the_system() -> None:
    """PEP 578: files, sockets, processes, imports and the like raise events; none may come up."""
    program = _AUDITED.replace("core_conversation", "test_no_syscalls")
    path = [os.path.dirname(__file__), *filter(None, sys.path)]
    output = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    harmless = {"object.__getattr__", "object.__setattr__", "sys._getframe", "hashlib.new"}
    assert set(ast.literal_eval(output)) <= harmless, output


def test_the_default_source_of_masks_is_the_only_way_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    urandom = os.urandom

    def spy(size: int) -> bytes:
        asked.append(size)
        return urandom(size)

    monkeypatch.setattr(os, "urandom", spy)
    connection = Connection.established(Role.CLIENT, now=0.0)
    for _ in range(200):
        connection.send_text("x")
    drain(connection, 0.0)
    assert asked and set(asked) == {256}
