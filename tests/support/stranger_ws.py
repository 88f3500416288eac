"""npm's ws as a stranger: its client and its server, in one node process for all tests.

The process is spoken to in lines of JSON (``ws_peer.js``). A thread reads what it tells, and each connection
has a mailbox. Where ws is, and what to do when it is nowhere, is the same as in the differential test.
"""

import base64
import itertools
import json
import ssl as ssl_module
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

from differential.adapter_node import folder

from .stranger_cases import MEBIBYTE, Refusal
from .strangers import PATIENCE, Dial, Ended, Mailbox, Play, Refused, Script, Stage

_SCRIPT: Final = Path(__file__).with_name("ws_peer.js")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@final
class WsPeer:
    """A connection of ws, in the node process."""

    def __init__(self, node: "NodeProcess", opened: dict[str, Any]) -> None:
        self._node = node
        self._id = opened["id"]
        self.mailbox = node.mailbox_of(self._id)
        self.subprotocol = opened["protocol"] or None
        self.compressed = "permessage-deflate" in opened["extensions"]

    def send(self, message: str | bytes) -> None:
        self.send_fragments([message])  # type: ignore[arg-type]  # one is all of the same type

    def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        """Send each of parts in a frame of its own."""
        if self.mailbox.over:
            raise Ended(1006, "")
        encoded = [{"text": part} if isinstance(part, str) else {"binary": _encode(part)} for part in parts]
        self._node.ask("send", self._id, parts=encoded)

    def recv(self) -> str | bytes:
        return self.mailbox.recv()

    def ping(self, payload: bytes) -> None:
        self._node.tell("ping", self._id, binary=_encode(payload))
        self.mailbox.wait_for_pong(payload)

    def pong(self, payload: bytes) -> None:
        self._node.tell("pong", self._id, binary=_encode(payload))

    def close(self, code: int, reason: str) -> None:
        self._node.tell("close", self._id, code=code, reason=reason)
        self.mailbox.wait_for_end()


@final
class NodeProcess:
    """Runs ws_peer.js; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT), str(folder())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._mailboxes: dict[str, Mailbox] = {}
        self._answers: dict[str, Future[dict[str, Any]]] = {}
        self._servers: dict[str, Callable[[WsPeer], None]] = {}
        self._reader = threading.Thread(target=self._read, name="node's events")

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)
        self._process.stdout.close()

    def new_id(self) -> str:
        """Name something."""
        return str(next(self._numbers))

    def mailbox_of(self, name: str) -> Mailbox:
        """Return the mailbox of a connection."""
        return self._mailboxes.setdefault(name, Mailbox())

    def on_connection(self, server: str, call: Callable[[WsPeer], None]) -> None:
        """Call with each connection of a server."""
        self._servers[server] = call

    def tell(self, op: str, name: str, **more: Any) -> None:
        """Write a command."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"op": op, "id": name, **more}) + "\n")
            self._process.stdin.flush()

    def ask(self, op: str, name: str, **more: Any) -> dict[str, Any]:
        """Write a command and wait for its outcome."""
        answer = self._answers[name] = Future()
        self.tell(op, name, **more)
        return answer.result(PATIENCE)

    def _read(self) -> None:
        """Bring each event to whom it is for."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            match event["event"]:
                case "message":
                    binary = event.get("binary")
                    message = event["text"] if binary is None else base64.b64decode(binary)
                    self.mailbox_of(event["id"]).put(message)
                case "pong":
                    self.mailbox_of(event["id"]).put_pong(base64.b64decode(event["binary"]))
                case "closed":
                    self.mailbox_of(event["id"]).put_end(event["code"], event["reason"])
                case "open" if "server" in event:
                    self._servers[event["server"]](WsPeer(self, event))
                case _:
                    self._answers.pop(event["id"]).set_result(event)


def ws_dial(node: NodeProcess) -> Dial:
    """Make a `Dial` that connects with ws."""

    @contextmanager
    def dial(
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        deflate: bool = False,
    ) -> Iterator[WsPeer]:
        authorities = [] if ssl is None else ssl.get_ca_certs(binary_form=True)
        answer = node.ask(
            "connect",
            node.new_id(),
            url=url,
            protocols=list(subprotocols),
            origin=origin,
            deflate={"threshold": 0} if deflate else False,
            limit=max_size,
            authorities=[ssl_module.DER_cert_to_PEM_cert(authority) for authority in authorities],
        )
        match answer["event"]:
            case "refused":
                body = base64.b64decode(answer["binary"])
                raise Refused(answer["status"], answer["headers"], body)
            case "failed":
                assert "VERIFY" in answer["code"], answer
                raise ssl_module.SSLCertVerificationError(answer["text"])
            case _:
                assert answer["event"] == "open"
        peer = WsPeer(node, answer)
        try:
            yield peer
        finally:
            if not peer.mailbox.over:
                peer.close(1000, "")

    return dial


def ws_play(node: NodeProcess) -> Play:
    """Make a `Play` that serves with ws."""

    @contextmanager
    def play(
        script: Script,
        *,
        subprotocols: Sequence[str] = (),
        ssl: ssl_module.SSLContext | None = None,
        max_size: int = MEBIBYTE,
        refusal: Refusal | None = None,
    ) -> Iterator[str]:
        assert ssl is None, "the key of a context cannot be told to another process"
        threads: list[threading.Thread] = []

        def start(peer: WsPeer) -> None:
            thread = threading.Thread(target=run, args=(peer,), name="ws's connection")
            threads.append(thread)
            thread.start()

        def run(peer: WsPeer) -> None:
            stage.play(peer)
            peer.close(1000, "")

        name = node.new_id()
        node.on_connection(name, start)
        told = None if refusal is None else {**refusal._asdict(), "binary": _encode(refusal.body)}
        if told is not None:
            del told["body"]
        with Stage(script) as stage:
            answer = node.ask("serve", name, protocols=list(subprotocols), limit=max_size, refusal=told)
            try:
                yield f"127.0.0.1:{answer['port']}/"
            finally:
                node.ask("stop", name)  # waits for the connections
                for thread in threads:
                    thread.join(PATIENCE)
                    assert not thread.is_alive()

    return play
