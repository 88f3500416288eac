"""A client: what `connect` sends, what it raises, and how endpoints of a client are served."""

import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from support.certificates import make_certificates
from support.conformance.facade import Facade, Serving
from support.conformance.frames import frames_from
from support.conformance.setting import Setting
from support.eventually import Background, background
from support.handshakes import head, request, response
from support.raw import RawListener, RawPeer, answer
from support.recorder import Recorder
from support.stopwatch import within
from support.wire import TEXT
from wscore import (
    Config,
    ConnectionLost,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    Timeouts,
    Timer,
    Violation,
)


def opening(
    setting: Setting, listener: RawListener, **keywords: Any
) -> tuple[Background[Facade], RawPeer, bytes]:
    """Let a client of ours send its request; give its call, the server, and the request."""
    call = background(lambda: setting.connect(setting.url(listener), **keywords))
    peer = setting.secured(listener.accept())
    return call, peer, peer.read_head()


def test_the_request_carries_target_headers_and_subprotocols(dialling: Setting) -> None:
    with RawListener() as listener:
        headers = [("Origin", "https://example.com"), ("X-Twice", "1"), ("X-Twice", "2")]
        url = dialling.url(listener) + "a/b?c=d"
        call = background(lambda: dialling.connect(url, headers=headers, subprotocols=["one", "two"]))
        peer = dialling.secured(listener.accept())
        lines = peer.read_head().split(b"\r\n")
        peer.close()
        assert isinstance(call.error(), ConnectionLost | OSError)
    assert lines[0] == b"GET /a/b?c=d HTTP/1.1"
    for line in (
        b"Host: 127.0.0.1:%d" % listener.port,
        b"Origin: https://example.com",
        b"X-Twice: 1",
        b"X-Twice: 2",
        b"Sec-WebSocket-Protocol: one, two",
        b"Sec-WebSocket-Version: 13",
    ):
        assert line in lines


def test_frames_glued_to_the_response_are_not_lost(dialling: Setting) -> None:
    with dialling.accept_client(early=b"\x81\x05early\x81\x02so") as (session, _):
        assert [session.recv(), session.recv()] == ["early", "so"]


def test_a_response_byte_by_byte_is_a_response(dialling: Setting) -> None:
    with RawListener() as listener:
        call, peer, request = opening(dialling, listener)
        for octet in answer(request):
            peer.send(bytes([octet]))
        with call.result() as session:
            peer.send_frame(TEXT, b"hello")
            assert session.recv() == "hello"


def test_a_refusal_is_raised_with_its_status_and_body(dialling: Setting) -> None:
    with RawListener() as listener:
        call, peer, _ = opening(dialling, listener)
        peer.send(head(b"HTTP/1.1 403 Forbidden", [b"Content-Length: 7", b"X-Why: because"]) + b"not you")
        error = call.error()
        assert peer.is_lost()
    assert isinstance(error, HandshakeRefused)
    assert error.response.status == 403 and error.response.body == b"not you"
    assert error.response.headers.get("x-why") == "because"


def test_a_bad_response_is_raised_with_the_rule_that_it_broke(dialling: Setting) -> None:
    with RawListener() as listener:
        call, peer, _ = opening(dialling, listener)
        peer.send(response())  # its token answers another key
        error = call.error()
        assert peer.is_lost()
    assert isinstance(error, RemoteProtocolError) and error.violation is Violation.WEBSOCKET_ACCEPT


@pytest.mark.parametrize("leave", [RawPeer.close, RawPeer.reset], ids=["fin", "rst"])
def test_a_server_that_leaves_during_the_handshake_is_an_error(
    dialling: Setting, leave: Callable[[RawPeer], None]
) -> None:
    with RawListener() as listener:
        call, peer, _ = opening(dialling, listener)
        leave(peer)
        assert isinstance(call.error(), ConnectionLost | OSError)


