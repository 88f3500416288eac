"""Flow: who sends waits for a slow reader, who does not read is not read from, and memory stays small."""

import itertools
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from support.conformance.facade import Facade
from support.conformance.frames import frame_from, frames_from
from support.conformance.setting import Setting
from support.eventually import background, eventually, stays
from support.wire import BINARY, TEXT
from wscore import Config, ConnectionClosed, Limits, LocalProtocolError, WriteBufferFull

KIB = 1024
MIB = 1024 * KIB


def send_all(session: Facade, messages: Iterable[bytes]) -> None:
    """Send one after the other."""
    for message in messages:
        session.send(message)


# A peer that reads slowly.


def test_send_waits_for_a_slow_reader_and_goes_on(crossed: Setting) -> None:
    messages = [bytes([number]) * 64 * KIB for number in range(100)]
    with crossed.open(receive_buffer=4096) as (session, peer):
        sending = background(lambda: send_all(session, messages))
        eventually(lambda: session.buffered_amount > 64 * KIB)
        stays(lambda: session.buffered_amount <= 4 * 64 * KIB and not sending.done, 0.1)
        for message in messages:
            assert peer.read_frame() == (0x80 | BINARY, message)
        sending.result()
        eventually(lambda: session.buffered_amount == 0)


def test_messages_arrive_while_the_application_waits_in_send(crossed: Setting) -> None:
    with crossed.open(receive_buffer=4096) as (session, peer):
        sending = background(lambda: session.send(b"x" * 4 * MIB))
        eventually(lambda: session.buffered_amount > MIB)
        peer.send_frame(TEXT, b"while you wait")
        eventually(lambda: session.stats.messages_received == 1)
        assert not sending.done
        assert len(peer.read_frame()[1]) == 4 * MIB
        sending.result()
        assert session.recv() == "while you wait"


def test_what_a_slow_reader_left_over_leaves_without_anybody_calling(crossed: Setting) -> None:
    limits = Limits(outbox_high=8 * MIB, outbox_limit=16 * MIB)
    with crossed.open(Config(limits=limits)) as (session, peer):
        session.send(b"x" * 7 * MIB)  # below the mark: does not wait
        assert len(peer.read_frame()[1]) == 7 * MIB


def test_above_the_hard_limit_sending_raises_and_changes_nothing(crossed: Setting) -> None:
    limits = Limits(outbox_high=64 * KIB, outbox_limit=256 * KIB)
    with crossed.open(Config(limits=limits), receive_buffer=4096) as (session, peer):
        first = background(lambda: session.send(b"x" * 8 * MIB))
        eventually(lambda: session.buffered_amount > 5 * MIB)
        attempts: list[Callable[[], object]] = [lambda: session.send("more"), session.ping]
        for attempt in attempts:
            with pytest.raises(WriteBufferFull):
                attempt()
        assert len(peer.read_frame()[1]) == 8 * MIB
        first.result()
        session.send("now there is room")
        assert peer.read_frame() == (0x80 | TEXT, b"now there is room")


def test_a_frozen_peer_does_not_hold_up_the_others(plain: Setting) -> None:
    with plain.open(receive_buffer=4096) as (session, frozen), plain.pair() as (ours, theirs):
        sending = background(lambda: send_all(session, itertools.repeat(b"x" * 64 * KIB)))
        eventually(lambda: session.buffered_amount > 64 * KIB)
        ours.send("hello")
        assert theirs.recv(timeout=5) == "hello"
        assert session.buffered_amount < MIB
        frozen.reset()
        assert isinstance(sending.error(), ConnectionClosed)


# An application that reads slowly.


def test_what_nobody_receives_stays_small_and_comes_in_order_later(crossed: Setting) -> None:
    with crossed.open() as (session, peer):
        payloads = [bytes([number]) * 100 * KIB for number in range(150)]
        sending = background(lambda: peer.send(frames_from(peer, BINARY, *payloads)))
        eventually(lambda: session.stats.messages_received > 0)
        stays(lambda: not sending.done, 0.2)
        # The inbox's high mark, one message beyond it, and what is read at once.
        assert session.stats.wire_received <= (64 + 100 + 256) * KIB
        for payload in payloads:
            assert session.recv() == payload
        sending.result()


def test_a_message_bigger_than_the_inbox_passes_although_messages_wait_before_it(setting: Setting) -> None:
    with setting.open() as (session, peer):
        wire = frames_from(peer, BINARY, *[b"x" * KIB] * 100) + frame_from(peer, BINARY, b"y" * MIB)
        sending = background(lambda: peer.send(wire))
        for _ in range(100):
            assert session.recv() == b"x" * KIB
        assert session.recv() == b"y" * MIB
        sending.result()


# Both at once.


@pytest.mark.parametrize("size", [4 * MIB, pytest.param(64 * MIB, marks=pytest.mark.slow)], ids=["4", "64"])
def test_both_sides_may_send_more_than_fits_before_either_reads(serving: Setting, size: int) -> None:
    """They would wait for each other forever if waiting in send did not read."""
    config = Config(limits=Limits(max_message_size=size))

    def exchange(session: Facade, letter: bytes) -> bytes:
        session.send(letter * size)
        message = session.recv()
        assert isinstance(message, bytes)
        return message

    with serving.pair(client=config, server=config) as (ours, theirs):
        there = background(lambda: exchange(theirs, b"t"))
        here = background(lambda: exchange(ours, b"o"))
        assert here.result() == b"t" * size
        assert there.result() == b"o" * size


def _send_numbered(session: Facade, sender: int, sizes: list[int]) -> None:
    for number, size in enumerate(sizes):
        session.send(bytes([sender, number]) + bytes([sender]) * size)


def test_several_senders_never_mix_their_messages_and_each_keeps_its_order(serving: Setting) -> None:
    sizes = [1, 100, 70 * KIB, 5, 20 * KIB, 200 * KIB, 0, 16 * KIB]
    with serving.pair() as (ours, theirs):
        senders = [background(partial(_send_numbered, ours, sender, sizes)) for sender in range(6)]
        of_each: dict[int, list[bytes]] = {sender: [] for sender in range(6)}
        for _ in range(6 * len(sizes)):
            message = theirs.recv()
            assert isinstance(message, bytes)
            of_each[message[0]].append(message)
        for sender, task in enumerate(senders):
            task.result()
            assert of_each[sender] == [
                bytes([sender, number]) + bytes([sender]) * size for number, size in enumerate(sizes)
            ]


def test_close_in_the_midst_of_everything_ends_every_wait_with_a_documented_error(serving: Setting) -> None:
    def send_on(session: Facade) -> None:
        for number in itertools.count():
            session.send(f"{number}")

    def echo(session: Facade) -> None:
        while True:
            session.send(session.recv())

    with serving.pair() as (ours, theirs):
        echoing = background(lambda: echo(theirs))
        senders = [background(partial(send_on, ours)) for _ in range(3)]
        receiver = background(ours.rest)
        eventually(lambda: ours.stats.messages_received >= 50)
        ours.close()
        assert receiver.error() is None
        for task in (*senders, echoing):
            assert isinstance(task.error(), (LocalProtocolError, ConnectionClosed))
        assert ours.end.clean and theirs.end.clean
