"""A headless Chromium, driven over its DevTools protocol.

The protocol is JSON messages in a WebSocket, and that WebSocket is this library's own client: so every test
with a browser shows two interoperations, and needs nothing but Debian's ``chromium``. Waiting is done inside
the page, by an observer of its document, never by sleeping here.
"""

import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import wscore_threading
from wscore import Config, Limits

from .command import GUARD, first_match, guarded

_PATIENCE: Final = GUARD / 2
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
)
_WAIT: Final = """
new Promise((resolve, reject) => {
  const observer = new MutationObserver(() => check());
  const give_up = () => { observer.disconnect(); reject(new Error("still: " + document.body.innerText)); };
  const timer = setTimeout(give_up, %d);
  const check = () => {
    const value = %s;
    if (!value) return;
    clearTimeout(timer);
    observer.disconnect();
    resolve(value);
  };
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  check();
})
"""


def find_browser() -> str | None:
    """Return the path of a Chromium, or None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browser(program: str, profile: Path) -> Iterator[str]:
    """Run a browser with a fresh profile; the value is the host and port of its DevTools."""
    process = subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": str(profile)},
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # its helpers end with it
    )
    assert process.stderr is not None
    drain = threading.Thread(target=process.stderr.read)  # or a full pipe would stop the browser
    try:
        with guarded(process):
            place = first_match("DevTools listening on ws://([^/]+)/", process.stderr)
        assert place, "the browser ended before it could be spoken to"
        drain.start()
        yield place
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if drain.is_alive():
            drain.join()
        process.stderr.close()


@final
class Page:
    """One tab, spoken to over its own DevTools connection.

    Attributes:
        complaints: what the browser found wrong: exceptions, violations of the policy, failed loads.
    """

    def __init__(self, devtools: str) -> None:
        client = http.client.HTTPConnection(devtools, timeout=_PATIENCE)
        client.request("PUT", "/json/new")
        target = json.load(client.getresponse())
        client.close()
        limits = Limits(max_message_size=64 * 1024**2)  # a screenshot is one message
        self._session = wscore_threading.connect(target["webSocketDebuggerUrl"], config=Config(limits=limits))
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        self._session.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := self._next()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        """Take one message of the browser, and keep what it complains about."""
        message: dict[str, Any] = json.loads(self._session.recv(timeout=2 * _PATIENCE))
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("warning", "error"):
                self.complaints.append(parameters["entry"]["text"])
        return message

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]["exception"]["description"]
        return result["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until expression is truthy in the page, and return it."""
        return self.evaluate(_WAIT % (_PATIENCE * 1000, expression))

    def open(self, url: str) -> None:
        """Load url and wait until all of it is there."""
        self.call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def text(self, selector: str) -> str:
        """Return the text of the first element that selector names."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent"))

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element."""
        x, y = self.evaluate(
            "(node => { node.scrollIntoView({block: 'center'}); const box = node.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Replace what stands in a field, as a person would."""
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def press_enter(self) -> None:
        """Press the Enter key."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose path in a file field."""
        field = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.call("DOM.setFileInputFiles", files=[str(path)], objectId=field["result"]["objectId"])

    def close(self) -> None:
        """Leave the tab to the browser's end."""
        self._session.close()
