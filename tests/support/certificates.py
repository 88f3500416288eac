"""Throw-away certificates: an authority of the test's own, a server and a client that it vouches for.

The server's certificate is good for localhost, 127.0.0.1 and ::1. Nothing is written to disk unless asked
for, and the contexts are plain ones of the standard library, so that tests of our own contexts have something
to compare with. A second call of `make_certificates` makes an authority that the first one knows nothing of::

    certificates = make_certificates()
    serve(..., ssl=certificates.server_context())
    connect("wss://localhost:...", ssl=certificates.client_context())
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import final

import trustme


@final
@dataclass(frozen=True)
class CertificateFiles:
    """The same in PEM files, for what wants paths."""

    authority: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path


@final
@dataclass(frozen=True)
class Certificates:
    """An authority and what it has signed."""

    authority: trustme.CA
    server: trustme.LeafCert
    client: trustme.LeafCert

    def server_context(
        self, *, require_client: bool = False, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """Make a server's context; version: this one only; None: whatever OpenSSL offers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        if require_client:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return _limit(context, version)

    def client_context(
        self, *, show_client: bool = False, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """Make a client's context that trusts this authority alone; show_client: with a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        if show_client:
            self.client.configure_cert(context)
        return _limit(context, version)

    def write_files(self, folder: Path) -> CertificateFiles:
        """Write everything into folder."""
        files = CertificateFiles(
            folder / "authority.pem",
            folder / "server.pem",
            folder / "server.key",
            folder / "client.pem",
            folder / "client.key",
        )
        self.authority.cert_pem.write_to_path(files.authority)
        for leaf, certificate, key in (
            (self.server, files.server_certificate, files.server_key),
            (self.client, files.client_certificate, files.client_key),
        ):
            certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
            leaf.private_key_pem.write_to_path(key)
        return files


def make_certificates() -> Certificates:
    """Make a new authority, and certificates for a server on this machine and for a client."""
    authority = trustme.CA()
    return Certificates(
        authority,
        authority.issue_cert("localhost", "127.0.0.1", "::1"),
        authority.issue_cert("client@example.org", common_name="client"),
    )


def _limit(context: ssl.SSLContext, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
