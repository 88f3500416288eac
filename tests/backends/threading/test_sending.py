"""Many senders, slow readers: messages stay whole, senders wait, and what waits stays within its limits."""

import itertools
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from support.eventually import background, eventually, stays
from support.raw import dial_upgraded
from support.threaded import client_of_raw_server, echo_server, pair, send_all, url_of
from support.wire import BINARY, CLOSE, PING, PONG, TEXT, frame, status
from wscore import BatchMode, Config, ConnectionClosed, Limits, LocalProtocolError, Timeouts, WriteBufferFull
from wscore_threading import Session, connect, serve

KIB = 1024
MIB = 1024 * KIB


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let threads interrupt each other as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _send_numbered(session: Session, sender: int, sizes: list[int]) -> None:
    for number, size in enumerate(sizes):
        session.send(bytes([sender, number]) + bytes([sender]) * size)


def test_several_senders_never_interleave_inside_a_message_and_each_keeps_its_order() -> None:
    sizes = [1, 100, 70 * KIB, 5, 20 * KIB, 200 * KIB, 0, 16 * KIB] * 3
    with pair() as (ours, theirs):
        senders = [background(partial(_send_numbered, ours, sender, sizes)) for sender in range(6)]
        for_each: dict[int, list[bytes]] = {sender: [] for sender in range(6)}
        for _ in range(6 * len(sizes)):
            message = theirs.recv(timeout=20)
            assert isinstance(message, bytes)
            for_each[message[0]].append(message)
        for sender, task in enumerate(senders):
            task.result()
            assert for_each[sender] == [
                bytes([sender, number]) + bytes([sender]) * size for number, size in enumerate(sizes)
            ]


@pytest.mark.usefixtures("eager_switching")
def test_senders_pingers_and_a_receiver_share_a_session_without_loss() -> None:
    each = 150
    with echo_server() as server, connect(url_of(server)) as session:
        senders = [
            background(partial(_send_numbered, session, sender, [sender] * each)) for sender in range(4)
        ]
        pinger = background(lambda: [session.ping() for _ in range(20)])
        seen: dict[int, list[int]] = {sender: [] for sender in range(4)}
        for _ in range(4 * each):
            message = session.recv(timeout=20)
            assert isinstance(message, bytes)
            seen[message[0]].append(message[1])
        assert all(numbers == list(range(each)) for numbers in seen.values())
        assert len(pinger.result()) == 20
        for task in senders:
            task.result()


@pytest.mark.usefixtures("eager_switching")
def test_close_in_the_midst_of_everything_ends_every_thread_with_a_documented_error() -> None:
    def send_on(session: Session) -> None:
        for number in itertools.count():
            session.send(f"{number}")

    for _ in range(5):
        with echo_server() as server:
            session = connect(url_of(server))
            senders = [background(partial(send_on, session)) for _ in range(3)]
            receiver = background(lambda: list(session))  # noqa: B023 - awaited before the next turn
            eventually(partial(_has_received, session, 50))
            session.close()
            assert receiver.error() is None
            for sender in senders:
                assert isinstance(sender.error(), (LocalProtocolError, ConnectionClosed))
            assert session.closed is not None and session.closed.clean


def _has_received(session: Session, number: int) -> bool:
    return session.stats.messages_received >= number


# A peer that reads slowly.


def test_send_waits_for_a_slow_reader_and_goes_on() -> None:
    chunk, number = b"x" * 64 * KIB, 100
    with client_of_raw_server() as (session, peer):
        sending = background(lambda: send_all(session, [chunk] * number))
        eventually(lambda: session.buffered_amount > 64 * KIB)
        stays(lambda: session.buffered_amount <= 3 * 64 * KIB and not sending.done, 0.3)
        for _ in range(number):
            assert peer.read_frame() == (0x80 | BINARY, chunk)
        sending.result()
        eventually(lambda: session.buffered_amount == 0)


def test_messages_arrive_while_the_only_thread_waits_in_send() -> None:
    with client_of_raw_server(Config(control_events=True)) as (session, peer):
        sending = background(lambda: session.send(b"x" * 16 * MIB))
        eventually(lambda: session.buffered_amount > MIB)
        peer.send_frame(TEXT, b"while you wait")
        eventually(lambda: session.stats.messages_received == 1)
        assert not sending.done
        assert len(peer.read_frame()[1]) == 16 * MIB
        sending.result()
        assert session.recv(timeout=10) == "while you wait"


def test_what_a_slow_reader_left_over_leaves_without_anybody_calling() -> None:
    limits = Limits(outbox_high=8 * MIB, outbox_limit=16 * MIB)
    with client_of_raw_server(Config(limits=limits)) as (session, peer):
        session.send(b"x" * 7 * MIB)  # below the mark: does not wait
        assert session.buffered_amount > 0
        assert len(peer.read_frame()[1]) == 7 * MIB


