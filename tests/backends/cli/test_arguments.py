"""The command line: text in, options out."""

from pathlib import Path

import pytest

import wscore
from wscore_cli import main
from wscore_cli._arguments import ConnectOptions, ServeOptions, parse


def test_serve_has_safe_defaults() -> None:
    assert parse(["serve"]) == ServeOptions(
        host="127.0.0.1",
        port=8765,
        max_message=1024**2,
        origins=wscore.SAME_ORIGIN,
        compress=False,
        certfile=None,
        keyfile=None,
        backend="threading",
    )


def test_serve_takes_everything() -> None:
    arguments = "serve --host ::1 --port 0 --max-message 2k --origin http://a --origin http://b"
    more = "--compress --certfile c.pem --keyfile k.pem --backend asyncio"
    options = parse([*arguments.split(), *more.split()])
    origins = ("http://a", "http://b")
    assert options == ServeOptions("::1", 0, 2048, origins, True, Path("c.pem"), Path("k.pem"), "asyncio")


def test_a_star_among_the_origins_allows_any() -> None:
    options = parse(["serve", "--origin", "http://a", "--origin", "*"])
    assert isinstance(options, ServeOptions) and options.origins == wscore.ANY_ORIGIN


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("65536", 65536), ("64k", 65536), ("64KiB", 65536), ("1M", 1024**2), ("2 MB", 2 * 1024**2)],
)
def test_sizes_are_written_as_people_write_them(text: str, size: int) -> None:
    options = parse(["serve", "--max-message", text])
    assert isinstance(options, ServeOptions) and options.max_message == size


def test_connect_has_simple_defaults() -> None:
    assert parse(["connect", "ws://a/"]) == ConnectOptions("ws://a/", (), (), False, None, 10.0)


def test_connect_takes_everything() -> None:
    arguments = ["connect", "ws://a/", "--subprotocol", "one", "--subprotocol", "two", "--timeout", "2.5"]
    headers = [
        "--compress",
        "--header",
        "X-Name:  value: with colon ",
        "--origin",
        "http://b",
        "--cafile",
        "ca.pem",
    ]
    assert parse(arguments + headers) == ConnectOptions(
        url="ws://a/",
        subprotocols=("one", "two"),
        headers=(("X-Name", "value: with colon"), ("Origin", "http://b")),
        compress=True,
        cafile=Path("ca.pem"),
        timeout=2.5,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["explode"], "explode"),
        (["connect"], "URL"),
        (["serve", "--port", "65536"], "a port from 0 to 65535"),
        (["serve", "--port", "-1"], "port"),
        (["serve", "--port", "x"], "a port from 0 to 65535"),
        (["serve", "--max-message", "0"], "a size such as"),
        (["serve", "--max-message", "much"], "a size such as"),
        (["serve", "--keyfile", "k.pem"], "--keyfile needs --certfile"),
        (["serve", "--backend", "carrier"], "threading"),
        (["connect", "ws://a/", "--header", "no colon"], "Name: value"),
        (["connect", "ws://a/", "--header", ": no name"], "Name: value"),
        (["connect", "ws://a/", "--timeout", "0"], "a positive number of seconds"),
        (["connect", "ws://a/", "--timeout", "inf"], "a positive number of seconds"),
    ],
)
def test_wrong_usage_is_explained(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err and "Traceback" not in shown.err and shown.out == ""


def test_the_version_names_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wscore {wscore.__version__} ({wscore.BUILD})\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], ["serve", "connect", "--version"]),
        (["serve", "--help"], ["examples:", "--certfile", "8765", "Ctrl-C"]),
        (["connect", "--help"], ["examples:", "--subprotocol", "printf", "exit status"]),
    ],
)
def test_help_helps(arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(words in out for words in said)
