"""What the README and the pages of the backends show is run: servers until SIGTERM, clients against them."""

import asyncio
import http.client
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import wscore_asyncio
import wscore_selectors
import wscore_threading
from support.eventually import PATIENCE, background, eventually
from wscore import Endpoint, HandshakeRefused, Response
from wscore._typing import override

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ("README.md", "docs/asyncio.md", "docs/connecting.md", "docs/selectors.md", "docs/serving.md")
SIGNAL: Final = "until_signal("


def blocks(page: str) -> list[str]:
    """Return the Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def block(page: str, words: str) -> str:
    """Return the one Python block of a page that contains words."""
    [found] = [code for code in blocks(page) if words in code]
    return found


def names_of(code: str) -> dict[str, Any]:
    """Run code; return what it defines."""
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run_until_terminated(code: str, visit: Callable[[str], None]) -> None:
    """Run a server as printed, but for the port; visit its address, then send SIGTERM."""
    before, port = signal.getsignal(signal.SIGTERM), free_port()

    def come_and_end_it() -> None:
        eventually(lambda: signal.getsignal(signal.SIGTERM) is not before)  # it listens, and hears signals
        try:
            visit(f"ws://127.0.0.1:{port}/")
        finally:
            if signal.getsignal(signal.SIGTERM) is not before:
                os.kill(os.getpid(), signal.SIGTERM)

    visiting = background(come_and_end_it)
    try:
        exec(code.replace("8765", str(port)), {})
    finally:
        visiting.result()


def ask_as_the_readme(url: str) -> None:
    """Be the client of the README."""
    exec(block("README.md", "wscore_threading.connect(").replace("ws://127.0.0.1:8765/", url), {})


def test_every_block_is_run_here_or_with_the_core() -> None:
    shown = [code for page in PAGES for code in blocks(page)]
    assert len(shown) == 11
    assert sum(SIGNAL in code for code in shown) == 5
    assert not blocks("docs/threading.md") + blocks("docs/index.md") + blocks("docs/security.md")


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM on this system")
@pytest.mark.parametrize(
    ("page", "backend"),
    [
        ("README.md", "threading"),
        ("README.md", "asyncio"),
        ("README.md", "selectors"),
        ("docs/asyncio.md", "asyncio"),
        ("docs/selectors.md", "selectors"),
    ],
)
def test_the_servers_serve_the_client_of_the_readme_until_they_are_told_to_end(
    page: str, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = [code for code in blocks(page) if SIGNAL in code and f"import wscore_{backend}" in code]
    run_until_terminated(code, ask_as_the_readme)
    shown = capsys.readouterr().out
    assert "hello\n" in shown and "round trip: " in shown and "Closed(code=1000" in shown
    assert ("closed with 1000" in shown) is ("def on_close" in code)


def test_the_client_of_the_asyncio_page_asks() -> None:
    ask = names_of(block("docs/asyncio.md", "async def ask"))["ask"]

    async def echo(session: wscore_asyncio.Session) -> None:
        async for message in session:
            await session.send(message)

    async def main() -> str | bytes:
        async with wscore_asyncio.serve(echo, "127.0.0.1") as server:
            answer: str | bytes = await ask(f"ws://127.0.0.1:{server.port}", "hello")
            return answer

    assert asyncio.run(main()) == "hello"


def test_a_client_that_reconnects_goes_on_until_it_is_hopeless(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the pauses between two attempts
    answers = iter([None, None, Response(404)])
    with wscore_threading.serve(
        lambda session: session.send("news"), "127.0.0.1", process_request=lambda request: next(answers)
    ) as server:
        feed = f"ws://127.0.0.1:{server.port}/feed"
        with pytest.raises(HandshakeRefused, match="404"):
            exec(block("docs/connecting.md", "reconnect").replace("wss://example.com/feed", feed), {})
    assert capsys.readouterr().out == "news\nnews\n"


def test_the_servers_page_routes_asks_for_a_password_and_answers_health_checks() -> None:
    names = names_of(block("docs/serving.md", "Router()"))
    with wscore_threading.serve(
        names["router"], "127.0.0.1", process_request=names["process_request"]
    ) as server:
        plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        plain.request("GET", "/health")
        assert plain.getresponse().read() == b"ok\n"
        place = f"127.0.0.1:{server.port}"
        with wscore_threading.connect(f"ws://alice:correct%20horse@{place}/rooms/lobby") as session:
            assert session.recv(PATIENCE) == "hello alice, this is lobby"
        with pytest.raises(HandshakeRefused, match="401"):
            wscore_threading.connect(f"ws://{place}/rooms/lobby")
        with pytest.raises(HandshakeRefused, match="404"):
            wscore_threading.connect(f"ws://alice:correct%20horse@{place}/elsewhere")


class Asking(Endpoint):
    """Asks once, and notes what happens."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    @override
    def on_connect(self, session: Any) -> None:
        session.send("hello")

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        self.heard.append(message)
        session.close()

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self.heard.append(code)


def test_a_reactor_is_embedded_in_asyncio_as_the_page_shows() -> None:
    embed = names_of(block("docs/selectors.md", "def embed("))["embed"]
    echo = names_of(block("docs/selectors.md", SIGNAL).partition("\nwith ")[0])["Echo"]
    asking = Asking()

    async def main() -> None:
        ended = asyncio.Event()
        with wscore_selectors.Reactor() as reactor:
            end = embed(reactor)
            server = reactor.serve(echo, "127.0.0.1")
            reactor.connect(f"ws://127.0.0.1:{server.port}", asking)
            reactor.call_later(0.01, lambda: reactor.call_later(0.01, ended.set))  # timers, one after another
            async with asyncio.timeout(PATIENCE):
                await ended.wait()
                while 1000 not in asking.heard:
                    await asyncio.sleep(0)
            end()

    asyncio.run(main())
    assert asking.heard == ["hello", 1000]