def test_above_the_hard_limit_sending_raises_and_changes_nothing() -> None:
    limits = Limits(outbox_high=64 * KIB, outbox_limit=256 * KIB)
    with client_of_raw_server(Config(limits=limits)) as (session, peer):
        first = background(lambda: session.send(b"x" * 16 * MIB))
        eventually(lambda: session.buffered_amount > MIB)
        for attempt in (lambda: session.send("more"), session.ping):
            with pytest.raises(WriteBufferFull):
                attempt()
        assert len(peer.read_frame()[1]) == 16 * MIB
        first.result()
        session.send("now there is room")
        assert peer.read_frame() == (0x80 | TEXT, b"now there is room")


def test_a_reader_that_never_reads_is_cut_off_when_nothing_moves() -> None:
    timeouts = Timeouts(write_stall=0.5)
    with client_of_raw_server(Config(timeouts=timeouts)) as (session, _):
        sending = background(lambda: session.send(b"x" * 32 * MIB))
        with pytest.raises(ConnectionClosed):
            session.recv(timeout=10)
        assert session.closed is not None and session.closed.timer is not None
        assert session.closed.timer.name == "WRITE_STALL" and session.closed.code == 1006
        error = sending.error()
        assert error is None or isinstance(error, ConnectionClosed)


def test_a_server_that_streams_to_a_frozen_client_keeps_little_and_serves_the_others() -> None:
    streaming = threading.Event()
    buffered: list[int] = []

    def stream(session: Session) -> None:
        if session.recv() == "echo":
            session.send("echo")
            return
        while True:
            session.send(b"x" * 100 * KIB)
            buffered.append(session.buffered_amount)
            streaming.set()

    with serve(stream, "127.0.0.1") as server, dial_upgraded(server.port, receive_buffer=4096) as frozen:
        frozen.send_frame(TEXT, b"stream")
        assert streaming.wait(10)
        (session,) = server.sessions
        eventually(lambda: session.buffered_amount > 64 * KIB)
        assert session.buffered_amount < MIB and max(buffered) <= MIB
        with connect(url_of(server)) as other:
            other.send("echo")
            assert other.recv(timeout=1) == "echo"
        frozen.reset()


def test_pings_whose_pongs_nobody_reads_cost_nothing_and_disturb_nobody() -> None:
    with echo_server() as server, dial_upgraded(server.port, receive_buffer=4096) as flooder:
        for _ in range(4000):
            flooder.send_frame(PING, b"x" * 125)
        (session,) = eventually(lambda: server.sessions)
        assert session.buffered_amount < 64 * KIB
        with connect(url_of(server)) as other:
            assert other.ping() < 5
        flooder.send_frame(TEXT, b"over")
        answers = [flooder.read_frame()[0]]
        while answers[-1] != 0x80 | TEXT:
            answers.append(flooder.read_frame()[0])
        assert set(answers) == {0x80 | PONG, 0x80 | TEXT}


def test_a_flood_of_pings_ends_with_1008() -> None:
    with echo_server() as server, dial_upgraded(server.port) as flooder:
        flooder.send(frame(PING, b"", masked=True) * 7000)
        while (answer := flooder.read_frame())[0] == 0x80 | PONG:
            pass
        assert answer == (0x80 | CLOSE, status(1008, b"too many control frames"))


# A reader of ours that is slow.


def test_what_nobody_receives_stays_small_and_comes_in_order_later() -> None:
    limits = Limits(max_message_size=100 * KIB)
    with pair(client=Config(limits=limits)) as (ours, theirs):
        messages = [bytes([i]) * 100 * KIB for i in range(200)]
        sending = background(lambda: send_all(theirs, messages))
        eventually(lambda: ours.stats.messages_received > 0)
        stays(lambda: not sending.done, 0.8)
        assert ours.stats.wire_received <= 64 * KIB + 100 * KIB + 2 * 64 * KIB
        assert [ours.recv(timeout=20) for _ in messages] == messages
        sending.result()


def test_both_sides_send_64_mebibytes_before_either_reads() -> None:
    size = 64 * MIB
    config = Config(limits=Limits(max_message_size=size))

    def exchange(session: Session, letter: bytes) -> bytes:
        session.send(letter * size)
        message = session.recv(timeout=10)
        assert isinstance(message, bytes)
        return message

    with pair(client=config, server=config) as (ours, theirs):
        there = background(lambda: exchange(theirs, b"t"))
        here = background(lambda: exchange(ours, b"o"))
        assert here.result(10) == b"t" * size
        assert there.result(10) == b"o" * size


def test_batch_mode_on_never_holds_more_than_the_high_mark() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        session.batch_mode = BatchMode.ON
        for _ in range(100):
            session.send("x" * 10 * KIB)
            assert session.buffered_amount <= 75 * KIB
        session.flush()
        assert [session.recv(timeout=10) for _ in range(100)] == ["x" * 10 * KIB] * 100
