"""Ctrl-C may come wherever Python looks for signals: it leaves no flag set, and no lock taken.

Python looks when a function begins, and when one that is written in C has returned. A profile function is
called at just these places, so each of them can have its turn.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from types import FrameType

import pytest

from support.eventually import PATIENCE, background, eventually
from support.raw import RawPeer
from support.threaded import client_of_raw_server, echo_server, url_of
from wscore_threading import Session, _link, _session, connect

PLACES = {_link.__file__, _session.__file__}
BIG = bytes(8 << 20)  # more than the kernel holds for a peer that does not read


class Interrupt:
    """Raises KeyboardInterrupt at one place of the backend's own code where a signal handler may run.

    Args:
        number: at which one, counted from 1.
        since: the name of a function: count from its first call on; "": from the beginning.

    Attributes:
        counts: since is over.
    """

    def __init__(self, number: int, since: str = "") -> None:
        self._left = number
        self._since = since
        self.counts = threading.Event()

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Be told of a place."""
        if event not in ("call", "c_return") or frame.f_code.co_filename not in PLACES:
            return
        if frame.f_code.co_name == self._since:
            self._since = ""
            self.counts.set()
        self._left -= not self._since
        if self._left == 0:
            sys.setprofile(None)
            raise KeyboardInterrupt

    def during(self, act: Callable[[], object]) -> bool:
        """Do something; tell whether it was interrupted."""
        try:
            sys.setprofile(self)
            act()
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
        return False


@pytest.fixture(autouse=True)
def nobody_else_profiles() -> Iterator[None]:
    """Give the profile function back to whoever had set one."""
    before = sys.getprofile()
    yield
    sys.setprofile(before)


def is_free(session: Session) -> bool:
    """Tell whether nobody holds anything of a session."""
    link = session._link
    taken = session._receiving, link._read_by_someone, link._writing.locked(), link.state.locked()
    return not any(taken)


def test_an_interrupted_send_or_recv_leaves_a_session_that_goes_on() -> None:
    def talk(session: Session) -> None:
        session.send("x")
        session.recv(PATIENCE)

    interrupted = 0
    with echo_server() as server:
        for number in count(1):
            with connect(url_of(server)) as session:
                if not Interrupt(number).during(partial(talk, session)):
                    break
                eventually(partial(is_free, session), 2.0)
                assert session.ping() > 0
            interrupted += 1
    assert interrupted > 20


def test_an_interrupted_wait_for_room_leaves_a_session_that_goes_on() -> None:
    def read_late(interrupt: Interrupt, peer: RawPeer) -> None:
        assert interrupt.counts.wait(PATIENCE)  # there is something to wait for
        peer.read_frame()

    for number in range(1, 13):
        with client_of_raw_server() as (session, peer):
            interrupt = Interrupt(number, since="_become_reader")
            reading = background(partial(read_late, interrupt, peer))
            assert interrupt.during(partial(session.send, BIG))
            eventually(partial(is_free, session), 2.0)
            session.abort()
            reading.error()
