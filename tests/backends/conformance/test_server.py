"""A server: how it answers requests before there is a session, and what it knows of its sessions."""

import logging
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from support.conformance.facade import ProcessRequest
from support.conformance.setting import Setting
from support.eventually import background, eventually
from support.handshakes import SECOND_REQUEST, Message, minus, plus, read_message, request
from support.raw import RawPeer
from support.recorder import Recorder
from support.wire import CLOSE, TEXT, frame, status
from wscore import ANY_ORIGIN, Config, HandshakeRefused, Headers, Request, Response, Timeouts
from wscore.policy import Accept

PLAIN = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"


def ask(setting: Setting, data: bytes, **keywords: Any) -> Message:
    """Run a server, send it a request and read the response, which must end the connection."""
    with setting.serve(**keywords) as served, setting.dial_bare(served.port) as peer:
        peer.send(data)
        response = read_message(peer.read_to_end())
        assert b"close" in b", ".join(response.values(b"connection"))
        return response


# Requests that the protocol decides.


def test_a_plain_request_gets_426(serving: Setting) -> None:
    message = ask(serving, PLAIN)
    assert message.status == 426
    assert message.values(b"upgrade") == [b"websocket"]


@pytest.mark.parametrize(
    "line",
    [b"Connection: keep-alive, Upgrade", b"connection: UPGRADE", b"Connection: Upgrade,keep-alive, x-y"],
    ids=["keep-alive-first", "upper-case", "upgrade-first"],
)
def test_upgrade_may_be_one_of_several_connection_options(backend: Setting, line: bytes) -> None:
    with backend.serve() as served, backend.dial_bare(served.port) as peer:
        peer.upgrade(request().replace(b"Connection: Upgrade", line))
        served.accept().send("welcome")
        assert peer.read_frame() == (0x80 | TEXT, b"welcome")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (minus(b"host"), 400),
        (plus(b"Host: twice"), 400),
        (minus(b"sec-websocket-key"), 400),
        (request().replace(b"Version: 13", b"Version: 8"), 426),
        (request(b"POST /chat HTTP/1.1"), 405),
        (request(b"GET /chat HTTP/1.0"), 505),
        (plus(b"Origin: https://evil.example"), 403),
        (plus(b"X: " + b"x" * 10_000), 431),
        (request(b"GET /" + b"x" * 10_000 + b" HTTP/1.1"), 414),
        (b"\x16\x03\x01\x00\x00 what is this\r\n\r\n", 400),
    ],
    ids=[
        "no-host",
        "two-hosts",
        "no-key",
        "version-8",
        "post",
        "http-1.0",
        "origin",
        "line",
        "target",
        "noise",
    ],
)
def test_a_bad_request_gets_its_status_and_nothing_behind_it_is_read(
    backend: Setting, data: bytes, expected: int
) -> None:
    assert ask(backend, data + SECOND_REQUEST).status == expected


def test_any_origin_may_be_allowed(backend: Setting) -> None:
    with backend.serve(config=Config(origins=ANY_ORIGIN)) as served, backend.dial_bare(served.port) as peer:
        peer.upgrade(plus(b"Origin: https://anywhere.example"))


def test_frames_glued_to_the_request_are_not_lost(serving: Setting) -> None:
    early = b"".join(frame(TEXT, text, masked=True) for text in (b"one", b"two"))
    early += frame(CLOSE, status(1000), masked=True)
    with serving.serve() as served, serving.dial(served.port, early=early) as peer:
        assert served.accept().rest() == ["one", "two"]
        assert peer.read_close() == 1000


def test_a_request_byte_by_byte_is_a_request(serving: Setting) -> None:
    with serving.serve() as served, serving.dial_bare(served.port) as peer:
        for octet in request():
            peer.send(bytes([octet]))
        assert peer.read_head().startswith(b"HTTP/1.1 101 ")
        served.accept()


# Requests that the application decides.


def test_process_request_may_answer_plain_http(serving: Setting) -> None:
    seen: list[Request] = []

    def page(received: Request) -> Response:
        seen.append(received)
        return Response(200, Headers([("Content-Type", "text/html")]), b"<p>hello")

    message = ask(serving, PLAIN, process_request=page)
    assert (message.status, message.body) == (200, b"<p>hello")
    assert message.values(b"content-type") == [b"text/html"]
    assert (seen[0].method, seen[0].target, seen[0].is_upgrade) == ("GET", "/page", False)


def test_process_request_may_refuse_an_upgrade(serving: Setting) -> None:
    def refuse(received: Request) -> Response | None:
        return None if received.headers.get("x-ticket") == "valid" else Response(401, body=b"who are you?")

    with serving.serve(process_request=refuse) as served:
        with pytest.raises(HandshakeRefused) as caught:
            serving.connect(served.url)
        assert caught.value.response.status == 401 and caught.value.response.body == b"who are you?"
        with serving.connect(served.url, headers=[("X-Ticket", "valid")]) as session:
            assert session.native.request.headers.get("x-ticket") == "valid"
            assert served.accept(session).native.request.headers.get("x-ticket") == "valid"


