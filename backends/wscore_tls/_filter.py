"""The filter: an `ssl.SSLObject` between two memory buffers.

OpenSSL reads ciphertext from one buffer and writes ciphertext to the other; the filter keeps the first one
drained and the second one empty. That makes it simple, and gives three properties that are easy to lose:

- *Memory is bounded.* OpenSSL's buffers never shrink, so they are fed and emptied in steps; no long input
  or output is ever in them as a whole, and what a connection retains does not depend on the longest one.
- *A half-close works.* OpenSSL gives up reading when it is asked to close while plaintext waits unread.
  Nothing ever waits here: all complete records are read before the close_notify is made.
- *Nothing readable is lost.* A call that meets good records and then a bad one returns the good plaintext;
  the failure is in `error` at once and is raised by the next call.

What happens when::

    handshaking --> established --> closed by either side, in any order, each direction on its own
         \\______________\\______--> failed: the alert is in data_to_send, receiving raises, sending is silent

"Established" is meant as TLS means it: with TLS 1.3 a client is done before the server has looked at the
client's certificate, so a refusal arrives as an error *after* the client's handshake is complete.
"""

import ssl
from contextlib import suppress
from copy import copy
from typing import Any, Final, Literal, TypeAlias, final, overload

PeerCertificate: TypeAlias = dict[str, Any]  # as `ssl.SSLSocket.getpeercert` describes it

_STEP: Final = 65536  # bytes: four of the longest records


