"""What goes wrong, said in one sentence.

A traceback tells a developer where; the person at a prompt wants to know what, and what to do about it.
Every error that a command can meet is turned into a `CommandError` here, and every unclean end of a
connection into words. The order of the questions matters: special kinds of ``OSError`` come before it.
"""

import errno
import socket
import ssl
from http import HTTPStatus
from urllib.parse import urlsplit

from wscore import (
    Closed,
    ConnectionLost,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    Side,
    TimedOut,
    error_from,
)

from ._text import address_text, code_text, one_line


class CommandError(Exception):
    """A command cannot go on; its text is the one sentence to print."""


def connect_failure(error: Exception, url: str, timeout: float) -> CommandError:
    """Say why no connection to url could be opened within timeout seconds."""
    if isinstance(error, (InvalidURL, LocalProtocolError)):
        return CommandError(str(error))  # an argument that the core refuses; nothing was sent
    parts = urlsplit(url)
    return CommandError(_connect_sentence(error, parts.netloc, parts.hostname or "", timeout))


def _connect_sentence(error: Exception, place: str, host: str, timeout: float) -> str:
    """Choose the sentence for `connect_failure`."""
    match error:
        case HandshakeRefused():
            return _refusal(error, place)
        case TimedOut() | TimeoutError():
            return f"{place} did not complete the opening handshake within {timeout:g} s"
        case RemoteProtocolError():
            return f"{place} does not speak WebSocket: {error.violation.sentence}"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {host} is not trusted: {error.verify_message.rstrip('.')}"
        case ssl.SSLError():
            return f"TLS with {place} failed: {_tls_text(error)}"
        case socket.gaierror() | UnicodeError():
            return f"cannot find the host {host}: {_os_text(error)}"
        case ConnectionRefusedError():
            return f"nothing listens on {place}: the connection was refused"
        case ConnectionLost() | ConnectionError():
            return f"{place} ended the connection during the opening handshake"
        case _:
            return f"cannot connect to {place}: {_os_text(error)}"


def _refusal(error: HandshakeRefused, place: str) -> str:
    """Tell the status, its usual phrase, and where a redirect points to."""
    response = error.response
    try:
        status = f"{response.status} {HTTPStatus(response.status).phrase}"
    except ValueError:
        status = str(response.status)
    location = response.headers.get("location")
    pointer = f"; it points to {location}" if location and 300 <= response.status < 400 else ""
    return f"{place} refused the WebSocket handshake: HTTP {status}{pointer}"


def serve_failure(error: OSError, host: str, port: int) -> CommandError:
    """Say why the server could not be started on host and port."""
    place = address_text((host, port))
    if isinstance(error, socket.gaierror):
        return CommandError(f"cannot find the host {host}: {_os_text(error)}")
    if error.errno == errno.EADDRINUSE:
        return CommandError(f"{place} is in use already; choose another port with --port, 0 for any free one")
    if isinstance(error, PermissionError):
        return CommandError(f"not allowed to listen on {place}; ports from 1024 on need no privileges")
    return CommandError(f"cannot listen on {place}: {_os_text(error)}")


def certificate_failure(error: OSError, what: str) -> CommandError:
    """Say why a file with certificates or a key could not be loaded; ``SSLError`` is an ``OSError``."""
    text = f"cannot be used: {_tls_text(error)}" if isinstance(error, ssl.SSLError) else _os_text(error)
    return CommandError(f"{what}: {text}")


def closed_text(closed: Closed) -> str:
    """Say in one line how a connection ended."""
    reason = f': "{one_line(closed.reason)}"' if closed.reason else ""
    if closed.clean:
        by = " by the peer" if closed.initiator is Side.REMOTE else ""
        return f"closed{by} with {code_text(closed.code)}{reason}"
    return f"not closed cleanly: {code_text(closed.code)}{reason}; {error_from(closed)}"


def _tls_text(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in lower case: ``wrong version number``."""
    return (error.reason or "unknown reason").replace("_", " ").lower()


def _os_text(error: Exception) -> str:
    """Return the operating system's words without its number."""
    return str(getattr(error, "strerror", None) or error)
