"""Threads, descriptors and memory: none but those designed, and all of them given back."""

import gc
import os
import ssl
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.eventually import background, eventually, stays
from support.raw import dial, dial_upgraded
from support.recorder import Recorder
from support.threaded import client_of_raw_server, echo, echo_server, pair, url_of
from wscore import ConnectionClosed, Endpoint, HandshakeRefused, LocalProtocolError, parse_url
from wscore_threading import Session, connect, serve

_DESCRIPTORS = Path("/proc/self/fd")
needs_proc = pytest.mark.skipif(not _DESCRIPTORS.exists(), reason="descriptors cannot be counted here")


def _descriptors() -> int:
    return len(os.listdir(_DESCRIPTORS))


def _names() -> list[str]:
    """Return the names of our threads, without what differs from run to run."""
    names = (thread.name for thread in threading.enumerate())
    return sorted(name.split(" ")[0] for name in names if name.startswith("wscore"))


@contextmanager
def serving_without_a_trace(handler: Callable[[Session], object] = echo) -> Iterator[str]:
    """Run a server; check that clients leave it with the threads and descriptors that it began with."""
    with serve(handler, "127.0.0.1") as server:
        with dial(server.port) as first:  # so that all that a server has for itself is there
            first.send(b"x\n\n\n\n")
            first.read_to_end()
        eventually(lambda: _names() == ["wscore-accept", "wscore-housekeeper"])
        descriptors = _descriptors()
        yield url_of(server)
        eventually(lambda: _names() == ["wscore-accept", "wscore-housekeeper"])
        eventually(lambda: _descriptors() == descriptors)


# Which threads there are.


def test_a_server_has_a_thread_that_accepts_and_one_per_connection() -> None:
    with serve(Recorder(), "127.0.0.1") as server:
        assert _names().count("wscore-accept") == 1
        with dial_upgraded(server.port), dial_upgraded(server.port):
            assert _names() == ["wscore", "wscore", "wscore-accept", "wscore-housekeeper"]
        eventually(lambda: _names() == ["wscore-accept", "wscore-housekeeper"])


def test_a_client_without_hooks_has_no_thread_of_its_own_and_one_with_hooks_has_one() -> None:
    with client_of_raw_server():
        assert _names() == ["wscore-housekeeper"]
    with echo_server() as server:
        with connect(url_of(server), Recorder()):
            assert _names().count("wscore-client") == 1
        assert _names().count("wscore-client") == 0


def test_all_sessions_share_one_housekeeper() -> None:
    with pair(), pair(), client_of_raw_server():
        assert _names().count("wscore-housekeeper") == 1


def test_the_housekeeper_ends_when_there_is_nothing_to_keep_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from wscore_threading import _housekeeper

    monkeypatch.setattr(_housekeeper, "_IDLE_TICKS", 2)  # half a second instead of five
    with pair():
        assert "wscore-housekeeper" in _names()
    eventually(lambda: "wscore-housekeeper" not in _names())
    with pair() as (ours, theirs):
        assert "wscore-housekeeper" in _names()
        theirs.send("kept again")
        assert ours.recv(timeout=10) == "kept again"
        assert ours.ping() > 0  # which nobody but the housekeeper answers


# Everything is given back.


@needs_proc
def test_three_hundred_connections_in_a_row_leave_nothing_behind() -> None:
    with serving_without_a_trace() as url:
        for number in range(300):
            with connect(url) as session:
                session.send(str(number))
                assert session.recv(timeout=10) == str(number)


@needs_proc
def test_unclean_ends_leave_nothing_behind() -> None:
    def talk(session: Session) -> None:
        session.send("hello")
        session.recv()

    with serving_without_a_trace(talk) as url:
        port = parse_url(url).port
        for number in range(100):
            peer = dial(port) if number % 4 == 0 else dial_upgraded(port)
            (peer.reset if number % 2 else peer.close)()
        for _ in range(50):
            connect(url).abort()


