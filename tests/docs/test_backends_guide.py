"""What the guide for authors of backends shows is run, and what it names is there."""

import ast
import doctest
import re
import runpy
import ssl
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401  # it looks at trio when it is imported: not after the collector was frozen
import pytest
import trio

import wscore.policy
import wscore_sockets
from support.certificates import make_certificates
from wscore import Connection, Role, State
from wscore_tls import TLSFilter, pass_input

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "backends.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SESSIONS = [block for block in BLOCKS if block.startswith(">>> ")]


def block(word: str) -> str:
    """Return the one block of code, not of a session, that has word in it."""
    [found] = [code for code in BLOCKS if word in code and code not in SESSIONS]
    return found


def test_the_sessions_go_as_they_are_printed() -> None:
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    names: dict[str, Any] = {}  # a session goes on where the one before it ended
    for number, session in enumerate(SESSIONS):
        test = parser.get_doctest(session, names, f"session {number}", "backends.md", 0)
        runner.run(test, clear_globs=False)
        names = test.globs
    results = runner.summarize()
    assert results.failed == 0
    assert results.attempted > 60


def test_the_driver_is_the_one_of_the_examples() -> None:
    example = (DOCS / "examples" / "blocking_driver.py").read_text(encoding="utf-8")
    shown = block("def drive(")
    assert shown.rstrip("\n") in example
    [drive] = [node for node in ast.parse(example).body if isinstance(node, ast.FunctionDef)][:1]
    assert (ast.get_source_segment(example, drive) or "nothing") in shown
    assert drive.end_lineno is not None
    assert drive.end_lineno - drive.lineno <= 42


def test_the_trio_driver_does_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(DOCS / "examples" / "trio_driver.py"), run_name="example")
    exec(block("async def main"), names)
    trio.run(names["main"])
    assert capsys.readouterr().out == "hello\n"


def test_two_calls_put_tls_between_a_core_and_its_transport() -> None:
    names: dict[str, Any] = {}
    exec(block("def take("), names)
    take = names["take"]
    certificates = make_certificates()
    client, server = Connection(Role.CLIENT, now=0.0), Connection(Role.SERVER, now=0.0)
    outer = TLSFilter(certificates.client_context(), server_side=False, server_hostname="localhost")
    inner = TLSFilter(certificates.server_context(), server_side=True)

    def exchange() -> None:
        quiet = False
        while not quiet:
            there, back = take(client, outer, 0.0), take(server, inner, 0.0)
            quiet = not there and not back
            if there:
                pass_input(inner, there, server, 0.0)
            if back:
                pass_input(outer, back, client, 0.0)

    client.send_request("wss://localhost/", now=0.0)
    exchange()
    assert server.next_event() is not None
    server.accept(now=0.0)
    client_text = "hello"
    exchange()
    client.send_text(client_text)
    client.close(now=0.0)
    exchange()
    events = [server.next_event() for _ in range(4)]
    assert events[1] == client_text
    exchange()
    pass_input(outer, take(server, inner, 0.0, last=True), client, 0.0)  # close_notify
    assert client.state is State.CLOSED
    assert not outer.truncated
    pass_input(inner, take(client, outer, 0.0, last=True), server, 0.0)
    assert server.state is State.CLOSED


def test_a_failed_tls_handshake_lets_the_alert_out_and_settles_the_connection() -> None:
    names: dict[str, Any] = {"ssl": ssl}
    exec(block("def take("), names)
    take = names["take"]
    client, server = Connection(Role.CLIENT, now=0.0), Connection(Role.SERVER, now=0.0)
    outer = TLSFilter(make_certificates().client_context(), server_side=False, server_hostname="localhost")
    inner = TLSFilter(make_certificates().server_context(), server_side=True)  # of another authority
    client.send_request("wss://localhost/", now=0.0)
    pass_input(inner, take(client, outer, 0.0), server, 0.0)
    pass_input(outer, take(server, inner, 0.0), client, 0.0)
    assert client.state is State.CLOSED
    assert client.transport_action().name == "CLOSE"  # in good order, so that the alert arrives
    pass_input(inner, take(client, outer, 0.0), server, 0.0)
    assert isinstance(inner.error, ssl.SSLError)
    assert server.state is State.CLOSED


def test_every_output_and_input_of_the_core_is_explained() -> None:
    for name in (
        *("next_event", "data_to_send", "transport_action", "next_deadline", "wants_read", "writable"),
        *("receive_data", "receive_eof", "handle_deadline", "handle_progress", "suspend", "resume"),
        *("events_waiting", "buffered_amount", "established"),
    ):
        assert hasattr(Connection, name)
        assert name in PAGE, name


def test_every_decision_and_helper_that_the_page_names_exists() -> None:
    section = PAGE.partition("## Decisions that are taken already")[2].partition("```")[0]
    decisions = re.findall(r"`(\w+)`", section.partition("| --- |")[2])
    assert len(decisions) > 15
    assert [name for name in decisions if name not in wscore.policy.__all__] == []
    section = PAGE.partition("## Sockets")[2].partition("\n## ")[0]
    helpers = [name for name in re.findall(r"`(\w+)`", section) if name != "wscore_sockets"]
    assert [name for name in helpers if not hasattr(wscore_sockets, name)] == []


def test_every_link_of_the_page_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target[1:] in headings if target.startswith("#") else (DOCS / target).exists(), target
    assert "(backends.md)" in (DOCS / "index.md").read_text(encoding="utf-8")
