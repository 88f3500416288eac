"""wss, both ways: the same sessions over TLS, and how its ends and its failures are told."""

import socket
import ssl
import threading
from functools import partial

import pytest

from support.certificates import Certificates, make_certificates
from support.eventually import PATIENCE, background
from support.handshakes import request
from support.raw import RawListener, RawPeer, answer, dial
from support.recorder import Recorder
from support.threaded import echo, send_all
from support.wire import CLOSE, TEXT, frame, status
from wscore import Config, ConnectionClosed, Limits, TimedOut, Timeouts
from wscore_threading import Server, Session, connect, serve

MIB = 1024 * 1024


def _secure(certificates: Certificates, handler: object = echo, config: Config | None = None) -> Server:
    return serve(handler, "127.0.0.1", config=config, ssl=certificates.server_context())  # type: ignore[arg-type]


def _url(server: Server) -> str:
    return f"wss://127.0.0.1:{server.port}/"


def _dial_secure(certificates: Certificates, port: int) -> RawPeer:
    """Connect with the standard library's TLS, which hides no truncation here."""
    bare = socket.create_connection(("127.0.0.1", port), PATIENCE)
    context = certificates.client_context()
    wrapped = context.wrap_socket(bare, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
    return RawPeer(wrapped, masks=True)


def test_messages_pass_both_ways(certificates: Certificates) -> None:
    with _secure(certificates) as server:
        with connect(_url(server), ssl=certificates.client_context()) as session:
            assert session.is_secure
            for message in ("hello", b"", b"x" * MIB, "é" * 1000):
                session.send(message)
                assert session.recv(timeout=20) == message
            assert session.ping() > 0
        assert session.closed is not None and (session.closed.code, session.closed.clean) == (1000, True)


def test_the_server_knows_that_it_is_secure(certificates: Certificates) -> None:
    recorder = Recorder()
    with _secure(certificates, recorder) as server:
        with connect(_url(server), ssl=certificates.client_context()):
            recorder.wait_for("connect")
            assert recorder.session.is_secure
        recorder.wait_for("close")
    assert recorder.calls[-1] == ("close", 1000, "")


def test_many_senders_and_both_directions_at_once_over_tls(certificates: Certificates) -> None:
    with _secure(certificates) as server, connect(_url(server), ssl=certificates.client_context()) as session:
        payloads = [bytes([number]) * 30_000 for number in range(8)]
        senders = [background(partial(send_all, session, [payload] * 20)) for payload in payloads]
        received = sorted(bytes(session.recv(timeout=20)) for _ in range(160))  # type: ignore[arg-type]
        for sender in senders:
            sender.result()
        assert received == sorted(payloads * 20)


def test_big_messages_cross_over_tls_without_a_deadlock(certificates: Certificates) -> None:
    size = 16 * MIB
    config = Config(limits=Limits(max_message_size=size))

    def exchange(session: Session) -> None:
        session.send(b"s" * size)
        assert len(session.recv(timeout=20)) == size

    with (
        _secure(certificates, exchange, config) as server,
        connect(_url(server), ssl=certificates.client_context(), config=config) as session,
    ):
        session.send(b"c" * size)
        assert session.recv(timeout=20) == b"s" * size
        assert list(session) == []


def test_a_peer_made_with_the_standard_library_understands_every_byte(certificates: Certificates) -> None:
    with _secure(certificates) as server, _dial_secure(certificates, server.port) as peer:
        peer.upgrade()
        peer.send_frame(TEXT, b"hello")
        assert peer.read_frame() == (0x80 | TEXT, b"hello")
        peer.send_close(1000)
        assert peer.read_frame() == (0x80 | CLOSE, status(1000))
        assert peer.read_to_end() == b""  # close_notify: a good end, or this would raise


def test_eight_mebibytes_and_a_close_arrive_whole(certificates: Certificates) -> None:
    def say_goodbye(session: Session) -> None:
        session.send(b"x" * 8 * MIB)

    with _secure(certificates, say_goodbye) as server, _dial_secure(certificates, server.port) as peer:
        peer.upgrade()
        assert len(peer.read_frame()[1]) == 8 * MIB
        assert peer.read_close() == 1000
        peer.send_close()
        assert peer.read_to_end() == b""


# Ends that are no ends.


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_a_truncated_stream_is_1006_and_never_clean(certificates: Certificates, reset: bool) -> None:
    recorder = Recorder()
    with _secure(certificates, recorder) as server:
        peer = _dial_secure(certificates, server.port)
        peer.upgrade()
        peer.send_frame(TEXT, b"last words")
        recorder.wait_for("message")
        (peer.reset if reset else peer.close)()  # without close_notify
        recorder.wait_for("close")
    assert recorder.names == ["connect", "message", "error", "close"]
    assert recorder.calls[-1] == ("close", 1006, "")


def test_close_notify_without_a_close_frame_is_1006_too(certificates: Certificates) -> None:
    recorder = Recorder()
    with _secure(certificates, recorder) as server, _dial_secure(certificates, server.port) as peer:
        peer.upgrade()
        assert isinstance(peer.socket, ssl.SSLSocket)
        peer.socket.unwrap().close()
        recorder.wait_for("close")
    assert recorder.calls[-1] == ("close", 1006, "")


def test_a_client_sees_a_truncated_stream_as_1006(certificates: Certificates) -> None:
    with RawListener() as listener:
        url = f"wss://127.0.0.1:{listener.port}/"
        opening = background(lambda: connect(url, ssl=certificates.client_context()))
        bare = listener.accept()
        wrapped = certificates.server_context().wrap_socket(bare.socket, server_side=True)
        with RawPeer(wrapped, masks=False) as peer:
            peer.send(answer(peer.read_head()) + frame(TEXT, b"whole", masked=False))
            session = opening.result()
            peer.socket.close()
            assert session.recv(timeout=10) == "whole"
            with pytest.raises(ConnectionClosed):
                session.recv(timeout=10)
        assert session.closed is not None and (session.closed.code, session.closed.clean) == (1006, False)


# Handshakes that fail.


def test_a_certificate_of_an_unknown_authority_is_refused(certificates: Certificates) -> None:
    stranger = make_certificates()
    with _secure(certificates) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(_url(server), ssl=stranger.client_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(_url(server))  # the system's trust
        with connect(_url(server), ssl=certificates.client_context()) as session:
            assert session.ping() > 0


def test_a_certificate_for_another_name_is_refused(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert("elsewhere.example").configure_cert(context)
    with serve(echo, "127.0.0.1", ssl=context) as server, pytest.raises(ssl.SSLCertVerificationError):
        connect(_url(server), ssl=certificates.client_context())


def test_plain_http_on_a_tls_port_ends_that_connection_alone(certificates: Certificates) -> None:
    with _secure(certificates) as server:
        with dial(server.port) as peer:
            peer.send(request())
            try:
                assert b"HTTP/" not in peer.read_to_end()  # an alert at most
            except ConnectionResetError:
                pass
        with connect(_url(server), ssl=certificates.client_context()) as session:
            assert session.ping() > 0


def test_tls_to_a_plain_port_is_an_error_that_says_so(certificates: Certificates) -> None:
    with serve(echo, "127.0.0.1") as server, pytest.raises(ssl.SSLError):
        connect(_url(server), ssl=certificates.client_context())


def test_a_tls_handshake_that_stalls_is_gone_after_the_open_timeout(certificates: Certificates) -> None:
    config = Config(timeouts=Timeouts(open=0.5))
    with (
        _secure(certificates, config=config) as server,
        dial(server.port) as silent,
        dial(server.port) as slow,
    ):
        slow.send(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        assert silent.is_lost() and slow.is_lost()
    with RawListener() as listener, pytest.raises(TimedOut):
        connect(f"wss://127.0.0.1:{listener.port}/", ssl=certificates.client_context(), config=config)


def test_a_peer_that_floods_a_closing_tls_session_cannot_hold_it(certificates: Certificates) -> None:
    ended = threading.Event()

    def handler(session: Session) -> None:
        session.close()
        ended.set()

    config = Config(timeouts=Timeouts(close=0.6))
    with _secure(certificates, handler, config) as server, _dial_secure(certificates, server.port) as peer:
        peer.upgrade()
        flooding = background(lambda: _flood(peer))
        assert ended.wait(2)
        assert isinstance(flooding.error(), OSError)  # a reset, or the alert of a closed stream


def _flood(peer: RawPeer) -> None:
    while True:
        peer.send(frame(TEXT, b"x" * 1000, masked=True) * 50)


def test_a_context_goes_with_wss_alone(certificates: Certificates) -> None:
    with serve(echo, "127.0.0.1") as server, pytest.raises(ValueError, match="wss"):
        connect(f"ws://127.0.0.1:{server.port}", ssl=certificates.client_context())
