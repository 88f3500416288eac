"""A session in the hands of an application: messages, pings, what it knows of itself."""

import threading
from itertools import count
from typing import Any

import pytest

from support.eventually import background, eventually, stays
from support.raw import RawListener, answer, dial_upgraded
from support.threaded import client_of_raw_server, echo_server, pair, send_all, url_of
from support.wire import CONTINUATION, PING, PONG, TEXT, frame
from wscore import (
    BatchMode,
    Closed,
    CloseReceived,
    Config,
    ConnectionClosed,
    Limits,
    LocalProtocolError,
    PingReceived,
    State,
)
from wscore_threading import Session, connect, serve

# What is sent is what arrives.


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1024 * 1024])
def test_messages_keep_their_type_and_their_content(size: int) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    binary = bytes(range(256)) * (size // 256) + b"\x80" * (size % 256)
    with echo_server() as server, connect(url_of(server)) as session:
        for message in (text, binary):
            session.send(message)
            assert session.recv(timeout=20) == message


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_like_messages_are_binary_and_may_be_changed_after_send(kind: Any) -> None:
    buffer = bytearray(b"before")
    with echo_server() as server, connect(url_of(server)) as session:
        session.send(kind(buffer))
        buffer[:] = b"after!"
        assert session.recv(timeout=10) == b"before"


@pytest.mark.parametrize("message", [None, 1, ["x"], "\ud800"], ids=["none", "number", "list", "surrogate"])
def test_what_is_no_message_is_refused_and_harms_nothing(message: Any) -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        with pytest.raises(LocalProtocolError):
            session.send(message)
        session.send("still here")
        assert session.recv(timeout=10) == "still here"


def test_fragments_become_one_message_with_a_ping_between_them() -> None:
    with echo_server() as server, dial_upgraded(server.port) as peer:
        peer.send(frame(TEXT, b"one ", masked=True, final=False))
        peer.send_frame(PING, b"now")
        assert peer.read_frame() == (0x80 | PONG, b"now")
        peer.send(frame(CONTINUATION, b"two", masked=True))
        assert peer.read_frame() == (0x80 | TEXT, b"one two")


def test_a_session_iterates_over_its_messages_until_the_end() -> None:
    def say(session: Session) -> None:
        for number in range(100):
            session.send(str(number))

    with serve(say, "127.0.0.1") as server, connect(url_of(server)) as session:
        assert list(session) == [str(number) for number in range(100)]
        assert list(session) == []


# Receiving.


def test_recv_gives_up_in_time_and_loses_nothing() -> None:
    with client_of_raw_server() as (session, peer):
        whole = frame(TEXT, b"hello", masked=False)
        for cut in range(len(whole)):
            peer.send(whole[:cut])
            with pytest.raises(TimeoutError):
                session.recv(timeout=0.002)
            peer.send(whole[cut:])
            assert session.recv(timeout=10) == "hello"


def test_recv_with_no_time_takes_what_is_there() -> None:
    with pair() as (ours, theirs):
        with pytest.raises(TimeoutError):
            ours.recv(timeout=0)
        theirs.send("hello")
        ours.ping()  # its pong comes behind the message
        assert ours.recv(timeout=0) == "hello"


def test_a_thousand_timeouts_lose_and_repeat_nothing() -> None:
    with pair() as (ours, theirs):
        sending = background(lambda: send_all(theirs, map(str, range(3000))))
        received: list[str | bytes] = []
        while len(received) < 3000:
            try:
                received.append(ours.recv(timeout=0.0001))
            except TimeoutError:
                assert not sending.done or theirs.buffered_amount == 0 or len(received) < 3000
        sending.result()
        assert received == [str(number) for number in range(3000)]


def test_a_second_thread_in_recv_gets_a_clear_error_and_the_first_goes_on() -> None:
    with pair() as (ours, theirs):
        first = background(lambda: ours.recv(timeout=20))
        errors: list[str] = []

        def refused() -> bool:
            try:
                ours.recv(timeout=0.01)
            except LocalProtocolError as error:
                errors.append(str(error))
            except TimeoutError:  # the first has not begun
                pass
            return bool(errors)

        eventually(refused)
        assert errors == ["another thread is receiving on this session"]
        theirs.send("for the first")
        assert first.result() == "for the first"
        theirs.send("for anyone")
        assert ours.recv(timeout=10) == "for anyone"


def test_next_event_shows_what_recv_passes_over() -> None:
    with pair(client=Config(control_events=True)) as (ours, theirs):
        pinging = background(lambda: theirs.ping(b"?"))
        assert ours.next_event(timeout=10) == PingReceived(b"?")
        pinging.result()
        theirs.close(4001, "enough", wait=False)
        assert ours.next_event(timeout=10) == CloseReceived(4001, "enough")
        closed = ours.next_event(timeout=10)
        assert isinstance(closed, Closed) and (closed.code, closed.clean) == (4001, True)
        assert ours.next_event(timeout=10) is closed
        with pytest.raises(ConnectionClosed) as caught:
            ours.recv(timeout=10)
        assert caught.value.closed is closed


# Pings.


def test_ping_returns_the_seconds_of_the_round_trip() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        assert session.latency is None
        taken = session.ping()
        assert 0 < taken < 10 and session.latency == taken
        assert session.ping(b"x" * 125) > 0


def test_ping_sees_its_own_pong_while_another_thread_receives() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        receiving = background(lambda: session.recv(timeout=20))
        for _ in range(50):
            assert session.ping(timeout=10) > 0
        session.send("done")
        assert receiving.result() == "done"


def test_many_threads_ping_at_once() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        pings = [background(session.ping) for _ in range(20)]
        assert all(ping.result() > 0 for ping in pings)


def test_a_ping_that_is_not_answered_times_out_and_the_session_goes_on() -> None:
    with client_of_raw_server() as (session, peer):
        with pytest.raises(TimeoutError):
            session.ping(b"lost?", timeout=0.05)
        assert peer.read_frame() == (0x80 | PING, b"lost?")
        peer.send_frame(TEXT, b"no")
        assert session.recv(timeout=10) == "no"


def test_a_pong_with_another_payload_is_no_answer() -> None:
    with client_of_raw_server() as (session, peer):
        peer.send_frame(PONG, b"what?")
        with pytest.raises(TimeoutError):
            session.ping(b"who?", timeout=0.1)


def test_ping_ends_with_the_connection() -> None:
    with client_of_raw_server() as (session, peer):
        pinging = background(lambda: session.ping(timeout=None))
        peer.read_frame()
        peer.close()
        assert isinstance(pinging.error(), ConnectionClosed)
        with pytest.raises(ConnectionClosed):
            session.ping()


@pytest.mark.parametrize("payload", [b"x" * 126, "text", 1])
def test_a_ping_that_may_not_be_sent_is_refused(payload: Any) -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        with pytest.raises(LocalProtocolError):
            session.ping(payload)
        assert session.ping() > 0


# What a session knows.


def test_a_session_knows_its_handshake_and_its_addresses() -> None:
    with pair(subprotocols=("chat.v2",)) as (ours, theirs):
        assert ours.subprotocol == theirs.subprotocol == "chat.v2"
        assert ours.request.target == theirs.request.target == "/"
        assert ours.response.status == theirs.response.status == 101
        assert ours.local_address == theirs.remote_address
        assert ours.remote_address == theirs.local_address
        assert ours.remote_address[0] == "127.0.0.1"
        assert not ours.is_secure and not theirs.is_secure
        assert ours.state is theirs.state is State.OPEN
        assert ours.closed is None and ours.buffered_amount == 0
        assert ours.stats.messages_sent == 0


def test_user_data_is_the_applications_own() -> None:
    with pair() as (ours, theirs):
        assert ours.user_data is None
        ours.user_data = counter = count()
        assert ours.user_data is counter and theirs.user_data is None


# Batch modes.


def test_batch_mode_on_waits_for_flush() -> None:
    with pair() as (ours, theirs):
        ours.batch_mode = BatchMode.ON
        for word in ("a", "b", "c"):
            ours.send(word)
        held = ours.buffered_amount
        stays(lambda: ours.buffered_amount == held > 0, 0.6)  # two looks of the housekeeper
        ours.flush()
        assert ours.buffered_amount == 0
        assert [theirs.recv(timeout=10) for _ in range(3)] == ["a", "b", "c"]


def test_batch_mode_on_lets_go_above_the_high_mark() -> None:
    limits = Limits(outbox_high=1000, outbox_low=100)
    with pair(client=Config(limits=limits)) as (ours, theirs):
        ours.batch_mode = BatchMode.ON
        for number in range(30):
            ours.send(f"{number:100}")
        assert ours.buffered_amount < 1200
        assert int(theirs.recv(timeout=10)) == 0


def test_what_was_held_leaves_before_the_close() -> None:
    with pair() as (ours, theirs):
        ours.batch_mode = BatchMode.ON
        ours.send("held")
        ours.close(wait=False)
        assert list(theirs) == ["held"]


@pytest.mark.parametrize(
    ("mode", "reply"), [(BatchMode.OFF, "reply"), (BatchMode.AUTO, "x" * 20_000)], ids=["off", "long replies"]
)
def test_some_replies_leave_at_once_whatever_waits(mode: BatchMode, reply: str) -> None:
    with pair() as (ours, theirs):
        theirs.batch_mode = mode
        ours.batch_mode = BatchMode.ON
        send_all(ours, map(str, range(10)))
        ours.flush()
        buffered = []
        for number in range(10):  # nine more wait, eight more, ...
            assert theirs.recv(timeout=10) == str(number)
            theirs.send(reply)
            buffered.append(theirs.buffered_amount)
        assert buffered.count(0) >= 8  # now and then the housekeeper is the one who writes
        assert [ours.recv(timeout=10) for _ in range(10)] == [reply] * 10


def test_replies_to_one_batch_of_input_share_a_write() -> None:
    with echo_server() as server, dial_upgraded(server.port) as peer:
        peer.send(b"".join(frame(TEXT, b"%d" % number, masked=True) for number in range(9)))
        replies = b"".join(frame(TEXT, b"%d" % number, masked=False) for number in range(9))
        received, reads = b"", 0
        while len(received) < len(replies):
            received += peer.receive()
            reads += 1
        assert received == replies
        assert reads < 5


def test_a_held_reply_leaves_soon_even_if_the_handler_is_busy() -> None:
    may_go_on = threading.Event()

    def handler(session: Session) -> None:
        session.send(session.recv())
        may_go_on.wait(20)  # while the second message waits

    with serve(handler, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send(frame(TEXT, b"first", masked=True) + frame(TEXT, b"second", masked=True))
        assert peer.read_frame() == (0x80 | TEXT, b"first")
        may_go_on.set()


def test_messages_that_come_in_one_segment_with_the_response_are_delivered() -> None:
    with RawListener() as listener:
        opening = background(lambda: connect(listener.url))
        peer = listener.accept()
        early = frame(TEXT, b"early", masked=False)
        peer.send(answer(peer.read_head()) + early + early)
        session = opening.result()
        assert session.recv(timeout=10) == session.recv(timeout=10) == "early"
        session.abort()
