"""Connecting without waiting: the story of several addresses, and what is looked at between its steps."""

import errno
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from wscore_sockets import Wait, begin_connecting, connect_to_one, names_of, path_of_unix
from wscore_sockets._connecting import Found, numeric_places


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def place_of(listener: socket.socket) -> Found:
    return int(socket.AF_INET), int(socket.SOCK_STREAM), 0, "", listener.getsockname()


def dead_place() -> Found:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return place_of(gone)


def tell(places: list[Found]) -> tuple[socket.socket, list[Wait]]:
    """Tell a story to its end, waiting as it asks for."""
    story, steps = connect_to_one(places, None), []
    while True:
        try:
            steps.append(next(story))
        except StopIteration as end:
            return end.value, steps
        select.select([], steps[-1].sockets, [], 5.0)


def failure_of(path: str) -> int | None:
    """Return why connecting to a path fails at once; None: it does not."""
    try:
        begin_connecting(path_of_unix(path)).close()
    except OSError as error:
        return error.errno
    return None


def test_the_first_that_answers_is_the_one(listener: socket.socket) -> None:
    connected, steps = tell([dead_place(), place_of(listener)])
    with connected:
        assert connected.getpeername() == listener.getsockname()
        assert not connected.getblocking()
    assert all(len(step.sockets) == 1 for step in steps)


def test_when_none_answers_the_error_names_them_all() -> None:
    places = [dead_place(), dead_place()]
    with pytest.raises(ConnectionRefusedError) as raised:
        tell(places)
    assert all(name in str(raised.value) for name in names_of(places))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full backlog refuses")
def test_to_go_on_too_early_does_no_harm() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            stack.enter_context(begin_connecting(place_of(full)))
        story = stack.enter_context(closing(connect_to_one([place_of(full)], None)))
        assert next(story) == next(story) == next(story)


def test_who_gives_up_leaves_no_socket_open(listener: socket.socket) -> None:
    story = connect_to_one([place_of(listener)], None)
    step = next(story)
    story.close()
    assert [sock.fileno() for sock in step.sockets] == [-1]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets here")
def test_a_path_is_an_address_like_others(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(0)
        connected, _ = tell([path_of_unix(path)])
        with connected:
            assert connected.getpeername() == path
            failures = [failure_of(path) for _ in range(5)]
        assert failures[-1] in (errno.EAGAIN, errno.ECONNREFUSED)  # too many wait there already
    assert names_of([path_of_unix(path)]) == [path]


def test_an_address_needs_no_lookup_and_a_name_does() -> None:
    assert [place[4][:2] for place in numeric_places("127.0.0.1", 80)] == [("127.0.0.1", 80)]
    assert [place[4][:2] for place in numeric_places("::1", 80)] in ([("::1", 80)], [])
    assert numeric_places("where.example", 80) == []
