"""What the documentation shows is run: every example, and every Python block of the README."""

import re
import runpy
import threading
from pathlib import Path
from typing import Any

import pytest

import wscore_threading

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
    }


def blocks(kind: str) -> list[str]:
    """Return the Python blocks of the README that contain kind."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [block for block in found if kind in block]


@pytest.mark.parametrize("number", [0, 1])
def test_the_servers_of_the_readme_serve_its_client(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [client] = blocks("wscore_threading.connect(")
    served: list[wscore_threading.Server] = []
    up = threading.Event()
    serve = wscore_threading.serve

    def on_a_free_port(handler: Any, host: str, port: int) -> wscore_threading.Server:
        served.append(serve(handler, host, 0))
        up.set()
        return served[0]

    monkeypatch.setattr(wscore_threading, "serve", on_a_free_port)
    thread = threading.Thread(target=exec, args=(blocks("wscore_threading.serve(")[number], {}))
    thread.start()
    assert up.wait(PATIENCE)
    exec(client.replace("8765", str(served[0].port)), {})
    served[0].shutdown()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert "hello" in capsys.readouterr().out


def test_the_core_of_the_readme_runs_as_printed() -> None:
    [code] = blocks("send_request")
    exec(code, {})
