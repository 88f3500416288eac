"""Two connections on links that are slow, cut in pieces, or fail: what each fault is for the two sides."""

from collections.abc import Callable

import pytest

from support.clock import only
from wscore import (
    Closed,
    Config,
    Connection,
    Event,
    Fragment,
    Limits,
    Opened,
    RequestReceived,
    Role,
    State,
    Timer,
    TransportAction,
)
from wscore.testing import Clock, Link, Pair, repeatable_entropy


def opened(**settings: object) -> Pair:
    """Return an opened pair without timeouts."""
    pair = Pair(only(), only(), **settings)  # type: ignore[arg-type]
    pair.open()
    assert pair.client.state is pair.server.state is State.OPEN
    return pair


def the_end(events: list[Event]) -> Closed:
    closed = events[-1]
    assert isinstance(closed, Closed)
    assert sum(isinstance(event, Closed) for event in events) == 1
    return closed


def test_opening_takes_the_time_of_one_round_trip() -> None:
    pair = opened(to_server=Link(latency=0.25), to_client=Link(latency=0.5))
    assert pair.now == 0.75


def test_a_message_arrives_when_its_time_has_come() -> None:
    pair = opened(to_server=Link(latency=0.25))
    pair.client.send_text("hello")
    pair.exchange()
    assert pair.server_events[-1] != "hello"
    assert pair.to_server.in_flight > 0
    pair.advance(0.25)
    assert pair.server_events[-1] == "hello"


def test_settling_takes_the_time_that_everything_needs() -> None:
    pair = opened(to_server=Link(latency=1.0), to_client=Link(latency=1.0))
    begin = pair.now
    pair.client.send_ping(b"?", now=pair.now)
    pair.settle()
    assert pair.now == begin + 2.0
    assert pair.client.latency == 2.0


def test_settling_does_not_wait_for_what_will_not_arrive() -> None:
    pair = opened()
    pair.to_server.freeze()
    pair.client.send_text("hello")
    pair.settle()
    assert pair.now == 0.0


def test_settling_has_an_end() -> None:
    pair = opened(to_server=Link(latency=100.0))
    pair.client.send_text("hello")
    with pytest.raises(AssertionError, match=r"after 10.0 s there are still bytes on their way"):
        pair.settle(10.0)


def test_running_until_something_has_happened_takes_no_longer_than_that() -> None:
    pair = opened(to_server=Link(latency=0.25))
    pair.client.send_text("hello")
    assert pair.run_until(lambda: pair.server_events[-1] == "hello") == 0.25
    assert pair.run_until(lambda: True) == 0.0


def test_running_until_a_moment_that_nothing_else_is_due_at() -> None:
    pair = opened()
    assert pair.run_until(lambda: pair.now >= 5.0, timeout=5.0) == 5.0


def test_running_until_something_that_never_happens_says_where_both_sides_stand() -> None:
    pair = Pair(only(open=2.0), only())
    with pytest.raises(AssertionError) as caught:
        pair.run_until(lambda: False, timeout=3.0)
    assert pair.now == 3.0
    assert str(caught.value).startswith(
        "not within 3.0 s: the client is closed (1006, OPEN) and last gave Closed("
    )
    assert str(caught.value).endswith("the server is closed (1006) and last gave " + repr(pair.server.closed))


def test_a_pair_that_has_done_nothing_says_so() -> None:
    client, server = str(Pair()).split("; ")
    assert client == "the client is connecting and gave no event"
    assert server == "the server is connecting and gave no event"


def test_pairs_on_one_clock_live_in_the_same_time() -> None:
    clock = Clock()
    near = Pair(only(), only(), clock=clock)
    far = Pair(only(), only(), clock=clock, to_server=Link(latency=3.0))
    near.open()
    far.client.send_request("ws://localhost/", now=clock.now)
    clock.call_later(1.0, lambda: near.client.send_text("one second"))
    near.advance(3.0)
    assert near.server_events[-1] == "one second"
    assert isinstance(far.server_events[-1], Opened)
    assert near.now == far.now == clock.now == 3.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("split", [1, 7, (1, 30)])
def test_however_the_stream_is_cut_the_same_comes_out(split: int | tuple[int, int], seed: int) -> None:
    def run(**settings: object) -> tuple[list[Event], list[Event]]:
        links = [Link(seed=seed + side, **settings) for side in (0, 1)]  # type: ignore[arg-type]
        pair = opened(to_server=links[0], to_client=links[1])
        pair.client.send_text("h\u00e9llo")
        pair.server.send_bytes(bytes(300))
        pair.settle()
        pair.client.close(1000, "bye", now=pair.now)
        pair.settle()
        return pair.client_events, pair.server_events

    assert run(split=split, latency=0.1, jitter=0.05) == run()


