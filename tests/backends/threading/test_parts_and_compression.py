"""Compression, messages in parts and messages for many, through sessions over real sockets."""

import threading
from collections.abc import Iterator

import pytest

import wscore_threading
from support.threaded import echo_server, pair, url_of
from wscore import (
    CloseCode,
    Config,
    ConnectionClosed,
    Deflate,
    Endpoint,
    Fragment,
    Limits,
    LocalProtocolError,
    PreparedMessage,
)

PATIENCE = 20.0
COMPRESSED = Config(compression=Deflate())
STREAMED = Config(stream=True, limits=Limits(max_message_size=None))


def received(session: wscore_threading.Session) -> str | bytes:
    """Receive one message in parts and join them."""
    parts = [session.recv_fragment(PATIENCE)]
    while not parts[-1].final:
        parts.append(session.recv_fragment(PATIENCE))
    if isinstance(parts[0].data, str):
        return "".join(str(part.data) for part in parts)
    return b"".join(part.data for part in parts if isinstance(part.data, bytes))


def test_a_compressed_echo_is_exact_and_short_on_the_wire() -> None:
    with (
        echo_server(COMPRESSED) as server,
        wscore_threading.connect(url_of(server), config=COMPRESSED) as session,
    ):
        assert session.extensions.startswith("permessage-deflate")
        for message in ("ä" * 100_000, b"\x00" * 500_000, "short", b""):
            session.send(message)
            assert session.recv(PATIENCE) == message
        assert session.stats.wire_received < 10_000


def test_the_sender_of_a_message_decides_whether_it_is_compressed() -> None:
    with pair(client=COMPRESSED, server=COMPRESSED) as (client, server):
        client.send(b"a" * 50_000, compress=False)
        assert server.recv(PATIENCE) == b"a" * 50_000
        plain = server.stats.wire_received
        assert plain > 50_000
        client.send(b"a" * 50_000, compress=True)
        assert server.recv(PATIENCE) == b"a" * 50_000
        assert server.stats.wire_received - plain < 1_000


def test_parts_are_sent_as_they_are_made_and_arrive_before_the_message_is_complete() -> None:
    seen = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"first"
        assert seen.wait(PATIENCE)  # set only when the other side has the first part
        yield b" second"

    with pair(server=STREAMED) as (client, server):
        sender = threading.Thread(target=client.send_fragments, args=(parts(),))
        sender.start()
        assert server.recv_fragment(PATIENCE) == Fragment(b"first", False)
        seen.set()
        assert received(server) == b" second"
        sender.join(PATIENCE)


def test_whole_messages_follow_behind_the_message_in_parts() -> None:
    with pair() as (client, server):

        def parts() -> Iterator[str]:
            yield "one "
            client.send("in between")
            yield "message"

        client.send_fragments(parts())
        assert [server.recv(PATIENCE), server.recv(PATIENCE)] == ["one message", "in between"]


def test_parts_that_fail_close_the_connection_because_the_message_cannot_be_finished() -> None:
    def parts() -> Iterator[str]:
        yield "half a "
        raise ZeroDivisionError

    with pair() as (client, server):
        with pytest.raises(ZeroDivisionError):
            client.send_fragments(parts())
        with pytest.raises(ConnectionClosed) as end:
            server.recv(PATIENCE)
        assert end.value.closed.code == CloseCode.INTERNAL_ERROR


def test_a_message_without_parts_is_refused_and_the_connection_lives() -> None:
    with pair() as (client, server):
        with pytest.raises(LocalProtocolError, match="at least one part"):
            client.send_fragments([])
        client.send("alive")
        assert server.recv(PATIENCE) == "alive"


def test_one_part_is_not_taken_for_many() -> None:
    with pair() as (client, server):
        for part in ("abc", b"abc"):
            with pytest.raises(LocalProtocolError, match="iterable of parts"):
                client.send_fragments(part)  # type: ignore[arg-type, unused-ignore]
        client.send("alive")
        assert server.recv(PATIENCE) == "alive"


def test_a_long_message_in_parts_waits_for_a_slow_reader_and_arrives_exactly() -> None:
    block = bytes(range(256)) * 256
    with pair(server=STREAMED) as (client, server):
        sender = threading.Thread(target=client.send_fragments, args=([block] * 64,))
        sender.start()
        assert received(server) == block * 64
        sender.join(PATIENCE)
        assert not sender.is_alive()


def test_each_way_to_receive_tells_when_it_is_the_wrong_one() -> None:
    with pair(server=STREAMED) as (client, server):
        client.send("in parts")
        server.send("whole")
        with pytest.raises(LocalProtocolError, match="recv_fragment"):
            server.recv(PATIENCE)
        with pytest.raises(LocalProtocolError, match=r"come from recv$"):
            client.recv_fragment(PATIENCE)


def test_an_endpoint_with_on_fragment_gets_parts() -> None:
    parts: list[tuple[str | bytes, bool]] = []
    done = threading.Event()

    class Parts(Endpoint):
        def on_fragment(self, session: wscore_threading.Session, data: str | bytes, final: bool) -> None:
            parts.append((data, final))
            if final:
                done.set()

    with (
        wscore_threading.serve(Parts, "127.0.0.1") as server,
        wscore_threading.connect(url_of(server)) as session,
    ):
        session.send("a" * 300_000)
        assert done.wait(PATIENCE)
    assert "".join(str(data) for data, _ in parts) == "a" * 300_000
    assert [final for _, final in parts].count(True) == 1
    assert len(parts) > 1


def test_a_prepared_message_goes_to_everybody() -> None:
    news = PreparedMessage("news " * 1000)
    with pair(client=COMPRESSED, server=COMPRESSED) as (one, its_server), pair() as (other, other_server):
        for session in (its_server, other_server, one, other):
            session.send(news)
        for session in (one, other, its_server, other_server):
            assert session.recv(PATIENCE) == "news " * 1000


def test_a_ping_is_answered_while_a_message_that_is_cut_is_on_its_way() -> None:
    # A full inbox would hide the pong if the kernel took the whole message at once, so this one is larger.
    limits = Limits(max_message_size=None, inbox_high=1 << 25)
    with pair(client=Config(fragment_size=16_384), server=Config(limits=limits)) as (client, server):
        sender = threading.Thread(target=client.send, args=(bytes(16 << 20),))
        sender.start()
        assert server.ping(timeout=PATIENCE) < PATIENCE
        assert server.recv(PATIENCE) == bytes(16 << 20)
        sender.join(PATIENCE)
