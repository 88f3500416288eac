"""The close matrix: whatever a connection is doing, whoever closes it and whatever the peer does then.

A row is one connection. It is brought into its situation, closed by one side or both, and the peer, a bare
socket, then behaves as the row says. Our side must have ended in time, with one of the codes that the row
allows. The rows of a matrix wait most of their time, so all of them are played at once, each in a thread.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from itertools import product
from math import inf
from typing import Final, final

from support.eventually import PATIENCE, Background, background, eventually
from support.raw import RawPeer
from support.stopwatch import Stopwatch
from support.wire import BINARY, CLOSE, TEXT, status
from wscore import Config, ConnectionClosed, State, Timeouts

from .facade import Facade
from .frames import frame_from, frames_from
from .setting import Setting, port_of

OURS: Final = 4000  # the codes that either side closes with
THEIRS: Final = 4001
LOST: Final = 1006
CLOSE_TIMEOUT: Final = 0.2
PATIENT: Final = 10.0  # the same for peers that reply: a busy machine may make them slow
_SLACK: Final = 0.5  # seconds that an end may come after its time, of a row that is played alone
_SLACK_IN_COMPANY: Final = 5.0
_MESSAGE: Final = b"x" * 1000
_LONG_MESSAGE: Final = b"y" * 64 * 1024


class Situation(Enum):
    """What the connection is doing."""

    IDLE = auto()
    SENDING = auto()
    """We send without end, and the peer does not read."""
    RECEIVING = auto()
    """The peer sends, and somebody receives."""
    INSIDE = auto()
    """The peer has sent half of a fragmented message."""
    PAUSED = auto()
    """The peer sends, nobody receives, and we have stopped reading."""


class Closer(Enum):
    """Who closes."""

    WE = auto()
    PEER = auto()
    BOTH = auto()


class Way(Enum):
    """What the peer does once the closing has begun."""

    REPLY = auto()
    STAY = auto()
    """It neither replies nor leaves."""
    RST = auto()
    FIN = auto()
    GARBAGE = auto()
    FLOOD = auto()


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One case."""

    situation: Situation
    closer: Closer
    way: Way

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.situation.name.lower()}-{self.closer.name.lower()}-{self.way.name.lower()}"

    def codes(self, *, strict: bool) -> set[int]:
        """Return the codes that our side may end with.

        Args:
            strict: what happens at the same time is seen within the timeout; a busy machine cannot promise.
        """
        if self.closer is Closer.WE:
            return {OURS} if self.way is Way.REPLY else {LOST}
        if self.way in (Way.RST, Way.FIN):
            return {THEIRS, LOST}  # it depends on what TCP still delivers
        if self.situation is Situation.SENDING and self.way is not Way.REPLY:
            return {THEIRS, LOST}  # our Close waits behind what the peer does not read
        return {THEIRS} if strict or self.closer is Closer.PEER else {THEIRS, LOST}


ROWS: Final = tuple(Row(*values) for values in product(Situation, Closer, Way))


