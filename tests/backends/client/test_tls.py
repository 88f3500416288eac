"""wss: whom a client trusts and asks for, whom a server lets in."""

import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Certificates
from support.clients import Driver
from support.eventually import eventually
from support.recorder import Recorder
from wscore import WSCoreError


def greet(driver: Driver, url: str, **options: Any) -> None:
    """Connect and see that there is an echo."""
    with driver.connect(url, **options) as client:
        assert client.ask("hello") == "hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_is_good_for_the_name_or_address_that_was_asked_for(
    driver: Driver, certificates: Certificates, version: ssl.TLSVersion, host: str
) -> None:
    recorder = Recorder(replies=True)
    with (
        driver.serve(recorder, ssl=certificates.server_context(version=version)) as server,
        driver.connect(f"wss://{host}:{server.port}/", ssl=certificates.client_context()) as client,
    ):
        assert client.ask("hello") == "hello"
        assert client.session.is_secure and recorder.session.is_secure


def test_a_name_that_the_certificate_is_not_for_is_an_error(
    driver: Driver, certificates: Certificates
) -> None:
    with driver.serve(host="127.0.0.2", ssl=certificates.server_context()) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)mismatch|not valid"):
            driver.connect(f"wss://127.0.0.2:{server.port}/", ssl=certificates.client_context())
        assert not server.sessions


def test_server_hostname_is_the_name_that_is_asked_for_and_expected(
    driver: Driver, certificates: Certificates
) -> None:
    asked: list[str | None] = []
    context = certificates.server_context()
    context.sni_callback = lambda connection, name, context: asked.append(name)
    options = {"ssl": certificates.client_context()}
    with driver.serve(ssl=context) as server:
        url = f"wss://127.0.0.1:{server.port}/"
        with driver.connect(url, server_hostname="localhost", **options) as client:
            assert client.session.request.host == f"127.0.0.1:{server.port}"
        with pytest.raises(ssl.SSLCertVerificationError):
            driver.connect(url, server_hostname="other.example", **options)
        greet(driver, url, **options)  # RFC 6066 section 3: an address is no name to ask for
    assert asked == ["localhost", "other.example", None]


def test_an_authority_that_is_not_trusted_is_an_error(
    driver: Driver, certificates: Certificates, strange_certificates: Certificates
) -> None:
    with driver.serve(ssl=strange_certificates.server_context()) as server:
        for context in (certificates.client_context(), None):  # None: whom the system trusts
            with pytest.raises(ssl.SSLCertVerificationError):
                driver.connect(f"wss://localhost:{server.port}/", ssl=context)
        assert not server.sessions


def test_without_a_context_the_system_says_whom_to_trust(
    driver: Driver, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.write_files(tmp_path).authority))
    driver.forget_the_systems_trust()
    hosts = ["127.0.0.1", "127.0.0.2"]
    with driver.serve(host=hosts, ssl=certificates.server_context()) as server:
        greet(driver, f"wss://localhost:{server.port}/")
        with pytest.raises(ssl.SSLCertVerificationError):
            driver.connect(f"wss://127.0.0.2:{server.port}/")


def test_a_context_of_ones_own_may_check_nothing(driver: Driver, certificates: Certificates) -> None:
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with driver.serve(host="127.0.0.2", ssl=certificates.server_context()) as server:
        greet(driver, f"wss://127.0.0.2:{server.port}/", ssl=careless)


def test_a_server_may_ask_for_a_certificate_of_the_client(driver: Driver, certificates: Certificates) -> None:
    with driver.serve(ssl=certificates.server_context(require_client=True)) as server:
        url = f"wss://localhost:{server.port}/"
        greet(driver, url, ssl=certificates.client_context(show_client=True))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shows", ["none", "a strange one"])
def test_a_client_without_the_right_certificate_does_not_get_in(
    driver: Driver,
    certificates: Certificates,
    strange_certificates: Certificates,
    version: ssl.TLSVersion,
    shows: str,
) -> None:
    context = certificates.client_context()
    if shows == "a strange one":
        strange_certificates.client.configure_cert(context)
    recorder = Recorder()
    tls = certificates.server_context(require_client=True, version=version)
    with driver.serve(recorder, ssl=tls) as server:
        # With TLS 1.3 the client learns of it only after its own part of the handshake, with the first data.
        with pytest.raises((ssl.SSLError, ConnectionError, WSCoreError)):
            driver.connect(f"wss://localhost:{server.port}/", ssl=context)
        assert recorder.calls == []


def test_a_server_without_tls_is_an_error(driver: Driver, certificates: Certificates) -> None:
    with (
        driver.serve() as server,
        pytest.raises((ssl.SSLError, ConnectionError, WSCoreError)),
    ):
        driver.connect(f"wss://localhost:{server.port}/", ssl=certificates.client_context())


def test_a_client_without_tls_is_an_error(driver: Driver, certificates: Certificates) -> None:
    recorder = Recorder(replies=True)
    with driver.serve(recorder, ssl=certificates.server_context()) as server:
        with pytest.raises((ConnectionError, WSCoreError)):
            driver.connect(f"ws://localhost:{server.port}/")
        greet(driver, f"wss://localhost:{server.port}/", ssl=certificates.client_context())
    assert recorder.names.count("connect") == 1


def test_a_context_for_a_plain_address_is_a_mistake(driver: Driver, certificates: Certificates) -> None:
    with pytest.raises(ValueError, match="wss://"):
        driver.connect("ws://localhost/", ssl=certificates.client_context())


def test_the_end_of_a_session_says_goodbye_in_tls(driver: Driver, certificates: Certificates) -> None:
    recorder = Recorder()
    with driver.serve(recorder, ssl=certificates.server_context()) as server:
        with driver.connect(f"wss://localhost:{server.port}/", ssl=certificates.client_context()) as client:
            recorder.wait_for("connect")
        recorder.wait_for("close")
        assert client.session.closed.clean and recorder.session.closed.clean
        eventually(lambda: not server.sessions)


def test_many_may_come_at_once(driver: Driver, certificates: Certificates) -> None:
    errors: list[Exception] = []

    def come() -> None:
        try:
            greet(driver, f"wss://localhost:{server.port}/", ssl=certificates.client_context())
        except Exception as error:
            errors.append(error)

    with driver.serve(ssl=certificates.server_context()) as server:
        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