@needs_proc
def test_refused_and_failed_connects_leave_nothing_behind() -> None:
    with serving_without_a_trace() as url:
        for _ in range(30):
            with pytest.raises(HandshakeRefused):
                connect(url, headers=[("Origin", "https://elsewhere.example")])
            with pytest.raises(ssl.SSLError):
                connect(url.replace("ws:", "wss:"))
            with pytest.raises(LocalProtocolError):
                connect(url, headers=[("Host", "twice")])


@needs_proc
def test_an_endpoint_that_cannot_be_made_leaves_nothing_behind() -> None:
    def make() -> Endpoint:
        raise ZeroDivisionError

    with serving_without_a_trace() as url, pytest.raises(ZeroDivisionError):
        connect(url, Endpoint.factory(make))


@needs_proc
def test_a_server_gives_its_descriptors_back() -> None:
    def run_once() -> None:
        with echo_server() as server, connect(url_of(server)) as session:
            session.ping()

    run_once()
    eventually(lambda: _names() == ["wscore-housekeeper"])
    descriptors = _descriptors()
    for _ in range(20):
        run_once()
    eventually(lambda: _descriptors() == descriptors)


def test_closed_sessions_leave_no_cycle_that_keeps_them_alive() -> None:
    """Without the cycle collector, everything of a session goes when its user lets it go."""
    kept: list[weakref.ref[Session]] = []

    def handler(session: Session) -> None:
        kept.append(weakref.ref(session))
        for message in session:
            session.send(message)

    def visit(port: int) -> None:
        with connect(f"ws://127.0.0.1:{port}") as session:
            kept.append(weakref.ref(session))
            session.send("hello")
            assert session.recv(timeout=10) == "hello"

    gc.collect()
    gc.disable()
    try:
        with serve(handler, "127.0.0.1") as server:
            for _ in range(20):
                visit(server.port)
        assert len(kept) == 40
        eventually(lambda: not [ref for ref in kept if ref() is not None])
    finally:
        gc.enable()


def test_a_session_that_its_user_forgot_goes_when_the_peer_leaves() -> None:
    forgotten: list[weakref.ref[Session]] = []
    with serve(echo, "127.0.0.1") as server:
        forgotten.append(weakref.ref(connect(url_of(server))))
        eventually(lambda: server.sessions)
        server.shutdown()  # which the housekeeper answers for it
    eventually(lambda: forgotten[0]() is None)


# Fork.

_FORKING = """
import os, sys, threading
from support.threaded import echo
from wscore_threading import connect, serve

with serve(echo, "127.0.0.1") as server:
    url = f"ws://127.0.0.1:{server.port}"
    with connect(url) as session:
        session.ping()
        child = os.fork()
        if child == 0:
            # No housekeeper and no session came along; the child makes its own.
            assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
            with connect(url) as own:
                own.send("from the child")
                assert own.recv(timeout=10) == "from the child"
                assert "wscore-housekeeper" in [thread.name for thread in threading.enumerate()]
            os._exit(7)
        _, outcome = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(outcome) == 7, outcome
        session.send("the parent goes on")
        assert session.recv(timeout=10) == "the parent goes on"
    assert session.closed.clean
print("both went on")
"""


def _run(program: str) -> tuple[int, str, str]:
    """Run a program and return its exit status and what it printed.

    -P: it must import what these tests import, not what lies in the working directory.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-W", "ignore:.*fork:DeprecationWarning", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork_the_child_can_connect_and_the_parent_goes_on() -> None:
    assert _run(_FORKING) == (0, "both went on\n", "")


# A process that ends.

_LEAVING = """
from support.threaded import echo
from wscore_threading import connect, serve

server = serve(echo, "127.0.0.1")
session = connect(f"ws://127.0.0.1:{server.port}")
session.ping()
print("the end")
"""


def test_a_program_can_end_with_sessions_open() -> None:
    assert _run(_LEAVING) == (0, "the end\n", "")


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_wait_in_the_kernel_ends_when_another_thread_aborts(timeout: float | None) -> None:
    with client_of_raw_server() as (session, _):
        waiting = background(lambda: session.recv(timeout=timeout))
        stays(lambda: not waiting.done, 0.05)
        session.abort()
        assert isinstance(waiting.error(2), ConnectionClosed)
