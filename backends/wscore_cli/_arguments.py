"""The command line as data: text in, one options object out.

Each command has one frozen dataclass, and the parser does nothing but fill it; so the commands can be
tested without a command line, and the command line without a socket.
"""

import argparse
import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import wscore

from ._backends import BACKENDS

_SIZE: Final = re.compile(r"([0-9]+) ?([kmg]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_FACTORS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

_DESCRIPTION: Final = "WebSockets on the command line: an echo server to look at, a client to type into."
_SERVE: Final = """\
Run an echo server: every message goes back to its sender.

A browser that opens the same address over HTTP gets a page which connects back,
sends text and bytes, and shows close codes and round-trip times. /healthz answers ok.
"""
_SERVE_EXAMPLES: Final = """\
examples:
  wscore serve                                on ws://127.0.0.1:8765/, this machine only
  wscore serve --port 0                       on any free port; the address is printed
  wscore serve --host 0.0.0.0 --max-message 64k
  wscore serve --backend asyncio              in one thread, for many connections
  wscore serve --certfile cert.pem --keyfile key.pem          on wss:// and https://

Ctrl-C closes every connection with 1001 and ends the server.
"""
_CONNECT: Final = """\
Connect, send each line of the input as a text message, and print what comes back.

Standard output carries messages only: text with control characters escaped, bytes
as "binary:" and hex digits. Prompts and notices go to standard error.
"""
_CONNECT_EXAMPLES: Final = """\
examples:
  wscore connect ws://127.0.0.1:8765/
  wscore connect wss://example.com/chat --subprotocol chat.v2 --header "Authorization: Bearer TOKEN"
  printf 'one\\ntwo\\n' | wscore connect ws://127.0.0.1:8765/ > replies.txt

The end of the input (Ctrl-D) closes with 1000 and prints what still arrives; Ctrl-C
closes with 1001 at once. The exit status is 0 when the connection was closed cleanly
by either side, otherwise 1.
"""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What ``wscore serve`` was told; origins as `wscore.Config` takes them."""

    host: str
    port: int
    max_message: int
    origins: str | tuple[str, ...]
    compress: bool
    certfile: Path | None
    keyfile: Path | None
    backend: str


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What ``wscore connect`` was told; timeout is in seconds and holds for opening and for closing."""

    url: str
    subprotocols: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    compress: bool
    cafile: Path | None
    timeout: float


def parse(argv: Sequence[str] | None) -> ServeOptions | ConnectOptions:
    """Read the arguments; None takes them from ``sys.argv``.

    Raises:
        SystemExit: help or the version was asked for (0), or the arguments are wrong (2).
    """
    parser = argparse.ArgumentParser(
        prog="wscore", description=_DESCRIPTION, epilog="wscore COMMAND --help tells more, with examples."
    )
    parser.add_argument("--version", action="version", version=f"wscore {_version()} ({wscore.BUILD})")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    serve = _add_serve(commands)
    _add_connect(commands)
    arguments = parser.parse_args(argv)
    if arguments.command == "connect":
        return _connect_options(arguments)
    if arguments.keyfile is not None and arguments.certfile is None:
        serve.error("--keyfile needs --certfile")
    return _serve_options(arguments)


def _version() -> str:
    """Return the installed distribution's version, or the package's own where none is installed."""
    try:
        return importlib.metadata.version("python-wscore")
    except importlib.metadata.PackageNotFoundError:
        return wscore.__version__


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Declare ``serve``."""
    parser = commands.add_parser(
        "serve",
        help="run an echo server, with a page for browsers",
        description=_SERVE,
        epilog=_SERVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="name or address to listen on (default: %(default)s)")
    add(
        "--port",
        type=_port,
        default=8765,
        help="port to listen on, 0 for any free one (default: %(default)s)",
    )
    add(
        "--max-message",
        type=_size,
        default=wscore.Limits().max_message_size,
        metavar="SIZE",
        help="longest message that is accepted: bytes, or with k, M or G (default: 1M)",
    )
    add(
        "--origin",
        action="append",
        metavar="ORIGIN",
        help='page that may connect, such as https://example.com; "*" for any; may be repeated '
        "(default: pages of this server)",
    )
    add("--compress", action="store_true", help="compress with clients that offer permessage-deflate")
    add(
        "--certfile",
        type=Path,
        metavar="FILE",
        help="certificate chain in PEM format: serve wss:// and https://",
    )
    add("--keyfile", type=Path, metavar="FILE", help="its private key, unless the certificate file holds it")
    add("--backend", choices=BACKENDS, default="threading", help="what waits (default: %(default)s)")
    return parser


def _add_connect(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare ``connect``."""
    parser = commands.add_parser(
        "connect",
        help="connect, type lines, see what comes back",
        description=_CONNECT,
        epilog=_CONNECT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="ws://host:port/path or wss://host:port/path")
    add("--subprotocol", action="append", metavar="NAME", help="offer it to the server; may be repeated")
    add("--header", action="append", type=_header, metavar='"NAME: VALUE"', help="send it; may be repeated")
    add("--origin", metavar="ORIGIN", help="send this Origin, as a browser's page would")
    add("--compress", action="store_true", help="offer permessage-deflate")
    add("--cafile", type=Path, metavar="FILE", help="trust the certificates of this PEM file, and no others")
    add(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="longest wait for the opening, and for the closing handshake (default: 10)",
    )


def _serve_options(arguments: argparse.Namespace) -> ServeOptions:
    """Give the parsed arguments their types; no ``--origin`` means the server's own pages."""
    origins: str | tuple[str, ...] = wscore.SAME_ORIGIN
    if arguments.origin:
        origins = wscore.ANY_ORIGIN if "*" in arguments.origin else tuple(arguments.origin)
    return ServeOptions(
        host=arguments.host,
        port=arguments.port,
        max_message=arguments.max_message,
        origins=origins,
        compress=arguments.compress,
        certfile=arguments.certfile,
        keyfile=arguments.keyfile,
        backend=arguments.backend,
    )


def _connect_options(arguments: argparse.Namespace) -> ConnectOptions:
    """Give the parsed arguments their types; an origin is one more header."""
    headers: list[tuple[str, str]] = list(arguments.header or ())
    if arguments.origin is not None:
        headers.append(("Origin", arguments.origin))
    return ConnectOptions(
        url=arguments.url,
        subprotocols=tuple(arguments.subprotocol or ()),
        headers=tuple(headers),
        compress=arguments.compress,
        cafile=arguments.cafile,
        timeout=arguments.timeout,
    )


def _port(text: str) -> int:
    """Read a port number."""
    if re.fullmatch("[0-9]{1,5}", text) and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, not {text!r}")


def _size(text: str) -> int:
    """Read a size: 65536, 64k, 1M, 1MiB."""
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    if not size:
        raise argparse.ArgumentTypeError(f"expected a size such as 65536, 64k or 1M, not {text!r}")
    return size


def _seconds(text: str) -> float:
    """Read a positive number of seconds."""
    if re.fullmatch(r"[0-9]*\.?[0-9]+", text) and float(text) > 0:
        return float(text)
    raise argparse.ArgumentTypeError(f"expected a positive number of seconds, not {text!r}")


def _header(text: str) -> tuple[str, str]:
    """Split "Name: value"; whether both are legal is the core's to say."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f'expected "Name: value", not {text!r}')
    return name.strip(), value.strip()
