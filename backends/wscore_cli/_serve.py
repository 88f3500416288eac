"""``wscore serve``: an echo server that shows what it does.

One endpoint serves every connection on every backend. While its echoes wait for a peer that does not read, no
more messages are delivered, nothing is read, and TCP slows the peer down. With threads the lines about
connections come from many of them, so one lock keeps the lines whole.
"""

import ssl
import sys
import threading
from typing import Any

from wscore import Config, Deflate, Endpoint, Limits

from ._arguments import ServeOptions
from ._backends import BACKENDS, Listening
from ._failures import certificate_failure, closed_text, serve_failure
from ._page import respond
from ._signals import terminate_interrupts
from ._text import address_text, one_line

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class Log:
    """Lines on standard output, one at a time and at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Print text; a reader that has gone away does not stop the server."""
        try:
            with self._lock:
                print(text, flush=True)
        except (OSError, ValueError):
            pass


class Echo(Endpoint):
    """Sends every message back to its sender, and logs who came and how it ended."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def on_connect(self, session: Any) -> None:  # type: ignore[explicit-override]
        """Log who came, and for what."""
        path = session.request.path
        asked = "" if path == "/" else f" {one_line(path)}"
        self._log.line(f"{address_text(session.remote_address)} connected{asked}")

    def on_message(self, session: Any, message: str | bytes) -> None:  # type: ignore[explicit-override]
        """Send it back; when our own Close has left already, that does nothing."""
        session.send(message)

    def on_close(self, session: Any, code: int, reason: str) -> None:  # type: ignore[explicit-override]
        """Log how it ended."""
        self._log.line(f"{address_text(session.remote_address)} {closed_text(session.closed)}")


def serve(options: ServeOptions) -> int:
    """Serve until interrupted.

    Returns:
        0: being interrupted is how a server ends.

    Raises:
        CommandError: it could not be started.
    """
    log = Log()
    context = _server_context(options)
    config = Config(
        limits=Limits(max_message_size=options.max_message),
        origins=options.origins,
        compression=Deflate() if options.compress else None,
    )
    listening = Listening(
        Echo(log),
        options.host,
        options.port,
        settings={"config": config, "ssl": context, "process_request": respond},
        announce=lambda port: _announce(log, options.host, port, secure=context is not None),
        failure=lambda error: serve_failure(error, options.host, options.port),
    )
    try:
        with terminate_interrupts():  # for a signal that comes before the server waits for it
            BACKENDS[options.backend](listening)
    except KeyboardInterrupt:
        pass
    print("wscore: interrupted, every connection was closed with 1001", file=sys.stderr)
    return 0


def _announce(log: Log, host: str, port: int, *, secure: bool) -> None:
    """Print the address for each kind of client; one that listens everywhere is shown as this machine."""
    place = address_text((_WILDCARDS.get(host, host), port))
    tail = "s" if secure else ""
    log.line(f"{f'ws{tail}://{place}/':<32}for WebSocket clients")
    log.line(f"{f'http{tail}://{place}/':<32}for browsers")


def _server_context(options: ServeOptions) -> ssl.SSLContext | None:
    """Load the certificate, if there is one."""
    if options.certfile is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.certfile, options.keyfile)
    except OSError as error:
        names = " and ".join(str(path) for path in (options.certfile, options.keyfile) if path)
        raise certificate_failure(error, names) from error
    return context
