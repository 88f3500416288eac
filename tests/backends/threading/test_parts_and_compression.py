"""Messages in parts, as far as waiting for them matters."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest

import wscore_threading
from support.eventually import background
from support.threaded import pair
from wscore import (
    CloseCode,
    Config,
    ConnectionClosed,
    Limits,
    LocalProtocolError,
)

PATIENCE = 20.0
STREAMED = Config(stream=True, limits=Limits(max_message_size=None))


def received(session: wscore_threading.Session) -> str | bytes:
    """Receive one message in parts and join them."""
    parts = [session.recv_fragment(PATIENCE)]
    while not parts[-1].final:
        parts.append(session.recv_fragment(PATIENCE))
    if isinstance(parts[0].data, str):
        return "".join(str(part.data) for part in parts)
    return b"".join(part.data for part in parts if isinstance(part.data, bytes))


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


def test_a_ping_is_answered_while_a_message_that_is_cut_is_on_its_way() -> None:
    # A full inbox would hide the pong if the kernel took the whole message at once, so this one is larger.
    limits = Limits(max_message_size=None, inbox_high=1 << 25)
    with pair(client=Config(fragment_size=16_384), server=Config(limits=limits)) as (client, server):
        sender = threading.Thread(target=client.send, args=(bytes(16 << 20),))
        sender.start()
        assert server.ping(timeout=PATIENCE) < PATIENCE
        assert server.recv(PATIENCE) == bytes(16 << 20)
        sender.join(PATIENCE)


def test_messages_in_parts_of_two_threads_stay_two_and_a_whole_one_follows_behind() -> None:
    both_want = threading.Barrier(2)
    begun = threading.Event()
    go_on = threading.Event()

    def parts(letter: str) -> Iterator[str]:
        yield letter
        begun.set()
        go_on.wait(PATIENCE)
        yield letter

    def send(session: wscore_threading.Session, letter: str) -> None:
        both_want.wait(PATIENCE)
        session.send_fragments(parts(letter))

    with pair() as (client, server):
        senders = [background(partial(send, client, letter)) for letter in "AB"]
        assert begun.wait(PATIENCE)
        client.send("whole")  # does not wait, and does not come between
        go_on.set()
        for sender in senders:
            sender.result()
        messages = [server.recv(PATIENCE) for _ in range(3)]
        assert sorted(map(str, messages)) == ["AA", "BB", "whole"]
        assert messages[0] != "whole"


def test_who_waits_to_send_in_parts_goes_on_when_the_message_before_has_failed() -> None:
    begun = threading.Event()
    fail = threading.Event()

    def parts() -> Iterator[str]:
        yield "half a "
        begun.set()
        fail.wait(PATIENCE)
        raise ZeroDivisionError

    with pair() as (client, _):
        torn = background(lambda: client.send_fragments(parts()))
        assert begun.wait(PATIENCE)
        waiting = background(lambda: client.send_fragments(["b"]))
        fail.set()
        assert isinstance(torn.error(), ZeroDivisionError)
        assert isinstance(waiting.error(), (LocalProtocolError, ConnectionClosed))


def test_who_asks_in_the_wrong_way_loses_no_message() -> None:
    with pair(server=STREAMED) as (client, server):
        client.send("in parts")
        server.send("whole")
        for wrong in (server.recv, client.recv_fragment):
            with pytest.raises(LocalProtocolError):
                wrong(PATIENCE)
        assert received(server) == "in parts"
        assert client.recv(PATIENCE) == "whole"
