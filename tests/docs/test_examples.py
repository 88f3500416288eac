"""What the documentation shows is run: every example, and the blocks of the pages about the core."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import wscore_threading
from support.eventually import eventually
from wscore import Config
from wscore.testing import Pair

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PATIENCE = 10.0


def example(name: str) -> dict[str, Any]:
    """Return the names that an example defines; its main part does not run."""
    return runpy.run_path(str(EXAMPLES / name), run_name="example")


def test_the_echo_server_echoes_and_the_blocking_driver_asks_it() -> None:
    server_example, driver = example("echo_server.py"), example("blocking_driver.py")
    with wscore_threading.serve(
        server_example["echo"], "127.0.0.1", process_request=server_example["hello"]
    ) as server:
        assert driver["ask"]("127.0.0.1", server.port, "hello") == ["hello"]


def test_everybody_in_the_chat_room_hears_what_anybody_says() -> None:
    room = example("chat_room.py")["Room"]
    with wscore_threading.serve(room(), "127.0.0.1") as server:
        url = f"ws://127.0.0.1:{server.port}"
        with wscore_threading.connect(url) as first:
            assert first.recv(PATIENCE) == "1 here"
            with wscore_threading.connect(url) as second:
                assert first.recv(PATIENCE) == second.recv(PATIENCE) == "2 here"
                second.send("hello")
                assert first.recv(PATIENCE) == second.recv(PATIENCE) == "hello"


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "blocking_driver.py",
        "chat_room.py",
        "echo_server.py",
        "extension.py",
        "trio_driver.py",
    }


def test_both_sides_of_the_extension_understand_each_other() -> None:
    config = example("extension.py")["config"]
    pair = Pair(config, config)
    pair.open()
    assert pair.server.extensions == "x-permessage-xor; key=42"
    pair.client.send_text("hello")
    pair.client.send_fragment(b"in ", False)
    pair.client.send_fragment(b"parts", True)
    pair.server.send_bytes(b"as it is", compress=False)
    pair.exchange()
    assert pair.server_events[-2:] == ["hello", b"in parts"]
    assert pair.client_events[-1] == b"as it is"
    assert b"hello" not in pair.client_wire
    assert b"as it is" in pair.server_wire


def blocks(kind: str, document: str = "README.md") -> list[str]:
    """Return the Python blocks of a document that contain kind."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    return [block for block in found if kind in block]


@pytest.mark.parametrize("document", ["docs/compression.md", "docs/messages.md"])
def test_what_the_pages_set_up_can_be_set_up(document: str) -> None:
    for code in blocks("Config(", document):
        names: dict[str, Any] = {}
        exec(code, names)
        assert isinstance(names["config"], Config)


def test_another_zlib_is_plugged_in_as_the_page_says() -> None:
    [code] = blocks("isal", "docs/compression.md")
    names: dict[str, Any] = {}
    exec(code, names)
    for deflate in (names["fast"], names["compact"]):
        config = Config(compression=deflate)
        pair = Pair(config, config)
        pair.open()
        pair.client.send_text("hello " * 1000)
        pair.exchange()
        assert pair.server_events[-1] == "hello " * 1000
        assert len(pair.client_wire) < 2000


def test_prepared_news_reach_every_session() -> None:
    [code] = blocks("PreparedMessage", "docs/messages.md")
    with (
        wscore_threading.serve(lambda session: session.recv(), "127.0.0.1") as server,
        wscore_threading.connect(f"ws://127.0.0.1:{server.port}") as one,
        wscore_threading.connect(f"ws://127.0.0.1:{server.port}") as other,
    ):
        assert eventually(lambda: len(server.sessions) == 2)
        exec(code, {"server": server})
        assert one.recv(PATIENCE) == other.recv(PATIENCE) == "the same for everybody"


def test_the_core_of_the_readme_runs_as_printed() -> None:
    [code] = blocks("send_request")
    exec(code, {})
