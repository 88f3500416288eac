"""Rows 36 to 38: what goes out is random or what the caller said; and every step ends."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from support.measure import TooMuchWorkError, calls
from support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    TEXT,
    connecting,
    frame,
    from_peer,
    header,
    opened,
    read_frames,
)
from wscore import (
    Config,
    Connection,
    Limits,
    LocalProtocolError,
    Role,
    State,
    TransportAction,
    system_entropy,
)
from wscore.testing import drain

ROLES = list(Role)


def test_row_36_every_frame_has_a_fresh_mask() -> None:
    """Cause: one mask for a connection, or none for empty frames. Correct: four bytes of the source for
    each frame, whatever it holds, and none twice."""
    drawn: list[bytes] = []

    def entropy(size: int) -> bytes:
        drawn.append((len(drawn) + 0x01020304).to_bytes(4, "big") * (size // 4))
        return drawn[-1]

    client = Connection.established(Role.CLIENT, Config(fragment_size=10), now=0.0, entropy=entropy)
    drain(client, 0.0)
    for number in range(20):
        client.send_text("")
        client.send_bytes(b"x" * number)
        client.send_ping(b"", now=0.0)
        client.receive_data(frame(PING, b"", masked=False), 0.0)
        client.send_fragment(b"y", number == 19)
    client.close(now=0.0)
    keys = _keys(drain(client, 0.0).sent)
    assert len(keys) > 80
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(drawn)


def _keys(data: bytes) -> list[bytes]:
    """Return the masking key of each frame."""
    keys = []
    while data:
        size = {126: 4, 127: 10}.get(data[1] & 0x7F, 2)
        length = data[1] & 0x7F if size == 2 else int.from_bytes(data[2:size], "big")
        keys.append(data[size : size + 4])
        data = data[size + 4 + length :]
    return keys


def test_row_36_masks_and_nonces_come_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cause: rand(), a Mersenne Twister. Correct: os.urandom, which a default client draws from."""
    asked: list[int] = []
    urandom = os.urandom

    def spy(size: int) -> bytes:
        asked.append(size)
        return urandom(size)

    monkeypatch.setattr(os, "urandom", spy)
    connection = Connection(Role.CLIENT, now=0.0)
    connection.send_request("ws://localhost/", now=0.0)
    nonces = {connection.data_to_send(0.0)[0]}
    drawn = [system_entropy(4) for _ in range(1000)]
    assert sum(asked) >= 4 * 1000 - 512  # a block may have been left over
    assert len(set(drawn)) >= 998 and nonces


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_row_36_a_forked_child_draws_other_masks() -> None:
    """Cause: a pool of random bytes was copied by fork. Correct: it is dropped in the child."""
    program = (
        "import os, wscore\n"
        "wscore.system_entropy(4)\n"
        "child = os.fork()\n"
        "os.write(1, wscore.system_entropy(16).hex().encode() + b' ')\n"
        "child and os.waitpid(child, 0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    output = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, env=environment, check=True, timeout=30
    ).stdout
    one, other = output.split()
    assert len(one) == len(other) == 32 and one != other


NUMBERS: list[Any] = [5, 0, 2**20, True, None, 1.5, [1, 2, 3], pytest.param(object(), id="an object")]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_row_37_what_is_no_payload_is_refused(role: Role, value: Any) -> None:
    """Cause: a number was taken as the size of a buffer, whose old content was sent. Correct: the type is
    checked at the edge; nothing is sent, nothing has changed."""
    connection = opened(role)
    commands: list[Callable[[], object]] = [
        lambda: connection.send_bytes(value),
        lambda: connection.send_text(value),
        lambda: connection.send_fragment(value, True),
        lambda: connection.send_pong(value),
        lambda: connection.close(1000, value, now=0.0),
        lambda: connection.send_prepared(value),
    ]
    if value is not None:
        commands.append(lambda: connection.send_ping(value, now=0.0))
    for command in commands:
        with pytest.raises(TypeError):
            command()
    with pytest.raises(TypeError):
        connection.receive_data(value, 0.0)
    assert (connection.buffered_amount, connection.state) == (0, State.OPEN)
    assert drain(connection, 0.0).sent == b""


