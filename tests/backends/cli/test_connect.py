"""``wscore connect`` in a pipe: what goes to which output, and what the exit status says."""

import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import wscore_threading
from support.certificates import make_certificates
from support.command import GUARD, command, guarded, run, serving
from wscore import Request, Response
from wscore_cli import main

Handler = Callable[[wscore_threading.Session], object]


@contextmanager
def server_doing(
    handler: Handler, process_request: Callable[[Request], Response | None] | None = None
) -> Iterator[str]:
    """Run a server inside this process; the value is its address."""
    with wscore_threading.serve(
        handler, "127.0.0.1", 0, subprotocols=["chat.v2"], process_request=process_request
    ) as server:
        yield f"ws://127.0.0.1:{server.port}/"


def echo(session: wscore_threading.Session) -> None:
    """Send everything back."""
    for message in session:
        session.send(message)


def test_every_line_is_sent_and_every_answer_printed() -> None:
    with serving() as server:
        done = run("connect", server.url, typed="one\n\nGrüße 😀\nlast, without an end")
    assert done.stdout == "one\n\nGrüße 😀\nlast, without an end\n"
    assert done.stderr == "wscore: connected\nwscore: closed with 1000 (normal closure)\n"
    assert done.returncode == 0


def test_a_long_input_comes_back_whole() -> None:
    lines = "".join(f"{number}: {'x' * 1000}\n" for number in range(3000))
    with serving() as server:
        done = run("connect", server.url, typed=lines)
    assert done.stdout == lines and done.returncode == 0


def test_messages_that_come_before_the_peers_close_are_printed() -> None:
    def late(session: wscore_threading.Session) -> None:
        for message in session:
            session.send(f"heard {message!r}")
        # Not reached before the client's Close: it has been read to its end.

    with server_doing(late) as url:
        done = run("connect", url, typed="a\nb\n")
    assert (done.returncode, done.stdout) == (0, "heard 'a'\nheard 'b'\n")


def test_nothing_that_arrives_controls_the_terminal() -> None:
    def hostile(session: wscore_threading.Session) -> None:
        session.send("\x1b]0;title\x07\x9b2J\r\u202e")
        session.send("two\nlines\tand a tab")
        session.send(b"\x00\x1b\xff")
        session.close(4000, "\x1b[31mred\n")

    with server_doing(hostile) as url:
        done = run("connect", url)
    shown = "\\x1b]0;title\\x07\\x9b2J\\x0d\\u202e\ntwo\nlines\tand a tab\nbinary: 001bff\n"
    assert done.stdout == shown
    assert 'with 4000: "\\x1b[31mred\\x0a"' in done.stderr and "\x1b" not in done.stderr


