"""TLS within TLS: data both ways however it is cut, an end that is clean or not, failures of either layer.

The near side is what is tested; it is used as a backend uses a filter. The far side is put together by hand
from two plain filters, as a proxy and a server behind it are.
"""

import ssl
from itertools import product
from typing import final

import pytest

from support.certificates import Certificates, make_certificates
from support.tls_link import SPLITS, Split, make_link, whole
from wscore_tls import NestedTLS, TLSFilter, client_filter

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize(
    "versions", list(product([V12, V13], repeat=2)), ids=lambda pair: "-in-".join(v.name for v in pair)
)


@final
class Tunnel:
    """The near side, the two filters far away, and wires that cut what they carry into pieces."""

    def __init__(
        self,
        certificates: Certificates,
        versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (V13, V13),
        *,
        split: Split = whole,
        inner: bool = True,
        server: Certificates | None = None,
        host: str = "localhost",
        established: bool = True,
    ) -> None:
        """Open a tunnel; versions: of the inner and the outer layer; server: who it is that answers in it."""
        outside = make_link(certificates, version=versions[1])
        self.proxy = outside.server
        self.outer = outside.client
        self.server: TLSFilter | None = None
        self.inner: TLSFilter | None = None
        if inner:
            self.server = TLSFilter((server or certificates).server_context(), server_side=True)
            context = certificates.client_context(version=versions[0])
            self.inner = TLSFilter(context, server_side=False, server_hostname=host)
        self.near = NestedTLS(self.outer, self.inner)
        self.split = split
        self.near_received = bytearray()
        self.far_received = bytearray()
        self.errors: list[ssl.SSLError] = []
        if inner and established:
            self.settle()
            assert self.inner is not None and self.inner.established
            assert self.server is not None and self.server.established

    @property
    def last(self) -> TLSFilter:
        """The filter far away that has the plaintext."""
        return self.server or self.proxy

    def far_wire(self) -> bytes:
        """Return what the far side has to send: of the server, wrapped by the proxy."""
        if self.server is not None and self.server.has_data_to_send:
            self.proxy.send(self.server.data_to_send())
        return self.proxy.data_to_send()

    def to_far(self) -> None:
        """Carry what the near side has to send."""
        for piece in self.split(self.near.data_to_send()):
            for plaintext in self.proxy.receive_data(piece):
                self._arrive(plaintext)

    def _arrive(self, data: bytes) -> None:
        try:
            for plaintext in [data] if self.server is None else self.server.receive_data(data):
                self.far_received += plaintext
        except ssl.SSLError:
            assert self.server is not None and self.server.error is not None

    def to_near(self) -> None:
        """Carry what the far side has to send."""
        wire = self.far_wire()
        for piece in self.split(wire) if wire else ():
            try:
                for plaintext in self.near.receive_data(piece):
                    self.near_received += plaintext
            except ssl.SSLError as error:
                self.errors.append(error)

    def settle(self) -> None:
        """Carry both ways until there is silence."""
        while True:
            self.to_far()
            self.to_near()
            if not self.near.has_data_to_send:
                return


@VERSIONS
@pytest.mark.parametrize("split", SPLITS)
def test_data_goes_both_ways_however_the_stream_is_cut(
    certificates: Certificates, versions: tuple[ssl.TLSVersion, ssl.TLSVersion], split: Split
) -> None:
    tunnel = Tunnel(certificates, versions, split=split)
    there, back = bytes(range(256)) * 80, bytes(reversed(range(256))) * 70  # more than one record each
    for start in range(0, len(there), 7000):
        tunnel.near.send(there[start : start + 7000])
        tunnel.last.send(back[start : start + 7000])
        tunnel.settle()
    assert tunnel.far_received == there
    assert tunnel.near_received == back
    assert (tunnel.near.eof, tunnel.near.error) == (False, None)


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_sent_before_the_inner_handshake_waits_for_it(
    certificates: Certificates, split: Split
) -> None:
    tunnel = Tunnel(certificates, split=split, established=False)
    tunnel.near.send(b"early")
    tunnel.settle()
    assert tunnel.far_received == b"early"


