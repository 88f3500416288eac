"""The two ready-made contexts."""

import ssl
from pathlib import Path

import pytest

from support.certificates import Certificates
from support.tls_link import Link
from wscore_tls import TLSFilter, client_context, server_context


def test_ready_made_contexts_accept_each_other_and_choose_http(
    certificates: Certificates, tmp_path: Path
) -> None:
    files = certificates.write_files(tmp_path)
    ours = client_context()
    ours.load_verify_locations(files.authority)
    client = TLSFilter(ours, server_side=False, server_hostname="localhost")
    server = TLSFilter(server_context(files.server_certificate, files.server_key), server_side=True)
    link = Link(client, server)
    client.send(b"hello")
    link.settle()
    assert link.server_received == b"hello"
    assert client.selected_alpn_protocol == server.selected_alpn_protocol == "http/1.1"


def test_client_context_checks_certificate_and_name() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_old_versions_and_renegotiation_are_off(certificates: Certificates, tmp_path: Path) -> None:
    files = certificates.write_files(tmp_path)
    for context in (client_context(), server_context(files.server_certificate, files.server_key)):
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_one_file_may_hold_certificate_and_key(certificates: Certificates, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    certificates.server.private_key_and_cert_chain_pem.write_to_path(both)
    server_context(both)


def encrypt_key(certificates: Certificates, path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(certificates.server.private_key_pem.bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def test_encrypted_key_needs_its_password_and_nobody_is_asked(
    certificates: Certificates, tmp_path: Path
) -> None:
    files = certificates.write_files(tmp_path)
    encrypt_key(certificates, files.server_key)
    server_context(files.server_certificate, files.server_key, "secret")
    server_context(files.server_certificate, files.server_key, lambda: b"secret")
    with pytest.raises(ssl.SSLError):
        server_context(files.server_certificate, files.server_key, "wrong")
    with pytest.raises(ValueError, match="the private key is encrypted"):
        server_context(files.server_certificate, files.server_key)


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        server_context(tmp_path / "none.pem")
