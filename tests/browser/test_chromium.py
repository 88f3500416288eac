"""A real browser against the real server: the page of ``wscore serve`` in headless Chromium.

What the page shows is read from its ids and data attributes, and it is used as a person uses it: with mouse
and keyboard. What a test needs of the browser itself is in `support.devtools`.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.certificates import make_certificates
from support.command import GUARD, serving
from support.devtools import Page, browser, find_browser

_BROWSER: Final = find_browser()

# What goes over the connection is tried with each; what only the page does, with one.
BACKENDS: Final = pytest.mark.parametrize("backend", ["threading", "asyncio", "selectors"])

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(_BROWSER is None, reason="no Chromium on this machine: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one browser for all tests here."""
    assert _BROWSER is not None
    with browser(_BROWSER, tmp_path_factory.mktemp("chromium")) as place:
        yield place


@pytest.fixture
def page(devtools: str) -> Iterator[Page]:
    """Open a tab of its own for a test."""
    page = Page(devtools)
    yield page
    page.close()


def open_page(page: Page, url: str) -> None:
    """Load the server's page and wait until it has connected."""
    page.open(url)
    wait_for_state(page, "open")


def wait_for_state(page: Page, state: str) -> None:
    """Wait until the page shows that its connection is in state."""
    page.wait(f"document.querySelector('#state[data-state={state}]') !== null")


def entry(page: Page, kind: str, index: int = 0) -> dict[str, str]:
    """Wait for the log's entry of kind number index, and return its data and its content."""
    found = f"document.querySelectorAll('#log li[data-kind={kind}]')[{index}]"
    content = "node.querySelector('.content').textContent"
    return dict(page.wait(f"(node => node && {{...node.dataset, content: {content}}})({found})"))


@BACKENDS
def test_text_is_echoed_with_its_round_trip_time(page: Page, backend: str) -> None:
    with serving("--backend", backend) as server:
        open_page(page, server.page)
        page.type("#text", "Grüße, 世界 😀 <b>no markup</b>")
        page.click("#send")
        sent, received = entry(page, "sent"), entry(page, "received")
    assert sent["content"] == received["content"] == "Grüße, 世界 😀 <b>no markup</b>"
    assert sent["type"] == received["type"] == "text"
    assert sent["size"] == received["size"] == str(len(sent["content"].encode()))
    assert 0 < float(received["rtt"]) < 5000
    assert page.text("#last-rtt").endswith(" ms") and page.text("#median-rtt").endswith(" ms")
    assert (page.text("#sent-count"), page.text("#received-count")) == ("1", "1")


def test_enter_sends_and_every_echo_has_its_own_time(page: Page) -> None:
    with serving() as server:
        open_page(page, server.page)
        for text in ("one", "two", "three"):
            page.type("#text", text)
            page.press_enter()
        echoes = [entry(page, "received", index) for index in range(3)]
    assert [echo["content"] for echo in echoes] == ["one", "two", "three"]
    assert all(float(echo["rtt"]) > 0 for echo in echoes)


def test_bytes_come_back_as_bytes(page: Page) -> None:
    with serving() as server:
        open_page(page, server.page)
        page.click("label[for=kind-hex]")
        page.type("#hex", "00 ff 0x80\n7F:c3")
        page.press_enter()
        received = entry(page, "received")
    assert (received["type"], received["size"], received["content"]) == ("binary", "5", "00 ff 80 7f c3")


def test_wrong_hex_digits_are_explained_and_not_sent(page: Page) -> None:
    with serving() as server:
        open_page(page, server.page)
        page.click("label[for=kind-hex]")
        page.type("#hex", "0f a")
        page.click("#send")
        page.wait("document.querySelector('#hex[aria-invalid=true]') !== null")
        assert "two hexadecimal digits" in page.text("#send-error")
        assert page.text("#sent-count") == "0"


@BACKENDS
def test_a_file_is_sent_as_bytes(page: Page, backend: str, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(range(256)) * 512)
    with serving("--backend", backend) as server:
        open_page(page, server.page)
        page.click("label[for=kind-file]")
        page.choose_file("#file", path)
        page.click("#send")
        received = entry(page, "received")
    assert (received["type"], received["size"]) == ("binary", str(256 * 512))
    assert received["content"].startswith("00 01 02 03") and received["content"].endswith("fe ff …")


