"""Ends without a close handshake: 1006, never clean, and no message is lost or made up."""

from collections.abc import Callable
from typing import Any

import pytest

from support.conformance.facade import Facade, wait_closed
from support.conformance.frames import frame_from, frames_from
from support.conformance.secure import SecureSocket
from support.conformance.setting import Setting
from support.eventually import Background, background, eventually
from support.raw import RawPeer
from support.wire import BINARY, CLOSE, CONTINUATION, KEY, PING, TEXT, frame, header, status
from wscore import Config, ConnectionClosed, Limits, Violation

MIB = 1024 * 1024

LEAVE = pytest.mark.parametrize("leave", [RawPeer.close, RawPeer.reset], ids=["fin", "rst"])


def assert_lost(session: Facade) -> None:
    """Check that there is nothing to receive but the news of a lost connection."""
    with pytest.raises(ConnectionClosed, match="1006") as caught:
        session.recv()
    assert caught.value.closed is session.closed
    assert (session.end.code, session.end.clean) == (1006, False)


@LEAVE
def test_a_lost_connection_ends_every_wait(setting: Setting, leave: Callable[[RawPeer], None]) -> None:
    with setting.open() as (session, peer):
        waits: list[Background[Any]] = [background(session.rest), background(session.ping)]
        peer.read_frame()
        leave(peer)
        assert all(isinstance(wait.error(), ConnectionClosed) for wait in waits)
        assert (session.end.code, session.end.clean) == (1006, False)
        with pytest.raises(ConnectionClosed):
            session.send("into the void")


def test_iteration_over_a_stream_that_ends_uncleanly_delivers_what_came_and_raises(setting: Setting) -> None:
    with setting.open() as (session, peer):
        peer.send(frames_from(peer, TEXT, b"last", b"words") + frame_from(peer, TEXT, b"cut")[:-1])
        peer.close()
        assert [session.recv(), session.recv()] == ["last", "words"]
        with pytest.raises(ConnectionClosed):
            session.rest()
        assert_lost(session)


def test_close_notify_without_a_close_frame_is_a_lost_connection_too(dialling: Setting) -> None:
    with dialling.open() as (session, peer):
        peer.end_writing()  # over TLS: close_notify first
        assert_lost(session)


# Wherever the stream is cut.

MESSAGES = (b"one", b"two two", b"")


def test_a_stream_cut_anywhere_delivers_whole_messages_and_is_never_clean(plain: Setting) -> None:
    def cut_at(cut: int | None) -> int:
        """Cut the stream there, and return how long it would be."""
        with plain.open() as (session, peer):
            pieces = [frame_from(peer, TEXT, message) for message in MESSAGES]
            stream = b"".join(pieces) + frame_from(peer, CLOSE, status(1000))
            peer.send(stream[:cut])
            peer.close()
            for number, message in enumerate(MESSAGES):
                if sum(map(len, pieces[: number + 1])) <= (len(stream) if cut is None else cut):
                    assert session.recv() == message.decode()
            if cut is None:
                assert session.rest() == [] and session.end.code == 1000
            else:
                assert_lost(session)
        return len(stream)

    for cut in range(cut_at(None)):
        cut_at(cut)


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_a_tls_stream_cut_anywhere_delivers_whole_messages_and_is_never_clean(
    secured: Setting, step: int
) -> None:
    def cut_at(cut: int) -> int:
        """Cut the stream of records there, and return how long it would be."""
        with secured.open() as (session, peer):
            assert isinstance(peer.socket, SecureSocket)
            records = [peer.socket.encrypt(frame_from(peer, TEXT, message)) for message in MESSAGES]
            stream = b"".join(records) + peer.socket.encrypt(frame_from(peer, CLOSE, status(1000)))[:-1]
            peer.socket.bare.sendall(stream[:cut])
            peer.socket.bare.close()
            for number, message in enumerate(MESSAGES):
                if sum(map(len, records[: number + 1])) <= cut:
                    assert session.recv() == message.decode()
            assert_lost(session)
        return len(stream)

    for cut in range(0, cut_at(1), step):
        cut_at(cut)


# What was sent last arrives.


@pytest.mark.parametrize("size", [MIB, pytest.param(8 * MIB, marks=pytest.mark.slow)])
def test_the_last_message_and_the_close_reach_a_slow_reader_whole(setting: Setting, size: int) -> None:
    with setting.open(receive_buffer=4096) as (session, peer):

        def say_goodbye() -> None:
            session.send(b"x" * size)
            session.close()

        leaving = background(say_goodbye)
        first, payload = peer.read_frame()
        assert (first, len(payload)) == (0x80 | BINARY, size)
        assert peer.read_close() == 1000
        peer.send_close()
        if peer.masks:
            assert peer.read_to_end() == b""
        peer.end_writing()
        leaving.result()
        assert session.end.clean


