"""``wscore serve`` as a process: what it prints, what it answers, and how it ends."""

import base64
import hashlib
import http.client
import re
import signal
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import wscore_threading
from support.certificates import make_certificates
from support.command import GUARD, Serving, run, serving
from wscore import Config, Deflate, HandshakeRefused

EACH_BACKEND = pytest.mark.parametrize("backend", ["threading", "asyncio", "selectors"])


def get(server: Serving, target: str, method: str = "GET") -> tuple[http.client.HTTPResponse, bytes]:
    """Make one plain HTTP request."""
    client = http.client.HTTPConnection(urlsplit(server.page).netloc, timeout=GUARD)
    try:
        client.request(method, target)
        response = client.getresponse()
        return response, response.read()
    finally:
        client.close()


@EACH_BACKEND
def test_every_message_comes_back(backend: str) -> None:
    with serving("--backend", backend) as server, wscore_threading.connect(server.url) as session:
        for message in ("text", "", b"bytes", b"", "x" * 100_000, bytes(range(256)) * 1000):
            session.send(message)
            assert session.recv(timeout=GUARD) == message


@EACH_BACKEND
def test_connections_are_logged_with_control_characters_escaped(backend: str) -> None:
    with serving("--backend", backend) as server:
        with wscore_threading.connect(f"{server.url}a%1b%5b31m%0Ab") as session:
            local = session.local_address
            session.close(3000, "no\x1b[31m\nnews")
        assert server.wait_for(r"^(\S+) connected /a\\x1b\[31m\\x0ab$") == f"{local[0]}:{local[1]}"
        assert server.wait_for("(closed.*)") == 'closed by the peer with 3000: "no\\x1b[31m\\x0anews"'


@EACH_BACKEND
def test_a_lost_connection_is_logged_as_one(backend: str) -> None:
    with serving("--backend", backend) as server:
        with wscore_threading.connect(server.url) as session:
            session.abort()
        assert server.wait_for("(not closed.*)").startswith("not closed cleanly: 1006 (abnormal closure)")


def test_a_browser_gets_the_page_with_a_strict_policy() -> None:
    with serving() as server:
        response, body = get(server, "/")
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    for element in (b"script", b"style"):
        (text,) = re.findall(b"<%b>(.*?)</%b>" % (element, element), body, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(text).digest()).decode() in policy


def test_the_page_uses_nothing_from_outside() -> None:
    with serving() as server:
        page = get(server, "/")[1].decode()
    # The one address in it is the name of SVG's namespace, inside the icon.
    assert set(re.findall(r"(?:https?:)?//[a-z0-9.]+\.[a-z]+[^'\" ]*", page)) == {
        "http://www.w3.org/2000/svg"
    }
    assert not re.search(r"\son[a-z]+=|javascript:|innerHTML|style=", page)


@pytest.mark.parametrize(
    ("target", "method", "status", "body"),
    [
        ("/healthz", "GET", 200, b"ok"),
        ("/healthz?deep=1", "GET", 200, b"ok"),
        ("/elsewhere", "GET", 404, b"not found; the page is at /\n"),
        ("/favicon.ico", "GET", 404, b"not found; the page is at /\n"),
    ],
)
def test_plain_requests_are_answered(target: str, method: str, status: int, body: bytes) -> None:
    with serving() as server:
        response, received = get(server, target, method)
    assert (response.status, received) == (status, body)
    assert response.headers["x-content-type-options"] == "nosniff"


def test_other_methods_are_refused() -> None:
    with serving() as server:
        assert get(server, "/", "POST")[0].status == 405


def test_pages_of_other_servers_may_not_connect_unless_told() -> None:
    foreign = [("Origin", "https://elsewhere.example")]
    with serving() as server:
        with pytest.raises(HandshakeRefused) as refused:
            wscore_threading.connect(server.url, headers=foreign)
        assert refused.value.response.status == 403
        wscore_threading.connect(server.url, headers=[("Origin", server.page.rstrip("/"))]).close()
    for allowed in ("https://elsewhere.example", "*"):
        with serving("--origin", allowed) as server:
            wscore_threading.connect(server.url, headers=foreign).close()


def test_the_longest_message_can_be_set() -> None:
    with serving("--max-message", "1k") as server, wscore_threading.connect(server.url) as session:
        session.send("x" * 1024)
        assert session.recv(timeout=GUARD) == "x" * 1024
        session.send("x" * 1025)
        assert list(session) == []
        assert session.closed is not None and session.closed.code == 1009


def test_clients_that_offer_compression_get_it_if_told() -> None:
    config = Config(compression=Deflate())
    with serving("--compress") as server, wscore_threading.connect(server.url, config=config) as session:
        assert session.extensions.startswith("permessage-deflate")
        session.send("x" * 100_000)
        assert session.recv(timeout=GUARD) == "x" * 100_000
        assert session.stats.wire_received < 2000
    with serving() as server, wscore_threading.connect(server.url, config=config) as session:
        assert session.extensions == ""


@EACH_BACKEND
def test_tls_is_served_with_a_certificate(tmp_path: Path, backend: str) -> None:
    certificates = make_certificates()
    files = certificates.write_files(tmp_path)
    arguments = ("--certfile", str(files.server_certificate), "--keyfile", str(files.server_key))
    context = certificates.client_context()
    with serving(*arguments, "--backend", backend) as server:
        assert server.url.startswith("wss://127.0.0.1:") and server.page.startswith("https://127.0.0.1:")
        with wscore_threading.connect(server.url, ssl=context) as session:
            session.send("in secret")
            assert session.recv(timeout=GUARD) == "in secret"
        client = http.client.HTTPSConnection(urlsplit(server.page).netloc, timeout=GUARD, context=context)
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"ok"
        client.close()


@EACH_BACKEND
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_server_says_goodbye(number: signal.Signals, backend: str) -> None:
    with serving("--backend", backend) as server, wscore_threading.connect(server.url) as session:
        server.wait_for("(connected)")
        server.process.send_signal(number)
        assert list(session) == []
        assert session.closed is not None
        assert (session.closed.code, session.closed.clean) == (1001, True)
        assert server.process.wait(GUARD) == 0


@EACH_BACKEND
def test_a_port_in_use_is_said_in_one_sentence(backend: str) -> None:
    with serving() as server:
        port = str(urlsplit(server.url).port)
        second = run("serve", "--port", port, "--backend", backend)
    assert second.returncode == 1 and second.stdout == ""
    assert second.stderr.startswith(f"wscore: 127.0.0.1:{port} is in use already")
    assert second.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file or directory"), ("no certificate", "cannot be used")]
)
def test_a_useless_certificate_is_said_in_one_sentence(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_text(content)
    done = run("serve", "--port", "0", "--certfile", str(path))
    assert done.returncode == 1 and said in done.stderr and str(path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    done = run("serve", "--host", "192.0.2.1", "--port", "0")
    assert done.returncode == 1 and done.stderr.startswith("wscore: cannot listen on 192.0.2.1:0: ")


def test_ssl_is_really_checked(tmp_path: Path) -> None:
    files = make_certificates().write_files(tmp_path)
    arguments = ("--certfile", str(files.server_certificate), "--keyfile", str(files.server_key))
    with serving(*arguments) as server, pytest.raises(ssl.SSLCertVerificationError):
        wscore_threading.connect(server.url)