@BACKENDS
def test_the_page_closes_with_a_code_and_a_reason_and_connects_again(page: Page, backend: str) -> None:
    with serving("--backend", backend) as server:
        open_page(page, server.page)
        page.type("#close-code", "3456")
        page.type("#close-reason", "genug für heute")
        page.click("#close")
        assert entry(page, "closing")["content"] == "genug für heute"
        closed = entry(page, "close")
        assert (closed["code"], closed["clean"]) == ("3456", "true")
        wait_for_state(page, "closed")
        assert server.wait_for("(closed by.*)") == 'closed by the peer with 3456: "genug für heute"'
        page.click("#reconnect")
        wait_for_state(page, "open")
        entry(page, "connect", 1)


@pytest.mark.parametrize("code", ["999", "1001", "2999", "5000", "", "abc"])
def test_a_code_that_a_page_may_not_use_is_explained(page: Page, code: str) -> None:
    with serving() as server:
        open_page(page, server.page)
        page.type("#close-code", code)
        page.click("#close")
        page.wait("document.querySelector('#close-code[aria-invalid=true]') !== null")
        assert "1000" in page.text("#close-error")
        wait_for_state(page, "open")


@BACKENDS
def test_a_server_that_ends_says_so_cleanly(page: Page, backend: str) -> None:
    with serving("--backend", backend) as server:
        open_page(page, server.page)
        server.process.send_signal(signal.SIGINT)
        closed = entry(page, "close")
        assert (closed["code"], closed["clean"]) == ("1001", "true")
        assert server.process.wait(GUARD) == 0
        page.click("#reconnect")  # nobody listens any more
        lost = entry(page, "close", 1)
        assert (lost["code"], lost["clean"]) == ("1006", "false")
        entry(page, "error")


@BACKENDS
def test_the_browser_and_the_server_compress_for_each_other(page: Page, backend: str) -> None:
    with serving("--backend", backend, "--compress") as server:
        open_page(page, server.page)
        assert page.evaluate("socket.extensions").startswith("permessage-deflate")
        for number in range(3):  # each message refers into those before it
            text = f"{number} " + "the same again, in both directions; " * 12
            page.type("#text", text)
            page.click("#send")
            assert entry(page, "received", number)["content"] == text


def test_without_the_option_nothing_is_compressed(page: Page) -> None:
    with serving() as server:
        open_page(page, server.page)
        assert page.evaluate("socket.extensions") == ""


@BACKENDS
def test_a_message_over_the_limit_is_answered_with_1009(page: Page, backend: str) -> None:
    with serving("--backend", backend, "--max-message", "1k") as server:
        open_page(page, server.page)
        page.type("#text", "x" * 1024)
        page.click("#send")
        entry(page, "received")
        page.type("#text", "x" * 1025)
        page.click("#send")
        assert (entry(page, "close")["code"], entry(page, "close")["clean"]) == ("1009", "true")


def test_nothing_in_the_page_breaks_its_own_policy(page: Page) -> None:
    with serving() as server:
        open_page(page, server.page)
        page.type("#text", "hello")
        page.press_enter()
        entry(page, "received")
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.complaints == []
        page.evaluate("s = document.createElement('script'), s.text = 'x = 1', document.body.append(s)")
        assert page.evaluate("typeof x") == "undefined"
        assert any("Content Security Policy" in complaint for complaint in page.complaints)


@BACKENDS
def test_over_https_the_page_connects_with_wss(page: Page, backend: str, tmp_path: Path) -> None:
    files = make_certificates().write_files(tmp_path)
    certificate = ("--certfile", str(files.server_certificate), "--keyfile", str(files.server_key))
    with serving("--backend", backend, *certificate) as server:
        open_page(page, server.page)
        assert page.text("#address") == server.url
        assert server.url.startswith("wss://")
        page.type("#text", "in secret")
        page.press_enter()
        assert entry(page, "received")["content"] == "in secret"
        page.click("#close")
        assert (entry(page, "close")["code"], entry(page, "close")["clean"]) == ("1000", "true")
