"""Messages: what is sent is what arrives, of either kind, of any size, whole or in fragments."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from support.conformance.frames import frame_from
from support.conformance.setting import Setting
from support.eventually import background, eventually
from support.wire import BINARY, CONTINUATION, PING, PONG, TEXT
from wscore import BatchMode, Config, Limits, LocalProtocolError, PreparedMessage

MIB = 1024 * 1024
SIZES = (0, 1, 125, 126, 127, 65535, 65536, MIB - 1, MIB)
BIG = Config(limits=Limits(max_message_size=4 * MIB))


def text_of(size: int) -> str:
    """Make a text of so many bytes, most of its characters two bytes long."""
    return "é" * (size // 2) + "x" * (size % 2)


def binary_of(size: int) -> bytes:
    """Make so many bytes of every value."""
    return bytes(range(256)) * (size // 256) + b"\x80" * (size % 256)


def test_what_the_peer_sends_is_received_with_its_type_and_content(setting: Setting) -> None:
    with setting.open() as (session, peer):
        for size in SIZES:
            sending = background(lambda: peer.send(frame_from(peer, TEXT, text_of(size).encode())))  # noqa: B023
            assert session.recv() == text_of(size)
            sending.result()
            sending = background(lambda: peer.send(frame_from(peer, BINARY, binary_of(size))))  # noqa: B023
            assert session.recv() == binary_of(size)
            sending.result()


def test_what_is_sent_reaches_the_peer_with_its_type_and_content(setting: Setting) -> None:
    with setting.open() as (session, peer):
        for size in SIZES:
            sending = background(lambda: session.send(text_of(size)))  # noqa: B023
            assert peer.read_frame() == (0x80 | TEXT, text_of(size).encode())
            sending.result()
            sending = background(lambda: session.send(binary_of(size)))  # noqa: B023
            assert peer.read_frame() == (0x80 | BINARY, binary_of(size))
            sending.result()


def test_a_message_of_more_than_a_mebibyte_passes_where_it_is_allowed(serving: Setting) -> None:
    message = binary_of(3 * MIB + 1)
    with serving.pair(client=BIG, server=BIG) as (ours, theirs):
        sending = background(lambda: ours.send(message))
        assert theirs.recv() == message
        sending.result()
        sending = background(lambda: theirs.send(message))
        assert ours.recv() == message
        sending.result()


def test_many_messages_in_one_segment_arrive_one_by_one_and_in_order(setting: Setting) -> None:
    with setting.open() as (session, peer):
        peer.send(b"".join(frame_from(peer, TEXT, b"%d" % n) for n in range(500)))
        assert [session.recv() for _ in range(500)] == [str(n) for n in range(500)]


def test_a_message_that_comes_byte_by_byte_is_whole(setting: Setting) -> None:
    with setting.open() as (session, peer):
        for octet in frame_from(peer, TEXT, "größer".encode()):
            peer.send(bytes([octet]))
        assert session.recv() == "größer"


def test_fragments_become_one_message_with_a_ping_between_them(setting: Setting) -> None:
    with setting.open() as (session, peer):
        peer.send(frame_from(peer, TEXT, "grö".encode()[:3], final=False))
        peer.send_frame(PING, b"now")
        assert peer.read_frame() == (0x80 | PONG, b"now")
        peer.send(frame_from(peer, CONTINUATION, b"", final=False))
        peer.send(frame_from(peer, CONTINUATION, "ö".encode()[1:] + "ßer".encode()))
        assert session.recv() == "größer"


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_like_messages_are_binary_and_may_be_changed_after_send(backend: Setting, kind: Any) -> None:
    buffer = bytearray(b"before")
    with backend.pair() as (ours, theirs):
        ours.send(kind(buffer))
        buffer[:] = b"after!"
        assert theirs.recv() == b"before"


@pytest.mark.parametrize("message", [None, 1, ["x"], "\ud800"], ids=["none", "number", "list", "surrogate"])
def test_what_is_no_message_is_refused_and_harms_nothing(backend: Setting, message: Any) -> None:
    with backend.pair() as (ours, theirs):
        with pytest.raises(LocalProtocolError if isinstance(message, str) else TypeError):
            ours.send(message)
        ours.send("still here")
        assert theirs.recv() == "still here"


def test_recv_that_gives_up_in_time_loses_nothing(setting: Setting) -> None:
    with setting.open() as (session, peer):
        whole = frame_from(peer, TEXT, b"hello")
        for cut in range(len(whole)):
            peer.send(whole[:cut])
            with pytest.raises(TimeoutError):
                session.recv(timeout=0.002)
            peer.send(whole[cut:])
            assert session.recv() == "hello"


def test_a_second_receiver_gets_a_clear_error_and_the_first_goes_on(running: Setting) -> None:
    with running.pair() as (ours, theirs):
        errors: list[str] = []

        def receive() -> str | bytes:
            while True:
                try:
                    return ours.recv()
                except LocalProtocolError:  # it was the second
                    pass

        first = background(receive)

        def refused() -> bool:
            try:
                ours.recv(timeout=0.01)
            except LocalProtocolError as error:
                errors.append(str(error))
            except TimeoutError:  # the first has not begun
                pass
            return bool(errors)

        eventually(refused)
        assert "receiving" in errors[0]
        theirs.send("for the first")
        assert first.result() == "for the first"


def test_batch_mode_holds_output_back_until_it_is_flushed(completed: Setting) -> None:
    with completed.pair() as (ours, theirs):
        ours.native.batch_mode = BatchMode.ON
        for number in range(10):
            ours.send(str(number))
        with pytest.raises(TimeoutError):
            theirs.recv(timeout=0.05)
        ours.flush()
        assert [theirs.recv() for _ in range(10)] == [str(number) for number in range(10)]


# Outgoing fragments.


def test_parts_leave_as_they_are_made_and_end_with_a_final_frame(complete: Setting) -> None:
    with complete.open() as (session, peer):

        def parts() -> Iterator[str]:
            yield "one "
            if not complete.driver.parts_at_once:
                reading.result()  # the peer has the first part before there is a second
            yield "two"

        reading = background(peer.read_frame)
        session.send_fragments(parts())
        assert reading.result() == (TEXT, b"one ")
        assert peer.read_frame() == (CONTINUATION, b"two")
        assert peer.read_frame() == (0x80 | CONTINUATION, b"")


def test_whole_messages_follow_behind_the_message_in_parts(completed: Setting) -> None:
    with completed.pair() as (ours, theirs):

        def parts() -> Iterator[bytes]:
            yield b"one "
            ours.send("in between")
            yield b"message"

        ours.send_fragments(parts())
        assert [theirs.recv(), theirs.recv()] == [b"one message", "in between"]


def test_a_message_without_parts_or_of_one_part_alone_is_refused(completed: Setting) -> None:
    with completed.pair() as (ours, theirs):
        cases: list[Any] = [[], "abc", b"abc"]
        for parts in cases:
            with pytest.raises(LocalProtocolError if isinstance(parts, list) else TypeError):
                ours.send_fragments(parts)
        ours.send("alive")
        assert theirs.recv() == "alive"


def test_a_big_message_may_leave_in_frames_between_which_pongs_pass(plain: Setting) -> None:
    with plain.open(Config(fragment_size=16384)) as (session, peer):
        sending = background(lambda: session.send(bytes(MIB)))
        first, payload = peer.read_frame()
        assert (first, len(payload)) == (BINARY, 16384)
        peer.send_frame(PING, b"?")
        size, pongs = len(payload), 0
        while not first & 0x80 or first == 0x80 | PONG:
            first, payload = peer.read_frame()
            if first == 0x80 | PONG:
                pongs += 1
            else:
                size += len(payload)
        if not pongs:
            assert peer.read_frame() == (0x80 | PONG, b"?")
        assert size == MIB
        sending.result()


# Incoming fragments.


def test_parts_can_be_received_before_the_message_is_complete(complete: Setting) -> None:
    with complete.open(Config(stream=True, limits=Limits(max_message_size=None))) as (session, peer):
        peer.send(frame_from(peer, TEXT, b"first", final=False))
        assert session.recv_fragment().data == "first"
        whole = frame_from(peer, CONTINUATION, b"x" * 100_000)
        peer.send(whole[:50_000])
        received = str(session.recv_fragment().data)
        assert 0 < len(received) < 50_000
        peer.send(whole[50_000:])
        while not (part := session.recv_fragment()).final:
            received += str(part.data)
        assert received + str(part.data) == "x" * 100_000


# Messages for many.


def test_a_prepared_message_is_framed_once_and_goes_to_everybody(serving: Setting) -> None:
    news = PreparedMessage("news " * 1000)
    with serving.pair() as (one, its_server), serving.pair() as (other, other_server):
        everyone = (one, other, its_server, other_server)
        for session in everyone:
            session.send(news)
        assert [session.recv() for session in everyone] == ["news " * 1000] * 4


def test_two_messages_in_parts_at_once_stay_two(completed: Setting) -> None:
    with completed.pair() as (ours, theirs):

        def parts(letter: str) -> Iterator[str]:
            for _ in range(20):
                yield letter

        sending = [background(partial(ours.send_fragments, parts(letter))) for letter in "AB"]
        assert sorted(str(theirs.recv()) for _ in range(2)) == ["A" * 20, "B" * 20]
        for each in sending:
            each.result()


def test_who_asks_for_the_wrong_kind_of_message_loses_none(completed: Setting) -> None:
    if not completed.driver.runs_functions:
        pytest.skip("its handlers are endpoints")
    with completed.pair(client=Config(stream=True)) as (ours, theirs):
        ours.send("whole")
        theirs.send("in parts")
        with pytest.raises(LocalProtocolError, match="recv_fragment"):
            ours.recv()
        with pytest.raises(LocalProtocolError, match="come from recv"):
            theirs.recv_fragment()
        assert theirs.recv() == "whole"
        assert ours.recv_fragment().data == "in parts"
