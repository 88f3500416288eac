"""Many threads on one session: messages stay whole, and every wait ends."""

import itertools
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from support.eventually import background, eventually
from support.threaded import echo_server, url_of
from wscore import BatchMode, ConnectionClosed, LocalProtocolError
from wscore_threading import Session, connect

KIB = 1024


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


def test_batch_mode_on_never_holds_more_than_the_high_mark() -> None:
    with echo_server() as server, connect(url_of(server)) as session:
        session.batch_mode = BatchMode.ON
        for _ in range(100):
            session.send("x" * 10 * KIB)
            assert session.buffered_amount <= 75 * KIB
        session.flush()
        assert [session.recv(timeout=10) for _ in range(100)] == ["x" * 10 * KIB] * 100
