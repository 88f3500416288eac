"""``wscore connect`` with a person at a terminal: prompts, Ctrl-C, Ctrl-D, and lines that cross."""

import base64
import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import wscore_threading
from support.command import GUARD, serving, terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


def test_a_typed_line_is_echoed_and_ctrl_d_closes_normally() -> None:
    with serving() as server, terminal("connect", server.url) as screen:
        screen.wait_for("connected; Ctrl-D ends the conversation")
        screen.wait_for("> ")
        screen.type("hello\r")
        screen.wait_for("hello")  # as the terminal shows what is typed
        screen.wait_for("hello\r\n")  # as it came back
        screen.type("\x04")
        assert screen.wait_for_end() == 0
        assert screen.shown.endswith("wscore: closed with 1000 (normal closure)\r\n")
        assert server.wait_for("(closed.*)") == "closed by the peer with 1000 (normal closure)"


def test_ctrl_c_goes_away_cleanly() -> None:
    with serving() as server, terminal("connect", server.url) as screen:
        screen.wait_for("> ")
        screen.type("hello\r")
        screen.wait_for("hello")
        screen.wait_for("hello\r\n")  # as it came back: by now all threads of the command are at their work
        screen.type("\x03")
        assert screen.wait_for_end() == 0
        assert screen.shown.endswith("wscore: closed with 1001 (going away)\r\n")
        assert server.wait_for("(closed.*)") == "closed by the peer with 1001 (going away)"


def test_a_peer_that_closes_ends_the_prompt_at_once() -> None:
    released = threading.Event()

    def until_released(session: wscore_threading.Session) -> None:
        released.wait(GUARD)
        session.close(4002, "bye\x1b")

    with (
        wscore_threading.serve(until_released, "127.0.0.1", 0) as server,
        terminal("connect", f"ws://127.0.0.1:{server.port}/") as screen,
    ):
        screen.wait_for("> ")
        released.set()
        assert screen.wait_for_end() == 0
    assert screen.shown.endswith('wscore: closed by the peer with 4002: "bye\\x1b"\r\n')


def test_a_message_appears_above_the_line_that_is_being_typed() -> None:
    sessions: list[wscore_threading.Session] = []
    heard: list[str | bytes] = []
    opened = threading.Event()

    def listen(session: wscore_threading.Session) -> None:
        sessions.append(session)
        opened.set()
        for message in session:
            heard.append(message)
            session.close()

    with (
        wscore_threading.serve(listen, "127.0.0.1", 0) as server,
        terminal("connect", f"ws://127.0.0.1:{server.port}/") as screen,
    ):
        screen.wait_for("> ")
        assert opened.wait(GUARD)
        screen.type("par")
        screen.wait_for("par")
        sessions[0].send("news")
        screen.wait_for("\x1b7\r\n\x1b[A\x1b[Lnews\r\n\x1b8\x1b[B")
        sessions[0].send("x" * 200)  # more than a row: printed over the line, and the prompt anew
        screen.wait_for("\r\x1b[K" + "x" * 200 + "\r\n> ")
        screen.type("tial\r")
        assert screen.wait_for_end() == 0
    assert heard == ["partial"]


def test_ctrl_c_while_connecting_ends_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        terminal("connect", f"ws://127.0.0.1:{listener.getsockname()[1]}/") as screen,
    ):
        caller, _ = listener.accept()
        with caller:
            assert caller.recv(1) == b"G"
            screen.type("\x03")
            assert screen.wait_for_end() == 1
    assert screen.shown.endswith("wscore: interrupted before the connection was open\r\n")


@contextmanager
def deaf_server() -> Iterator[tuple[str, threading.Event]]:
    """Accept one WebSocket and never answer its Close; the event tells that a frame has come."""
    heard = threading.Event()

    def serve() -> None:
        caller, _ = listener.accept()
        with caller, caller.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n"))
            key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
            assert key is not None
            digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            caller.sendall(b"HTTP/1.1 101 Yes\r\n" + fields + base64.b64encode(digest) + b"\r\n\r\n")
            stream.read(1)
            heard.set()
            with suppress(ConnectionResetError):  # who gives up on it resets the connection
                stream.read()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/", heard
        thread.join()


def test_a_second_ctrl_c_does_not_wait_for_the_peer() -> None:
    with deaf_server() as (url, heard), terminal("connect", url, "--timeout", "50") as screen:
        screen.wait_for("> ")
        screen.type("\x03")
        assert heard.wait(GUARD)
        screen.type("\x03")
        assert screen.wait_for_end() == 130
    assert "Traceback" not in screen.shown


def test_a_peer_that_never_answers_our_close_is_an_error() -> None:
    with deaf_server() as (url, _), terminal("connect", url, "--timeout", "0.5") as screen:
        screen.wait_for("> ")
        screen.type("\x04")
        assert screen.wait_for_end() == 1
    assert "not closed cleanly: 1006 (abnormal closure)" in screen.shown


def test_a_message_that_crosses_ctrl_d_is_still_printed() -> None:
    closing = threading.Event()

    def last_word(session: wscore_threading.Session) -> None:
        for message in session:
            closing.wait(GUARD)
            session.send(f"{message!r} to you, too")

    with (
        wscore_threading.serve(last_word, "127.0.0.1", 0) as server,
        terminal("connect", f"ws://127.0.0.1:{server.port}/") as screen,
    ):
        screen.wait_for("> ")
        screen.type("bye\r")
        screen.wait_for("> ")
        screen.type("\x04")
        closing.set()
        assert screen.wait_for_end() == 0
    assert "'bye' to you, too\r\n" in screen.shown