def test_the_proxy_sees_no_plaintext(certificates: Certificates) -> None:
    tunnel = Tunnel(certificates)
    tunnel.near.send(b"a secret that is long enough not to be there by chance")
    seen = b"".join(tunnel.proxy.receive_data(tunnel.near.data_to_send()))
    assert seen and b"secret" not in seen


@pytest.mark.parametrize("split", SPLITS)
def test_without_an_inner_layer_the_proxys_plaintext_is_ours(
    certificates: Certificates, version: ssl.TLSVersion, split: Split
) -> None:
    tunnel = Tunnel(certificates, (V13, version), split=split, inner=False)
    tunnel.near.send(b"there")
    tunnel.last.send(b"back")
    tunnel.settle()
    assert tunnel.far_received == b"there" and tunnel.near_received == b"back"
    tunnel.near.close()
    tunnel.settle()
    assert tunnel.proxy.eof and not tunnel.proxy.truncated
    assert not tunnel.near.eof
    tunnel.proxy.close()
    tunnel.settle()
    assert tunnel.near.eof and tunnel.near.error is None
    assert tunnel.near.receive_eof() == []
    assert not tunnel.outer.truncated


def test_data_to_send_is_announced_and_given_once(certificates: Certificates) -> None:
    for inner in (True, False):
        tunnel = Tunnel(certificates, inner=inner)
        assert not tunnel.near.has_data_to_send and tunnel.near.data_to_send() == b""
        tunnel.near.send(b"x")
        assert tunnel.near.has_data_to_send
        assert tunnel.near.data_to_send()
        assert not tunnel.near.has_data_to_send and tunnel.near.data_to_send() == b""


# The end.


@VERSIONS
@pytest.mark.parametrize("split", SPLITS)
def test_close_ends_both_layers_and_the_peer_is_still_heard(
    certificates: Certificates, versions: tuple[ssl.TLSVersion, ssl.TLSVersion], split: Split
) -> None:
    tunnel = Tunnel(certificates, versions, split=split)
    assert tunnel.server is not None
    tunnel.near.send(b"goodbye")
    tunnel.near.close()
    tunnel.settle()
    assert tunnel.far_received == b"goodbye"
    assert tunnel.server.eof and tunnel.proxy.eof
    assert not tunnel.near.eof
    tunnel.server.send(b"and to you")
    tunnel.server.close()
    tunnel.settle()
    assert tunnel.near_received == b"and to you"
    assert tunnel.near.eof  # what the proxy still has to say is of no interest
    tunnel.proxy.close()
    tunnel.settle()
    assert tunnel.near.receive_eof() == []
    sides = [tunnel.inner, tunnel.outer, tunnel.server, tunnel.proxy]
    assert [side is not None and (side.eof, side.truncated) for side in sides] == [(True, False)] * 4
    assert tunnel.near.error is None


def test_the_inner_layer_is_closed_before_the_outer_one(certificates: Certificates) -> None:
    tunnel = Tunnel(certificates)
    assert tunnel.server is not None
    tunnel.near.close()
    wire = tunnel.near.data_to_send()
    for byte in wire:
        for record in tunnel.proxy.receive_data(bytes([byte])):
            tunnel.server.receive_data(record)
        assert tunnel.server.eof or not tunnel.proxy.eof
    assert tunnel.server.eof and tunnel.proxy.eof


def test_close_is_idempotent_and_refuses_later_data(certificates: Certificates) -> None:
    for inner in (True, False):
        tunnel = Tunnel(certificates, inner=inner)
        tunnel.near.close()
        assert tunnel.near.data_to_send()
        tunnel.near.close()
        assert not tunnel.near.has_data_to_send
        with pytest.raises(ValueError, match="after close"):
            tunnel.near.send(b"too late")


@VERSIONS
@pytest.mark.parametrize("split", SPLITS)
def test_close_before_the_inner_handshake_waits_behind_what_is_held(
    certificates: Certificates, versions: tuple[ssl.TLSVersion, ssl.TLSVersion], split: Split
) -> None:
    tunnel = Tunnel(certificates, versions, split=split, established=False)
    assert tunnel.server is not None
    tunnel.near.send(b"only this")
    tunnel.near.close()
    tunnel.settle()
    assert tunnel.far_received == b"only this"
    assert tunnel.server.eof and not tunnel.server.truncated
    assert tunnel.proxy.eof and not tunnel.proxy.truncated