def test_fragments_come_out_like_any_event() -> None:
    pair = Pair(None, Config(stream=True), to_server=Link(split=4))
    pair.open()
    pair.client.send_text("hello")
    pair.exchange()
    fragments = [event for event in pair.server_events if isinstance(event, Fragment)]
    assert "".join(str(fragment.data) for fragment in fragments) == "hello"
    assert fragments[-1].final and len(fragments) > 1


def test_what_does_not_fit_stays_in_the_senders_hands_until_there_is_room() -> None:
    pair = opened(to_server=Link(capacity=100, latency=1.0))
    pair.client.send_bytes(bytes(1000))
    pair.exchange()
    wire = len(pair.client_wire)
    pair.client.send_text("later")
    pair.exchange()
    assert len(pair.client_wire) == wire  # not asked for again before all has left
    assert pair.client.buffered_amount > 900
    pair.settle()
    assert pair.server_events[-2:] == [bytes(1000), "later"]
    assert pair.client.buffered_amount == 0
    assert pair.now == 13.0  # opening took 2, then 1,015 bytes, 100 at a time


def test_a_receiver_that_does_not_take_its_events_slows_the_sender_down() -> None:
    config = Config(limits=Limits(inbox_high=100, inbox_low=50), timeouts=only().timeouts)
    pair = Pair(only(), config, to_server=Link(capacity=500))
    pair.open()
    pair.server.suspend()
    for _ in range(20):
        pair.client.send_bytes(bytes(90))
        pair.exchange()
    assert not pair.server.wants_read
    assert pair.to_server.in_flight == 500
    assert pair.client.buffered_amount > 0
    pair.server.resume()
    pair.exchange()
    assert pair.server_events[-20:] == [bytes(90)] * 20
    assert (pair.to_server.in_flight, pair.client.buffered_amount) == (0, 0)


def test_a_remainder_that_moves_is_progress_and_one_that_does_not_is_a_stall() -> None:
    pair = Pair(only(write_stall=3.0), only(), to_server=Link(capacity=100, latency=2.0))
    pair.open()
    pair.client.send_bytes(bytes(1000))
    pair.advance(16.0)
    assert pair.client.state is State.OPEN
    pair.to_server.freeze()
    pair.advance(6.0)
    assert the_end(pair.client_events).timer is Timer.WRITE_STALL


def test_a_lost_path_is_noticed_by_time_alone() -> None:
    pair = Pair(only(keepalive=5.0, pong=2.0), only())
    pair.open()
    pair.to_client.lose()
    pair.client.send_text("still heard")
    pair.advance(6.9)
    assert pair.client.state is State.OPEN
    pair.advance(0.1)
    assert the_end(pair.client_events).timer is Timer.PONG
    assert "still heard" in pair.server_events
    assert the_end(pair.server_events).code == 1006  # told by the client's reset


def test_a_frozen_path_that_thaws_in_time_does_no_harm() -> None:
    pair = Pair(only(keepalive=5.0, pong=2.0), only())
    pair.open()
    pair.to_client.freeze()
    pair.server.send_text("late")
    pair.clock.call_later(6.5, pair.to_client.thaw)
    pair.advance(9.0)
    assert pair.client_events[-1] == "late"
    assert pair.client.state is State.OPEN


def test_one_direction_can_end_alone() -> None:
    pair = opened()
    pair.client.send_text("last")
    pair.to_server.end()
    pair.exchange()
    assert the_end(pair.server_events).code == 1006
    pair = opened()
    pair.to_client.end()
    pair.exchange()
    assert the_end(pair.client_events).code == 1006


def test_a_cut_ends_both_streams_behind_what_is_in_flight() -> None:
    pair = opened(to_server=Link(latency=1.0))
    pair.client.send_text("in flight")
    pair.exchange()
    pair.cut()
    pair.settle()
    assert "in flight" in pair.server_events
    assert the_end(pair.client_events).code == the_end(pair.server_events).code == 1006
    assert pair.client.state is pair.server.state is State.CLOSED


def test_an_abrupt_cut_destroys_what_is_in_flight() -> None:
    pair = opened(to_server=Link(latency=1.0))
    pair.client.send_text("in flight")
    pair.exchange()
    pair.cut(abruptly=True)
    pair.settle()
    assert "in flight" not in pair.server_events
    assert the_end(pair.client_events).code == the_end(pair.server_events).code == 1006