def test_process_request_may_say_how_to_accept(serving: Setting) -> None:
    recorder = Recorder()

    def accept(received: Request) -> Accept:
        return Accept(handler=recorder, subprotocol="v2", headers=[("X-Served-By", "me")], user="somebody")

    with serving.serve(process_request=accept, subprotocols=["v1"]) as served:
        with serving.connect(served.url, subprotocols=["v1", "v2"]) as session:
            assert session.native.subprotocol == "v2"
            assert session.native.response.headers.get("x-served-by") == "me"
            recorder.wait_for("connect")
            assert (recorder.session.user, recorder.session.subprotocol) == ("somebody", "v2")
        recorder.wait_for("close")


def _raise(received: Request) -> Response:
    raise RuntimeError("the secret")


@pytest.mark.parametrize(
    "process_request",
    [_raise, lambda _: "yes", lambda _: Response(101)],
    ids=["raises", "no-response", "101"],
)
def test_process_request_that_fails_is_a_500_without_details_and_is_logged(
    backend: Setting, process_request: ProcessRequest, caplog: pytest.LogCaptureFixture
) -> None:
    for data in (PLAIN, request()):
        message = ask(backend, data, process_request=process_request)
        assert message.status == 500 and b"secret" not in message.body
    errors = [record for record in caplog.records if record.name.startswith(backend.driver.logger)]
    assert [record.levelno for record in errors] == [logging.ERROR] * 2


def test_a_response_bigger_than_the_kernels_buffer_arrives_whole(serving: Setting) -> None:
    body = bytes(range(256)) * 4096 * 4
    with (
        serving.serve(process_request=lambda _: Response(200, body=body)) as served,
        serving.dial_bare(served.port, receive_buffer=4096) as peer,
    ):
        peer.send(PLAIN)
        assert read_message(peer.read_to_end()).body == body


def test_the_servers_order_of_preference_chooses_the_subprotocol(backend: Setting) -> None:
    with backend.serve(subprotocols=["v3", "v2", "v1"]) as served:
        for offered, chosen in ((["v1", "v2"], "v2"), (["v1"], "v1"), (["v9"], None), ([], None)):
            with backend.connect(served.url, subprotocols=offered) as session:
                assert session.native.subprotocol == chosen
                assert served.accept(session).native.subprotocol == chosen


# Sessions.


def test_sessions_are_those_that_are_open_now(backend: Setting) -> None:
    with backend.serve() as served:
        assert served.sessions == []
        with backend.connect(served.url) as one:
            eventually(lambda: len(served.sessions) == 1)
            with backend.connect(served.url) as two:
                eventually(lambda: len(served.sessions) == 2)
                addresses = {session.remote_address for session in served.sessions}
                assert addresses == {one.native.local_address, two.native.local_address}
                assert {session.local_address[1] for session in served.sessions} == {served.port}


def test_a_session_knows_whether_it_is_secure(serving: Setting) -> None:
    with serving.pair() as (ours, theirs):
        assert ours.native.is_secure is theirs.native.is_secure is (serving.contexts is not None)


# Peers that never finish their handshake.


def test_a_handshake_that_stalls_ends_with_the_open_timeout_and_disturbs_nobody(
    secured_client: Setting,
) -> None:
    config = Config(timeouts=Timeouts(open=0.4))
    with ExitStack() as stack:
        served = stack.enter_context(secured_client.serve(config=config))
        plain = Setting(secured_client.driver, secured_client.role, None)
        stalled = [stack.enter_context(plain.dial_bare(served.port)) for _ in range(6)]
        stalled[1].send(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        stalled[2].send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        stalled += [stack.enter_context(secured_client.dial_bare(served.port)) for _ in range(2)]
        stalled[-1].send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        session = stack.enter_context(secured_client.connect(served.url))
        assert session.ping() > 0
        assert all(_is_gone(peer) for peer in stalled)
        assert session.ping() > 0


def _is_gone(peer: RawPeer) -> bool:
    """Read to the end: it was a reset, or at most a refusal or an alert."""
    try:
        return b" 101 " not in peer.read_to_end()
    except ConnectionError:
        return True


def test_a_byte_now_and_then_does_not_prolong_the_open_timeout(backend: Setting) -> None:
    config = Config(timeouts=Timeouts(open=0.3))
    never = threading.Event()
    with backend.serve(config=config) as served, backend.dial_bare(served.port) as peer:

        def dribble() -> None:
            while True:
                peer.send(b"G")
                never.wait(0.01)

        assert isinstance(background(dribble).error(5), OSError)
