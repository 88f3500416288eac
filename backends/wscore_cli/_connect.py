"""``wscore connect``: lines go out, messages come in, and the end of either is noticed at once.

Three threads, each with one thing to wait for:

- the *typist* reads standard input and sends each line; at its end it sends Close 1000 and stops, while
  messages that the peer still sends are printed until the peer's Close comes;
- the *printer* takes messages from the session and prints them; its end is the end of the connection;
- the main thread waits for that, because only there Ctrl-C arrives. Then it closes with 1001.

A read of standard input cannot be cancelled on every system, so the typist is a daemon: when the peer
closes first it is left behind in its read. It must not share ``sys.stdin`` with the interpreter, which
at exit would wait for, and die of, the lock that such a read holds; it opens the descriptor anew.
"""

import io
import os
import ssl
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import wscore_threading
from wscore import (
    CloseCode,
    Config,
    ConnectionClosed,
    Deflate,
    LocalProtocolError,
    State,
    Timeouts,
    WSCoreError,
)

from ._arguments import ConnectOptions
from ._failures import CommandError, certificate_failure, closed_text, connect_failure
from ._screen import Screen
from ._signals import terminate_interrupts
from ._text import one_line

_TICK = 0.5  # seconds; an untimed wait could not be interrupted on Windows


def connect(options: ConnectOptions) -> int:
    """Hold one conversation.

    Returns:
        0 when every line was sent and the connection was closed cleanly, otherwise 1.

    Raises:
        CommandError: there was no conversation.
    """
    _print_everything()
    screen = Screen()
    with terminate_interrupts():
        try:
            session = _open(options)
        except KeyboardInterrupt:
            raise CommandError("interrupted before the connection was open") from None
        with session:
            return Conversation(session, screen).hold()


def _open(options: ConnectOptions) -> wscore_threading.Session:
    """Connect, or say in one sentence why not."""
    context = _client_context(options)
    timeouts = Timeouts(open=options.timeout, close=options.timeout)
    try:
        return wscore_threading.connect(
            options.url,
            config=Config(timeouts=timeouts, compression=Deflate() if options.compress else None),
            headers=options.headers,
            subprotocols=options.subprotocols,
            ssl=context,
        )
    except (WSCoreError, OSError, ValueError) as error:
        raise connect_failure(error, options.url, options.timeout) from error


def _client_context(options: ConnectOptions) -> ssl.SSLContext | None:
    """Load ``--cafile``; without it the backend trusts what the system trusts."""
    if options.cafile is None:
        return None
    if not options.url.lower().startswith("wss:"):
        raise CommandError("--cafile needs an address that starts with wss://")
    try:
        return ssl.create_default_context(cafile=str(options.cafile))
    except OSError as error:
        raise certificate_failure(error, str(options.cafile)) from error


class Conversation:
    """One session, one keyboard, one screen."""

    def __init__(self, session: wscore_threading.Session, screen: Screen) -> None:
        self._session = session
        self._screen = screen
        self._ended = threading.Event()
        self._all_sent = True

    def hold(self) -> int:
        """Let both sides talk until the connection has ended, and return the exit status."""
        subprotocol = self._session.subprotocol
        agreed = f" with subprotocol {one_line(subprotocol)}" if subprotocol else ""
        hint = "; Ctrl-D ends the conversation" if self._screen.interactive else ""
        compressed = ", compressed" if self._session.extensions else ""
        self._screen.notice(f"connected{agreed}{compressed}{hint}")
        try:
            threading.Thread(target=self._print, name="wscore printer", daemon=True).start()
            threading.Thread(target=self._type, name="wscore typist", daemon=True).start()
            self._wait()
        except KeyboardInterrupt:
            self._interrupted()
        closed = self._session.closed
        assert closed is not None  # the printer's end is the connection's
        self._screen.notice(closed_text(closed))
        return 0 if closed.clean and self._all_sent else 1

    def _interrupted(self) -> None:
        """Close on request; a second request does not wait for the peer's answer."""
        try:
            self._session.close(CloseCode.GOING_AWAY)
            self._wait()
        except KeyboardInterrupt:
            self._session.abort()
            raise

    def _wait(self) -> None:
        """Wait until everything that will ever arrive has been printed."""
        while not self._ended.wait(_TICK):
            pass

    def _print(self) -> None:
        """Print what comes in; the printer's thread."""
        try:
            for message in self._session:
                self._screen.message(message)
        except ConnectionClosed:
            pass  # how it ended is said at the end
        except OSError:
            self._leave_unread()
        finally:
            self._ended.set()

    def _leave_unread(self) -> None:
        """Go away: nobody reads standard output, as after ``| head -1``."""
        # Python would complain at exit that it cannot write the rest out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self._session.close(CloseCode.GOING_AWAY)

    def _type(self) -> None:
        """Send the lines of standard input; the typist's thread."""
        try:
            self._screen.prompt()
            for number, line in enumerate(_input_lines(), start=1):
                self._send(number, line)
                self._screen.prompt()
            self._session.close(CloseCode.NORMAL_CLOSURE, wait=False)
        except WSCoreError:
            pass  # closed by the other side, or by Ctrl-C: the main thread tells

    def _send(self, number: int, line: str) -> None:
        """Send one line; one that cannot be sent is named, and the next has its turn."""
        try:
            line.encode()
            self._session.send(line)
        except UnicodeEncodeError:
            self._not_sent(number, "it is not valid text")
        except LocalProtocolError as error:
            if self._session.state is not State.OPEN:
                raise
            self._not_sent(number, str(error))

    def _not_sent(self, number: int, why: str) -> None:
        self._all_sent = False
        self._screen.notice(f"line {number} was not sent: {why}")


def _input_lines() -> Iterator[str]:
    """Yield the lines of standard input without their ends; undecodable bytes become surrogates."""
    if sys.stdin is None:  # started without one, as a service is
        return
    try:
        source: TextIO = open(  # noqa: SIM115 - never closed: see the module's theory
            sys.stdin.fileno(), encoding=sys.stdin.encoding, errors="surrogateescape", closefd=False
        )
    except io.UnsupportedOperation:  # replaced by something that is no file
        source = sys.stdin
    try:
        for line in source:
            yield line.removesuffix("\n")
    except OSError:  # the terminal is gone: no more lines
        return


def _print_everything() -> None:
    """Let both outputs take any text, whatever their encoding: what it lacks is shown escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
