"""Two cores, a faulty link, every call in every state: no outcome but a documented one, and always an end.

What must hold is written in `support.watched_core` and `support.two_cores`, what can happen in
`support.two_cores_play`. Here hypothesis chooses, which finds the smallest way to a fault, and seeded
generators, which are faster; both count the frames that went over the link.
"""

from itertools import product
from typing import Final

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from support import two_cores_play as play
from support.choices import ByteSource, config
from support.two_cores import TwoCores
from support.watched_core import REACHABLE, Watched
from support.wire import CONTINUATION, PING, REQUEST, RESPONSE, TEXT, URL, frame, steady_entropy
from wscore import Config, Connection, RequestReceived, Role, State
from wscore._typing import override

pytestmark = pytest.mark.exhaustive

FRAMES: Final = 20_000
MANY_FRAMES: Final = 1_000_000
STEPS: Final = 60
CHOICES: Final = st.binary(max_size=12)
ENDS: Final = st.integers(0, 1)

SETTINGS: Final = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    stateful_step_count=30,
    max_examples=120,
)

# Beginnings of something, and some whole things: random bytes alone do not get far.
PLAUSIBLE: Final = (
    *(frame(opcode, b"abc", masked=masked) for opcode in (TEXT, PING, 8) for masked in (False, True)),
    *(frame(opcode, b"d", masked=masked, final=False) for opcode in (TEXT, 0) for masked in (False, True)),
    frame(CONTINUATION, b"\x03\xe8", masked=True, rsv=0x40),
    b"\x81\x7f\0\0\0\0\0\1\0\0",
    b"\x82\xfe\xff\xff",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x88\x02\x03\xe8",
    REQUEST,
    RESPONSE,
    REQUEST[:100],
    REQUEST[100:],
    b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
)


class Machine(RuleBasedStateMachine):
    """Calls and faults, as hypothesis chooses them.

    Each rule is given bytes to choose from: see `ByteSource`. Shorter and smaller ones mean plainer things.
    """

    frames = 0  # of all runs

    def __init__(self) -> None:
        super().__init__()
        self.world = TwoCores(Config(), Config())

    def act(self, action: play.Action, end: int, choices: bytes) -> None:
        action(self.world, self.world.ends[end], ByteSource(choices))

    @initialize(client=st.binary(max_size=24), server=st.binary(max_size=24), half=ENDS, choices=CHOICES)
    def begin(self, client: bytes, server: bytes, half: int, choices: bytes) -> None:
        self.world = TwoCores(
            config(ByteSource(client)), config(ByteSource(server)), half_close=(half == 0, half == 0)
        )
        play.begin(self.world, ByteSource(choices))

    @rule(end=ENDS, choices=CHOICES)
    def send(self, end: int, choices: bytes) -> None:
        self.act(play.send, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def send_fragment(self, end: int, choices: bytes) -> None:
        self.act(play.send_fragment, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def control(self, end: int, choices: bytes) -> None:
        self.act(play.control, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def close(self, end: int, choices: bytes) -> None:
        self.act(play.close_rarely, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def shake_hands(self, end: int, choices: bytes) -> None:
        self.act(play.shake_hands, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def err(self, end: int, choices: bytes) -> None:
        self.act(play.err, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def take(self, end: int, choices: bytes) -> None:
        self.act(play.take, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def hesitate(self, end: int, choices: bytes) -> None:
        self.act(play.hesitate, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def move(self, end: int, choices: bytes) -> None:
        self.act(play.move, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def exchange(self, end: int, choices: bytes) -> None:
        self.act(play.exchange, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def hinder(self, end: int, choices: bytes) -> None:
        self.act(play.hinder, end, choices)

    @rule(end=ENDS, choices=CHOICES)
    def wait(self, end: int, choices: bytes) -> None:
        self.act(play.wait, end, choices)

    @rule(choices=CHOICES)
    def finish(self, choices: bytes) -> None:
        """At any moment the end must be near; afterwards another pair begins."""
        play.finish(self.world, ByteSource(choices))
        self.count()
        self.world = TwoCores(self.world.ends[0].config, self.world.ends[1].config)
        play.begin(self.world, ByteSource(choices))

    @override
    def teardown(self) -> None:
        play.finish(self.world, ByteSource(b""))
        self.count()

    def count(self) -> None:
        Machine.frames += play.frames(self.world)


def run_machine(number: int) -> int:
    """Run the machine with one seed; return how many frames went over the link."""
    before = Machine.frames
    run_state_machine_as_test(seed(number)(type("Seeded", (Machine,), {})), settings=SETTINGS)
    return Machine.frames - before


def test_whatever_is_called_in_whatever_order_the_outcome_is_a_documented_one() -> None:
    frames = run_machine(0)
    number = 0
    while frames < FRAMES:
        frames += play.play_seed(number, STEPS)
        number += 1


def test_an_open_connection_ends_in_every_way_there_is() -> None:
    for way, lazy, which, half_close in product(range(5), range(5), range(3), (True, False)):
        world = TwoCores(Config(), Config(), half_close=(half_close, half_close))
        play.begin(world, ByteSource(b""))
        for end in world.ends:
            world.send(end, "a message that waits")
            world.send_fragment(end, b"begun", False)
            world.send(end, "a message that is held")
        play.finish(world, ByteSource(bytes([way, lazy, which, 1])))


@pytest.mark.slow
def test_a_million_frames_have_documented_outcomes() -> None:
    frames = sum(run_machine(number) for number in range(1, 9))
    number = 1000
    while frames < MANY_FRAMES:
        frames += play.play_seed(number, STEPS)
        number += 1


def test_the_table_of_states_never_leads_back() -> None:
    for state, targets in REACHABLE.items():
        for target in targets - {state}:
            assert state not in REACHABLE[target]
    assert REACHABLE[State.CLOSED] == {State.CLOSED}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("shaken", [False, True], ids=["from the start", "in the frames"])
@settings(SETTINGS, max_examples=100, derandomize=True)
@given(
    chunks=st.lists(st.sampled_from(PLAUSIBLE) | st.binary(max_size=200), max_size=8),
    choices=st.binary(max_size=24),
)
def test_random_bytes_lead_to_a_documented_end(
    role: Role, shaken: bool, chunks: list[bytes], choices: bytes
) -> None:
    chosen = config(ByteSource(choices))
    watched = Watched(lambda: Connection(role, chosen, now=0.0, entropy=steady_entropy()), chosen)
    if role is Role.CLIENT:
        watched.call("send_request", URL, now=0.0)
        watched.take_bytes(0.0)
    if shaken:
        chunks = [RESPONSE if role is Role.CLIENT else REQUEST, *chunks]
    for moment, chunk in enumerate(chunks):
        watched.receive(chunk, float(moment))
        react(watched, float(moment))
    watched.end_input(10.0)
    react(watched, 10.0)
    watched.end_input(10.0)
    react(watched, 10.0)
    assert watched.ended and watched.core.state is State.CLOSED
    watched.replay()


def react(watched: Watched, now: float) -> None:
    """Take events, accept what can be accepted, answer messages."""
    moved = True
    while moved:
        moved = False
        while (event := watched.next_event()) is not None:
            moved = True
            if isinstance(event, RequestReceived):
                watched.call("accept", now=now)
            elif isinstance(event, str):
                watched.call("send_text", event)
        moved = bool(watched.take_bytes(now)) or moved