@final
class Play:
    """One row, played."""

    def __init__(self, row: Row, session: Facade, peer: RawPeer, watch: Stopwatch, *, alone: bool) -> None:
        self._row = row
        self._session = session
        self._peer = peer
        self._watch = watch
        self._alone = alone
        self._stop_streaming = threading.Event()
        self._tasks: list[Background[object]] = []

    def run(self) -> None:
        """Play it and judge it."""
        streaming = self._enter()
        acting = background(lambda: self._act(streaming))
        begun = self._watch.seconds
        if self._row.closer is Closer.PEER:
            if self._row.situation is not Situation.RECEIVING:
                self._receive()
            eventually(lambda: self._session.state is not State.OPEN)
            for task in self._tasks:
                task.error()
        self._session.close(OURS)
        taken = self._watch.seconds - begun
        # What was sent before may prolong the wait, as long as it moves, to three times the timeout.
        factor = 3 if self._row.situation is Situation.SENDING else 1
        if self._row.closer is Closer.PEER:
            factor += 1
        slack = _SLACK if self._alone else _SLACK_IN_COMPANY
        limit = PATIENT if self._row.way is Way.REPLY else factor * CLOSE_TIMEOUT + slack
        assert taken < limit, f"it took {taken:.2f} s"
        closed = self._session.end
        assert closed.code in self._row.codes(strict=self._alone), closed
        if closed.code == LOST or self._row.way is Way.REPLY:
            # Otherwise it depends on whether our Close could still leave.
            assert closed.clean is (closed.code != LOST), closed
        self._session.abort()
        acting.error()  # before its socket is closed: somebody else may get the same descriptor
        self._peer.close()
        for task in self._tasks:
            task.error()

    # Before.

    def _enter(self) -> "Background[None] | None":
        """Bring the connection into its situation; return the call that streams to us."""
        situation, session, peer = self._row.situation, self._session, self._peer
        streaming = None
        if situation is Situation.SENDING:
            self._tasks.append(background(self._send))
            eventually(lambda: session.buffered_amount > 64 * 1024)
        elif situation is Situation.INSIDE:
            peer.send(frame_from(peer, TEXT, b"half of it", final=False))
        elif situation is Situation.RECEIVING:
            self._receive()
            streaming = background(self._stream)
            eventually(lambda: session.stats.messages_received > 20)
        elif situation is Situation.PAUSED:
            streaming = background(lambda: peer.send(frames_from(peer, BINARY, *[_MESSAGE] * 300)))
            eventually(lambda: session.stats.messages_received > 50)
        return streaming

    def _stream(self, ahead: float = 50) -> None:
        """Send messages until told to stop, with some regard for the others.

        Args:
            ahead: how many may be under way.
        """
        wire, sent = frames_from(self._peer, BINARY, *[_MESSAGE] * 10), 0
        while not self._stop_streaming.wait(0.002):
            if sent - self._session.stats.messages_received < ahead:
                self._peer.send(wire)
                sent += 10

    def _send(self) -> None:
        """Send until that is an error."""
        while True:
            self._session.send(_LONG_MESSAGE)

    def _receive(self) -> None:
        """Let somebody receive to the end."""

        def receive() -> None:
            with suppress(ConnectionClosed):
                self._session.rest()

        self._tasks.append(background(receive))

    # The peer.

    def _act(self, streaming: "Background[None] | None") -> None:
        """Do what the peer does; errors are what it deserves."""
        peer, row = self._peer, self._row
        if row.closer is Closer.WE:
            eventually(lambda: self._session.state is not State.OPEN)
        self._stop_streaming.set()
        if streaming is not None and row.way not in (Way.RST, Way.FIN):
            streaming.error()
        with suppress(OSError):
            if row.closer is not Closer.WE:
                peer.send(frame_from(peer, CLOSE, status(THEIRS)))
            if row.way is Way.REPLY:
                self._reply()
            elif row.way is Way.RST:
                peer.reset()
            elif row.way is Way.FIN:
                peer.close()
            elif row.way is Way.GARBAGE:
                peer.send(b"\xff" * 100)
            elif row.way is Way.FLOOD:
                self._stop_streaming.clear()
                self._stream(inf)

    def _reply(self) -> None:
        """Read up to our Close, answer it if that is still to be done, and leave in good order."""
        while self._peer.read_frame()[0] != 0x80 | CLOSE:
            pass
        if self._row.closer is Closer.WE:
            self._peer.send_close(OURS)
        self._peer.end_writing()
        self._peer.read_to_end()


Open = Callable[[], AbstractContextManager[tuple[Facade, RawPeer]]]


@contextmanager
def _opener(setting: Setting, config: Config) -> Iterator[Open]:
    """Give what opens one connection after the other, all to one server where we serve."""
    if setting.role.name == "CLIENT":
        yield lambda: setting.open(config, receive_buffer=4096)
        return
    with setting.serve(config=config) as served:

        @contextmanager
        def open_one() -> Iterator[tuple[Facade, RawPeer]]:
            with setting.dial(served.port, receive_buffer=4096) as peer:
                yield served.accept(port_of(peer)), peer

        yield open_one


def play(settings: Iterable[Setting], rows: Iterable[Row], *, at_once: int) -> None:
    """Play rows in each setting, so many at a time; raise what failed, all together."""
    soon, patient = (Config(timeouts=Timeouts(close=close)) for close in (CLOSE_TIMEOUT, PATIENT))
    with ExitStack() as stack:
        openers = [
            (stack.enter_context(_opener(setting, soon)), stack.enter_context(_opener(setting, patient)))
            for setting in settings
        ]
        pool = stack.enter_context(ThreadPoolExecutor(at_once))
        watch = Stopwatch()
        stack.callback(watch.stop)

        def play_one(row: Row, open_soon: Open, open_patient: Open) -> None:
            with (open_patient if row.way is Way.REPLY else open_soon)() as (session, peer):
                Play(row, session, peer, watch, alone=at_once == 1).run()

        tasks = [(row, pool.submit(play_one, row, *opener)) for opener in openers for row in rows]
        failures = []
        for row, task in tasks:
            error = task.exception(3 * PATIENCE)
            if isinstance(error, Exception):
                error.add_note(row.name)
                failures.append(error)
    if failures:
        raise ExceptionGroup(f"{len(failures)} rows failed", failures)
