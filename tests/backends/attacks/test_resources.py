"""More connections than there is room for, and what one costs."""

import signal
from contextlib import ExitStack
from time import monotonic
from typing import Final

import pytest

from support.crowd import Crowd
from support.eventually import eventually, stays
from support.raw import dial, dial_upgraded
from support.servers import Running, running
from support.stopwatch import within
from support.wire import CLOSE, TEXT, frame, status

# KiB of memory that an idle connection takes: the promise, which for a thread includes its stack.
_PER_CONNECTION = {"threading": 40, "asyncio": 12, "uvloop": 12, "selectors": 12}
_GOING: Final = frame(CLOSE, status(1001), masked=True)


def _is_served(server: Running) -> bool:
    with dial(server.port) as peer:
        peer.upgrade()
        peer.send_frame(TEXT, b"hello")
        return peer.read_frame() == (0x80 | TEXT, b"hello")


# T-R8: too few descriptors.


def test_running_out_of_descriptors_pauses_a_server_and_does_not_end_it(backend: str) -> None:
    with running(backend, files=60) as server, dial_upgraded(server.port) as early, ExitStack() as stack:
        before = server.measure()["files"]
        for _ in range(150):
            stack.enter_context(dial(server.port))
        eventually(lambda: server.measure()["files"] == -1)  # none is left
        used, begun = server.measure()["cpu"], monotonic()
        early.send_frame(TEXT, b"served as ever")
        assert early.read_frame() == (0x80 | TEXT, b"served as ever")
        stays(lambda: True, 1.2)
        assert server.measure()["cpu"] - used < 0.2 * (monotonic() - begun)
        stack.close()
        with within(2):
            assert _is_served(server)
        eventually(lambda: server.measure()["files"] == before)
        assert 0 < len(server.log.splitlines()) <= 5, server.log


# T-R9: many connections.


def _open_idle(server: Running, number: int, per_connection: int) -> Crowd:
    """Open so many; check what each takes."""
    with Crowd(server.port, 20):  # what the first ones bring along is not theirs
        pass
    server.wait_for_sessions(0)
    before = server.measure()
    crowd = Crowd(server.port, number)
    try:
        server.wait_for_sessions(number)
        after = server.measure()
        assert (after["resident"] - before["resident"]) / number <= per_connection
        return crowd
    except BaseException:
        crowd.close()
        raise


def test_five_hundred_connections_are_small_served_and_closed_quickly(backend: str) -> None:
    message = frame(TEXT, b"hello", masked=True)
    with running(backend, drain=10.0) as server, _open_idle(server, 500, _PER_CONNECTION[backend]) as crowd:
        for member in crowd.members:
            member.write(message)
        crowd.drive(lambda: all(len(member.received) == 7 for member in crowd.members))
        server.signal(signal.SIGTERM)
        crowd.drive(lambda: all(len(member.received) > 7 for member in crowd.members))
        with within(5):
            for member in crowd.members:
                member.write(_GOING)
            crowd.drive(lambda: all(member.ended for member in crowd.members))
            server.end()


@pytest.mark.slow
def test_ten_thousand_connections_are_small_idle_and_closed_in_time(looping: str) -> None:
    """Needs 10,000 descriptors in this process, and as many in the other."""
    number = 10_000
    with running(looping, drain=30.0, max_connections=number + 100) as server:
        with within(30):
            crowd = _open_idle(server, number, _PER_CONNECTION[looping])
        with crowd:
            _stay_idle(server, crowd)
            with within(10):
                _say_goodbye(server, crowd)


def _stay_idle(server: Running, crowd: Crowd) -> None:
    """Let all be pinged; then look what that costs."""
    for member in crowd.members:
        member.answers = True
    crowd.drive(lambda: all(member.pings for member in crowd.members), timeout=60)
    used, begun = server.measure()["cpu"], monotonic()
    crowd.drive(lambda: monotonic() > begun + 20, timeout=60)
    assert (server.measure()["cpu"] - used) / (monotonic() - begun) <= 0.1


def _say_goodbye(server: Running, crowd: Crowd) -> None:
    """Tell the server to end, and answer it."""
    for member in crowd.members:
        member.answers = False
    server.signal(signal.SIGTERM)
    crowd.drive(lambda: all(member.received for member in crowd.members), timeout=60)
    for member in crowd.members:
        member.write(_GOING)
    crowd.drive(lambda: all(member.ended for member in crowd.members), timeout=60)
    server.end()


# T-R10: a thread for each connection, and no more than allowed.


@pytest.mark.parametrize(("cap", "number"), [(50, 100), pytest.param(1000, 2000, marks=pytest.mark.slow)])
def test_connections_over_the_cap_wait_and_have_no_thread(cap: int, number: int) -> None:
    timeouts = {"open": 60.0}
    with running("threading", max_connections=cap, max_pending=cap, timeouts=timeouts) as server:
        own = server.measure()["threads"]
        with Crowd(server.port, cap) as inside, Crowd(server.port, number - cap, request=b"") as outside:
            for member in outside.members:
                member.write(b"x\r\n\r\n")  # which is answered as soon as somebody reads it
            outside.drive(lambda: not any(member.unsent for member in outside.members))
            stays(lambda: server.measure()["threads"] <= own + cap + 1, 0.3)
            assert not any(member.received for member in outside.members)
            inside.close()
            outside.drive(lambda: all(member.received for member in outside.members))
        eventually(lambda: server.measure()["threads"] <= own + 1)