@pytest.mark.parametrize("role", ROLES)
def test_row_37_text_and_bytes_are_not_confused(role: Role) -> None:
    """Correct: bytes are no text and text is no bytes; a control payload and a reason have their types."""
    connection = opened(role)
    mistakes: list[tuple[Callable[[Any], object], object]] = [
        (connection.send_bytes, "text"),
        (connection.send_text, b"bytes"),
        (connection.send_pong, "text"),
        (connection.send_pong, bytearray(b"x")),
    ]
    for command, value in mistakes:
        with pytest.raises(TypeError):
            command(value)
    with pytest.raises(LocalProtocolError):
        connection.send_pong(b"x" * 126)
    connection.send_bytes(changing := bytearray(b"as it was"))
    changing[:] = b"was changed"[: len(changing)]
    connection.send_bytes(memoryview(b"sliced")[::2])
    payloads = [payload for _, payload in read_frames(drain(connection, 0.0).sent)]
    assert payloads == [b"as it was", b"sie"]


NO_PROGRESS: dict[str, Callable[[Role], bytes]] = {
    "empty messages": lambda role: from_peer(role, TEXT, b""),
    "empty fragments": lambda role: (
        from_peer(role, BINARY, b"x", final=False) + from_peer(role, CONTINUATION, b"", final=False)
    ),
    "pings": lambda role: from_peer(role, PING, b""),
    "half a frame": lambda role: from_peer(role, TEXT, b"half")[:-1],
    "half a header": lambda role: from_peer(role, BINARY, bytes(200))[:3],
    "a close": lambda role: from_peer(role, CLOSE, b""),
    "nonsense": lambda role: b"\xff\xff",
    "a huge empty promise": lambda role: header(0x82, 2**20, masked=role is Role.SERVER) + KEY,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("make", NO_PROGRESS.values(), ids=NO_PROGRESS)
@pytest.mark.parametrize("way", ["paused", "suspended", "after our close", "discarding"])
def test_row_38_every_step_consumes_or_waits(role: Role, make: Callable[[Role], bytes], way: str) -> None:
    """Cause: a loop that could neither deliver nor read on, for ever. Correct: every call returns after a
    bounded number of steps, in every state, and the deadline is never the moment that has just passed."""
    connection = opened(role, Config(limits=Limits(inbox_high=200, inbox_low=0)))

    def live() -> None:
        if way == "suspended":
            connection.suspend()
        if way in ("after our close", "discarding"):
            connection.close(now=0.0, discard=way == "discarding")
            connection.data_to_send(0.0)
        for now in (0.0, 1.0, 2.0):
            connection.receive_data(from_peer(role, TEXT, b"x" * 150) * 2 + make(role) * 20, now)
            connection.data_to_send(now)
            connection.handle_deadline(now)
            if way != "paused":
                drain(connection, now)
        connection.resume()
        now = 2.0
        while (deadline := connection.next_deadline()) is not None and now < 1000.0:
            assert deadline > now
            now = deadline
            connection.handle_deadline(now)
            connection.data_to_send(now)
        connection.receive_eof(now)
        connection.receive_eof(now)
        drain(connection, now)

    try:
        calls(live, limit=50_000)
    except TooMuchWorkError as error:
        pytest.fail(str(error))
    assert connection.state is State.CLOSED
    assert connection.transport_action() in (TransportAction.CLOSE, TransportAction.ABORT)


def test_row_38_a_client_waits_for_its_server_without_spinning() -> None:
    """The same before the connection is open."""
    connection = connecting(Role.CLIENT)
    for _ in range(100):
        assert calls(lambda: connection.receive_data(b"", 0.0)) < 20
        assert calls(lambda: connection.data_to_send(0.0)) < 20
    assert connection.next_deadline() == 10.0
