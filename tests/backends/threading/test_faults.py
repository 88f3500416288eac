"""Peers that break rules or vanish, as a bare socket sees it: the right code, the right end, nothing lost."""

import queue
import threading
from collections.abc import Callable
from time import monotonic

import pytest

from support.bad_requests import GROUPS
from support.eventually import PATIENCE, background, eventually, stays
from support.handshakes import SECOND_REQUEST, read_message
from support.raw import RawPeer, dial, dial_upgraded
from support.threaded import client_of_raw_server, echo, echo_server, url_of
from support.wire import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, frame, header, status
from wscore import Config, ConnectionClosed, Limits, Timeouts, Violation
from wscore_threading import Session, connect, serve

KIB = 1024
MIB = 1024 * KIB

SMALL = Config(limits=Limits(max_message_size=1000, max_frame_size=800, max_fragments=10))

# What breaks which rule, on its way to a server.
BROKEN: dict[Violation, bytes] = {
    Violation.RESERVED_BITS: frame(TEXT, b"x", masked=True, rsv=0x40),
    Violation.RESERVED_OPCODE: frame(0x3, b"x", masked=True),
    Violation.FRAGMENTED_CONTROL: frame(PING, b"x", masked=True, final=False),
    Violation.LONG_CONTROL: frame(PING, b"x" * 126, masked=True),
    Violation.UNMASKED_FRAME: frame(TEXT, b"x", masked=False),
    Violation.LONG_LENGTH_FORM: header(0x80 | TEXT, 125, masked=True, form=2),
    Violation.LENGTH_SIGN_BIT: header(0x80 | BINARY, 1 << 63, masked=True),
    Violation.UNEXPECTED_CONTINUATION: frame(CONTINUATION, b"x", masked=True),
    Violation.MESSAGE_INTERRUPTED: frame(TEXT, b"x", masked=True, final=False)
    + frame(TEXT, b"x", masked=True),
    Violation.FRAME_TOO_BIG: header(0x80 | BINARY, 801, masked=True),
    Violation.MESSAGE_TOO_BIG: frame(TEXT, b"x" * 800, masked=True, final=False)
    + header(0x80 | CONTINUATION, 201, masked=True)
    + KEY,
    Violation.TOO_MANY_FRAGMENTS: frame(TEXT, b"x", masked=True, final=False)
    + frame(CONTINUATION, b"x", masked=True, final=False) * 10,
    Violation.INVALID_UTF8: frame(TEXT, b"\xff", masked=True),
    Violation.CLOSE_PAYLOAD: frame(CLOSE, b"\x03", masked=True),
    Violation.CLOSE_CODE: frame(CLOSE, status(1005), masked=True),
    Violation.CLOSE_REASON_UTF8: frame(CLOSE, status(1000, b"\xff"), masked=True),
}


@pytest.mark.parametrize("violation", BROKEN, ids=lambda violation: violation.name.lower())
def test_a_broken_rule_is_answered_with_its_code_and_the_end_of_the_stream(violation: Violation) -> None:
    with echo_server(SMALL) as server, dial_upgraded(server.port) as peer:
        peer.send(frame(TEXT, b"good", masked=True) + BROKEN[violation])
        assert peer.read_frame() == (0x80 | TEXT, b"good")
        first, payload = peer.read_frame()
        assert first == 0x80 | CLOSE
        assert payload == status(violation.close_code or 0, violation.sentence.encode())
        assert peer.read_to_end() == b""


def test_a_masked_frame_from_a_server_breaks_a_rule_too() -> None:
    with client_of_raw_server() as (session, peer):
        peer.send(frame(TEXT, b"x", masked=True))
        with pytest.raises(ConnectionClosed):
            session.recv(timeout=10)
        assert session.closed is not None and session.closed.violation is Violation.MASKED_FRAME
        assert peer.read_close() == 1002


def test_garbage_after_the_handshake_ends_with_1002() -> None:
    with echo_server() as server, dial_upgraded(server.port) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: again\r\n\r\n")
        assert peer.read_close() == 1002
        assert peer.read_to_end() == b""