def test_a_server_that_says_nothing_is_given_up_after_the_open_timeout(dialling: Setting) -> None:
    with RawListener() as listener:
        begun = monotonic()
        with within(0.2 + 0.5), pytest.raises(TimedOut) as caught:
            dialling.connect(dialling.url(listener), config=Config(timeouts=Timeouts(open=0.2)))
        assert caught.value.timer is Timer.OPEN and monotonic() - begun > 0.15
        with listener.accept() as peer:
            assert peer.receive()  # the request, or the beginning of TLS
            assert peer.is_lost()


def test_nobody_there_is_an_os_error(dialling: Setting) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    scheme = "ws" if dialling.contexts is None else "wss"
    with pytest.raises(OSError, match=r"refused|failed"):
        dialling.connect(f"{scheme}://127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://", "127.0.0.1", "ws://h/#f", "ws://h:99999/"])
def test_what_is_no_address_is_refused_before_any_connection(backend: Setting, url: str) -> None:
    with pytest.raises(InvalidURL):
        backend.connect(url)


@pytest.mark.parametrize(
    "arguments",
    [{"headers": [("X", "a\r\nY: b")]}, {"headers": [("Host", "x")]}, {"subprotocols": ["a b"]}],
    ids=["injection", "host", "subprotocol"],
)
def test_what_may_not_be_sent_is_refused_before_any_connection(
    backend: Setting, arguments: dict[str, Any]
) -> None:
    with pytest.raises(LocalProtocolError):
        backend.connect("ws://127.0.0.1:9/", **arguments)


# TLS.


def test_a_certificate_that_is_not_to_be_trusted_is_refused(secured_client: Setting) -> None:
    driver, contexts = secured_client.driver, secured_client.contexts
    assert contexts is not None
    elsewhere = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    contexts.certificates.authority.issue_cert("elsewhere.example").configure_cert(elsewhere)
    stranger = make_certificates().client_context()
    with secured_client.serve() as served:
        for context in (stranger, None):  # another authority, the system's
            with pytest.raises(ssl.SSLCertVerificationError):
                driver.connect(served.url, ssl=context)
        with secured_client.connect(served.url) as session:
            assert session.ping() > 0
    with driver.serve(Serving(ssl=elsewhere)) as served, pytest.raises(ssl.SSLCertVerificationError):
        secured_client.connect(served.url)


def test_tls_to_a_plain_port_is_an_error_that_says_so(secured_client: Setting) -> None:
    plain = Setting(secured_client.driver, secured_client.role, None)
    with plain.serve() as served, pytest.raises(ssl.SSLError):
        secured_client.connect(served.url.replace("ws:", "wss:"))


def test_plain_http_to_a_tls_port_ends_that_connection_alone(secured_client: Setting) -> None:
    with secured_client.serve() as served:
        with Setting(secured_client.driver, secured_client.role, None).dial_bare(served.port) as peer:
            peer.send(request())
            try:
                assert b"HTTP/" not in peer.read_to_end()  # an alert at most
            except ConnectionResetError:
                pass
        with secured_client.connect(served.url) as session:
            assert session.ping() > 0


# Endpoints of a client.


def test_an_endpoint_learns_that_its_connection_was_lost(dialling: Setting) -> None:
    recorder = Recorder()
    with dialling.accept_client(endpoint=recorder) as (session, peer):
        peer.send(frames_from(peer, TEXT, b"last words"))
        peer.close()
        recorder.wait_for("close")
        assert recorder.session is session.native
    assert recorder.names == ["connect", "message", "error", "close"]
    assert isinstance(recorder.calls[2][1], ConnectionLost)


def test_a_session_with_an_endpoint_can_be_used_from_outside_too(dialling: Setting) -> None:
    recorder = Recorder()
    with dialling.accept_client(endpoint=recorder) as (session, peer):
        recorder.wait_for("connect")
        session.send("from outside")
        assert peer.read_frame()[0] == 0x80 | TEXT
        session.close(4000, wait=False)
        assert peer.read_close() == 4000
        peer.send_close(4000)
        recorder.wait_for("close")
    assert recorder.calls == [("connect",), ("close", 4000, "")]
