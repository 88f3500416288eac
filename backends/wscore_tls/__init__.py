"""TLS without a socket: ciphertext in, plaintext out, and the other way round.

A `TLSFilter` stands between a byte stream and whoever speaks over it. It does no I/O and never waits, so
one piece of code serves a blocking thread and an event loop alike; each call does what it can with the
bytes it was given. The caller keeps three habits:

- after every call, write what `data_to_send` gives: even reading makes TLS talk (the handshake, alerts);
- give `receive_data` all that the transport brings, and say `receive_eof` when it ends;
- treat `eof` as the end of the stream, and as a clean end only when `truncated` is False. Without the peer's
  close_notify anybody on the way can cut the stream unseen (RFC 8446, 6.1).

A client over a blocking socket::

    tls = TLSFilter(client_context(), server_side=False, server_hostname="example.org")
    tls.send(request)                          # held until the handshake is complete
    while not tls.eof:
        sock.sendall(tls.data_to_send())       # first the ClientHello
        data = sock.recv(65536)
        for plaintext in tls.receive_data(data) if data else tls.receive_eof():
            process(plaintext)
    tls.close()
    sock.sendall(tls.data_to_send())           # our close_notify

A server tells the peer why it is turned away::

    tls = TLSFilter(server_context("cert.pem", "key.pem"), server_side=True)
    try:
        pieces = tls.receive_data(sock.recv(65536))
    except ssl.SSLError:
        sock.sendall(tls.data_to_send())       # the alert
        sock.close()

Half-close works as in TCP: after `close` the filter still decrypts, until the peer's close_notify. A filter
belongs to one thread at a time; who shares it brings a lock.
"""

from ._context import client_context, server_context
from ._filter import PeerCertificate, TLSFilter
from ._nested import NestedTLS, client_filter
from ._passing import pass_input, pass_output

__all__ = [
    "NestedTLS",
    "PeerCertificate",
    "TLSFilter",
    "client_context",
    "client_filter",
    "pass_input",
    "pass_output",
    "server_context",
]
