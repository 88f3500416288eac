"""The blocking driver of the guide, over sockets: with another backend, and with peers that misbehave."""

import runpy
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import wscore_threading
from support.eventually import Background, background
from support.raw import RawListener, answer, dial
from support.threaded import echo_server
from support.wire import BINARY, CLOSE, REQUEST, TEXT, frame, status
from wscore import (
    Closed,
    Config,
    Connection,
    Event,
    Limits,
    Opened,
    RequestReceived,
    Role,
    Timeouts,
    Timer,
    Violation,
)

EXAMPLE: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[2] / "docs" / "examples" / "blocking_driver.py"), run_name="example"
)
PATIENCE = 20.0
MANY = 1500
BIG = b"x" * 2048


class Driven:
    """A server's core that the driver runs for one accepted connection; it echoes and remembers."""

    def __init__(self, config: Config | None = None) -> None:
        self.core = Connection(Role.SERVER, config, now=EXAMPLE["monotonic"]())
        self.events: list[Event] = []
        self.most = 0  # bytes that ever waited in the core

    def react(self, event: Event) -> None:
        """Accept, echo, and close when asked to."""
        self.events.append(event)
        if isinstance(event, RequestReceived):
            self.core.accept(now=EXAMPLE["monotonic"]())
        elif event == "close":
            self.core.close(4000, "asked to", now=EXAMPLE["monotonic"]())
        elif isinstance(event, str):
            self.core.send_text(event)
        elif isinstance(event, bytes):
            self.core.send_bytes(event)
        self.most = max(self.most, self.core.buffered_amount)

    @property
    def closed(self) -> Closed:
        """The last event, which must be the only one of its kind."""
        assert [event for event in self.events if isinstance(event, Closed)] == self.events[-1:]
        closed = self.events[-1]
        assert isinstance(closed, Closed)
        return closed


@contextmanager
def driven_server(
    driven: Driven, react: Callable[[Event], None] | None = None
) -> Iterator[tuple[int, Background[None]]]:
    """Let the driver serve one connection; the port, and the call that runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)  # the kernel is to hold little

        def serve() -> None:
            EXAMPLE["drive"](driven.core, listener.accept()[0], react or driven.react)

        running = background(serve)
        yield listener.getsockname()[1], running
        running.result()


def test_it_is_a_client_of_the_threaded_backend() -> None:
    with echo_server() as server:
        assert EXAMPLE["ask"]("127.0.0.1", server.port, "hello") == ["hello"]


def test_it_is_a_server_for_the_threaded_backend() -> None:
    driven = Driven()
    with (
        driven_server(driven) as (port, _),
        wscore_threading.connect(f"ws://127.0.0.1:{port}/") as session,
    ):
        for message in ("hello", "", b"\x00" * 300_000):
            session.send(message)
            assert session.recv(PATIENCE) == message
    assert driven.closed.clean
    assert driven.closed.code == 1000


def test_the_echo_of_the_example_answers_a_plain_request_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = background(lambda: EXAMPLE["echo"](listener.accept()[0]))
        with dial(listener.getsockname()[1]) as peer:
            peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert peer.read_head().startswith(b"HTTP/1.1 426 ")
            peer.read_to_end()
        running.result()


def test_a_server_sends_its_last_bytes_and_then_waits_for_the_peer_to_leave() -> None:
    driven = Driven()
    with driven_server(driven) as (port, running), dial(port) as peer:
        peer.upgrade()
        peer.send_frame(TEXT, b"close")
        assert peer.read_close() == 4000
        peer.send_close(4000)
        assert peer.read_to_end() == b""  # its sending direction has ended
        assert not running.done  # the other one has not
        peer.send(b"whatever")  # and what comes there does not reset the connection
        peer.end_writing()
        running.result()
    assert driven.closed.clean


def test_a_peer_that_does_not_read_is_slowed_down_and_loses_nothing() -> None:
    config = Config(limits=Limits(outbox_limit=256 * 1024))  # the echo of all would never fit
    driven = Driven(config)
    with driven_server(driven) as (port, _), dial(port, receive_buffer=4096) as peer:
        peer.upgrade()
        flood = background(lambda: peer.send(frame(BINARY, BIG, masked=True) * MANY))
        assert all(peer.read_frame() == (0x82, BIG) for _ in range(MANY))
        flood.result()
        peer.send_close()
        assert peer.read_close() == 1000
        peer.read_to_end()
    assert driven.closed.clean
    assert driven.most <= config.limits.outbox_high + len(BIG) + 10


def test_a_peer_that_never_reads_is_aborted_and_what_waited_for_it_dropped() -> None:
    driven = Driven(Config(timeouts=Timeouts(write_stall=0.2)))
    with driven_server(driven) as (port, running), dial(port, receive_buffer=4096) as peer:
        peer.upgrade()
        peer.send_frame(BINARY, bytes(900_000))
        running.result()
        with pytest.raises(ConnectionResetError):
            peer.read_to_end()
    assert driven.closed.timer is Timer.WRITE_STALL
    assert driven.closed.code == 1006


@pytest.mark.parametrize("rudely", [False, True])
def test_a_peer_that_vanishes_leaves_the_same_events_whether_it_resets_or_not(rudely: bool) -> None:
    driven = Driven()
    with driven_server(driven) as (port, _):
        peer = dial(port)
        peer.upgrade()
        peer.send_frame(TEXT, b"hello")
        assert peer.read_frame() == (0x81, b"hello")
        peer.reset() if rudely else peer.close()
    assert [type(event) for event in driven.events] == [RequestReceived, Opened, str, Closed]
    assert driven.closed.code == 1006
    assert not driven.closed.clean


def test_what_a_peer_sent_before_it_left_is_received_although_writing_fails() -> None:
    ours, theirs = socket.socketpair()
    driven = Driven()
    with theirs:  # which leaves before anything is answered
        frames = (frame(TEXT, b"1" * 70_000, masked=True), frame(TEXT, b"two", masked=True))
        theirs.sendall(b"".join((REQUEST, *frames, frame(CLOSE, status(1000, b""), masked=True))))
    background(lambda: EXAMPLE["drive"](driven.core, ours, driven.react)).result()
    assert [event for event in driven.events if isinstance(event, str)] == ["1" * 70_000, "two"]
    assert driven.closed.received is not None
    assert driven.closed.received.code == 1000


def test_a_greeting_for_a_peer_that_has_broken_a_rule_by_then_is_no_error() -> None:
    driven = Driven()

    def greet(event: Event) -> None:
        driven.react(event)
        if isinstance(event, Opened):
            driven.core.send_text("hello")  # raises ConnectionClosed

    with driven_server(driven, greet) as (port, running), dial(port) as peer:
        peer.upgrade(REQUEST + frame(TEXT, b"not masked", masked=False))
        assert peer.read_close() == 1002
        peer.close()
        running.result()
    assert driven.closed.violation is Violation.UNMASKED_FRAME


def test_a_client_waits_for_the_server_to_close_tcp_first() -> None:
    with RawListener() as listener:
        asking = background(lambda: EXAMPLE["ask"]("127.0.0.1", listener.port, "hello"))
        peer = listener.accept()
        peer.send(answer(peer.read_head()))
        assert peer.read_frame() == (0x81, b"hello")
        peer.send_frame(TEXT, b"yes")
        assert peer.read_close() == 1000
        peer.send_close()
        assert not asking.done  # RFC 6455 section 7.1.1
        peer.close()
        assert asking.result() == ["yes"]
