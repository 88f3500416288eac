"""``wscore serve``: an echo server that shows what it does.

Each connection has a thread, which receives and sends in one loop: a peer that does not read its echoes is
not read from either, and TCP slows it down. Lines about connections come from those threads, so one lock
keeps them whole.
"""

import ssl
import sys
import threading

import wscore_threading
from wscore import Config, ConnectionClosed, Deflate, Limits, LocalProtocolError, State

from ._arguments import ServeOptions
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


class Echo:
    """Sends every message back to its sender, and logs who came and how it ended."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __call__(self, session: wscore_threading.Session) -> None:
        """Serve one connection; runs in a thread of its own."""
        peer = address_text(session.remote_address)
        path = session.request.path
        self._log.line(f"{peer} connected{'' if path == '/' else f' {one_line(path)}'}")
        try:
            for message in session:
                _send_back(session, message)
        except ConnectionClosed:
            pass  # an end without a Close is for the log, as any other
        finally:
            closed = session.closed
            self._log.line(f"{peer} {closed_text(closed) if closed else 'failed'}")


def _send_back(session: wscore_threading.Session, message: str | bytes) -> None:
    """Echo one message, unless our own Close has left already: the peer may still be sending then."""
    try:
        session.send(message)
    except LocalProtocolError:
        if session.state is not State.LOCAL_CLOSING:
            raise


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
    try:
        server = wscore_threading.serve(
            Echo(log), options.host, options.port, config=config, ssl=context, process_request=respond
        )
    except OSError as error:
        raise serve_failure(error, options.host, options.port) from error
    try:
        with terminate_interrupts(), server:
            _announce(log, options.host, server.port, secure=context is not None)
            server.serve_forever()
    except KeyboardInterrupt:
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
