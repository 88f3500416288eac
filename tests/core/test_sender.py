"""The way out: messages and control frames become bytes, counted and remembered."""

from collections.abc import Callable

import pytest

from support.wire import BINARY, CLOSE, PING, PONG, TEXT, frame, header, read_frames
from wscore._codes import CloseCode, Opcode, Role
from wscore._config import Limits
from wscore._events import CloseStatus
from wscore._outbox import Outbox
from wscore._sender import Sender
from wscore._stats import Stats

ROLES = list(Role)
KEYS = [bytes([16 * number + 1] * 4) for number in range(1, 6)]


class Desk:
    """A sender with its outbox, its counters, and what it drew from the source of entropy."""

    def __init__(self, role: Role) -> None:
        self.outbox = Outbox(Limits())
        self.stats = Stats()
        self.drawn: list[bytes] = []
        self.sender = Sender(role, self.outbox, self.stats, self._entropy)

    def _entropy(self, size: int) -> bytes:
        assert size == 4
        self.drawn.append(KEYS[len(self.drawn)])
        return self.drawn[-1]

    def take(self) -> bytes:
        return b"".join(self.sender.take())


def written(role: Role, opcode: int, payload: bytes, key: bytes) -> bytes:
    """Write a frame as section 5.2 says, in this role, with this key."""
    if role is Role.SERVER:
        return frame(opcode, payload, masked=False)
    masked = bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))
    return header(0x80 | opcode, len(payload), masked=True) + key + masked


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("opcode", "wire"), [(Opcode.TEXT, TEXT), (Opcode.BINARY, BINARY)], ids=["text", "binary"]
)
@pytest.mark.parametrize("size", [0, 5, 125, 126, 65_535, 65_536])
def test_a_message_leaves_whole_in_one_frame(role: Role, opcode: Opcode, wire: int, size: int) -> None:
    desk = Desk(role)
    payload = b"Hello" * (size // 5) + b"!" * (size % 5)
    desk.sender.message(opcode, payload)
    assert desk.take() == written(role, wire, payload, KEYS[0])
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (1, size)


def test_the_example_of_rfc_6455_section_5_7() -> None:
    for role, expected in ((Role.SERVER, "810548656c6c6f"), (Role.CLIENT, "818537fa213d7f9f4d5158")):
        outbox = Outbox(Limits())
        sender = Sender(role, outbox, Stats(), lambda size: b"\x37\xfa\x21\x3d"[:size])
        sender.message(Opcode.TEXT, b"Hello")
        assert b"".join(sender.take()) == bytes.fromhex(expected)


def test_a_client_masks_each_frame_with_a_fresh_key_in_the_order_of_the_frames() -> None:
    desk = Desk(Role.CLIENT)
    desk.sender.message(Opcode.TEXT, b"a")
    desk.sender.pong(b"b")
    desk.sender.ping(b"c", automatic=False)
    desk.sender.message(Opcode.BINARY, b"d")
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.drawn == KEYS  # 5.3: drawn when a frame is written
    frames = [(TEXT, b"a"), (PONG, b"b"), (PING, b"c"), (BINARY, b"d"), (CLOSE, b"\x03\xe8")]
    assert desk.take() == b"".join(
        written(Role.CLIENT, opcode, payload, key)
        for (opcode, payload), key in zip(frames, KEYS, strict=True)
    )
    assert desk.drawn == KEYS


def test_a_server_masks_nothing_and_draws_nothing() -> None:
    desk = Desk(Role.SERVER)
    desk.sender.message(Opcode.TEXT, b"a")
    desk.sender.pong(b"b")
    desk.sender.ping(b"c", automatic=True)
    desk.outbox.put_pong(b"d")
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.take() == b"\x8a\x01d" + b"\x81\x01a" + b"\x8a\x01b" + b"\x89\x01c" + b"\x88\x02\x03\xe8"
    assert desk.drawn == []


def test_the_key_of_an_answer_to_a_ping_is_drawn_when_it_leaves() -> None:
    desk = Desk(Role.CLIENT)
    desk.outbox.put_pong(b"answer")
    desk.sender.message(Opcode.TEXT, b"a")
    assert desk.drawn == KEYS[:1]
    assert desk.take() == (
        written(Role.CLIENT, PONG, b"answer", KEYS[1]) + written(Role.CLIENT, TEXT, b"a", KEYS[0])
    )
    assert desk.drawn == KEYS[:2]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("automatic", [False, True])
@pytest.mark.parametrize("payload", [b"", b"p", bytes(125)])
def test_a_ping_carries_what_the_caller_says(role: Role, automatic: bool, payload: bytes) -> None:
    desk = Desk(role)
    ping = desk.sender.ping(payload, automatic=automatic)
    assert (ping.payload, ping.automatic, ping.given_at, ping.latency) == (payload, automatic, None, None)
    assert desk.take() == written(role, PING, payload, KEYS[0])


@pytest.mark.parametrize("role", ROLES)
def test_a_ping_without_words_carries_four_random_bytes(role: Role) -> None:
    desk = Desk(role)
    ping = desk.sender.ping(None, automatic=True)
    assert ping.payload == KEYS[0]  # the payload is drawn first, then the key
    assert desk.take() == written(role, PING, KEYS[0], KEYS[1])
    assert desk.drawn == KEYS[: 2 if role is Role.CLIENT else 1]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (CloseStatus(1000, ""), b"\x03\xe8"),
        (CloseStatus(4999, "own"), b"\x13\x87own"),
        (CloseStatus(1001, "Gr\u00fc\u00dfe"), b"\x03\xe9Gr\xc3\xbc\xc3\x9fe"),
        (CloseStatus(3000, "x" * 123), b"\x0b\xb8" + b"x" * 123),
        (CloseStatus(1005, ""), b""),  # RFC 6455 section 7.4.1: 1005 stands for a Close without a code
        (CloseStatus(CloseCode.NO_STATUS_RECEIVED, ""), b""),
    ],
)
def test_a_close_says_its_code_and_reason(role: Role, status: CloseStatus, payload: bytes) -> None:
    desk = Desk(role)
    desk.sender.close(status)
    assert desk.take() == written(role, CLOSE, payload, KEYS[0])