def test_a_close_that_waits_for_an_inner_handshake_is_made_when_that_is_cut(
    certificates: Certificates,
) -> None:
    tunnel = Tunnel(certificates, established=False)
    tunnel.near.close()
    tunnel.to_far()
    assert not tunnel.proxy.eof
    tunnel.near.receive_eof()
    tunnel.to_far()
    assert tunnel.proxy.eof and not tunnel.proxy.truncated


@VERSIONS
def test_a_stream_cut_at_any_byte_is_truncated_and_gives_whole_records_only(
    certificates: Certificates, versions: tuple[ssl.TLSVersion, ssl.TLSVersion]
) -> None:
    messages = [b"first", b"the second one", b"3"]
    tunnel = Tunnel(certificates, versions)
    size = len(far_stream(tunnel, messages)[0])
    for cut in range(0, size + 1, 3):
        tunnel = Tunnel(certificates, versions)
        stream, ends = far_stream(tunnel, messages)
        inner = tunnel.inner
        assert inner is not None
        received = b"".join(tunnel.near.receive_data(stream[:cut]))
        assert received == b"".join(messages[: sum(end <= cut for end in ends[:-1])])
        assert tunnel.near.receive_eof() == []
        assert tunnel.near.eof and tunnel.near.error is None
        assert inner.truncated is (cut < ends[-1])
        assert tunnel.outer.truncated is (cut < size)
        assert tunnel.near.receive_data(stream[cut:]) == []


def far_stream(tunnel: Tunnel, messages: list[bytes]) -> tuple[bytes, list[int]]:
    """Return all that the far side sends until its end, and where its records end, close_notify's last."""
    assert tunnel.server is not None
    stream, ends = b"", []
    for message in messages:
        tunnel.server.send(message)
        stream += tunnel.far_wire()
        ends.append(len(stream))
    tunnel.server.close()
    stream += tunnel.far_wire()
    ends.append(len(stream))
    tunnel.proxy.close()
    return stream + tunnel.far_wire(), ends


@pytest.mark.parametrize("whole_end", [True, False])
def test_a_proxy_that_closes_in_good_order_cuts_the_server_off(
    certificates: Certificates, whole_end: bool
) -> None:
    tunnel = Tunnel(certificates)
    assert tunnel.server is not None and tunnel.inner is not None
    tunnel.server.send(b"last words")
    if whole_end:
        tunnel.server.close()
    wire = tunnel.far_wire()
    tunnel.proxy.close()
    assert tunnel.near.receive_data(wire + tunnel.far_wire()) == [b"last words"]
    assert tunnel.near.eof and tunnel.near.error is None
    assert not tunnel.outer.truncated
    assert tunnel.inner.truncated is not whole_end


# Failures.


def refused_by(tunnel: Tunnel) -> None:
    """Check that the near side has not accepted the server, and that both others know."""
    assert [type(error) for error in tunnel.errors] == [ssl.SSLCertVerificationError]
    assert isinstance(tunnel.near.error, ssl.SSLCertVerificationError)
    assert tunnel.near.eof
    assert tunnel.server is not None and tunnel.server.error is not None  # the alert has arrived
    assert tunnel.proxy.error is None and not tunnel.proxy.eof  # it is nobody else's affair
    assert tunnel.far_received == b""
    tunnel.proxy.send(b"whatever comes now")
    with pytest.raises(ssl.SSLCertVerificationError):
        tunnel.near.receive_data(tunnel.far_wire())