@pytest.mark.parametrize("group", GROUPS)
def test_each_bad_request_gets_its_status_and_the_end_and_nothing_behind_it_is_read(group: str) -> None:
    expected, rows = GROUPS[group]
    with echo_server() as server:
        for name, data in rows.items():
            with dial(server.port) as peer:
                peer.send(data + SECOND_REQUEST)
                response = read_message(peer.read_to_end())
                assert response.status == expected.status, name
                assert b"close" in b", ".join(response.values(b"connection")), name


# Peers that vanish.


@pytest.mark.parametrize("leave", [RawPeer.close, RawPeer.reset], ids=["fin", "rst"])
@pytest.mark.parametrize(
    "parting", [b"", frame(TEXT, b"never whole", masked=True)[:-1]], ids=["idle", "inside"]
)
def test_a_peer_that_vanishes_is_1006_for_a_waiting_handler(
    leave: Callable[[RawPeer], None], parting: bytes
) -> None:
    ends: queue.SimpleQueue[ConnectionClosed] = queue.SimpleQueue()

    def handler(session: Session) -> None:
        try:
            session.recv()
        except ConnectionClosed as end:
            ends.put(end)

    with serve(handler, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send(parting)
        leave(peer)
        closed = ends.get(timeout=PATIENCE).closed
    assert (closed.code, closed.clean) == (1006, False)


def test_a_stream_cut_anywhere_delivers_the_whole_messages_and_is_never_clean() -> None:
    messages = (b"one", b"two two", b"")
    pieces = [frame(TEXT, message, masked=False) for message in messages]
    stream = b"".join(pieces) + frame(CLOSE, status(1000), masked=False)
    ends = [sum(map(len, pieces[: number + 1])) for number in range(len(messages))]
    for cut in range(len(stream)):
        with client_of_raw_server() as (session, peer):
            peer.send(stream[:cut])
            peer.close()
            for message, end in zip(messages, ends, strict=True):
                if end <= cut:
                    assert session.recv(timeout=10) == message.decode()
            with pytest.raises(ConnectionClosed):
                session.recv(timeout=10)
            assert session.closed is not None and session.closed.code == 1006


# Nothing is lost at the end.


def test_eight_mebibytes_and_a_close_reach_a_slow_reader_whole() -> None:
    def say_goodbye(session: Session) -> None:
        session.send(b"x" * 8 * MIB)

    with serve(say_goodbye, "127.0.0.1") as server, dial_upgraded(server.port, receive_buffer=4096) as peer:
        expected = frame(BINARY, b"", masked=False)[:1] + bytes([127]) + (8 * MIB).to_bytes(8, "big")
        assert peer.read_exactly(10) == expected
        stays(lambda: True, 0.3)  # the server has long said all that it has to say
        assert peer.read_exactly(8 * MIB).count(b"x") == 8 * MIB
        assert peer.read_close() == 1000
        peer.send_close()
        assert peer.read_to_end() == b""


def test_the_last_words_arrive_although_the_peer_floods_us_meanwhile() -> None:
    """Closing TCP with unread input would send a reset and destroy what is still on its way."""

    def say_goodbye(session: Session) -> None:
        session.send(b"x" * MIB)

    with serve(say_goodbye, "127.0.0.1") as server, dial_upgraded(server.port, receive_buffer=4096) as peer:
        flooding = background(lambda: peer.send(frame(BINARY, b"y" * 1000, masked=True) * 4000))
        assert len(peer.read_frame()[1]) == MIB
        assert peer.read_close() == 1000
        flooding.result()
        peer.send_close()
        assert peer.read_to_end() == b""


def test_a_broken_rule_is_explained_although_input_is_left_unread() -> None:
    with echo_server() as server, dial_upgraded(server.port) as peer:
        peer.send(frame(0x3, b"", masked=True) + b"z" * MIB)
        assert peer.read_close() == 1002
        assert peer.read_to_end() == b""


# While the application is busy.


def test_a_ping_is_answered_while_the_handler_computes() -> None:
    may_end = threading.Event()

    def busy(session: Session) -> None:
        session.recv()
        may_end.wait(PATIENCE)

    with serve(busy, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send_frame(TEXT, b"compute!")
        begun = monotonic()
        peer.send_frame(PING, b"alive?")
        assert peer.read_frame() == (0x80 | PONG, b"alive?")
        assert monotonic() - begun < 0.75  # the housekeeper's second look, and a little
        may_end.set()


def test_a_ping_is_answered_behind_a_message_that_nobody_takes() -> None:
    with client_of_raw_server() as (_, peer):
        peer.send_frame(TEXT, b"unread")
        peer.send_frame(PING, b"alive?")
        assert peer.read_frame() == (0x80 | PONG, b"alive?")


def test_a_busy_handler_still_delivers_what_came_meanwhile() -> None:
    with client_of_raw_server() as (session, peer):
        for number in range(100):
            peer.send_frame(TEXT, b"%d" % number)
        peer.send_close(1000)
        eventually(lambda: session.stats.messages_received == 100)  # the housekeeper has read them
        assert list(session) == [str(number) for number in range(100)]


# The close handshake, whatever the peer does: the close matrix.

_WHOLE = frame(TEXT, b"x" * 500, masked=False)


def _replies(peer: RawPeer) -> None:
    assert peer.read_close() == 1000
    peer.send_close()
    peer.end_writing()


def _never_replies(peer: RawPeer) -> None:
    assert peer.read_close() == 1000


def _resets(peer: RawPeer) -> None:
    assert peer.read_close() == 1000
    peer.reset()


def _leaves(peer: RawPeer) -> None:
    assert peer.read_close() == 1000
    peer.close()


def _sends_garbage(peer: RawPeer) -> None:
    assert peer.read_close() == 1000
    peer.send(b"\xff" * 100)


def _floods(peer: RawPeer) -> None:
    try:
        while True:
            peer.send(_WHOLE * 100)
    except OSError:  # at last
        pass


@pytest.mark.parametrize(
    ("peers_way", "code"),
    [
        (_replies, 1000),
        (_never_replies, 1006),
        (_resets, 1006),
        (_leaves, 1006),
        (_sends_garbage, 1006),
        (_floods, 1006),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("state", ["idle", "unread", "inside"])
def test_close_is_over_in_time_whatever_the_peer_does(
    state: str, peers_way: Callable[[RawPeer], None], code: int
) -> None:
    timeout = 0.3
    with client_of_raw_server(Config(timeouts=Timeouts(close=timeout))) as (session, peer):
        if state == "unread":
            peer.send(_WHOLE * 50)
        elif state == "inside":
            peer.send(frame(TEXT, b"half", masked=False, final=False))
        acting = background(lambda: peers_way(peer))
        begun = monotonic()
        session.close()
        assert monotonic() - begun < timeout + 0.5
        assert session.closed is not None and session.closed.code == code
        session.abort()
        acting.result()


def test_a_server_closes_in_time_although_the_peer_reads_nothing() -> None:
    ended = threading.Event()

    def handler(session: Session) -> None:
        session.flush()
        background(lambda: session.send(b"x" * 32 * MIB))
        eventually(lambda: session.buffered_amount > MIB)
        begun = monotonic()
        session.close()
        assert monotonic() - begun < 0.6 + 0.5
        ended.set()

    config = Config(timeouts=Timeouts(close=0.6))
    with serve(handler, "127.0.0.1", config=config) as server, dial_upgraded(server.port):
        assert ended.wait(PATIENCE)


def test_both_sides_may_close_at_once() -> None:
    for _ in range(20):
        with serve(echo, "127.0.0.1") as server, connect(url_of(server)) as session:
            eventually(lambda: server.sessions)
            closing = background(server.shutdown)
            session.close(1000)
            closing.result()
            assert session.closed is not None and session.closed.clean
