"""The Receiver of npm's ws in the differential test: a node process that reads whole batches of streams.

ws is no part of this project and of no folder of it. The environment variable WSCORE_WS names a folder that
has node_modules/ws, or is to have it; without it a folder in the system's temporary one is used. `install`
asks npm for the version that the table of differences is about.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from differential.cases import Case
from differential.grammar import MAX_FRAGMENTS
from differential.outcomes import Outcome, Trace
from wscore import Role

VERSION: Final = "8.23.0"
_SCRIPT: Final = Path(__file__).resolve().parents[1] / "differential" / "ws_receiver.js"
_INSTALL_SECONDS: Final = 60


def folder() -> Path:
    """Return where ws is, or would be."""
    named = os.environ.get("WSCORE_WS")
    return Path(named) if named else Path(tempfile.gettempdir()) / f"wscore-ws-{VERSION}"


def missing() -> str | None:
    """Tell why ws cannot be run; None: it can."""
    if shutil.which("node") is None:
        return "there is no node"
    if not (folder() / "node_modules" / "ws" / "lib" / "receiver.js").is_file():
        return f"ws is not installed in {folder()}: run `python tests/differential/run.py --install`"
    return None


def install() -> str | None:
    """Install ws unless it is there; tell why that failed, or None."""
    reason = missing()
    if reason is None or shutil.which("node") is None:
        return reason
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm to install ws with"
    folder().mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", f"ws@{VERSION}"]
    try:
        done = subprocess.run(
            [*command, "--prefix", str(folder())],
            check=False,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return "npm did not install ws in time"
    return missing() if done.returncode == 0 else f"npm could not install ws: {done.stderr[-300:]}"


class Node:
    """A node process that reads streams with ws; a context manager.

    A batch is asked for with `send` and its traces are fetched with `receive`, so that node works meanwhile.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT), str(folder())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> "Node":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def send(self, batch: Sequence[Case]) -> None:
        """Ask for a batch to be read."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([_job(case) for case in batch]).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self) -> list[Trace]:
        """Fetch what came of the batch."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the node process has ended")
        return [_trace(answer["items"], answer["outcome"]) for answer in json.loads(line)]

    def read(self, case: Case) -> Trace:
        """Read one stream."""
        self.send([case])
        return self.receive()[0]


def _job(case: Case) -> dict[str, object]:
    agreed = case.agreed
    return {
        "server": case.role is Role.SERVER,
        "limit": case.limit,
        "fragments": MAX_FRAGMENTS,
        "deflate": None if agreed is None else {"bits": agreed.bits, "takeover": agreed.takeover},
        "segments": [base64.b64encode(segment).decode() for segment in case.segments()],
    }


def _trace(items: list[tuple[str, str]], outcome: tuple[str, int, str]) -> Trace:
    trace = Trace()
    for kind, encoded in items:
        data = base64.b64decode(encoded)
        # Text that ws lets through is UTF-8, but that is for the comparison to say.
        trace.items.append((kind, data.decode(errors="backslashreplace") if kind == "text" else data))
    if outcome[0] != "open":
        trace.outcome = Outcome(*outcome)
    return trace
