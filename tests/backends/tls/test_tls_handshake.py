"""The handshake: who is accepted, who is refused, and how each side learns of it."""

import ssl
from collections import deque
from functools import partial

import pytest

from support.certificates import Certificates, make_certificates
from support.tls_link import SPLITS, Link, Split, make_link
from wscore_tls import TLSFilter

HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
NO_TLS = {
    "an HTTP request": HTTP_REQUEST,
    "an HTTP response": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "zeros": bytes(64),
    "a record of an unknown type": b"\xff\x03\x03\x00\x05hello",
    "a handshake record with nonsense": b"\x16\x03\x01\x00\x08" + b"\xee" * 8,
    "a record that is too long": b"\x16\x03\x01\xff\xff" + bytes(70000),
}


def link_of(client_context: ssl.SSLContext, server_context: ssl.SSLContext, name: str = "localhost") -> Link:
    client = TLSFilter(client_context, server_side=False, server_hostname=name)
    link = Link(client, TLSFilter(server_context, server_side=True))
    link.settle()
    return link


@pytest.mark.parametrize("split", SPLITS)
def test_both_sides_become_established_however_the_wire_cuts(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    link = make_link(certificates, version=version, split=split)
    assert link.client.version == link.server.version == version.name.replace("_", ".")
    assert link.client.cipher == link.server.cipher
    assert link.client.error is link.server.error is None


def test_client_hello_is_there_at_once_and_a_server_waits(certificates: Certificates) -> None:
    link = make_link(certificates, established=False)
    assert link.client.has_data_to_send
    assert not link.server.has_data_to_send
    assert link.client.data_to_send()[:1] == b"\x16"
    assert link.client.data_to_send() == b""
    assert not link.client.has_data_to_send
    assert not link.client.established


def test_before_the_handshake_nothing_is_known_of_the_peer(certificates: Certificates) -> None:
    client = make_link(certificates, established=False).client
    assert client.cipher is None
    assert client.selected_alpn_protocol is None
    assert client.peer_certificate() is None
    assert client.peer_certificate(binary=True) is None
    assert client.server_hostname == "localhost"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_certificate_is_accepted_for_each_of_its_names(certificates: Certificates, name: str) -> None:
    link = link_of(certificates.client_context(), certificates.server_context(), name)
    assert link.client.established
    assert link.client.server_hostname == name
    assert link.server.server_hostname is None


def test_peer_certificate_is_given_decoded_and_as_bytes(certificates: Certificates) -> None:
    link = make_link(certificates)
    decoded = link.client.peer_certificate()
    assert decoded is not None
    assert ("DNS", "localhost") in decoded["subjectAltName"]
    pem = certificates.server.cert_chain_pems[0].bytes().decode()
    assert link.client.peer_certificate(binary=True) == ssl.PEM_cert_to_DER_cert(pem)
    assert link.server.peer_certificate() is None


def test_application_protocol_is_agreed(certificates: Certificates) -> None:
    client_context, server_context = certificates.client_context(), certificates.server_context()
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    server_context.set_alpn_protocols(["http/1.1"])
    link = link_of(client_context, server_context)
    assert link.client.selected_alpn_protocol == link.server.selected_alpn_protocol == "http/1.1"


def test_unknown_authority_is_refused_and_the_server_is_told(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    stranger = make_certificates()
    link = link_of(certificates.client_context(version=version), stranger.server_context(version=version))
    assert isinstance(link.client.error, ssl.SSLCertVerificationError)
    assert not link.client.established
    assert link.server.error is not None
    assert link.server.error.reason == "TLSV1_ALERT_UNKNOWN_CA"


@pytest.mark.parametrize("name", ["example.org", "127.0.0.2", "sub.localhost"])
def test_wrong_hostname_is_refused_and_the_server_is_told(
    certificates: Certificates, version: ssl.TLSVersion, name: str
) -> None:
    link = link_of(
        certificates.client_context(version=version), certificates.server_context(version=version), name
    )
    assert isinstance(link.client.error, ssl.SSLCertVerificationError)
    assert "mismatch" in link.client.error.verify_message
    assert link.server.error is not None
    assert "ALERT" in link.server.error.reason


def test_required_client_certificate_is_accepted(certificates: Certificates, version: ssl.TLSVersion) -> None:
    link = link_of(
        certificates.client_context(show_client=True, version=version),
        certificates.server_context(require_client=True, version=version),
    )
    assert link.server.established
    assert link.client.error is None
    decoded = link.server.peer_certificate()
    assert decoded is not None
    assert ((("commonName", "client"),)) in decoded["subject"]


def test_missing_client_certificate_is_refused_and_the_client_is_told(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    link = link_of(
        certificates.client_context(version=version),
        certificates.server_context(require_client=True, version=version),
    )
    assert link.server.error is not None
    assert link.server.error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert not link.server.established
    # TLS 1.3: the client was done before the server could refuse.
    assert link.client.established is (version is ssl.TLSVersion.TLSv1_3)
    assert link.client.error is not None
    assert "ALERT" in link.client.error.reason
    assert link.client.eof
    assert link.client.truncated


def test_client_certificate_of_an_unknown_authority_is_refused(certificates: Certificates) -> None:
    client_context = certificates.client_context()
    make_certificates().client.configure_cert(client_context)
    link = link_of(client_context, certificates.server_context(require_client=True))
    assert isinstance(link.server.error, ssl.SSLCertVerificationError)
    assert link.client.error is not None


def test_no_common_version_is_refused_and_the_client_is_told(certificates: Certificates) -> None:
    link = link_of(
        certificates.client_context(version=ssl.TLSVersion.TLSv1_3),
        certificates.server_context(version=ssl.TLSVersion.TLSv1_2),
    )
    assert link.server.error is not None
    assert link.server.error.reason == "UNSUPPORTED_PROTOCOL"
    assert link.client.error is not None
    assert link.client.error.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("garbage", NO_TLS.values(), ids=NO_TLS.keys())
@pytest.mark.parametrize("server_side", [True, False])
def test_what_is_not_tls_is_an_error_that_stays(
    certificates: Certificates, garbage: bytes, split: Split, server_side: bool
) -> None:
    link = make_link(certificates, established=False)
    side = link.server if server_side else link.client
    with pytest.raises(ssl.SSLError) as caught:
        deque(map(side.receive_data, split(garbage)), maxlen=0)
    assert side.eof
    assert side.truncated
    assert not side.established
    for again in (partial(side.receive_data, b"more"), side.receive_eof):
        with pytest.raises(type(caught.value)) as second:
            again()
        assert second.value.args == caught.value.args
        assert second.value.reason == caught.value.reason


def test_http_request_to_a_tls_port_is_recognised(certificates: Certificates) -> None:
    server = make_link(certificates, established=False).server
    with pytest.raises(ssl.SSLError) as caught:
        server.receive_data(HTTP_REQUEST)
    assert caught.value.reason == "HTTP_REQUEST"


def test_transport_that_ends_in_the_handshake_is_a_truncation(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    link = make_link(certificates, version=version, established=False)
    link.to_server()
    flight = link.server.data_to_send()
    assert link.client.receive_data(flight[:100]) == []
    assert link.client.receive_eof() == []
    assert link.client.eof
    assert link.client.truncated
    assert not link.client.established
    assert link.client.error is None
    assert link.client.receive_data(flight[100:]) == []  # an EOF is an EOF
    assert not link.client.established


def test_hostname_is_demanded_of_clients_and_refused_of_servers(certificates: Certificates) -> None:
    with pytest.raises(ValueError, match="server_hostname"):
        TLSFilter(certificates.client_context(), server_side=False)
    with pytest.raises(ValueError, match="server_hostname"):
        TLSFilter(certificates.server_context(), server_side=True, server_hostname="localhost")


def test_context_that_allows_no_handshake_raises_at_once(certificates: Certificates) -> None:
    context = certificates.client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        TLSFilter(context, server_side=False, server_hostname="localhost")