def test_a_peer_that_closes_ends_the_program_though_input_is_open() -> None:
    def brief(session: wscore_threading.Session) -> None:
        session.send("go away")
        session.close(4001, "enough")

    with (
        server_doing(brief) as url,
        subprocess.Popen(
            command("connect", url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process,
        guarded(process),
    ):
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read() == "go away\n"
        assert process.stderr.read() == 'wscore: connected\nwscore: closed by the peer with 4001: "enough"\n'
        assert process.wait() == 0  # and nobody has closed its input


def test_a_lost_connection_is_an_error() -> None:
    with server_doing(lambda session: session.abort()) as url:
        done = run("connect", url, typed="hello\n")
    assert done.returncode == 1
    assert "wscore: not closed cleanly: 1006 (abnormal closure); the connection was lost" in done.stderr


def test_a_reader_that_goes_away_ends_the_conversation_quietly() -> None:
    said: list[tuple[int, bool]] = []

    def chatty(session: wscore_threading.Session) -> None:
        try:
            while True:
                session.send("x" * 1000)
        finally:
            for _ in session:
                pass
            assert session.closed is not None
            said.append((session.closed.code, session.closed.clean))

    with (
        server_doing(chatty) as url,
        subprocess.Popen(
            command("connect", url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process,
        guarded(process),
    ):
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        shown = process.stderr.read()
        assert (process.wait(), shown) == (
            0,
            "wscore: connected\nwscore: closed with 1001 (going away)\n",
        )


def test_a_line_that_is_no_text_is_named_and_the_others_are_sent() -> None:
    with serving() as server:
        done = run("connect", server.url, typed=b"one\n\xff\xfe\nthree\n", environment={"PYTHONUTF8": "1"})
    assert done.stdout == "one\nthree\n" and done.returncode == 1
    assert "wscore: line 2 was not sent: it is not valid text\n" in done.stderr


def test_an_output_that_cannot_show_everything_shows_escapes() -> None:
    def colourful(session: wscore_threading.Session) -> None:
        session.send("Grüße 😀")
        session.close(1000, "ü")

    with server_doing(colourful) as url:
        done = run("connect", url, environment={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, "Gr\\xfc\\xdfe \\U0001f600\n")
    assert done.stderr.endswith('(normal closure): "\\xfc"\n')


@pytest.mark.skipif(os.name != "posix", reason="needs a shell that closes descriptors")
def test_without_an_input_it_closes_at_once() -> None:
    with serving() as server:
        line = f'exec "{sys.executable}" -P -m wscore_cli connect {server.url} <&-'
        done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=GUARD, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_an_input_that_is_no_file_is_read_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    with server_doing(echo) as url:
        assert main(["connect", url]) == 0
    shown = capsys.readouterr()
    assert shown.out == "one\ntwo\n" and "closed with 1000" in shown.err


def test_headers_origin_and_subprotocol_reach_the_server() -> None:
    seen: list[Request] = []

    def note(session: wscore_threading.Session) -> None:
        seen.append(session.request)
        session.close()

    arguments = ["--subprotocol", "chat.v1", "--subprotocol", "chat.v2", "--header", "X-One: 1: one"]
    with server_doing(note) as url:
        host = url.removeprefix("ws://").rstrip("/")
        done = run("connect", f"{url}path?query", *arguments, "--origin", f"http://{host}")
    assert done.returncode == 0 and "connected with subprotocol chat.v2" in done.stderr
    (request,) = seen
    assert (request.target, request.origin) == ("/path?query", f"http://{host}")
    assert request.headers["x-one"] == "1: one" and request.subprotocols == ("chat.v1", "chat.v2")


def test_compression_is_offered_if_told() -> None:
    offered: list[str | None] = []

    def note(session: wscore_threading.Session) -> None:
        offered.append(session.request.headers.get("sec-websocket-extensions"))
        session.close()

    with server_doing(note) as url:
        assert run("connect", url).returncode == run("connect", url, "--compress").returncode == 0
    with serving("--compress") as server:
        assert "connected, compressed" in run("connect", server.url, "--compress").stderr
        assert "compressed" not in run("connect", server.url).stderr
    assert offered[0] is None
    assert offered[1] is not None and offered[1].startswith("permessage-deflate")


def test_tls_is_checked_against_the_given_authority(tmp_path: Path) -> None:
    files = make_certificates().write_files(tmp_path)
    stranger = tmp_path / "stranger.pem"
    make_certificates().authority.cert_pem.write_to_path(stranger)
    arguments = ("--certfile", str(files.server_certificate), "--keyfile", str(files.server_key))
    with serving(*arguments) as server:
        good = run("connect", server.url, "--cafile", str(files.authority), typed="in secret\n")
        assert (good.returncode, good.stdout) == (0, "in secret\n")
        for distrustful in ([], ["--cafile", str(stranger)]):
            bad = run("connect", server.url, *distrustful)
            assert bad.returncode == 1 and bad.stdout == ""
            assert bad.stderr.startswith("wscore: the certificate of 127.0.0.1 is not trusted: ")
            assert bad.stderr.count("\n") == 1


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """Listen, and give each caller the same bytes, or (None) never a word; the value is host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    caller, _ = listener.accept()
                    kept.append(caller)
                    if answer is not None:
                        caller.recv(65536)
                        caller.sendall(answer)
                        caller.shutdown(socket.SHUT_WR)
            except OSError:  # the listener is closed
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for caller in kept:
                caller.close()


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run connect inside this process, expecting it to fail, and return its one sentence."""
    assert main(["connect", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("wscore: ") and shown.err.count("\n") == 1
    return shown.err.removeprefix("wscore: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://127.0.0.1/"], "starts with ws:// or wss://"),
        (["127.0.0.1:80"], "ws://"),
        (["ws:///path"], "host"),
        (["ws://127.0.0.1:99999/"], "not a valid address"),
        (["ws://127.0.0.1/#part"], "fragment"),
        (["ws://127.0.0.1:1/", "--header", "Bad Name: x"], "Bad Name"),
        (["ws://127.0.0.1:1/", "--subprotocol", "not a token"], "not a token"),
        (["ws://127.0.0.1:1/", "--cafile", "ca.pem"], "--cafile needs an address that starts with wss://"),
        (["wss://127.0.0.1:1/", "--cafile", "/nowhere/ca.pem"], "/nowhere/ca.pem: No such file"),
    ],
)
def test_wrong_arguments_are_said_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in failing(capsys, *arguments)


def test_a_closed_port_is_said_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    said = failing(capsys, f"ws://{place}/")
    assert said == f"nothing listens on {place}: the connection was refused"


def test_an_unknown_host_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said = failing(capsys, "ws://nosuch.example/")
    assert said == "cannot find the host nosuch.example: Name or service not known"


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "HTTP 403 Forbidden"), (503, "HTTP 503 Service Unavailable"), (499, "HTTP 499")],
)
def test_a_refusal_is_told_with_its_status(
    status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with server_doing(echo, lambda request: Response(status, body=b"\x1b[31mno\n")) as url:
        place = url.removeprefix("ws://").rstrip("/")
        assert failing(capsys, url) == f"{place} refused the WebSocket handshake: {said}"


def test_a_redirect_is_told_with_its_target(capsys: pytest.CaptureFixture[str]) -> None:
    answer = b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"
    with listening(answer) as place:
        said = failing(capsys, f"ws://{place}/")
    assert said.endswith("HTTP 301 Moved Permanently; it points to https://elsewhere.example/")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-Server\r\n\r\n", "does not speak WebSocket"),
        (
            b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "does not speak WebSocket",
        ),
        (b"", "ended the connection during the opening handshake"),
    ],
)
def test_a_server_of_something_else_is_recognised(
    answer: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(answer) as place:
        assert said in failing(capsys, f"ws://{place}/")


def test_a_server_that_says_nothing_is_left_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(None) as place:
        said = failing(capsys, f"ws://{place}/", "--timeout", "0.3")
    assert said == f"{place} did not complete the opening handshake within 0.3 s"


def test_tls_with_a_server_that_has_none_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as place:
        assert failing(capsys, f"wss://{place}/").startswith(f"TLS with {place} failed: ")
