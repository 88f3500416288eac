"""`on_writable`: who hears that there is room for output again, when, and in which thread."""

import threading

import pytest

from support.eventually import PATIENCE, eventually, stays
from support.raw import RawPeer, dial_upgraded
from support.wire import TEXT
from wscore import Config, Endpoint, Limits
from wscore._typing import override
from wscore.policy import SlowConsumer
from wscore_threading import Session, broadcast, serve

KIB = 1024
BIG = bytes(8 << 20)  # more than the kernel holds for a peer that does not read
ROOMY = Config(limits=Limits(outbox_limit=1 << 30))


class Waiting(Endpoint):
    """Notes when there is room, and looks whether two hooks ever run at a time."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.calls: list[str] = []
        self.overlaps: list[str] = []
        self.threads: set[threading.Thread] = set()
        self._inside = threading.Lock()

    def wait_for_session(self) -> Session:
        """Return the session, once there is one."""
        eventually(lambda: self.session)
        assert self.session is not None
        return self.session

    def _note(self, name: str) -> None:
        if not self._inside.acquire(blocking=False):
            self.overlaps.append(name)
            return
        self.threads.add(threading.current_thread())
        self.calls.append(name)
        self._inside.release()

    @override
    def on_connect(self, session: Session) -> None:
        self.session = session
        self._note("connect")

    @override
    def on_message(self, session: Session, message: str | bytes) -> None:
        self._note("message")
        session.send(BIG)

    def on_writable(self, session: Session) -> None:
        """There is room: note how often that is said."""
        assert session.buffered_amount < 64 * KIB
        self._note("writable")

    @override
    def on_close(self, session: Session, code: int, reason: str) -> None:
        self._note("close")


def _read_big(peer: RawPeer) -> None:
    """Read one big message to its end."""
    assert len(peer.read_frame()[1]) == len(BIG)


def test_an_endpoint_hears_of_room_after_what_others_have_queued() -> None:
    endpoint = Waiting()
    with (
        serve(endpoint, "127.0.0.1", config=ROOMY, slow_consumer=SlowConsumer.DROP) as server,
        dial_upgraded(server.port) as peer,
    ):
        session = endpoint.wait_for_session()
        broadcast([session], BIG)
        stays(lambda: endpoint.calls == ["connect"], 0.6)  # there is none as long as nobody reads
        _read_big(peer)
        eventually(lambda: endpoint.calls == ["connect", "writable"])
        stays(lambda: endpoint.calls == ["connect", "writable"], 0.3)  # and it is said once
        peer.send_close()
        eventually(lambda: endpoint.calls[-1] == "close")
    assert endpoint.calls == ["connect", "writable", "close"]
    assert not endpoint.overlaps and len(endpoint.threads) == 1


def test_an_endpoint_hears_of_room_after_a_hook_that_has_waited_for_it() -> None:
    endpoint = Waiting()
    with serve(endpoint, "127.0.0.1", config=ROOMY) as server, dial_upgraded(server.port) as peer:
        peer.send_frame(TEXT, b"go on")
        _read_big(peer)
        eventually(lambda: endpoint.calls == ["connect", "message", "writable"])
    assert not endpoint.overlaps and len(endpoint.threads) == 1


def test_nobody_hears_of_room_that_was_always_there(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Waiting()
    with serve(endpoint, "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        session = endpoint.wait_for_session()
        session.send("little")
        assert peer.read_frame() == (0x80 | TEXT, b"little")
        stays(lambda: endpoint.calls == ["connect"], 0.3)
        session.abort()
        eventually(lambda: endpoint.calls[-1] == "close", PATIENCE)
    assert endpoint.calls == ["connect", "close"] and not caplog.records


def test_who_sends_one_more_whenever_there_is_room_sends_all() -> None:
    class Pours(Endpoint):
        """Needs to hear of room to go on."""

        left = 50

        def on_writable(self, session: Session) -> None:
            """Send one more."""
            if self.left:
                self.left -= 1
                session.send(bytes(100 * KIB))

        @override
        def on_message(self, session: Session, message: str | bytes) -> None:
            self.on_writable(session)

    with serve(Pours(), "127.0.0.1") as server, dial_upgraded(server.port) as peer:
        peer.send_frame(TEXT, b"go")
        for _ in range(50):
            assert len(peer.read_frame()[1]) == 100 * KIB