@final
class TLSFilter:
    """One side of one TLS connection; see the package's docstring for how to drive it.

    Args:
        context: certificates, trust, versions; it is not changed.
        server_side: False makes the ClientHello at once: write `data_to_send`.
        server_hostname: a client's wish whom to reach (a name or an IP address), sent as SNI and checked
            against the server's certificate as the context demands. A server must leave it out.

    Raises:
        ValueError: server_hostname is missing or superfluous.
        ssl.SSLError: the context allows no handshake at all.
    """

    __slots__ = (
        "_ciphertext",
        "_close_sent",
        "_closing",
        "_eof",
        "_error",
        "_established",
        "_held",
        "_incoming",
        "_outgoing",
        "_tls",
        "_truncated",
    )

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        if server_side and server_hostname is not None:
            raise ValueError("expected no server_hostname on the server's side")
        # `wrap_bio` would let this pass and then take a certificate for any name as the right one.
        if not server_side and server_hostname is None and context.check_hostname:
            raise ValueError("expected a server_hostname, as the context demands to check it")
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._ciphertext: list[bytes] = []  # waits for the wire
        self._held: list[bytes] = []  # plaintext that waits for the handshake
        self._error: ssl.SSLError | None = None
        self._established = False
        self._eof = False
        self._truncated = False
        self._closing = False
        self._close_sent = False
        self._advance([])
        self._raise_failure()

    # Inputs

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take ciphertext from the transport and return the plaintext that became readable.

        Then write `data_to_send`, and look at `eof`. What comes after the peer's close_notify is discarded.

        Returns:
            Non-empty pieces, one for each record; no pieces while records or the handshake are incomplete.

        Raises:
            ssl.SSLError: the handshake failed, or a record is bad; `ssl.SSLCertVerificationError` when the
                peer's certificate was not accepted. The alert for the peer is in `data_to_send`. Every later
                call raises the same again. If plaintext came before the failure, this call returns it,
                `eof` and `error` are set, and the next call is the first that raises.
        """
        self._raise_failure()
        plaintext: list[bytes] = []
        view = memoryview(data)
        for start in range(0, len(view), _STEP):
            if self._eof:
                break
            self._incoming.write(view[start : start + _STEP])
            self._advance(plaintext)
        if not plaintext:
            self._raise_failure()
        return plaintext

    def receive_eof(self) -> list[bytes]:
        """Say that the transport brings nothing more, or was lost. Idempotent.

        Without a close_notify before, that is a truncation: half a record is worth nothing, so the result
        is always empty. Sending stays possible, for a peer that has only stopped to write.

        Raises:
            ssl.SSLError: the failure of an earlier call, again.
        """
        self._raise_failure()
        if not self._eof:
            self._eof = self._truncated = True
        return []

    # Commands

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt plaintext. Then write `data_to_send`.

        Before the handshake is complete the plaintext is held, however much it is, and encrypted right after.
        Each call makes at least one record (some 22 bytes more): join what is small. After a failure the
        plaintext is dropped, as nobody can read it any more.

        Raises:
            ValueError: after `close`.
        """
        if self._closing:
            raise ValueError("expected no more plaintext after close()")
        if self._error is not None:
            return
        if not self._established:
            self._held.append(bytes(data))  # a copy only of what the caller could still change
            return
        try:
            self._encrypt(data)
        except ssl.SSLError as error:
            self._fail(error)
            self._raise_failure()

    def close(self) -> None:
        """Queue close_notify: this side sends no more. Then write `data_to_send`. Idempotent.

        Before the handshake is complete it waits, behind plaintext that is held. Decryption goes on until
        the peer's own close_notify. TLS 1.2 peers may answer with it at once and drop what they had to send.
        """
        self._closing = True
        if self._established:
            self._advance([])  # finds nothing to decrypt: all that is complete has been decrypted

    # Outputs

    def data_to_send(self) -> bytes:
        """Take the ciphertext that waits for the wire; it must be written wholly and in order."""
        data = b"".join(self._ciphertext)
        self._ciphertext.clear()
        return data

    @property
    def has_data_to_send(self) -> bool:
        """True when `data_to_send` would give something."""
        return bool(self._ciphertext)

    # Queries

    @property
    def established(self) -> bool:
        """True once this side's handshake is complete; it stays True."""
        return self._established

    @property
    def eof(self) -> bool:
        """True when nothing more will be decrypted: close_notify, the transport's end, or a failure."""
        return self._eof

    @property
    def truncated(self) -> bool:
        """True when the end came without the peer's close_notify: do not take it for a clean one."""
        return self._truncated

    @property
    def error(self) -> ssl.SSLError | None:
        """What made the connection fail; None while nothing has."""
        return self._error

    @property
    def version(self) -> str | None:
        """The protocol in use, as "TLSv1.3"; None before the handshake has settled it."""
        return self._tls.version()

    @property
    def cipher(self) -> tuple[str, str, int] | None:
        """The cipher's name, the protocol that defines it, its secret bits; None before it is settled."""
        return self._tls.cipher()

    @property
    def selected_alpn_protocol(self) -> str | None:
        """The application protocol that both sides agreed upon; None when there is none."""
        return self._tls.selected_alpn_protocol()

    @property
    def server_hostname(self) -> str | None:
        """The name a client asked for; None on the server's side."""
        return self._tls.server_hostname

    @overload
    def peer_certificate(self, binary: Literal[False] = False) -> PeerCertificate | None: ...
    @overload
    def peer_certificate(self, binary: Literal[True]) -> bytes | None: ...
    def peer_certificate(self, binary: bool = False) -> PeerCertificate | bytes | None:
        """Return the peer's certificate, or None if there is none (yet).

        Args:
            binary: True: as DER bytes. False: decoded as `ssl.SSLSocket.getpeercert` does, which gives an
                empty dictionary for a certificate that the context does not verify.
        """
        return self._tls.getpeercert(binary) if self._established else None

    # Between the buffers

    def _advance(self, plaintext: list[bytes]) -> None:
        """Go as far as the input allows; append what becomes readable to plaintext."""
        try:
            if self._established or self._shake_hands():
                if not self._eof:
                    self._decrypt(plaintext)
                if self._closing and not self._close_sent:
                    self._shut_down()
        except ssl.SSLError as error:
            self._fail(error)
        self._collect()

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self._established = True
        for data in self._held:
            self._encrypt(data)
        self._held.clear()
        return True

    def _decrypt(self, plaintext: list[bytes]) -> None:
        """Read until nothing complete is left; afterwards OpenSSL holds at most a part of one record."""
        while True:
            try:
                piece = self._tls.read(_STEP)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:  # the peer's close_notify, when ours has left already
                piece = b""
            if not piece:
                self._eof = True
                return
            plaintext.append(piece)
            # Mostly one read brings one record and that was all. To look is cheaper than to ask in vain:
            # the exception would cost as much as the record.
            if not self._incoming.pending and not self._tls.pending():
                return

    def _encrypt(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        while view:
            view = view[self._tls.write(view[:_STEP]) :]
            self._collect()

    def _shut_down(self) -> None:
        self._close_sent = True
        # It "wants to read" when ours is made and the peer's has not come: that one is found by `_decrypt`.
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()

    def _collect(self) -> None:
        if self._outgoing.pending:
            self._ciphertext.append(self._outgoing.read())

    def _fail(self, error: ssl.SSLError) -> None:
        # The traceback would tie this filter to itself and keep both until the garbage collector comes.
        self._error = error.with_traceback(None)
        if not self._eof:
            self._eof = self._truncated = True
        self._held.clear()
        self._collect()

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise copy(self._error)  # a copy, since raising ties the traceback to what is raised
