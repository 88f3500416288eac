"""The tools for tests: a pair on a virtual clock, a drain, cuttings, repeatable entropy."""

import doctest
import importlib
import subprocess
import sys

import pytest

import wscore.testing
from support.wire import KEY, PING, RESPONSE, TEXT, from_peer, opened
from wscore import (
    Closed,
    CloseReceived,
    Config,
    Limits,
    Opened,
    Refused,
    RequestReceived,
    Role,
    State,
    Timeouts,
    Timer,
    TransportAction,
)
from wscore.testing import Output, Pair, cuttings, drain, feed, repeatable_entropy

MODULES = ["", "._clock", "._frame", "._script", "._words"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_a_module_work(name: str) -> None:
    module = importlib.import_module(f"wscore.testing{name}")
    results = doctest.testmod(module, extraglobs={**vars(wscore.testing), **vars(module)})
    assert results.attempted > 0 and results.failed == 0


def test_only_the_plugin_knows_a_test_framework() -> None:
    program = "import sys, wscore.testing; print('wscore.testing' in sys.modules, 'pytest' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert loaded == "True False\n"


def test_feeding_gives_what_the_stream_gives_however_it_is_cut() -> None:
    data = from_peer(Role.SERVER, TEXT, b"hello") + from_peer(Role.SERVER, PING, b"?")
    output = feed(lambda: opened(Role.SERVER), data)
    assert (output.events, output.sent) == (["hello"], b"\x8a\x01?")


def test_feeding_notices_a_connection_that_is_not_always_the_same() -> None:
    made = iter([opened(Role.SERVER), opened(Role.SERVER, Config(limits=Limits(max_message_size=1)))])
    with pytest.raises(AssertionError, match="cut into"):
        feed(lambda: next(made), from_peer(Role.SERVER, TEXT, b"hello"))


def test_the_entropy_is_the_seed_over_and_over() -> None:
    take = repeatable_entropy(b"abc")
    assert [take(2), take(2), take(0), take(5)] == [b"ab", b"ca", b"", b"bcabc"]


def test_the_default_entropy_is_the_masking_key_of_the_rfc() -> None:
    take = repeatable_entropy()
    assert [take(4), take(4)] == [KEY, KEY]


def test_two_sources_do_not_disturb_each_other() -> None:
    first, second = repeatable_entropy(b"ab"), repeatable_entropy(b"ab")
    assert (first(1), second(1), first(1), second(1)) == (b"a", b"a", b"b", b"b")


def test_draining_takes_every_event_and_byte_and_tells_the_level() -> None:
    connection = opened(Role.SERVER)
    assert drain(connection, 0.0) == Output([], b"", TransportAction.KEEP)
    connection.receive_data(b"\x88\x80" + KEY, 0.0)
    output = drain(connection, 0.0)
    assert [type(event) for event in output.events] == [CloseReceived, Closed]
    assert output.sent == b"\x88\x00"
    assert output.action is TransportAction.SHUTDOWN_WRITE
    assert connection.buffered_amount == 0


def test_draining_takes_what_taking_an_event_makes_ready() -> None:
    connection = opened(Role.SERVER)
    connection.receive_data(b"\x81\x80" + KEY + b"\x88\x80" + KEY, 0.0)  # an empty text, then Close
    output = drain(connection, 0.0)
    assert output.events[0] == ""
    assert [type(event) for event in output.events[1:]] == [CloseReceived, Closed]
    assert output.sent == b"\x88\x00"


@pytest.mark.parametrize("size", [0, 1, 2, 5, 40])
def test_every_cutting_is_the_same_stream(size: int) -> None:
    data = bytes(range(size))
    all_cuttings = list(cuttings(data, count=25))
    assert len(all_cuttings) == 27
    assert {b"".join(chunks) for chunks in all_cuttings} == {data}
    assert all_cuttings[0] == [data]
    assert all_cuttings[1] == [bytes([octet]) for octet in data]


def test_random_cuts_depend_on_the_seed_alone() -> None:
    data = bytes(100)
    first, again, other = (list(cuttings(data, seed=seed, count=5)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len({tuple(map(len, chunks)) for chunks in first}) > 3
    assert all(chunk for chunks in first for chunk in chunks)


def test_a_pair_opens_and_carries_messages_both_ways() -> None:
    pair = Pair()
    pair.open("ws://localhost/path", headers=[("X-A", "b")], subprotocols=["first", "second"])
    request, opened_event = pair.server_events
    assert isinstance(request, RequestReceived) and isinstance(opened_event, Opened)
    assert request.request.target == "/path"
    assert request.request.headers["x-a"] == "b"
    assert [type(event) for event in pair.client_events] == [Opened]
    assert pair.client.subprotocol == pair.server.subprotocol == "first"
    pair.client.send_text("up")
    pair.server.send_bytes(b"down")
    pair.exchange()
    assert (pair.server_events[-1], pair.client_events[-1]) == ("up", b"down")
    assert pair.client_wire.startswith(b"GET /path HTTP/1.1\r\n")
    assert pair.server_wire.startswith(RESPONSE.partition(b"\r\n")[0])
    assert pair.server_wire.endswith(b"\x82\x04down")


def test_a_pair_agrees_on_no_subprotocol_when_none_is_offered() -> None:
    pair = Pair()
    pair.open()
    assert pair.client.subprotocol is None
    assert pair.server.subprotocol is None


def test_a_pair_closes_to_the_end_of_tcp() -> None:
    pair = Pair()
    pair.open()
    pair.client.close(1000, "done", now=pair.now)
    pair.exchange()
    assert pair.client.state is pair.server.state is State.CLOSED
    for events in (pair.client_events, pair.server_events):
        assert isinstance(events[-1], Closed) and events[-1].clean
        assert sum(isinstance(event, Closed) for event in events) == 1


def test_a_pair_can_leave_the_answer_to_the_test() -> None:
    pair = Pair(accept=False)
    pair.open()
    assert pair.server.state is State.CONNECTING
    pair.server.respond(403, body=b"no", now=pair.now)
    pair.exchange()
    refused, closed = pair.client_events
    assert isinstance(refused, Refused) and refused.response.status == 403
    assert isinstance(closed, Closed) and not closed.clean


def test_a_pair_does_not_accept_what_is_no_upgrade() -> None:
    pair = Pair()
    pair.server.receive_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.0)
    pair.exchange()
    assert isinstance(pair.server_events[-1], RequestReceived)
    assert pair.server.state is State.CONNECTING


def test_time_passes_deadline_by_deadline() -> None:
    timeouts = Timeouts(keepalive=1.0, pong=0.5)
    pair = Pair(Config(timeouts=timeouts), Config(timeouts=Timeouts(keepalive=None)))
    pair.open()
    pair.advance(3.75)
    assert pair.now == 3.75
    assert pair.server.stats.pings_received == 3  # at 1, 2 and 3: each answer is the last sign of life
    assert pair.client.state is pair.server.state is State.OPEN


def test_a_deadline_at_the_very_end_still_fires() -> None:
    pair = Pair(Config(timeouts=Timeouts(lifetime=2.0)))
    pair.open()
    pair.advance(2.0)
    closed = pair.client_events[-1]
    assert isinstance(closed, Closed) and closed.timer is Timer.LIFETIME
    assert pair.now == 2.0


def test_time_passes_where_nothing_is_due() -> None:
    none = Timeouts(open=None, close=None, keepalive=None, pong=None, write_stall=None)
    pair = Pair(Config(timeouts=none), Config(timeouts=none))
    pair.open()
    pair.advance(1e6)
    assert pair.now == 1e6
    assert pair.client.state is pair.server.state is State.OPEN


def test_two_sides_that_never_rest_are_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wscore.testing._driver, "_ROUNDS", 1)  # fewer than any exchange takes
    with pytest.raises(AssertionError, match="never came to rest"):
        Pair().open()


def test_a_pair_takes_a_config_for_each_side() -> None:
    pair = Pair(Config(agent="left"), Config(agent="right", limits=Limits(max_message_size=3)))
    pair.open()
    assert b"User-Agent: left\r\n" in pair.client_wire
    assert b"Server: right\r\n" in pair.server_wire
    pair.client.send_text("four")
    pair.exchange()
    closed = pair.client_events[-1]
    assert isinstance(closed, Closed) and closed.code == 1009