@pytest.mark.parametrize("role", ROLES)
def test_nothing_that_answers_a_ping_leaves_behind_our_close(role: Role) -> None:
    desk = Desk(role)
    desk.outbox.put_pong(b"before")
    desk.sender.close(CloseStatus(1000, ""))
    desk.outbox.put_pong(b"after")
    assert [first for first, _ in read_frames(desk.take())] == [0x8A, 0x88]  # RFC 6455 section 5.5.1
    desk.outbox.put_pong(b"late")
    assert desk.take() == b""


STEPS: list[tuple[Callable[[Sender], object], bool, bool]] = [
    # what is queued: is it a message, is it our Close
    (lambda sender: sender.message(Opcode.TEXT, b""), True, False),
    (lambda sender: sender.message(Opcode.BINARY, b"x"), True, False),
    (lambda sender: sender.ping(b"", automatic=False), False, False),
    (lambda sender: sender.ping(None, automatic=True), False, False),
    (lambda sender: sender.pong(b""), False, False),
    (lambda sender: sender.close(CloseStatus(1000, "")), False, True),
    (lambda sender: sender.close(CloseStatus(1005, "")), False, True),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("step", "data", "close"), STEPS, ids=["text", "binary", "ping", "keepalive", "pong", "close", "empty"]
)
def test_what_the_timers_will_ask_is_remembered_until_somebody_has_looked(
    role: Role, step: Callable[[Sender], object], data: bool, close: bool
) -> None:
    desk = Desk(role)
    assert (desk.sender.data_queued, desk.sender.close_queued) == (False, False)
    step(desk.sender)
    assert (desk.sender.data_queued, desk.sender.close_queued) == (data, close)
    desk.take()
    assert (desk.sender.data_queued, desk.sender.close_queued) == (data, close)


@pytest.mark.parametrize("role", ROLES)
def test_bytes_are_counted_when_they_leave_and_messages_when_they_are_queued(role: Role) -> None:
    desk = Desk(role)
    wire = 0
    for batch in ([b"a", b"bc"], [b""], []):
        for payload in batch:
            desk.sender.message(Opcode.BINARY, payload)
        assert desk.stats.wire_sent == wire
        wire += len(desk.take())
        assert desk.stats.wire_sent == wire
        desk.outbox.note_departed()
    header_size = 2 if role is Role.SERVER else 6
    assert (desk.stats.messages_sent, desk.stats.payload_sent, wire) == (3, 3, 3 * header_size + 3)


@pytest.mark.parametrize("role", ROLES)
def test_control_frames_are_no_messages_but_count_as_bytes(role: Role) -> None:
    desk = Desk(role)
    desk.outbox.put_head(b"head")
    desk.sender.ping(b"p", automatic=True)
    desk.sender.pong(b"q")
    desk.sender.close(CloseStatus(1000, "r"))
    size = len(desk.take())
    assert (desk.stats.messages_sent, desk.stats.payload_sent) == (0, 0)
    assert (desk.stats.pings_received, desk.stats.pongs_received) == (0, 0)
    assert desk.stats.wire_sent == size == 4 + (3 + 3 + 5) + (3 * 4 if role is Role.CLIENT else 0)


def test_on_a_stream_that_is_gone_nothing_is_queued() -> None:
    desk = Desk(Role.SERVER)
    desk.outbox.clear()
    desk.sender.message(Opcode.TEXT, b"a")
    desk.sender.close(CloseStatus(1000, ""))
    assert desk.take() == b""
    assert desk.stats.wire_sent == 0
