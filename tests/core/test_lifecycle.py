"""The state machine as a table, and the laws that it must keep."""

import pytest

from wscore._lifecycle import TRANSITIONS, State, Step, TransportAction

# How far a state is from the beginning; the two halves of a close handshake are equally far.
PROGRESS = {
    State.CONNECTING: 0,
    State.OPEN: 1,
    State.LOCAL_CLOSING: 2,
    State.REMOTE_CLOSING: 2,
    State.DRAINING: 3,
    State.CLOSED: 4,
}

# Written from RFC 6455: what may happen in each state.
LEGAL = {
    # Section 4: no frames before the handshake is over, so no Close of either side.
    State.CONNECTING: {Step.OPENED, Step.FAILED, Step.ENDED},
    State.OPEN: {Step.CLOSE_SENT, Step.CLOSE_RECEIVED, Step.BROKEN, Step.ENDED},
    # 5.5.1: nothing is sent after our Close; the peer may go on, and may still break a rule.
    State.LOCAL_CLOSING: {Step.CLOSE_RECEIVED, Step.FAILED, Step.ENDED},
    # 5.5.1, 7.1.7: nothing is read after the peer's Close or a broken rule, so no other rule can break.
    State.REMOTE_CLOSING: {Step.CLOSE_SENT, Step.ENDED},
    # The outcome is settled: only the end of TCP is left.
    State.DRAINING: {Step.ENDED},
    State.CLOSED: set[Step](),
}


@pytest.mark.parametrize("state", State)
def test_only_legal_steps_are_in_the_table(state: State) -> None:
    assert {step for (source, step) in TRANSITIONS if source is state} == LEGAL[state]


def test_the_state_never_goes_back_or_stays() -> None:
    for (source, step), target in TRANSITIONS.items():
        assert PROGRESS[target] > PROGRESS[source], (source, step)


def test_every_state_can_be_reached_from_the_beginning() -> None:
    reached, before = {State.CONNECTING}, set[State]()
    while reached != before:
        before = set(reached)
        reached |= {target for (source, _), target in TRANSITIONS.items() if source in before}
    assert reached == set(State)


def test_closed_has_no_way_out_and_every_other_state_has_one_into_it() -> None:
    assert not any(source is State.CLOSED for source, _ in TRANSITIONS)
    for state in set(State) - {State.CLOSED}:
        assert TRANSITIONS[state, Step.ENDED] is State.CLOSED


def test_only_the_end_of_the_stream_closes() -> None:
    assert {step for (_, step), target in TRANSITIONS.items() if target is State.CLOSED} == {Step.ENDED}


def test_every_step_is_used() -> None:
    assert {step for _, step in TRANSITIONS} == set(Step)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([Step.OPENED], State.OPEN),
        ([Step.OPENED, Step.CLOSE_SENT], State.LOCAL_CLOSING),
        ([Step.OPENED, Step.CLOSE_RECEIVED], State.REMOTE_CLOSING),
        # Both orders of the close handshake lead to the same place.
        ([Step.OPENED, Step.CLOSE_SENT, Step.CLOSE_RECEIVED], State.DRAINING),
        ([Step.OPENED, Step.CLOSE_RECEIVED, Step.CLOSE_SENT], State.DRAINING),
        ([Step.OPENED, Step.CLOSE_SENT, Step.CLOSE_RECEIVED, Step.ENDED], State.CLOSED),
        # A refusal, and a broken rule: last bytes still leave.
        ([Step.FAILED], State.DRAINING),
        ([Step.OPENED, Step.BROKEN, Step.CLOSE_SENT], State.DRAINING),
        ([Step.OPENED, Step.BROKEN], State.REMOTE_CLOSING),
        ([Step.OPENED, Step.CLOSE_SENT, Step.FAILED], State.DRAINING),
        ([Step.ENDED], State.CLOSED),
        ([Step.OPENED, Step.ENDED], State.CLOSED),
    ],
)
def test_a_life_of_a_connection(steps: list[Step], state: State) -> None:
    now = State.CONNECTING
    for step in steps:
        now = TRANSITIONS[now, step]
    assert now is state


def test_every_life_ends_and_soon() -> None:
    longest = 0
    lives = [(State.CONNECTING, 0)]
    while lives:
        state, length = lives.pop()
        following = [target for (source, _), target in TRANSITIONS.items() if source is state]
        assert following or state is State.CLOSED
        longest = max(longest, length)
        lives += [(target, length + 1) for target in following]
    assert longest == len(set(PROGRESS.values())) - 1


def test_a_transport_has_four_levels() -> None:
    assert {action.name for action in TransportAction} == {"KEEP", "SHUTDOWN_WRITE", "CLOSE", "ABORT"}
