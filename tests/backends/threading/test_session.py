"""A session in the hands of an application: waiting without time, next_event, batch mode."""

import threading
from itertools import count

import pytest

from support.eventually import background
from support.raw import dial_upgraded
from support.threaded import echo_server, pair, send_all
from support.wire import TEXT, frame
from wscore import (
    BatchMode,
    Closed,
    CloseReceived,
    Config,
    ConnectionClosed,
    Limits,
    PingReceived,
    State,
)
from wscore_threading import Session, serve

# Receiving.


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
