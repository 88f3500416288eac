"""wss: what many threads do to one TLS session, and what a context is good for."""

from functools import partial

import pytest

from support.certificates import Certificates
from support.eventually import background
from support.threaded import echo, send_all
from wscore import Config
from wscore_threading import Server, connect, serve


def _secure(certificates: Certificates, handler: object = echo, config: Config | None = None) -> Server:
    return serve(handler, "127.0.0.1", config=config, ssl=certificates.server_context())  # type: ignore[arg-type]


def _url(server: Server) -> str:
    return f"wss://127.0.0.1:{server.port}/"


def test_many_senders_and_both_directions_at_once_over_tls(certificates: Certificates) -> None:
    with _secure(certificates) as server, connect(_url(server), ssl=certificates.client_context()) as session:
        payloads = [bytes([number]) * 30_000 for number in range(8)]
        senders = [background(partial(send_all, session, [payload] * 20)) for payload in payloads]
        received = sorted(bytes(session.recv(timeout=20)) for _ in range(160))  # type: ignore[arg-type]
        for sender in senders:
            sender.result()
        assert received == sorted(payloads * 20)


def test_a_context_goes_with_wss_alone(certificates: Certificates) -> None:
    with serve(echo, "127.0.0.1") as server, pytest.raises(ValueError, match="wss"):
        connect(f"ws://127.0.0.1:{server.port}", ssl=certificates.client_context())
