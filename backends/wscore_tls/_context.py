"""Contexts with safe defaults, for who has no wishes of their own.

Any `ssl.SSLContext` will do for a filter; these two are what most programs want: TLS 1.2 or newer (a stricter
policy of the system stays), no renegotiation, and the protocol name "http/1.1", because WebSocket's opening
handshake is HTTP/1.1 and a peer that also knows HTTP/2 must not choose that.
"""

import ssl
from collections.abc import Callable
from os import PathLike


def client_context() -> ssl.SSLContext:
    """Make a context that trusts the system's authorities and checks the server's certificate and name.

    For an authority of your own, call ``load_verify_locations`` on the result.
    """
    context = ssl.create_default_context()
    _harden(context)
    return context


def server_context(
    certfile: str | PathLike[str],
    keyfile: str | PathLike[str] | None = None,
    password: str | bytes | Callable[[], str | bytes] | None = None,
) -> ssl.SSLContext:
    """Make a context for a server that shows a certificate and asks its clients for none.

    To ask for client certificates, call ``load_verify_locations`` and set ``verify_mode`` on the result.

    Args:
        certfile: a PEM file: the server's certificate, then those that lead to its authority.
        keyfile: a PEM file with the private key; None: it is in certfile.
        password: what decrypts the private key; None: it is not encrypted.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: a file is not what it should be, or the password is wrong.
        ValueError: the private key is encrypted and there is no password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    # Without a password OpenSSL would ask for one on the terminal, and a service would hang at its start.
    context.load_cert_chain(certfile, keyfile, _no_password if password is None else password)
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])


def _no_password() -> str:
    raise ValueError("the private key is encrypted, and no password was given")