def test_a_server_with_a_strangers_certificate_is_refused(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    tunnel = Tunnel(certificates, (version, V13), server=make_certificates(), established=False)
    tunnel.near.send(b"a secret")
    tunnel.settle()
    refused_by(tunnel)
    tunnel.near.close()
    tunnel.to_far()
    assert tunnel.proxy.eof and not tunnel.proxy.truncated


def test_a_server_with_another_name_is_refused(certificates: Certificates) -> None:
    """The proxy's own name is no excuse: each layer has its own."""
    tunnel = Tunnel(certificates, host="other.example", established=False)
    tunnel.settle()
    refused_by(tunnel)


@VERSIONS
def test_a_bad_inner_record_costs_nothing_that_came_before(
    certificates: Certificates, versions: tuple[ssl.TLSVersion, ssl.TLSVersion]
) -> None:
    tunnel = Tunnel(certificates, versions)
    assert tunnel.server is not None
    tunnel.server.send(b"good")
    wire = tunnel.far_wire()
    tunnel.proxy.send(b"this is no record of TLS")
    assert tunnel.near.receive_data(wire + tunnel.far_wire()) == [b"good"]
    assert tunnel.near.eof and tunnel.near.error is not None
    with pytest.raises(ssl.SSLError):
        tunnel.near.receive_data(b"")
    with pytest.raises(ssl.SSLError):
        tunnel.near.receive_eof()
    tunnel.to_far()
    assert tunnel.server.error is not None  # it was told


def test_neither_does_a_bad_inner_record_before_the_end(certificates: Certificates) -> None:
    tunnel = Tunnel(certificates)
    assert tunnel.server is not None
    tunnel.server.send(b"good")
    wire = tunnel.far_wire()
    tunnel.proxy.send(b"this is no record of TLS")
    tunnel.proxy.close()
    assert tunnel.near.receive_data(wire + tunnel.far_wire()) == [b"good"]
    assert tunnel.near.eof and tunnel.near.error is not None


@pytest.mark.parametrize("inner", [True, False])
def test_a_bad_outer_record_costs_nothing_that_came_before(certificates: Certificates, inner: bool) -> None:
    tunnel = Tunnel(certificates, inner=inner)
    tunnel.last.send(b"good")
    assert tunnel.near.receive_data(tunnel.far_wire() + b"this is no record of TLS") == [b"good"]
    assert tunnel.near.eof and tunnel.near.error is tunnel.outer.error is not None
    with pytest.raises(ssl.SSLError):
        tunnel.near.receive_data(b"")
    with pytest.raises(ssl.SSLError):
        tunnel.near.receive_eof()
    tunnel.near.send(b"nobody can read this")
    assert tunnel.near.data_to_send()  # the alert
    tunnel.near.close()


def test_a_bad_inner_record_after_our_close_is_no_mistake_of_the_caller(certificates: Certificates) -> None:
    tunnel = Tunnel(certificates)
    tunnel.near.close()
    tunnel.to_far()
    tunnel.proxy.send(b"this is no record of TLS")
    with pytest.raises(ssl.SSLError):
        tunnel.near.receive_data(tunnel.far_wire())
    assert tunnel.near.error is not None
    assert not tunnel.near.has_data_to_send  # the alert cannot leave: the outer layer has ended
    assert tunnel.near.data_to_send() == b""


# What stands between a client and its transport.


def test_a_client_without_tls_and_proxy_needs_nothing() -> None:
    assert client_filter(None, None, None) is None


def test_a_client_of_a_server_has_one_layer(certificates: Certificates) -> None:
    context = certificates.client_context()
    tls = client_filter("localhost", context, None)
    assert isinstance(tls, TLSFilter) and tls.server_hostname == "localhost"
    server = TLSFilter(certificates.server_context(), server_side=True)
    while not server.established:
        server.receive_data(tls.data_to_send())
        tls.receive_data(server.data_to_send())
    assert tls.established


def test_a_client_trusts_the_authorities_of_the_system_by_default(certificates: Certificates) -> None:
    tls = client_filter("localhost", None, None)
    assert tls is not None
    server = TLSFilter(certificates.server_context(), server_side=True)
    server.receive_data(tls.data_to_send())
    with pytest.raises(ssl.SSLCertVerificationError):
        tls.receive_data(server.data_to_send())


@pytest.mark.parametrize("host", ["localhost", None])
def test_a_client_of_a_proxy_has_that_layer_outside(certificates: Certificates, host: str | None) -> None:
    outside = make_link(certificates)
    tls = client_filter(host, certificates.client_context(), outside.client)
    assert isinstance(tls, NestedTLS)
    tls.send(b"hello")
    [seen] = outside.server.receive_data(tls.data_to_send())
    assert (seen == b"hello") is (host is None)
    assert host is None or seen[0] == 22  # a handshake record (RFC 8446 section 5.1)