@pytest.mark.parametrize("half_close", [True, False])
@pytest.mark.parametrize("latency", [0.0, 1.0])
@pytest.mark.parametrize("closer", ["client", "server"])
def test_the_last_messages_survive_the_end_of_tcp(closer: str, latency: float, half_close: bool) -> None:
    pair = opened(to_server=Link(latency=latency), to_client=Link(latency=latency), half_close=half_close)
    pair.client.send_text("last words")
    pair.server.send_text("last words")
    getattr(pair, closer).close(4000, "enough", now=pair.now)
    pair.settle()
    for events in (pair.client_events, pair.server_events):
        assert "last words" in events
        assert (the_end(events).code, the_end(events).clean) == (4000, True)
    assert pair.client.state is pair.server.state is State.CLOSED


def test_a_closed_socket_answers_what_still_arrives_with_a_reset() -> None:
    pair = opened()
    pair.server.receive_eof(pair.now)  # its own transport has failed: it closes
    pair.exchange()
    assert pair.server.transport_action() is TransportAction.CLOSE
    assert the_end(pair.client_events).code == 1006
    pair = opened(to_client=Link(latency=1.0))
    pair.server.receive_eof(pair.now)
    pair.client.send_text("too late")
    pair.exchange()
    assert pair.client.state is State.OPEN  # the reset is on its way
    pair.settle()
    assert the_end(pair.client_events).code == 1006


def test_closing_with_unread_input_is_a_reset_that_destroys_the_last_bytes() -> None:
    pair = opened(to_server=Link(latency=1.0), to_client=Link(latency=1.0))
    pair.client.send_text("arrives")
    pair.exchange()
    pair.server.send_text("destroyed")
    pair.exchange()
    pair.to_server.freeze()
    pair.advance(0.5)
    pair.server.receive_eof(pair.now)
    pair.to_server.thaw()
    pair.to_server.latency = 0.0
    pair.client.send_text("unread")
    pair.advance(0.5)
    pair.settle()
    assert "destroyed" not in pair.client_events
    assert the_end(pair.client_events).code == 1006


def test_a_side_that_takes_no_events_notices_a_reset_all_the_same() -> None:
    config = Config(limits=Limits(inbox_high=10, inbox_low=5), timeouts=only().timeouts)
    pair = Pair(only(), config)
    pair.open()
    pair.server.suspend()
    pair.client.send_text("waits")
    pair.exchange()
    assert not pair.server.wants_read
    pair.to_server.reset()
    pair.exchange()
    pair.server.resume()
    pair.exchange()
    assert pair.server_events[-2] == "waits"
    assert the_end(pair.server_events).code == 1006


def test_a_pair_takes_connections_that_were_made_elsewhere() -> None:
    clock = Clock(100.0)
    client = Connection.established(Role.CLIENT, only(), now=clock.now, entropy=repeatable_entropy())
    server = Connection.established(Role.SERVER, only(), now=clock.now)
    pair = Pair(client, server, clock=clock)
    client.send_text("hello")
    pair.exchange()
    assert pair.client is client and pair.server is server
    assert pair.server_events[-1] == "hello"
    assert pair.now == 100.0


def test_a_connection_of_the_other_role_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a client, not a server"):
        Pair(Connection(Role.SERVER, now=0.0))


def test_a_link_in_use_is_refused() -> None:
    link = Link()
    with pytest.raises(ValueError, match="cannot be used again"):
        Pair(to_server=link, to_client=link)


@pytest.mark.parametrize(
    "fault",
    [
        lambda pair: pair.to_server.lose(),
        lambda pair: pair.to_client.lose(),
        lambda pair: pair.to_server.freeze(),
        lambda pair: pair.cut(),
        lambda pair: pair.cut(abruptly=True),
        lambda pair: pair.to_server.end(),
    ],
)
def test_the_same_faults_give_the_same_run(fault: Callable[[Pair], None]) -> None:
    def run() -> tuple[object, ...]:
        up, down = (Link(latency=0.1, jitter=0.1, split=(1, 50), seed=seed) for seed in (1, 2))
        pair = Pair(to_server=up, to_client=down)
        pair.open()
        pair.clock.call_later(0.3, lambda: fault(pair))
        for number in range(10):
            if pair.client.state is State.OPEN:
                pair.client.send_text("x" * number * 20)
                pair.client.send_ping(now=pair.now)
            pair.advance(0.1)
        pair.advance(200.0)
        return pair.client_wire, pair.server_wire, pair.client_events, pair.server_events

    first = run()
    assert first == run()


def test_a_request_whose_connection_has_ended_meanwhile_is_not_accepted() -> None:
    pair = Pair(only(), only())
    pair.server.suspend()
    pair.open()
    pair.cut(abruptly=True)
    pair.settle()
    pair.server.resume()
    pair.exchange()
    assert [type(event) for event in pair.server_events] == [RequestReceived, Closed]