def test_the_last_words_arrive_although_the_peer_floods_us_meanwhile(setting: Setting) -> None:
    """Closing TCP with unread input would send a reset and destroy what is still on its way."""
    with setting.open(receive_buffer=4096) as (session, peer):

        def say_goodbye() -> None:
            session.send(b"x" * MIB)
            session.close()

        leaving = background(say_goodbye)
        flooding = background(lambda: peer.send(frames_from(peer, BINARY, *[b"y" * 1000] * 2000)))
        assert len(peer.read_frame()[1]) == MIB
        assert peer.read_close() == 1000
        flooding.result()
        peer.send_close()
        peer.end_writing()
        assert peer.read_to_end() == b""
        leaving.result()
        assert session.end.clean


# Rules that the peer breaks.

SMALL = Config(limits=Limits(max_message_size=1000, max_frame_size=800, max_fragments=10))


def _broken(peer: RawPeer) -> dict[Violation, bytes]:
    """Return what breaks which rule, if this peer sends it."""
    masks = peer.masks
    first = frame_from(peer, TEXT, b"x", final=False)
    return {
        Violation.RESERVED_BITS: frame_from(peer, TEXT, b"x", rsv=0x40),
        Violation.RESERVED_OPCODE: frame_from(peer, 0x3, b"x"),
        Violation.FRAGMENTED_CONTROL: frame_from(peer, PING, b"x", final=False),
        Violation.LONG_CONTROL: frame_from(peer, PING, b"x" * 126),
        (Violation.UNMASKED_FRAME if masks else Violation.MASKED_FRAME): frame(TEXT, b"x", masked=not masks),
        Violation.LONG_LENGTH_FORM: header(0x80 | TEXT, 125, masked=masks, form=2),
        Violation.LENGTH_SIGN_BIT: header(0x80 | BINARY, 1 << 63, masked=masks),
        Violation.UNEXPECTED_CONTINUATION: frame_from(peer, CONTINUATION, b"x"),
        Violation.MESSAGE_INTERRUPTED: first + frame_from(peer, TEXT, b"x"),
        Violation.FRAME_TOO_BIG: header(0x80 | BINARY, 801, masked=masks),
        Violation.MESSAGE_TOO_BIG: frame_from(peer, TEXT, b"x" * 800, final=False)
        + header(0x80 | CONTINUATION, 201, masked=masks)
        + KEY,
        Violation.TOO_MANY_FRAGMENTS: first + frame_from(peer, CONTINUATION, b"x", final=False) * 10,
        Violation.INVALID_UTF8: frame_from(peer, TEXT, b"\xff"),
        Violation.CLOSE_PAYLOAD: frame_from(peer, CLOSE, b"\x03"),
        Violation.CLOSE_CODE: frame_from(peer, CLOSE, status(1005)),
        Violation.CLOSE_REASON_UTF8: frame_from(peer, CLOSE, status(1000, b"\xff")),
    }


def test_a_broken_rule_is_answered_with_its_code_and_the_end_of_the_stream(plain: Setting) -> None:
    with plain.open() as (_, peer):
        violations = list(_broken(peer))
    for violation in violations:
        with plain.open(SMALL) as (session, peer):
            peer.send(frame_from(peer, TEXT, b"good") + _broken(peer)[violation])
            assert session.recv() == "good"
            receiving = background(session.recv)
            first, payload = peer.read_frame()
            assert first == 0x80 | CLOSE
            assert payload == status(violation.close_code or 0, violation.sentence.encode())
            peer.end_writing()
            assert isinstance(receiving.error(), ConnectionClosed)
            assert_lost(session)
            session.close()  # waits for the end of TCP
            assert peer.read_to_end() == b""
            assert session.end.violation is violation


def test_a_broken_rule_is_explained_although_input_is_left_unread(setting: Setting) -> None:
    with setting.open() as (session, peer):
        sending = background(lambda: peer.send(frame_from(peer, 0x3, b"") + b"z" * MIB))
        assert peer.read_close() == 1002
        sending.result()
        peer.end_writing()
        assert_lost(session)
        session.close()
        assert peer.read_to_end() == b""


# Abort.


def test_abort_ends_at_once_wakes_everyone_and_looks_lost_to_the_peer(crossed: Setting) -> None:
    with crossed.open() as (session, peer):
        waits: list[Background[Any]] = [background(session.recv), background(session.ping)]
        assert peer.read_frame()[0] == 0x80 | PING
        sending = background(lambda: session.send(b"x" * (32 * MIB)))
        eventually(lambda: session.buffered_amount > MIB)
        session.abort()
        assert all(isinstance(wait.error(2), ConnectionClosed) for wait in waits)
        error = sending.error(2)
        assert error is None or isinstance(error, ConnectionClosed)
        assert (session.end.code, session.end.clean) == (1006, False)
        try:
            assert len(peer.read_to_end()) < 32 * MIB  # the end comes inside a frame
        except ConnectionError:
            pass


def test_abort_after_the_end_changes_nothing(plain: Setting) -> None:
    with plain.open() as (session, peer):
        peer.send_close(4000)
        assert wait_closed(session).code == 4000
        session.abort()
        assert (session.end.code, session.end.clean) == (4000, True)
