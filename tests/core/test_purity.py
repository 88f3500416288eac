"""The core is pure: what it imports cannot reach a clock, a socket, a thread or a log, and the same inputs
give the same bytes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wscore
from wscore import Config, Connection, Role, Timeouts
from wscore.testing import Pair, drain, repeatable_entropy

PACKAGE = Path(wscore.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What would let a machine do something on its own, or differ from run to run.
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "subprocess", "threading", "_thread"),
    *("select", "selectors", "signal", "socket", "socketserver", "ssl", "http.client", "urllib.request"),
    *("datetime", "time", "logging", "random", "secrets", "tempfile", "uuid", "warnings"),
}
# Tools for tests cut streams at random places, chosen by a seed.
EXCUSED = {("_chance.py", "random")}
ONLY_IN = {
    "h11": {"_client_handshake.py", "_handshake.py", "_head.py", "_server_handshake.py"},
    "os": {"_entropy.py"},
    "zlib": {"_deflate.py"},
}
# What the standard library and h11 bring along is theirs; these would be ours.
NEVER_LOADED = {
    *("asyncio", "concurrent", "logging", "multiprocessing", "queue", "random", "secrets", "select"),
    *("selectors", "socket", "ssl", "subprocess"),
}


def imports(path: Path) -> set[str]:
    """Return the absolute names of what a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", MODULES, ids=[path.name for path in MODULES])
def test_no_module_names_a_clock_a_socket_a_thread_or_a_log(path: Path) -> None:
    impure = {name for name in imports(path) if name in IMPURE or name.partition(".")[0] in IMPURE}
    assert {name for name in impure if (path.name, name.partition(".")[0]) not in EXCUSED} == set()


@pytest.mark.parametrize("name", ONLY_IN)
def test_some_libraries_are_known_in_few_places(name: str) -> None:
    users = {path.name for path in MODULES if any(found.split(".")[0] == name for found in imports(path))}
    assert users <= ONLY_IN[name]


@pytest.mark.parametrize("path", MODULES, ids=[path.name for path in MODULES])
def test_no_module_prints_opens_or_sleeps(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & {"print", "open", "input", "exec", "eval", "__import__"} == set()


def test_importing_the_core_loads_nothing_that_waits_or_talks() -> None:
    program = "import sys; before = set(sys.modules); import wscore; print(*(set(sys.modules) - before))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert "wscore._connection" in loaded
    assert "wscore.testing" not in loaded
    assert {name for name in loaded if name.partition(".")[0] in NEVER_LOADED} == set()


def conversation() -> tuple[bytes, bytes, list[object]]:
    """Return all bytes and events of a connection in which a little of everything happens."""
    config = Config(timeouts=Timeouts(keepalive=5.0, pong=3.0, idle=50.0), control_events=True)
    pair = Pair(config, config)
    pair.open(subprotocols=["chat"])
    pair.client.send_text("hello")
    pair.server.send_bytes(bytes(100_000))
    pair.client.send_ping(now=pair.now)
    pair.exchange()
    pair.advance(20.0)
    pair.server.close(4000, "enough", now=pair.now)
    pair.exchange()
    pair.advance(60.0)
    return pair.client_wire, pair.server_wire, [*pair.client_events, *pair.server_events]


def test_the_same_inputs_give_the_same_bytes_and_events() -> None:
    first, second = conversation(), conversation()
    assert first == second
    assert len(first[1]) > 100_000


@pytest.mark.parametrize("role", list(Role))
def test_connections_do_not_disturb_each_other(role: Role) -> None:
    config = Config()
    alone = Connection(role, config, now=0.0, entropy=repeatable_entropy())
    expected = alone.next_deadline()
    crowd = [Connection(role, config, now=0.0, entropy=repeatable_entropy()) for _ in range(5)]
    for index, connection in enumerate(crowd[:-1]):
        connection.receive_data(b"nonsense\n" * index + b"\n", float(index))
        drain(connection, float(index))
    assert crowd[-1].next_deadline() == expected
    assert (crowd[-1].next_event(), crowd[-1].closed) == (None, None)
